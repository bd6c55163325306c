//! A host of the simulated world: what its driver works with.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use autodevops_driver::{
    claims::Claims,
    clock::{Falls, Steady},
    ledger::urgent,
    parts::{Account, Clock, Later, Ledger, Observer, Parts, World as Outside},
};
use autodevops_journal::{AppendError, JournalError};
use autodevops_model::{Deployment, ErrorKind, Outcome, Release, Split, StageError, TestFile};
use autodevops_pipeline::{
    Awaited, Command, EffectOutcome, Environment, Event, Found, Glance, Input, Live, Member, Run, RunStage, Sample,
    Timestamp,
};

use crate::{
    affair::Affair,
    measure,
    rules::latest_fence,
    stock::{self, SECOND, error, release, reports},
    target::Target,
    world::{Shared, World},
};

/// How long a call takes that is quick.
const MOMENT: Duration = Duration::from_millis(50);

/// Who waits for another run looks again after so long.
const LOOKS_AGAIN: Duration = Duration::from_secs(5);

/// One host; others come after it, or beside it.
#[derive(Clone)]
pub struct Host {
    pub world: Shared,
    /// Which of the world's runs this part of it drives.
    pub of: usize,
    pub number: u64,
    pub steady: Arc<Steady>,
    /// Which run has which services, as this host knows it.
    pub claims: Arc<Claims>,
    /// How many of the run's events it knows.
    pub known: Arc<AtomicUsize>,
}

impl Host {
    /// What a driver on this host works with.
    pub fn parts(&self) -> Parts {
        let host = Arc::new(self.clone());
        Parts { ledger: host.clone(), world: host.clone(), account: host.clone(), clock: host.clone(), observer: host }
    }

    /// Dies here, where the world wants it.
    fn dies(&self, in_thousand: u16, where_: &str) -> bool {
        let mut world = self.world.lock();
        let dies = world.tape.happens(in_thousand);
        if dies {
            world.dying = Some(self.number);
            let number = self.number;
            world.tell(|| format!("host {number} dies {where_}"));
        }
        dies
    }

    /// A dead host's call never comes back.
    async fn live_or_hang(&self, in_thousand: u16, where_: &str) {
        if self.dies(in_thousand, where_) {
            std::future::pending::<()>().await;
        }
    }

    /// A call takes its time.
    async fn takes(&self) {
        let span = {
            let mut world = self.world.lock();
            match world.tape.happens(100) {
                true => world.tape.one(&[1, 20, 90, 600]) * SECOND,
                false => MOMENT,
            }
        };
        self.world.sleep(self.number, span).await;
    }

    fn fault(world: &mut World) -> Option<StageError> {
        let kinds = [ErrorKind::Unavailable, ErrorKind::Unavailable, ErrorKind::Failed, ErrorKind::Denied];
        world.tape.happens(60).then(|| error(world.tape.one(&kinds), "it does not work now"))
    }

    /// What a plugin answers that may be wrong.
    pub fn answer(&self, run: &Run, command: &Command) -> Input {
        let mut world = self.world.lock();
        let key = command.key().unwrap_or_default().to_owned();
        if let Some(error) = Self::fault(&mut world) {
            return match command {
                Command::Measure { .. } => Input::Measured { samples: Vec::new(), error: Some(error.info.message) },
                _ => Input::Failed { key, error },
            };
        }
        let two = world.runs.len() > 1;
        let mut outcome = || match world.tape.happens(40) {
            true => world.tape.one(&[Outcome::Inconclusive, Outcome::Failed]),
            false => Outcome::Passed,
        };
        match command {
            Command::Propose { .. } if outcome() == Outcome::Failed => Input::NoProposal { reason: "no idea".into() },
            Command::Propose { .. } => {
                Input::Proposed { plugin: "recipes".into(), fix: stock::fix(&world.runs[self.of].touched) }
            }
            Command::Claim { services, .. } if two => self.claim_of_two(&mut world, run, key, services),
            Command::Claim { services, .. } => claim(&mut world, run, key, services),
            Command::Compare { .. } => {
                let mut found = found(&mut world, run);
                for found in &mut found {
                    found.staging = world.target(&found.service, Environment::Staging).live();
                }
                Input::Serving { key, found }
            }
            Command::Review { plugins, .. } => Input::Reviewed { key, reports: reports(plugins, outcome()) },
            Command::GenerateTests { .. } => {
                let tests = vec![TestFile { path: "tests/more.test.js".into(), content: "generated".into() }];
                Input::TestsGenerated { key, tests }
            }
            Command::RunChecks { plugins, .. } => Input::Checked { key, reports: reports(plugins, outcome()) },
            Command::Commit { .. } => {
                let commit = format!("{}-commit", world.runs[self.of].names().new);
                Input::Committed { key, branch: "fix/1".into(), commit }
            }
            Command::Build { .. } => Input::Built { key, release: release(&world.runs[self.of].names().new) },
            Command::AutomatedTests { plugins, .. } => {
                Input::AutomatedTested { key, reports: reports(plugins, outcome()) }
            }
            Command::Measure { environment, subjects, windows } => {
                let overtaken = if *environment == Environment::Production { overtaken(&mut world, run) } else { None };
                overtaken.unwrap_or_else(|| Input::Measured {
                    samples: measure::samples(&mut world, self.of, *environment, subjects, windows),
                    error: None,
                })
            }
            other => panic!("{other:?} is no such command"),
        }
    }

