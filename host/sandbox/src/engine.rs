//! One engine for all plugins: how it is configured, how its time passes, how many calls run at once.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use autodevops_policy::{Bytes, Span};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, WasmBacktraceDetails,
    component::{Component, Linker},
};

use crate::{
    activations::MAX_ACTIVATIONS,
    cache::CompileCache,
    clock,
    compile::{CompileFailure, CompileLimits, Compiler},
    guarded,
    guest::Guest,
    http::{HttpOptions, Network},
    permits::{CallPermits, PARTS_PER_CALL},
};

/// How often a running guest is looked at: the resolution of its deadline.
pub const TICK: Duration = Duration::from_millis(10);

/// Stack of a guest, unless the operator says otherwise. QuickJS needs two thousand JavaScript frames' worth; Rust plugins far
/// less.
pub const DEFAULT_STACK: Bytes = Bytes(2 << 20);

/// Stack for the host functions that a guest calls, beyond its own.
const HOST_STACK_BYTES: usize = 2 << 20;

/// Bytes of each memory that stay resident between calls, which spares page faults. Only those that a guest has written to are
/// taken: few for a plugin in Rust, the heap's for a JavaScript engine.
const MEMORY_KEPT_RESIDENT_BYTES: usize = 2 << 20;

/// Bytes of each table that stay resident between calls: a page. A table that has no more, as most have, is cleared without asking
/// the system which pages were written to.
const TABLE_KEPT_RESIDENT_BYTES: usize = 4 << 10;

/// Core instances, memories and tables that one component may have. Adapters and composed halves need several.
pub const PARTS_PER_COMPONENT: u32 = 100;

/// Stacks that one call may hold: its own, one for each of its functions that is under way, and one that waits for work.
const STACKS_PER_CALL: u32 = MAX_ACTIVATIONS + 2;

/// Elements that any one table may have: the most that `limits.table-elements` can give.
const TABLE_ELEMENTS: usize = 10_000_000;

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
    /// Processor time for compiling a component, counted in whole seconds; on the clock it may be twice that.
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

