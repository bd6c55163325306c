// The engine's own script: evaluates what it is given, and nothing else. It is evaluated once, when the component is made, so
// what it captures here cannot be changed by the code that it runs later.
//
// A harness that is made part of the component stands in the same module. It may set `serve`, which is then called with the
// input and the sources' values instead of the global `main`: scripts that the engine evaluates cannot see it, so none of them
// can call it or take its place.

const { apply, defineProperty } = Reflect;
const { freeze } = Object;
const { stringify } = JSON;
const { then } = Promise.prototype;
const { repeat } = String.prototype;
const evaluate = eval;
const LINES_PER_SOURCE = 100000;

let serve = null;
let running = false;
let locked = false;

export const engine = {
    run(sources, input) {
        if (running) throw new Error("the engine is running already");
        running = true;
        try {
            lock();
            const values = [];
            for (let index = 0; index < sources.length; index++) {
                const value = evaluate(apply(repeat, "\n", [LINES_PER_SOURCE * index]) + sources[index]);
                defineProperty(values, index, { __proto__: null, value });
            }
            return answer(serve === null ? globalThis.main(input) : serve(input, values));
        } catch (error) {
            const text = described(error);
            return settled((_, reject) => reject(text));
        } finally {
            running = false;
        }
    },
};

// What the runtime waits for. It takes anything with a `then`: an object of our own, whose `then` no script can have replaced.
function settled(start) {
    return { __proto__: null, then: start };
}

function answer(value) {
    return settled((resolve, reject) => {
        const give = (result) => {
            let text;
            try {
                text = stringify(result) ?? "null";
            } catch (error) {
                return reject(described(error));
            }
            resolve(text);
        };
        const isObject = value !== null && (typeof value === "object" || typeof value === "function");
        if (isObject) {
            try {
                // With no constructor of its own, `then` derives from the built-in promise and asks no script for another.
                defineProperty(value, "constructor", { __proto__: null, value: undefined, configurable: true });
                apply(then, value, [give, (error) => reject(described(error))]);
                return;
            } catch {
                // Not a promise.
                delete value.constructor;
            }
        }
        give(value);
    });
}

// Keeps scripts from standing between the runtime and `run`.
function lock() {
    if (locked) return;
    locked = true;
    const bridge = globalThis.__cqjs;
    const exports = bridge.asyncExports;
    for (const name of Reflect.ownKeys(exports)) freeze(exports[name]);
    freeze(exports);
    defineProperty(globalThis, "__cqjs", { value: bridge, writable: false, enumerable: false, configurable: false });
    delete globalThis.wit;
}

function described(error) {
    try {
        if (error === null || typeof error !== "object") return `Uncaught ${String(error)}`;
        const stack = typeof error.stack === "string" ? error.stack : "";
        const head = `${String(error.name)}: ${String(error.message)}`;
        return stack.startsWith(head) ? stack : `${head}\n${stack}`;
    } catch {
        return "Uncaught: an error that cannot be described";
    }
}