    /// Of two runs each has its services to itself.
    fn claim_of_two(&self, world: &mut World, run: &Run, key: String, services: &[String]) -> Input {
        if let Err(of) = self.claims.ask(run.id(), services) {
            return Input::ServicesTaken { key, of };
        }
        let live = world.live();
        if let Some(strayed) = strayed(world, services, &live) {
            return Input::Failed { key, error: error(ErrorKind::Failed, &strayed) };
        }
        let base = if live == run.live() { run.base().to_owned() } else { format!("later-{}", run.base()) };
        world.fences += 1;
        Input::Claimed { key, fence: world.fences, base, live }
    }

    /// Waits for another run of the project, where that has one of the services.
    async fn waits_for_another(&self, run: &Run, command: &Command) {
        let Command::Claim { services, .. } = command else { return };
        let Some(awaited) = run.awaited() else { return };
        if self.world.lock().runs.len() == 1 {
            let span = self.world.lock().tape.one(&[1, 60, 3000]) * SECOND;
            return self.world.sleep(self.number, span).await;
        }
        while self.claims.ask(run.id(), services).is_err_and(|of| of == *awaited) {
            self.world.sleep(self.number, LOOKS_AGAIN).await;
        }
    }

    /// A target does what it is asked, or not; and says so, or not.
    /// `known`: how many of the run's events the host knew when it began; an answer may come a second time meanwhile.
    async fn affect(&self, command: &Command, again: bool, known: usize) -> Result<EffectOutcome, StageError> {
        let refused = {
            let mut world = self.world.lock();
            let Affair { rules, events, .. } = &mut world.runs[self.of];
            rules.asked(command, &events[..known]);
            Self::fault(&mut world)
        };
        if let Some(error) = refused {
            return Err(error);
        }
        let done = {
            let mut world = self.world.lock();
            let number = self.number;
            world.tell(|| format!("host {number} asks for {}", told(command)));
            let done = do_effect(&mut world, self.of, command, again);
            world.serving();
            if let Err(error) = &done {
                let message = error.info.message.clone();
                world.tell(|| format!("  refused: {message}"));
            }
            done
        };
        let done = done?;
        self.takes().await;
        let lost = self.world.lock().tape.happens(60);
        match lost {
            true => Err(error(ErrorKind::Unavailable, "the answer was lost")),
            false => Ok(done),
        }
    }
}

/// Which of the services serves another release than is on record, by its target's word: nobody goes on from there without a deploy.
fn strayed(world: &mut World, services: &[String], live: &[Live]) -> Option<String> {
    let labels = stock::labels(&world.plan);
    let mut places = labels.iter().zip(live).filter(|(label, _)| services.contains(label)).flat_map(|(label, live)| {
        [(Environment::Staging, &live.staging), (Environment::Production, &live.production)]
            .map(|(environment, release)| (label, environment, release))
    });
    places.find_map(|(label, environment, release)| {
        let said = world.target(label, environment).live();
        let known = release.as_ref()?;
        let strays = matches!(said.as_slice(), [Split { release, percent: 100 }] if *release != known.id);
        strays.then(|| format!("{environment:?} of {label} serves {said:?}, and not {}, which is on record", known.id))
    })
}

/// The services are the run's, unless another of the project's runs has one. That may have come to an end before production, or have
/// released them: then they serve another release by then.
fn claim(world: &mut World, run: &Run, key: String, services: &[String]) -> Input {
    if run.awaited().is_none() && world.tape.happens(300) {
        let of = Awaited { run: "another".into(), services: services[..1].to_vec() };
        return Input::ServicesTaken { key, of };
    }
    let (mut base, mut live) = (run.base().to_owned(), run.live());
    if run.awaited().is_some() && world.tape.happens(400) {
        let of_another = |live: &mut Live| {
            let release = |release: &mut Release| release.commit = format!("another-{}", release.commit);
            live.staging.iter_mut().chain(&mut live.production).for_each(release);
        };
        let released = run.plan().services.iter().map(|service| services.contains(&service.name));
        live.iter_mut().zip(released).filter(|(_, released)| *released).for_each(|(live, _)| of_another(live));
        base = format!("another-{base}");
    }
    world.fences += 1;
    Input::Claimed { key, fence: world.fences, base, live }
}

