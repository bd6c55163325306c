//! Components that are refused before anything of them runs: of no or another shape, with imports that nobody offers, with what
//! the engine does not do, and made to be expensive to compile.

use std::fmt::Write as _;

use crate::{
    case::{Case, Ending, Guest},
    component::{Contract, Wat, append},
};

/// All of them.
pub fn cases() -> Vec<Case> {
    [files(), imports(), shapes(), features()].into_iter().flatten().collect()
}

/// A check that says `done`.
fn honest() -> Wat {
    Wat::check("(call $passed)")
}

fn refused(name: &str, promise: &'static str, guest: impl Into<Guest>, part: &'static str) -> Case {
    Case::new(name, promise, guest, Ending::NotLoaded(part)).mended(honest())
}

/// Files that are no component.
fn files() -> Vec<Case> {
    let whole = honest().build();
    let cut = whole[..whole.len() / 2].to_vec();
    let mut changed = whole.clone();
    for index in (200..changed.len()).step_by(97) {
        changed[index] ^= 0x55;
    }
    let mut long = whole;
    long.extend_from_slice(&[0xff; 1000]);
    vec![
        refused("an empty file", "load/component-only", Vec::new(), "the file is empty"),
        refused(
            "a script",
            "load/component-only",
            b"#!/bin/sh\nrm -rf /\n".to_vec(),
            "does not start as WebAssembly does",
        ),
        refused(
            "a core module",
            "load/component-only",
            wat::parse_str("(module)").expect("a module"),
            "it is a core module",
        ),
        refused("a component that is cut", "load/component-only", cut, "unexpected end-of-file"),
        refused("a component with changed bytes", "load/component-only", changed, "invalid leading byte"),
        refused("a component with other bytes after it", "load/component-only", long, "malformed section id"),
        refused(
            "machine code in place of a component",
            "load/component-only",
            b"\x7fELF\x02\x01\x01\x00wasmtime".to_vec(),
            "does not start as WebAssembly does",
        ),
        refused(
            "a binary format of the future",
            "load/component-only",
            b"\0asm\xff\0\x01\0".to_vec(),
            "version of the binary format",
        ),
    ]
}

/// A component as text whose stage has no function.
fn bare(imports: &str) -> Vec<u8> {
    let text =
        format!("(component {imports} (instance $stage) (export \"autodevops:stages/check@0.1.0\" (instance $stage)))");
    wat::parse_str(text).expect("a component")
}

/// Imports that the host does not offer.
fn imports() -> Vec<Case> {
    let promise = "load/known-imports";
    let unknown = |name: &str, import: &'static str| {
        refused(name, promise, bare(&format!("(import \"{import}\" (instance))")), import)
    };
    vec![
        unknown("an import that nobody knows", "evil:host/backdoor@1.0.0"),
        unknown("an import of a server's side of HTTP", "wasi:http/incoming-handler@0.2.12"),
        unknown("an import of threads", "wasi:thread/spawn@0.1.0"),
        unknown("an import of a known package's unknown interface", "autodevops:host/secrets@0.1.0"),
        refused(
            "an import that is a function of its own",
            promise,
            bare("(import \"escape\" (func))"),
            "imports what this host does not offer: escape",
        ),
        refused(
            "an import of a module",
            promise,
            bare("(import \"escape\" (core module))"),
            "imports what this host does not offer: escape",
        ),
        refused(
            "an import of another version",
            promise,
            bare("(import \"autodevops:host/log@2.0.0\" (instance))"),
            "autodevops:host/log@2.0.0",
        ),
        refused(
            "an import of a function that its interface does not have",
            promise,
            bare("(import \"wasi:random/random@0.2.12\" (instance (export \"get-host-entropy\" (func))))"),
            "get-host-entropy",
        ),
        refused(
            "an import of a function of another type",
            promise,
            bare(
                "(import \"wasi:random/random@0.2.12\" (instance (export \"get-random-u64\" (func (result string)))))",
            ),
            "get-random-u64",
        ),
    ]
}

