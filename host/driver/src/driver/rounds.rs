//! What comes round by itself while a run is driven, whatever else is under way: the candidate's lease is renewed, and the host glances at
//! what it counts itself.

use std::{future::Future, pin::pin, sync::Arc, time::Duration};

use anyhow::Result;
use autodevops_pipeline::{Command, Environment, Input, Timestamp};

use super::Driver;

/// When each comes round next.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rounds {
    renewal: Timestamp,
    glance: Timestamp,
}

impl Driver {
    /// How long it is until something comes round.
    pub(super) fn until_round(&self) -> Duration {
        let now = self.now();
        let next = match self.run.glance(now) {
            Some(_) => self.rounds.renewal.min(self.rounds.glance),
            None => self.rounds.renewal,
        };
        Duration::from_nanos(u64::try_from(next.0.saturating_sub(now.0)).unwrap_or(0))
    }

    /// How long it is until the next glance, where the run wants any.
    pub(super) fn until_glance(&self) -> Duration {
        Duration::from_nanos(u64::try_from(self.rounds.glance.0.saturating_sub(self.now().0)).unwrap_or(0))
    }

    /// A glance was had.
    pub(super) fn glanced(&mut self) {
        let now = self.now();
        self.rounds.glance = self.run.glance(now).map_or(now, |(every, _)| now.after(every));
    }

    /// Does what has come round; people are heard meanwhile, too. The run may have other plans by that.
    pub(super) async fn round(&mut self) -> Result<()> {
        if self.rounds.renewal <= self.now() {
            self.renew().await?;
        }
        self.glance().await
    }

    /// As [`Self::round`], while traffic is being moved: whether it returned is for the next look at it to say.
    pub(super) async fn round_meanwhile(&mut self) -> Result<()> {
        if self.rounds.renewal <= self.now() {
            self.renewed().await?;
            if self.run.ending().is_some() {
                // A target that does not answer keeps nobody from being told that going back takes long.
                self.take(Input::Tick).await?.or_else(|_| anyhow::Ok(()))?;
            }
        }
        self.glance().await
    }

    /// Renews the candidates' leases. When one had run out, the run is told, and has other plans by that.
    pub(super) async fn renew(&mut self) -> Result<()> {
        let services = self.renewed().await?;
        if services.is_empty() {
            return Ok(());
        }
        // Someone's word may have come between, and the core has other plans now.
        self.take(Input::TrafficReturned { services }).await?.or_else(|_| Ok(()))
    }

    /// Renews the candidates' leases; the services whose had run out.
    async fn renewed(&mut self) -> Result<Vec<String>> {
        self.set_renewal();
        let (world, run) = (Arc::clone(&self.parts.world), self.run.clone());
        self.hearing(world.renew(&run)).await
    }

    /// Waits for what the world does, however long it takes, and hears people all the while.
    pub(super) async fn hearing<T>(&mut self, work: impl Future<Output = T>) -> Result<T> {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return Ok(done),
                Some(word) = self.words.recv() => self.answer(word).await?,
            }
        }
    }

    fn set_renewal(&mut self) {
        self.rounds.renewal = self.now().after(self.parts.world.renewal());
    }

    /// Looks at what the host counts, where it is time to and the run wants it.
    async fn glance(&mut self) -> Result<()> {
        let now = self.now();
        let Some((every, glance)) = self.run.glance(now).filter(|_| self.rounds.glance <= now) else {
            return Ok(());
        };
        self.rounds.glance = now.after(every);
        let (world, run) = (Arc::clone(&self.parts.world), self.run.clone());
        let samples = self.hearing(world.glance(&run, &glance)).await?;
        // One that the run does not want any more says nothing.
        self.take(Input::Glanced { samples }).await?.or_else(|_| Ok(()))
    }

    /// Whether a command is given up though it is an effect: people are told again later, but clients wait for production to go back.
    /// While that rests until it is tried again, people are told, however long a notifier takes.
    pub(super) fn makes_way(&self, command: &Command) -> bool {
        let production = Environment::Production;
        let goes_back =
            |due: &Command| matches!(due, Command::SetTraffic { environment, .. } if *environment == production);
        matches!(command, Command::Notify { .. })
            && self.run.ending().is_some()
            && self.run.commands(self.now()).iter().any(goes_back)
    }
}
