//! What a driver does while its journal cannot be written: a full disk is not the end of a run, and blinds it to nothing.

use std::{future::pending, pin::pin, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use autodevops_journal::AppendError;
use autodevops_pipeline::{Event, EventKind, Input};

use super::{Driver, TwoHosts, Word};
use crate::ledger::urgent;

/// Between two tries to write.
const PAUSE: Duration = Duration::from_secs(2);

impl Driver {
    /// Waits a little for room. Leases are renewed meanwhile, people are heard, and what the host counts is glanced at; whether something
    /// urgent came of that and is written, for that has the reserve: then it was decided on what is past now.
    pub(super) async fn heard_before_there_is_room(&mut self) -> Result<bool> {
        let (world, clock, run) = (Arc::clone(&self.parts.world), Arc::clone(&self.parts.clock), self.run.clone());
        let mut pause = pin!(async {
            world.renew(&run).await;
            clock.sleep(PAUSE).await;
        });
        loop {
            let (glance, left) = (self.run.glance(self.now()), self.until_glance());
            let look = async {
                let Some((_, glance)) = &glance else { return pending().await };
                clock.sleep(left).await;
                world.glance(&run, glance).await
            };
            tokio::select! {
                biased;
                Some(word) = self.words.recv() => if self.end_by(word)? {
                    return Ok(true);
                },
                samples = look => {
                    self.glanced();
                    if self.end_with(Input::Glanced { samples })? {
                        return Ok(true);
                    }
                }
                () = &mut pause => return Ok(false),
            }
        }
    }

    /// Takes a word that ends the run, or is to, where that can be written; any other waits. Whether it was written.
    fn end_by(&mut self, word: Word) -> Result<bool> {
        let ends = match self.run.decide(word.input.clone(), self.now()) {
            Ok(events) => urgent(&self.run, &events) && self.fits(&events)?,
            Err(_) => false,
        };
        if ends {
            // Whoever asked may have gone away.
            drop(word.answer.send(Ok(Box::new(self.run.clone()))));
        } else {
            self.unheard.push_back(word);
        }
        Ok(ends)
    }

    /// Takes what turns the release back, where that can be written. Whether the run ends now.
    fn end_with(&mut self, input: Input) -> Result<bool> {
        let Ok(events) = self.run.decide(input, self.now()) else { return Ok(false) };
        let turns = events.iter().any(|event| matches!(event.event, EventKind::TurnedBack { .. }));
        Ok(turns && self.fits(&events)?)
    }

    /// Writes the events where there is room for them, and applies them then; whether there was.
    fn fits(&mut self, events: &[Event]) -> Result<bool> {
        match self.parts.ledger.append(&self.run, self.version, events) {
            Ok(version) => {
                self.recorded(version, events);
                Ok(true)
            }
            Err(AppendError::Full { .. }) => Ok(false),
            Err(AppendError::Conflict { run, expected, actual }) => bail!(TwoHosts { run, expected, actual }),
            Err(error) => Err(error).context("the run cannot be recorded"),
        }
    }
}