/// Stages of another shape than the contract's.
fn shapes() -> Vec<Case> {
    let changed = |name: &str, from: &str, to: &str, error: &'static str| {
        let guest = honest().build_for(&Contract::changed(from, to));
        refused(name, "load/contract-only", guest, error)
    };
    vec![
        changed(
            "a record with one field more",
            "        tests: list<string>,\n",
            "        tests: list<string>,\n        more: u32,\n",
            "expected record of 5 fields, found 6 fields",
        ),
        changed(
            "a record with one field less",
            "        url: option<string>,\n    }\n\n    /// Looks",
            "    }\n\n    /// Looks",
            "expected record of 5 fields, found 4 fields",
        ),
        changed(
            "a field of another type",
            "changed: list<string>",
            "changed: list<u32>",
            "type mismatch for field changed",
        ),
        changed(
            "a result without an error",
            "run: func(input: check-input) -> result<report, error>;",
            "run: func(input: check-input) -> report;",
            "expected `result` found `record`",
        ),
        changed(
            "one argument more",
            "run: func(input: check-input)",
            "run: func(input: check-input, more: string)",
            "expected 1-tuple, found 2-tuple",
        ),
        refused("a stage without its function", "load/contract-only", bare(""), "it has no function `run`"),
        refused(
            "no stage",
            "load/contract-only",
            wat::parse_str("(component)").expect("a component"),
            "exports no stage",
        ),
        refused(
            "a stage that the contract does not have",
            "load/contract-only",
            wat::parse_str("(component (instance $i) (export \"autodevops:stages/root@0.1.0\" (instance $i)))")
                .expect("a component"),
            "no stage of the contract",
        ),
        refused(
            "a stage of another version",
            "load/contract-only",
            wat::parse_str("(component (instance $i) (export \"autodevops:stages/check@0.9.0\" (instance $i)))")
                .expect("a component"),
            "this host speaks 0.1.x",
        ),
        refused(
            "a stage that its manifest does not name",
            "load/contract-only",
            Wat::stage(autodevops_model::Stage::Notifier, "").build(),
            "its manifest names the stages check",
        ),
    ]
}

/// What the engine does not do.
fn features() -> Vec<Case> {
    let honest_bytes = honest().build();
    let module = |text: &str| append(&honest_bytes, &[(text, 1)]);
    vec![
        refused("shared memory", "load/no-threads", module("(module (memory 1 2 shared))"), "threads must be enabled"),
        refused(
            "an atomic access",
            "load/no-threads",
            module("(module (memory 1) (func (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1)))))"),
            "threads support is not enabled",
        ),
        refused(
            "a wait for another thread",
            "load/no-threads",
            module(
                "(module (memory 1) (func (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1)))))",
            ),
            "threads support is not enabled",
        ),
        refused(
            "a function of a wrong type",
            "load/valid-code",
            raw_function(&[0x42, 0x00, 0x0b]),
            "type mismatch: expected i32, found i64",
        ),
        refused("a jump to nowhere", "load/valid-code", raw_function(&[0x0c, 0x7f, 0x0b]), "branch depth too large"),
        refused(
            "a local that is not there",
            "load/valid-code",
            raw_function(&[0x20, 0x7f, 0x0b]),
            "local index out of bounds",
        ),
        refused("more locals than there may be", "load/valid-code", many_locals(), "locals exceed maximum"),
    ]
}

/// A module with one function of type `() -> i32` whose code is these bytes, beside an honest check.
fn raw_function(code: &[u8]) -> Vec<u8> {
    let mut module = wasm_encoder::Module::new();
    let mut types = wasm_encoder::TypeSection::new();
    types.ty().function([], [wasm_encoder::ValType::I32]);
    let mut functions = wasm_encoder::FunctionSection::new();
    functions.function(0);
    let mut bodies = wasm_encoder::CodeSection::new();
    let mut body = vec![0];
    body.extend_from_slice(code);
    bodies.raw(&body);
    module.section(&types).section(&functions).section(&bodies);
    crate::component::append_modules(&honest().build(), &[(module.finish(), 1)])
}

fn many_locals() -> Vec<u8> {
    let mut text = String::from("(module (func ");
    for _ in 0..60_000 {
        write!(text, "(local i64)").expect("text grows");
    }
    text.push_str("))");
    append(&honest().build(), &[(&text, 1)])
}
