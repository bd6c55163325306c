//! Whether a component's stages have the contract's shape: every function of each of them, its parameters and its result. The
//! generated bindings look functions up by name when a component is loaded, and at their types only in each instance; a
//! component of another shape is to be refused before anything of it runs.

use autodevops_model::Stage;
use wasmtime::{
    Result, bail,
    component::{
        Component, ComponentExportIndex, ComponentNamedList, InstancePre, Lift, Lower, ResourceAny,
        types::ComponentItem,
    },
    error::Context as _,
};

use crate::{
    bindings::{
        analyzer::exports::autodevops::stages::analyzer::{Grouped, LineGroup},
        base::autodevops::types::types::{Error, Fix, Issue, Measurement, Proposal, Release, Report, TestFile, Window},
        check::exports::autodevops::stages::check::CheckInput,
        deploy_target::exports::autodevops::stages::deploy_target::{Capabilities, Deployment, LiveState, Split},
        notifier::exports::autodevops::stages::notifier::Event,
        state_guard::exports::autodevops::stages::state_guard::SnapshotInfo,
    },
    guest::Guest,
};

/// A function's result: its value or the contract's error.
type Answer<T> = (Result<T, Error>,);

/// Checks the stages that a component exports.
///
/// # Errors
/// The function that is missing or of another type, and where its type differs.
pub fn check(stages: &[Stage], instance: &InstancePre<Guest>) -> Result<()> {
    stages.iter().try_for_each(|stage| {
        let exported = Exported::find(instance, *stage)?;
        exported.check(*stage).with_context(|| format!("the stage `{stage}`"))
    })
}

/// A stage as a component exports it.
struct Exported<'a> {
    instance: &'a InstancePre<Guest>,
    component: &'a Component,
    interface: ComponentExportIndex,
}

impl<'a> Exported<'a> {
    fn find(instance: &'a InstancePre<Guest>, stage: Stage) -> Result<Self> {
        let component = instance.component();
        let name = format!("autodevops:stages/{stage}@0.1.0");
        let Some(interface) = component.get_export_index(None, &name) else { bail!("it does not export {name}") };
        Ok(Self { instance, component, interface })
    }

    fn check(&self, stage: Stage) -> Result<()> {
        match stage {
            Stage::Analyzer => {
                self.function::<(Option<&[u8]>,), (ResourceAny,)>("[constructor]session")?;
                self.function::<(ResourceAny, &str, &[u8]), Answer<()>>("[method]session.push")?;
                self.function::<(ResourceAny, &str, &[u8]), Answer<Grouped>>("[method]session.push-grouped")?;
                self.function::<(ResourceAny,), Answer<Vec<LineGroup>>>("[method]session.groups")?;
                self.function::<(ResourceAny,), Answer<Vec<Issue>>>("[method]session.issues")?;
                self.function::<(ResourceAny,), Answer<Vec<u8>>>("[method]session.checkpoint")?;
                self.function::<(ResourceAny, &[u8]), Answer<()>>("[method]session.join")
            }
            Stage::FixGenerator => self.function::<(&Issue,), Answer<Proposal>>("propose"),
            Stage::TestGenerator => self.function::<(&Issue, &Fix), Answer<Vec<TestFile>>>("generate"),
            Stage::Check => self.function::<(&CheckInput,), Answer<Report>>("run"),
            Stage::DeployTarget => {
                self.function::<(), Answer<Capabilities>>("describe")?;
                self.function::<(&str, &str, u64, &Release), Answer<Deployment>>("deploy")?;
                self.function::<(&str, &str, u64, &[Split]), Answer<()>>("set-traffic")?;
                self.function::<(&str,), Answer<Option<LiveState>>>("live")?;
                self.function::<(&str, &str), Answer<Option<Deployment>>>("find")
            }
            Stage::HealthCheck => self.function::<(&str, Option<&str>, Window), Answer<Vec<Measurement>>>("measure"),
            Stage::Notifier => self.function::<(&str, &Event), Answer<()>>("notify"),
            Stage::StateGuard => {
                self.function::<(&str, &str), Answer<SnapshotInfo>>("snapshot")?;
                self.function::<(&str, &str), Answer<Option<String>>>("verify")?;
                self.function::<(&str, &str), Answer<Option<String>>>("changed")?;
                self.function::<(&str, &str, u64, &str), Answer<()>>("restore")?;
                self.function::<(&str,), Answer<Vec<SnapshotInfo>>>("list")?;
                self.function::<(&str, &str), Answer<()>>("forget")
            }
        }
    }

    fn function<P, R>(&self, name: &str) -> Result<()>
    where
        P: ComponentNamedList + Lower,
        R: ComponentNamedList + Lift,
    {
        let Some((item, _)) = self.component.get_export(Some(&self.interface), name) else {
            bail!("it has no function `{name}`");
        };
        let ComponentItem::ComponentFunc(function) = item else { bail!("`{name}` is no function") };
        if function.async_() {
            bail!("`{name}` is an asynchronous function");
        }
        function.typecheck::<P, R>(&self.instance.instance_type()).with_context(|| format!("`{name}`"))
    }
}
