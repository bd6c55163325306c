//! Drives one run: asks the core what is to be done, does it, records what came of it, and asks again.

mod full;
mod idle;
mod rounds;

use std::{collections::VecDeque, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use autodevops_journal::AppendError;
use autodevops_pipeline::{Awaited, Command, Environment, Event, Input, Outcome, Refused, Run, Timestamp};
use tokio::sync::{mpsc, oneshot};

pub use crate::parts::Observer;
use crate::{clock::Falls, log::Logged, parts::Parts};

use idle::Idle;
use rounds::Rounds;

/// The longest that the driver sleeps.
const NAP: Duration = Duration::from_secs(10);

/// What a person says to a run, and where the answer goes.
#[derive(Debug)]
pub struct Word {
    /// What is said.
    pub input: Input,
    /// Where it is said whether it is taken, with the run as it is then.
    pub answer: oneshot::Sender<Result<Box<Run>, Refused>>,
}

/// What a driver came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The run is over.
    Finished(Outcome),
    /// It waits for another run, and the driver was told not to.
    Queued(Awaited),
    /// It waits for a person, and the driver was told not to.
    Waiting {
        /// What it waits for.
        reason: String,
        /// What a person can do about it.
        remedy: String,
    },
}

/// Somebody else wrote to a run that a driver drives.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "another autodevops drives run {run} too: its journal grew from {expected} events to {actual} by another hand; this one stops here \
     and changes nothing more: let one process alone have the state folder, then start it again"
)]
pub struct TwoHosts {
    /// The run.
    pub run: String,
    /// How many events this driver knows.
    pub expected: u64,
    /// How many there are.
    pub actual: u64,
}

/// Drives a run.
pub struct Driver {
    parts: Parts,
    run: Run,
    version: u64,
    words: mpsc::Receiver<Word>,
    /// What was said while nothing could be written.
    unheard: VecDeque<Word>,
    /// Whether it was said that there is no room.
    told: bool,
    /// Whether to wait for people at a gate.
    wait: bool,
    /// What comes round by itself, and when.
    rounds: Rounds,
    /// How often it was to wait for nothing.
    idle: Idle,
    /// How often the machine's clock had gone back when the run was told of it last, or came to be driven.
    falls: u64,
}

impl Driver {
    /// A driver of a run that is on record. The caller holds the state's lock.
    pub fn new(parts: Parts, logged: Logged, words: mpsc::Receiver<Word>, wait: bool) -> Self {
        // What the clock did before is none of the run's affair, but for what the run has on record.
        let falls = parts.clock.falls().times;
        parts.clock.not_before(logged.run.last_event_at());
        if logged.run.outcome().is_none() {
            parts.account.take_over(&logged.run);
        }
        let (unheard, rounds, idle) = (VecDeque::new(), Rounds::default(), Idle::default());
        let (run, version) = (logged.run, logged.version);
        Self { parts, run, version, words, unheard, told: false, wait, rounds, idle, falls }
    }

    /// Takes over a run whose driver ended before it: effects go on with a fence above all before.
    ///
    /// # Errors
    /// When the journal cannot be used.
    pub async fn take_over(&mut self) -> Result<()> {
        if self.run.outcome().is_none() {
            let fence = self.parts.ledger.next_fence()?;
            // Where someone ends the run while there is no room, going back needs the fence all the more: the host before may only sleep.
            while self.run.outcome().is_none()
                && !self.written(Input::Resume { fence }).await?.map_err(anyhow::Error::from)?
            {}
            self.renew().await?;
        }
        Ok(())
    }

    fn now(&self) -> Timestamp {
        self.parts.clock.now()
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
        Ok(self.written(input).await?.map(drop))
    }

    /// Takes an input; whether what follows from it was written, or something more urgent, or nothing, since there is no room for it.
    async fn written(&mut self, input: Input) -> Result<Result<bool, Refused>> {
        let comes_again = comes_again(&input);
        match self.run.decide(input, self.now()) {
            Ok(events) => self.record(events, comes_again).await.map(Ok),
            Err(refused) => Ok(Err(refused)),
        }
    }

