// Modules of Node that tests and the code under test may load: `path`, `events`, `util`, and those that only give what is global.
// Ordinary code, on which no verdict rests.
(() => {
    "use strict";

    const prelude = globalThis.__prelude;
    const { hide, unsupported, host } = prelude;
    const { inspect, format, equal, boxed, isPromise, isMap, isSet, isDate, isRegExp, isTyped, isArrayBuffer, isWeakMap, isWeakSet, isError } = prelude.compare;

    const typeError = (name, type, value) => Object.assign(new TypeError(`The "${name}" argument must be ${type}. Received ${value === null ? "null" : typeof value}`), { code: "ERR_INVALID_ARG_TYPE" });

    // path -------------------------------------------------------------------------------------------------------------

    const checked = (value, name = "path") => { if (typeof value !== "string") throw typeError(name, "of type string", value); return value; };
    function parts(path, absolute) {
        const kept = [];
        for (const part of path.split("/")) {
            if (part === "" || part === ".") continue;
            if (part !== "..") kept.push(part);
            else if (kept.length > 0 && kept[kept.length - 1] !== "..") kept.pop();
            else if (!absolute) kept.push("..");
        }
        return kept;
    }
    const path = {
        sep: "/", delimiter: ":",
        normalize(given) {
            if (checked(given) === "") return ".";
            const absolute = given.startsWith("/");
            const joined = parts(given, absolute).join("/");
            if (joined === "") return absolute ? "/" : given.endsWith("/") ? "./" : ".";
            return (absolute ? "/" : "") + joined + (given.endsWith("/") ? "/" : "");
        },
        join(...given) { const all = given.filter((part) => checked(part) !== "").join("/"); return all === "" ? "." : path.normalize(all); },
        resolve(...given) {
            let found = "";
            for (let index = given.length - 1; index >= 0 && !found.startsWith("/"); index--) if (checked(given[index]) !== "") found = found === "" ? given[index] : `${given[index]}/${found}`;
            if (!found.startsWith("/")) found = `${process.cwd()}/${found}`;
            return `/${parts(found, true).join("/")}`;
        },
        isAbsolute: (given) => checked(given).startsWith("/"),
        dirname(given) {
            const trimmed = checked(given).replace(/(?<=.)\/+$/, "");
            const at = trimmed.lastIndexOf("/");
            return at < 0 ? "." : at === 0 ? "/" : trimmed.slice(0, at).replace(/(?<=.)\/+$/, "");
        },
        basename(given, suffix) {
            const base = checked(given).replace(/\/+$/, "").split("/").pop();
            return suffix !== undefined && base !== suffix && base.endsWith(suffix) ? base.slice(0, -suffix.length) : base;
        },
        extname(given) { const base = path.basename(given); const at = base.lastIndexOf("."); return at <= 0 || base === ".." ? "" : base.slice(at); },
        relative(from, to) {
            const [a, b] = [parts(path.resolve(from), true), parts(path.resolve(to), true)];
            let same = 0;
            while (same < a.length && same < b.length && a[same] === b[same]) same += 1;
            return [...a.slice(same).map(() => ".."), ...b.slice(same)].join("/");
        },
        parse(given) {
            const root = checked(given).startsWith("/") ? "/" : "";
            const base = path.basename(given);
            const ext = path.extname(given);
            const dir = path.dirname(given);
            return { root, dir: dir === "." && !given.startsWith("./") ? "" : dir, base, ext, name: ext === "" ? base : base.slice(0, -ext.length) };
        },
        format(given) {
            const base = given.base ?? `${given.name ?? ""}${given.ext ? (given.ext.startsWith(".") ? given.ext : `.${given.ext}`) : ""}`;
            const dir = given.dir || given.root;
            return !dir ? base : dir === given.root ? `${dir}${base}` : `${dir}/${base}`;
        },
        toNamespacedPath: (given) => given,
        get posix() { return path; },
        get win32() { throw unsupported("path.win32"); },
    };

    // events -----------------------------------------------------------------------------------------------------------

    class EventEmitter {
        static defaultMaxListeners = 10;
        static errorMonitor = Symbol("events.errorMonitor");
        static captureRejectionSymbol = Symbol.for("nodejs.rejection");
        static of(emitter) {
            if (!Object.hasOwn(emitter, "_events") || emitter._events === undefined) hide(emitter, "_events", new Map());
            return emitter._events;
        }
        on(event, listener) { return add(this, event, listener, listener, false); }
        addListener(event, listener) { return add(this, event, listener, listener, false); }
        prependListener(event, listener) { return add(this, event, listener, listener, true); }
        once(event, listener) { return add(this, event, listener, single(this, event, listener), false); }
        prependOnceListener(event, listener) { return add(this, event, listener, single(this, event, listener), true); }
        off(event, listener) {
            const known = EventEmitter.of(this);
            const list = known.get(event) ?? [];
            const at = list.findLastIndex((each) => each === listener || each.listener === listener);
            if (at < 0) return this;
            const left = list.toSpliced(at, 1);
            if (left.length === 0) known.delete(event); else known.set(event, left);
            if (known.has("removeListener")) this.emit("removeListener", event, listener);
            return this;
        }
        removeListener(event, listener) { return EventEmitter.prototype.off.call(this, event, listener); }
        removeAllListeners(event) { if (event === undefined) EventEmitter.of(this).clear(); else EventEmitter.of(this).delete(event); return this; }
        emit(event, ...given) {
            const known = EventEmitter.of(this);
            if (event === "error") for (const each of known.get(EventEmitter.errorMonitor) ?? []) Reflect.apply(each, this, given);
            const list = known.get(event);
            if (list === undefined) {
                if (event !== "error") return false;
                if (given[0] instanceof Error) throw given[0];
                throw Object.assign(new Error(`Unhandled error. (${typeof given[0] === "string" ? `'${given[0]}'` : inspect(given[0])})`), { code: "ERR_UNHANDLED_ERROR", context: given[0] });
            }
            for (const each of list) host.discarded?.(Reflect.apply(each, this, given));
            return true;
        }
        listenerCount(event, listener) { const list = EventEmitter.of(this).get(event) ?? []; return listener === undefined ? list.length : list.filter((each) => each === listener || each.listener === listener).length; }
        listeners(event) { return (EventEmitter.of(this).get(event) ?? []).map((each) => each.listener ?? each); }
        rawListeners(event) { return [...(EventEmitter.of(this).get(event) ?? [])]; }
        eventNames() { return [...EventEmitter.of(this).keys()]; }
        setMaxListeners(limit) { hide(this, "_maxListeners", limit); return this; }
        getMaxListeners() { return this._maxListeners ?? EventEmitter.defaultMaxListeners; }
        static listenerCount(emitter, event) { return emitter.listenerCount(event); }
        static once(emitter, event) {
            return new Promise((resolve, reject) => {
                const failed = (error) => { emitter.off(event, arrived); reject(error); };
                const arrived = (...given) => { emitter.off("error", failed); resolve(given); };
                emitter.once(event, arrived);
                if (event !== "error") emitter.once("error", failed);
            });
        }
        static on() { throw unsupported("events.on"); }
    }
    function add(emitter, event, listener, kept, first) {
        if (typeof listener !== "function") throw typeError("listener", "of type function", listener);
        const known = EventEmitter.of(emitter);
        if (known.has("newListener")) emitter.emit("newListener", event, listener);
        const list = known.get(event) ?? [];
        known.set(event, first ? [kept, ...list] : [...list, kept]);
        return emitter;
    }
    function single(emitter, event, listener) {
        if (typeof listener !== "function") throw typeError("listener", "of type function", listener);
        const kept = function (...given) { emitter.off(event, kept); return Reflect.apply(listener, this, given); };
        kept.listener = listener;
        return kept;
    }
    // Old code calls it as a function: `EventEmitter.call(this)`.
    const Emitter = function EventEmitter(...given) { return new.target === undefined ? undefined : Reflect.construct(ClassOfEmitters, given, new.target); };
    const ClassOfEmitters = EventEmitter;
    for (const key of Reflect.ownKeys(EventEmitter)) if (!["length", "name", "prototype", "of"].includes(key)) hide(Emitter, key, EventEmitter[key]);
    Emitter.prototype = EventEmitter.prototype;
    hide(Emitter.prototype, "constructor", Emitter);
    hide(Emitter, "EventEmitter", Emitter);

    // What a callback of `forEach` gives goes nowhere: a promise among it is heard by nobody.
    for (const type of [Array, Map, Set]) {
        const { forEach } = type.prototype;
        hide(type.prototype, "forEach", { forEach(callback, self) {
            if (typeof callback !== "function") return Reflect.apply(forEach, this, [callback]);
            return Reflect.apply(forEach, this, [function (...given) { host.discarded?.(Reflect.apply(callback, this, given)); }, self]);
        } }.forEach);
    }

    // util -------------------------------------------------------------------------------------------------------------

    const PROMISIFY = Symbol.for("nodejs.util.promisify.custom");
    const util = {
        inspect, format,
        formatWithOptions: (_, ...given) => format(...given),
        isDeepStrictEqual: (a, b) => equal(a, b, "strict"),
        inherits(type, base) {
            Object.defineProperty(type, "super_", { value: base, writable: true, configurable: true });
            Object.setPrototypeOf(type.prototype, base.prototype);
        },
        promisify(original) {
            if (typeof original !== "function") throw typeError("original", "of type function", original);
            if (typeof original[PROMISIFY] === "function") return original[PROMISIFY];
            return Object.setPrototypeOf(function (...given) {
                return new Promise((resolve, reject) => Reflect.apply(original, this, [...given, (error, value) => (error ? reject(error) : resolve(value))]));
            }, Object.getPrototypeOf(original));
        },
        callbackify: (original) => function (...given) {
            const callback = given.pop();
            Reflect.apply(original, this, given).then((value) => process.nextTick(callback, null, value), (error) => process.nextTick(callback, error ?? Object.assign(new Error("Promise was rejected with a falsy value"), { code: "ERR_FALSY_VALUE_REJECTION", reason: error })));
        },
        deprecate: (original) => original,
        debuglog: () => Object.assign(() => {}, { enabled: false }),
        stripVTControlCharacters: (text) => text.replace(/\u001b\[[0-9;]*[A-Za-z]/g, ""),
        toUSVString: (text) => String(text).toWellFormed(),
        TextEncoder, TextDecoder,
        isArray: Array.isArray,
        types: {
            isPromise, isMap, isSet, isDate, isRegExp, isTypedArray: isTyped, isArrayBuffer, isWeakMap, isWeakSet, isNativeError: isError,
            isAnyArrayBuffer: isArrayBuffer, isBoxedPrimitive: (value) => typeof value === "object" && value !== null && boxed(value) !== null,
            isUint8Array: (value) => value instanceof Uint8Array, isArrayBufferView: (value) => ArrayBuffer.isView(value), isDataView: (value) => value instanceof DataView,
            isAsyncFunction: (value) => typeof value === "function" && Object.prototype.toString.call(value).startsWith("[object Async"),
            isGeneratorFunction: (value) => typeof value === "function" && /Generator/.test(Object.prototype.toString.call(value)),
            isGeneratorObject: (value) => Object.prototype.toString.call(value) === "[object Generator]",
            isProxy() { throw unsupported("util.types.isProxy"); },
        },
    };
    util.promisify.custom = PROMISIFY;
    util.debug = util.debuglog;

    // Timers as promises -----------------------------------------------------------------------------------------------

    const { setTimeout, setInterval, setImmediate, clearTimeout, clearInterval, clearImmediate } = globalThis;
    const after = (start, value, options) => new Promise((resolve, reject) => {
        const signal = options?.signal;
        const aborted = () => reject(Object.assign(new Error("The operation was aborted"), { name: "AbortError", code: "ABORT_ERR", cause: signal.reason }));
        if (signal?.aborted) return aborted();
        start(() => resolve(value));
        signal?.addEventListener("abort", aborted, { once: true });
    });
    const promises = {
        setTimeout: (delay, value, options) => after((done) => setTimeout(done, delay), value, options),
        setImmediate: (value, options) => after((done) => setImmediate(done), value, options),
        async *setInterval(delay, value) { for (;;) { await promises.setTimeout(delay); yield value; } },
        scheduler: { wait: (delay, options) => promises.setTimeout(delay, undefined, options), yield: () => promises.setImmediate() },
    };
    hide(setTimeout, PROMISIFY, promises.setTimeout);
    hide(setImmediate, PROMISIFY, promises.setImmediate);

    const { Buffer, process, URL, URLSearchParams, console, performance } = globalThis;
    const url = {
        URL, URLSearchParams,
        fileURLToPath(given) {
            const at = new URL(given);
            if (at.protocol !== "file:") throw Object.assign(new TypeError("The URL must be of scheme file"), { code: "ERR_INVALID_URL_SCHEME" });
            return decodeURIComponent(at.pathname);
        },
        pathToFileURL: (given) => new URL(`file://${encodeURI(path.resolve(given)).replace(/[?#]/g, encodeURIComponent)}`),
        parse() { throw unsupported("url.parse"); },
    };

    prelude.builtins = {
        __proto__: null,
        "assert": () => prelude.assert, "assert/strict": () => prelude.assert.strict,
        "path": () => path, "path/posix": () => path,
        "events": () => Emitter, "util": () => util, "util/types": () => util.types,
        "timers": () => ({ setTimeout, setInterval, setImmediate, clearTimeout, clearInterval, clearImmediate, promises }), "timers/promises": () => promises,
        "buffer": () => ({ Buffer, atob: globalThis.atob, btoa: globalThis.btoa }), "process": () => process, "url": () => url,
        "console": () => console, "perf_hooks": () => ({ performance }),
    };
})();
