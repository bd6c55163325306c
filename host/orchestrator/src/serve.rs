//! Watching without end: a run for every issue that deserves one; those of different services side by side, others one at a time.

mod caught_up;
mod logs;
mod runs;
mod told;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Result;
use autodevops_model::Issue;
use tokio::sync::watch::Receiver;

use crate::{
    clock::now,
    controller::Controller,
    driver::Observer,
    limits::LoopState,
    log::Logged,
    signals,
    watch::{Read, Watch},
};
use caught_up::CaughtUp;
use logs::Logs;
use runs::Runs;
use told::Told;

/// How often the logs and the runs are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// How often what was read is made durable.
const SAVE: Duration = Duration::from_secs(60);

/// How often it is looked which issues wait, and whether one need not, while a run is under way.
const QUEUE: Duration = Duration::from_secs(10);

/// How long it is waited before something that could not be begun is tried again.
const AGAIN: Duration = Duration::from_secs(60);

/// Follows the logs and drives runs until `stop` becomes true. Runs under way are left to the next process, which finishes them. Whatever
/// else fails or takes long, logs that cannot be read, an analyzer that does not answer or a queue that cannot be noted, they are driven all
/// the same: it is said, and tried again.
/// Without a `watch` one is opened, as soon as that can be.
///
/// # Errors
/// When the journal cannot be read at the start.
pub async fn serve(
    controller: Arc<Controller>,
    observer: Arc<dyn Observer>,
    watch: Option<Watch>,
    mut stop: Receiver<bool>,
) -> Result<()> {
    let mut logs = Logs::new(Arc::clone(controller.project()), Arc::clone(&observer), watch);
    let mut saved = Instant::now();
    let mut look_again = true;
    let mut critical_looked = Instant::now();
    let mut unlooked = true;
    let mut caught_up = CaughtUp::new(Instant::now());
    // Before then no run is begun, since that failed.
    let mut not_before = Instant::now();
    let mut told = Told::default();
    let mut queue = Queue::new(&controller, observer.as_ref());
    let mut queued: Option<Instant> = None;
    // What a process before saw is looked at anew.
    queue.note(&[]);
    let mut runs = Runs::new(Arc::clone(&controller), Arc::clone(&observer)).await?;
    while !*stop.borrow() {
        // Also where nobody else asks for the time, it is told that the clock went back.
        now();
        runs.look().await;
        let turn = runs.beside(logs.poll()).await;
        let has_caught_up = caught_up.after(turn, Instant::now());
        let read = turn.unwrap_or(Read::Nothing);
        look_again |= read.is_new() | runs.has_one_ended();
        unlooked |= read.is_new();
        if unlooked
            && has_caught_up
            && !runs.are_none()
            && critical_looked.elapsed() >= signals::LOOK
            && let Some(issues) = runs.beside(logs.issues()).await
        {
            if let Err(error) = controller.look_for_critical(&issues).await {
                told.once(observer.as_ref(), format!("critical errors are not told to the runs under way: {error:#}"));
            }
            (unlooked, critical_looked) = (false, Instant::now());
        }
        if saved.elapsed() >= SAVE {
            runs.beside(logs.save()).await;
            saved = Instant::now();
        }
        // While a run is under way it is not looked as often.
        let looks = Instant::now() >= not_before
            && has_caught_up
            && look_again
            && (runs.are_none() || queued.is_none_or(|at| at.elapsed() >= QUEUE));
        if looks && let Some(issues) = runs.beside(logs.issues()).await {
            match runs.beside(begin(&controller, &mut queue, issues)).await {
                Ok(Some(logged)) => {
                    // There may be room for another.
                    (look_again, queued) = (true, None);
                    told.clear();
                    runs.drive(logged);
                    runs.beside(logs.save()).await;
                }
                Ok(None) => (look_again, queued) = (false, Some(Instant::now())),
                Err(error) => {
                    told.once(observer.as_ref(), format!("no run can be started: {error:#}"));
                    not_before = Instant::now() + AGAIN;
                }
            }
        }
        let pause = if read == Read::Part { Duration::ZERO } else { LOOK };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            changed = stop.changed() => if changed.is_err() { break },
        }
    }
    runs.leave().await;
    queue.note(&[]);
    logs.save().await;
    Ok(())
}

/// Begins a run for the first of the issues that deserves one now; none where none does.
async fn begin(controller: &Controller, queue: &mut Queue<'_>, issues: Vec<Issue>) -> Result<Option<Logged>> {
    // What is there before the run is known.
    controller.look_for_critical(&issues).await?;
    let mut waiting = controller.wanted(issues);
    // What waits for runs under way people see.
    queue.note(&waiting);
    let Some(next) = controller.wanted_beside(&waiting)? else { return Ok(None) };
    let started = controller.start(waiting.remove(next)).await?;
    queue.note(&waiting);
    Ok(Some(started))
}

/// Which issues wait for their runs, for people to see: nothing that a run hangs on.
struct Queue<'a> {
    noted: LoopState<'a>,
    observer: &'a dyn Observer,
    told: Told,
}

impl<'a> Queue<'a> {
    fn new(controller: &'a Controller, observer: &'a dyn Observer) -> Self {
        Self { noted: LoopState::new(&controller.project().journal), observer, told: Told::default() }
    }

    fn note(&mut self, issues: &[Issue]) {
        match self.noted.set_queue(issues) {
            Ok(()) => self.told.clear(),
            Err(error) => {
                self.told.once(self.observer, format!("which issues wait for their runs cannot be noted: {error:#}"));
            }
        }
    }
}

#[cfg(test)]
mod tests;
