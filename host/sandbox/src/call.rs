//! One call: a store and an instance for it, its deadline, its quota, and what became of it.

use std::{
    collections::HashMap,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use autodevops_model::{ErrorKind, Stage, StageError};
use autodevops_policy::{EffectiveGrant, Limit, OverLimit};
use tracing::Instrument;
use wasmtime::Store;
use wasmtime_wasi_http::WasiHttpCtx;

use crate::{
    activations::Activations,
    authority::Authority,
    bindings::base::autodevops::types::types,
    budget::MemoryBudget,
    clock::GuestClock,
    command::OperatorCommands,
    credentials::CredentialSource,
    engine::Sandbox,
    engines::Linked,
    failure::{self, CallError, CallFailure},
    guest::{Guest, Labels, MountedFolder, resource_table, wasi_context},
    http::{HttpGate, Scrubber, Vault},
    keyvalue::{Kept, KeyValueStore, NotKept, Overlay},
    local::LocalTarget,
    logging::LogQuota,
    mail::Mailer,
    measure::{Size, measure},
    permits::CallPermit,
    quota::Quota,
    refusal::Refusal,
    replay::{FailureKind, Header, Outcome, Recorder, Recordings, Replayed, Tape, lock},
    report::{CallReport, Observer},
    stderr::Tail,
    watch::{DeadlinePassed, watch},
};

/// What a run gives to its calls.
#[derive(Clone, Default)]
pub struct CallContext {
    /// Name of the run, for logs.
    pub run: String,
    /// Folders that the stage is given.
    pub mounts: Vec<MountedFolder>,
    /// Who is told of each call when it has ended.
    pub observer: Option<Arc<dyn Observer>>,
    /// Where the calls are recorded.
    pub recordings: Option<Arc<dyn Recordings>>,
    /// Where the host's answers come from, when a recording is replayed.
    pub replay: Option<Replayed>,
}

/// A replay's time is the machine's it runs on, not what was recorded: it may take so many times the call's, and so much at least.
const REPLAY_TIME: (u32, Duration) = (4, Duration::from_secs(60));

/// A limit beyond this is as good as none, and a time that far off can still be counted.
const LONGEST_CALL: Duration = Duration::from_secs(366 * 24 * 3600);

/// What a stage's function gives: the engine's error, the plugin's own, or the value.
pub(crate) type StageResult<T> = wasmtime::Result<Result<T, types::Error>>;

/// On whose behalf calls are made, and what they may do.
#[derive(Clone)]
pub(crate) struct Caller {
    pub sandbox: Sandbox,
    /// What its component was compiled for.
    pub on: Arc<Linked>,
    pub name: Arc<str>,
    /// Digest of the component, `blake3:` and 64 hex digits.
    pub digest: Arc<str>,
    pub grant: Arc<EffectiveGrant>,
    pub config: Arc<[(String, String)]>,
    pub keyvalue: Option<Arc<dyn KeyValueStore>>,
    pub local: Option<Arc<dyn LocalTarget>>,
    pub commands: Option<Arc<dyn OperatorCommands>>,
    pub mail: Option<Arc<dyn Mailer>>,
    /// Parts of the pool that a call takes.
    pub parts: u32,
    pub credentials: Option<Arc<dyn CredentialSource>>,
}

/// Which function of which stage is called, and how much it is given.
#[derive(Clone, Copy)]
pub(crate) struct Site {
    pub stage: Option<Stage>,
    pub function: &'static str,
    pub input: Size,
}

/// A store and the right to hold it.
pub(crate) struct Call {
    pub store: Store<Guest>,
    observer: Option<Arc<dyn Observer>>,
    _permit: CallPermit,
}

impl Call {
    pub async fn begin(
        caller: &Caller,
        stage: Option<Stage>,
        function: &'static str,
        context: &CallContext,
    ) -> Result<Self, CallError> {
        let shared = caller;
        // Waiting for its turn counts against nothing of the call's own; it is waited for as long as the call may take.
        let most = shared.grant.limits.wall_time.0.min(LONGEST_CALL);
        let vault = vault(caller, context, most).await;
        let permit = shared.sandbox.permits.acquire(&shared.name, shared.parts, most).await;
        let permit = permit.map_err(|busy| CallError {
            plugin: shared.name.to_string(),
            stage,
            failure: CallFailure::Host(busy.to_string()),
            stderr: String::new(),
        })?;
        let grant = Arc::clone(&shared.grant);
        let limits = &shared.grant.limits;
        let quota = Quota::new(Arc::clone(&shared.name), Arc::clone(&grant));
        let output = Tail::default();
        let labels = Labels { plugin: Arc::clone(&shared.name), run: Arc::from(context.run.as_str()), stage };
        let wasi = wasi_context(&grant, &context.mounts, &output, &quota).map_err(|reason| CallError {
            plugin: shared.name.to_string(),
            stage,
            failure: CallFailure::Host(reason),
            stderr: String::new(),
        })?;
        let scrubber = vault.scrubber().clone();
        let authority = Authority::new(Arc::clone(&shared.name), Arc::clone(&grant), Arc::clone(&quota), scrubber);
        let mut guest = Guest {
            labels,
            wasi,
            table: resource_table(limits.resources),
            listings: HashMap::new(),
            http: WasiHttpCtx::new(),
            gate: HttpGate::new(authority, Arc::clone(&shared.sandbox.network), Arc::clone(&vault)),
            budget: MemoryBudget::new(Arc::clone(&quota)),
            config: Arc::clone(&shared.config),
            log: LogQuota::new(quota, vault.scrubber().clone()),
            keyvalue: Overlay::new(shared.keyvalue.clone(), Arc::clone(&shared.name)),
            local: shared.local.clone(),
            commands: shared.commands.clone(),
            mail: shared.mail.clone(),
            clock: GuestClock::new(),
            activations: Activations::default(),
            tokens: None,
            deadline: Instant::now() + limits.wall_time.0.min(LONGEST_CALL),
            output,
            tape: Tape::Live,
        };
        guest.tape = tape(caller, stage, function, context, guest.gate.scrubber());
        guest.budget.replays(&guest.tape);
        let mut store = Store::new(&shared.on.engine, guest);
        watch(&mut store);
        Ok(Self { store, observer: context.observer.clone(), _permit: permit })
    }

    /// One of the plugin's functions is called next, with these arguments: JSON, and bytes.
    pub fn called(&mut self, function: &'static str, input: impl FnOnce() -> String, bytes: &[u8]) {
        match &mut self.store.data_mut().tape {
            Tape::Live => {}
            Tape::Record(recorder) => recorder.function(function, input(), bytes),
            Tape::Replay(player) => lock(player).next_function(),
        }
    }

    /// Runs one of the plugin's functions to its end, its deadline or its failure, within the limits' time from now. What it gives
    /// back is converted, measured and only then taken.
    pub async fn run<T, M>(
        &mut self,
        caller: &Caller,
        site: Site,
        function: impl AsyncFnOnce(&mut Store<Guest>) -> StageResult<T>,
        convert: impl FnOnce(T) -> M,
        size: impl FnOnce(&M) -> Size,
        shown: impl FnOnce(&M) -> String,
    ) -> Result<M, CallError> {
        let (started, begun) = (SystemTime::now(), Instant::now());
        let mut account = Account { call: self, caller, site, started, begun, told: false };
        let call = &mut *account.call;
        let guest = call.store.data_mut();
        guest.clock.restart();
        let result = match guest.authority().quota().charge(Limit::Input, site.input.bytes) {
            Ok(()) => call.bounded(caller, site, function).await.map(convert).and_then(|value| {
                let quota = call.store.data_mut().authority().quota();
                within(&quota, size(&value)).map(|()| value).map_err(CallFailure::OverLimit)
            }),
            Err(over) => Err(CallFailure::OverLimit(over)),
        };
        // Only what was taken is kept.
        let result = match result {
            Ok(value) => call.keep().await.map(|()| value),
            Err(failure) => Err(failure),
        };
        let guest = call.store.data_mut();
        let scrubber = guest.gate.scrubber().clone();
        let result = result.map_err(|failure| failure.scrubbed(&scrubber));
        guest.authority().quota().release(Limit::Input, site.input.bytes);
        let dropped = guest.log.take_dropped();
        if dropped > 0 {
            tracing::warn!(plugin = &*caller.name, dropped, "log lines beyond the plugin's limit were dropped");
        }
        let recording = call.record(site, result.as_ref(), shown);
        account.tell(result.as_ref().err().map(ToString::to_string), recording);
        let call = &*account.call;
        result.map_err(|failure| {
            let stderr = scrubber.scrub(&call.store.data().output.text());
            CallError { plugin: caller.name.to_string(), stage: site.stage, failure, stderr }
        })
    }

    /// Makes durable what the call stored.
    async fn keep(&mut self) -> Result<(), CallFailure> {
        let guest = self.store.data_mut();
        let quota = guest.authority().quota();
        let kept = guest.keyvalue.commit(Kept::most(quota.limits())).await;
        kept.map_err(|not| match not {
            NotKept::TooManyEntries => CallFailure::OverLimit(quota.exceed_aside(Limit::KeyvalueKeptEntries)),
            NotKept::TooManyBytes => CallFailure::OverLimit(quota.exceed_aside(Limit::KeyvalueKeptBytes)),
            NotKept::Failed(reason) => CallFailure::Host(format!("what it stored cannot be kept: {reason}")),
        })
    }

    /// Records what came of a function; the recording's digest, where it ends with it.
    fn record<M>(
        &mut self,
        site: Site,
        result: Result<&M, &CallFailure>,
        shown: impl FnOnce(&M) -> String,
    ) -> Option<String> {
        let Guest { tape, budget, .. } = self.store.data_mut();
        match tape {
            Tape::Live => None,
            Tape::Replay(player) => {
                lock(player).ended();
                None
            }
            Tape::Record(recorder) => {
                budget.take_denied().into_iter().for_each(|number| recorder.growth_denied(number));
                recorder.outcome(match result {
                    Ok(value) => Outcome::Output(shown(value)),
                    Err(failure) => outcome_of(failure),
                });
                // A session's calls are one recording, which ends with the session.
                let is_session = site.stage == Some(Stage::Analyzer);
                if is_session { None } else { recorder.finish() }
            }
        }
    }

    /// Ends the recording of a session's calls, and tells the observer of it, and of what was refused since the last call.
    pub fn close(&mut self, caller: &Caller) {
        let guest = self.store.data_mut();
        let recording = guest.tape.recorder().and_then(Recorder::finish);
        if recording.is_some() || guest.authority().has_news() {
            let site = Site { stage: self.store.data().labels.stage, function: "close", input: Size::default() };
            self.store.data_mut().clock.restart();
            self.report(caller, site, SystemTime::now(), Duration::ZERO, None, recording);
        }
    }

    async fn bounded<T>(
        &mut self,
        caller: &Caller,
        site: Site,
        function: impl AsyncFnOnce(&mut Store<Guest>) -> StageResult<T>,
    ) -> Result<T, CallFailure> {
        let limits = &caller.grant.limits;
        let mut most = limits.wall_time.0;
        if self.store.data().tape.player().is_some() {
            most = most.saturating_mul(REPLAY_TIME.0).max(REPLAY_TIME.1);
        }
        let deadline = Instant::now() + most.min(LONGEST_CALL);
        self.store.data_mut().deadline = deadline;
        self.store.set_epoch_deadline(1);
        let stage = site.stage.map_or("", Stage::name);
        let span = tracing::trace_span!("plugin_call", plugin = &*caller.name, stage, function = site.function);
        let waiting = self.store.data_mut().authority().waiting();
        let outcome = {
            let call = pin!(function(&mut self.store).instrument(span));
            // Dropped before the call.
            let _watched = waiting.watch();
            tokio::time::timeout_at(deadline.into(), call).await
        };
        match outcome {
            Ok(Ok(Ok(value))) => Ok(value),
            Ok(Ok(Err(error))) => Err(self.refused(error.into())),
            Ok(Err(error)) => Err(self.classify(caller, &error)),
            Err(_) => {
                self.store.data_mut().authority().cut();
                Err(CallFailure::OutOfTime(limits.wall_time))
            }
        }
    }

    /// Tells the observer, where there is one, what became of the call.
    fn report(
        &mut self,
        caller: &Caller,
        site: Site,
        started: SystemTime,
        wall: Duration,
        failure: Option<String>,
        recording: Option<String>,
    ) {
        let guest = self.store.data_mut();
        let tokens = guest.tokens.take();
        let Some(observer) = &self.observer else {
            guest.authority().forget();
            return;
        };
        let records = guest.authority().take_records();
        observer.finished(CallReport {
            run: Arc::clone(&guest.labels.run),
            plugin: Arc::clone(&caller.name),
            digest: Arc::clone(&caller.digest),
            stage: site.stage,
            function: site.function,
            started,
            wall,
            guest: guest.clock.guest(),
            failure,
            records,
            used: guest.authority().quota().used(),
            tokens,
            recording,
        });
    }

    /// The plugin's own error; where it says that it was denied something, or was held back by a limit, the host adds what that was.
    fn refused(&mut self, error: StageError) -> CallFailure {
        let guest = self.store.data_mut();
        if let Some(reason) = guest.gate.missing_credential() {
            return CallFailure::Host(reason.to_owned());
        }
        let authority = guest.authority();
        let size = measure(&error);
        if let Err(over) = within(&authority.quota(), size) {
            return CallFailure::OverLimit(over);
        }
        match (authority.quota().exceeded(), authority.last_denial()) {
            // A plugin that was refused memory and went on says itself what came of it.
            (Some(over), _) if !matches!(over.limit, Limit::Memory | Limit::TableElements) => {
                CallFailure::OverLimit(over)
            }
            (_, Some(denial)) if error.kind == ErrorKind::Denied => CallFailure::Denied(denial.clone()),
            _ => CallFailure::Refused(error),
        }
    }

    fn classify(&mut self, caller: &Caller, error: &wasmtime::Error) -> CallFailure {
        let quota = self.store.data_mut().authority().quota();
        if error.is::<DeadlinePassed>() {
            return CallFailure::OutOfTime(caller.grant.limits.wall_time);
        }
        if let Some(limit) = failure::host_call_over(error) {
            self.store.data_mut().authority().refuse_before(&Refusal::Over(limit));
        }
        failure::of_engine(error, &quota, caller.sandbox.stack())
    }
}

/// A call under way, of which the observer is told however it ends.
struct Account<'a> {
    call: &'a mut Call,
    caller: &'a Caller,
    site: Site,
    started: SystemTime,
    begun: Instant,
    told: bool,
}

