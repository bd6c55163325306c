// `node:assert`, frozen, so that a test cannot make it agree.
(() => {
    "use strict";

    const prelude = globalThis.__prelude;
    const { equal, covers, brief, isObject, isA, isError, isRegExp, execute, has, push, worded, ErrorPrototype } = prelude.compare;
    const { hide } = prelude;
    const { ownKeys, apply } = Reflect;
    const { is, freeze } = Object;
    const PromiseType = Promise;
    const capture = Error.captureStackTrace;
    const toText = String;

    class AssertionError extends Error {
        constructor(options) {
            super(options.message ?? `${brief(options.actual)} ${options.operator} ${brief(options.expected)}`);
            hide(this, "name", "AssertionError");
            this.generatedMessage = options.message === undefined;
            this.code = "ERR_ASSERTION";
            this.actual = options.actual;
            this.expected = options.expected;
            this.operator = options.operator;
        }
        toString() { return `${this.name} [${this.code}]: ${this.message}`; }
    }

    function fail(actual, expected, message, operator, sentence, below) {
        if (isObject(message) && isError(message)) throw message;
        const error = new AssertionError({ actual, expected, operator, message: message === undefined ? sentence : toText(message) });
        if (message === undefined) error.generatedMessage = true;
        capture(error, below);
        throw error;
    }
    const versus = (head, actual, expected) => `${head}:\n\nactual: ${brief(actual)}\nexpected: ${brief(expected)}`;

    function build(strict) {
        function assert(value, message) { ok(value, message, arguments.length, assert); }
        function ok(value, message, given, below) {
            if (given === 0) fail(value, true, undefined, "==", "No value argument passed to `assert.ok()`", below);
            if (!value) fail(value, true, message, "==", `The expression evaluated to a falsy value: ${brief(value)}`, below);
        }
        const methods = {
            ok(value, message) { ok(value, message, arguments.length, methods.ok); },
            equal(actual, expected, message) {
                if (strict) return methods.strictEqual(actual, expected, message);
                if (!(actual == expected || (actual !== actual && expected !== expected))) fail(actual, expected, message, "==", `${brief(actual)} == ${brief(expected)}`, methods.equal);
            },
            notEqual(actual, expected, message) {
                if (strict) return methods.notStrictEqual(actual, expected, message);
                if (actual == expected || (actual !== actual && expected !== expected)) fail(actual, expected, message, "!=", `${brief(actual)} != ${brief(expected)}`, methods.notEqual);
            },
            strictEqual(actual, expected, message) {
                if (!is(actual, expected)) fail(actual, expected, message, "strictEqual", versus("Expected values to be strictly equal", actual, expected), methods.strictEqual);
            },
            notStrictEqual(actual, expected, message) {
                if (is(actual, expected)) fail(actual, expected, message, "notStrictEqual", `Expected "actual" to be strictly unequal to: ${brief(expected)}`, methods.notStrictEqual);
            },
            deepEqual(actual, expected, message) {
                if (strict) return methods.deepStrictEqual(actual, expected, message);
                if (!equal(actual, expected, "loose")) fail(actual, expected, message, "deepEqual", versus("Expected values to be loosely deep-equal", actual, expected), methods.deepEqual);
            },
            notDeepEqual(actual, expected, message) {
                if (strict) return methods.notDeepStrictEqual(actual, expected, message);
                if (equal(actual, expected, "loose")) fail(actual, expected, message, "notDeepEqual", `Expected "actual" not to be loosely deep-equal to: ${brief(expected)}`, methods.notDeepEqual);
            },
            deepStrictEqual(actual, expected, message) {
                if (!equal(actual, expected, "strict")) fail(actual, expected, message, "deepStrictEqual", versus("Expected values to be strictly deep-equal", actual, expected), methods.deepStrictEqual);
            },
            notDeepStrictEqual(actual, expected, message) {
                if (equal(actual, expected, "strict")) fail(actual, expected, message, "notDeepStrictEqual", `Expected "actual" not to be strictly deep-equal to: ${brief(expected)}`, methods.notDeepStrictEqual);
            },
            partialDeepStrictEqual(actual, expected, message) {
                if (!covers(actual, expected, "strict")) fail(actual, expected, message, "partialDeepStrictEqual", versus("Expected values to be partially and strictly deep-equal", actual, expected), methods.partialDeepStrictEqual);
            },
            match(text, pattern, message) {
                if (!isRegExp(pattern)) throw new TypeError('The "regexp" argument must be an instance of RegExp');
                if (typeof text !== "string" || execute(pattern, text) === null) fail(text, pattern, message, "match", `The input did not match the regular expression ${brief(pattern)}. Input: ${brief(text)}`, methods.match);
            },
            doesNotMatch(text, pattern, message) {
                if (!isRegExp(pattern)) throw new TypeError('The "regexp" argument must be an instance of RegExp');
                if (typeof text !== "string" || execute(pattern, text) !== null) fail(text, pattern, message, "doesNotMatch", `The input was expected to not match the regular expression ${brief(pattern)}. Input: ${brief(text)}`, methods.doesNotMatch);
            },
            ifError(value) {
                if (value !== null && value !== undefined) fail(value, null, undefined, "ifError", `ifError got unwanted exception: ${isObject(value) ? toText(value.message) : brief(value)}`, methods.ifError);
            },
            fail(message) { fail(undefined, undefined, message, "fail", "Failed", methods.fail); },
            throws(action, expected, message) {
                callable(action, "fn");
                let thrown;
                try {
                    action();
                } catch (error) {
                    thrown = [error];
                }
                settle(thrown, expected, message, "throws", methods.throws);
            },
            doesNotThrow(action, expected, message) {
                callable(action, "fn");
                try {
                    action();
                } catch (error) {
                    fail(error, expected, typeof expected === "string" ? expected : message, "doesNotThrow", `Got unwanted exception.\nActual message: "${isObject(error) ? toText(error.message) : brief(error)}"`, methods.doesNotThrow);
                }
            },
            rejects(action, expected, message) {
                return new PromiseType((resolve, reject) => {
                    const judge = (thrown) => {
                        try {
                            settle(thrown, expected, message, "rejects", methods.rejects);
                            resolve();
                        } catch (error) {
                            reject(error);
                        }
                    };
                    started(action, (error) => judge([error]), () => judge(undefined), reject);
                });
            },
            doesNotReject(action, expected, message) {
                return new PromiseType((resolve, reject) => {
                    started(action, (error) => {
                        try {
                            fail(error, expected, typeof expected === "string" ? expected : message, "doesNotReject", `Got unwanted rejection.\nActual message: "${isObject(error) ? toText(error.message) : brief(error)}"`, methods.doesNotReject);
                        } catch (failure) {
                            reject(failure);
                        }
                    }, () => resolve(), reject);
                });
            },
        };
        const names = ownKeys(methods);
        for (let index = 0; index < names.length; index++) {
            const name = names[index];
            hide(assert, name, methods[name]);
            freeze(methods[name]);
        }
        assert.AssertionError = AssertionError;
        return assert;
    }

    function callable(value, name) {
        if (typeof value !== "function") {
            const error = new TypeError(`The "${name}" argument must be of type function. Received ${brief(value)}`);
            error.code = "ERR_INVALID_ARG_TYPE";
            throw error;
        }
    }

    function started(action, rejected, resolved, wrong) {
        let promise = action;
        if (typeof action === "function") {
            try {
                promise = action();
            } catch (error) {
                wrong(error);
                return;
            }
        }
        prelude.watch(promise, resolved, rejected, () => {
            const error = new TypeError('The "promiseFn" argument must be a function that returns a promise, or a promise');
            error.code = "ERR_INVALID_RETURN_VALUE";
            wrong(error);
        });
    }

    function settle(thrown, expected, message, operator, below) {
        if (typeof expected === "string") {
            message = expected;
            expected = undefined;
        }
        if (thrown === undefined) fail(undefined, expected, message === undefined ? undefined : `Missing expected ${operator === "throws" ? "exception" : "rejection"}: ${toText(message)}`, operator, `Missing expected ${operator === "throws" ? "exception" : "rejection"}${typeof expected === "function" && expected.name ? ` (${expected.name})` : ""}.`, below);
        const error = thrown[0];
        worded(error);
        if (expected === undefined) return;
        if (isRegExp(expected)) {
            const text = toText(error);
            if (execute(expected, text) === null) fail(error, expected, message, operator, `The input did not match the regular expression ${brief(expected)}. Input:\n\n${brief(text)}`, below);
            return;
        }
        if (typeof expected === "function") {
            if (isObject(expected.prototype) && isObject(error) && isA(error, expected.prototype)) return;
            if (expected === Error || (isObject(expected.prototype) && isA(expected.prototype, ErrorPrototype)) || expected.prototype === ErrorPrototype) {
                fail(error, expected, message, operator, `The error is expected to be an instance of "${expected.name}". Received ${isObject(error) && typeof error.name === "string" ? `"${error.name}"` : brief(error)}${isObject(error) && typeof error.message === "string" ? `\n\nError message:\n\n${error.message}` : ""}`, below);
            }
            if (apply(expected, undefined, [error]) !== true) fail(error, expected, message, operator, `The ${expected.name ? `"${expected.name}" ` : ""}validation function is expected to return "true".`, below);
            return;
        }
        if (!isObject(expected)) throw new TypeError('The "expected" argument must be a function, an object, an error or a regular expression');
        const keys = [];
        const own = ownKeys(expected);
        for (let index = 0; index < own.length; index++) if (own[index] !== "stack") push(keys, own[index]);
        if (isError(expected)) { if (!has(expected, "name")) push(keys, "name"); if (!has(expected, "message")) push(keys, "message"); }
        for (let index = 0; index < keys.length; index++) {
            const key = keys[index];
            const wanted = expected[key];
            const real = isObject(error) || typeof error === "function" ? error[key] : undefined;
            if (isRegExp(wanted) && typeof real === "string" ? execute(wanted, real) === null : !equal(real, wanted, "strict")) {
                fail(error, expected, message, operator, versus(`The thrown value's property ${toText(key)} is not as expected`, real, wanted), below);
            }
        }
    }

    const assert = build(false);
    const strict = build(true);
    for (const each of [assert, strict]) {
        hide(each, "strict", strict);
        freeze(each);
    }
    freeze(AssertionError.prototype);
    prelude.assert = assert;
    prelude.AssertionError = AssertionError;
})();
