// Modules that are not here. Files load far more than a test of one of their functions comes to, so their loading one is no fault; what
// is called, built, extended or put into a value is told as not supported. Firebase's packages and Express have a stand-in, where
// they are not installed: it takes handlers as the package does, and has none of the services.
(() => {
    "use strict";

    const prelude = globalThis.__prelude;
    const { unsupported } = prelude;
    const test = prelude.uncurry(RegExp.prototype.test);
    const CONSTANT = /^([A-Z][A-Z0-9_]*|constants|prototype|version|length|name)$/;

    // What goes by a path such as `fs.promises`. A constant of it is asked for its value at once, so it fails at once.
    function missing(path) {
        const fail = () => { throw unsupported(path); };
        const get = (_, key) => {
            if (key === "then" || key === "__esModule" || key === Symbol.toStringTag) return undefined;
            if (typeof key === "symbol") return fail();
            const inner = key === "default" ? path : `${path}.${key}`;
            if (test(CONSTANT, key)) throw unsupported(inner);
            return missing(inner);
        };
        return new Proxy(function () {}, {
            __proto__: null, get, set: fail, apply: fail, construct: fail, defineProperty: fail, deleteProperty: fail, getPrototypeOf: fail,
            ownKeys: fail, has: (_, key) => typeof key === "string",
        });
    }

    const last = (given) => {
        const handler = given[given.length - 1];
        if (typeof handler !== "function") throw new TypeError("a function of Firebase takes its handler last");
        return handler;
    };
    // What the package makes of a handler: HTTP is answered by calling it, everything else is reached by `run`.
    const onRequest = (...given) => {
        const handler = last(given);
        return given.length > 1 && given[0] !== null && typeof given[0] === "object" && "cors" in given[0] ? async (req, res) => handler(req, res) : (req, res) => handler(req, res);
    };
    const triggered = (...given) => {
        const handler = last(given);
        const made = () => { throw unsupported("a function of Firebase that is called as an event would"); };
        made.run = (...event) => handler(...event);
        return made;
    };
    // `document(…).onCreate(…)`, `schedule(…).timeZone(…).onRun(…)`, `region(…).https.onCall(…)`: to the handler, however long.
    const chain = (onHttp) => {
        const give = (_, key) => {
            if (typeof key === "symbol" || key === "then" || key === "__esModule") return undefined;
            if (key === "onRequest") return onHttp;
            if (/^on[A-Z]/.test(key) || /^before[A-Z]/.test(key)) return triggered;
            return chain(onHttp);
        };
        return new Proxy(function () {}, { __proto__: null, get: give, apply: () => chain(onHttp) });
    };

    class HttpsError extends Error {
        constructor(code, message, details) {
            super(message);
            this.code = code;
            this.details = details;
        }
        toJSON() { return { ...(this.details === undefined ? {} : { details: this.details }), message: this.message, status: String(this.code).toUpperCase().replace(/-/g, "_") }; }
    }

    const logger = () => {
        const { log, warn, error } = globalThis.console;
        return { log, info: log, debug: log, write: log, warn, error };
    };
    const nothing = () => {};
    // The second version's module of events: whatever is called `on…` registers a handler.
    const events = (own = {}) => new Proxy(own, {
        __proto__: null,
        get: (_, key) => (Object.hasOwn(own, key) ? own[key] : typeof key === "string" && /^(on|before)[A-Z]/.test(key) ? triggered : undefined),
        has: (_, key) => typeof key === "string" && key !== "then",
    });
    const https = () => events({ onRequest, HttpsError });
    const second = () => ({ https: https(), logger: logger(), setGlobalOptions: nothing, firestore: events(), pubsub: events(), scheduler: events(), storage: events(), database: events(), identity: events({ HttpsError }), tasks: events() });
    const first = () => {
        const builder = chain(onRequest);
        const fixed = { https: { onRequest, onCall: triggered, HttpsError }, logger: logger(), setGlobalOptions: nothing, config: () => { throw unsupported("firebase-functions' config"); } };
        return new Proxy(fixed, { __proto__: null, get: (_, key) => (Object.hasOwn(fixed, key) ? fixed[key] : key === "default" ? undefined : builder[key]), has: (_, key) => typeof key === "string" });
    };
    const app = () => ({ name: "[DEFAULT]", options: {} });
    const service = (name) => { const it = missing(name); return new Proxy(function () {}, { __proto__: null, apply: () => it, get: (_, key) => it[key] }); };
    const admin = () => {
        const made = { initializeApp: app, app, apps: [], credential: { cert: nothing, applicationDefault: nothing } };
        for (const name of ["firestore", "auth", "storage", "messaging", "database", "remoteConfig"]) made[name] = service(`firebase-admin's ${name}`);
        return made;
    };
    const adminPart = (...getters) => () => {
        const part = missing("a service of firebase-admin");
        const own = {};
        for (const name of getters) own[name] = () => part;
        return new Proxy(own, { __proto__: null, get: (_, key) => (Object.hasOwn(own, key) ? own[key] : typeof key === "string" ? part[key] : undefined), has: (_, key) => typeof key === "string" });
    };

    // Routes are kept as Express keeps them, so that a test can find a handler; requests are not served.
    const unserved = (what) => () => { throw unsupported(`${what} of Express, which is not installed,`); };
    function routes(it) {
        const route = (path) => {
            const made = { path, methods: {}, stack: [] };
            it.stack.push({ name: "handle", route: made });
            for (const method of ["get", "post", "put", "patch", "delete", "options", "head", "all"]) {
                made[method] = (...handlers) => {
                    made.methods[method === "all" ? "_all" : method] = true;
                    for (const handle of handlers.flat(Infinity)) made.stack.push({ handle, method: method === "all" ? undefined : method, name: handle.name });
                    return made;
                };
            }
            return made;
        };
        it.stack = [];
        it.route = route;
        for (const method of ["get", "post", "put", "patch", "delete", "options", "head", "all"]) it[method] = (path, ...handlers) => { route(path)[method](...handlers); return it; };
        it.use = (...given) => { for (const handle of given.flat(Infinity)) if (typeof handle === "function") it.stack.push({ name: handle.name, handle }); return it; };
        it.param = () => it;
        it.handle = unserved("requests");
        return it;
    }
    const Router = function () { return routes(Object.assign((req, res, next) => unserved("requests")(req, res, next), { params: {} })); };
    const express = () => {
        const settings = {};
        const router = Router();
        const it = (req, res) => router.handle(req, res);
        const own = { _router: router, locals: {}, settings, set: (key, value) => { settings[key] = value; return it; }, enable: (key) => it.set(key, true), disable: (key) => it.set(key, false), engine: () => it, listen: unserved("listening"), handle: unserved("requests") };
        Object.assign(it, own);
        for (const method of ["use", "param", "route", "post", "put", "patch", "delete", "options", "head", "all"]) it[method] = (...given) => { const gave = router[method](...given); return gave === router ? it : gave; };
        it.get = (path, ...handlers) => { if (handlers.length === 0) return settings[path]; router.get(path, ...handlers); return it; };
        return it;
    };
    const expressModule = () => {
        const made = () => express();
        const parts = ["json", "urlencoded", "static", "raw", "text"];
        for (const name of parts) made[name] = () => unserved(`the middleware ${name}`);
        return Object.assign(made, { Router });
    };

    const standIns = {
        __proto__: null,
        "express": expressModule,
        "firebase-functions": first, "firebase-functions/v1": first, "firebase-functions/v2": second,
        "firebase-functions/logger": logger,
        "firebase-functions/v2/options": () => ({ setGlobalOptions: nothing }), "firebase-functions/options": () => ({ setGlobalOptions: nothing }),
        "firebase-functions/v2/https": https, "firebase-functions/https": https,
        "firebase-admin": admin,
        "firebase-admin/app": () => ({ initializeApp: app, getApp: app, getApps: () => [], cert: nothing, applicationDefault: nothing }),
        "firebase-admin/firestore": adminPart("getFirestore"), "firebase-admin/auth": adminPart("getAuth"), "firebase-admin/storage": adminPart("getStorage"),
        "firebase-admin/messaging": adminPart("getMessaging"), "firebase-admin/database": adminPart("getDatabase"),
    };
    for (const name of ["firestore", "pubsub", "scheduler", "storage", "database", "identity", "tasks"]) {
        standIns[`firebase-functions/${name}`] = standIns[`firebase-functions/v2/${name}`] = () => events({ HttpsError });
        standIns[`firebase-functions/v1/${name}`] = () => chain(onRequest);
    }

    const made = new WeakSet();
    prelude.absentModule = (name) => { const it = missing(name); made.add(it); return it; };
    prelude.isLoose = (value) => (typeof value === "object" || typeof value === "function") && value !== null && made.has(value);
    prelude.standIn = (name) => {
        if (!(name in standIns)) return undefined;
        const it = standIns[name]();
        made.add(it);
        return it;
    };
})();
