//! Every function that the host offers, called by a component of its own, generated from the contract: each call is counted,
//! decided about and on record, whatever it is. A function that works on a handle is called with one where a guest can have
//! one; with none, the engine itself refuses the call.

use autodevops_model::Stage;
use autodevops_policy::{Access, Limit};
use wit_parser::{Function, Handle, InterfaceId, Type, TypeDefKind, TypeId, abi::AbiVariant};

use crate::{
    case::{Attempt, Case, Ending, Terms},
    component::{Contract, Wat, core_type},
};

/// Interfaces whose functions are the plugin's own affair: they are decided about, and never denied but by a limit.
const OWN_AFFAIR: &[&str] = &[
    "autodevops:host/log",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:config/store",
    "wasi:filesystem/types",
    "wasi:http/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:sockets/network",
    "wasi:sockets/tcp",
    "wasi:sockets/udp",
];

/// Interfaces that are never granted.
const NEVER: &[&str] = &[
    "wasi:cli/environment",
    "wasi:sockets/instance-network",
    "wasi:sockets/ip-name-lookup",
    "wasi:sockets/tcp-create-socket",
    "wasi:sockets/udp-create-socket",
];

/// How a guest comes by a handle: the functions that it needs for it, in the order of their calls, and how it calls them.
struct Recipe {
    imports: &'static [(&'static str, &'static str)],
    code: &'static str,
}

const FIELDS: (&str, &str) = ("wasi:http/types", "[constructor]fields");
const REQUEST: (&str, &str) = ("wasi:http/types", "[constructor]outgoing-request");
const STDOUT: (&str, &str) = ("wasi:cli/stdout", "get-stdout");

/// The recipe for a resource's handle; none where no guest can have one.
fn recipe(resource: &str) -> Option<Recipe> {
    let (imports, code): (&'static [(&'static str, &'static str)], _) = match resource {
        "output-stream" => (&[STDOUT], "(call $get-stdout)"),
        "input-stream" => (&[("wasi:cli/stdin", "get-stdin")], "(call $get-stdin)"),
        "pollable" => (
            &[STDOUT, ("wasi:io/streams", "[method]output-stream.subscribe")],
            "(call $method_output-stream.subscribe (call $get-stdout))",
        ),
        "fields" => (&[FIELDS], "(call $constructor_fields)"),
        "outgoing-request" => (&[FIELDS, REQUEST], "(call $constructor_outgoing-request (call $constructor_fields))"),
        "outgoing-response" => (
            &[FIELDS, ("wasi:http/types", "[constructor]outgoing-response")],
            "(call $constructor_outgoing-response (call $constructor_fields))",
        ),
        "request-options" => {
            (&[("wasi:http/types", "[constructor]request-options")], "(call $constructor_request-options)")
        }
        "outgoing-body" => (
            &[FIELDS, REQUEST, ("wasi:http/types", "[method]outgoing-request.body")],
            "(block (result i32)
                (call $method_outgoing-request.body
                    (call $constructor_outgoing-request (call $constructor_fields)) (i32.const 2048))
                (i32.load offset=4 (i32.const 2048)))",
        ),
        "network" => (&[("wasi:sockets/instance-network", "instance-network")], "(call $instance-network)"),
        "descriptor" => (
            &[("wasi:filesystem/preopens", "get-directories")],
            "(block (result i32)
                (call $get-directories (i32.const 2048)) (i32.load (i32.load (i32.const 2048))))",
        ),
        "directory-entry-stream" => (
            &[
                ("wasi:filesystem/preopens", "get-directories"),
                ("wasi:filesystem/types", "[method]descriptor.read-directory"),
            ],
            "(block (result i32)
                (call $get-directories (i32.const 2048))
                (call $method_descriptor.read-directory (i32.load (i32.load (i32.const 2048))) (i32.const 2048))
                (i32.load offset=4 (i32.const 2048)))",
        ),
        "bucket" => (
            &[("wasi:keyvalue/store", "open")],
            "(block (result i32)
                (call $open (i32.const 0) (i32.const 0) (i32.const 2048)) (i32.load offset=4 (i32.const 2048)))",
        ),
        _ => return None,
    };
    Some(Recipe { imports, code })
}

