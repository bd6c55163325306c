//! The functions of the stages, each as a method of [`Plugin`]: what is the same for all of them stands here once.

use autodevops_model::{
    Capabilities, CheckInput, Deployment, Fix, Issue, LiveState, Measurement, Notification, Proposal, Release, Report,
    SnapshotInfo, Split, Stage, TestFile, Window,
};
use wasmtime::{Store, component::Instance};

use crate::{
    call::{Call, CallContext, Site, json},
    failure::{CallError, CallFailure},
    guest::Guest,
    measure::{Size, measure, together},
    plugin::Plugin,
};

/// An export that was looked up when the plugin was loaded.
pub(crate) fn not_implemented(plugin: &Plugin, stage: Stage) -> CallError {
    let failure = CallFailure::Host(format!("it does not implement the stage `{stage}`"));
    CallError { plugin: plugin.name().to_owned(), stage: Some(stage), failure, stderr: String::new() }
}

/// One function of a stage, as a method of [`Plugin`].
macro_rules! stage_call {
    ($(#[$doc:meta])* $name:ident($($argument:ident: $type:ty $(=> $convert:expr)?),*) -> $result:ty,
        $stage:ident, $field:ident, $interface:ident, $call:ident, |$value:ident| $back:expr) => {
        $(#[$doc])*
        ///
        /// # Errors
        /// [`CallError`]: the plugin's own refusal, or how it failed.
        pub async fn $name(&self, context: &CallContext $(, $argument: $type)*) -> Result<$result, CallError> {
            let Some(pre) = &self.shared.exports.$field else { return Err(not_implemented(self, Stage::$stage)) };
            let mut call =
                Call::begin(&self.shared.caller, Some(Stage::$stage), stringify!($name), context).await?;
            call.called(stringify!($name), || json(&($(&$argument,)*)), &[]);
            let input = together(&[$(measure(&$argument)),*]);
            let site = Site { stage: Some(Stage::$stage), function: stringify!($name), input };
            $($(let $argument = $convert;)?)*
            let function = async move |store: &mut Store<Guest>| {
                let bindings = pre.instantiate_async(&mut *store).await?;
                bindings.$interface().$call(&mut *store $(, $argument)*).await
            };
            call.run(&self.shared.caller, site, function, |$value| $back, |value: &$result| measure(value), json).await
        }
    };
}

impl Plugin {
    stage_call! {
        /// A fix for an issue, or none with the reason. The repository is mounted at `/repo`.
        propose(issue: Issue => &issue.into()) -> Proposal,
        FixGenerator, fix_generator, autodevops_stages_fix_generator, call_propose, |proposal| proposal.into()
    }
    stage_call! {
        /// Tests for a fix.
        generate_tests(issue: Issue => &issue.into(), fix: Fix => &fix.into()) -> Vec<TestFile>,
        TestGenerator, test_generator, autodevops_stages_test_generator, call_generate,
        |tests| tests.into_iter().map(Into::into).collect()
    }
    stage_call! {
        /// Looks at a change. The project is mounted at `/before` and `/after`.
        check(input: CheckInput => &input.into()) -> Report,
        Check, check, autodevops_stages_check, call_run, |report| report.into()
    }
    stage_call! {
        /// What a deploy target can do.
        describe() -> Capabilities,
        DeployTarget, deploy_target, autodevops_stages_deploy_target, call_describe, |capabilities| capabilities.into()
    }
    stage_call! {
        /// Brings a release into an environment, ready and without traffic.
        deploy(environment: &str, key: &str, fence: u64, release: Release => &release.into())
            -> Deployment,
        DeployTarget, deploy_target, autodevops_stages_deploy_target, call_deploy, |deployment| deployment.into()
    }
    stage_call! {
        /// Sets the shares of traffic.
        set_traffic(environment: &str, key: &str, fence: u64,
            splits: Vec<Split> => &splits.into_iter().map(Into::into).collect::<Vec<_>>()) -> (),
        DeployTarget, deploy_target, autodevops_stages_deploy_target, call_set_traffic, |done| done
    }
    stage_call! {
        /// What serves an environment; none when nothing was ever deployed.
        live(environment: &str) -> Option<LiveState>,
        DeployTarget, deploy_target, autodevops_stages_deploy_target, call_live, |state| state.map(Into::into)
    }
    stage_call! {
        /// The deployment that a key made.
        find(environment: &str, key: &str) -> Option<Deployment>,
        DeployTarget, deploy_target, autodevops_stages_deploy_target, call_find, |found| found.map(Into::into)
    }
    stage_call! {
        /// What was observed over a window.
        measure(candidate: &str, baseline: Option<&str>, window: Window => window.into())
            -> Vec<Measurement>,
        HealthCheck, health_check, autodevops_stages_health_check, call_measure,
        |measurements| measurements.into_iter().map(Into::into).collect()
    }
    stage_call! {
        /// Tells people of something.
        notify(key: &str, event: Notification => &event.into()) -> (),
        Notifier, notifier, autodevops_stages_notifier, call_notify, |done| done
    }
    stage_call! {
        /// Takes a snapshot of an environment's state.
        snapshot(environment: &str, key: &str) -> SnapshotInfo,
        StateGuard, state_guard, autodevops_stages_state_guard, call_snapshot, |info| info.into()
    }
    stage_call! {
        /// What keeps a snapshot from being gone back to; none where it is whole.
        verify(environment: &str, id: &str) -> Option<String>,
        StateGuard, state_guard, autodevops_stages_state_guard, call_verify, |fault| fault
    }
    stage_call! {
        /// How the state differs from what it was when a snapshot was taken; none where nothing was written since.
        changed(environment: &str, id: &str) -> Option<String>,
        StateGuard, state_guard, autodevops_stages_state_guard, call_changed, |words| words
    }
    stage_call! {
        /// Goes back to a snapshot.
        restore(environment: &str, key: &str, fence: u64, id: &str) -> (),
        StateGuard, state_guard, autodevops_stages_state_guard, call_restore, |done| done
    }
    stage_call! {
        /// The snapshots of an environment, oldest first.
        snapshots(environment: &str) -> Vec<SnapshotInfo>,
        StateGuard, state_guard, autodevops_stages_state_guard, call_list,
        |all| all.into_iter().map(Into::into).collect()
    }
    stage_call! {
        /// Removes a snapshot.
        forget(environment: &str, id: &str) -> (),
        StateGuard, state_guard, autodevops_stages_state_guard, call_forget, |done| done
    }
}

/// The raw instance, for benchmarks: instantiates with the limits of a call and drops it.
impl Plugin {
    /// Makes an instance and drops it, with all that surrounds a call but the call itself.
    ///
    /// # Errors
    /// How the instance failed to come up.
    pub async fn instantiate(&self, context: &CallContext) -> Result<(), CallError> {
        let mut call = Call::begin(&self.shared.caller, None, "instantiate", context).await?;
        let instance = &self.shared.instance;
        let function = async |store: &mut Store<Guest>| {
            let _: Instance = instance.instantiate_async(store).await?;
            Ok(Ok(()))
        };
        let site = Site { stage: None, function: "instantiate", input: Size::default() };
        call.run(&self.shared.caller, site, function, |()| (), |()| Size::default(), json).await
    }
}
