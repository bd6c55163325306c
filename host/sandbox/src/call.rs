//! One call: a store and an instance for it, its deadline, its quota, and what became of it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use autodevops_model::{
    Capabilities, CheckInput, Deployment, ErrorKind, Fix, Issue, LiveState, Measurement, Notification, Proposal,
    Release, Report, SnapshotInfo, Split, Stage, StageError, TestFile, Window,
};
use tokio::sync::OwnedSemaphorePermit;
use wasmtime::{PoolConcurrencyLimitError, Store, UpdateDeadline, WasmBacktrace, component::Instance};
use wasmtime_wasi_http::WasiHttpCtx;

use autodevops_policy::{Denial, EffectiveGrant};

use crate::{
    authority::{Authority, Record},
    bindings::base::autodevops::types::types,
    budget::MemoryBudget,
    engine::Sandbox,
    failure::{CallError, CallFailure},
    guest::{Guest, Labels, MountedFolder, resource_table, wasi_context},
    http::HttpGate,
    keyvalue::{KeyValueStore, Overlay},
    local::LocalTarget,
    logging::LogQuota,
    plugin::Plugin,
    stderr::Tail,
};

/// What a run gives to its calls.
#[derive(Clone, Debug, Default)]
pub struct CallContext {
    /// Name of the run, for logs.
    pub run: String,
    /// Folders that the stage is given.
    pub mounts: Vec<MountedFolder>,
}

/// The guest's deadline has passed.
#[derive(Debug, thiserror::Error)]
#[error("the call's deadline has passed")]
struct DeadlinePassed;

/// A limit beyond this is as good as none, and a time that far off can still be counted.
const LONGEST_CALL: Duration = Duration::from_secs(366 * 24 * 3600);

/// In the engine's error, whose type is its own, when the host-call fuel is used up.
const COPIED_TOO_MUCH: &str = "fuel allocated for hostcalls has been exhausted";

/// What a stage's function gives: the engine's error, the plugin's own, or the value.
pub(crate) type StageResult<T> = wasmtime::Result<Result<T, types::Error>>;

/// On whose behalf calls are made, and what they may do.
#[derive(Clone)]
pub(crate) struct Caller {
    pub sandbox: Sandbox,
    pub name: Arc<str>,
    pub grant: Arc<EffectiveGrant>,
    pub config: Arc<[(String, String)]>,
    pub keyvalue: Option<Arc<dyn KeyValueStore>>,
    pub local: Option<Arc<dyn LocalTarget>>,
}

/// A store and the right to hold it.
pub(crate) struct Call {
    pub store: Store<Guest>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Call {
    pub async fn begin(caller: &Caller, stage: Option<Stage>, context: &CallContext) -> Result<Self, CallError> {
        let shared = caller;
        let permit = match Arc::clone(&shared.sandbox.permits).try_acquire_owned() {
            Ok(permit) => Some(permit),
            Err(_) => Arc::clone(&shared.sandbox.permits).acquire_owned().await.ok(),
        };
        let grant = Arc::clone(&shared.grant);
        let limits = grant.limits;
        let output = Tail::default();
        let labels = Labels { plugin: Arc::clone(&shared.name), run: Arc::from(context.run.as_str()), stage };
        let wasi = wasi_context(&grant, &context.mounts, &output).map_err(|reason| CallError {
            plugin: shared.name.to_string(),
            stage,
            failure: CallFailure::Host(reason),
            stderr: String::new(),
        })?;
        let guest = Guest {
            labels,
            wasi,
            table: resource_table(),
            http: WasiHttpCtx::new(),
            gate: HttpGate { authority: Authority::new(shared.name.to_string(), Arc::clone(&grant)), grant },
            budget: MemoryBudget::new(usize::try_from(limits.memory.0).unwrap_or(usize::MAX)),
            config: Arc::clone(&shared.config),
            log: LogQuota::new(&limits),
            keyvalue: Overlay::new(shared.keyvalue.clone(), Arc::clone(&shared.name)),
            local: shared.local.clone(),
            deadline: Instant::now() + limits.wall_time.0.min(LONGEST_CALL),
            output,
        };
        let mut store = Store::new(&shared.sandbox.engine, guest);
        store.limiter(|guest| &mut guest.budget);
        store.set_hostcall_fuel(usize::try_from(limits.output.0).unwrap_or(usize::MAX));
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|context| {
            if Instant::now() >= context.data().deadline {
                return Err(DeadlinePassed.into());
            }
            Ok(UpdateDeadline::Yield(1))
        });
        Ok(Self { store, _permit: permit })
    }