/// All of them.
pub fn cases() -> Vec<Case> {
    let contract = Contract::get();
    let offered = contract.imports(Stage::Check);
    offered.iter().flat_map(|(name, id)| of_interface(contract, name.split('@').next().unwrap_or(name), *id)).collect()
}

fn of_interface(contract: &Contract, interface: &str, id: InterfaceId) -> Vec<Case> {
    let items = &contract.resolve.interfaces[id];
    let mut cases = Vec::new();
    for (name, function) in &items.functions {
        let call = Call::of(contract, interface, name, function);
        cases.push(call.counted());
        cases.extend(call.denied());
    }
    for (name, ty) in &items.types {
        if matches!(contract.resolve.types[*ty].kind, TypeDefKind::Resource) {
            cases.push(Call::of_drop(interface, name).counted());
        }
    }
    cases
}

/// A guest that calls one function.
struct Call {
    interface: String,
    function: String,
    guest: Wat,
    /// Host calls before it, for its handles; none where it has none of those that it needs.
    before: Option<u32>,
}

impl Call {
    fn of(contract: &Contract, interface: &str, name: &str, function: &Function) -> Self {
        let signature = contract.resolve.wasm_signature(AbiVariant::GuestImport, function);
        let mut guest = Needs::default();
        let mut arguments: Vec<String> = if signature.indirect_params {
            // Below what the host asks for there are only zeroes.
            vec!["(i32.const 16384)".to_owned()]
        } else {
            function.params.iter().flat_map(|param| guest.argument(contract, &param.ty)).collect()
        };
        if signature.indirect_params && function.params.iter().any(|param| resource(contract, &param.ty).is_some()) {
            guest.missing = true;
        }
        if signature.retptr {
            arguments.push("(i32.const 4096)".to_owned());
        }
        if interface == "wasi:http/outgoing-handler" {
            return Self::of_request(name);
        }
        let results = "(drop)".repeat(signature.results.len());
        let called = format!("(call ${} {})", plain(name), arguments.join(" "));
        guest.call(interface, name, &format!("{called} {results}"))
    }

    /// A request that names where it is to go: only such a one is decided about.
    fn of_request(name: &str) -> Self {
        let mut guest = Needs::default();
        let request = guest.handle("outgoing-request");
        for function in ["[method]outgoing-request.set-authority", "[method]outgoing-request.set-path-with-query"] {
            guest.imports.push(("wasi:http/types", function));
            guest.calls += 1;
        }
        let mut call = guest.call(
            "wasi:http/outgoing-handler",
            name,
            &format!(
                "(local $request i32) (local.set $request {request})
                 (drop (call $method_outgoing-request.set-authority
                    (local.get $request) (i32.const 1) (i32.const 1088) (i32.const 4)))
                 (drop (call $method_outgoing-request.set-path-with-query
                    (local.get $request) (i32.const 1) (i32.const 1200) (i32.const 1)))
                 (call $handle (local.get $request) (i32.const 0) (i32.const 0) (i32.const 4096))"
            ),
        );
        call.guest = call.guest.with("(data (i32.const 1200) \"/\")");
        call
    }

    fn of_drop(interface: &str, resource: &str) -> Self {
        let mut guest = Needs::default();
        let handle = guest.handle(resource);
        let name = format!("[resource-drop]{resource}");
        guest.call(interface, &name, &format!("(call ${} {handle})", plain(&name)))
    }

    /// With no host calls left, it is denied and on record; with some, it is not denied so.
    fn counted(&self) -> Case {
        let name = format!("{} {}", self.interface, self.function);
        let Some(before) = self.before else {
            let name = format!("{name}, without a handle");
            return Case::new(name, "one-chokepoint", self.guest.clone(), Ending::Traps("unknown handle index"))
                .given(everything)
                .mended(Wat::check("(call $passed)"));
        };
        Case::new(
            format!("{name}, with no host calls left"),
            "one-chokepoint",
            self.guest.clone(),
            Ending::Over(Limit::HostCalls),
        )
        .given(everything)
        .held(move |terms| terms.limits().host_calls = before)
        .and(|attempt| recorded(attempt, false))
        .raised(|_| {}, Ending::NotOver(Limit::HostCalls))
    }

