//! Small components from WebAssembly text: a core module, wrapped into a component of the contract's types.

use std::{fmt::Write as _, path::Path, sync::OnceLock};

use autodevops_model::Stage;
use wasm_encoder::{ComponentSection as _, InstanceSection, ModuleArg, RawSection};
use wasmparser::{Parser, Payload};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{
    Function, InterfaceId, PackageId, Resolve, TypeDefKind, WorldId, WorldItem,
    abi::{AbiVariant, WasmType},
};

use crate::around::Around;

/// What a guest may import besides its stage's own imports.
const OFFERED: &[&str] = &[
    "wasi:cli/environment@0.2.12",
    "wasi:cli/exit@0.2.12",
    "wasi:cli/stdin@0.2.12",
    "wasi:cli/stdout@0.2.12",
    "wasi:cli/stderr@0.2.12",
    "wasi:cli/terminal-stdin@0.2.12",
    "wasi:cli/terminal-stdout@0.2.12",
    "wasi:cli/terminal-stderr@0.2.12",
    "wasi:clocks/monotonic-clock@0.2.12",
    "wasi:clocks/wall-clock@0.2.12",
    "wasi:config/store@0.2.0-rc.1",
    "wasi:filesystem/preopens@0.2.12",
    "wasi:filesystem/types@0.2.12",
    "wasi:http/outgoing-handler@0.2.12",
    "wasi:http/types@0.2.12",
    "wasi:io/error@0.2.12",
    "wasi:io/poll@0.2.12",
    "wasi:io/streams@0.2.12",
    "wasi:keyvalue/store@0.2.0-draft",
    "wasi:random/insecure@0.2.12",
    "wasi:random/insecure-seed@0.2.12",
    "wasi:random/random@0.2.12",
    "wasi:sockets/instance-network@0.2.12",
    "wasi:sockets/ip-name-lookup@0.2.12",
    "wasi:sockets/network@0.2.12",
    "wasi:sockets/tcp@0.2.12",
    "wasi:sockets/tcp-create-socket@0.2.12",
    "wasi:sockets/udp@0.2.12",
    "wasi:sockets/udp-create-socket@0.2.12",
    "autodevops:host/traffic@0.1.0",
    "autodevops:host/runtime@0.1.0",
    "autodevops:host/command@0.1.0",
    "autodevops:host/mail@0.1.0",
];

/// The contract, and a world for each stage that imports everything there is.
pub struct Contract {
    /// All packages.
    pub resolve: Resolve,
    worlds: PackageId,
}

impl Contract {
    /// The contract of this project, read once.
    pub fn get() -> &'static Self {
        static CONTRACT: OnceLock<Contract> = OnceLock::new();
        CONTRACT
            .get_or_init(|| Self::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit").as_path(), |text| text))
    }

    /// Reads the contract from a folder, with its stages' text changed.
    fn read(folder: &Path, change: impl FnOnce(String) -> String) -> Self {
        let mut resolve = Resolve::default();
        let stages = std::fs::read_to_string(folder.join("stages.wit")).expect("the contract can be read");
        let changed = tempfile::tempdir().expect("there is room for a changed contract");
        std::fs::write(changed.path().join("stages.wit"), change(stages)).expect("the changed contract is written");
        std::os::unix::fs::symlink(
            folder.join("deps").canonicalize().expect("the contract has its dependencies"),
            changed.path().join("deps"),
        )
        .expect("the dependencies are linked");
        resolve.push_dir(changed.path()).expect("the contract resolves");
        let mut text = String::from("package hostile:guests@0.1.0;\n");
        for stage in Stage::ALL {
            let name = stage.name();
            writeln!(text, "world {name} {{ include autodevops:stages/imports@0.1.0;").expect("text grows");
            for interface in OFFERED {
                writeln!(text, "import {interface};").expect("text grows");
            }
            writeln!(text, "export autodevops:stages/{name}@0.1.0; }}").expect("text grows");
        }
        let worlds = resolve.push_str("guests.wit", &text).expect("the guests' worlds resolve");
        Self { resolve, worlds }
    }

