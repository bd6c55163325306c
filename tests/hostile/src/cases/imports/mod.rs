//! Every function that the host offers, called by a component of its own, generated from the contract: each call is counted,
//! decided about and on record as what it is. A function that works on a handle is called with one, the answer of a server
//! included; where no guest can hold one, the engine itself refuses the call, and `handles` says why.

mod handles;
mod records;

use autodevops_model::Stage;
use autodevops_policy::{Access, Limit};
use wit_parser::{Function, Handle, InterfaceId, Type, TypeDefKind, TypeId, abi::AbiVariant};

use self::{
    handles::{NEVER_HELD, SERVER_KEY, calls_for, with_handles},
    records::Shown,
};
use crate::{
    case::{Case, Ending, Terms},
    component::{Contract, Wat, core_type, plain},
    server,
};

/// Interfaces that are granted, and denied until they are. What gives a handle is denied; who has none can call no more.
const GRANTED: &[&str] = &[
    "autodevops:host/command",
    "autodevops:host/mail",
    "autodevops:host/runtime",
    "autodevops:host/traffic",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:http/outgoing-handler",
    "wasi:keyvalue/store",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
];

/// Interfaces that are never granted.
const NEVER: &[&str] = &[
    "wasi:cli/environment",
    "wasi:sockets/instance-network",
    "wasi:sockets/ip-name-lookup",
    "wasi:sockets/tcp-create-socket",
    "wasi:sockets/udp-create-socket",
];

/// Whom the guests write to.
const RECIPIENT: &str = "ada@example.com";

/// All of them.
pub fn cases() -> Vec<Case> {
    let contract = Contract::get();
    let offered = contract.imports(Stage::Check);
    offered.iter().flat_map(|(name, id)| of_interface(contract, unversioned(name), *id)).collect()
}

/// An interface's name without its version.
fn unversioned(name: &str) -> &str {
    name.split('@').next().unwrap_or(name)
}

fn of_interface(contract: &Contract, interface: &str, id: InterfaceId) -> Vec<Case> {
    calls(contract, interface, id).iter().flat_map(|call| [Some(call.counted()), call.denied()]).flatten().collect()
}

/// A call of each function of an interface, the drops of its resources included.
fn calls(contract: &Contract, interface: &str, id: InterfaceId) -> Vec<Call> {
    let items = &contract.resolve.interfaces[id];
    let functions =
        items.functions.iter().map(|(name, function)| Call::of_function(contract, interface, name, function));
    let resources =
        items.types.iter().filter(|(_, ty)| matches!(contract.resolve.types[**ty].kind, TypeDefKind::Resource));
    functions.chain(resources.map(|(name, _)| Call::of_drop(interface, name))).collect()
}

/// A guest that calls one function.
struct Call {
    interface: String,
    function: String,
    guest: Wat,
    /// Handles that it is called with.
    handles: Vec<String>,
}

impl Call {
    fn of_function(contract: &Contract, interface: &str, name: &str, function: &Function) -> Self {
        let mut handles = Vec::new();
        let code = match (interface, name) {
            // Only a request that names where it is to go is decided about.
            ("wasi:http/outgoing-handler", "handle") => {
                handles.push("request-to-the-server".to_owned());
                "(call $handle (call $a-request-to-the-server) (i32.const 0) (i32.const 0) (i32.const 4096))".to_owned()
            }
            // It is decided about by whom it goes to.
            ("autodevops:host/mail", "send") => {
                "(i32.store (i32.const 1280) (i32.const 1300)) (i32.store (i32.const 1284) (i32.const 15))
                 (call $send (i32.const 1300) (i32.const 3) (i32.const 1280) (i32.const 1) (i32.const 1300) (i32.const 3)
                     (i32.const 1300) (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 4096))"
                    .to_owned()
            }
            // A list that is empty is refused by the engine's own rules.
            ("wasi:io/poll", "poll") => {
                handles.push("pollable".to_owned());
                "(i32.store (i32.const 1280) (call $a-pollable))
                 (call $poll (i32.const 1280) (i32.const 1) (i32.const 4096))"
                    .to_owned()
            }
            _ => plain_call(contract, name, function, &mut handles),
        };
        Self::new(interface, name, handles, &code)
    }