    /// Drives the run until it is over, or waits for a person or another run and shall not wait.
    ///
    /// # Errors
    /// When the journal fails otherwise than by a full disk, or another host drives the run too.
    pub async fn drive(&mut self) -> Result<End> {
        loop {
            self.look_at_clock().await?;
            self.hear().await?;
            let commands = self.run.commands(self.now());
            let Some(command) = commands.into_iter().find(|command| !matches!(command, Command::AskApproval { .. }))
            else {
                // The core gives something to do or to wait for, always.
                self.rest(self.now().after(NAP)).await?;
                continue;
            };
            match command {
                Command::Finish(outcome) => {
                    self.parts.world.clean(&self.run);
                    return Ok(End::Finished(outcome));
                }
                Command::WaitUntil(until) => {
                    // They are told before, also where that must be tried again.
                    let leaves = !self.wait && self.holds_no_lease() && !self.run.has_untold();
                    if let Some(waiting) = self.waits_for_a_person().filter(|_| leaves) {
                        return Ok(waiting);
                    }
                    self.rest(until).await?;
                }
                // Who waits for another run says so once.
                Command::Claim { .. } if let Some(of) = self.run.awaited().filter(|_| !self.wait) => {
                    return Ok(End::Queued(of.clone()));
                }
                command => self.perform(command).await?,
            }
        }
    }

    /// Puts on record that the machine's clock went back: what the run waits for comes when it was meant to all the same.
    async fn look_at_clock(&mut self) -> Result<()> {
        let Falls { times, behind } = self.parts.clock.falls();
        if std::mem::replace(&mut self.falls, times) == times {
            return Ok(());
        }
        // Who watches sees what is on record.
        if !matches!(self.written(Input::ClockWentBack { behind }).await?, Ok(true)) {
            self.parts.observer.notice(&format!(
                "this machine's clock went back by {} s, which cannot be put on record; set it right",
                behind.as_secs()
            ));
        }
        Ok(())
    }

    /// What only a person can change.
    fn waits_for_a_person(&self) -> Option<End> {
        let id = self.run.id();
        if let Some(hold) = self.run.on_hold() {
            let why = if hold.reason.is_empty() { String::new() } else { format!(": {}", hold.reason) };
            let reason = format!("on hold by {}{why}", hold.by);
            return Some(End::Waiting { reason, remedy: format!("let it go on with `autodevops resume {id}`") });
        }
        if self.run.only_tells() {
            let gate = self.run.gate().map(|gate| gate.reason.clone());
            let needed = self.run.alarm_beside().map(|alarm| alarm.reason.clone());
            let reasons: Vec<String> = needed.into_iter().chain(gate).collect();
            let remedy = self.run.way_to_end();
            return (!reasons.is_empty()).then(|| End::Waiting { reason: reasons.join("; "), remedy });
        }
        let gate = self.run.gate()?;
        let remedy = format!("let it go on with `autodevops approve {id} --question {}`", gate.number);
        Some(End::Waiting { reason: gate.reason.clone(), remedy })
    }

    /// A candidate with a part of production's traffic loses it when its host goes away; the host stays for it.
    fn holds_no_lease(&self) -> bool {
        self.run.members().all(|member| member.traffic(Environment::Production).len() < 2)
    }

    /// Takes everything that was said meanwhile.
    async fn hear(&mut self) -> Result<()> {
        while let Some(word) = self.unheard.pop_front() {
            self.answer(word).await?;
        }
        while let Ok(word) = self.words.try_recv() {
            self.answer(word).await?;
        }
        Ok(())
    }

    async fn answer(&mut self, word: Word) -> Result<()> {
        let taken = match (self.written(word.input.clone()).await?, self.run.ending()) {
            (Ok(false), None) => {
                // Someone else's word came first, and had the room.
                self.unheard.push_back(word);
                return Ok(());
            }
            (Ok(false), Some(outcome)) => Err(Refused::ending(&self.run, outcome)),
            (taken, _) => taken.map(|_| Box::new(self.run.clone())),
        };
        // Whoever asked may have gone away.
        drop(word.answer.send(taken));
        Ok(())
    }

    /// Waits until the moment, unless someone speaks; then tells the core that time has passed.
    async fn rest(&mut self, until: Timestamp) -> Result<()> {
        let clock = Arc::clone(&self.parts.clock);
        let (begun, waits) = (self.version, until > self.now());
        loop {
            let version = self.version;
            self.round().await?;
            if self.version != version {
                return Ok(());
            }
            let left = Duration::from_nanos(u64::try_from(until.0.saturating_sub(self.now().0)).unwrap_or(0));
            if left.is_zero() {
                break;
            }
            let nap = left.min(self.until_round()).min(NAP);
            tokio::select! {
                biased;
                word = self.words.recv() => {
                    if let Some(word) = word {
                        return self.answer(word).await;
                    }
                    clock.sleep(nap).await;
                }
                () = clock.sleep(nap) => {}
            }
        }
        // What time brought, the core knows best; that it has nothing to say is fine.
        let has_no_room = matches!(self.written(Input::Tick).await?, Ok(false));
        if waits || has_no_room || self.version != begun {
            self.idle.is_over();
            return Ok(());
        }
        match self.idle.pause(self.run.id()) {
            Duration::ZERO => Ok(()),
            pause => self.hearing(async move { clock.sleep(pause).await }).await,
        }
    }

