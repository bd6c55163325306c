// Loads the modules of a test file: CommonJS and ES modules, which may import each other. The other half has found them and made
// functions of them; what they ask for leads where it said.
(() => {
    "use strict";

    const prelude = globalThis.__prelude;
    const { hide, unsupported, builtins, absentModule, standIn, isLoose } = prelude;
    const { has } = prelude.compare;
    const { ownKeys, getOwnPropertyDescriptor, apply } = Reflect;
    const { create, freeze } = Object;
    const define = Object.defineProperty;
    const slice = prelude.uncurry(String.prototype.slice);
    const indexOf = prelude.uncurry(String.prototype.indexOf);
    const lastIndexOf = prelude.uncurry(String.prototype.lastIndexOf);
    const PromiseType = Promise;
    const ProxyType = Proxy;
    const after = prelude.promiseThen;

    const coded = (error, code) => { error.code = code; return error; };
    const notFound = (name, from) => coded(new Error(`Cannot find module '${name}'\nRequire stack:\n- ${from}`), "MODULE_NOT_FOUND");

    // `program`: the modules by path. The rest is for the code under test: marks that are reached, what it drops and catches; and
    // `provided(name)`: modules of the test runner, or undefined.
    prelude.makeLoader = (program, root, { reached, discarded, caught, provided }) => {
        const loaded = create(null);
        const packages = create(null);
        let entry = null;
        const found = (kind, what, from) => (kind === "package" ? packages[what] : builtin(what, from));

        function builtin(name, from) {
            const own = provided(name);
            if (own !== undefined) return own;
            if (name in builtins) return builtins[name]();
            // What a test itself asks for it means to use; the code under test may load more than the test comes to.
            if (from.path === entry) throw unsupported(name);
            return absentModule(name);
        }

        // The record of a module: `exports` is what `require` gives, `namespace` what `import` gives.
        function record(path) {
            const known = loaded[path];
            if (known !== undefined) return known;
            const module = { id: `${root}/${path}`, filename: `${root}/${path}`, path: folder(`${root}/${path}`), exports: {}, loaded: false, children: [], paths: [] };
            const made = { __proto__: null, path, source: program[path], module, namespace: null, state: "new", error: undefined, promise: null };
            loaded[path] = made;
            return made;
        }
        const folder = (path) => slice(path, 0, lastIndexOf(path, "/"));

        function target(from, name, how) {
            const link = from.source[how][name];
            if (link === undefined) throw unsupported(`${how === "require" ? "require" : "import"} of a name that is put together at run time`);
            const at = indexOf(link, ":");
            return [slice(link, 0, at), slice(link, at + 1)];
        }

        function resolved(from, name, how) {
            const [kind, what] = target(from, name, how);
            if (kind === "package") {
                const made = packages[name] ??= standIn(name);
                if (made === undefined) throw unsupported(`the package ${name}, which is not installed or does not export this,`);
                return ["package", name];
            }
            if (kind === "nothing") throw notFound(name, from.module.filename);
            return [kind, what];
        }

        function begin(it) {
            it.state = "running";
            const { source, module } = it;
            if (source.kind === "foreign") throw unsupported(source.what);
            if (source.kind === "wrong") throw new SyntaxError(source.what);
            if (source.kind === "json") {
                module.exports = source.run();
                return undefined;
            }
            const dynamic = (name) => new PromiseType((resolve, reject) => {
                const [kind, what] = resolved(it, `${name}`, "import");
                if (kind !== "file") return resolve(namespaceOf(found(kind, what, it)));
                const other = record(what);
                after(load(other), () => resolve(namespace(other)), reject);
            });
            const imports = (name, wanted) => {
                const [kind, what] = resolved(it, name, "import");
                if (kind !== "file") {
                    const space = namespaceOf(found(kind, what, it));
                    return checked(space, wanted, name);
                }
                const other = record(what);
                if (other.source.wait && other.state !== "done") {
                    const space = new PromiseType((resolve, reject) => after(load(other), () => resolve(checked(namespace(other), wanted, name)), reject));
                    return space;
                }
                run(other);
                return checked(namespace(other), wanted, name, other.state !== "done");
            };
            const exports = (getters) => {
                const space = namespace(it);
                const names = ownKeys(getters);
                for (let index = 0; index < names.length; index++) getter(space, names[index], getters[names[index]]);
            };
            const star = (space) => {
                const names = ownKeys(space);
                for (let index = 0; index < names.length; index++) {
                    const name = names[index];
                    if (typeof name === "string" && name !== "default" && !has(namespace(it), name)) getter(namespace(it), name, () => space[name]);
                }
            };
            const meta = { __proto__: null, url: `file://${module.filename}`, filename: module.filename, dirname: module.path, resolve: (name) => `file://${root}/${resolved(it, name, "import")[1]}` };
            const factory = source.run(exports, imports, star, dynamic, meta, reached, discarded, caught);
            if (source.kind === "module") return factory();
            const require = (name) => {
                const [kind, what] = resolved(it, name, "require");
                if (kind !== "file") return found(kind, what, it);
                const other = record(what);
                if (other.source.wait && other.state !== "done") throw coded(new Error(`require() cannot be used on an ES module that waits at its top level: ${what}`), "ERR_REQUIRE_ASYNC_MODULE");
                run(other);
                return other.source.kind === "module" ? namespace(other) : other.module.exports;
            };
            require.resolve = (name) => { const [kind, what] = resolved(it, name, "require"); return kind !== "file" ? name : `${root}/${what}`; };
            require.cache = create(null);
            require.main = undefined;
            module.require = require;
            apply(factory, module.exports, [module.exports, require, module, module.filename, module.path]);
            return undefined;
        }

        function run(it) {
            if (it.state === "failed") throw it.error;
            if (it.state !== "new") return;
            try {
                begin(it);
                it.state = "done";
                it.module.loaded = true;
            } catch (error) {
                it.state = "failed";
                it.error = error;
                throw error;
            }
        }

        // Loads a module that may wait.
        function load(it) {
            if (!it.source.wait) return new PromiseType((resolve) => { run(it); resolve(); });
            if (it.promise === null) {
                it.promise = new PromiseType((resolve, reject) => {
                    const failed = (error) => { it.state = "failed"; it.error = error; reject(error); };
                    try {
                        after(begin(it), () => { it.state = "done"; resolve(); }, failed);
                    } catch (error) {
                        failed(error);
                    }
                });
            }
            return it.promise;
        }

        function getter(space, name, get) {
            define(space, name, { __proto__: null, get, enumerable: true, configurable: true });
        }
        function namespace(it) {
            if (it.namespace === null) {
                it.namespace = create(null);
                hide(it.namespace, Symbol.toStringTag, "Module");
            }
            if (it.source.kind === "script" || it.source.kind === "json") fill(it.namespace, () => it.module.exports);
            return it.namespace;
        }
        // CommonJS as seen by `import`: its exports are the default one, and each of its properties a name.
        function fill(space, exports) {
            getter(space, "default", exports);
            const value = exports();
            if (value === null || (typeof value !== "object" && typeof value !== "function")) return;
            const names = ownKeys(value);
            for (let index = 0; index < names.length; index++) {
                const name = names[index];
                if (typeof name !== "string" || name === "default" || !(getOwnPropertyDescriptor(value, name).enumerable || typeof value === "function")) continue;
                if (typeof value === "function" && (name === "length" || name === "name" || name === "prototype" || name === "arguments" || name === "caller")) continue;
                if (!has(space, name)) getter(space, name, () => exports()[name]);
            }
        }
        function namespaceOf(value) {
            // It has whatever it is asked for, so its names cannot be listed.
            if (isLoose(value)) return new ProxyType(value, { __proto__: null, get: (_, key) => (key === "default" ? value : value[key]), has: (_, key) => key === "default" || key in value });
            const space = create(null);
            fill(space, () => value);
            return space;
        }
        function checked(space, wanted, name, early = false) {
            for (let index = 0; index < wanted.length; index++) {
                if (!early && !(wanted[index] in space)) throw new SyntaxError(`The requested module '${name}' does not provide an export named '${wanted[index]}'`);
            }
            return space;
        }

        return freeze({ __proto__: null, load: (path) => { entry = path; return load(record(path)); } });
    };
})();