    fn of_drop(interface: &str, resource: &str) -> Self {
        let name = format!("[resource-drop]{resource}");
        let mut handles = Vec::new();
        let handle = handle(resource, &mut handles);
        Self::new(interface, &name, handles, &format!("(call ${} {handle})", plain(&name)))
    }

    fn new(interface: &str, function: &str, handles: Vec<String>, code: &str) -> Self {
        let guest = Wat::check(&format!("{code} (call $passed)")).import(interface, function);
        let guest = with_handles(guest, &handles).with(&format!("(data (i32.const 1300) \"{RECIPIENT}\")"));
        Self { interface: interface.to_owned(), function: function.to_owned(), guest, handles }
    }

    fn name(&self) -> String {
        format!("{} {}", self.interface, self.function)
    }

    /// Host calls before it, for its handles; none where it has none of those that it needs.
    fn before(&self) -> Option<u32> {
        self.handles.iter().map(|resource| calls_for(resource)).sum()
    }

    /// Whether nobody is ever granted it.
    fn is_never_granted(&self) -> bool {
        NEVER.contains(&self.interface.as_str())
    }

    /// What is denied whatever is granted: on the way to its handles, and itself.
    fn always_denied(&self) -> (Vec<Shown>, Vec<Shown>) {
        let network = self.handles.iter().any(|handle| handle == "network");
        let before =
            if network { records::of("wasi:sockets/instance-network", "instance-network") } else { Vec::new() };
        let own = if self.is_never_granted() { self.shown() } else { Vec::new() };
        let all = [before.as_slice(), own.as_slice()].concat();
        (before, all)
    }

    /// As what it stands on record: what it asks for, in order.
    fn shown(&self) -> Vec<Shown> {
        records::of(&self.interface, &self.function)
    }

    /// With no host calls left, it is denied and on record; with some, it is on record as allowed, where it is ever granted.
    fn counted(&self) -> Case {
        let Some(calls) = self.before() else { return self.never_held() };
        let (mut denied, always) = self.always_denied();
        let shown = self.shown();
        denied.extend(shown.first().cloned());
        let allowed = if self.is_never_granted() { Vec::new() } else { shown };
        Case::new(
            format!("{}, with no host calls left", self.name()),
            "one-chokepoint",
            self.guest.clone(),
            Ending::Over(Limit::HostCalls),
        )
        .given(everything)
        .held(move |terms| terms.limits().host_calls = calls)
        .and(move |attempt| records::are(attempt, &denied, &[]))
        .raised(|_| {}, self.allowed())
        .and_raised(move |attempt| records::are(attempt, &always, &allowed))
    }

    /// How the guest ends where the function is allowed.
    fn allowed(&self) -> Ending {
        match self.interface.as_str() {
            "wasi:cli/exit" => Ending::Traps("it ended itself with exit code 0"),
            _ => Ending::Says("done".into()),
        }
    }

    /// It has no handle to call it with, and why: the engine refuses it, and the host is not asked.
    fn never_held(&self) -> Case {
        let why = NEVER_HELD.iter().find(|(resource, _)| self.handles.iter().any(|handle| handle == resource));
        let why = why.map_or("for no reason", |(_, why)| why);
        let (before, _) = self.always_denied();
        let name = format!("{}, without a handle: {why}", self.name());
        Case::new(name, "one-chokepoint", self.guest.clone(), Ending::Traps("unknown handle index"))
            .given(everything)
            .and(move |attempt| {
                records::are(attempt, &before, &[])?;
                let asked = attempt.reports.iter().flat_map(|report| &report.records).count();
                if asked == before.len() { Ok(()) } else { Err(format!("the host was asked {asked} times")) }
            })
            .mended(Wat::check("(call $passed)"))
    }

