//! The host's functions as a guest sees them: every interface is linked, every acquisition asks the [`Authority`] first,
//! and what is allowed is done by `wasmtime-wasi`.
//!
//! [`Authority`]: crate::authority::Authority

mod cli;
mod command;
mod filesystem;
mod host;
mod http;
mod io;
mod mail;
mod metered;
pub(crate) mod refuse;
mod sockets;

pub use host::Bucket;

use autodevops_policy::{Denial, Limit, Operation};
use wasmtime::{
    Engine,
    component::{HasData, Linker, ResourceTable},
};
use wasmtime_wasi::{
    p2::bindings::{cli as wasi_cli, clocks, filesystem as wasi_filesystem, random, sockets as wasi_sockets},
    sockets::{WasiSockets, WasiSocketsCtxView},
};
use wasmtime_wasi_http::p2::bindings::http as wasi_http;
use wasmtime_wasi_io::bindings::wasi::io as wasi_io;

use crate::{
    bindings::{
        base::{
            autodevops::host::{command as operator_command, log, mail as host_mail, runtime, traffic, usage},
            wasi::config::store,
        },
        keyvalue::wasi::keyvalue::store as keyvalue,
    },
    guarded::refuse::Answer,
    guest::Guest,
    refusal::Refusal,
};

/// Interfaces that the host knows, without their versions.
pub const KNOWN: &[&str] = &[
    "autodevops:host/command",
    "autodevops:host/log",
    "autodevops:host/mail",
    "autodevops:host/runtime",
    "autodevops:host/traffic",
    "autodevops:host/usage",
    "autodevops:types/types",
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:config/store",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:http/outgoing-handler",
    "wasi:http/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:keyvalue/store",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
    "wasi:sockets/instance-network",
    "wasi:sockets/ip-name-lookup",
    "wasi:sockets/network",
    "wasi:sockets/tcp",
    "wasi:sockets/tcp-create-socket",
    "wasi:sockets/udp",
    "wasi:sockets/udp-create-socket",
];

/// A guest's state, borrowed for one host call.
pub struct Guarded<'a>(&'a mut Guest);

/// Marker by which the linker finds [`Guarded`].
pub struct HasGuarded;

impl HasData for HasGuarded {
    type Data<'a> = Guarded<'a>;
}

impl Guarded<'_> {
    fn authorize(&mut self, operation: Operation) -> Result<(), Denial> {
        self.0.authority().authorize(operation)
    }

    /// Denied quietly: the guest goes on with an empty answer. Asking too often still ends the call.
    fn allows(&mut self, operation: Operation) -> wasmtime::Result<bool> {
        match self.authorize(operation) {
            Ok(()) => Ok(true),
            Err(Denial::NotGranted { .. }) => Ok(false),
            Err(denial) => Err(denial.into()),
        }
    }

    /// Works on what was acquired before: counted only.
    fn using(&mut self, interface: &'static str, function: &'static str) -> Result<(), Denial> {
        self.0.authority().using(interface, function)
    }

    fn charge(&mut self, limit: Limit, amount: u64) -> Result<(), Denial> {
        self.0.authority().charge(limit, amount)
    }

    /// For a limit on each of many, which nothing is counted up for.
    fn at_most(&mut self, limit: Limit, amount: u64) -> Result<(), Denial> {
        self.0.authority().at_most(limit, amount)
    }

    fn passes(&mut self, bytes: usize) {
        self.0.authority().passes(bytes);
    }

    /// What the host call under way asked for is refused after all.
    fn refuses(&mut self, refusal: &Refusal) {
        self.0.authority().refuse(refusal);
    }

    /// Has an answer that is a refusal recorded as one, and gives it.
    pub(crate) fn tell<A: Answer>(&mut self, answer: A) -> A {
        if let Some(refusal) = answer.refusal() {
            self.refuses(&refusal);
        }
        answer
    }

    /// The guest's state.
    pub const fn guest(&mut self) -> &mut Guest {
        self.0
    }

    const fn table(&mut self) -> &mut ResourceTable {
        &mut self.0.table
    }
}

const fn guard(guest: &mut Guest) -> Guarded<'_> {
    Guarded(guest)
}

