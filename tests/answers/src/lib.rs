//! Plugins whose answers are fixed: components of the contract's own types, made from values as they are in JSON. They are for tests, which
//! say what is wrong by panics.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::missing_panics_doc)]

use std::{fmt::Write as _, path::Path, sync::OnceLock};

use autodevops_model::Stage;
use serde_json::{Value, json};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{
    Function, FunctionKind, Int, InterfaceId, PackageId, Resolve, SizeAlign, Type, TypeDefKind, WorldId, WorldItem,
    abi::{AbiVariant, WasmType},
};

/// Where answers are in a plugin's memory, and where what it is told is put: no plugin here answers with more than 60 KiB.
const ANSWERS: usize = 1024;
const HEAP: usize = 65_536;

/// What stands for no answer.
const NEVER: &str = "(never)";

/// What a plugin answers.
#[derive(Clone)]
pub struct Answer {
    function: &'static str,
    /// The text that it is the answer to, and the first of the core values that the text is told by; none: to any other.
    of: Option<(u32, String)>,
    value: Value,
}

/// What a function, such as `describe` or `[method]session.push`, answers: a value, or `{"err": {KIND: {"message": …, "details": []}}}`.
/// What is left out of a record is none.
pub fn answer(function: &'static str, value: Value) -> Answer {
    Answer { function, of: None, value }
}

/// What a function answers where its first argument is this text; it comes before [`answer`].
pub fn answer_to(function: &'static str, of: &str, value: Value) -> Answer {
    Answer { function, of: Some((0, of.to_owned())), value }
}

/// No answer: the function goes on for ever.
pub fn never(function: &'static str) -> Answer {
    Answer { function, of: None, value: NEVER.into() }
}

/// An error as an answer.
pub fn refusal(kind: &str, message: &str) -> Value {
    json!({ "err": { kind: { "message": message, "details": [] } } })
}

impl Answer {
    /// The same where a later text is so. A text takes two core values, and a number or a name of several one; a record takes those of its
    /// fields.
    #[must_use]
    pub fn where_text(self, first_core_value: u32) -> Self {
        Self { of: self.of.map(|(_, text)| (first_core_value, text)), ..self }
    }

    /// With this text in the place of that one, wherever it is.
    pub fn with(&self, old: &str, new: &str) -> Self {
        let text = serde_json::to_string(&self.value).unwrap().replace(old, new);
        Self { value: serde_json::from_str(&text).unwrap(), ..self.clone() }
    }
}

