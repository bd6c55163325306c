//! Runs components the way the product's sandbox does: one fresh instance, pooled memory, interrupted by epochs.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow};
use wasmtime::{
    Config, Engine, Store,
    component::{Component, Func, Linker, ResourceTable, Val},
};
use wasmtime_wasi::{DirPerms, FilePerms, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

const ENGINE: &str = "autodevops:js/engine@0.1.0";
const CHECK: &str = "autodevops:stages/check@0.1.0";
/// Stack for JavaScript: each of its calls needs several frames of the interpreter. 2 MiB holds at least 2,000.
const WASM_STACK_BYTES: usize = 2 << 20;
const TICK: Duration = Duration::from_millis(10);

struct Guest {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// One run of a check.
pub struct Check {
    /// The project as it was.
    pub before: PathBuf,
    /// The project as it is.
    pub after: PathBuf,
    /// Paths that changed.
    pub changed: Vec<String>,
    /// Test files.
    pub tests: Vec<String>,
    /// Seconds after which the call is ended.
    pub seconds: u64,
}

fn engine() -> Result<Engine> {
    let mut config = Config::new();
    config.wasm_component_model(true).wasm_component_model_async(true).epoch_interruption(true);
    config.max_wasm_stack(WASM_STACK_BYTES).async_stack_size(WASM_STACK_BYTES + (512 << 10));
    let engine = Engine::new(&config).map_err(anyhow::Error::from)?;
    let ticking = engine.weak();
    std::thread::spawn(move || {
        while let Some(engine) = ticking.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    });
    Ok(engine)
}

/// Calls the engine's `run`: first with the sources and the input, then without sources, as often as asked for.
pub async fn eval(
    component: &[u8],
    sources: &[String],
    input: &str,
    calls: u32,
) -> Result<Vec<Result<String, String>>> {
    let engine = engine()?;
    let component = Component::new(&engine, component).map_err(anyhow::Error::from)?;
    let mut store = Store::new(&engine, ());
    store.set_epoch_deadline(2_000);
    let linker = Linker::<()>::new(&engine);
    let instance = linker.instantiate_async(&mut store, &component).await.map_err(anyhow::Error::from)?;
    let interface = instance.get_export_index(&mut store, None, ENGINE).context("the component exports no engine")?;
    let function = instance.get_export_index(&mut store, Some(&interface), "run").context("the engine has no `run`")?;
    let run = instance
        .get_typed_func::<(Vec<String>, String), (Result<String, String>,)>(&mut store, function)
        .map_err(anyhow::Error::from)?;
    let mut answers = Vec::new();
    for call in 0..calls {
        let sources = if call == 0 { sources.to_vec() } else { Vec::new() };
        let input = input.to_owned();
        let (answer,) = store
            .run_concurrent(async |accessor| run.call_concurrent(accessor, (sources, input)).await)
            .await
            .map_err(anyhow::Error::from)?
            .map_err(anyhow::Error::from)?;
        answers.push(answer);
    }
    Ok(answers)
}

/// Runs a composed check over two folders; gives its report, or how it ended instead, as text.
pub async fn check(component: &[u8], call: &Check) -> Result<String> {
    let engine = engine()?;
    let started = Instant::now();
    let component = Component::new(&engine, component).map_err(anyhow::Error::from)?;
    eprintln!("compiled in {:?}", started.elapsed());
    let mut wasi = WasiCtxBuilder::new();
    wasi.inherit_stderr();
    for (folder, guest) in [(&call.before, "/before"), (&call.after, "/after")] {
        wasi.preopened_dir(folder, guest, DirPerms::READ, FilePerms::READ).map_err(|error| anyhow!("{error}"))?;
    }
    let mut store = Store::new(&engine, Guest { wasi: wasi.build(), table: ResourceTable::new() });
    let ticks = Duration::from_secs(call.seconds).as_millis() / TICK.as_millis();
    store.set_epoch_deadline(u64::try_from(ticks)?);
    let mut linker = Linker::<Guest>::new(&engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker).map_err(anyhow::Error::from)?;
    linker.define_unknown_imports_as_traps(&component).map_err(anyhow::Error::from)?;
    let started = Instant::now();
    let instance = linker.instantiate_async(&mut store, &component).await.map_err(anyhow::Error::from)?;
    let interface = instance.get_export_index(&mut store, None, CHECK).context("the component exports no check")?;
    let function = instance.get_export_index(&mut store, Some(&interface), "run").context("the check has no `run`")?;
    let function: Func = instance.get_func(&mut store, function).context("the check's `run` is no function")?;
    let strings = |list: &[String]| Val::List(list.iter().cloned().map(Val::String).collect());
    let input = Val::Record(vec![
        ("changed".into(), strings(&call.changed)),
        ("tests".into(), strings(&call.tests)),
        ("fix".into(), Val::Option(None)),
        ("issue".into(), Val::Option(None)),
        ("url".into(), Val::Option(None)),
    ]);
    let mut results = [Val::Bool(false)];
    let outcome = function.call_async(&mut store, &[input], &mut results).await;
    eprintln!("instantiated and called in {:?}", started.elapsed());
    Ok(match outcome {
        Ok(()) => format!("{:#?}", results[0]),
        Err(error) => format!("trapped: {error:?}"),
    })
}
