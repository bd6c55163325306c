//! Watching without end: a run for every issue that deserves one; those of different services side by side, others one at a time.

mod caught_up;
mod logs;
mod told;

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Result;
use autodevops_model::Issue;
use tokio::{sync::watch::Receiver, task::JoinHandle};

use crate::{
    clock::now,
    controller::Controller,
    driver::{End, Observer},
    front_door,
    limits::LoopState,
    log::Logged,
    revert, signals,
    watch::{Read, Watch},
};
use caught_up::CaughtUp;
use logs::Logs;
use told::Told;

/// How often the logs are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// How often what was read is made durable.
const SAVE: Duration = Duration::from_secs(60);

/// How often it is looked which issues wait, and whether one need not, while a run is under way.
const QUEUE: Duration = Duration::from_secs(10);

/// How long it is waited before something that could not be begun is tried again.
const AGAIN: Duration = Duration::from_secs(60);

/// Follows the logs and drives runs until `stop` becomes true. Runs under way are left to the next process, which finishes them. Whatever
/// else fails, logs that cannot be read or a queue that cannot be noted, they are driven all the same, also while there is much to be read:
/// it is said, and tried again.
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
    // By their names.
    let mut under_way: BTreeMap<String, JoinHandle<Result<End>>> = BTreeMap::new();
    let mut left = controller.unfinished()?;
    left.reverse();
    let mut list_anew = false;
    let mut logs = Logs::new(Arc::clone(controller.project()), Arc::clone(&observer), watch);
    let mut saved = Instant::now();
    let mut look_again = true;
    let mut critical_looked = Instant::now();
    let mut unlooked = true;
    let mut caught_up = CaughtUp::new(Instant::now());
    // Before then no run is begun, or it is not looked which are not over, since that failed.
    let (mut not_before, mut no_list_before) = (Instant::now(), Instant::now());
    // Runs whose drivers failed, and until when they are left alone.
    let mut resting: BTreeMap<String, Instant> = BTreeMap::new();
    let mut told = Told::default();
    let mut queue = Queue::new(&controller, observer.as_ref());
    let mut queued: Option<Instant> = None;
    // What a process before saw is looked at anew.
    queue.note(&[]);
    let mut no_door_before = Instant::now();
    controller.revert_left_over();
    // What people are to be told that no run tells: what a process before left is told now.
    let (mut telling, mut telling_since, mut to_tell) = (tell(&controller), Instant::now(), false);
    if let Err(error) = front_door::ensure(controller.project()).await {
        observer.notice(&format!("{error:#}"));
    }
    while !*stop.borrow() {
        // Also where nobody else asks for the time, it is told that the clock went back.
        now();
        let turn = logs.poll().await;
        let has_caught_up = caught_up.after(turn, Instant::now());
        let read = turn.unwrap_or(Read::Nothing);
        look_again |= read.is_new();
        unlooked |= read.is_new();
        if unlooked
            && has_caught_up
            && !under_way.is_empty()
            && critical_looked.elapsed() >= signals::LOOK
            && let Some(issues) = logs.issues().await
        {
            if let Err(error) = controller.look_for_critical(&issues).await {
                told.once(observer.as_ref(), format!("critical errors are not told to the runs under way: {error:#}"));
            }
            (unlooked, critical_looked) = (false, Instant::now());
        }
        if telling.is_finished() && (to_tell || telling_since.elapsed() >= AGAIN) {
            (telling, telling_since, to_tell) = (tell(&controller), Instant::now(), false);
        }
        if saved.elapsed() >= SAVE {
            logs.save().await;
            saved = Instant::now();
        }
        while let Some(name) = under_way.iter().find_map(|(name, run)| run.is_finished().then(|| name.clone()))
            && let Some(run) = under_way.remove(&name)
        {
            match run.await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => {
                    observer.notice(&format!("{error:#}"));
                    resting.insert(name, Instant::now() + AGAIN);
                }
                Err(error) => {
                    observer.notice(&format!("a run's driver ended early: {error}"));
                    resting.insert(name, Instant::now() + AGAIN);
                }
            }
            // What is left over from before was not looked at, nor what is to be told of what it took back.
            (look_again, list_anew, to_tell) = (true, true, true);
        }
        // A run under way sees to the front door itself.
        if under_way.is_empty() && Instant::now() >= no_door_before && front_door::crashed(controller.project()) {
            observer.notice("the front door ended by itself; it is started again");
            if let Err(error) = front_door::ensure(controller.project()).await {
                observer.notice(&format!("{error:#}"));
                no_door_before = Instant::now() + AGAIN;
            }
        }
        let failed = resting.len();
        resting.retain(|_, until| *until > Instant::now());
        list_anew |= resting.len() < failed;
        if list_anew && Instant::now() >= no_list_before {
            while controller.take_begun().is_some() {
                // It is among those that are left.
            }
            match controller.unfinished() {
                Ok(unfinished) => {
                    left = unfinished;
                    let waits = |run: &str| under_way.contains_key(run) || resting.contains_key(run);
                    left.retain(|logged| !waits(logged.run.id()));
                    left.reverse();
                    list_anew = false;
                }
                Err(error) => {
                    told.once(observer.as_ref(), format!("it is not known which runs are not over: {error:#}"));
                    no_list_before = Instant::now() + AGAIN;
                }
            }
        }
        // While a run is under way it is not looked as often. What is left over from before waits for nothing.
        let looks = Instant::now() >= not_before
            && has_caught_up
            && look_again
            && (under_way.is_empty() || queued.is_none_or(|at| at.elapsed() >= QUEUE));
        let next = match left.pop().or_else(|| controller.take_begun()) {
            Some(logged) => Ok(Some(logged)),
            None if looks => match logs.issues().await {
                Some(issues) => {
                    let next = begin(&controller, &mut queue, issues).await;
                    // After one that starts there may be room for another.
                    let none = matches!(next, Ok(None));
                    (look_again, queued) = (!none, none.then(Instant::now));
                    next
                }
                None => Ok(None),
            },
            None => Ok(None),
        };
        match next {
            Ok(Some(logged)) if under_way.contains_key(logged.run.id()) => {}
            Ok(Some(logged)) => {
                told.clear();
                logs.save().await;
                let (controller, name) = (Arc::clone(&controller), logged.run.id().to_owned());
                let driven = tokio::spawn(async move { controller.drive(logged, true).await });
                under_way.insert(name, driven);
            }
            Err(error) => {
                told.once(observer.as_ref(), format!("no run can be started: {error:#}"));
                not_before = Instant::now() + AGAIN;
            }
            Ok(None) => {}
        }
        let pause = if read == Read::Part { Duration::ZERO } else { LOOK };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            changed = stop.changed() => if changed.is_err() { break },
        }
    }
    telling.abort();
    for run in under_way.into_values() {
        // As a killed process does: everything that matters is on record.
        run.abort();
        drop(run.await);
    }
    queue.note(&[]);
    logs.save().await;
    Ok(())
}

/// Has people told of what was undone in git, or could not be.
fn tell(controller: &Controller) -> JoinHandle<()> {
    let project = Arc::clone(controller.project());
    tokio::spawn(async move { revert::tell(&project).await })
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