impl Account<'_> {
    fn tell(&mut self, failure: Option<String>, recording: Option<String>) {
        self.told = true;
        self.call.report(self.caller, self.site, self.started, self.begun.elapsed(), failure, recording);
    }
}

/// Whoever waited for the call may go away in the middle of it; what it did until then was done.
impl Drop for Account<'_> {
    fn drop(&mut self) {
        if !self.told {
            self.call.store.data_mut().authority().cut();
            // Its recording ends here, too.
            let recording = self.call.store.data_mut().tape.recorder().and_then(Recorder::finish);
            self.tell(Some("the host gave the call up before it ended".to_owned()), recording);
        }
    }
}

/// A failure as it is recorded.
pub(crate) fn outcome_of(failure: &CallFailure) -> Outcome {
    let kind = match failure {
        CallFailure::OutOfTime(_) | CallFailure::Host(_) => FailureKind::Circumstances,
        CallFailure::OverLimit(over) if over.limit == Limit::GuestTime => FailureKind::Circumstances,
        _ => FailureKind::Plugin,
    };
    Outcome::Failure { kind, text: failure.to_string() }
}

/// A call's credentials, all of which are looked for before anything of it is logged, recorded or answered. A replay has none: it
/// sends nothing. Nothing is held meanwhile.
async fn vault(caller: &Caller, context: &CallContext, most: Duration) -> Arc<Vault> {
    let source = caller.credentials.clone().filter(|_| context.replay.is_none());
    let vault = Arc::new(Vault::new(Arc::clone(&caller.name), Arc::clone(&caller.grant), source));
    if vault.is_bound() {
        vault.load(most).await;
    }
    vault
}

