//! The watched logs while runs are driven: where they cannot be read, runs go on, and it is tried again.

use std::{sync::Arc, time::Instant};

use anyhow::Result;
use autodevops_model::Issue;

use super::{AGAIN, told::Told};
use crate::{
    driver::Observer,
    project::Project,
    watch::{Read, Watch},
};

/// The watch of a project's logs, which may fail.
pub(super) struct Logs {
    project: Arc<Project>,
    observer: Arc<dyn Observer>,
    /// None until one could be opened.
    watch: Option<Watch>,
    /// When it is tried again.
    not_before: Instant,
    told: Told,
}

impl Logs {
    pub(super) fn new(project: Arc<Project>, observer: Arc<dyn Observer>, watch: Option<Watch>) -> Self {
        Self { project, observer, watch, not_before: Instant::now(), told: Told::default() }
    }

    /// Reads what is new, for a turn; none where it cannot be read.
    pub(super) async fn poll(&mut self) -> Option<Read> {
        let polled = self.watch().await?.poll().await;
        self.well(polled)
    }

    /// The issues so far; none where they are not known now.
    pub(super) async fn issues(&mut self) -> Option<Vec<Issue>> {
        let watch = self.watch().await?;
        let issues = watch.issues().await;
        let issues = self.well(issues)?;
        self.told.clear();
        Some(issues)
    }

    /// Makes durable how far the logs were read. On a full disk, say, the watch goes on: after a restart it reads some of them again.
    pub(super) async fn save(&mut self) {
        if let Some(watch) = &mut self.watch
            && let Err(error) = watch.save().await
        {
            self.observer.notice(&format!("how far the logs were read cannot be kept: {error:#}"));
        }
    }

    /// The watch, which is opened where it was not; none while it is not to be tried.
    async fn watch(&mut self) -> Option<&mut Watch> {
        if Instant::now() < self.not_before {
            return None;
        }
        if self.watch.is_none() {
            let opened = Watch::open(&self.project).await;
            self.watch = self.well(opened);
        }
        self.watch.as_mut()
    }

    /// What came of it; where it failed that is told, and the analyzer begins anew later, with what it knew when it was saved.
    fn well<T>(&mut self, answer: Result<T>) -> Option<T> {
        let error = match answer {
            Ok(done) => return Some(done),
            Err(error) => error,
        };
        let words = format!(
            "the logs are not followed, so that no run begins; it is tried again each minute, and runs under way go on: {error:#}"
        );
        self.told.once(self.observer.as_ref(), words);
        self.not_before = Instant::now() + AGAIN;
        self.watch.iter_mut().for_each(Watch::begin_anew);
        None
    }
}
