// What the other half talks to. It stands in the engine's own module: `serve` takes each call, and no script can reach it. What
// it answers is a text that it puts together itself; what scripts do to `JSON`, arrays or promises has no part in it.
(() => {
    "use strict";

    const prelude = globalThis.__prelude;
    delete globalThis.__prelude;
    const { hide, start, timers, makeLoader, makeSession, describeError } = prelude;
    const { push } = prelude.compare;
    const { ownKeys, getOwnPropertyDescriptor, getPrototypeOf, defineProperty, deleteProperty } = Reflect;
    const parse = JSON.parse;
    const quote = JSON.stringify;
    const after = prelude.promiseThen;
    const Bytes = Uint8Array;
    const replace = prelude.uncurry(RegExp.prototype[Symbol.replace]);
    const functionText = prelude.uncurry(Function.prototype.toString);
    const RegExpType = RegExp;
    // What one turn of a timer counts for, in steps.
    const STEPS_PER_TIMER = 200;
    const STEPS_AT_ONCE = 10000;
    const MESSAGE_LENGTH = 10000;
    const slice = prelude.uncurry(String.prototype.slice);
    const wellFormed = prelude.uncurry(String.prototype.toWellFormed);
    const written = (text) => quote(wellFormed(slice(text, 0, MESSAGE_LENGTH)));

    Error.stackTraceLimit = 50;

    // The surroundings as they were ------------------------------------------------------------------------------------
    //
    // Each test file is to find them so. What cannot be put back was made so before any test ran: see `pin`.

    // Makes a property one that scripts cannot replace, though objects that inherit it can still have their own.
    function pin(target, key) {
        const value = target[key];
        defineProperty(target, key, {
            __proto__: null, enumerable: false, configurable: false,
            get() { return value; },
            set(own) { if (this !== target) defineProperty(this, key, { __proto__: null, value: own, writable: true, enumerable: true, configurable: true }); },
        });
    }
    pin(Promise.prototype, "constructor");
    pin(Promise.prototype, "then");
    pin(Array.prototype, Symbol.iterator);
    pin(getPrototypeOf([][Symbol.iterator]()), "next");
    defineProperty(Promise, Symbol.species, { __proto__: null, configurable: false });

    // The text of a function, without what was put into it.
    let prefix = null;
    hide(Function.prototype, "toString", function toString() {
        const text = functionText(this);
        return prefix === null ? text : replace(new RegExpType(`/\\*${prefix}<\\*/[^]*?/\\*${prefix}>\\*/`, "g"), text, "");
    });

    const kept = [];
    function keep(object) {
        const names = ownKeys(object);
        const saved = [];
        for (let index = 0; index < names.length; index++) push(saved, [names[index], getOwnPropertyDescriptor(object, names[index])]);
        push(kept, [object, saved]);
    }
    const seen = new Set();
    function keepAll(object, depth) {
        if ((typeof object !== "object" && typeof object !== "function") || object === null || seen.has(object)) return;
        seen.add(object);
        keep(object);
        if (depth === 0) return;
        for (const name of ownKeys(object)) {
            const own = getOwnPropertyDescriptor(object, name);
            if ("value" in own) keepAll(own.value, depth - 1);
        }
        keepAll(getPrototypeOf(object), depth);
    }
    function same(a, b) {
        return b !== undefined && a.value === b.value && a.get === b.get && a.set === b.set && a.writable === b.writable && a.enumerable === b.enumerable;
    }
    function clean() {
        for (let at = 0; at < kept.length; at++) {
            const [object, saved] = kept[at];
            const names = ownKeys(object);
            for (let index = 0; index < names.length; index++) {
                let known = false;
                for (let other = 0; other < saved.length; other++) if (saved[other][0] === names[index]) { known = true; break; }
                if (!known) deleteProperty(object, names[index]);
            }
            for (let index = 0; index < saved.length; index++) {
                const [name, own] = saved[index];
                if (!same(own, getOwnPropertyDescriptor(object, name))) defineProperty(object, name, { __proto__: null, ...own });
            }
        }
    }

    // A session --------------------------------------------------------------------------------------------------------

    let session = null;
    let reached = null;
    let steps = 0;
    let tests = [];
    let lacking = 0;
    let failed = 0;

    const TOO_MANY = "it took too many steps: an endless loop, or more work than a test may do here";
    const spent = () => {
        session.spent ??= TOO_MANY;
        steps = 0;
        return new Error(TOO_MANY);
    };
    // Called by the code under test, by way of what was put into it, every so many steps.
    function budget(deep) {
        if (deep) throw new RangeError("Maximum call stack size exceeded");
        steps -= STEPS_AT_ONCE;
        if (steps <= 0) throw spent();
        return STEPS_AT_ONCE;
    }

    function prepare() {
        const own = makeSession((name, state, message) => {
            push(tests, `{"name":${written(name)},"state":"${state}","message":${written(message)}}`);
        });
        const globals = ownKeys(own.globals);
        for (let index = 0; index < globals.length; index++) hide(globalThis, globals[index], own.globals[globals[index]]);
        return own;
    }

    function begin(given, program) {
        tests = [];
        lacking = 0;
        failed = 0;
        steps = given.steps;
        reached = new Bytes(given.marks);
        const own = prepared ?? prepare();
        prepared = null;
        session = own;
        prefix = given.prefix;
        start({
            write: undefined, now: 1767225600000, seed: 1,
            uncaught: (error) => own.fail(error),
            onUnsupported: (name) => own.lacks(name),
            discarded: (value) => own.discarded(value),
        });
        const { process } = globalThis;
        process.exitCode = undefined;
        process.cwd = () => given.root;
        process.argv = ["node", `${given.root}/${given.file}`];
        process.exit = (code) => {
            const error = new Error(`process.exit(${code === undefined ? "" : code}) was called`);
            own.fail(error);
            throw error;
        };
        const loader = makeLoader(program(budget), given.root, { reached, discarded: own.discarded, caught: own.caught, provided: own.provided });
        const loaded = () => {
            own.loading = false;
            if (own.wake !== null) own.wake();
            own.play();
        };
        after(loader.load(given.file), loaded, (error) => {
            if (!(own.unsupported.length > 0 && error?.code === "ERR_NOT_SUPPORTED_HERE")) push(own.failures, describeError(error));
            loaded();
        });
    }

    function go() {
        if (session.pause !== null) {
            const resume = session.pause;
            session.pause = null;
            resume();
            return;
        }
        if (session.over) return;
        if (session.spent !== null && session.current === null) {
            push(session.failures, session.spent);
            session.over = true;
            return;
        }
        steps -= STEPS_PER_TIMER;
        if (steps <= 0) spent();
        if (session.late()) return;
        if (session.spent !== null || !timers.next()) session.stuck();
    }

    function texts(list, from) {
        let text = "";
        for (let index = from; index < list.length; index++) text += (index > from ? "," : "") + written(`${list[index]}`);
        return `[${text}]`;
    }

    function state() {
        const done = session.over;
        if (done) {
            session.close();
            timers.clear();
            const code = globalThis.process?.exitCode;
            if (code !== undefined && code !== 0 && code !== null) push(session.failures, "process.exitCode was set: the file ends with an error");
        }
        let ended = "";
        for (let index = 0; index < tests.length; index++) ended += (index > 0 ? "," : "") + tests[index];
        let marks = "";
        if (done) for (let index = 0; index < reached.length; index++) if (reached[index] !== 0) marks += (marks === "" ? "" : ",") + index;
        const text = `{"done":${done},"tests":[${ended}],"unsupported":${texts(session.unsupported, lacking)},"failures":${texts(session.failures, failed)},"reached":[${marks}],"steps":${steps > 0 ? steps : 0}}`;
        tests = [];
        lacking = session.unsupported.length;
        failed = session.failures.length;
        return text;
    }

    for (const name of ["Object", "Function", "Array", "String", "Number", "Boolean", "Symbol", "BigInt", "Date", "RegExp", "Error", "TypeError", "RangeError", "Promise", "Map", "Set", "WeakMap", "WeakSet", "JSON", "Math", "Reflect", "ArrayBuffer", "Uint8Array", "Buffer", "URL", "URLSearchParams", "EventTarget", "console", "process", "performance"]) keepAll(globalThis[name], 1);
    for (const name of ownKeys(prelude.builtins)) keepAll(prelude.builtins[name](), 0);
    keepAll(globalThis, 0);

    // Made with the component, so that no call with one file pays for it.
    let prepared = prepare();

    serve = (input, values) => {
        const given = parse(input);
        if (given.do === "clean") {
            clean();
            session = null;
            return '{"done":true,"tests":[],"unsupported":[],"failures":[],"reached":[],"steps":0}';
        }
        if (given.do === "begin") begin(given, values[0]);
        else go();
        return state();
    };
})();