pub fn do_effect(world: &mut World, run: usize, command: &Command, again: bool) -> Result<EffectOutcome, StageError> {
    let now = world.now();
    match command {
        Command::Deploy { service, environment, key, fence, release } => {
            let target = world.target(service, *environment);
            let deployed = |release| EffectOutcome::Deployed(Deployment { release, url: None });
            if let Some(found) = target.find(key).filter(|_| again) {
                return Ok(deployed(found));
            }
            target.deploy(key, *fence, release)?;
            Ok(deployed(target.named(release)))
        }
        Command::SetTraffic { service, environment, key, fence, splits } => {
            world.target(service, *environment).set(key, *fence, splits, now)?;
            let other = world.others(run).find(|other| other.claimed.contains(service)).map(|other| other.name.clone());
            // A staging learns of a newer fence only by what it is asked: one who slept may be heard before the run after it asks anything.
            let sleeper = *environment == Environment::Staging && *fence < latest_fence(&world.runs[run].events);
            let rules = &mut world.runs[run].rules;
            rules.hold(sleeper || other.is_none(), || {
                format!("{key} moves {service}, which run {other:?} has to itself")
            });
            Ok(EffectOutcome::Done)
        }
        Command::Snapshot { key, .. } => Ok(EffectOutcome::Snapshot(world.keeper.snapshot(key, world.wall().0))),
        Command::Restore { key, fence, snapshot, .. } => {
            // Of a target that deceives the run knows no better than it is told.
            let is_known = |target: &Target| !target.deceived && !target.told_lies;
            let new = world.runs[run].names().new.clone();
            let exposed = world.productions().any(|(_, target)| target.share(&new) > 0 && is_known(target));
            world.runs[run]
                .rules
                .hold(!exposed, || "data goes back while the release that failed has traffic".to_owned());
            let wall = world.wall().0;
            let before = Some(world.keeper.snapshot(&format!("{key}/before"), wall));
            let since = world.keeper.since(&snapshot.id);
            world.keeper.restore(key, *fence, &snapshot.id).map(|()| EffectOutcome::Restored { before, since })
        }
        _ => Ok(EffectOutcome::Done),
    }
}

/// What serves production of each of the run's services, by the target's word; some targets tell of the release that has all, too.
fn found(world: &mut World, run: &Run) -> Vec<Found> {
    let found = |member: &Member| {
        let splits = world.target(member.label(), Environment::Production).live();
        let all = splits.first().filter(|split| split.percent == 100).map(|split| stock::release(&split.release));
        let whole = all.filter(|_| world.tape.happens(500));
        Found { whole, service: member.label().to_owned(), splits, staging: Vec::new() }
    };
    run.members().map(found).collect()
}

/// That someone deployed past the run, where it is so. A lease that ran out is no person: the next renewal says it.
fn overtaken(world: &mut World, run: &Run) -> Option<Input> {
    if run.ending().is_some() {
        return None;
    }
    let mut found = found(world, run);
    found.retain(|found| !world.production(&found.service).returned);
    run.is_overtaken(&found).then(|| Input::Serving { key: run.look_key(), found })
}

fn told(command: &Command) -> String {
    match command {
        Command::SetTraffic { key, fence, splits, .. } => {
            let shares: Vec<String> =
                splits.iter().map(|split| format!("{} {} %", split.release, split.percent)).collect();
            format!("{key} (fence {fence}): {}", shares.join(", "))
        }
        Command::Deploy { key, fence, .. } => format!("{key} (fence {fence})"),
        other => other.key().unwrap_or("measurements").to_owned(),
    }
}