/// What becomes of the host calls of a call that begins.
fn tape(
    caller: &Caller,
    stage: Option<Stage>,
    function: &'static str,
    context: &CallContext,
    scrubber: &Scrubber,
) -> Tape {
    if let Some(player) = &context.replay {
        return Tape::Replay(player.player());
    }
    let (Some(recordings), Some(stage)) = (&context.recordings, stage) else { return Tape::Live };
    let mut grant = EffectiveGrant::clone(&caller.grant);
    for folder in grant.files.values_mut() {
        folder.host = None;
    }
    let started = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let header = Header {
        run: context.run.clone(),
        plugin: caller.name.to_string(),
        component: caller.digest.to_string(),
        stage,
        function: function.to_owned(),
        started: u64::try_from(started.as_nanos()).unwrap_or(u64::MAX),
        grant,
        config: caller.config.to_vec(),
    };
    Recorder::begin(&**recordings, header, scrubber.clone())
        .map_or(Tape::Live, |recorder| Tape::Record(Box::new(recorder)))
}

/// A value as it is recorded: JSON.
pub(crate) fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Whether what was given back fits into the limits.
fn within(quota: &Quota, size: Size) -> Result<(), OverLimit> {
    let limits = quota.limits();
    for (limit, amount) in
        [(Limit::Output, size.bytes), (Limit::ListLength, size.longest_list), (Limit::StringLength, size.longest_text)]
    {
        if amount > limits.amount(limit) {
            return Err(quota.exceed(limit));
        }
    }
    Ok(())
}
