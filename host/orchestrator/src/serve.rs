//! Watching without end: a run for every issue that deserves one, one run at a time.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Result;
use tokio::{sync::watch::Receiver, task::JoinHandle};

use crate::{
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

/// How often it is looked which issues wait, while a run is under way.
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
    let mut under_way: Option<JoinHandle<Result<End>>> = None;
    let mut left = controller.unfinished()?;
    left.reverse();
    let mut saved = Instant::now();
    let mut look_again = true;
    let mut critical_looked = Instant::now();
    let mut unlooked = true;
    let mut not_before = Instant::now();
    let mut told = String::new();
    let queue = LoopState::new(&controller.project().journal);
    let mut queued = Instant::now();
    // What a process before saw is looked at anew.
    queue.set_queue(&[])?;
    let mut no_door_before = Instant::now();
    if let Err(error) = front_door::ensure(controller.project()).await {
        observer.notice(&format!("{error:#}"));
    }
    while !*stop.borrow() {
        let more = watch.poll().await?;
        look_again |= more;
        unlooked |= more;
        if unlooked && under_way.is_some() && critical_looked.elapsed() >= signals::LOOK {
            controller.look_for_critical(&watch.issues().await?).await?;
            (unlooked, critical_looked) = (false, Instant::now());
        }
        if saved.elapsed() >= SAVE {
            save(&mut watch, observer.as_ref()).await;
            saved = Instant::now();
        }
        if under_way.as_ref().is_some_and(JoinHandle::is_finished)
            && let Some(run) = under_way.take()
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
            left = controller.unfinished()?;
            left.reverse();
        }
        // What comes up meanwhile waits; people see it.
        if under_way.is_some() && look_again && queued.elapsed() >= QUEUE {
            queue.set_queue(&controller.wanted(watch.issues().await?))?;
            queued = Instant::now();
        }
        // A run under way sees to the front door itself.
        if under_way.is_none() && Instant::now() >= no_door_before && front_door::crashed(controller.project()) {
            observer.notice("the front door ended by itself; it is started again");
            if let Err(error) = front_door::ensure(controller.project()).await {
                observer.notice(&format!("{error:#}"));
                no_door_before = Instant::now() + AGAIN;
            }
        }
        if under_way.is_none() && Instant::now() >= not_before {
            let next = match left.pop().or_else(|| controller.take_begun()) {
                Some(logged) => Some(Ok(logged)),
                None if look_again => {
                    look_again = false;
                    let issues = watch.issues().await?;
                    // What is there before the run is known.
                    controller.look_for_critical(&issues).await?;
                    let mut waiting = controller.wanted(issues);
                    queue.set_queue(&waiting)?;
                    if waiting.is_empty() {
                        None
                    } else {
                        let started = controller.start(waiting.remove(0)).await;
                        if started.is_ok() {
                            queue.set_queue(&waiting)?;
                        }
                        Some(started)
                    }
                }
                None => None,
            };
            match next {
                Some(Ok(logged)) => {
                    told.clear();
                    save(&mut watch, observer.as_ref()).await;
                    let controller = Arc::clone(&controller);
                    under_way = Some(tokio::spawn(async move { controller.drive(logged, true).await }));
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
    if let Some(run) = under_way {
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
