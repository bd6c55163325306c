// Finds tests and runs them: `node:test`, and `describe`, `it` and `expect` as Jest, Vitest and Mocha have them. One test at a time,
// with a pause before each, so that the other half can tell how long it took.
(() => {
    "use strict";

    const prelude = globalThis.__prelude;
    const { hide, unsupported, makeExpect, makeMock, mockMethod, clearMock, AssertionError, assert } = prelude;
    const { push, brief, isObject, isA, isError, isPromise, worded } = prelude.compare;
    const { apply, ownKeys, defineProperty } = Reflect;
    const { freeze } = Object;
    const after = prelude.promiseThen;
    const PromiseType = Promise;
    const toText = String;
    const isArray = Array.isArray;
    const { timers } = prelude;
    // In milliseconds of the virtual clock.
    const LONGEST_TEST = 600000;

    const InternalErrorPrototype = InternalError.prototype;

    const HOOKS = ["before", "after", "beforeEach", "afterEach"];
    const SKIPPED = { __proto__: null };

    function describeError(error) {
        try {
            if (!isObject(error)) return `Uncaught ${brief(error)}`;
            worded(error);
            const name = isError(error) ? toText(error.name) : "Uncaught";
            const message = isError(error) ? toText(error.message) : brief(error);
            const stack = typeof error.stack === "string" ? error.stack : "";
            return `${name}: ${message}\n${stack}`;
        } catch {
            return "Uncaught: an error that cannot be described";
        }
    }

    // A session is what one test file comes to. `report` is told of each test that ended.
    prelude.makeSession = (report) => {
        const session = {
            __proto__: null, failures: [], unsupported: [], over: false, loading: true, started: false,
            current: null, interrupt: null, pause: null, wake: null, deadline: Infinity,
        };
        const root = node("suite", "", null, {});
        const expects = makeExpect();
        const mocks = [];
        let collecting = root;
        let onlyMarked = false;

        function node(kind, name, parent, options) {
            return { __proto__: null, kind, name, parent, options, fn: undefined, style: "node", children: [], hooks: { __proto__: null, before: [], after: [], beforeEach: [], afterEach: [] }, collected: null, finish: null, hasOnly: false, error: null };
        }
        const fullName = (it) => (it.parent === null || it.parent === root ? it.name : `${fullName(it.parent)} > ${it.name}`);

        // Something failed that no test waits for.
        session.fail = (error) => {
            const text = describeError(error);
            if (session.current !== null) { if (session.current.failure === null) session.current.failure = text; } else push(session.failures, text);
        };
        session.lacks = (name) => {
            if (session.current !== null) push(session.current.unsupported, name);
            push(session.unsupported, name);
        };
        // A promise that nobody holds any more: if it is rejected, the test that runs then has failed.
        session.discarded = (value) => {
            if (isObject(value) && isPromise(value)) {
                try {
                    after(value, undefined, (error) => session.fail(labelled("unhandled rejection", error)));
                } catch {
                    // Only looks like a promise.
                }
            }
            return value;
        };
        // Elsewhere a process that has no memory left ends; who catches that here has failed all the same.
        session.caught = (error) => {
            if (isObject(error) && isA(error, InternalErrorPrototype) && error.message === "out of memory") session.fail(error);
        };
        function labelled(what, error) {
            const shown = new Error(`${what}: ${isError(error) ? `${toText(error.name)}: ${toText(error.message)}` : brief(error)}`);
            hide(shown, "stack", isObject(error) && typeof error.stack === "string" ? error.stack : "");
            return shown;
        }

        // Waiting -----------------------------------------------------------------------------------------------------

        // Waits for what a test gave, until it is told that nothing more can come.
        function wait(start, limit) {
            const waiting = new PromiseType((resolve, reject) => {
                session.interrupt = reject;
                session.deadline = timers.now() + limit;
                session.limit = limit;
                start(resolve, reject);
            });
            return waiting;
        }
        // Not by resolving with the value: what a promise is resolved with cannot be given up any more.
        function follow(value, resolve, reject) {
            if (isObject(value) || typeof value === "function") after(new PromiseType((settle) => settle(value)), resolve, reject);
            else resolve(undefined);
        }
        function calm() { session.interrupt = null; session.deadline = Infinity; }
        // Nothing waits for anything any more, and yet it is not over.
        session.stuck = () => {
            if (!session.started) return session.play();
            if (session.interrupt !== null) {
                const reject = session.interrupt;
                calm();
                reject(new Error(session.spent !== null ? session.spent : session.loading && session.current === null ? "a promise that the file waits for at its top level never settles" : "the promise that it waits for never settles"));
                return undefined;
            }
            if (session.wake !== null) { push(session.failures, "a promise that the file waits for at its top level never settles"); session.loading = false; session.wake(); return undefined; }
            push(session.failures, "the tests did not come to an end");
            session.over = true;
            return undefined;
        };
        session.late = () => {
            const due = timers.due();
            if (session.interrupt === null || due <= session.deadline || due === Infinity) return false;
            const reject = session.interrupt;
            const limit = session.limit;
            calm();
            reject(new Error(`it did not end within ${limit} ms`));
            return true;
        };

        async function call(fn, self, given, wantsDone, limit) {
            try {
                await wait((resolve, reject) => {
                    if (!wantsDone) {
                        follow(apply(fn, self, given), resolve, reject);
                        return undefined;
                    }
                    let called = false;
                    const done = (error) => {
                        if (called) return session.fail(new Error("the callback `done` was called more than once"));
                        called = true;
                        if (error !== undefined && error !== null) reject(error); else resolve(undefined);
                        return undefined;
                    };
                    done.fail = (error) => done(error ?? new Error("done.fail"));
                    const value = apply(fn, self, [...given, done]);
                    if (isObject(value) && isPromise(value)) after(value, undefined, reject);
                    return undefined;
                }, limit);
            } finally {
                calm();
            }
        }
        function callHook(hook, it) {
            const count = hook.fn.length;
            const context = it.context ?? contextOf(it);
            if (hook.style === "node") return call(hook.fn, undefined, [context], count >= 2, LONGEST_TEST);
            return call(hook.fn, self(it), [], count >= 1, LONGEST_TEST);
        }
        // `this` of Mocha's tests.
        const self = () => ({ timeout() { return this; }, slow() { return this; }, retries() { return this; }, skip() { throw SKIPPED; } });

        // Running -----------------------------------------------------------------------------------------------------

        session.play = async () => {
            if (session.started) return;
            session.started = true;
            try {
                await playSuite(root);
            } catch (error) {
                session.fail(error);
            }
            session.over = true;
        };

        async function playSuite(suite) {
            if (suite.collected !== null) {
                const collected = suite.collected;
                try { await wait((resolve, reject) => follow(collected, resolve, reject), LONGEST_TEST); } catch (error) { suite.error = describeError(error); } finally { calm(); }
            }
            const hooks = suite.hooks;
            let ready = suite !== root;
            for (let index = 0; ; index++) {
                if (index >= suite.children.length) {
                    if (suite !== root || !session.loading) break;
                    // More may come from a file that waits at its top level.
                    await new PromiseType((resolve) => { session.wake = resolve; });
                    session.wake = null;
                    index -= 1;
                    continue;
                }
                const child = suite.children[index];
                if (ready || suite === root) {
                    ready = false;
                    for (let at = suite.ran ?? 0; at < hooks.before.length; at++) {
                        suite.ran = at + 1;
                        try { await callHook(hooks.before[at], suite); } catch (error) { suite.error ??= `in a hook before all: ${describeError(error)}`; }
                    }
                }
                if (suite.error !== null) child.error = suite.error;
                if (child.kind === "suite") await playSuite(child); else await playTest(child);
                if (child.finish !== null) child.finish();
            }
            if (suite.error !== null && suite.children.length === 0) push(session.failures, suite.error);
            for (let at = 0; at < hooks.after.length; at++) {
                try { await callHook(hooks.after[at], suite); } catch (error) { push(session.failures, `in a hook after all of "${suite.name}": ${describeError(error)}`); }
            }
        }

        const leftOut = (it) => {
            for (let at = it; at !== null; at = at.parent) {
                if (at.options.skip) return `skipped${typeof at.options.skip === "string" ? `: ${at.options.skip}` : ""}`;
                if (at.options.todo && (at.kind === "suite" || at.fn === undefined)) return `to do${typeof at.options.todo === "string" ? `: ${at.options.todo}` : ""}`;
            }
            if (!onlyMarked) return null;
            for (let at = it; at !== null; at = at.parent) if (at.options.only && !(at !== it && at.hasOnly)) return null;
            return "skipped: others are marked `only`";
        };

        async function playTest(it) {
            await new PromiseType((resolve) => { session.pause = resolve; });
            const reason = it.fn === undefined && !it.options.skip ? "to do" : leftOut(it);
            if (reason !== null) {
                report(fullName(it), "skipped", reason);
                return true;
            }
            const outer = session.current;
            const state = { __proto__: null, failure: null, unsupported: [], skipped: null, todo: it.options.todo ?? false };
            session.current = state;
            it.state = state;
            const above = [];
            for (let at = it.parent; at !== null; at = at.parent) push(above, at);
            if (session.spent !== null) state.failure = "it was not run: what came before it took too many steps";
            else if (it.error !== null) state.failure = it.error;
            else {
                expects.control.begin();
                try {
                    for (let level = above.length - 1; level >= 0; level--) for (let at = 0; at < above[level].hooks.beforeEach.length; at++) await callHook(above[level].hooks.beforeEach[at], it);
                    await body(it);
                    const missing = expects.control.end();
                    if (missing !== null) throw new AssertionError({ message: missing, operator: "assertions" });
                } catch (error) {
                    if (error === SKIPPED) state.skipped ??= "skipped"; else state.failure ??= describeError(error);
                }
                for (let at = 0; at < it.hooks.after.length; at++) try { await callHook(it.hooks.after[at], it); } catch (error) { state.failure ??= describeError(error); }
                for (let level = 0; level < above.length; level++) {
                    for (let at = 0; at < above[level].hooks.afterEach.length; at++) {
                        try { await callHook(above[level].hooks.afterEach[at], it); } catch (error) { state.failure ??= `in a hook after each: ${describeError(error)}`; }
                    }
                }
                for (let index = it.mocks.length - 1; index >= 0; index--) it.mocks[index]();
                // What was rejected meanwhile tells of itself in the jobs that wait by now.
                await turn();
                await turn();
                await turn();
            }
            if (session.spent !== null) state.failure ??= `Error: ${session.spent}`;
            session.current = outer;
            let end = "passed";
            let message = "";
            if (state.unsupported.length > 0) {
                end = "unsupported";
                message = `it needs what is not here: ${toText(state.unsupported[0])}`;
            } else if (state.failure !== null) {
                end = state.todo ? "skipped" : "failed";
                message = state.todo ? `to do; it fails: ${state.failure}` : state.failure;
            } else if (state.skipped !== null) {
                end = "skipped";
                message = state.skipped;
            }
            report(fullName(it), end, message);
            if (outer !== null && end === "failed") outer.failure ??= `its subtest "${it.name}" failed`;
            if (outer !== null && end === "unsupported") for (let index = 0; index < state.unsupported.length; index++) push(outer.unsupported, state.unsupported[index]);
            return end === "passed";
        }
        const turn = () => new PromiseType((resolve) => resolve());

        async function body(it) {
            const limit = it.options.timeout > 0 && it.options.timeout < LONGEST_TEST ? it.options.timeout : LONGEST_TEST;
            const count = it.fn.length;
            const each = it.options.each;
            if (each !== undefined) await call(it.fn, self(it), each, count > each.length, limit);
            else if (it.style === "node") {
                it.context = contextOf(it);
                await call(it.fn, it.context, [it.context], count >= 2, limit);
            } else if (it.style === "vitest") await call(it.fn, undefined, [{ expect: expects.expect, task: { name: it.name }, skip() { throw SKIPPED; }, onTestFinished: (fn) => push(it.hooks.after, { fn, style: "jest" }) }], false, limit);
            else await call(it.fn, self(it), [], count >= 1, limit);
            for (let index = 0; index < it.children.length; index++) await it.children[index].ended;
            if (it.plan !== undefined && it.plan !== it.planned) throw new AssertionError({ message: `plan expected ${toText(it.plan)} assertions or subtests, ${toText(it.planned)} were made`, operator: "plan" });
        }

        // The argument of a `node:test` test.
        function contextOf(it) {
            const subtest = form("test", "node", (made) => {
                made.parent = it;
                it.planned = (it.planned ?? 0) + 1;
                const before = it.children.length > 0 ? it.children[it.children.length - 1].ended : undefined;
                push(it.children, made);
                made.ended = (async () => {
                    await before;
                    const { interrupt, deadline } = session;
                    if (made.kind === "suite") await playSuite(made); else await playTest(made);
                    session.interrupt = interrupt;
                    session.deadline = deadline;
                })();
                return made.ended;
            });
            const hook = (name) => (fn) => { push(it.hooks[name], { __proto__: null, fn, style: "node" }); };
            let tracker;
            return {
                __proto__: null, name: it.name, fullName: fullName(it), test: subtest, it: subtest,
                get assert() { return countedAssert(it); },
                get signal() { return new AbortController().signal; },
                get mock() { return (tracker ??= mockTracker(it.mocks ?? mocks)); },
                before: hook("before"), after: hook("after"), beforeEach: hook("beforeEach"), afterEach: hook("afterEach"),
                diagnostic() {}, runOnly() {},
                plan(count) { it.plan = count; it.planned ??= 0; },
                skip(why) { if (it.state) it.state.skipped = `skipped${why === undefined ? "" : `: ${toText(why)}`}`; },
                todo(why) { if (it.state) it.state.todo = why ?? true; },
            };
        }
        // `t.assert`, whose calls `t.plan` counts.
        function countedAssert(it) {
            const counted = { __proto__: assert };
            const names = ownKeys(assert);
            for (let index = 0; index < names.length; index++) {
                const name = names[index];
                const method = assert[name];
                if (typeof method !== "function" || typeof name !== "string" || name === "AssertionError" || name === "strict" || name === "prototype") continue;
                hide(counted, name, (...given) => { it.planned = (it.planned ?? 0) + 1; return apply(method, assert, given); });
            }
            return counted;
        }

        // Registering -------------------------------------------------------------------------------------------------

        function form(kind, style, place) {
            const make = (marked, each) => function (...given) {
                let name;
                let options = {};
                let fn;
                for (let index = 0; index < given.length; index++) {
                    const value = given[index];
                    if (typeof value === "function") { if (fn === undefined && (index > 0 || given.length === 1 || typeof given[1] === "object")) fn = value; else name ??= value.name; }
                    else if (typeof value === "number") options = { ...options, timeout: value };
                    else if (isObject(value)) options = { ...options, ...value };
                    else if (name === undefined && value !== undefined) name = toText(value);
                }
                const made = node(kind, name ?? (fn?.name || "<anonymous>"), collecting, { __proto__: null, skip: options.skip, todo: options.todo, only: options.only, timeout: options.timeout, each, ...marked });
                made.fn = fn;
                made.style = style;
                made.mocks = [];
                return place(made);
            };
            const all = make({});
            hide(all, "skip", make({ skip: true }));
            hide(all, "todo", make({ todo: true }));
            hide(all, "only", make({ only: true }));
            if (style === "node") return all;
            const table = (marked) => (rows, ...values) => {
                if (isArray(rows) && rows.raw !== undefined) throw unsupported("test.each with a template");
                return (name, fn, timeout) => {
                    for (let index = 0; index < rows.length; index++) {
                        const given = isArray(rows[index]) ? rows[index] : [rows[index]];
                        make(marked, given)(titled(name, given, index), { timeout }, kind === "suite" ? () => apply(fn, undefined, given) : fn);
                    }
                };
            };
            hide(all, "each", table({}));
            hide(all.skip, "each", table({ skip: true }));
            hide(all.only, "each", table({ only: true }));
            hide(all, "skipIf", (when) => (when ? all.skip : all));
            hide(all, "runIf", (when) => (when ? all : all.skip));
            hide(all, "concurrent", all);
            hide(all, "failing", () => { throw unsupported("test.failing"); });
            return all;
        }
        function titled(name, given, index) {
            const [head, ...rest] = [toText(name), ...given];
            const text = prelude.compare.format(head.replace(/%[#]/g, toText(index)).replace(/%p/g, "%o").replace(/\$(\w+)/g, (all, key) => (isObject(given[0]) && key in given[0] ? brief(given[0][key]) : all)), ...rest.slice(0, (head.match(/%[a-zA-Z]/g) ?? []).length));
            return text;
        }

        function placeTest(made) {
            if (made.options.only) markOnly(made);
            push(collecting.children, made);
            if (session.wake !== null) session.wake();
            return new PromiseType((resolve) => { made.finish = resolve; });
        }
        function placeSuite(made) {
            const promise = placeTest(made);
            const outer = collecting;
            collecting = made;
            try {
                const value = made.fn === undefined ? undefined : apply(made.fn, made.style === "node" ? { name: made.name } : self(made), []);
                if (isObject(value) && isPromise(value)) made.collected = value;
            } catch (error) {
                made.error = describeError(error);
            } finally {
                collecting = outer;
            }
            return promise;
        }
        function markOnly(made) {
            onlyMarked = true;
            for (let at = made.parent; at !== null; at = at.parent) at.hasOnly = true;
        }
        const hookOf = (name, style) => (first, second) => {
            const fn = typeof first === "function" ? first : second;
            if (typeof fn !== "function") throw new TypeError(`${name} wants a function`);
            push(collecting.hooks[name], { __proto__: null, fn, style });
        };

        // What tests import, or find as globals ------------------------------------------------------------------------

        function mockTracker(restores) {
            const known = [];
            const keep = ([mock, restore]) => { push(restores, restore); push(known, [mock, restore]); return mock; };
            return {
                fn: (original, implementation) => { const mock = makeMock(implementation ?? original, "node"); push(known, [mock, () => {}]); return mock; },
                method: (object, name, implementation) => keep(mockMethod(object, name, typeof implementation === "function" ? implementation : undefined, "node")),
                getter() { throw unsupported("mock.getter"); },
                setter() { throw unsupported("mock.setter"); },
                module() { throw unsupported("mock.module"); },
                get timers() { throw unsupported("mock.timers"); },
                reset() { for (let index = 0; index < known.length; index++) { known[index][1](); clearMock(known[index][0]); } },
                restoreAll() { for (let index = 0; index < known.length; index++) known[index][1](); },
            };
        }
        function jestLike(name) {
            const known = [];
            const remember = (mock) => { push(known, mock); return mock; };
            const each = (method) => function () { for (let index = 0; index < known.length; index++) known[index][method](); return this; };
            const lacking = (what) => () => { throw unsupported(`${name}.${what}`); };
            const made = {
                fn: (implementation) => remember(makeMock(implementation, "jest")),
                spyOn: (object, key) => { const [mock, restore] = mockMethod(object, key, undefined, "jest"); push(mocks, restore); return remember(mock); },
                isMockFunction: (value) => typeof value === "function" && value._isMockFunction === true,
                clearAllMocks: each("mockClear"), resetAllMocks: each("mockReset"), restoreAllMocks: each("mockRestore"),
                setTimeout() { return made; }, mocked: (value) => value, retryTimes() { return made; },
            };
            for (const what of ["mock", "doMock", "unmock", "dontMock", "requireActual", "importActual", "requireMock", "importMock", "useFakeTimers", "useRealTimers", "advanceTimersByTime", "runAllTimers", "runOnlyPendingTimers", "setSystemTime", "resetModules", "isolateModules", "stubGlobal", "hoisted", "replaceProperty"]) made[what] = lacking(what);
            return made;
        }

        const nodeTest = form("test", "node", placeTest);
        const suite = form("suite", "node", placeSuite);
        for (const [name, value] of [["test", nodeTest], ["it", nodeTest], ["describe", suite], ["suite", suite], ["mock", mockTracker(mocks)], ["skip", nodeTest.skip], ["todo", nodeTest.todo], ["only", nodeTest.only]]) hide(nodeTest, name, value);
        for (const name of HOOKS) hide(nodeTest, name, hookOf(name, "node"));
        for (const name of ["run", "snapshot"]) defineProperty(nodeTest, name, { __proto__: null, configurable: true, get() { throw unsupported(`node:test's ${name}`); } });
        const importable = ["test", "it", "describe", "suite", "mock", "skip", "todo", "only", "before", "after", "beforeEach", "afterEach"];
        for (const name of importable) defineProperty(nodeTest, name, { __proto__: null, value: nodeTest[name], enumerable: true, configurable: true, writable: true });

        const surface = (style, tools) => {
            const test = form("test", style, placeTest);
            const describe = form("suite", style, placeSuite);
            const made = { test, it: test, describe, suite: describe, context: describe, specify: test, expect: expects.expect, assert, beforeAll: hookOf("before", style), afterAll: hookOf("after", style), before: hookOf("before", style), after: hookOf("after", style), beforeEach: hookOf("beforeEach", style), afterEach: hookOf("afterEach", style) };
            return { ...made, ...tools };
        };
        const jest = jestLike("jest");
        const vi = jestLike("vi");
        const provided = {
            __proto__: null,
            "test": nodeTest, "vitest": surface("vitest", { vi, vitest: vi }), "@jest/globals": surface("jest", { jest }),
        };
        session.provided = (name) => provided[name];
        session.globals = { ...surface("jest", { jest, vi }), xit: undefined, xdescribe: undefined, xtest: undefined, fit: undefined, fdescribe: undefined };
        session.globals.xit = session.globals.xtest = session.globals.it.skip;
        session.globals.xdescribe = session.globals.describe.skip;
        session.globals.fit = session.globals.it.only;
        session.globals.fdescribe = session.globals.describe.only;
        delete session.globals.assert;
        session.close = () => { for (let index = mocks.length - 1; index >= 0; index--) mocks[index](); };
        session.spent = null;
        return session;
    };
    prelude.describeError = describeError;
    freeze(SKIPPED);
})();
