//! JavaScript that is no plugin: the engine's component, run directly, a fresh instance for every evaluation.

use std::sync::Arc;

use autodevops_policy::{EffectiveGrant, Limits};
use wasmtime::{
    Store,
    component::{ComponentExportIndex, InstancePre},
};

use crate::{
    call::{Call, CallContext, Caller, Site, json},
    engine::Sandbox,
    engines::Compiled,
    failure::CallError,
    guest::Guest,
    measure::{measure, together},
    plugin::{LoadError, compile, digest_of, parts},
};

/// The interface that the engine exports.
const INTERFACE: &str = "autodevops:js/engine@0.1.0";

/// A JavaScript engine in the sandbox. It is granted nothing.
#[derive(Clone)]
pub struct ScriptEngine {
    caller: Caller,
    instance: InstancePre<Guest>,
    run: ComponentExportIndex,
}

impl ScriptEngine {
    /// Loads the engine's component; `name` stands for what it runs, in errors and logs.
    ///
    /// # Errors
    /// [`LoadError`] when the component is no such engine.
    pub fn load(sandbox: &Sandbox, name: &str, component: &[u8], limits: Limits) -> Result<Self, LoadError> {
        let bytes = component;
        let Compiled { component, on } = compile(sandbox, name, bytes)?;
        let parts = parts(name, &component)?;
        let shape = |reason: String| LoadError::Shape { plugin: name.to_owned(), reason };
        let interface = component.get_export_index(None, INTERFACE);
        let run = interface
            .and_then(|interface| component.get_export_index(Some(&interface), "run"))
            .ok_or_else(|| shape(format!("it does not export {INTERFACE} with a function `run`")))?;
        let instance = on.linker.instantiate_pre(&component).map_err(|error| shape(format!("{error:#}")))?;
        let caller = Caller {
            sandbox: sandbox.clone(),
            on,
            name: Arc::from(name),
            digest: digest_of(bytes),
            grant: Arc::new(EffectiveGrant { limits, ..EffectiveGrant::default() }),
            config: Arc::from([]),
            keyvalue: None,
            local: None,
            commands: None,
            mail: None,
            parts,
            credentials: None,
        };
        Ok(Self { caller, instance, run })
    }

    /// Evaluates the sources in order (line 1 of source `i` is line `100000 · i + 1` in stacks), calls the global function `main`
    /// with the input, a JSON text, and gives the JSON text of what it returned, or what was thrown, with its stack.
    ///
    /// # Errors
    /// [`CallError`] when the script did not come to an end: out of time, out of memory, a stack overflow.
    pub async fn run(&self, sources: &[&str], input: &str) -> Result<Result<String, String>, CallError> {
        let mut call = Call::begin(&self.caller, None, "run", &CallContext::default()).await?;
        let evaluate = async |store: &mut Store<Guest>| {
            let instance = self.instance.instantiate_async(&mut *store).await?;
            let run = instance.get_typed_func::<(&[&str], &str), (Result<String, String>,)>(&mut *store, self.run)?;
            let (answer,) = run.call_async(&mut *store, (sources, input)).await?;
            Ok(Ok(answer))
        };
        let site = Site { stage: None, function: "run", input: together(&[measure(&sources), measure(&input)]) };
        call.run(&self.caller, site, evaluate, |answer| answer, measure, json).await
    }
}
