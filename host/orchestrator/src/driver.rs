//! Drives one run: asks the core what is to be done, does it, records what came of it, and asks again.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result};
use autodevops_journal::AppendError;
use autodevops_model::{Release, Split};
use autodevops_pipeline::{Command, Environment, Event, EventKind, Input, Outcome, Refused, Run, Timestamp};
use tokio::sync::{mpsc, oneshot};

use crate::{
    clock::now,
    live::{Live, Origin},
    log::Logged,
    project::Project,
    stages::Stages,
};

/// Between two tries to write to a journal that cannot be written: a full disk is not the end of a run.
const JOURNAL_PAUSE: Duration = Duration::from_secs(2);

/// The longest that the driver sleeps: a candidate's lease is renewed meanwhile.
const NAP: Duration = Duration::from_secs(10);

/// What a person says to a run, and where the answer goes.
#[derive(Debug)]
pub struct Word {
    /// What is said.
    pub input: Input,
    /// Where it is said whether it is taken, with the run as it is then.
    pub answer: oneshot::Sender<Result<Box<Run>, Refused>>,
}

/// Sees what happens in runs, as it happens.
pub trait Observer: Send + Sync {
    /// Something happened, and is on record.
    fn event(&self, run: &Run, event: &Event);
    /// Something is being done now.
    fn doing(&self, run: &Run, command: &Command);
    /// Something outside of the run's events that a person should know.
    fn notice(&self, text: &str);
}

/// What a driver came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The run is over.
    Finished(Outcome),
    /// It waits for a person, and the driver was told not to.
    Waiting {
        /// What it waits for.
        reason: String,
        /// What a person can do about it.
        remedy: String,
    },
}

/// Drives a run.
pub struct Driver {
    project: Arc<Project>,
    run: Run,
    version: u64,
    words: mpsc::Receiver<Word>,
    observer: Arc<dyn Observer>,
    stages: Stages,
    /// Whether to wait for people at a gate.
    wait: bool,
}

impl Driver {
    /// A driver of a run that is on record. The caller holds the state's lock.
    pub fn new(
        project: Arc<Project>,
        logged: Logged,
        words: mpsc::Receiver<Word>,
        observer: Arc<dyn Observer>,
        wait: bool,
    ) -> Self {
        let stages = Stages::new(Arc::clone(&project));
        if logged.run.outcome().is_none() {
            project.audit.take_over(logged.run.id(), logged.run.stage().name());
        }
        Self { project, run: logged.run, version: logged.version, words, observer, stages, wait }
    }

    /// Takes over a run whose driver ended before it: what is said of environments is brought up to date, and effects go on with
    /// a fence above all before.
    ///
    /// # Errors
    /// When the journal cannot be used.
    pub async fn take_over(&mut self, events: &[Event]) -> Result<()> {
        for environment in [Environment::Staging, Environment::Production] {
            let last =
                events.iter().rfind(|event| self.made_live(&event.event).is_some_and(|made| made.0 == environment));
            if let Some(event) = last {
                self.note_live(&event.event)?;
            }
        }
        if self.run.outcome().is_none() {
            let fence = self.project.next_fence()?;
            self.take(Input::Resume { fence }).await?.map_err(anyhow::Error::from)?;
            self.renew().await?;
        }
        Ok(())
    }

    /// The run as it is now.
    pub const fn run(&self) -> &Run {
        &self.run
    }

    /// Takes what someone said, outside of [`Self::drive`].
    ///
    /// # Errors
    /// When the journal cannot be used; the inner error is the refusal.
    pub async fn take(&mut self, input: Input) -> Result<Result<(), Refused>> {
        let events = match self.run.decide(input, now()) {
            Ok(events) => events,
            Err(refused) => return Ok(Err(refused)),
        };
        self.record(events).await?;
        Ok(Ok(()))
    }