/// The engine, its linker and its clock. Cheap to clone.
#[derive(Clone)]
pub struct Sandbox {
    pub(crate) engine: Engine,
    pub(crate) linker: Arc<Linker<Guest>>,
    pub(crate) cache: Option<Arc<CompileCache>>,
    pub(crate) permits: Arc<CallPermits>,
    pub(crate) compile_limits: CompileLimits,
    compiler: Arc<Mutex<Compiler>>,
    stack: Bytes,
    pub(crate) network: Arc<Network>,
    pooled: bool,
    _ticker: Arc<Ticker>,
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
        let stack = options.stack;
        let (engine, pooled) = match Engine::new(&pooled(options.concurrent_calls, stack)) {
            Ok(engine) => (engine, true),
            Err(error) => {
                tracing::warn!(%error, "no address space for a pool of instances; they are allocated on demand, slower");
                let engine = Engine::new(&base(stack)).map_err(|error| SandboxError::Engine(format!("{error:#}")))?;
                (engine, false)
            }
        };
        let linker = guarded::linker(&engine).map_err(|error| SandboxError::Engine(format!("{error:#}")))?;
        let cache = options.cache.as_deref().and_then(|path| open_cache(path, &engine)).map(Arc::new);
        let share = options.calls_of_one_plugin.unwrap_or(options.concurrent_calls / 2);
        let compile_limits = CompileLimits {
            component_size: options.component_size,
            time: options.compile_time,
            memory: options.compile_memory,
        };
        Ok(Self {
            _ticker: Arc::new(Ticker::start(engine.clone())?),
            engine,
            linker: Arc::new(linker),
            cache,
            permits: Arc::new(CallPermits::new(options.concurrent_calls, share)),
            compile_limits,
            compiler: Arc::new(Mutex::new(options.compiler.clone())),
            network: Arc::new(Network::new(&options.http).map_err(SandboxError::Http)?),
            stack,
            pooled,
        })
    }

    /// Whether instances come from a pool.
    pub const fn is_pooled(&self) -> bool {
        self.pooled
    }

    /// A component: from the cache, or compiled. One at a time, so that compiling never takes more memory than one may.
    pub(crate) fn compile(&self, bytes: &[u8]) -> Result<Component, NotCompiled> {
        let cached = || self.cache.as_ref().and_then(|cache| cache.get(&self.engine, bytes));
        if let Some(component) = cached() {
            return Ok(component);
        }
        let compiler = self.compiler.lock().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have compiled it meanwhile.
        if let Some(component) = cached() {
            return Ok(component);
        }
        let machine_code =
            compiler.machine_code(&self.engine, &self.compile_limits, bytes).map_err(NotCompiled::Failed)?;
        // SAFETY: the bytes come from this engine's compiler, in this process or in a child of it that runs the same program,
        // a moment ago; nobody else holds the child's pipe, and they never left memory.
        let component = unsafe { Component::deserialize(&self.engine, &machine_code) }
            .map_err(|error| NotCompiled::DoesNotFit(format!("{error:#}")))?;
        if let Some(cache) = &self.cache {
            cache.put(bytes, &machine_code);
        }
        Ok(component)
    }

    /// Stack of a guest.
    pub(crate) const fn stack(&self) -> Bytes {
        self.stack
    }

    /// The engine itself, for benchmarks that compare with it.
    pub const fn engine(&self) -> &Engine {
        &self.engine
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

fn open_cache(path: &Path, engine: &Engine) -> Option<CompileCache> {
    CompileCache::open(path, engine)
        .inspect_err(|error| {
            tracing::warn!(%error, path = %path.display(), "no compile cache: components are compiled at every start");
        })
        .ok()
}

/// Settings that matter for what a guest can do and for how it behaves, in either way of allocation.
pub fn base(stack: Bytes) -> Config {
    let stack = usize::try_from(stack.0).unwrap_or(usize::MAX);
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        // JavaScript engines that are built as components name its built-ins, whether they use them or not.
        .wasm_component_model_async(true)
        .shared_memory(false)
        // A component's debug information is not read: it is as little to be trusted as the rest of it.
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .epoch_interruption(true)
        .memory_init_cow(true)
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        .max_wasm_stack(stack)
        .async_stack_size(stack.saturating_add(HOST_STACK_BYTES));
    config
}

fn pooled(concurrent_calls: u32, stack: Bytes) -> Config {
    let mut pool = PoolingAllocationConfig::new();
    // A call may hold a composed component: a few memories and tables each. One that has more counts as several calls, see
    // `permits`; where few calls run at once, two of them may have all the parts that a component can.
    let parts = concurrent_calls.saturating_mul(PARTS_PER_CALL).max(PARTS_PER_COMPONENT * 2);
    pool.total_component_instances(concurrent_calls.max(1))
        .total_stacks(concurrent_calls.max(1).saturating_mul(STACKS_PER_CALL))
        .total_core_instances(concurrent_calls.max(1).saturating_mul(PARTS_PER_COMPONENT))
        .total_memories(parts)
        .total_tables(parts.saturating_mul(2))
        .max_core_instances_per_component(PARTS_PER_COMPONENT)
        .max_memories_per_component(PARTS_PER_COMPONENT)
        .max_tables_per_component(PARTS_PER_COMPONENT)
        .max_memories_per_module(PARTS_PER_COMPONENT)
        .max_tables_per_module(PARTS_PER_COMPONENT)
        .max_memory_size(4 << 30)
        .table_elements(TABLE_ELEMENTS)
        .linear_memory_keep_resident(MEMORY_KEPT_RESIDENT_BYTES)
        .table_keep_resident(TABLE_KEPT_RESIDENT_BYTES)
        .pagemap_scan(Enabled::Auto);
    let mut config = base(stack);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}

/// The thread by which guests notice that time passes.
struct Ticker {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Ticker {
    /// # Errors
    /// When the system has no thread for it: without it a guest that spins would hold a thread of the host for ever.
    fn start(engine: Engine) -> Result<Self, SandboxError> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        let ticking = move || {
            let mut next = Instant::now() + TICK;
            while !stopping.load(Ordering::Relaxed) {
                std::thread::park_timeout(next.saturating_duration_since(Instant::now()));
                let now = Instant::now();
                if now >= next {
                    engine.increment_epoch();
                    // Ticks that were missed (a suspended machine) are not made up for.
                    next = now + TICK;
                }
            }
        };
        let thread = std::thread::Builder::new().name("epoch".into()).spawn(ticking);
        let thread =
            thread.map_err(|error| SandboxError::Engine(format!("no thread for the guests' clock: {error}")))?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            drop(thread.join());
        }
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
    fn a_cache_that_cannot_be_used_costs_only_time() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let options = SandboxOptions { cache: Some(file.path().to_owned()), ..SandboxOptions::default() };
        assert!(Sandbox::new(&options).unwrap().cache.is_none());
    }
}
