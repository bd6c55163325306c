// How values are shown and compared. Verdicts rest on this, so it uses only what it captured before any test ran.
(() => {
    "use strict";

    const prelude = globalThis.__prelude;
    const { uncurry } = prelude;
    const { ownKeys, getPrototypeOf, getOwnPropertyDescriptor, defineProperty, apply } = Reflect;
    const { is, assign, create } = Object;
    const isArray = Array.isArray;
    const stringify = JSON.stringify;
    const toText = String;
    const tagOf = uncurry(Object.prototype.toString);
    const has = uncurry(Object.prototype.hasOwnProperty);
    const enumerable = uncurry(Object.prototype.propertyIsEnumerable);
    const functionText = uncurry(Function.prototype.toString);
    const mapGet = uncurry(Map.prototype.get);
    const mapHas = uncurry(Map.prototype.has);
    const mapSet = uncurry(Map.prototype.set);
    const mapDelete = uncurry(Map.prototype.delete);
    const mapEach = uncurry(Map.prototype.forEach);
    const setHas = uncurry(Set.prototype.has);
    const setEach = uncurry(Set.prototype.forEach);
    const setAdd = uncurry(Set.prototype.add);
    const mapSize = uncurry(getOwnPropertyDescriptor(Map.prototype, "size").get);
    const setSize = uncurry(getOwnPropertyDescriptor(Set.prototype, "size").get);
    const dateTime = uncurry(Date.prototype.getTime);
    const dateText = uncurry(Date.prototype.toISOString);
    const regExpSource = uncurry(getOwnPropertyDescriptor(RegExp.prototype, "source").get);
    const regExpFlags = uncurry(getOwnPropertyDescriptor(RegExp.prototype, "flags").get);
    const numberValue = uncurry(Number.prototype.valueOf);
    const stringValue = uncurry(String.prototype.valueOf);
    const booleanValue = uncurry(Boolean.prototype.valueOf);
    const symbolText = uncurry(Symbol.prototype.toString);
    const typedTag = uncurry(getOwnPropertyDescriptor(getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag).get);
    const typedLength = uncurry(getOwnPropertyDescriptor(getPrototypeOf(Uint8Array.prototype), "length").get);
    const bufferLength = uncurry(getOwnPropertyDescriptor(ArrayBuffer.prototype, "byteLength").get);
    const weakMapHas = uncurry(WeakMap.prototype.has);
    const weakSetHas = uncurry(WeakSet.prototype.has);
    const execute = uncurry(RegExp.prototype.exec);
    const slice = uncurry(String.prototype.slice);
    const indexOf = uncurry(String.prototype.indexOf);
    const MapType = Map;
    const Bytes = Uint8Array;
    const FunctionPrototype = Function.prototype;
    const ErrorPrototype = Error.prototype;
    const PromisePrototype = Promise.prototype;
    const isError = Error.isError ?? ((value) => tagOf(value) === "[object Error]");

    function push(list, value) {
        defineProperty(list, list.length, { __proto__: null, value, writable: true, enumerable: true, configurable: true });
    }

    // Whether `read` works on the value: a brand that no script can put on.
    function branded(read, value) {
        try {
            read(value);
            return true;
        } catch {
            return false;
        }
    }
    const probe = { __proto__: null };
    const isMap = (value) => branded(mapSize, value);
    const isSet = (value) => branded(setSize, value);
    const isDate = (value) => branded(dateTime, value);
    const isRegExp = (value) => tagOf(value) === "[object RegExp]" && branded(regExpSource, value) && value !== RegExp.prototype;
    const isTyped = (value) => typedTag(value) !== undefined;
    const isArrayBuffer = (value) => branded(bufferLength, value);
    const isWeakMap = (value) => branded((it) => weakMapHas(it, probe), value);
    const isWeakSet = (value) => branded((it) => weakSetHas(it, probe), value);
    const isObject = (value) => value !== null && typeof value === "object";
    function isA(value, prototype) {
        for (let at = getPrototypeOf(value); at !== null; at = getPrototypeOf(at)) if (at === prototype) return true;
        return false;
    }
    const isPromise = (value) => isObject(value) && isA(value, PromisePrototype);
    function boxed(value) {
        if (branded(numberValue, value)) return ["Number", numberValue(value)];
        if (branded(stringValue, value)) return ["String", stringValue(value)];
        if (branded(booleanValue, value)) return ["Boolean", booleanValue(value)];
        return null;
    }

    // Equality -------------------------------------------------------------------------------------------------------
    //
    // Modes: "strict" (assert.deepStrictEqual, toStrictEqual), "loose" (assert.deepEqual), "expect" (toEqual: own properties
    // that are undefined do not count, nor do types).

    // Matchers such as `expect.any(Number)`, with what they accept. A registry: a symbol could be put on any object.
    const matchers = new WeakMap();
    const matcherOf = uncurry(WeakMap.prototype.get);
    const setMatcher = uncurry(WeakMap.prototype.set);
    function matcher(shown, accepts) {
        const made = create(null);
        made[CUSTOM] = () => shown;
        setMatcher(matchers, made, accepts);
        return made;
    }
    const CUSTOM = Symbol.for("nodejs.util.inspect.custom");

    function keysOf(value, mode) {
        const kept = [];
        const all = ownKeys(value);
        for (let index = 0; index < all.length; index++) {
            const key = all[index];
            if (!enumerable(value, key)) continue;
            if (mode === "loose" && typeof key === "symbol") continue;
            if (mode === "expect" && value[key] === undefined && !isArray(value)) continue;
            push(kept, key);
        }
        return kept;
    }

    function equal(a, b, mode, seen = []) {
        const accepts = (isObject(b) ? matcherOf(matchers, b) : undefined) ?? (isObject(a) ? matcherOf(matchers, a) : undefined);
        if (accepts !== undefined) return isObject(b) && matcherOf(matchers, b) === accepts ? accepts(a) : accepts(b);
        if (is(a, b)) return true;
        if (a !== a && b !== b) return true;
        if (!isObject(a) || !isObject(b)) {
            if (typeof a === "function" || typeof b === "function") return a === b;
            if (mode === "loose") return !isObject(a) && !isObject(b) ? a == b : false;
            if (mode === "expect") return a === b && is(a, b);
            return false;
        }
        if (mode === "strict" && getPrototypeOf(a) !== getPrototypeOf(b)) return false;
        if (isArray(a) !== isArray(b)) return false;
        if (mode !== "loose" && tagOf(a) !== tagOf(b)) return false;
        for (let index = 0; index < seen.length; index++) if (seen[index][0] === a) return seen[index][1] === b;
        push(seen, [a, b]);
        const result = alike(a, b, mode, seen);
        seen.length -= 1;
        return result;
    }

    function alike(a, b, mode, seen) {
        if (isDate(a) !== isDate(b) || isRegExp(a) !== isRegExp(b) || isMap(a) !== isMap(b) || isSet(a) !== isSet(b)) return false;
        if (isError(a) !== isError(b) || isTyped(a) !== isTyped(b) || isArrayBuffer(a) !== isArrayBuffer(b)) return false;
        if (isDate(a)) {
            if (!is(dateTime(a), dateTime(b))) return false;
        } else if (isRegExp(a)) {
            if (regExpSource(a) !== regExpSource(b) || regExpFlags(a) !== regExpFlags(b)) return false;
            if (mode === "strict" && a.lastIndex !== b.lastIndex) return false;
        } else if (isTyped(a)) {
            if (typedTag(a) !== typedTag(b) || typedLength(a) !== typedLength(b)) return false;
            for (let index = 0; index < typedLength(a); index++) if (mode === "loose" ? a[index] != b[index] : !is(a[index], b[index])) return false;
            return true;
        } else if (isArrayBuffer(a)) {
            return equal(new Bytes(a), new Bytes(b), mode, seen);
        } else if (isWeakMap(a) || isWeakSet(a) || isPromise(a)) {
            return false;
        } else if (isError(a)) {
            if (a.name !== b.name || a.message !== b.message) return false;
            if (mode !== "expect" && !(equal(a.cause, b.cause, mode, seen) && equal(a.errors, b.errors, mode, seen))) return false;
        } else {
            const first = boxed(a);
            const second = boxed(b);
            if ((first === null) !== (second === null)) return false;
            if (first !== null && (first[0] !== second[0] || !is(first[1], second[1]))) return false;
        }
        if (isMap(a) && !sameMap(a, b, mode, seen)) return false;
        if (isSet(a) && !sameSet(a, b, mode, seen)) return false;
        if (isArray(a) && a.length !== b.length) return false;
        const keys = keysOf(a, mode);
        const others = keysOf(b, mode);
        if (mode === "expect" && isArray(a)) {
            for (let index = 0; index < a.length; index++) if (!equal(a[index], b[index], mode, seen)) return false;
        } else if (keys.length !== others.length) return false;
        for (let index = 0; index < keys.length; index++) {
            const key = keys[index];
            if (!enumerable(b, key) && !(mode === "expect" && a[key] === undefined)) return false;
            if (!equal(a[key], b[key], mode, seen)) return false;
        }
        if (mode === "expect") for (let index = 0; index < others.length; index++) if (!has(a, others[index]) && b[others[index]] !== undefined) return false;
        return true;
    }

    function sameMap(a, b, mode, seen) {
        if (mapSize(a) !== mapSize(b)) return false;
        const left = new MapType();
        mapEach(b, (value, key) => mapSet(left, key, value));
        let same = true;
        mapEach(a, (value, key) => {
            if (!same) return;
            if (mapHas(left, key) && equal(value, mapGet(left, key), mode, seen)) {
                mapDelete(left, key);
                return;
            }
            let found = false;
            mapEach(left, (other, otherKey) => {
                if (found || !equal(key, otherKey, mode, seen) || !equal(value, other, mode, seen)) return;
                found = true;
                mapDelete(left, otherKey);
            });
            same = found;
        });
        return same;
    }

    function sameSet(a, b, mode, seen) {
        if (setSize(a) !== setSize(b)) return false;
        const used = new MapType();
        let same = true;
        setEach(a, (item) => {
            if (!same) return;
            if (setHas(b, item) && !mapHas(used, item)) {
                mapSet(used, item, true);
                return;
            }
            let found = false;
            setEach(b, (other) => {
                if (found || mapHas(used, other) || !equal(item, other, mode, seen)) return;
                found = true;
                mapSet(used, other, true);
            });
            same = found;
        });
        return same;
    }

    // Whether `a` has at least what `b` has.
    function covers(a, b, mode, seen = []) {
        if (!isObject(b) || !isObject(a) || isArray(b) !== isArray(a) || isDate(b) || isRegExp(b) || isMap(b) || isSet(b) || isError(b) || matcherOf(matchers, b) !== undefined) return equal(a, b, mode);
        for (let index = 0; index < seen.length; index++) if (seen[index][0] === a && seen[index][1] === b) return true;
        push(seen, [a, b]);
        if (isArray(b) && a.length !== b.length) return false;
        const keys = keysOf(b, "strict");
        for (let index = 0; index < keys.length; index++) {
            const key = keys[index];
            if (!(key in a) || !covers(a[key], b[key], mode, seen)) return false;
        }
        return true;
    }

    // Showing --------------------------------------------------------------------------------------------------------

    const IDENTIFIER = /^[A-Za-z_$][\w$]*$/;

    function quoted(text) {
        const inner = stringify(text);
        if (indexOf(text, "'") < 0) {
            let out = "";
            const body = slice(inner, 1, -1);
            for (let index = 0; index < body.length; index++) {
                if (body[index] === "\\" && body[index + 1] === '"') continue;
                out += body[index];
                if (body[index] === "\\" ) out += body[++index];
            }
            return `'${out}'`;
        }
        return indexOf(text, '"') < 0 ? inner : `\`${text}\``;
    }

    function nameOf(value) {
        for (let at = getPrototypeOf(value); at !== null; at = getPrototypeOf(at)) {
            const own = getOwnPropertyDescriptor(at, "constructor");
            if (own !== undefined && typeof own.value === "function" && typeof own.value.name === "string" && own.value.name !== "") return own.value.name;
        }
        return null;
    }

    function inspect(value, options, ...old) {
        const settings = { depth: 2, breakLength: 80, showHidden: false, sorted: false };
        if (typeof options === "object" && options !== null) assign(settings, options);
        else if (typeof old[0] === "number" || old[0] === null) settings.depth = old[0];
        if (settings.depth === null || settings.depth === undefined) settings.depth = Infinity;
        return show(value, settings, 0, []);
    }

    function show(value, settings, level, above) {
        if (value === null) return "null";
        switch (typeof value) {
            case "string": return level === 0 && settings.bare ? value : quoted(value);
            case "number": return is(value, -0) ? "-0" : toText(value);
            case "bigint": return `${toText(value)}n`;
            case "symbol": return symbolText(value);
            case "undefined": case "boolean": return toText(value);
        }
        for (let index = 0; index < above.length; index++) if (above[index] === value) return "[Circular *1]";
        const custom = value[CUSTOM];
        if (typeof custom === "function" && custom !== inspect) {
            const own = apply(custom, value, [settings.depth - level, settings, inspect]);
            return typeof own === "string" ? own : show(own, settings, level, above);
        }
        push(above, value);
        const text = body(value, settings, level, above);
        above.length -= 1;
        return text;
    }

    function body(value, settings, level, above) {
        const name = nameOf(value);
        const items = [];
        let open = "{";
        let close = "}";
        let head = name === null ? "[Object: null prototype] " : name === "Object" ? "" : `${name} `;
        const inner = (item) => show(item, settings, level + 1, above);
        let skip = 0;
        if (typeof value === "function") {
            const kind = slice(functionText(value), 0, 5) === "class" ? "class" : "Function";
            head = kind === "class" ? `[class ${value.name || "(anonymous)"}]` : value.name ? `[Function: ${value.name}]` : "[Function (anonymous)]";
            open = "";
        } else if (isError(value)) {
            const stack = value.stack;
            head = `${toText(value.name)}${value.message === "" ? "" : `: ${toText(value.message)}`}`;
            if (level === 0 && typeof stack === "string" && stack !== "") head += `\n${stack}`;
            if (level > 0) head = `[${head}]`;
            open = "";
        } else if (isDate(value)) {
            head = dateTime(value) !== dateTime(value) ? "Invalid Date" : dateText(value);
            open = "";
        } else if (isRegExp(value)) {
            head = `/${regExpSource(value)}/${regExpFlags(value)}`;
            open = "";
        } else if (isPromise(value)) {
            head = "Promise { <unknown> }";
            open = "";
        } else if (level > settings.depth) {
            return isArray(value) ? "[Array]" : `[${name === null ? "Object: null prototype" : name}]`;
        } else if (isArray(value)) {
            [open, close] = ["[", "]"];
            head = name === "Array" || name === null ? "" : `${name}(${value.length}) `;
            let holes = 0;
            const flush = () => {
                if (holes > 0) push(items, `<${holes} empty item${holes > 1 ? "s" : ""}>`);
                holes = 0;
            };
            for (let index = 0; index < value.length && index < 100; index++) {
                if (!has(value, index)) { holes += 1; continue; }
                flush();
                push(items, inner(value[index]));
            }
            flush();
            if (value.length > 100) push(items, `... ${value.length - 100} more item${value.length > 101 ? "s" : ""}`);
            skip = value.length;
        } else if (isTyped(value)) {
            [open, close] = ["[", "]"];
            head = `${name ?? typedTag(value)}(${typedLength(value)}) `;
            for (let index = 0; index < typedLength(value) && index < 100; index++) push(items, inner(value[index]));
            skip = typedLength(value);
        } else if (isMap(value)) {
            head = `${name ?? "Map"}(${mapSize(value)}) `;
            mapEach(value, (item, key) => push(items, `${inner(key)} => ${inner(item)}`));
        } else if (isSet(value)) {
            head = `${name ?? "Set"}(${setSize(value)}) `;
            setEach(value, (item) => push(items, inner(item)));
        } else if (isArrayBuffer(value)) {
            head = `ArrayBuffer { byteLength: ${bufferLength(value)} }`;
            open = "";
        } else {
            const box = boxed(value);
            if (box !== null) {
                head = `[${box[0]}: ${inner(box[1])}]`;
                open = "";
                if (box[0] === "String") skip = box[1].length;
            }
        }
        const keys = ownKeys(value);
        for (let index = 0; index < keys.length; index++) {
            const key = keys[index];
            if (!enumerable(value, key) && !(isError(value) && key === "cause")) continue;
            if (skip > 0 && typeof key === "string" && execute(/^(0|[1-9]\d*)$/, key) !== null && key < skip) continue;
            const own = getOwnPropertyDescriptor(value, key);
            const shown = typeof key === "symbol" ? `[${symbolText(key)}]` : execute(IDENTIFIER, key) !== null ? key : quoted(key);
            if (own.get !== undefined) push(items, `${shown}: ${own.set !== undefined ? "[Getter/Setter]" : "[Getter]"}`);
            else if (own.set !== undefined) push(items, `${shown}: [Setter]`);
            else push(items, `${shown}: ${inner(own.value)}`);
        }
        if (items.length === 0) return open === "" ? head : `${head}${open}${close}`;
        const between = open === "" ? " " : "";
        if (open === "") [open, close] = ["{", "}"];
        let one = "";
        for (let index = 0; index < items.length; index++) one += (index > 0 ? ", " : "") + items[index];
        if (one.length + head.length + level * 2 < 72 && indexOf(one, "\n") < 0) return `${head}${between}${open} ${one} ${close}`;
        let pad = "";
        for (let index = 0; index < level * 2 + 2; index++) pad += " ";
        let many = "";
        for (let index = 0; index < items.length; index++) many += `${index > 0 ? "," : ""}\n${pad}${items[index]}`;
        return `${head}${between}${open}${many}\n${slice(pad, 2)}${close}`;
    }

    function brief(value) {
        try {
            const text = inspect(value, { depth: 4 });
            return text.length > 2000 ? `${slice(text, 0, 2000)}…` : text;
        } catch {
            return "(a value that cannot be shown)";
        }
    }

    function format(first, ...rest) {
        let text = "";
        let used = 0;
        if (typeof first === "string") {
            for (let index = 0; index < first.length; index++) {
                const next = first[index + 1];
                if (first[index] !== "%" || next === undefined) { text += first[index]; continue; }
                if (next === "%") { text += "%"; index += 1; continue; }
                if (used >= rest.length || indexOf("sdifjoOc", next) < 0) { text += "%"; continue; }
                const value = rest[used++];
                index += 1;
                if (next === "s") text += typeof value === "string" ? value : isObject(value) && !isError(value) ? inspect(value, { depth: 0 }) : typeof value === "bigint" ? `${value}n` : is(value, -0) ? "-0" : toText(value);
                else if (next === "d") text += typeof value === "bigint" ? `${value}n` : isObject(value) ? "NaN" : toText(Number(value));
                else if (next === "i") text += isObject(value) ? "NaN" : toText(parseInt(value, 10));
                else if (next === "f") text += toText(parseFloat(value));
                else if (next === "j") { try { text += stringify(value); } catch { text += "[Circular]"; } }
                else if (next === "o" || next === "O") text += inspect(value, { depth: 4 });
            }
        } else {
            text = rest.length === 0 && first === undefined ? (arguments.length === 0 ? "" : "undefined") : show(first, { depth: 2, bare: true }, 0, []);
        }
        for (; used < rest.length; used++) text += ` ${typeof rest[used] === "string" ? rest[used] : inspect(rest[used])}`;
        return text;
    }
    // Messages as Node words them, so that a test that expects one holds here as there.
    const MISSING = /^cannot (read|set) property '?(.*?)'? of (undefined|null)$/;
    function worded(error) {
        if (!isObject(error) || !isError(error) || typeof error.message !== "string") return;
        const found = execute(MISSING, error.message);
        if (found === null) return;
        try {
            defineProperty(error, "message", { __proto__: null, value: `Cannot ${found[1]} properties of ${found[3]} (${found[1] === "read" ? "reading" : "setting"} '${found[2]}')`, writable: true, enumerable: false, configurable: true });
        } catch {
            // A frozen error stays as it is.
        }
    }

    inspect.custom = CUSTOM;
    inspect.defaultOptions = {};
    prelude.formatWith((values) => apply(format, undefined, values));

    // Tells how a promise, or what looks like one, ends; `wrong` when it is none.
    prelude.watch = (value, resolved, rejected, wrong) => {
        if (!(isObject(value) || typeof value === "function") || (!isPromise(value) && typeof value.then !== "function")) return wrong();
        return promiseThen(resolvedBy(value), resolved, rejected);
    };
    const PromiseType = Promise;
    const { promiseThen } = prelude;
    const resolvedBy = (value) => new PromiseType((resolve) => resolve(value));

    prelude.compare = {
        __proto__: null, equal, covers, inspect, brief, format, push, isObject, isA, isError, isRegExp, isPromise, worded, isMap, isSet, isDate, isTyped, isArrayBuffer,
        isWeakMap, isWeakSet, boxed, has, enumerable, matcher, execute, slice, indexOf, setAdd, FunctionPrototype, ErrorPrototype, nameOf,
    };
    defineProperty(globalThis, "__prelude", { __proto__: null, configurable: true, value: prelude });
})();