    /// Does one command to its end and takes what came of it. People are heard all the while. Where what they say makes the command
    /// unwanted it is dropped; but an effect is seen to its end, since what it did is to be known before it is taken back.
    async fn perform(&mut self, command: Command) -> Result<()> {
        // What is measured must be what the run holds it for.
        if matches!(command, Command::Measure { .. }) {
            self.renew().await?;
            if !self.wants(&command) {
                return Ok(());
            }
        }
        self.parts.observer.doing(&self.run, &command);
        let again = match command.key() {
            Some(key) if command.needs_intent() => {
                let again = self.run.pending().any(|effect| effect.key == key);
                if !again {
                    let intent = Input::Intent { key: key.to_owned() };
                    self.take(intent).await?.map_err(anyhow::Error::from)?;
                    if self.run.pending().all(|effect| effect.key != key) {
                        // It could not be written, and the core has other plans now.
                        return Ok(());
                    }
                }
                again
            }
            _ => false,
        };
        let run = self.run.clone();
        let (world, clock) = (Arc::clone(&self.parts.world), Arc::clone(&self.parts.clock));
        let effect = command.needs_intent();
        let mut work = if effect { world.effect(&run, &command, again) } else { world.perform(&run, &command) };
        let input = loop {
            tokio::select! {
                biased;
                input = &mut work => break input,
                () = clock.sleep(self.until_round()) => {
                    if effect { self.round_meanwhile().await? } else { self.round().await? }
                    let wanted = effect || self.wants(&command);
                    if !wanted || self.makes_way(&command) {
                        return Ok(());
                    }
                }
                word = self.words.recv() => {
                    let Some(word) = word else { break work.await };
                    self.answer(word).await?;
                    let wanted = effect || self.wants(&command);
                    if !wanted || self.makes_way(&command) {
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

    /// Whether the run wants the command still.
    fn wants(&self, command: &Command) -> bool {
        self.run.commands(self.now()).iter().any(|wanted| same(wanted, command))
    }

    /// Writes the events of one decision, then applies them. On a full disk it is waited for room; but someone who ends the run, or wants to,
    /// is heard, and so is a glance that does. What comes again is not written, as if the host had died before it: the run is watched on.
    async fn record(&mut self, events: Vec<Event>, comes_again: bool) -> Result<bool> {
        if events.is_empty() {
            return Ok(true);
        }
        loop {
            match self.parts.ledger.append(&self.run, self.version, &events) {
                Ok(version) => {
                    self.recorded(version, &events);
                    return Ok(true);
                }
                Err(error @ AppendError::Full { .. }) => {
                    if !std::mem::replace(&mut self.told, true) {
                        self.parts.observer.notice(&format!("{error}; the run waits"));
                    }
                }
                Err(AppendError::Conflict { run, expected, actual }) => bail!(TwoHosts { run, expected, actual }),
                Err(error) => return Err(error).context("the run cannot be recorded"),
            }
            if self.heard_before_there_is_room().await? || comes_again {
                return Ok(false);
            }
        }
    }

    /// Applies what is written.
    fn recorded(&mut self, version: u64, events: &[Event]) {
        (self.version, self.told) = (version, false);
        let stage = self.run.stage();
        let had = !self.run.claimed_services().is_empty();
        for event in events {
            self.run.apply(event);
            self.parts.observer.event(&self.run, event);
        }
        let ended = (self.run.stage() != stage).then(|| stage.name());
        self.parts.account.recorded(&self.run, self.version, ended);
        // Where the run is over, whoever has it driven does so, once nothing of it is left. One that looks for another fix asks anew.
        if had && self.run.ending().is_some() && self.run.outcome().is_none() && self.run.claimed_services().is_empty()
        {
            self.parts.world.free(&self.run);
        }
    }
}

/// Whether an input comes again by itself where nothing of it was written: what is measured, what time brings, and what was not begun. Where
/// there is no room for it the run goes on without.
const fn comes_again(input: &Input) -> bool {
    use Input::{ClockWentBack, Glanced, Intent, Measured, Tick};
    matches!(input, Measured { .. } | Glanced { .. } | Intent { .. } | ClockWentBack { .. } | Tick)
}

/// However a run is left, by its end, by an error, by a host that is stopped: what was gathered is sealed.
impl Drop for Driver {
    fn drop(&mut self) {
        self.parts.account.let_go(&self.run, self.version);
    }
}

/// Whether two commands are one: by their keys, or, for those without, by what they are.
fn same(one: &Command, other: &Command) -> bool {
    match (one.key(), other.key()) {
        (None, None) => std::mem::discriminant(one) == std::mem::discriminant(other),
        (one, other) => one == other,
    }
}

#[cfg(test)]
mod tests;
