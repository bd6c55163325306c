//! The least that the engine itself can do: an instance and one call, with nothing of the project's around it.

use wasmtime::{
    Engine, Result, Store,
    component::{Component, HasSelf, Linker, ResourceTable},
};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "autodevops:stages/check-plugin",
    exports: { default: async },
});

pub use exports::autodevops::stages::check::CheckInput;

struct State {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl autodevops::types::types::Host for State {}

/// A log that goes nowhere.
impl autodevops::host::log::Host for State {
    fn write(&mut self, _: autodevops::host::log::Level, _: String, message: String, _: Vec<(String, String)>) {
        std::hint::black_box(message);
    }
}

/// A check's component, linked with plain WASI.
pub struct RawCheck {
    engine: Engine,
    pre: CheckPluginPre<State>,
}

impl RawCheck {
    /// Compiles and links it on the engine.
    pub fn new(engine: &Engine, component: &[u8]) -> Result<Self> {
        let component = Component::from_binary(engine, component)?;
        let mut linker = Linker::new(engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        autodevops::types::types::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
        autodevops::host::log::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
        let pre = CheckPluginPre::new(linker.instantiate_pre(&component)?)?;
        Ok(Self { engine: engine.clone(), pre })
    }

    /// Store, instance, call, drop.
    pub async fn call(&self, input: &CheckInput) -> Result<()> {
        let state = State { wasi: WasiCtx::builder().build(), table: ResourceTable::new() };
        let mut store = Store::new(&self.engine, state);
        // The engine counts epochs; here nothing is to come of it.
        store.set_epoch_deadline(u64::MAX / 2);
        let bindings = self.pre.instantiate_async(&mut store).await?;
        match bindings.autodevops_stages_check().call_run(&mut store, input).await? {
            Ok(_) => Ok(()),
            Err(error) => wasmtime::bail!("the check refused: {error:?}"),
        }
    }
}
