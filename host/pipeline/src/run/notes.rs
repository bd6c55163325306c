//! What people are told, and whether they were.

use autodevops_model::{Notification, Severity};

use super::Run;
use crate::Timestamp;

/// Something that a plugin is to tell people.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Note {
    pub(crate) key: String,
    pub(crate) plugin: String,
    pub(crate) notification: Notification,
    /// Told, or given up: a notifier that fails never stops a run.
    pub(crate) done: bool,
}

impl Run {
    /// Has every notifier tell people of what happened.
    pub(super) fn tell(&mut self, at: Timestamp, severity: Severity, what: &str, body: &str) {
        let number = self.notes.len() / self.plan.notifiers.len().max(1) + 1;
        let mut links: Vec<(String, String)> = Vec::new();
        links.extend(self.staging.deployed.iter().filter_map(|d| Some(("staging".to_owned(), d.url.clone()?))));
        let notification = Notification {
            run: self.id.clone(),
            stage: self.stage.name().to_owned(),
            severity,
            title: format!("{}: {what}: {}", self.plan.service, self.issue.title),
            body: body.to_owned(),
            links,
            at: at.0,
        };
        for plugin in &self.plan.notifiers {
            let key = format!("{}/notify/{number}/{plugin}", self.id);
            self.notes.push(Note { key, plugin: plugin.clone(), notification: notification.clone(), done: false });
        }
    }

    /// What a person who is asked can do.
    pub(super) fn how_to_answer(&self) -> String {
        format!("\n\nAnswer with `autodevops approve {0}` or `autodevops reject {0}`.", self.id)
    }

    /// Marks a notification as told or given up.
    pub(super) fn told(&mut self, key: &str) {
        for note in self.notes.iter_mut().filter(|note| note.key == key) {
            note.done = true;
        }
    }

    pub(crate) fn untold(&self) -> impl Iterator<Item = &Note> {
        self.notes.iter().filter(|note| !note.done)
    }
}