    /// Where it is something to be granted: without the grant it is denied and on record; with it, it is on record.
    fn denied(&self) -> Option<Case> {
        let acquires = self.before.is_some() && !self.function.starts_with("[method]");
        if !acquires || OWN_AFFAIR.contains(&self.interface.as_str()) {
            return None;
        }
        let name = format!("{} {}, not granted", self.interface, self.function);
        let case = Case::new(name, "one-chokepoint", self.guest.clone(), Ending::Whatever)
            .and(|attempt| recorded(attempt, false));
        Some(if NEVER.contains(&self.interface.as_str()) {
            case.mended(Wat::check("(call $passed)")).and_raised(|_| Ok(()))
        } else if self.interface == "wasi:http/outgoing-handler" {
            // A request to nowhere is granted by nobody.
            case.mended(Wat::check("(call $passed)")).and_raised(|_| Ok(()))
        } else {
            case.raised(everything, Ending::Whatever).and_raised(|attempt| recorded(attempt, true))
        })
    }
}

/// What a guest needs to call a function.
#[derive(Default)]
struct Needs {
    imports: Vec<(&'static str, &'static str)>,
    calls: u32,
    missing: bool,
}

impl Needs {
    fn handle(&mut self, resource: &str) -> String {
        let Some(recipe) = recipe(resource) else {
            self.missing = true;
            return "(i32.const 0)".to_owned();
        };
        self.imports.extend(recipe.imports);
        self.calls += u32::try_from(recipe.imports.len()).expect("recipes are short");
        recipe.code.to_owned()
    }

    /// A parameter's arguments: a handle where it is one, else zeroes.
    fn argument(&mut self, contract: &Contract, ty: &Type) -> Vec<String> {
        if let Some(name) = resource(contract, ty) {
            return vec![self.handle(&name)];
        }
        let mut storage = [wit_parser::abi::WasmType::I32; 32];
        let mut flat = wit_parser::abi::FlatTypes::new(&mut storage);
        assert!(contract.resolve.push_flat(ty, &mut flat), "a parameter of more than 32 parts");
        flat.to_vec().into_iter().map(|ty| format!("({}.const 0)", core_type(ty))).collect()
    }

    fn call(self, interface: &str, function: &str, code: &str) -> Call {
        let guest = Wat::check(&format!("{code} (call $passed)")).import(interface, function);
        let guest = self.imports.iter().fold(guest, |guest, (interface, function)| guest.import(interface, function));
        let before = (!self.missing).then_some(self.calls);
        Call { interface: interface.to_owned(), function: function.to_owned(), guest, before }
    }
}

/// The name of the resource that a type is a handle of.
fn resource(contract: &Contract, ty: &Type) -> Option<String> {
    let Type::Id(id) = ty else { return None };
    match &contract.resolve.types[*id].kind {
        TypeDefKind::Type(inner) => resource(contract, inner),
        TypeDefKind::Handle(Handle::Own(of) | Handle::Borrow(of)) => Some(original(contract, *of)),
        _ => None,
    }
}

fn original(contract: &Contract, id: TypeId) -> String {
    match &contract.resolve.types[id].kind {
        TypeDefKind::Type(Type::Id(of)) => original(contract, *of),
        _ => contract.resolve.types[id].name.clone().unwrap_or_default(),
    }
}

fn plain(name: &str) -> String {
    name.replace(['[', ']'], "_").trim_matches('_').to_owned()
}

/// All that can be granted.
fn everything(terms: &mut Terms) {
    terms.grant.clocks = true;
    terms.grant.random = true;
    terms.grant.keyvalue = true;
    terms.grant.local_target = true;
    terms.grant_folder("/data", Access::ReadWrite);
}

/// The last thing that the guest asked for is on record, allowed or denied.
fn recorded(attempt: &Attempt, allowed: bool) -> Result<(), String> {
    let records: Vec<_> = attempt.reports.iter().flat_map(|report| &report.records).collect();
    match records.last() {
        Some(last) if last.allowed == allowed => Ok(()),
        last => Err(format!("the last record is {last:?}")),
    }
}