    /// Drives the run until it is over, or waits for a person and shall not wait.
    ///
    /// # Errors
    /// When the journal fails otherwise than by a full disk, or another host drives the run too.
    pub async fn drive(&mut self) -> Result<End> {
        loop {
            self.hear().await?;
            let commands = self.run.commands(now());
            let Some(command) = commands.into_iter().find(|command| !matches!(command, Command::AskApproval { .. }))
            else {
                // The core gives something to do or to wait for, always.
                self.rest(now().after(NAP)).await?;
                continue;
            };
            match command {
                Command::Finish(outcome) => {
                    self.stages.clean(&self.run);
                    return Ok(End::Finished(outcome));
                }
                Command::WaitUntil(until) => {
                    if let Some(waiting) = self.waits_for_a_person().filter(|_| !self.wait && self.holds_no_lease()) {
                        return Ok(waiting);
                    }
                    self.rest(until).await?;
                }
                command => self.perform(command).await?,
            }
        }
    }

    /// What only a person can change.
    fn waits_for_a_person(&self) -> Option<End> {
        let id = self.run.id();
        if let Some(hold) = self.run.on_hold() {
            let why = if hold.reason.is_empty() { String::new() } else { format!(": {}", hold.reason) };
            let reason = format!("on hold by {}{why}", hold.by);
            return Some(End::Waiting { reason, remedy: format!("let it go on with `autodevops resume {id}`") });
        }
        let gate = self.run.gate()?;
        let remedy = format!("let it go on with `autodevops approve {id}`");
        Some(End::Waiting { reason: gate.reason.clone(), remedy })
    }

    /// A candidate with a part of production's traffic loses it when its host goes away; the host stays for it.
    fn holds_no_lease(&self) -> bool {
        self.run.traffic(Environment::Production).len() < 2
    }

    /// Takes everything that was said meanwhile.
    async fn hear(&mut self) -> Result<()> {
        while let Ok(word) = self.words.try_recv() {
            self.answer(word).await?;
        }
        Ok(())
    }

    async fn answer(&mut self, word: Word) -> Result<()> {
        let taken = self.take(word.input).await?.map(|()| Box::new(self.run.clone()));
        // Whoever asked may have gone away.
        drop(word.answer.send(taken));
        Ok(())
    }

    /// Waits until the moment, unless someone speaks; then tells the core that time has passed.
    async fn rest(&mut self, until: Timestamp) -> Result<()> {
        loop {
            if self.renew().await? {
                return Ok(());
            }
            let left = Duration::from_nanos(u64::try_from(until.0.saturating_sub(now().0)).unwrap_or(0));
            if left.is_zero() {
                break;
            }
            let nap = left.min(self.project.renewal()).min(NAP);
            tokio::select! {
                word = self.words.recv() => {
                    if let Some(word) = word {
                        return self.answer(word).await;
                    }
                    tokio::time::sleep(nap).await;
                }
                () = tokio::time::sleep(nap) => {}
            }
        }
        // What time brought, the core knows best; that it has nothing to say is fine.
        self.take(Input::Tick).await?.or_else(|_| Ok(()))
    }

    /// Renews the candidate's lease. When it had run out, the run is told, and has other plans now.
    async fn renew(&mut self) -> Result<bool> {
        let returned = self.stages.renew(&self.run).await;
        if returned {
            self.take(Input::TrafficReturned).await?.map_err(anyhow::Error::from)?;
        }
        Ok(returned)
    }

