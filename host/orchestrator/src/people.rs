//! The people of a project: whether those who are waited for are somebody, and the links that they are sent.

use std::{collections::BTreeMap, os::unix::fs::MetadataExt, time::Duration};

use anyhow::{Context, Result, bail};
use autodevops_config::Config;
use autodevops_journal::audit::AuditLog;
use autodevops_model::Notification;
use autodevops_people::{Action, Claim, LinkKey, nobody};
use autodevops_pipeline::Asked;

use crate::project::Project;

/// What the key of links is derived for.
const PURPOSE: &str = "links";

/// How much longer a link is taken than its question is open by what is known when it is sent: a hold gives people more time, and until when
/// an answer is in time the run alone knows.
const LONGER: Duration = Duration::from_secs(30 * 24 * 3600);

/// Puts one-time links into what people are told.
#[derive(Clone, Debug)]
pub struct Links {
    key: LinkKey,
    base: String,
    /// Who is taken to speak by what a notifier carried.
    speakers: BTreeMap<String, String>,
}

impl Links {
    /// As the configuration says; none where there is no HTTP API to answer them, or no notifier carries any.
    ///
    /// # Errors
    /// When the host's key cannot be read or made.
    pub fn of(config: &Config, audit: &AuditLog) -> Result<Option<Self>> {
        let speakers = config.server.links.clone();
        let Some(base) = config.server.base().filter(|_| !speakers.is_empty()) else { return Ok(None) };
        let key = LinkKey::new(&audit.secret(PURPOSE)?);
        Ok(Some(Self { key, base, speakers }))
    }

    /// What signs them.
    pub const fn key(&self) -> &LinkKey {
        &self.key
    }

    /// The notification with the links by which its reader answers. `key` is the notification's own: the same notification, sent
    /// again, has the same links.
    #[must_use]
    pub fn add(&self, plugin: &str, key: &str, mut notification: Notification, asked: Option<Asked>) -> Notification {
        let (Some(asked), Some(by)) = (asked, self.speakers.get(plugin)) else { return notification };
        let answers = [("approve", Action::Approve), ("reject", Action::Reject)];
        let actions = answers.into_iter().filter(|_| asked.gate).chain([("acknowledge", Action::Ack)]);
        for (name, action) in actions {
            // To approve and to reject are one question: whoever answered it once has answered.
            let nonce = if action == Action::Ack { format!("{key}/ack") } else { key.to_owned() };
            let (run, by) = (notification.run.clone(), by.clone());
            let claim = Claim { run, asked: asked.number, action, by, until: asked.until.after(LONGER).0, nonce };
            notification.links.push((name.to_owned(), format!("{}/answer/{}", self.base, self.key.sign(&claim))));
        }
        notification
    }
}

