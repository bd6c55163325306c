// What scripts expect of their surroundings and the engine does not have: a virtual clock with timers, a console that is
// captured, text codecs, and the like. Harnesses evaluate this first, then take `globalThis.__prelude`, which deletes itself:
//
//   start({ now, seed, write, uncaught, discarded })   now: milliseconds since 1970; write(stream, line); uncaught(error);
//                       discarded(value): what a timer's callback gave
//   timers.next()       runs what is due next, moving the clock there; false when nothing waits
//   timers.waiting()    how many timers wait
//   timers.due()        when the next one is due; Infinity when nothing waits
//   unsupported(name)   makes the error for something that is not here; `onUnsupported` is told its name
//   drive(promise, done, limit)   runs timers until the promise settles; for harnesses that are called once
//
// Time stands still but for timers, so that tests take no time and give the same result every time.
(() => {
    "use strict";

    const { apply, defineProperty, construct, ownKeys } = Reflect;
    const uncurry = Function.prototype.bind.bind(Function.prototype.call);
    const promiseThen = uncurry(Promise.prototype.then);
    const splice = uncurry(Array.prototype.splice);
    const charCodeAt = uncurry(String.prototype.charCodeAt);
    const fromCharCode = String.fromCharCode;
    const fromCodePoint = String.fromCodePoint;
    const floor = Math.floor;
    const done = Promise.resolve();

    const host = { write: null, uncaught: null, onUnsupported: null, discarded: null };

    function hide(target, name, value) {
        defineProperty(target, name, { __proto__: null, value, writable: true, enumerable: false, configurable: true });
    }

    function publish(name, value) {
        hide(globalThis, name, value);
    }

    // Things that are not here ---------------------------------------------------------------------------------------

    class NotSupportedHere extends Error {
        constructor(what) {
            super(`${what} is not supported here`);
            hide(this, "name", "NotSupportedHere");
            hide(this, "code", "ERR_NOT_SUPPORTED_HERE");
        }
    }

    function unsupported(what) {
        if (host.onUnsupported !== null) host.onUnsupported(what);
        return new NotSupportedHere(what);
    }

    function absent(name) {
        const fail = () => {
            throw unsupported(name);
        };
        const quiet = (_, key) => (typeof key === "symbol" ? undefined : fail());
        return new Proxy(function () {}, { __proto__: null, get: quiet, set: fail, apply: fail, construct: fail, has: fail, getPrototypeOf: fail });
    }

    for (const name of ["Intl", "crypto", "fetch", "WebSocket", "Worker", "XMLHttpRequest", "WebAssembly", "Response", "Request", "Headers", "FormData", "Blob", "ReadableStream", "MessageChannel", "BroadcastChannel"]) {
        publish(name, absent(name));
    }

    const plainNumber = uncurry(Number.prototype.toFixed);
    hide(Number.prototype, "toLocaleString", function toLocaleString(locale, options) {
        const value = Number(this);
        if ((locale !== undefined && locale !== "en-US" && locale !== "en") || options !== undefined) {
            throw unsupported("Number.prototype.toLocaleString with a locale or options");
        }
        if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value < 0 ? "-∞" : "∞";
        let [whole, part = ""] = plainNumber(Math.abs(value), 3).split(".");
        part = part.replace(/0+$/, "");
        whole = whole.replace(/\B(?=(\d{3})+$)/g, ",");
        return (value < 0 ? "-" : "") + whole + (part === "" ? "" : `.${part}`);
    });
    for (const name of ["toLocaleString", "toLocaleDateString", "toLocaleTimeString"]) {
        hide(Date.prototype, name, function () {
            throw unsupported(`Date.prototype.${name}`);
        });
    }

    // The clock, and chance ------------------------------------------------------------------------------------------

    const RealDate = Date;
    let now = 1767225600000;
    let began = now;
    let random = 1;

    function VirtualDate(...given) {
        if (new.target === undefined) return new VirtualDate().toString();
        return construct(RealDate, given.length === 0 ? [now] : given, new.target);
    }
    defineProperty(VirtualDate, "name", { __proto__: null, value: "Date", configurable: true });
    defineProperty(VirtualDate, "length", { __proto__: null, value: 7, configurable: true });
    defineProperty(VirtualDate, "prototype", { __proto__: null, value: RealDate.prototype, writable: false });
    hide(VirtualDate, "now", function () { return floor(now); });
    hide(VirtualDate, "UTC", RealDate.UTC);
    hide(VirtualDate, "parse", RealDate.parse);
    hide(RealDate.prototype, "constructor", VirtualDate);
    publish("Date", VirtualDate);

    hide(Math, "random", function () {
        // mulberry32
        random = (random + 0x6d2b79f5) | 0;
        let mixed = Math.imul(random ^ (random >>> 15), 1 | random);
        mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
        return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
    });

    const performance = { now: () => now - began, timeOrigin: now, mark() {}, measure() {} };
    publish("performance", performance);

    // Timers ---------------------------------------------------------------------------------------------------------

    let order = 0;
    let queue = [];

    class Timeout {
        #entry;
        constructor(entry) { this.#entry = entry; }
        static cancel(timer) {
            if (typeof timer === "object" && timer !== null && #entry in timer) timer.#entry.live = false;
            else for (let index = 0; index < queue.length; index++) if (queue[index].id === Number(timer)) queue[index].live = false;
        }
        ref() { return this; }
        unref() { this.#entry.kept = false; return this; }
        hasRef() { return this.#entry.kept; }
        refresh() {
            this.#entry.due = now + this.#entry.delay;
            return this;
        }
        close() { this.#entry.live = false; return this; }
        [Symbol.toPrimitive]() { return this.#entry.id; }
        [Symbol.dispose ?? Symbol.for("dispose")]() { this.#entry.live = false; }
    }
    const { cancel } = Timeout;

    function add(callback, delay, given, repeats, immediate) {
        if (typeof callback !== "function") throw new TypeError('The "callback" argument must be of type function');
        let wait = Number(delay);
        if (!(wait >= 1 && wait <= 2147483647)) wait = 1;
        order += 1;
        const entry = { __proto__: null, id: order, due: immediate ? now : now + floor(wait), delay: floor(wait), callback, given, repeats, live: true, kept: true, handle: null };
        entry.handle = new Timeout(entry);
        hide(queue, queue.length, entry);
        return entry.handle;
    }

    function next() {
        let first = -1;
        for (let index = 0; index < queue.length; index++) {
            const entry = queue[index];
            if (!entry.live) {
                splice(queue, index, 1);
                index -= 1;
                continue;
            }
            if (first < 0 || entry.due < queue[first].due || (entry.due === queue[first].due && entry.id < queue[first].id)) first = index;
        }
        if (first < 0) return false;
        const entry = queue[first];
        if (entry.due > now) now = entry.due;
        if (entry.repeats) {
            order += 1;
            entry.due = now + entry.delay;
        } else {
            entry.live = false;
            splice(queue, first, 1);
        }
        guarded(entry.callback, entry.handle, entry.given);
        return true;
    }

    function due() {
        let first = Infinity;
        for (let index = 0; index < queue.length; index++) if (queue[index].live && queue[index].due < first) first = queue[index].due;
        return first;
    }

    function guarded(callback, self, given) {
        try {
            const value = apply(callback, self, given);
            if (host.discarded !== null) host.discarded(value);
        } catch (error) {
            if (host.uncaught !== null) host.uncaught(error);
        }
    }

    publish("setTimeout", function setTimeout(callback, delay, ...given) { return add(callback, delay, given, false, false); });
    publish("setInterval", function setInterval(callback, delay, ...given) { return add(callback, delay, given, true, false); });
    publish("setImmediate", function setImmediate(callback, ...given) { return add(callback, 0, given, false, true); });
    for (const name of ["clearTimeout", "clearInterval", "clearImmediate"]) publish(name, function (timer) { cancel(timer); });
    publish("queueMicrotask", function queueMicrotask(callback) {
        if (typeof callback !== "function") throw new TypeError('The "callback" argument must be of type function');
        promiseThen(done, () => guarded(callback, undefined, []));
    });

    // For a harness that gets one call only: promise jobs run in turns, so a promise that has not settled after very many of them
    // waits for a timer.
    const PATIENCE_JOBS = 1000;
    function drive(promise, finish, limit) {
        let settled = false;
        promiseThen(promise, (value) => { settled = true; finish(null, value); }, (error) => { settled = true; finish(error ?? new Error("rejected without a reason")); });
        const until = now + limit;
        let jobs = 0;
        const turn = () => {
            if (settled) return;
            jobs += 1;
            if (jobs > PATIENCE_JOBS) {
                jobs = 0;
                if (!next() || now > until) {
                    settled = true;
                    finish(new Error("the promise did not settle"));
                    return;
                }
            }
            promiseThen(done, turn);
        };
        turn();
    }

    // The console ----------------------------------------------------------------------------------------------------

    let format = (values) => {
        let line = "";
        for (let index = 0; index < values.length; index++) {
            if (index > 0) line += " ";
            const value = values[index];
            try {
                line += typeof value === "string" ? value : value instanceof Error ? value.stack || String(value) : typeof value === "object" ? JSON.stringify(value) : String(value);
            } catch {
                line += "?";
            }
        }
        return line;
    };
    const counts = new Map();
    function print(stream) {
        return function (...values) {
            if (host.write !== null) host.write(stream, format(values));
        };
    }
    const quiet = function () {};
    const consoleObject = {
        log: print("stdout"), info: print("stdout"), debug: print("stdout"), dir: print("stdout"), table: print("stdout"),
        error: print("stderr"), warn: print("stderr"), trace: print("stderr"), group: print("stdout"),
        groupCollapsed: print("stdout"), groupEnd: quiet, time: quiet, timeEnd: quiet, timeLog: quiet, clear: quiet,
        assert(condition, ...values) { if (!condition && host.write !== null) host.write("stderr", `Assertion failed: ${format(values)}`); },
        count(label = "default") {
            counts.set(label, (counts.get(label) ?? 0) + 1);
            this.log(`${label}: ${counts.get(label)}`);
        },
        countReset(label = "default") { counts.delete(label); },
    };
    publish("console", consoleObject);

    // Text -----------------------------------------------------------------------------------------------------------

    function encode(text) {
        const bytes = [];
        for (let index = 0; index < text.length; index++) {
            let code = charCodeAt(text, index);
            if (code >= 0xd800 && code < 0xe000) {
                const low = index + 1 < text.length ? charCodeAt(text, index + 1) : 0;
                if (code < 0xdc00 && low >= 0xdc00 && low < 0xe000) {
                    code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
                    index += 1;
                } else code = 0xfffd;
            }
            if (code < 0x80) bytes.push(code);
            else if (code < 0x800) bytes.push(0xc0 | (code >> 6), 0x80 | (code & 63));
            else if (code < 0x10000) bytes.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
            else bytes.push(0xf0 | (code >> 18), 0x80 | ((code >> 12) & 63), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
        }
        return new Uint8Array(bytes);
    }

    function decode(bytes, fatal) {
        let text = "";
        for (let index = 0; index < bytes.length; ) {
            const first = bytes[index++];
            let need = first < 0x80 ? 0 : first >= 0xc2 && first < 0xe0 ? 1 : first >= 0xe0 && first < 0xf0 ? 2 : first >= 0xf0 && first < 0xf5 ? 3 : -1;
            let code = need <= 0 ? first : first & (0x3f >> need);
            let low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
            let high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
            while (need > 0 && index < bytes.length && bytes[index] >= low && bytes[index] <= high) {
                code = (code << 6) | (bytes[index++] & 63);
                need -= 1;
                low = 0x80;
                high = 0xbf;
            }
            if (need !== 0) {
                if (fatal) throw new TypeError("The encoded data was not valid for encoding utf-8");
                code = 0xfffd;
            }
            text += fromCodePoint(code);
        }
        return text;
    }

    function bytesOf(source) {
        if (source === undefined) return new Uint8Array(0);
        if (source instanceof ArrayBuffer) return new Uint8Array(source);
        if (ArrayBuffer.isView(source)) return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
        throw new TypeError("expected a buffer");
    }

    publish("TextEncoder", class TextEncoder {
        get encoding() { return "utf-8"; }
        encode(text = "") { return encode(String(text)); }
        encodeInto(text, target) {
            const bytes = encode(String(text)).subarray(0, target.length);
            target.set(bytes);
            return { read: decode(bytes, false).length, written: bytes.length };
        }
    });
    publish("TextDecoder", class TextDecoder {
        #fatal;
        #keepMark;
        constructor(label = "utf-8", options = {}) {
            if (!/^(utf-?8|unicode-1-1-utf-8)$/i.test(label)) throw unsupported(`TextDecoder("${label}")`);
            this.#fatal = Boolean(options.fatal);
            this.#keepMark = Boolean(options.ignoreBOM);
        }
        get encoding() { return "utf-8"; }
        decode(source) {
            const text = decode(bytesOf(source), this.#fatal);
            return !this.#keepMark && charCodeAt(text, 0) === 0xfeff ? text.slice(1) : text;
        }
    });

    defineProperty(globalThis, "__prelude", {
        __proto__: null,
        configurable: true,
        get() {
            delete globalThis.__prelude;
            return {
                __proto__: null, uncurry, hide, publish, unsupported, NotSupportedHere, absent, encode, decode, bytesOf, promiseThen, drive, fromCharCode,
                host,
                timers: { __proto__: null, next, due, waiting: () => queue.length, clear: () => { queue = []; }, now: () => now },
                formatWith(formatter) { format = formatter; },
                start(given) {
                    now = began = Number(given.now ?? now);
                    performance.timeOrigin = began;
                    random = Number(given.seed ?? 1) | 0;
                    for (const name of ownKeys(host)) if (given[name] !== undefined) host[name] = given[name];
                },
            };
        },
    });
})();
