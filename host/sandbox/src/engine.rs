//! The sandbox as a whole: what an operator can set about it, its engines, and how many calls run at once.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use autodevops_policy::{Bytes, Span};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use wasmtime::Engine;

use crate::{
    clock,
    compile::{CompileFailure, CompileLimits, Compiler},
    engines::{Compiled, Engines, Linked, Settings},
    http::{HttpOptions, Network},
    permits::CallPermits,
};

/// Stack of a guest, unless the operator says otherwise. QuickJS needs two thousand JavaScript frames' worth; Rust plugins far
/// less.
pub const DEFAULT_STACK: Bytes = Bytes(2 << 20);

/// Why there is no sandbox.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The engine does not take its configuration.
    #[error("the WebAssembly engine cannot be set up: {0}")]
    Engine(String),
    /// Its options for outgoing requests cannot be used.
    #[error("outgoing requests cannot be set up: {0}")]
    Http(String),
}

/// What an operator can set about the sandbox as a whole.
#[derive(Clone, Debug)]
pub struct SandboxOptions {
    /// Where compiled components are kept; none, and each is compiled anew.
    pub cache: Option<PathBuf>,
    /// Where what is not kept there is compiled.
    pub compiler: Compiler,
    /// How many calls run at once; further ones wait their turn.
    pub concurrent_calls: u32,
    /// How many of them may be one plugin's; none: half, and at least one.
    pub calls_of_one_plugin: Option<u32>,
    /// Stack of a guest.
    pub stack: Bytes,
    /// Size of a component.
    pub component_size: Bytes,
    /// Processor time for compiling a component, counted in whole seconds; on the clock it may be twice that. What the plain engine
    /// refuses is tried once more, with as much, for the one that offers concurrency.
    pub compile_time: Span,
    /// Address space for compiling a component.
    pub compile_memory: Bytes,
    /// How plugins' requests find and trust their servers.
    pub http: HttpOptions,
}

impl Default for SandboxOptions {
    /// No cache, compiling in this process, 64 calls, and the limits that `autodevops.toml` has by default.
    fn default() -> Self {
        Self {
            cache: None,
            compiler: Compiler::InProcess,
            concurrent_calls: 64,
            calls_of_one_plugin: None,
            stack: DEFAULT_STACK,
            component_size: Bytes(64 << 20),
            compile_time: Span(Duration::from_secs(60)),
            compile_memory: Bytes(2 << 30),
            http: HttpOptions::default(),
        }
    }
}

/// Why a component is not there to be instantiated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotCompiled {
    /// There is no machine code.
    Failed(CompileFailure),
    /// There is, but the engine does not take it: it has more parts than an instance may have.
    DoesNotFit(String),
}

/// The engines and what all calls share. Cheap to clone.
#[derive(Clone)]
pub struct Sandbox {
    engines: Arc<Engines>,
    pub(crate) permits: Arc<CallPermits>,
    pub(crate) compile_limits: CompileLimits,
    compiler: Arc<Mutex<Compiler>>,
    stack: Bytes,
    pub(crate) network: Arc<Network>,
}

impl Sandbox {
    /// Sets up the engine. Where the machine does not have the address space for a pool, instances are allocated on
    /// demand; where the cache's folder cannot be used, components are compiled anew: both are slower, and warned of.
    ///
    /// # Errors
    /// When the engine cannot be set up at all.
    pub fn new(options: &SandboxOptions) -> Result<Self, SandboxError> {
        allow_open_files();
        clock::set_right();
        let SandboxOptions { concurrent_calls, stack, .. } = *options;
        let engines = Engines::new(Settings { cache: options.cache.clone(), concurrent_calls, stack });
        let share = options.calls_of_one_plugin.unwrap_or(concurrent_calls / 2);
        let compile_limits = CompileLimits {
            component_size: options.component_size,
            time: options.compile_time,
            memory: options.compile_memory,
        };
        Ok(Self {
            engines: Arc::new(engines.map_err(SandboxError::Engine)?),
            permits: Arc::new(CallPermits::new(concurrent_calls, share)),
            compile_limits,
            compiler: Arc::new(Mutex::new(options.compiler.clone())),
            network: Arc::new(Network::new(&options.http).map_err(SandboxError::Http)?),
            stack,
        })
    }