impl Outside for Host {
    fn perform<'a>(&'a self, run: &'a Run, command: &'a Command) -> Later<'a, Input> {
        Box::pin(async move {
            self.takes().await;
            self.live_or_hang(30, "at work").await;
            self.waits_for_another(run, command).await;
            let answer = self.answer(run, command);
            self.world.lock().may_repeat(self.of, &answer);
            answer
        })
    }

    fn effect<'a>(&'a self, run: &'a Run, command: &'a Command, again: bool) -> Later<'a, Input> {
        Box::pin(async move {
            let known = self.known.load(Ordering::Relaxed);
            self.live_or_hang(60, "before an effect").await;
            self.takes().await;
            if matches!(command, Command::SetTraffic { environment: Environment::Production, .. })
                && let Some(overtaken) = overtaken(&mut self.world.lock(), run)
            {
                return overtaken;
            }
            // A host may fall asleep between its look and what it does.
            self.world.sleep(self.number, MOMENT).await;
            let mut outcome = self.affect(command, again, known).await;
            if outcome.is_ok() && run.takes_back(command) {
                let found = found(&mut self.world.lock(), run);
                outcome = run.left_behind(command, &found).map_or(outcome, Err);
            }
            self.live_or_hang(60, "after an effect").await;
            let outcome = outcome.unwrap_or_else(EffectOutcome::Failed);
            let answer = Input::Effect { key: command.key().unwrap_or_default().to_owned(), outcome };
            self.world.lock().may_repeat(self.of, &answer);
            answer
        })
    }

    fn renew<'a>(&'a self, run: &'a Run) -> Later<'a, Vec<String>> {
        Box::pin(async move {
            let mut returned = Vec::new();
            let local = self.world.lock().faults.local;
            let shared = run.members().filter(|member| member.traffic(Environment::Production).len() > 1);
            for member in shared.filter(|_| local) {
                let mut world = self.world.lock();
                if world.tape.happens(30) {
                    continue;
                }
                let now = world.now();
                let renewed = world.target(member.label(), Environment::Production).renew(run.fence(), now);
                world.serving();
                if run.stage() == RunStage::Rollout && renewed == Ok(true) {
                    returned.push(member.label().to_owned());
                }
            }
            returned
        })
    }

    fn glance<'a>(&'a self, _: &'a Run, glance: &'a Glance) -> Later<'a, Vec<Sample>> {
        Box::pin(async move {
            self.live_or_hang(5, "at a glance").await;
            let mut world = self.world.lock();
            if !world.faults.local || world.tape.happens(60) {
                return Vec::new();
            }
            measure::samples(&mut world, self.of, glance.environment, &glance.subjects, &glance.windows)
        })
    }

    fn renewal(&self) -> Duration {
        15 * SECOND
    }

    fn free(&self, run: &Run) {
        self.claims.free(run.id());
    }

    fn clean(&self, _: &Run) {}
}

impl Ledger for Host {
    fn append(&self, run: &Run, version: u64, events: &[Event]) -> Result<u64, AppendError> {
        let path = std::path::PathBuf::from("journal");
        let dead = || AppendError::Journal(JournalError::Busy { path: "journal".into() });
        if self.dies(15, "before it writes") {
            return Err(dead());
        }
        let mut world = self.world.lock();
        let actual = world.runs[self.of].events.len() as u64;
        if actual != version {
            return Err(AppendError::Conflict { run: run.id().into(), expected: version, actual });
        }
        if world.is_full() {
            if world.reserve == 0 || !urgent(run, events) {
                return Err(AppendError::Full { path });
            }
            world.reserve -= 1;
        }
        let number = self.number;
        for event in events {
            world.tell(|| format!("host {number}: {}", crate::run::words(event)));
        }
        world.written(self.of, events);
        let mut after = run.clone();
        events.iter().for_each(|event| after.apply(event));
        if after.ending().is_some() && after.claimed_services().is_empty() {
            world.freed(self.of);
        }
        let length = world.runs[self.of].events.len();
        self.known.store(length, Ordering::Relaxed);
        let version = length as u64;
        drop(world);
        if self.dies(15, "after it wrote") {
            return Err(dead());
        }
        Ok(version)
    }

    fn next_fence(&self) -> Result<u64> {
        let mut world = self.world.lock();
        world.fences += 1;
        Ok(world.fences)
    }
}

impl Account for Host {
    fn take_over(&self, _: &Run) {}

    fn recorded(&self, _: &Run, _: u64, _: Option<&'static str>) {}

    fn let_go(&self, _: &Run, _: u64) {}
}

impl Clock for Host {
    fn now(&self) -> Timestamp {
        let world = self.world.lock();
        self.steady.read(world.wall(), world.monotonic())
    }

    fn falls(&self) -> Falls {
        self.now();
        self.steady.falls()
    }

    fn not_before(&self, moment: Timestamp) {
        self.steady.not_before(moment, self.world.lock().monotonic());
    }

    fn sleep(&self, span: Duration) -> Later<'_, ()> {
        Box::pin(self.world.sleep(self.number, span))
    }
}

impl Observer for Host {
    fn event(&self, _: &Run, _: &Event) {}

    fn doing(&self, _: &Run, _: &Command) {}

    fn notice(&self, text: &str) {
        let text = text.to_owned();
        self.world.lock().tell(|| text);
    }
}