/// The component of a plugin for a stage that answers so; a function without an answer traps.
pub fn component(stage: Stage, answers: &[Answer]) -> Vec<u8> {
    let contract = Contract::get();
    let world = contract.world(stage);
    let (name, interface) = contract.exported(world);
    let mut memory = Memory::new(&contract.resolve);
    let (mut imports, mut functions) = (String::new(), String::new());
    for (function, of) in &contract.resolve.interfaces[interface].functions {
        let own: Vec<&Answer> = answers.iter().filter(|answer| answer.function == function).collect();
        let body = match of.kind {
            // Sessions and the like know nothing, so that they may all be one.
            FunctionKind::Constructor(id) => {
                let resource = contract.resolve.types[id].name.as_deref().unwrap();
                let new = format!("(import \"[export]{name}\" \"[resource-new]{resource}\"");
                writeln!(imports, "{new} (func $new-{resource} (param i32) (result i32)))").unwrap();
                format!("(call $new-{resource} (i32.const 1))")
            }
            _ => body(&mut memory, of, &own),
        };
        let signature = contract.resolve.wasm_signature(AbiVariant::GuestExport, of);
        let list = |word: &str, types: &[WasmType]| {
            types.iter().fold(String::new(), |text, ty| format!("{text} ({word} {})", core_type(*ty)))
        };
        let (parameters, results) = (list("param", &signature.params), list("result", &signature.results));
        writeln!(functions, "(func (export \"{name}#{function}\") {parameters} {results} {body})").unwrap();
    }
    let unknown =
        answers.iter().find(|answer| !contract.resolve.interfaces[interface].functions.contains_key(answer.function));
    assert!(unknown.is_none(), "{stage} has no function `{}`", unknown.unwrap().function);
    assert!(ANSWERS + memory.bytes.len() <= HEAP, "the answers do not fit");
    let data = memory.bytes.iter().fold(String::new(), |text, byte| format!("{text}\\{byte:02x}"));
    let module = format!(
        "(module {imports} (memory (export \"memory\") 8) (global $heap (mut i32) (i32.const {HEAP}))
         (data (i32.const {ANSWERS}) \"{data}\") {SUPPORT} {functions})"
    );
    let mut module = wat::parse_str(module).unwrap();
    embed_component_metadata(&mut module, &contract.resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().validate(true).module(&module).unwrap().encode().unwrap()
}

/// Room for what the plugin is told, which it never gives back; and whether a text is another.
const SUPPORT: &str = "
    (func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) (local $at i32)
        (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
        (global.set $heap (i32.add (local.get $at) (local.get 3)))
        (local.get $at))
    (func $is (param $at i32) (param $length i32) (param $other i32) (param $others i32) (result i32)
        (if (i32.ne (local.get $length) (local.get $others)) (then (return (i32.const 0))))
        (loop $next
            (if (i32.eqz (local.get $length)) (then (return (i32.const 1))))
            (local.set $length (i32.sub (local.get $length) (i32.const 1)))
            (br_if $next (i32.eq
                (i32.load8_u (i32.add (local.get $at) (local.get $length)))
                (i32.load8_u (i32.add (local.get $other) (local.get $length))))))
        (i32.const 0))";

/// What a function does: it gives the address of its answer.
fn body(memory: &mut Memory<'_>, function: &Function, answers: &[&Answer]) -> String {
    let (mut cases, mut otherwise) = (String::new(), None);
    for answer in answers {
        if answer.value == NEVER {
            otherwise.get_or_insert_with(|| "(loop $ever (br $ever)) (unreachable)".to_owned());
            continue;
        }
        let at = memory.answer(&function.result.unwrap(), &answer.value);
        match &answer.of {
            Some((first, of)) => {
                let (text, length) = memory.text(of);
                let second = first + 1;
                write!(
                    cases,
                    "(if (call $is (local.get {first}) (local.get {second}) (i32.const {text}) (i32.const {length})) (then (return (i32.const {at}))))"
                )
                .unwrap();
            }
            // The first that is given is the answer: what a test says comes before what is usual.
            None => {
                otherwise.get_or_insert_with(|| format!("(i32.const {at})"));
            }
        }
    }
    cases + otherwise.as_deref().unwrap_or("(unreachable)")
}

const fn core_type(ty: WasmType) -> &'static str {
    match ty {
        WasmType::I32 | WasmType::Pointer | WasmType::Length => "i32",
        WasmType::I64 | WasmType::PointerOrI64 => "i64",
        WasmType::F32 => "f32",
        WasmType::F64 => "f64",
    }
}

/// The contract of this project, read once.
struct Contract {
    resolve: Resolve,
    package: PackageId,
}

impl Contract {
    fn get() -> &'static Self {
        static CONTRACT: OnceLock<Contract> = OnceLock::new();
        CONTRACT.get_or_init(|| {
            let mut resolve = Resolve::default();
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
            let (package, _) = resolve.push_dir(folder).unwrap();
            Self { resolve, package }
        })
    }

    fn world(&self, stage: Stage) -> WorldId {
        self.resolve.packages[self.package].worlds[&format!("{}-plugin", stage.name())]
    }

    fn exported(&self, world: WorldId) -> (String, InterfaceId) {
        let mut exports = self.resolve.worlds[world].exports.iter();
        let interface = |(key, item): (_, &WorldItem)| match item {
            WorldItem::Interface { id, .. } => Some((self.resolve.name_world_key(key), *id)),
            WorldItem::Function(_) | WorldItem::Type { .. } => None,
        };
        exports.find_map(interface).unwrap()
    }
}

/// Values as the canonical ABI lays them out.
struct Memory<'a> {
    resolve: &'a Resolve,
    sizes: SizeAlign,
    /// From [`ANSWERS`] on.
    bytes: Vec<u8>,
}

impl<'a> Memory<'a> {
    fn new(resolve: &'a Resolve) -> Self {
        let mut sizes = SizeAlign::default();
        sizes.fill(resolve);
        Self { resolve, sizes, bytes: Vec::new() }
    }

    /// Puts down what a function gives; its address.
    fn answer(&mut self, ty: &Type, value: &Value) -> usize {
        let at = self.room(self.size(ty));
        let done = if value.get("err").is_some() { value.clone() } else { json!({ "ok": value }) };
        self.put(at, ty, &done);
        ANSWERS + at
    }

    /// Puts down a text; its address and length.
    fn text(&mut self, text: &str) -> (usize, usize) {
        let at = self.room(text.len());
        self.bytes[at..at + text.len()].copy_from_slice(text.as_bytes());
        (ANSWERS + at, text.len())
    }

