// Runs one function of the `onRequest` shape for one request. It is part of the engine's component, evaluated once when that is
// made; the release's modules come with each request, as functions in `__modules`; `main` gives the answer as `{ status, headers, body, output }`.
(() => {
    "use strict";

    const { drive, start, encode, decode, bytesOf, unsupported } = globalThis.__prelude;
    let modules = {};
    const fromCodes = String.fromCharCode;

    // Latin-1 text carries bytes both ways.
    const toLatin = (bytes) => {
        let text = "";
        for (let at = 0; at < bytes.length; at += 4096) text += fromCodes(...bytes.subarray(at, at + 4096));
        return text;
    };
    const fromLatin = (text) => Uint8Array.from(text, (c) => c.charCodeAt(0));

    // Modules ----------------------------------------------------------------------------------------------------------

    const handlers = new WeakSet();
    const onRequest = (...given) => {
        const handler = given[given.length - 1];
        if (typeof handler !== "function") throw new TypeError("onRequest takes a function (req, res)");
        const wrapped = (req, res) => handler(req, res);
        handlers.add(wrapped);
        return wrapped;
    };
    const logger = {
        log: console.log, info: console.log, debug: console.log, write: console.log, warn: console.warn, error: console.error,
    };
    const provided = {
        "firebase-functions/v2/https": () => ({ onRequest }),
        "firebase-functions/https": () => ({ onRequest }),
        "firebase-functions/logger": () => logger,
        "firebase-functions/v2": () => ({ https: { onRequest }, logger, setGlobalOptions() {} }),
        "firebase-functions/v1": () => ({ https: { onRequest }, logger }),
        "firebase-functions": () => ({ https: { onRequest }, logger, setGlobalOptions() {} }),
        "buffer": () => ({ Buffer: globalThis.Buffer }),
        "process": () => globalThis.process,
        "url": () => ({ URL: globalThis.URL, URLSearchParams: globalThis.URLSearchParams }),
    };

    const loaded = new Map();
    function load(path) {
        const known = loaded.get(path);
        if (known) return known.exports;
        const { run, requires } = modules[path];
        const module = { exports: {}, id: path, filename: `/${path}`, loaded: false };
        loaded.set(path, module);
        const require = (name) => {
            if (Object.hasOwn(requires, name)) return load(requires[name]);
            const plain = name.startsWith("node:") ? name.slice(5) : name;
            if (Object.hasOwn(provided, plain)) return provided[plain]();
            const error = new Error(`Cannot find module '${name}'\nRequire stack:\n- ${path}\nThe local target provides firebase-functions, buffer, process and url`);
            error.code = "MODULE_NOT_FOUND";
            throw error;
        };
        run.call(module.exports, module.exports, require, module, module.filename, module.filename.replace(/\/[^/]*$/, ""));
        module.loaded = true;
        return module.exports;
    }

    // Messages as Node words them, so that logs read the same wherever a service runs.
    function worded(error) {
        if (!(error instanceof Error)) return;
        const read = /^cannot (read|set) property '?(.*?)'? of (undefined|null)$/.exec(error.message);
        if (read) {
            const [, verb, name, what] = read;
            error.message = `Cannot ${verb} properties of ${what} (${verb === "read" ? "reading" : "setting"} '${name}')`;
        }
    }

    function described(error) {
        if (!(error instanceof Error)) return `Uncaught ${String(error)}`;
        worded(error);
        return `${error.name}: ${error.message}\n${error.stack ?? ""}`.trimEnd();
    }

    // Request and answer ------------------------------------------------------------------------------------------------

    function parsed(type, bytes) {
        if (/^application\/(.*\+)?json\b/i.test(type)) {
            const text = decode(bytes, false);
            return text === "" ? {} : JSON.parse(text);
        }
        if (/^application\/x-www-form-urlencoded\b/i.test(type)) return Object.fromEntries(new URLSearchParams(decode(bytes, false)));
        if (/^text\//i.test(type)) return decode(bytes, false);
        return bytes.length === 0 ? {} : globalThis.Buffer.from(bytes);
    }

    function request(given) {
        const bytes = fromLatin(given.body);
        const headers = given.headers;
        const query = {};
        for (const [name, value] of new URLSearchParams(given.query)) {
            query[name] = Object.hasOwn(query, name) ? [].concat(query[name], value) : value;
        }
        return {
            method: given.method, path: given.path, url: given.query === "" ? given.path : `${given.path}?${given.query}`,
            originalUrl: given.originalUrl, baseUrl: "", protocol: "http", secure: false, params: {}, query, headers,
            hostname: (headers.host ?? "").replace(/:\d+$/, ""), ip: (headers["x-forwarded-for"] ?? "").split(",")[0].trim(),
            rawBody: globalThis.Buffer.from(bytes), body: parsed(headers["content-type"] ?? "", bytes),
            get(name) { return headers[String(name).toLowerCase()]; },
            header(name) { return this.get(name); },
            is(type) { return (headers["content-type"] ?? "").includes(type) ? type : false; },
            on() { return this; },
        };
    }

    function response(finish) {
        const headers = {};
        const parts = [];
        const name = (text) => String(text).toLowerCase();
        const part = (data) => {
            if (data === undefined || data === null) return;
            parts.push(typeof data === "string" ? toLatin(encode(data)) : toLatin(bytesOf(data)));
        };
        return {
            statusCode: 200, headersSent: false, writableEnded: false, locals: {},
            status(code) { this.statusCode = code; return this; },
            set(key, value) {
                if (typeof key === "object") for (const [one, text] of Object.entries(key)) headers[name(one)] = String(text);
                else headers[name(key)] = Array.isArray(value) ? value.map(String) : String(value);
                return this;
            },
            header(key, value) { return this.set(key, value); },
            setHeader(key, value) { return this.set(key, value); },
            append(key, value) { headers[name(key)] = [].concat(headers[name(key)] ?? [], String(value)); return this; },
            get(key) { return headers[name(key)]; },
            getHeader(key) { return headers[name(key)]; },
            removeHeader(key) { delete headers[name(key)]; },
            type(type) {
                const known = { html: "text/html; charset=utf-8", json: "application/json; charset=utf-8", text: "text/plain; charset=utf-8", txt: "text/plain; charset=utf-8" };
                return this.set("content-type", known[type] ?? type);
            },
            contentType(type) { return this.type(type); },
            cookie(key, value, options = {}) {
                let text = `${key}=${encodeURIComponent(String(value))}; Path=${options.path ?? "/"}`;
                if (options.maxAge !== undefined) text += `; Max-Age=${Math.floor(options.maxAge / 1000)}`;
                if (options.httpOnly) text += "; HttpOnly";
                if (options.secure) text += "; Secure";
                return this.append("set-cookie", text);
            },
            vary(field) { return this.append("vary", field); },
            writeHead(code, given = {}) { this.statusCode = code; return this.set(given); },
            write(data) { this.headersSent = true; part(data); return true; },
            json(value) {
                if (headers["content-type"] === undefined) this.type("json");
                return this.end(JSON.stringify(value));
            },
            send(value) {
                if (value !== null && typeof value === "object" && !ArrayBuffer.isView(value)) return this.json(value);
                if (typeof value === "string" && headers["content-type"] === undefined) this.type("html");
                return this.end(typeof value === "number" || typeof value === "boolean" ? String(value) : value);
            },
            sendStatus(code) { return this.status(code).type("text").end(String(code)); },
            redirect(first, second) {
                const [code, to] = second === undefined ? [302, first] : [first, second];
                return this.status(code).set("location", to).end();
            },
            end(data) {
                if (this.writableEnded) throw Object.assign(new Error("Cannot set headers after they are sent to the client"), { code: "ERR_HTTP_HEADERS_SENT" });
                part(data);
                this.headersSent = true;
                this.writableEnded = true;
                finish({ status: this.statusCode, headers, body: parts.join("") });
                return this;
            },
            on() { return this; },
            once() { return this; },
        };
    }

    globalThis.main = (input) => {
        modules = globalThis.__modules;
        delete globalThis.__modules;
        const given = JSON.parse(input);
        const output = [];
        let uncaught = null;
        start({
            now: given.now, seed: given.seed,
            write: (stream, line) => output.push([stream, line]),
            uncaught: (error) => { uncaught ??= { error }; },
        });
        const failed = (error) => ({ failed: described(error), output });
        try {
            const exported = load(given.entry);
            if (given.list) {
                return { functions: Object.keys(exported).filter((name) => handlers.has(exported[name]) || typeof exported[name] === "function") };
            }
            const handler = exported[given.function];
            let req;
            try {
                req = request(given);
            } catch (error) {
                return { status: 400, headers: { "content-type": "text/plain; charset=utf-8" }, body: `the body cannot be read: ${error.message}\n`, output };
            }
            return new Promise((resolve) => {
                let answered = null;
                const settle = () => {
                    if (uncaught !== null) resolve(failed(uncaught.error));
                    else if (answered !== null) resolve({ ...answered, output });
                };
                const finished = new Promise((done) => {
                    const res = response((answer) => { answered = answer; done(); });
                    const fail = (error) => { uncaught ??= { error }; done(); };
                    try {
                        Promise.resolve(handler(req, res)).then(undefined, fail);
                    } catch (error) {
                        fail(error);
                    }
                });
                drive(finished, (error) => {
                    if (error && uncaught === null && answered === null) uncaught = { error: new Error(`the function '${given.function}' ended without an answer`) };
                    settle();
                }, given.milliseconds);
            }).catch(failed);
        } catch (error) {
            return failed(error);
        }
    };
})();