    /// Runs one of the plugin's functions to its end, its deadline or its failure, within the limits' time from now.
    pub async fn run<T>(
        &mut self,
        caller: &Caller,
        stage: Option<Stage>,
        function: impl AsyncFnOnce(&mut Store<Guest>) -> StageResult<T>,
    ) -> Result<T, CallError> {
        let limits = caller.grant.limits;
        let deadline = Instant::now() + limits.wall_time.0.min(LONGEST_CALL);
        self.store.data_mut().deadline = deadline;
        self.store.set_epoch_deadline(1);
        let outcome = tokio::time::timeout_at(deadline.into(), function(&mut self.store)).await;
        let dropped = self.store.data_mut().log.take_dropped();
        if dropped > 0 {
            tracing::warn!(plugin = &*caller.name, dropped, "log lines beyond the plugin's limit were dropped");
        }
        let failure = match outcome {
            Ok(Ok(Ok(value))) => match self.store.data_mut().keyvalue.commit() {
                Ok(()) => return Ok(value),
                Err(reason) => CallFailure::Host(format!("what it stored cannot be kept: {reason}")),
            },
            Ok(Ok(Err(error))) => self.refused(error.into()),
            Ok(Err(error)) => self.classify(caller, &error),
            Err(_) => CallFailure::OutOfTime(limits.wall_time),
        };
        let stderr = self.store.data().output.text();
        Err(CallError { plugin: caller.name.to_string(), stage, failure, stderr })
    }

    /// What the plugin asked the host for so far.
    pub fn records(&mut self) -> Vec<Record> {
        self.store.data_mut().authority().records().to_vec()
    }

    /// The plugin's own error; where it says that it was denied something, the host adds what that was.
    fn refused(&mut self, error: StageError) -> CallFailure {
        match self.store.data_mut().authority().last_denial() {
            Some(denial) if error.kind == ErrorKind::Denied => CallFailure::Denied(denial.clone()),
            _ => CallFailure::Refused(error),
        }
    }

    fn classify(&self, caller: &Caller, error: &wasmtime::Error) -> CallFailure {
        let limits = caller.grant.limits;
        if let Some(denial) = error.downcast_ref::<Denial>() {
            return CallFailure::Denied(denial.clone());
        }
        if error.is::<DeadlinePassed>() {
            return CallFailure::OutOfTime(limits.wall_time);
        }
        if self.store.data().budget.exceeded() {
            return CallFailure::OutOfMemory(limits.memory);
        }
        if let Some(exit) = error.downcast_ref::<wasmtime_wasi::I32Exit>() {
            return CallFailure::Trap(format!("it ended itself with exit code {}", exit.0));
        }
        if let Some(trap) = error.downcast_ref::<wasmtime::Trap>() {
            return CallFailure::Trap(trap.to_string());
        }
        if error.is::<PoolConcurrencyLimitError>() {
            return CallFailure::Host(format!("the pool of instances is in use ({error:#}); lower the calls at once"));
        }
        let cause = error.root_cause().to_string();
        if cause.contains(COPIED_TOO_MUCH) {
            let limit = limits.output;
            return CallFailure::BadOutput(format!(
                "more than {limit} at once; raise `limits.output` if it needs more"
            ));
        }
        // Where there are frames of the guest, it was in the middle of something: the host did not take what it was given.
        match error.downcast_ref::<WasmBacktrace>() {
            Some(_) => CallFailure::Trap(cause),
            None => CallFailure::BadOutput(cause),
        }
    }
}

/// An export that was looked up when the plugin was loaded.
fn not_implemented(plugin: &Plugin, stage: Stage) -> CallError {
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
            let mut call = Call::begin(&self.shared.caller, Some(Stage::$stage), context).await?;
            $($(let $argument = $convert;)?)*
            let $value = call.run(&self.shared.caller, Some(Stage::$stage), async move |store: &mut Store<Guest>| {
                let bindings = pre.instantiate_async(&mut *store).await?;
                bindings.$interface().$call(&mut *store $(, $argument)*).await
            }).await?;
            Ok($back)
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
        /// Whether a snapshot is whole.
        verify(environment: &str, id: &str) -> bool,
        StateGuard, state_guard, autodevops_stages_state_guard, call_verify, |whole| whole
    }
    stage_call! {
        /// Goes back to a snapshot.
        restore(environment: &str, key: &str, fence: u64, id: &str) -> (),
        StateGuard, state_guard, autodevops_stages_state_guard, call_restore, |done| done
    }
}

/// The raw instance, for benchmarks: instantiates with the limits of a call and drops it.
impl Plugin {
    /// Makes an instance and drops it, with all that surrounds a call but the call itself.
    ///
    /// # Errors
    /// How the instance failed to come up.
    pub async fn instantiate(&self, context: &CallContext) -> Result<Vec<Record>, CallError> {
        let mut call = Call::begin(&self.shared.caller, None, context).await?;
        let instance = &self.shared.instance;
        let _: Instance = call
            .run(&self.shared.caller, None, async |store: &mut Store<Guest>| {
                Ok(Ok(instance.instantiate_async(store).await?))
            })
            .await?;
        Ok(call.records())
    }
}