/// Sockets can be named and never made: no guest holds one, so that the engine refuses every call of their methods by the handle.
/// One that came here all the same would be on record, and would be the end of the call: what is given here cannot say no.
fn sockets(guest: &mut Guest) -> WasiSocketsCtxView<'_> {
    let authority = guest.authority();
    if let Err(denial) = authority.authorize(Operation::Socket("socket")) {
        authority.end(denial);
    }
    WasiSocketsCtxView { ctx: guest.wasi.sockets(), table: &mut guest.table }
}

/// All that the host offers, linked once.
pub fn linker(engine: &Engine) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    let l = &mut linker;
    let network = wasi_sockets::network::LinkOptions::default();
    let http = wasi_http::types::LinkOptions::default();

    wasi_io::error::add_to_linker::<Guest, HasGuarded>(l, guard)?;
    wasi_io::poll::add_to_linker::<Guest, HasGuarded>(l, guard)?;
    wasi_io::streams::add_to_linker::<Guest, HasGuarded>(l, guard)?;
    wasi_cli::environment::add_to_linker::<Guest, HasGuarded>(l, guard)?;
    wasi_cli::exit::add_to_linker::<Guest, HasGuarded>(l, guard)?;
    wasi_cli::stdin::add_to_linker::<Guest, HasGuarded>(l, guard)?;
    wasi_cli::stdout::add_to_linker::<Guest, HasGuarded>(l, guard)?;
    wasi_cli::stderr::add_to_linker::<Guest, HasGuarded>(l, guard)?;
    wasi_cli::terminal_input::add_to_linker::<Guest, HasGuarded>(l, guard)?;
    wasi_cli::terminal_output::add_to_linker::<Guest, HasGuarded>(l, guard)?;
    wasi_cli::terminal_stdin::add_to_linker::<Guest, HasGuarded>(l, guard)?;
    wasi_cli::terminal_stdout::add_to_linker::<Guest, HasGuarded>(l, guard)?;
    wasi_cli::terminal_stderr::add_to_linker::<Guest, HasGuarded>(l, guard)?;
    clocks::wall_clock::add_to_linker::<Guest, HasGuarded>(l, guard)?;
    clocks::monotonic_clock::add_to_linker::<Guest, HasGuarded>(l, guard)?;
    random::random::add_to_linker::<Guest, HasGuarded>(l, guard)?;
    random::insecure::add_to_linker::<Guest, HasGuarded>(l, guard)?;
    random::insecure_seed::add_to_linker::<Guest, HasGuarded>(l, guard)?;
    wasi_filesystem::preopens::add_to_linker::<Guest, HasGuarded>(l, guard)?;
    wasi_filesystem::types::add_to_linker::<Guest, HasGuarded>(l, guard)?;
    wasi_sockets::instance_network::add_to_linker::<Guest, HasGuarded>(l, guard)?;
    wasi_sockets::ip_name_lookup::add_to_linker::<Guest, HasGuarded>(l, guard)?;
    wasi_sockets::tcp_create_socket::add_to_linker::<Guest, HasGuarded>(l, guard)?;
    wasi_sockets::udp_create_socket::add_to_linker::<Guest, HasGuarded>(l, guard)?;
    wasi_sockets::network::add_to_linker::<Guest, HasGuarded>(l, &network, guard)?;
    wasi_sockets::tcp::add_to_linker::<Guest, WasiSockets>(l, sockets)?;
    wasi_sockets::udp::add_to_linker::<Guest, WasiSockets>(l, sockets)?;
    wasi_http::outgoing_handler::add_to_linker::<Guest, HasGuarded>(l, guard)?;
    wasi_http::types::add_to_linker::<Guest, HasGuarded>(l, &http, guard)?;
    store::add_to_linker::<Guest, HasGuarded>(l, guard)?;
    keyvalue::add_to_linker::<Guest, HasGuarded>(l, guard)?;
    log::add_to_linker::<Guest, HasGuarded>(l, guard)?;
    usage::add_to_linker::<Guest, HasGuarded>(l, guard)?;
    host_mail::add_to_linker::<Guest, HasGuarded>(l, guard)?;
    traffic::add_to_linker::<Guest, HasGuarded>(l, guard)?;
    runtime::add_to_linker::<Guest, HasGuarded>(l, guard)?;
    operator_command::add_to_linker::<Guest, HasGuarded>(l, guard)?;
    Ok(linker)
}

#[cfg(test)]
mod tests {
    use std::{
        collections::HashMap,
        sync::Arc,
        time::{Duration, Instant},
    };