impl Project {
    /// Refuses a project that would wait for an approver who can never speak.
    ///
    /// # Errors
    /// [`Nobody`](autodevops_people::Nobody).
    pub fn check_people(&self) -> Result<()> {
        let approvers = self.config.approval.approvers.iter().map(String::as_str);
        let folder = self.state.path();
        let owner = std::fs::metadata(folder).with_context(|| format!("the state folder {}", folder.display()))?.uid();
        if let Some(nobody) = nobody(approvers, &self.config.speakers(), owner) {
            bail!(nobody);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use autodevops_model::Severity;
    use autodevops_pipeline::Timestamp;

    use super::*;

    fn links() -> Links {
        Links {
            key: LinkKey::new(&[3; 32]),
            base: "https://ops.example.com".into(),
            speakers: BTreeMap::from([("chat".to_owned(), "ops".to_owned())]),
        }
    }

    fn notification() -> Notification {
        Notification {
            run: "a-1".into(),
            stage: "approval".into(),
            severity: Severity::Warning,
            title: "t".into(),
            body: "b".into(),
            links: vec![("staging".into(), "http://s".into())],
            at: 1,
        }
    }

    fn names(notification: &Notification) -> Vec<&str> {
        notification.links.iter().map(|(name, _)| name.as_str()).collect()
    }

    #[test]
    fn what_asks_for_an_answer_carries_links_to_give_it() {
        let asked = Asked { number: 2, until: Timestamp(100), gate: true };
        let told = links().add("chat", "a-1/notify/3/chat", notification(), Some(asked));
        assert_eq!(names(&told), ["staging", "approve", "reject", "acknowledge"]);
        assert_eq!(
            told,
            links().add("chat", "a-1/notify/3/chat", notification(), Some(asked)),
            "sent again, it is the same"
        );
        let claim = |index: usize| {
            let text = told.links[index].1.strip_prefix("https://ops.example.com/answer/").unwrap();
            links().key().read(text, 99).unwrap()
        };
        let nonce = "a-1/notify/3/chat".to_owned();
        let (run, by) = ("a-1".to_owned(), "ops".to_owned());
        let until = Timestamp(100).after(LONGER).0;
        let expected = Claim { run, asked: 2, action: Action::Approve, by, until, nonce: nonce.clone() };
        assert_eq!(claim(1), expected);
        assert_eq!(claim(2), Claim { action: Action::Reject, ..expected.clone() });
        assert_eq!(claim(3), Claim { action: Action::Ack, nonce: format!("{nonce}/ack"), ..expected });
    }

    #[test]
    fn what_asks_for_nothing_or_is_carried_by_others_has_no_links_to_answer() {
        let gate = Asked { number: 1, until: Timestamp(1), gate: true };
        let stuck = Asked { gate: false, ..gate };
        for (plugin, asked, expected) in [
            ("chat", None, vec!["staging"]),
            ("mail", Some(gate), vec!["staging"]),
            ("chat", Some(stuck), vec!["staging", "acknowledge"]),
        ] {
            assert_eq!(names(&links().add(plugin, "k", notification(), asked)), expected);
        }
    }

    #[test]
    fn links_are_made_where_somebody_answers_them_and_a_notifier_carries_them() {
        let folder = tempfile::tempdir().unwrap();
        let journal = autodevops_journal::Journal::open(folder.path().join("journal.db")).unwrap();
        let audit = AuditLog::new(journal);
        let mut config = Config::parse(autodevops_config::TEMPLATE, "autodevops.toml").unwrap();
        assert!(Links::of(&config, &audit).unwrap().is_none());
        config.server.links.insert("chat".into(), "ops".into());
        assert!(Links::of(&config, &audit).unwrap().is_none(), "nobody answers");
        config.server.public_url = Some("https://ops.example.com".into());
        let links = Links::of(&config, &audit).unwrap().unwrap();
        let again = Links::of(&config, &audit).unwrap().unwrap();
        let gate = Asked { number: 1, until: Timestamp(100), gate: true };
        let told = links.add("chat", "k", notification(), Some(gate));
        assert_eq!(
            (told.links.len(), &told),
            (4, &again.add("chat", "k", notification(), Some(gate))),
            "the key is kept"
        );
        config.server.links.clear();
        assert!(Links::of(&config, &audit).unwrap().is_none(), "nobody carries them");
    }

    #[test]
    fn a_project_that_waits_for_somebody_who_cannot_speak_is_refused() {
        let check =
            |more: &str| crate::testing::Scene::open(&[crate::testing::target(&[])], more).project.check_people();
        check("").unwrap();
        let error = check("[approval]\napprovers = [\"no-such-user-of-this-machine\"]\n").unwrap_err();
        assert!(error.to_string().contains("no-such-user-of-this-machine"), "{error}");
        // A user whom the state folder is closed to speaks by a token alone.
        let daemon = "[approval]\napprovers = [\"daemon\"]\n";
        let error = check(daemon).unwrap_err();
        assert!(error.to_string().contains("make a token for them with `autodevops token daemon`"), "{error}");
        let token = format!("tokens.daemon = \"sha256:{}\"", "0".repeat(64));
        check(&format!("[server]\nlisten = \"127.0.0.1:0\"\n{token}\n\n{daemon}")).unwrap();
    }
}
