//! Watching without end: a run for every issue that deserves one; those of different services side by side, others one at a time.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Result;
use tokio::{sync::watch::Receiver, task::JoinHandle};

use crate::{
    clock::now,
    controller::Controller,
    driver::{End, Observer},
    front_door,
    limits::LoopState,
    signals,
    watch::Watch,
};

/// How often the logs are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// How often what was read is made durable.
const SAVE: Duration = Duration::from_secs(60);

/// How often it is looked which issues wait, and whether one need not, while a run is under way.
const QUEUE: Duration = Duration::from_secs(10);

/// How long it is waited before something that could not be begun is tried again.
const AGAIN: Duration = Duration::from_secs(60);

/// Follows the logs and drives runs until `stop` becomes true. Runs under way are left to the next process, which finishes them.
///
/// # Errors
/// When the analyzer or the journal fails.
pub async fn serve(
    controller: Arc<Controller>,
    observer: Arc<dyn Observer>,
    mut watch: Watch,
    mut stop: Receiver<bool>,
) -> Result<()> {
    // By their names.
    let mut under_way: BTreeMap<String, JoinHandle<Result<End>>> = BTreeMap::new();
    let mut left = controller.unfinished()?;
    left.reverse();
    let mut saved = Instant::now();
    let mut look_again = true;
    let mut critical_looked = Instant::now();
    let mut unlooked = true;
    let mut not_before = Instant::now();
    let mut told = String::new();
    let queue = LoopState::new(&controller.project().journal);
    let mut queued: Option<Instant> = None;
    // What a process before saw is looked at anew.
    queue.set_queue(&[])?;
    let mut no_door_before = Instant::now();
    if let Err(error) = front_door::ensure(controller.project()).await {
        observer.notice(&format!("{error:#}"));
    }
    while !*stop.borrow() {
        // Also where nobody else asks for the time, it is told that the clock went back.
        now();
        let more = watch.poll().await?;
        look_again |= more;
        unlooked |= more;
        if unlooked && !under_way.is_empty() && critical_looked.elapsed() >= signals::LOOK {
            controller.look_for_critical(&watch.issues().await?).await?;
            (unlooked, critical_looked) = (false, Instant::now());
        }
        if saved.elapsed() >= SAVE {
            save(&mut watch, observer.as_ref()).await;
            saved = Instant::now();
        }
        while let Some(name) = under_way.iter().find_map(|(name, run)| run.is_finished().then(|| name.clone()))
            && let Some(run) = under_way.remove(&name)
        {
            match run.await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => {
                    observer.notice(&format!("{error:#}"));
                    not_before = Instant::now() + AGAIN;
                }
                Err(error) => {
                    observer.notice(&format!("a run's driver ended early: {error}"));
                    not_before = Instant::now() + AGAIN;
                }
            }
            // What is left over from before was not looked at.
            look_again = true;
            while controller.take_begun().is_some() {
                // It is among those that are left.
            }
            left = controller.unfinished()?;
            left.retain(|logged| !under_way.contains_key(logged.run.id()));
            left.reverse();
        }
        // A run under way sees to the front door itself.
        if under_way.is_empty() && Instant::now() >= no_door_before && front_door::crashed(controller.project()) {
            observer.notice("the front door ended by itself; it is started again");
            if let Err(error) = front_door::ensure(controller.project()).await {
                observer.notice(&format!("{error:#}"));
                no_door_before = Instant::now() + AGAIN;
            }
        }
        if Instant::now() >= not_before {
            // While a run is under way it is not looked as often.
            let looks = look_again && (under_way.is_empty() || queued.is_none_or(|at| at.elapsed() >= QUEUE));
            let next = match left.pop().or_else(|| controller.take_begun()) {
                Some(logged) => Some(Ok(logged)),
                None if looks => {
                    let issues = watch.issues().await?;
                    // What is there before the run is known.
                    controller.look_for_critical(&issues).await?;
                    let mut waiting = controller.wanted(issues);
                    // What waits for runs under way people see.
                    queue.set_queue(&waiting)?;
                    let next = controller.wanted_beside(&waiting)?;
                    // After one that starts there may be room for another.
                    (look_again, queued) = (next.is_some(), next.is_none().then(Instant::now));
                    match next {
                        Some(next) => {
                            let started = controller.start(waiting.remove(next)).await;
                            if started.is_ok() {
                                queue.set_queue(&waiting)?;
                            }
                            Some(started)
                        }
                        None => None,
                    }
                }
                None => None,
            };
            match next {
                Some(Ok(logged)) if under_way.contains_key(logged.run.id()) => {}
                Some(Ok(logged)) => {
                    told.clear();
                    save(&mut watch, observer.as_ref()).await;
                    let (controller, name) = (Arc::clone(&controller), logged.run.id().to_owned());
                    let driven = tokio::spawn(async move { controller.drive(logged, true).await });
                    under_way.insert(name, driven);
                }
                Some(Err(error)) => {
                    let error = format!("no run can be started: {error:#}");
                    if error != told {
                        observer.notice(&error);
                        told = error;
                    }
                    not_before = Instant::now() + AGAIN;
                    look_again = true;
                }
                None => {}
            }
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            changed = stop.changed() => if changed.is_err() { break },
        }
    }
    for run in under_way.into_values() {
        // As a killed process does: everything that matters is on record.
        run.abort();
        drop(run.await);
    }
    queue.set_queue(&[])?;
    watch.save().await
}

/// Makes durable how far the logs were read. On a full disk, say, the watch goes on: after a restart it reads some of them again.
async fn save(watch: &mut Watch, observer: &dyn Observer) {
    if let Err(error) = watch.save().await {
        observer.notice(&format!("how far the logs were read cannot be kept: {error:#}"));
    }
}