    /// The contract with the text of its stages changed: of another shape under the same names.
    pub fn changed(from: &str, to: &str) -> Self {
        Self::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit").as_path(), |text| {
            assert!(text.contains(from), "the contract does not hold `{from}`");
            text.replace(from, to)
        })
    }

    fn world(&self, stage: Stage) -> WorldId {
        *self.resolve.packages[self.worlds].worlds.get(stage.name()).expect("each stage has a world")
    }

    /// The interfaces that a stage's guest can import, by name.
    pub fn imports(&self, stage: Stage) -> Vec<(String, InterfaceId)> {
        let items = self.resolve.worlds[self.world(stage)].imports.iter();
        items
            .filter_map(|(key, item)| match item {
                WorldItem::Interface { id, .. } => Some((self.resolve.name_world_key(key), *id)),
                WorldItem::Function(_) | WorldItem::Type { .. } => None,
            })
            .collect()
    }

    fn interface(&self, stage: Stage, name: &str) -> (String, InterfaceId) {
        let found = self.imports(stage).into_iter().find(|(full, _)| full.split('@').next() == Some(name));
        found.unwrap_or_else(|| panic!("{name} is not offered"))
    }

    fn exported(&self, stage: Stage) -> (String, InterfaceId) {
        let mut items = self.resolve.worlds[self.world(stage)].exports.iter();
        items
            .find_map(|(key, item)| match item {
                WorldItem::Interface { id, .. } => Some((self.resolve.name_world_key(key), *id)),
                WorldItem::Function(_) | WorldItem::Type { .. } => None,
            })
            .expect("each world exports its stage")
    }

    /// A function's parameters and results as core WebAssembly text.
    pub fn signature(&self, variant: AbiVariant, function: &Function) -> String {
        let signature = self.resolve.wasm_signature(variant, function);
        let list = |word: &str, types: &[WasmType]| match types {
            [] => String::new(),
            types => format!("({word} {})", types.iter().copied().map(core_type).collect::<Vec<_>>().join(" ")),
        };
        format!("{} {}", list("param", &signature.params), list("result", &signature.results))
    }

    /// Makes a component of a core module that has the canonical names.
    pub fn encode(&self, stage: Stage, module: &str) -> Vec<u8> {
        let mut module = wat::parse_str(module).unwrap_or_else(|error| panic!("{error}"));
        embed_component_metadata(&mut module, &self.resolve, self.world(stage), StringEncoding::UTF8)
            .expect("the world can be described");
        let mut encoder = ComponentEncoder::default();
        encoder.validate(true);
        encoder.module(&module).expect("the module fits its world");
        encoder.encode().expect("the module can be wrapped")
    }
}

/// A type of core WebAssembly, by its name.
pub const fn core_type(ty: WasmType) -> &'static str {
    match ty {
        WasmType::I32 | WasmType::Pointer | WasmType::Length => "i32",
        WasmType::I64 | WasmType::PointerOrI64 => "i64",
        WasmType::F32 => "f32",
        WasmType::F64 => "f64",
    }
}

/// A guest in text: what it does when it is called, and what surrounds that.
///
/// It can use `$passed`, which gives the address of a report that says `done`; `$say ADDRESS LENGTH`, one with another summary;
/// `$number N`, one whose summary is the number; `$heap`, where free memory begins.
#[derive(Clone)]
pub struct Wat {
    stage: Stage,
    imports: Vec<(String, String)>,
    fields: String,
    memory: String,
    realloc: String,
    around: Around,
}

/// Allocates upwards and never gives back.
const BUMP: &str = r"
    (local $at i32) (local $missing i32)
    (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 15)) (i32.const -16)))
    (global.set $heap (i32.add (local.get $at) (local.get 3)))
    (local.set $missing (i32.sub
        (i32.shr_u (i32.add (global.get $heap) (i32.const 65535)) (i32.const 16)) (memory.size)))
    (if (i32.gt_s (local.get $missing) (i32.const 0))
        (then (if (i32.eq (memory.grow (local.get $missing)) (i32.const -1)) (then (unreachable)))))
    (local.get $at)";

/// A report that says `done`, at address 1024: tag, outcome, summary, and three empty lists.
const PRELUDE: &str = r#"
    (global $heap (mut i32) (i32.const 65536))
    (data (i32.const 1024) "\00\00\00\00\00\00\00\00\40\04\00\00\04\00\00\00")
    (data (i32.const 1088) "done")
    (func $passed (result i32) (i32.const 1024))
    (func $say (param $address i32) (param $length i32) (result i32)
        (i32.store (i32.const 1032) (local.get $address))
        (i32.store (i32.const 1036) (local.get $length))
        (i32.const 1024))
    (func $number (param $number i64) (result i32)
        (local $at i32)
        (local.set $at (i32.const 1152))
        (loop $digits
            (local.set $at (i32.sub (local.get $at) (i32.const 1)))
            (i32.store8 (local.get $at)
                (i32.add (i32.const 48) (i32.wrap_i64 (i64.rem_u (local.get $number) (i64.const 10)))))
            (local.set $number (i64.div_u (local.get $number) (i64.const 10)))
            (br_if $digits (i64.ne (local.get $number) (i64.const 0))))
        (call $say (local.get $at) (i32.sub (i32.const 1152) (local.get $at))))
"#;

/// The name by which a check's function is exported.
pub const RUN: &str = "autodevops:stages/check@0.1.0#run";

impl Wat {
    /// A check that does this when it runs; the address of its result is left on the stack.
    pub fn check(run: &str) -> Self {
        Self::stage(Stage::Check, &format!("(func (export \"{RUN}\") (param $input i32) (result i32) {run})"))
    }

    /// A guest of another stage: exports that the fields do not hold trap when they are called.
    pub fn stage(stage: Stage, fields: &str) -> Self {
        let (memory, realloc) = ("(memory (export \"memory\") 2)".to_owned(), BUMP.to_owned());
        Self { stage, imports: Vec::new(), fields: fields.to_owned(), memory, realloc, around: Around::default() }
    }

