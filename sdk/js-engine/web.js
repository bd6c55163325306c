// More of what scripts expect: URLs, events, abort signals, `structuredClone`, `Buffer`, `process`. Evaluated after the prelude,
// before the harness takes `__prelude`; ordinary code, on which no verdict rests.
(() => {
    "use strict";

    const taken = globalThis.__prelude;
    Object.defineProperty(globalThis, "__prelude", { configurable: true, get() { delete globalThis.__prelude; return taken; } });
    const { publish, hide, encode, decode, bytesOf, unsupported, timers } = taken;

    // URL ------------------------------------------------------------------------------------------------------------

    const PORTS = { "http:": "80", "https:": "443", "ws:": "80", "wss:": "443", "ftp:": "21" };
    const escaped = (text, keep) => encodeURI(text).replace(/%25/g, "%").replace(keep, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
    const formEncoded = (text) => encodeURIComponent(text).replace(/%20/g, "+").replace(/[!'()~]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
    const formDecoded = (text) => {
        const spaced = text.replace(/\+/g, " ");
        try { return decodeURIComponent(spaced); } catch { return spaced; }
    };

    class URLSearchParams {
        #pairs = [];
        #changed = null;
        constructor(source = "") {
            if (typeof source === "string") {
                const text = source.startsWith("?") ? source.slice(1) : source;
                for (const part of text.split("&")) {
                    if (part === "") continue;
                    const at = part.indexOf("=");
                    this.#pairs.push(at < 0 ? [formDecoded(part), ""] : [formDecoded(part.slice(0, at)), formDecoded(part.slice(at + 1))]);
                }
            } else if (source !== null && typeof source === "object") {
                const entries = typeof source[Symbol.iterator] === "function" ? source : Object.entries(source);
                for (const [name, value] of entries) this.#pairs.push([String(name), String(value)]);
            }
        }
        static follow(params, changed) { params.#changed = changed; }
        #tell() { if (this.#changed) this.#changed(); }
        get size() { return this.#pairs.length; }
        append(name, value) { this.#pairs.push([String(name), String(value)]); this.#tell(); }
        delete(name) { this.#pairs = this.#pairs.filter((pair) => pair[0] !== String(name)); this.#tell(); }
        get(name) { return this.#pairs.find((pair) => pair[0] === String(name))?.[1] ?? null; }
        getAll(name) { return this.#pairs.filter((pair) => pair[0] === String(name)).map((pair) => pair[1]); }
        has(name) { return this.#pairs.some((pair) => pair[0] === String(name)); }
        set(name, value) {
            const at = this.#pairs.findIndex((pair) => pair[0] === String(name));
            if (at < 0) this.#pairs.push([String(name), String(value)]);
            else {
                this.#pairs[at][1] = String(value);
                this.#pairs = this.#pairs.filter((pair, index) => index <= at || pair[0] !== String(name));
            }
            this.#tell();
        }
        sort() { this.#pairs.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0)); this.#tell(); }
        forEach(each, self) { for (const [name, value] of this.#pairs) each.call(self, value, name, this); }
        *entries() { for (const pair of this.#pairs) yield [...pair]; }
        *keys() { for (const pair of this.#pairs) yield pair[0]; }
        *values() { for (const pair of this.#pairs) yield pair[1]; }
        [Symbol.iterator]() { return this.entries(); }
        toString() { return this.#pairs.map((pair) => `${formEncoded(pair[0])}=${formEncoded(pair[1])}`).join("&"); }
    }
    const { follow } = URLSearchParams;
    delete URLSearchParams.follow;

    function resolved(path) {
        const parts = [];
        const given = path.split("/").slice(1);
        given.forEach((part, index) => {
            const last = index === given.length - 1;
            if (/^(\.|%2e)$/i.test(part)) { if (last) parts.push(""); }
            else if (/^(\.|%2e){2}$/i.test(part)) { parts.pop(); if (last) parts.push(""); }
            else parts.push(part);
        });
        return `/${parts.join("/")}`;
    }

    class URL {
        protocol; username = ""; password = ""; hostname = ""; port = ""; pathname = ""; #search = ""; hash = ""; searchParams;
        constructor(address, base) {
            const text = String(address).trim();
            const invalid = () => Object.assign(new TypeError("Invalid URL"), { code: "ERR_INVALID_URL", input: text });
            const scheme = /^([a-z][a-z0-9+.-]*:)(.*)$/is.exec(text);
            const from = base === undefined ? null : new URL(String(base));
            if (!scheme && from === null) throw invalid();
            this.protocol = scheme ? scheme[1].toLowerCase() : from.protocol;
            const rest = scheme ? scheme[2] : text;
            const [, body, search = "", hash = ""] = /^([^?#]*)(\?[^#]*)?(#.*)?$/s.exec(rest);
            this.#search = search === "?" ? "" : escaped(search, /['"<> ]/g);
            this.hash = hash === "#" ? "" : escaped(hash, /["<>` ]/g);
            const special = this.protocol in PORTS || this.protocol === "file:";
            const plain = special ? body.replace(/\\/g, "/") : body;
            const authority = /^\/\/([^/]*)(.*)$/s.exec(plain);
            if (authority || (scheme && special)) {
                const [, host, path] = authority ?? [null, ...(/^\/*([^/]*)(.*)$/s.exec(plain) ?? []).slice(1)];
                const parts = /^(?:([^:@]*)(?::([^@]*))?@)?(\[[^\]]*\]|[^:@]*)(?::(\d*))?$/.exec(host);
                if (!parts || (special && this.protocol !== "file:" && parts[3] === "")) throw invalid();
                this.username = parts[1] ?? "";
                this.password = parts[2] ?? "";
                this.hostname = special ? parts[3].toLowerCase() : parts[3];
                if (/[\s<>^|%]/.test(this.hostname)) throw invalid();
                if (Number(parts[4] ?? 0) > 65535) throw invalid();
                this.port = (parts[4] ?? "") === PORTS[this.protocol] ? "" : (parts[4] ?? "");
                this.pathname = escaped(special || path !== "" ? resolved(path === "" ? "/" : path) : "", /["<>`{} ]/g);
            } else if (scheme) {
                this.pathname = escaped(plain.startsWith("/") ? resolved(plain) : plain, /[<> ]/g);
            } else {
                this.username = from.username; this.password = from.password; this.hostname = from.hostname; this.port = from.port;
                if (plain === "") {
                    this.pathname = from.pathname;
                    if (search === "") this.#search = from.search;
                } else this.pathname = escaped(resolved(plain.startsWith("/") ? plain : from.pathname.replace(/[^/]*$/, "") + plain), /["<>`{} ]/g);
            }
            this.searchParams = new URLSearchParams(this.#search);
            follow(this.searchParams, () => { const text = this.searchParams.toString(); this.#search = text === "" ? "" : `?${text}`; });
        }
        static canParse(address, base) { try { new URL(address, base); return true; } catch { return false; } }
        static parse(address, base) { try { return new URL(address, base); } catch { return null; } }
        get search() { return this.#search; }
        set search(text) {
            this.#search = text === "" || text === "?" ? "" : text.startsWith("?") ? text : `?${text}`;
            this.searchParams = new URLSearchParams(this.#search);
            follow(this.searchParams, () => { const after = this.searchParams.toString(); this.#search = after === "" ? "" : `?${after}`; });
        }
        get host() { return this.port === "" ? this.hostname : `${this.hostname}:${this.port}`; }
        set host(text) { [this.hostname, this.port = ""] = String(text).split(":"); }
        get origin() { return this.protocol in PORTS ? `${this.protocol}//${this.host}` : "null"; }
        get href() {
            const user = this.username === "" ? "" : `${this.username}${this.password === "" ? "" : `:${this.password}`}@`;
            const slashes = this.host !== "" || this.protocol === "file:" ? "//" : "";
            return `${this.protocol}${slashes}${user}${this.host}${this.pathname}${this.#search}${this.hash}`;
        }
        toString() { return this.href; }
        toJSON() { return this.href; }
    }
    publish("URL", URL);
    publish("URLSearchParams", URLSearchParams);

    // Events and abort signals ---------------------------------------------------------------------------------------

    class Event {
        #stopped = false;
        constructor(type, options = {}) {
            this.type = String(type);
            this.cancelable = Boolean(options.cancelable);
            this.defaultPrevented = false;
            this.target = null;
        }
        static stopped(event) { return event.#stopped; }
        preventDefault() { if (this.cancelable) this.defaultPrevented = true; }
        stopPropagation() {}
        stopImmediatePropagation() { this.#stopped = true; }
    }
    class EventTarget {
        #listeners = [];
        addEventListener(type, listener, options) {
            if (!this.#listeners.some((known) => known.type === type && known.listener === listener)) this.#listeners.push({ type, listener, once: Boolean(options?.once) });
        }
        removeEventListener(type, listener) { this.#listeners = this.#listeners.filter((known) => known.type !== type || known.listener !== listener); }
        dispatchEvent(event) {
            event.target = this;
            for (const known of [...this.#listeners]) {
                if (known.type !== event.type) continue;
                if (known.once) this.removeEventListener(known.type, known.listener);
                if (typeof known.listener === "function") known.listener.call(this, event);
                else known.listener.handleEvent(event);
                if (Event.stopped(event)) break;
            }
            const handler = this[`on${event.type}`];
            if (typeof handler === "function") handler.call(this, event);
            return !event.defaultPrevented;
        }
    }
    class AbortSignal extends EventTarget {
        aborted = false; reason = undefined; onabort = null;
        static abort(reason) { const signal = new AbortSignal(); stop(signal, reason); return signal; }
        static timeout(milliseconds) {
            const signal = new AbortSignal();
            setTimeout(() => stop(signal, new DOMException("The operation was aborted due to timeout", "TimeoutError")), milliseconds);
            return signal;
        }
        static any(signals) {
            const joined = new AbortSignal();
            for (const signal of signals) {
                if (signal.aborted) stop(joined, signal.reason);
                else signal.addEventListener("abort", () => stop(joined, signal.reason), { once: true });
            }
            return joined;
        }
        throwIfAborted() { if (this.aborted) throw this.reason; }
    }
    function stop(signal, reason = new DOMException("This operation was aborted", "AbortError")) {
        if (signal.aborted) return;
        signal.aborted = true;
        signal.reason = reason;
        signal.dispatchEvent(new Event("abort"));
    }
    class AbortController {
        signal = new AbortSignal();
        abort(reason) { stop(this.signal, reason); }
    }
    for (const each of [Event, EventTarget, AbortSignal, AbortController]) publish(each.name, each);

    publish("structuredClone", function structuredClone(value) {
        const seen = new Map();
        const copy = (from) => {
            if (typeof from === "function" || typeof from === "symbol") throw new DOMException(`${String(from)} could not be cloned.`, "DataCloneError");
            if (from === null || typeof from !== "object") return from;
            if (seen.has(from)) return seen.get(from);
            const keep = (to) => { seen.set(from, to); return to; };
            if (Array.isArray(from)) {
                const to = keep(new Array(from.length));
                for (const key of Object.keys(from)) to[key] = copy(from[key]);
                return to;
            }
            if (from instanceof Date) return keep(new Date(from.getTime()));
            if (from instanceof RegExp) return keep(new RegExp(from.source, from.flags));
            if (from instanceof Map) { const to = keep(new Map()); for (const [key, item] of from) to.set(copy(key), copy(item)); return to; }
            if (from instanceof Set) { const to = keep(new Set()); for (const item of from) to.add(copy(item)); return to; }
            if (from instanceof Error) {
                const kinds = { EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };
                const to = keep(new (kinds[from.name] ?? Error)(from.message));
                hide(to, "stack", from.stack);
                if ("cause" in from) hide(to, "cause", copy(from.cause));
                return to;
            }
            if (from instanceof ArrayBuffer) return keep(from.slice(0));
            if (ArrayBuffer.isView(from)) return keep(from.slice ? new (Object.getPrototypeOf(from).constructor === Buffer ? Uint8Array : from.constructor)(from) : new DataView(from.buffer.slice(0)));
            if (from instanceof Promise || from instanceof WeakMap || from instanceof WeakSet) throw new DOMException("The object could not be cloned.", "DataCloneError");
            if (from instanceof Number || from instanceof String || from instanceof Boolean) return keep(Object(from.valueOf()));
            const to = keep({});
            for (const key of Object.keys(from)) to[key] = copy(from[key]);
            return to;
        };
        return copy(value);
    });

    // Buffer ---------------------------------------------------------------------------------------------------------

    const HEX = "0123456789abcdef";
    const byteText = (bytes) => { let text = ""; for (const byte of bytes) text += String.fromCharCode(byte); return text; };
    function toBytes(text, encoding = "utf8") {
        switch (String(encoding).toLowerCase()) {
            case "utf8": case "utf-8": return encode(text);
            case "hex": {
                const pairs = /^(?:[0-9a-f]{2})*/i.exec(text)[0];
                return Uint8Array.from({ length: pairs.length / 2 }, (_, index) => parseInt(pairs.slice(2 * index, 2 * index + 2), 16));
            }
            case "base64": case "base64url": {
                const clean = text.replace(/-/g, "+").replace(/_/g, "/").replace(/=.*$/s, "").replace(/[^A-Za-z0-9+/]/g, "");
                return Uint8Array.from(atob(clean.length % 4 === 1 ? clean.slice(0, -1) : clean.padEnd(Math.ceil(clean.length / 4) * 4, "=")), (c) => c.charCodeAt(0));
            }
            case "ascii": case "latin1": case "binary": return Uint8Array.from(text, (c) => c.charCodeAt(0) & 255);
            case "utf16le": case "ucs2": case "ucs-2": case "utf-16le": return Uint8Array.from({ length: 2 * text.length }, (_, index) => (text.charCodeAt(index >> 1) >> (index % 2 ? 8 : 0)) & 255);
            default: throw Object.assign(new TypeError(`Unknown encoding: ${encoding}`), { code: "ERR_UNKNOWN_ENCODING" });
        }
    }
    class Buffer extends Uint8Array {
        static get poolSize() { return 8192; }
        static from(source, encoding, length) {
            if (typeof source === "string") return Buffer.#of(toBytes(source, encoding));
            if (source instanceof ArrayBuffer) return new Buffer(source, encoding ?? 0, length ?? source.byteLength - (encoding ?? 0));
            if (source !== null && typeof source === "object" && source.type === "Buffer" && Array.isArray(source.data)) return Buffer.#of(source.data);
            if (source === null || typeof source !== "object") throw Object.assign(new TypeError("The first argument must be of type string or an instance of Buffer, ArrayBuffer, or Array or an Array-like Object."), { code: "ERR_INVALID_ARG_TYPE" });
            return Buffer.#of(source);
        }
        static #of(bytes) {
            const buffer = new Buffer(bytes.length);
            for (let index = 0; index < bytes.length; index++) buffer[index] = bytes[index];
            return buffer;
        }
        static alloc(size, fill, encoding) { const buffer = new Buffer(size); return fill === undefined ? buffer : buffer.fill(fill, 0, size, encoding); }
        static allocUnsafe(size) { return new Buffer(size); }
        static isBuffer(value) { return value instanceof Buffer; }
        static isEncoding(name) { return /^(utf-?8|hex|base64(url)?|ascii|latin1|binary|ucs-?2|utf-?16le)$/i.test(name); }
        static byteLength(value, encoding) { return typeof value === "string" ? toBytes(value, encoding).length : value.byteLength; }
        static compare(a, b) { return a.compare(b); }
        static concat(list, length = list.reduce((sum, each) => sum + each.length, 0)) {
            const joined = Buffer.alloc(length);
            let at = 0;
            for (const each of list) {
                if (at >= length) break;
                joined.set(each.subarray(0, length - at), at);
                at += each.length;
            }
            return joined;
        }
        toString(encoding = "utf8", start = 0, end = this.length) {
            const bytes = new Uint8Array(this.buffer, this.byteOffset + start, Math.max(0, Math.min(end, this.length) - start));
            switch (String(encoding).toLowerCase()) {
                case "utf8": case "utf-8": return decode(bytes, false);
                case "hex": { let text = ""; for (const byte of bytes) text += HEX[byte >> 4] + HEX[byte & 15]; return text; }
                case "base64": return btoa(byteText(bytes));
                case "base64url": return btoa(byteText(bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
                case "ascii": return byteText(bytes.map((byte) => byte & 127));
                case "latin1": case "binary": return byteText(bytes);
                case "utf16le": case "ucs2": case "ucs-2": case "utf-16le": { let text = ""; for (let index = 0; index + 1 < bytes.length; index += 2) text += String.fromCharCode(bytes[index] | (bytes[index + 1] << 8)); return text; }
                default: throw Object.assign(new TypeError(`Unknown encoding: ${encoding}`), { code: "ERR_UNKNOWN_ENCODING" });
            }
        }
        toJSON() { return { type: "Buffer", data: Array.from(this) }; }
        equals(other) { return this.length === other.length && this.every((byte, index) => byte === other[index]); }
        compare(other) {
            for (let index = 0; index < Math.min(this.length, other.length); index++) if (this[index] !== other[index]) return this[index] < other[index] ? -1 : 1;
            return Math.sign(this.length - other.length);
        }
        write(text, offset = 0, length = this.length - offset, encoding = "utf8") {
            const bytes = toBytes(text, typeof length === "string" ? length : encoding).subarray(0, typeof length === "number" ? length : undefined);
            this.set(bytes, offset);
            return bytes.length;
        }
        copy(target, at = 0, start = 0, end = this.length) {
            const part = this.subarray(start, Math.min(end, start + target.length - at));
            target.set(part, at);
            return part.length;
        }
        slice(start, end) { return this.subarray(start, end); }
        subarray(start, end) { const view = super.subarray(start, end); return new Buffer(view.buffer, view.byteOffset, view.length); }
        static get [Symbol.species]() { return Uint8Array; }
        fill(value, start = 0, end = this.length, encoding = "utf8") {
            if (typeof value !== "string") return super.fill(value, start, end);
            const bytes = toBytes(value, encoding);
            for (let index = start; index < end && bytes.length > 0; index++) this[index] = bytes[(index - start) % bytes.length];
            return this;
        }
        indexOf(value, from = 0) {
            if (typeof value === "number") return super.indexOf(value, from);
            const bytes = typeof value === "string" ? encode(value) : value;
            outer: for (let at = from; at + bytes.length <= this.length; at++) {
                for (let index = 0; index < bytes.length; index++) if (this[at + index] !== bytes[index]) continue outer;
                return at;
            }
            return -1;
        }
        includes(value, from) { return this.indexOf(value, from) >= 0; }
        readUInt8(at = 0) { return this[at]; }
        writeUInt8(value, at = 0) { this[at] = value; return at + 1; }
    }
    for (const [name, size] of [["Int8", 1], ["Int16", 2], ["Uint16", 2], ["Int32", 4], ["Uint32", 4], ["Float32", 4], ["Float64", 8]]) {
        for (const [suffix, little] of size === 1 ? [["", true]] : [["LE", true], ["BE", false]]) {
            const title = name.replace("Uint", "UInt").replace("Float32", "Float").replace("Float64", "Double") + suffix;
            const view = (buffer) => new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
            hide(Buffer.prototype, `read${title}`, function (at = 0) { return view(this)[`get${name}`](at, little); });
            hide(Buffer.prototype, `write${title}`, function (value, at = 0) { view(this)[`set${name}`](at, value, little); return at + size; });
        }
    }
    publish("Buffer", Buffer);

    // process --------------------------------------------------------------------------------------------------------

    const written = (stream) => ({ isTTY: false, columns: 80, fd: stream === "stdout" ? 1 : 2, write(text) { taken.host.write?.(stream, String(text).replace(/\n$/, "")); return true; }, on() { return this; }, once() { return this; } });
    const microseconds = () => timers.now() * 1000;
    const process = {
        title: "node", version: "v20.0.0", versions: { node: "20.0.0" }, platform: "linux", arch: "x64", pid: 1, ppid: 0, argv: ["node"], execArgv: [],
        argv0: "node", execPath: "/usr/bin/node", env: {}, exitCode: undefined, release: { name: "node" }, config: {}, features: {},
        stdout: written("stdout"), stderr: written("stderr"),
        cwd: () => "/after",
        nextTick(callback, ...given) { queueMicrotask(() => callback(...given)); },
        hrtime: Object.assign((since) => {
            const whole = microseconds() * 1000;
            const pair = [Math.floor(whole / 1e9), whole % 1e9];
            if (!since) return pair;
            const left = (pair[0] - since[0]) * 1e9 + pair[1] - since[1];
            return [Math.floor(left / 1e9), left % 1e9];
        }, { bigint: () => BigInt(Math.floor(microseconds())) * 1000n }),
        uptime: () => performance.now() / 1000,
        memoryUsage: () => ({ rss: 0, heapTotal: 0, heapUsed: 0, external: 0, arrayBuffers: 0 }),
        emitWarning(warning) { taken.host.write?.("stderr", `Warning: ${warning?.message ?? warning}`); },
        on() { return this; }, once() { return this; }, off() { return this; }, addListener() { return this; }, removeListener() { return this; },
        removeAllListeners() { return this; }, emit() { return false; }, listeners() { return []; }, listenerCount() { return 0; },
        exit() { throw unsupported("process.exit"); },
        abort() { process.exit(134); },
        kill() { throw unsupported("process.kill"); },
        chdir() { throw unsupported("process.chdir"); },
        get stdin() { throw unsupported("process.stdin"); },
        [Symbol.toStringTag]: "process",
    };
    publish("process", process);
    publish("global", globalThis);
})();
