//! The engines that components run on, how they are configured, and what belongs to each alone.
//!
//! Nearly all components need nothing of what the component model has for concurrency: functions that are asynchronous to their
//! callers, streams, futures. An engine that offers it keeps account of tasks in every call, which takes a fifth of the call's time, and
//! is more that must be trusted. So there is one without, and one with it that is set up when the first component comes that
//! the other does not take.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use autodevops_policy::Bytes;
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, WasmBacktraceDetails,
    component::{Component, Linker},
};

use crate::{
    activations::MAX_ACTIVATIONS, cache::CompileCache, guarded, guest::Guest, permits::PARTS_PER_CALL, ticker::Ticker,
};

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

/// Which components an engine takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineKind {
    /// Those that use nothing of the component model's concurrency.
    Plain,
    /// Those, too, that do. JavaScript engines that are built as components name its built-ins, whether they use them or not.
    Concurrent,
}

impl EngineKind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Plain, Self::Concurrent];

    /// Where its compiled components are kept. Those that use concurrency have a folder of their own: what lies in it, the plain engine
    /// was tried with and did not take.
    fn folder(self, cache: &Path) -> PathBuf {
        match self {
            Self::Plain => cache.to_owned(),
            Self::Concurrent => cache.join("concurrent"),
        }
    }
}

/// What engines are set up by.
pub struct Settings {
    /// Where compiled components are kept; none, and each is compiled anew.
    pub cache: Option<PathBuf>,
    /// How many calls run at once.
    pub concurrent_calls: u32,
    /// Stack of a guest.
    pub stack: Bytes,
}

/// The engines of a sandbox.
pub struct Engines {
    settings: Settings,
    plain: Arc<Linked>,
    concurrent: Mutex<Option<Arc<Linked>>>,
}

impl Engines {
    /// Sets up the engine that nearly all components run on.
    ///
    /// # Errors
    /// Why it cannot be set up at all.
    pub fn new(settings: Settings) -> Result<Self, String> {
        let plain = Arc::new(Linked::new(EngineKind::Plain, &settings)?);
        Ok(Self { settings, plain, concurrent: Mutex::default() })
    }

    /// The one that nearly all components run on.
    pub const fn plain(&self) -> &Arc<Linked> {
        &self.plain
    }

    /// The one that offers concurrency, too; set up here the first time.
    ///
    /// # Errors
    /// Why it cannot be set up at all.
    pub fn concurrent(&self) -> Result<Arc<Linked>, String> {
        let mut concurrent = self.concurrent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(linked) = &*concurrent {
            return Ok(Arc::clone(linked));
        }
        let linked = Arc::new(Linked::new(EngineKind::Concurrent, &self.settings)?);
        Ok(Arc::clone(concurrent.insert(linked)))
    }

    /// A component that was compiled before, for the engine that takes it. Where none was ever kept for the one that offers
    /// concurrency, that one is not set up to look.
    pub fn cached(&self, bytes: &[u8]) -> Option<Compiled> {
        self.plain.cached(bytes).or_else(|| {
            let kept = EngineKind::Concurrent.folder(self.settings.cache.as_ref()?);
            kept.is_dir().then(|| self.concurrent().ok()?.cached(bytes)).flatten()
        })
    }

    /// Whether the one that offers concurrency was set up.
    #[cfg(test)]
    pub fn has_concurrent(&self) -> bool {
        self.concurrent.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }
}

/// An engine with what belongs to it alone: its linker, its clock, its compiled components.
pub struct Linked {
    pub engine: Engine,
    pub linker: Linker<Guest>,
    cache: Option<CompileCache>,
    pooled: bool,
    _ticker: Ticker,
}

/// A component and the engine that it was compiled for.
pub struct Compiled {
    pub component: Component,
    pub on: Arc<Linked>,
}

impl Linked {
    /// Where the machine does not have the address space for a pool, instances are allocated on demand; where the cache's folder
    /// cannot be used, components are compiled anew: both are slower, and warned of.
    fn new(kind: EngineKind, settings: &Settings) -> Result<Self, String> {
        let Settings { cache, concurrent_calls, stack } = settings;
        let (engine, pooled) = match Engine::new(&pooled(kind, *concurrent_calls, *stack)) {
            Ok(engine) => (engine, true),
            Err(error) => {
                tracing::warn!(%error, "no address space for a pool of instances; they are allocated on demand, slower");
                (Engine::new(&base(kind, *stack)).map_err(|error| format!("{error:#}"))?, false)
            }
        };
        Ok(Self {
            linker: guarded::linker(&engine).map_err(|error| format!("{error:#}"))?,
            cache: cache.as_deref().and_then(|path| open_cache(&kind.folder(path), &engine)),
            _ticker: Ticker::start(engine.clone())
                .map_err(|error| format!("no thread for the guests' clock: {error}"))?,
            engine,
            pooled,
        })
    }

    /// Whether instances come from a pool.
    pub const fn is_pooled(&self) -> bool {
        self.pooled
    }

    /// Whether compiled components are kept.
    #[cfg(test)]
    pub const fn has_cache(&self) -> bool {
        self.cache.is_some()
    }

    fn cached(self: &Arc<Self>, bytes: &[u8]) -> Option<Compiled> {
        let component = self.cache.as_ref()?.get(&self.engine, bytes)?;
        Some(Compiled { component, on: Arc::clone(self) })
    }

    /// Takes what the compiler made of a component for this engine, and keeps it.
    ///
    /// # Safety
    /// The machine code must be what this engine's compiler made.
    ///
    /// # Errors
    /// When the component has more parts than an instance may have.
    pub unsafe fn take(self: &Arc<Self>, bytes: &[u8], machine_code: &[u8]) -> wasmtime::Result<Compiled> {
        // SAFETY: the caller's promise is what is asked for.
        let component = unsafe { Component::deserialize(&self.engine, machine_code) }?;
        if let Some(cache) = &self.cache {
            cache.put(bytes, machine_code);
        }
        Ok(Compiled { component, on: Arc::clone(self) })
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
pub fn base(kind: EngineKind, stack: Bytes) -> Config {
    let stack = usize::try_from(stack.0).unwrap_or(usize::MAX);
    let concurrent = kind == EngineKind::Concurrent;
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .concurrency_support(concurrent)
        .wasm_component_model_async(concurrent)
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

fn pooled(kind: EngineKind, concurrent_calls: u32, stack: Bytes) -> Config {
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
    let mut config = base(kind, stack);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}