    /// Room of so many bytes, where anything may stand.
    fn room(&mut self, size: usize) -> usize {
        let at = self.bytes.len().next_multiple_of(8);
        self.bytes.resize(at + size, 0);
        at
    }

    fn size(&self, ty: &Type) -> usize {
        self.sizes.size(ty).size_wasm32()
    }

    fn number(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn pointer(&mut self, at: usize, (address, length): (usize, usize)) {
        self.number(at, &u32::try_from(address).unwrap().to_le_bytes());
        self.number(at + 4, &u32::try_from(length).unwrap().to_le_bytes());
    }

    fn put(&mut self, at: usize, ty: &Type, value: &Value) {
        match ty {
            Type::Bool => self.number(at, &[u8::from(value.as_bool().unwrap())]),
            Type::U8 => self.number(at, &[u8::try_from(value.as_u64().unwrap()).unwrap()]),
            Type::U32 => self.number(at, &u32::try_from(value.as_u64().unwrap()).unwrap().to_le_bytes()),
            Type::U64 => self.number(at, &value.as_u64().unwrap().to_le_bytes()),
            Type::S64 => self.number(at, &value.as_i64().unwrap().to_le_bytes()),
            Type::F64 => self.number(at, &value.as_f64().unwrap().to_le_bytes()),
            Type::String => {
                let text = self.text(value.as_str().unwrap_or_else(|| panic!("{value} is no text")));
                self.pointer(at, text);
            }
            Type::Id(id) => self.put_composed(at, &self.resolve.types[*id].kind, value),
            other => panic!("no answer has a {other:?}"),
        }
    }

    fn put_composed(&mut self, at: usize, kind: &TypeDefKind, value: &Value) {
        match kind {
            TypeDefKind::Type(ty) => self.put(at, ty, value),
            TypeDefKind::Record(record) => {
                let types: Vec<Type> = record.fields.iter().map(|field| field.ty).collect();
                let values = record.fields.iter().map(|field| value.get(&field.name).unwrap_or(&Value::Null));
                self.put_each(at, &types, values);
            }
            TypeDefKind::Tuple(tuple) => self.put_each(at, &tuple.types, value.as_array().unwrap()),
            TypeDefKind::List(ty) => {
                let (values, size) = (value.as_array().unwrap(), self.size(ty));
                let first = self.room(size * values.len());
                values.iter().enumerate().for_each(|(index, value)| self.put(first + index * size, ty, value));
                self.pointer(at, (ANSWERS + first, values.len()));
            }
            TypeDefKind::Enum(of) => {
                let index = of.cases.iter().position(|case| Some(case.name.as_str()) == value.as_str());
                self.number(at, &[u8::try_from(index.unwrap()).unwrap()]);
            }
            TypeDefKind::Option(ty) => {
                let given = Some((1, Some(ty), value)).filter(|_| !value.is_null());
                self.put_case(at, &[None, Some(*ty)], given.unwrap_or((0, None, value)));
            }
            TypeDefKind::Result(of) => {
                let (index, ty, value) = match (value.get("ok"), value.get("err")) {
                    (Some(ok), _) => (0, of.ok.as_ref(), ok),
                    (None, error) => (1, of.err.as_ref(), error.unwrap()),
                };
                self.put_case(at, &[of.ok, of.err], (index, ty, value));
            }
            TypeDefKind::Variant(variant) => {
                let (name, payload) = match value {
                    Value::Object(one) => one.iter().next().map(|(name, value)| (name.as_str(), value)).unwrap(),
                    name => (name.as_str().unwrap(), value),
                };
                let index = variant.cases.iter().position(|case| case.name == name).unwrap();
                let types: Vec<Option<Type>> = variant.cases.iter().map(|case| case.ty).collect();
                self.put_case(at, &types, (index, types[index].as_ref(), payload));
            }
            other => panic!("no answer has a {}", other.as_str()),
        }
    }

    fn put_each<'v>(&mut self, at: usize, types: &[Type], values: impl IntoIterator<Item = &'v Value>) {
        for ((offset, ty), value) in self.sizes.field_offsets(types).into_iter().zip(values) {
            self.put(at + offset.size_wasm32(), ty, value);
        }
    }

    fn put_case(&mut self, at: usize, types: &[Option<Type>], (index, ty, value): (usize, Option<&Type>, &Value)) {
        let offset = self.sizes.payload_offset(Int::U8, types.iter().map(Option::as_ref)).size_wasm32();
        self.number(at, &[u8::try_from(index).unwrap()]);
        if let Some(ty) = ty {
            self.put(at + offset, ty, value);
        }
    }
}