    /// Does one command to its end and takes what came of it. People are heard all the while. Where what they say makes the command
    /// unwanted it is dropped; but an effect is seen to its end, since what it did is to be known before it is taken back.
    async fn perform(&mut self, command: Command) -> Result<()> {
        // What is measured must be what the run holds it for.
        if matches!(command, Command::Measure { .. }) && self.renew().await? {
            return Ok(());
        }
        self.observer.doing(&self.run, &command);
        let again = match command.key() {
            Some(key) if command.needs_intent() => {
                let again = self.run.pending().any(|effect| effect.key == key);
                if !again {
                    let intent = Input::Intent { key: key.to_owned() };
                    self.take(intent).await?.map_err(anyhow::Error::from)?;
                }
                again
            }
            _ => false,
        };
        let run = self.run.clone();
        let stages = self.stages.clone();
        let effect = command.needs_intent();
        let work = async {
            if effect { stages.effect(&run, &command, again).await } else { stages.perform(&run, &command).await }
        };
        tokio::pin!(work);
        let input = loop {
            let renewal = self.project.renewal();
            tokio::select! {
                input = &mut work => break input,
                // Whether traffic returned while it is being moved is for the next look at it to say.
                () = tokio::time::sleep(renewal), if effect => drop(self.stages.renew(&run).await),
                () = tokio::time::sleep(renewal), if !effect => if self.renew().await? {
                    return Ok(());
                },
                word = self.words.recv() => {
                    let Some(word) = word else { break work.await };
                    self.answer(word).await?;
                    if !effect && !self.run.commands(now()).iter().any(|wanted| same(wanted, &command)) {
                        return Ok(());
                    }
                }
            }
        };
        if let Err(refused) = self.take(input).await? {
            // Someone's word came between, and the core has other plans now.
            tracing::debug!(%refused, "what came of a command is not wanted any more");
        }
        Ok(())
    }

    /// Writes the events of one decision, then applies them. A full disk is waited out.
    async fn record(&mut self, events: Vec<Event>) -> Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        let mut told = false;
        let stage = self.run.stage();
        loop {
            match self.project.log.append(self.run.id(), self.version, &events) {
                Ok(version) => {
                    self.version = version;
                    break;
                }
                Err(error @ AppendError::Full { .. }) => {
                    if !told {
                        self.observer.notice(&format!("{error}; the run waits"));
                        told = true;
                    }
                    self.stages.renew(&self.run).await;
                    tokio::time::sleep(JOURNAL_PAUSE).await;
                }
                Err(error) => return Err(error).context("the run cannot be recorded"),
            }
        }
        for event in &events {
            self.run.apply(event);
            self.note_live(&event.event)?;
            self.observer.event(&self.run, event);
        }
        let audit = &self.project.audit;
        if self.run.stage() == stage {
            audit.seal_much(self.run.id(), stage.name(), self.version);
        } else {
            audit.seal(self.run.id(), stage.name(), self.version);
        }
        Ok(())
    }

    /// The environment that the event gave to one release, and which.
    fn made_live(&self, event: &EventKind) -> Option<(Environment, Release)> {
        let (environment, id) = match event {
            EventKind::TrafficSet { environment, splits, .. } => match splits.as_slice() {
                [Split { release, percent: 100 }] => (*environment, release),
                _ => return None,
            },
            EventKind::RolledBack { environment, to, .. } => (*environment, to),
            _ => return None,
        };
        let live = self.run.live();
        let before = match environment {
            Environment::Staging => live.staging.as_ref(),
            Environment::Production => live.production.as_ref(),
        };
        let release = [self.run.release(), before].into_iter().flatten().find(|known| known.id == *id)?;
        Some((environment, release.clone()))
    }

    /// Keeps what is known to serve each environment up to date.
    fn note_live(&self, event: &EventKind) -> Result<()> {
        let Some((environment, release)) = self.made_live(event) else { return Ok(()) };
        let name = match environment {
            Environment::Staging => &self.run.plan().staging,
            Environment::Production => &self.run.plan().production,
        };
        Live::new(&self.project.journal).set(name, &release, &Origin::Run(self.run.id().to_owned()), now())
    }
}

/// However a run is left, by its end, by an error, by a host that is stopped: what was gathered is sealed.
impl Drop for Driver {
    fn drop(&mut self) {
        let run = &self.run;
        self.project.audit.let_go(run.id(), run.stage().name(), self.version, run.outcome().is_some());
    }
}

/// Whether two commands are one: by their keys, or, for those without, by what they are.
fn same(one: &Command, other: &Command) -> bool {
    match (one.key(), other.key()) {
        (None, None) => std::mem::discriminant(one) == std::mem::discriminant(other),
        (one, other) => one == other,
    }
}