    /// Where it is something to be granted: without the grant it is denied and on record; with it, it is allowed.
    fn denied(&self) -> Option<Case> {
        let of_a_handle = self.function.starts_with("[method]") || self.function.starts_with("[resource-drop]");
        let granted = GRANTED.contains(&self.interface.as_str());
        if of_a_handle || !(granted || self.is_never_granted()) {
            return None;
        }
        let name = format!("{}, not granted", self.name());
        let ending = match self.function.as_str() {
            // A wait cannot be told no.
            "subscribe-instant" | "subscribe-duration" => Ending::Denied("the clock"),
            _ => Ending::Says("done".into()),
        };
        let case = Case::new(name, "one-chokepoint", self.guest.clone(), ending);
        let shown = self.shown();
        Some(if granted {
            let denied: Vec<Shown> = shown.last().cloned().into_iter().collect();
            case.given(configured)
                .and(move |attempt| records::are(attempt, &denied, &[]))
                .raised(everything, self.allowed())
                .and_raised(move |attempt| records::are(attempt, &[], &shown))
        } else {
            let (_, always) = self.always_denied();
            // No grant helps: the guest that does not ask is denied nothing.
            case.given(everything)
                .and(move |attempt| records::are(attempt, &always, &[]))
                .mended(Wat::check("(call $passed)"))
                .and_raised(|attempt| records::are(attempt, &[], &[]))
        })
    }
}

/// A call with zeroes, but for the handles.
fn plain_call(contract: &Contract, name: &str, function: &Function, handles: &mut Vec<String>) -> String {
    let signature = contract.resolve.wasm_signature(AbiVariant::GuestImport, function);
    let mut arguments: Vec<String> = if signature.indirect_params {
        // Below what the host asks for there are only zeroes; where that would be a handle, it is none.
        let resources = function.params.iter().filter_map(|param| resource(contract, &param.ty));
        handles.extend(resources);
        vec!["(i32.const 16384)".to_owned()]
    } else {
        function.params.iter().flat_map(|param| argument(contract, &param.ty, handles)).collect()
    };
    if signature.retptr {
        arguments.push("(i32.const 4096)".to_owned());
    }
    let results = "(drop)".repeat(signature.results.len());
    format!("(call ${} {}) {results}", plain(name), arguments.join(" "))
}

/// A parameter's arguments: a handle where it is one, else zeroes.
fn argument(contract: &Contract, ty: &Type, handles: &mut Vec<String>) -> Vec<String> {
    if let Some(name) = resource(contract, ty) {
        return vec![handle(&name, handles)];
    }
    let mut storage = [wit_parser::abi::WasmType::I32; 32];
    let mut flat = wit_parser::abi::FlatTypes::new(&mut storage);
    assert!(contract.resolve.push_flat(ty, &mut flat), "a parameter of more than 32 parts");
    flat.to_vec().into_iter().map(|ty| format!("({}.const 0)", core_type(ty))).collect()
}