    /// Whether instances come from a pool.
    pub fn is_pooled(&self) -> bool {
        self.engines.plain().is_pooled()
    }

    /// A component: from the cache, or compiled. One at a time, so that compiling never takes more memory than one may.
    pub(crate) fn compile(&self, bytes: &[u8]) -> Result<Compiled, NotCompiled> {
        if let Some(compiled) = self.engines.cached(bytes) {
            return Ok(compiled);
        }
        let compiler = self.compiler.lock().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have compiled it meanwhile.
        if let Some(compiled) = self.engines.cached(bytes) {
            return Ok(compiled);
        }
        match self.compile_for(&compiler, self.engines.plain(), bytes) {
            Err(NotCompiled::Failed(CompileFailure::Refused(_))) => {
                let concurrent = self.engines.concurrent();
                let concurrent = concurrent.map_err(|reason| NotCompiled::Failed(CompileFailure::Host(reason)))?;
                self.compile_for(&compiler, &concurrent, bytes)
            }
            compiled => compiled,
        }
    }

    fn compile_for(&self, compiler: &Compiler, on: &Arc<Linked>, bytes: &[u8]) -> Result<Compiled, NotCompiled> {
        let machine_code =
            compiler.machine_code(&on.engine, &self.compile_limits, bytes).map_err(NotCompiled::Failed)?;
        // SAFETY: the bytes come from this engine's compiler, in this process or in a child of it that runs the same program,
        // a moment ago; nobody else holds the child's pipe, and they never left memory.
        let compiled = unsafe { on.take(bytes, &machine_code) };
        compiled.map_err(|error| NotCompiled::DoesNotFit(format!("{error:#}")))
    }

    /// Stack of a guest.
    pub(crate) const fn stack(&self) -> Bytes {
        self.stack
    }

    /// The engine that plugins run on which use nothing of the component model's concurrency, for benchmarks that compare with it.
    pub fn engine(&self) -> &Engine {
        &self.engines.plain().engine
    }
}

/// Calls hold files and connections, each within its limits: together they need more than the few that a process may have open
/// unless it asks. What cannot be had is no reason not to start.
fn allow_open_files() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
        tracing::debug!(%error, "the limit of open files cannot be raised");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_the_address_space_for_a_pool_instances_are_allocated_on_demand() {
        // Four million memories of 4 GiB are beyond any machine's addresses.
        let options = SandboxOptions { concurrent_calls: 1_000_000, ..SandboxOptions::default() };
        assert!(!Sandbox::new(&options).unwrap().is_pooled());
        assert!(Sandbox::new(&SandboxOptions::default()).unwrap().is_pooled());
    }

    #[test]
    fn what_uses_concurrency_runs_on_the_engine_that_offers_it_and_is_found_there_again() {
        let folder = tempfile::tempdir().unwrap();
        let options = SandboxOptions { cache: Some(folder.path().join("cache")), ..SandboxOptions::default() };
        let plain = wat::parse_str("(component)").unwrap();
        let concurrent = wat::parse_str("(component (core func (canon backpressure.inc)))").unwrap();
        for round in ["compiled", "from the cache"] {
            let sandbox = Sandbox::new(&options).unwrap();
            for (bytes, on_plain) in [(&plain, true), (&concurrent, false)] {
                let compiled = sandbox.compile(bytes).unwrap();
                assert_eq!(Arc::ptr_eq(&compiled.on, sandbox.engines.plain()), on_plain, "{round}");
                assert!(
                    round == "from the cache" || sandbox.engines.has_concurrent() != on_plain,
                    "only when it is needed"
                );
                assert!(Engine::same(compiled.component.engine(), &compiled.on.engine));
            }
        }
    }

    #[test]
    fn what_neither_engine_takes_is_refused() {
        let sandbox = Sandbox::new(&SandboxOptions::default()).unwrap();
        let refused = sandbox.compile(b"\0asm\x0d\0\x01\0\xff").err();
        assert!(matches!(refused, Some(NotCompiled::Failed(CompileFailure::Refused(_)))), "{refused:?}");
    }

    #[test]
    fn a_cache_that_cannot_be_used_costs_only_time() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let options = SandboxOptions { cache: Some(file.path().to_owned()), ..SandboxOptions::default() };
        assert!(!Sandbox::new(&options).unwrap().engines.plain().has_cache());
    }
}