    /// Imports a function; it is called by `$` and its name.
    #[must_use]
    pub fn import(mut self, interface: &str, function: &str) -> Self {
        let import = (interface.to_owned(), function.to_owned());
        if !self.imports.contains(&import) {
            self.imports.push(import);
        }
        self
    }

    /// Adds fields to the module.
    #[must_use]
    pub fn with(mut self, fields: &str) -> Self {
        self.fields.push_str(fields);
        self
    }

    /// Has another memory than the one of two pages, which is to be exported.
    #[must_use]
    pub fn memory(mut self, memory: &str) -> Self {
        memory.clone_into(&mut self.memory);
        self
    }

    /// Does something else when the host asks for room; the parameters are the canonical ABI's.
    #[must_use]
    pub fn realloc(mut self, body: &str) -> Self {
        body.clone_into(&mut self.realloc);
        self
    }

    /// Has core functions that the canonical names do not reach, by the text of the component around the module: `text` is put
    /// before them, each is `NAME SIGNATURE` and what it is there. They are called by `$` and their names.
    #[must_use]
    pub fn around(mut self, text: &str, functions: &[(&str, &str)]) -> Self {
        self.around.add(text, functions);
        self
    }

    /// The component.
    pub fn build(&self) -> Vec<u8> {
        self.build_for(Contract::get())
    }

    /// The component for another contract.
    pub fn build_for(&self, contract: &Contract) -> Vec<u8> {
        self.around.surround(contract.encode(self.stage, &self.module(contract)))
    }

    fn module(&self, contract: &Contract) -> String {
        let mut text = String::from("(module\n");
        for (interface, function) in &self.imports {
            text.push_str(&import(contract, self.stage, interface, function));
        }
        text.push_str(&self.memory);
        text.push_str(PRELUDE);
        writeln!(
            text,
            "(func $realloc (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) {})",
            self.realloc
        )
        .expect("text grows");
        text.push_str(&self.around.module_fields());
        text.push_str(&self.fields);
        let (name, interface) = contract.exported(self.stage);
        for (function, ty) in &contract.resolve.interfaces[interface].functions {
            let export = format!("{name}#{function}");
            if !self.fields.contains(&format!("\"{export}\"")) {
                let signature = contract.signature(AbiVariant::GuestExport, ty);
                writeln!(text, "(func (export \"{export}\") {signature} (unreachable))").expect("text grows");
            }
        }
        text.push(')');
        text
    }
}

/// The text of an import: of a function of the contract, of a resource's drop, or of one of the engine's own functions.
fn import(contract: &Contract, stage: Stage, interface: &str, function: &str) -> String {
    if interface.starts_with('$') || interface.starts_with("[export]") {
        // The engine's own: `NAME SIGNATURE`.
        let (name, signature) = function.split_once(' ').unwrap_or((function, ""));
        return format!("(import \"{interface}\" \"{name}\" (func ${} {signature}))\n", plain(name));
    }
    let (name, id) = contract.interface(stage, interface);
    let signature = match contract.resolve.interfaces[id].functions.get(function) {
        Some(ty) => contract.signature(AbiVariant::GuestImport, ty),
        None => {
            let resource = function.strip_prefix("[resource-drop]").expect("a function of the interface, or a drop");
            let ty = contract.resolve.interfaces[id].types.get(resource).expect("a resource of the interface");
            assert!(matches!(contract.resolve.types[*ty].kind, TypeDefKind::Resource), "{resource} is no resource");
            "(param i32)".to_owned()
        }
    };
    format!("(import \"{name}\" \"{function}\" (func ${} {signature}))\n", plain(function))
}

/// A name as it can stand in text after a `$`.
pub fn plain(name: &str) -> String {
    name.replace(['[', ']'], "_").trim_matches('_').to_owned()
}

/// A component with further core modules, instantiated so many times each, after all that it has.
pub fn append(component: &[u8], modules: &[(&str, u32)]) -> Vec<u8> {
    let parse = |text: &str| wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"));
    let modules: Vec<(Vec<u8>, u32)> = modules.iter().map(|(text, times)| (parse(text), *times)).collect();
    append_modules(component, &modules)
}

/// The same, with modules that are no text.
pub fn append_modules(component: &[u8], modules: &[(Vec<u8>, u32)]) -> Vec<u8> {
    let mut bytes = component.to_vec();
    let mut instances = InstanceSection::new();
    for (index, (module, times)) in (core_modules(component)..).zip(modules) {
        // Section 1: a core module.
        RawSection { id: 1, data: module }.append_to_component(&mut bytes);
        for _ in 0..*times {
            instances.instantiate(index, std::iter::empty::<(&str, ModuleArg)>());
        }
    }
    instances.append_to_component(&mut bytes);
    bytes
}

/// How many core modules a component holds, those of components within it apart.
fn core_modules(component: &[u8]) -> u32 {
    let (mut count, mut depth) = (0, 0_u32);
    for payload in Parser::new(0).parse_all(component) {
        match payload.expect("the component is well-formed") {
            Payload::ModuleSection { .. } => {
                count += u32::from(depth == 0);
                depth += 1;
            }
            Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    count
}
