//! The runs under way, and what goes on beside them whatever else is waited for: the front door, and what people are to be told of runs that
//! are over.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use anyhow::Result;
use tokio::task::JoinHandle;

use super::{AGAIN, LOOK, told::Told};
use crate::{
    controller::Controller,
    driver::{End, Observer},
    front_door,
    log::Logged,
    revert,
};

/// Drives what is left over and what people began, and sees who ended.
pub(super) struct Runs {
    controller: Arc<Controller>,
    observer: Arc<dyn Observer>,
    /// By their names.
    under_way: BTreeMap<String, JoinHandle<Result<End>>>,
    /// Those whose drivers failed, and until when they are left alone.
    resting: BTreeMap<String, Instant>,
    /// Whether it is to be looked which are not over, and when the earliest: that may fail.
    list_anew: bool,
    no_list_before: Instant,
    /// Whether one ended since it was last asked.
    has_ended: bool,
    no_door_before: Instant,
    /// Tells people of what was undone in git, or could not be.
    telling: JoinHandle<()>,
    telling_since: Instant,
    to_tell: bool,
    told: Told,
}

impl Runs {
    /// Drives what a process before left.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub(super) async fn new(controller: Arc<Controller>, observer: Arc<dyn Observer>) -> Result<Self> {
        let left = controller.unfinished()?;
        controller.revert_left_over();
        let telling = tell(&controller);
        let now = Instant::now();
        let mut runs = Self {
            controller,
            observer,
            under_way: BTreeMap::new(),
            resting: BTreeMap::new(),
            list_anew: false,
            no_list_before: now,
            has_ended: false,
            no_door_before: now,
            telling,
            telling_since: now,
            to_tell: false,
            told: Told::default(),
        };
        if let Err(error) = front_door::ensure(runs.controller.project()).await {
            runs.observer.notice(&format!("{error:#}"));
        }
        left.into_iter().for_each(|logged| runs.drive(logged));
        Ok(runs)
    }

    /// Whether no run is driven.
    pub(super) fn are_none(&self) -> bool {
        self.under_way.is_empty()
    }

    /// Whether one ended since this was last asked.
    pub(super) fn has_one_ended(&mut self) -> bool {
        std::mem::take(&mut self.has_ended)
    }

    /// Drives a run, unless it is driven already.
    pub(super) fn drive(&mut self, logged: Logged) {
        let name = logged.run.id().to_owned();
        if self.under_way.contains_key(&name) {
            return;
        }
        let controller = Arc::clone(&self.controller);
        self.under_way.insert(name, tokio::spawn(async move { controller.drive(logged, true).await }));
    }

    /// Waits for something, however long that takes, and looks after the runs meanwhile.
    pub(super) async fn beside<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        loop {
            match tokio::time::timeout(LOOK, work.as_mut()).await {
                Ok(done) => return done,
                Err(_) => self.look().await,
            }
        }
    }

    /// Sees which ended, drives what is left over and what people began, and has the front door run and people be told.
    pub(super) async fn look(&mut self) {
        self.see_ended().await;
        self.list();
        while let Some(logged) = self.controller.take_begun() {
            self.drive(logged);
        }
        if self.telling.is_finished() && (self.to_tell || self.telling_since.elapsed() >= AGAIN) {
            (self.telling, self.telling_since, self.to_tell) = (tell(&self.controller), Instant::now(), false);
        }
        self.keep_door().await;
    }

    async fn see_ended(&mut self) {
        while let Some(name) = self.under_way.iter().find_map(|(name, run)| run.is_finished().then(|| name.clone()))
            && let Some(run) = self.under_way.remove(&name)
        {
            let failure = match run.await {
                Ok(Ok(_)) => None,
                Ok(Err(error)) => Some(format!("{error:#}")),
                Err(error) => Some(format!("a run's driver ended early: {error}")),
            };
            if let Some(failure) = failure {
                self.observer.notice(&failure);
                self.resting.insert(name, Instant::now() + AGAIN);
            }
            // What is left over from before was not looked at, nor what is to be told of what it took back.
            (self.has_ended, self.list_anew, self.to_tell) = (true, true, true);
        }
    }

    /// Drives all that are not over, where it is to be looked which those are; but for those that rest.
    fn list(&mut self) {
        let failed = self.resting.len();
        self.resting.retain(|_, until| *until > Instant::now());
        self.list_anew |= self.resting.len() < failed;
        if !self.list_anew || Instant::now() < self.no_list_before {
            return;
        }
        while self.controller.take_begun().is_some() {
            // It is among those that are not over.
        }
        match self.controller.unfinished() {
            Ok(unfinished) => {
                self.list_anew = false;
                for logged in unfinished {
                    if !self.resting.contains_key(logged.run.id()) {
                        self.told.clear();
                        self.drive(logged);
                    }
                }
            }
            Err(error) => {
                let words = format!("it is not known which runs are not over: {error:#}");
                self.told.once(self.observer.as_ref(), words);
                self.no_list_before = Instant::now() + AGAIN;
            }
        }
    }

    /// Starts the front door again where it crashed. A run under way sees to it itself.
    async fn keep_door(&mut self) {
        let project = self.controller.project();
        if !self.under_way.is_empty() || Instant::now() < self.no_door_before || !front_door::crashed(project) {
            return;
        }
        self.observer.notice("the front door ended by itself; it is started again");
        if let Err(error) = front_door::ensure(project).await {
            self.observer.notice(&format!("{error:#}"));
            self.no_door_before = Instant::now() + AGAIN;
        }
    }

    /// Leaves runs where they are, as a killed process does: everything that matters is on record.
    pub(super) async fn leave(self) {
        self.telling.abort();
        for run in self.under_way.into_values() {
            run.abort();
            drop(run.await);
        }
    }
}

/// Has people told of what was undone in git, or could not be.
fn tell(controller: &Controller) -> JoinHandle<()> {
    let project = Arc::clone(controller.project());
    tokio::spawn(async move { revert::tell(&project).await })
}