    use autodevops_policy::EffectiveGrant;
    use wasmtime::component::Resource;
    use wasmtime_wasi::p2::{
        DynInputStream, DynOutputStream,
        pipe::{MemoryInputPipe, MemoryOutputPipe},
    };
    use wasmtime_wasi_http::WasiHttpCtx;
    use wasmtime_wasi_io::bindings::wasi::io::streams;

    use super::*;
    use crate::{
        activations::Activations,
        authority::Authority,
        budget::MemoryBudget,
        clock::GuestClock,
        guest::{Labels, resource_table, wasi_context},
        http::{HttpGate, HttpOptions, Network, Vault},
        keyvalue::Overlay,
        logging::LogQuota,
        quota::Quota,
        replay::Tape,
        stderr::Tail,
    };

    /// A guest that was granted nothing.
    fn guest() -> Guest {
        let (name, grant): (Arc<str>, _) = ("a".into(), Arc::new(EffectiveGrant::default()));
        let quota = Quota::new(Arc::clone(&name), Arc::clone(&grant));
        let output = Tail::default();
        let vault = Arc::new(Vault::new(Arc::clone(&name), Arc::clone(&grant), None));
        let scrubber = vault.scrubber().clone();
        let authority = Authority::new(Arc::clone(&name), Arc::clone(&grant), Arc::clone(&quota), scrubber.clone());
        let network = Arc::new(Network::new(&HttpOptions::default()).unwrap());
        Guest {
            labels: Labels { plugin: Arc::clone(&name), run: "run-1".into(), stage: None },
            wasi: wasi_context(&grant, &[], &output, &quota).unwrap(),
            table: resource_table(10),
            listings: HashMap::new(),
            http: WasiHttpCtx::new(),
            gate: HttpGate::new(authority, network, vault),
            budget: MemoryBudget::new(Arc::clone(&quota)),
            config: Arc::from([]),
            log: LogQuota::new(quota, scrubber),
            keyvalue: Overlay::new(None, name),
            local: None,
            commands: None,
            mail: None,
            clock: GuestClock::new(),
            activations: Activations::default(),
            tokens: None,
            deadline: Instant::now(),
            output,
            tape: Tape::Live,
        }
    }

    #[test]
    fn whoever_came_to_use_a_socket_would_end_there() {
        let mut guest = guest();
        guest.authority().entered(Duration::ZERO);
        let _ = sockets(&mut guest);
        let ended = guest.authority().returned(Duration::ZERO).unwrap_err();
        assert!(ended.to_string().contains("socket"), "{ended}");
        let records = guest.authority().take_records();
        assert!(matches!(&records[..], [record] if record.operation == "socket" && !record.allowed), "{records:?}");
    }

    #[tokio::test]
    async fn bytes_that_the_host_moves_by_itself_are_on_record_as_well() {
        use streams::{HostInputStream, HostOutputStream};
        let mut guest = guest();
        let input: DynInputStream = Box::new(MemoryInputPipe::new("0123456789"));
        let output: DynOutputStream = Box::new(MemoryOutputPipe::new(100));
        let (input, output) = (guest.table.push(input).unwrap(), guest.table.push(output).unwrap());
        let (from, to) = (|| Resource::new_borrow(input.rep()), || Resource::new_borrow(output.rep()));
        let mut guarded = Guarded(&mut guest);
        assert_eq!(HostInputStream::skip(&mut guarded, from(), 1).unwrap(), 1);
        assert_eq!(guarded.blocking_skip(from(), 2).await.unwrap(), 2);
        assert_eq!(HostOutputStream::splice(&mut guarded, to(), from(), 3).unwrap(), 3);
        assert_eq!(guarded.blocking_splice(to(), from(), 100).await.unwrap(), 4);
        guarded.write_zeroes(to(), 5).unwrap();
        guarded.blocking_write_zeroes_and_flush(to(), 6).await.unwrap();
        guarded.write_zeroes(to(), 1000).unwrap_err();
        let records = guest.authority().take_records().into_iter();
        let told: Vec<(String, u64)> = records
            .map(|record| (record.summary.rsplit('.').next().unwrap_or_default().to_owned(), record.bytes))
            .collect();
        let expected = [
            ("skip", 1),
            ("blocking-skip", 2),
            ("splice", 3),
            ("blocking-splice", 4),
            ("write-zeroes", 5),
            ("blocking-write-zeroes-and-flush", 6),
        ];
        assert_eq!(told, expected.map(|(function, bytes)| (function.to_owned(), bytes)));
    }
}
