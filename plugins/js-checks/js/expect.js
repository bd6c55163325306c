// `expect(value).toBe(…)` as Jest and Vitest have it, and mock functions; frozen like `assert`.
(() => {
    "use strict";

    const prelude = globalThis.__prelude;
    const { equal, covers, brief, isObject, isA, isError, isRegExp, execute, indexOf, push, matcher, worded, ErrorPrototype } = prelude.compare;
    const { hide, unsupported, AssertionError } = prelude;
    const { ownKeys, apply, construct } = Reflect;
    const { is, freeze, create } = Object;
    const isArray = Array.isArray;
    const PromiseType = Promise;
    const capture = Error.captureStackTrace;
    const toText = String;
    const abs = Math.abs;
    const records = new WeakMap();
    const recordOf = prelude.uncurry(WeakMap.prototype.get);
    const setRecord = prelude.uncurry(WeakMap.prototype.set);

    // Each matcher gives whether it holds, and what it wanted, in words.
    const matchers = {
        __proto__: null,
        toBe: (actual, wanted) => [is(actual, wanted), `to be ${brief(wanted)}`],
        toEqual: (actual, wanted) => [equal(actual, wanted, "expect"), `to equal ${brief(wanted)}`],
        toStrictEqual: (actual, wanted) => [equal(actual, wanted, "strict"), `to strictly equal ${brief(wanted)}`],
        toMatchObject: (actual, wanted) => [covers(actual, wanted, "expect"), `to match ${brief(wanted)}`],
        toBeDefined: (actual) => [actual !== undefined, "to be defined"],
        toBeUndefined: (actual) => [actual === undefined, "to be undefined"],
        toBeNull: (actual) => [actual === null, "to be null"],
        toBeNullish: (actual) => [actual === null || actual === undefined, "to be null or undefined"],
        toBeNaN: (actual) => [actual !== actual, "to be NaN"],
        toBeTruthy: (actual) => [Boolean(actual), "to be truthy"],
        toBeFalsy: (actual) => [!actual, "to be falsy"],
        toBeTypeOf: (actual, wanted) => [typeof actual === wanted, `to be of type ${wanted}`],
        toBeGreaterThan: (actual, wanted) => [comparable(actual, wanted) && actual > wanted, `to be greater than ${brief(wanted)}`],
        toBeGreaterThanOrEqual: (actual, wanted) => [comparable(actual, wanted) && actual >= wanted, `to be at least ${brief(wanted)}`],
        toBeLessThan: (actual, wanted) => [comparable(actual, wanted) && actual < wanted, `to be less than ${brief(wanted)}`],
        toBeLessThanOrEqual: (actual, wanted) => [comparable(actual, wanted) && actual <= wanted, `to be at most ${brief(wanted)}`],
        toBeCloseTo: (actual, wanted, digits = 2) => [is(actual, wanted) || abs(actual - wanted) < 10 ** -digits / 2, `to be close to ${brief(wanted)}`],
        toBeInstanceOf: (actual, type) => {
            if (typeof type !== "function") throw new TypeError("toBeInstanceOf wants a constructor");
            return [(isObject(actual) || typeof actual === "function") && isObject(type.prototype) && isA(actual, type.prototype), `to be an instance of ${toText(type.name)}`];
        },
        toHaveLength: (actual, wanted) => [actual !== null && actual !== undefined && actual.length === wanted, `to have the length ${brief(wanted)}`],
        toHaveProperty: (actual, path, ...value) => {
            const [found, real] = reached(actual, path);
            return [found && (value.length === 0 || equal(real, value[0], "expect")), `to have the property ${brief(path)}${value.length > 0 ? ` with ${brief(value[0])}` : ""}`];
        },
        toContain: (actual, wanted) => [contains(actual, wanted, is), `to contain ${brief(wanted)}`],
        toContainEqual: (actual, wanted) => [contains(actual, wanted, (a, b) => equal(a, b, "expect")), `to contain an equal of ${brief(wanted)}`],
        toMatch: (actual, wanted) => [typeof actual === "string" && (typeof wanted === "string" ? indexOf(actual, wanted) >= 0 : isRegExp(wanted) && execute(wanted, actual) !== null), `to match ${brief(wanted)}`],
        toSatisfy: (actual, accepts) => [apply(accepts, undefined, [actual]) === true, "to satisfy the function"],
        toThrow: (actual, wanted, settled) => {
            let thrown;
            if (settled === REJECTED) thrown = [actual];
            else {
                if (typeof actual !== "function") throw new TypeError("toThrow wants a function");
                try {
                    actual();
                } catch (error) {
                    thrown = [error];
                }
            }
            return [thrown !== undefined && fits(thrown[0], wanted), `to throw${wanted === undefined ? "" : ` ${brief(wanted)}`}${thrown === undefined ? "; nothing was thrown" : `; thrown was ${brief(thrown[0])}`}`];
        },
        toHaveBeenCalled: (actual) => [calls(actual).length > 0, "to have been called"],
        toHaveBeenCalledTimes: (actual, times) => [calls(actual).length === times, `to have been called ${brief(times)} times, not ${calls(actual).length}`],
        toHaveBeenCalledOnce: (actual) => [calls(actual).length === 1, `to have been called once, not ${calls(actual).length} times`],
        toHaveReturnedTimes: (actual, times) => [count(recordOf(records, actual).results, (result) => result.type === "return") === times, `to have returned ${brief(times)} times`],
        toHaveBeenCalledWith: (actual, ...wanted) => [some(calls(actual), (given) => equal(given, wanted, "expect")), `to have been called with ${brief(wanted)}; calls: ${brief(calls(actual))}`],
        toHaveBeenLastCalledWith: (actual, ...wanted) => [equal(calls(actual)[calls(actual).length - 1], wanted, "expect"), `to have been called last with ${brief(wanted)}`],
        toHaveBeenNthCalledWith: (actual, nth, ...wanted) => [equal(calls(actual)[nth - 1], wanted, "expect"), `to have been called with ${brief(wanted)} in call ${brief(nth)}`],
        toHaveReturned: (actual) => [some(recordOf(records, actual).results, (result) => result.type === "return"), "to have returned"],
        toHaveReturnedWith: (actual, wanted) => [some(recordOf(records, actual).results, (result) => result.type === "return" && equal(result.value, wanted, "expect")), `to have returned ${brief(wanted)}`],
    };
    matchers.toThrowError = matchers.toThrow;
    matchers.toBeCalled = matchers.toHaveBeenCalled;
    matchers.toBeCalledTimes = matchers.toHaveBeenCalledTimes;
    matchers.toBeCalledWith = matchers.toHaveBeenCalledWith;
    const REJECTED = Symbol("rejected");
    const NAMES = ownKeys(matchers);

    function comparable(a, b) {
        const kind = (value) => typeof value === "number" || typeof value === "bigint";
        if (!kind(a) || !kind(b)) throw new TypeError(`numbers are compared, not ${brief(a)} and ${brief(b)}`);
        return true;
    }
    function count(list, accepts) {
        let found = 0;
        for (let index = 0; index < list.length; index++) if (accepts(list[index])) found += 1;
        return found;
    }
    function some(list, accepts) {
        for (let index = 0; index < list.length; index++) if (accepts(list[index])) return true;
        return false;
    }
    function contains(actual, wanted, same) {
        if (typeof actual === "string") return indexOf(actual, toText(wanted)) >= 0;
        if (isArray(actual)) return some(actual, (item) => same(item, wanted));
        if (actual === null || actual === undefined) throw new TypeError(`${brief(actual)} holds nothing`);
        for (const item of actual) if (same(item, wanted)) return true;
        return false;
    }
    function reached(value, path) {
        const parts = [];
        if (isArray(path)) for (let index = 0; index < path.length; index++) push(parts, path[index]);
        else {
            let part = "";
            const text = toText(path);
            for (let index = 0; index < text.length; index++) {
                const c = text[index];
                if (c === "." || c === "[" || c === "]") {
                    if (part !== "") push(parts, part);
                    part = "";
                } else part += c;
            }
            if (part !== "") push(parts, part);
        }
        let at = value;
        for (let index = 0; index < parts.length; index++) {
            if (at === null || at === undefined || !(parts[index] in Object(at))) return [false, undefined];
            at = at[parts[index]];
        }
        return [true, at];
    }
    function fits(error, wanted) {
        if (wanted === undefined) return true;
        worded(error);
        const message = isObject(error) ? toText(error.message) : toText(error);
        if (typeof wanted === "string") return indexOf(message, wanted) >= 0;
        if (isRegExp(wanted)) return execute(wanted, message) !== null;
        if (typeof wanted === "function") return isObject(error) && isObject(wanted.prototype) && isA(error, wanted.prototype);
        if (isObject(wanted) && (isError(wanted) || isA(wanted, ErrorPrototype))) return message === wanted.message;
        return covers(error, wanted, "expect");
    }
    function calls(mock) {
        const record = typeof mock === "function" ? recordOf(records, mock) : undefined;
        if (record === undefined) throw new TypeError("a mock function was expected");
        return record.calls;
    }

    function judge(name, actual, given, negated, state, below) {
        state.count += 1;
        const [holds, wanted] = apply(matchers[name], undefined, [actual, ...given]);
        if (holds !== negated) return;
        const error = new AssertionError({ actual, expected: given[0], operator: name, message: `expected ${brief(actual)} ${negated ? "not " : ""}${wanted}` });
        capture(error, below);
        throw error;
    }

    // Matchers that are not here, such as those of packages that extend `expect`.
    const lacking = new Proxy(create(null), {
        __proto__: null,
        get(_, key) {
            if (typeof key === "string" && indexOf(key, "to") === 0 && key !== "toString" && key !== "toJSON") throw unsupported(`expect(…).${key}`);
            return undefined;
        },
    });

    function makeExpect() {
        const state = { count: 0, wanted: null };
        function surface(actual, negated) {
            const made = create(lacking);
            for (let index = 0; index < NAMES.length; index++) {
                const name = NAMES[index];
                const check = function (...given) { judge(name, actual, given, negated, state, check); };
                hide(made, name, check);
            }
            return made;
        }
        function later(promise, rejection, negated) {
            const made = create(lacking);
            for (let index = 0; index < NAMES.length; index++) {
                const name = NAMES[index];
                hide(made, name, (...given) => new PromiseType((resolve, reject) => {
                    const finish = (value) => {
                        try {
                            const all = rejection && (name === "toThrow" || name === "toThrowError") ? [given[0], REJECTED] : given;
                            judge(name, value, all, negated, state, finish);
                            resolve();
                        } catch (error) {
                            reject(error);
                        }
                    };
                    const target = typeof promise === "function" && rejection ? promise() : promise;
                    prelude.watch(
                        target,
                        (value) => (rejection ? reject(new AssertionError({ actual: value, operator: "rejects", message: `expected a rejection; the promise resolved to ${brief(value)}` })) : finish(value)),
                        (error) => (rejection ? finish(error) : reject(new AssertionError({ actual: error, operator: "resolves", message: `expected the promise to resolve; it was rejected with ${brief(error)}` }))),
                        () => reject(new TypeError(`expected a promise, not ${brief(target)}`)),
                    );
                }));
            }
            return made;
        }
        function expect(actual) {
            const made = surface(actual, false);
            const not = surface(actual, true);
            const resolves = later(actual, false, false);
            const rejects = later(actual, true, false);
            hide(resolves, "not", freeze(later(actual, false, true)));
            hide(rejects, "not", freeze(later(actual, true, true)));
            hide(made, "not", freeze(not));
            hide(made, "resolves", freeze(resolves));
            hide(made, "rejects", freeze(rejects));
            return freeze(made);
        }
        const name = (type) => toText(type.name);
        expect.any = (type) => matcher(`Any<${name(type)}>`, (value) => {
            const plain = { String: "string", Number: "number", Boolean: "boolean", BigInt: "bigint", Symbol: "symbol", Function: "function" }[type.name];
            if (plain !== undefined && typeof value === plain) return true;
            if (type === Object) return isObject(value);
            return (isObject(value) || typeof value === "function") && isA(value, type.prototype);
        });
        expect.anything = () => matcher("Anything", (value) => value !== null && value !== undefined);
        expect.objectContaining = (wanted) => matcher(`ObjectContaining ${brief(wanted)}`, (value) => covers(value, wanted, "expect"));
        expect.arrayContaining = (wanted) => matcher(`ArrayContaining ${brief(wanted)}`, (value) => isArray(value) && !some(wanted, (item) => !some(value, (own) => equal(own, item, "expect"))));
        expect.stringContaining = (wanted) => matcher(`StringContaining ${brief(wanted)}`, (value) => typeof value === "string" && indexOf(value, wanted) >= 0);
        expect.stringMatching = (wanted) => matcher(`StringMatching ${brief(wanted)}`, (value) => typeof value === "string" && (typeof wanted === "string" ? indexOf(value, wanted) >= 0 : execute(wanted, value) !== null));
        expect.closeTo = (wanted, digits = 2) => matcher(`CloseTo ${brief(wanted)}`, (value) => typeof value === "number" && abs(value - wanted) < 10 ** -digits / 2);
        expect.assertions = (count) => { state.wanted = [count]; };
        expect.hasAssertions = () => { state.wanted = []; };
        expect.fail = (message) => { throw new AssertionError({ operator: "fail", message: toText(message ?? "Failed") }); };
        expect.extend = () => { throw unsupported("expect.extend"); };
        expect.addSnapshotSerializer = expect.extend;
        const control = {
            __proto__: null,
            begin() { state.count = 0; state.wanted = null; },
            end() {
                if (state.wanted === null) return null;
                if (state.wanted.length === 0) return state.count > 0 ? null : "expected at least one assertion, none was made";
                return state.count === state.wanted[0] ? null : `expected ${toText(state.wanted[0])} assertions, ${state.count} were made`;
            },
        };
        return { __proto__: null, expect: freeze(expect), control };
    }

    // Mock functions, for `jest.fn`, `vi.fn` and `mock.fn` ------------------------------------------------------------

    function makeMock(original, style) {
        const record = { __proto__: null, calls: [], results: [], once: [], implementation: original, restore: null };
        function mock(...given) {
            const entry = { type: "throw", value: undefined };
            push(record.calls, given);
            push(record.results, entry);
            push(seen.calls, style === "node" ? { arguments: given, this: this, target: new.target, result: undefined, error: undefined, stack: new Error("mock") } : given);
            push(seen.contexts, this);
            if (style === "jest") push(seen.results, entry);
            let implementation = record.implementation;
            if (record.once.length > 0) {
                implementation = record.once[0];
                for (let index = 1; index < record.once.length; index++) record.once[index - 1] = record.once[index];
                record.once.length -= 1;
            }
            try {
                entry.value = implementation === undefined ? undefined : new.target ? construct(implementation, given, implementation) : apply(implementation, this, given);
                entry.type = "return";
                if (style === "node") seen.calls[seen.calls.length - 1].result = entry.value;
                return entry.value;
            } catch (error) {
                entry.value = error;
                if (style === "node") seen.calls[seen.calls.length - 1].error = error;
                throw error;
            }
        }
        const seen = { calls: [], contexts: [], results: [] };
        const clear = () => { seen.calls = []; seen.contexts = []; seen.results = []; record.calls = []; record.results = []; };
        const chain = (name, act) => hide(mock, name, (...given) => { act(...given); return mock; });
        if (style === "jest") {
            Object.defineProperty(seen, "lastCall", { get: () => seen.calls[seen.calls.length - 1] });
            Object.defineProperty(seen, "instances", { get: () => seen.contexts });
            hide(mock, "mock", seen);
            hide(mock, "_isMockFunction", true);
            chain("mockImplementation", (next) => { record.implementation = next; });
            chain("mockImplementationOnce", (next) => push(record.once, next));
            chain("mockReturnValue", (value) => { record.implementation = () => value; });
            chain("mockReturnValueOnce", (value) => push(record.once, () => value));
            chain("mockResolvedValue", (value) => { record.implementation = async () => value; });
            chain("mockResolvedValueOnce", (value) => push(record.once, async () => value));
            chain("mockRejectedValue", (error) => { record.implementation = async () => { throw error; }; });
            chain("mockRejectedValueOnce", (error) => push(record.once, async () => { throw error; }));
            chain("mockReturnThis", () => { record.implementation = function () { return this; }; });
            chain("mockName", () => {});
            chain("mockClear", clear);
            chain("mockReset", () => { clear(); record.implementation = undefined; record.once = []; });
            chain("mockRestore", () => { clear(); record.implementation = undefined; if (record.restore !== null) record.restore(); });
            hide(mock, "getMockName", () => "mock");
        } else {
            seen.callCount = () => seen.calls.length;
            seen.resetCalls = clear;
            seen.mockImplementation = (next) => { record.implementation = next; };
            seen.mockImplementationOnce = (next) => { push(record.once, next); };
            seen.restore = () => { record.implementation = original; if (record.restore !== null) record.restore(); };
            hide(mock, "mock", seen);
        }
        setRecord(records, mock, record);
        return mock;
    }
    // Replaces a method by a mock; gives it and what puts the method back.
    function mockMethod(object, name, implementation, style) {
        const own = Reflect.getOwnPropertyDescriptor(object, name);
        const before = object[name];
        if (typeof before !== "function") throw new TypeError(`${brief(name)} is not a method`);
        const mock = makeMock(implementation ?? before, style);
        const restore = () => { if (own === undefined) delete object[name]; else Object.defineProperty(object, name, own); };
        recordOf(records, mock).restore = restore;
        Object.defineProperty(object, name, { __proto__: null, value: mock, writable: true, enumerable: own?.enumerable ?? true, configurable: true });
        return [mock, restore];
    }
    const clearMock = (mock) => { recordOf(records, mock).calls = []; recordOf(records, mock).results = []; };

    prelude.makeExpect = makeExpect;
    prelude.makeMock = makeMock;
    prelude.mockMethod = mockMethod;
    prelude.clearMock = clearMock;
})();