/// A handle of a resource; zero, which is none, where no guest can hold one.
fn handle(resource: &str, handles: &mut Vec<String>) -> String {
    handles.push(resource.to_owned());
    match calls_for(resource) {
        Some(_) => format!("(call $a-{resource})"),
        None => "(i32.const 0)".to_owned(),
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

/// Where the server is, which grants nothing.
fn configured(terms: &mut Terms) {
    terms.config.insert(SERVER_KEY.to_owned(), server::address().to_string());
}

/// All that can be granted.
fn everything(terms: &mut Terms) {
    configured(terms);
    terms.grant.clocks = true;
    terms.grant.random = true;
    terms.grant.keyvalue = true;
    terms.grant.local_target = true;
    // As the generated guests call it: a name of nothing but zeroes.
    terms.grant.commands.insert(String::new());
    terms.grant.mail = RECIPIENT.parse().into_iter().collect();
    terms.grant_folder("/data", Access::ReadWrite);
    terms.grant_origin(&server::origin());
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use autodevops_sandbox::Interfaces;

    use super::*;

    /// Interfaces whose functions are the plugin's own affair: they are decided about, and never denied but by a limit.
    const OWN_AFFAIR: &[&str] = &[
        "autodevops:host/log",
        "autodevops:host/usage",
        "wasi:cli/exit",
        "wasi:cli/stderr",
        "wasi:cli/stdin",
        "wasi:cli/stdout",
        "wasi:cli/terminal-input",
        "wasi:cli/terminal-output",
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

    /// Interfaces without functions: types alone.
    const TYPES_ALONE: &[&str] = &["autodevops:types/types"];

    /// Interfaces of the contract's packages that no guest is offered.
    const NOT_OFFERED: &[&str] = &["wasi:cli/run", "wasi:clocks/timezone", "wasi:http/incoming-handler"];

    #[test]
    fn every_interface_of_every_world_is_offered_to_the_generated_guests() {
        let contract = Contract::get();
        let offered: BTreeSet<String> = contract.imports(Stage::Check).into_iter().map(|(name, _)| name).collect();
        for stage in Stage::ALL {
            for (name, _) in contract.imports(stage) {
                assert!(offered.contains(&name), "{stage} imports {name}");
            }
        }
        for (id, interface) in contract.resolve.interfaces.iter() {
            let Some(name) = contract.resolve.id_of(id) else { continue };
            let exported = interface.name.as_deref().is_some_and(|name| name.parse::<Stage>().is_ok());
            let known = exported || NOT_OFFERED.contains(&unversioned(&name)) || offered.contains(&name);
            assert!(known, "{name} is in the contract, and no guest is offered it");
        }
    }

    #[test]
    fn the_host_takes_the_interfaces_that_the_generated_guests_call_and_no_other() {
        let offered = Contract::get().imports(Stage::Check);
        let offered: BTreeSet<&str> = offered.iter().map(|(name, _)| unversioned(name)).collect();
        assert_eq!(Interfaces::OFFERED.iter().copied().collect::<BTreeSet<_>>(), offered);
    }

    #[test]
    fn every_interface_is_the_plugins_own_affair_or_granted_or_never_granted() {
        for (name, id) in Contract::get().imports(Stage::Check) {
            let lists = [OWN_AFFAIR, GRANTED, NEVER, TYPES_ALONE];
            let found = lists.iter().filter(|list| list.contains(&unversioned(&name))).count();
            assert_eq!(found, 1, "{name}");
            let functions = Contract::get().resolve.interfaces[id].functions.len();
            assert!(!TYPES_ALONE.contains(&unversioned(&name)) || functions == 0, "{name}");
        }
    }

    #[test]
    fn every_function_is_called_with_the_handles_it_needs_or_can_never_have_one() {
        let contract = Contract::get();
        let mut never_held = BTreeSet::new();
        let mut called = 0;
        for (name, id) in contract.imports(Stage::Check) {
            for call in calls(contract, unversioned(&name), id) {
                let missing = call.handles.iter().find(|resource| calls_for(resource).is_none());
                match missing {
                    None => called += 1,
                    Some(resource) => {
                        let reason = NEVER_HELD.iter().find(|(never, _)| never == resource);
                        assert!(reason.is_some(), "{} is called without a {resource}, for no reason", call.name());
                        never_held.insert(resource.clone());
                    }
                }
            }
        }
        let named: BTreeSet<String> = NEVER_HELD.iter().map(|(resource, _)| (*resource).to_owned()).collect();
        assert_eq!(never_held, named);
        assert!(called > 150, "{called}");
    }

    #[test]
    fn every_function_has_a_case_that_denies_it_and_names_what_it_is_on_record_as() {
        let contract = Contract::get();
        let cases: BTreeSet<String> = cases().into_iter().map(|case| case.name).collect();
        for (name, id) in contract.imports(Stage::Check) {
            let interface = unversioned(&name);
            let items = &contract.resolve.interfaces[id];
            let resources =
                items.types.iter().filter(|(_, ty)| matches!(contract.resolve.types[**ty].kind, TypeDefKind::Resource));
            let drops = resources.map(|(resource, _)| format!("[resource-drop]{resource}"));
            for function in items.functions.keys().cloned().chain(drops) {
                assert!(!records::of(interface, &function).is_empty(), "{interface} {function}");
                let ways = [", with no host calls left", ", without a handle: "]
                    .map(|way| format!("{interface} {function}{way}"));
                let found = cases.iter().filter(|case| ways.iter().any(|way| case.starts_with(way))).count();
                assert_eq!(found, 1, "{interface} {function}");
            }
        }
    }
}
