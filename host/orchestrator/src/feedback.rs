//! What those who use the service complain of: each complaint on record, whether or not a run is under way.

use anyhow::{Context, Result, bail};
use autodevops_journal::Journal;
use autodevops_pipeline::{Counted, Signal, Timestamp};
use autodevops_policy::strict_toml::nearest;
use serde::{Deserialize, Serialize};

use crate::usage::Usage;

/// What the facts are named that keep complaints; the number follows, so that they are in order.
const FACT: &str = "feedback/";

/// The counter that gives complaints their numbers.
const COUNTER: &str = "feedback";

/// The longest complaint, in characters.
pub const MAX_TEXT: usize = 2000;

/// The longest name of who complains, in characters.
const MAX_FROM: usize = 200;

/// A complaint as it is given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Complaint {
    /// What is wrong, in their words.
    pub text: String,
    /// The service; the project's only one, when absent.
    #[serde(default)]
    pub service: Option<String>,
    /// Whose it is; complaints of one person count as one. Absent, it counts by itself.
    #[serde(default)]
    pub from: Option<String>,
    /// The release that it is about, where that is known; absent, whatever serves.
    #[serde(default)]
    pub release: Option<String>,
}

/// A complaint that was taken in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Taken {
    /// Its number, from 1.
    pub number: u64,
    /// When it was taken in.
    pub at: Timestamp,
    /// Who told the host of it.
    pub by: String,
    /// The service.
    pub service: String,
    /// What was said.
    pub text: String,
    /// Whose it is.
    pub from: Option<String>,
    /// The release that it is about.
    pub release: Option<String>,
}

impl Taken {
    /// What it is to a run.
    pub fn signal(&self) -> Signal {
        Signal {
            counted: Counted::Complaints,
            id: self.number.to_string(),
            by: self.from.clone(),
            service: Some(self.service.clone()),
            release: self.release.clone(),
            at: self.at,
            text: self.text.clone(),
        }
    }
}

/// The complaints in a journal.
pub struct Feedback<'a>(&'a Journal);

impl<'a> Feedback<'a> {
    /// In this journal.
    pub const fn new(journal: &'a Journal) -> Self {
        Self(journal)
    }

    /// Takes a complaint in. It is durable when this returns.
    ///
    /// # Errors
    /// It says nothing, or is about a service that is another's; or the journal cannot be written.
    pub fn take(&self, complaint: Complaint, services: &[&str], by: &str, at: Timestamp) -> Result<Taken> {
        let text = complaint.text.trim();
        if text.is_empty() {
            bail!(Usage("a complaint needs a text; say what is wrong".to_owned()));
        }
        if text.chars().count() > MAX_TEXT {
            bail!(Usage(format!("a complaint has at most {MAX_TEXT} characters; shorten it")));
        }
        let all = services.iter().map(|service| format!("`{service}`")).collect::<Vec<_>>().join(", ");
        let service = match (complaint.service.as_deref(), services) {
            (Some(named), _) if services.contains(&named) => named,
            (Some(named), _) => {
                let hint = match nearest(named, services.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("there is {all}"),
                };
                bail!(Usage(format!("there is no service `{named}` here; {hint}")));
            }
            (None, [only]) => *only,
            (None, _) => bail!(Usage(format!("it is not said which service it is about; name one of {all}"))),
        };
        let from = complaint.from.map(|from| from.trim().to_owned()).filter(|from| !from.is_empty());
        if from.as_ref().is_some_and(|from| from.chars().count() > MAX_FROM) {
            bail!(Usage(format!("a name of who complains has at most {MAX_FROM} characters; shorten it")));
        }
        let (text, service, by, release) = (text.to_owned(), service.to_owned(), by.to_owned(), complaint.release);
        let number = self.0.next_fence(COUNTER)?;
        let taken = Taken { number, at, by, service, text, from, release };
        self.0.put_fact(&format!("{FACT}{number:012}"), &serde_json::to_vec(&taken)?)?;
        Ok(taken)
    }

    /// Every complaint, oldest first.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn all(&self) -> Result<Vec<Taken>> {
        let facts = self.0.facts(FACT)?.into_iter();
        facts.map(|(fact, value)| serde_json::from_slice(&value).with_context(|| format!("the fact {fact}"))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal() -> (tempfile::TempDir, Journal) {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path().join("journal.db")).unwrap();
        (folder, journal)
    }

    fn says(text: &str) -> Complaint {
        Complaint { text: text.into(), ..Complaint::default() }
    }

    #[test]
    fn complaints_are_numbered_and_kept_in_order() {
        let (_folder, journal) = journal();
        for number in 1..=12 {
            let at = Timestamp(number);
            let taken = Feedback::new(&journal).take(says(" it is slow "), &["shop"], "ada", at).unwrap();
            assert_eq!((taken.number, taken.text.as_str()), (number.unsigned_abs(), "it is slow"));
        }
        let numbers: Vec<u64> = Feedback::new(&journal).all().unwrap().iter().map(|taken| taken.number).collect();
        assert_eq!(numbers, (1..=12).collect::<Vec<_>>());
    }

    #[test]
    fn a_complaint_is_to_a_run_what_was_said_and_by_whom() {
        let (_folder, journal) = journal();
        let given = Complaint { from: Some(" eve ".into()), release: Some("r-2".into()), ..says("no") };
        let signal = Feedback::new(&journal).take(given, &["shop"], "ada", Timestamp(7)).unwrap().signal();
        assert_eq!((signal.counted, signal.id.as_str(), signal.at), (Counted::Complaints, "1", Timestamp(7)));
        assert_eq!((signal.by.as_deref(), signal.release.as_deref()), (Some("eve"), Some("r-2")));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_and_not_kept() {
        let (_folder, journal) = journal();
        let cases = [
            (says("  "), "a complaint needs a text; say what is wrong"),
            (says(&"x".repeat(2001)), "a complaint has at most 2000 characters; shorten it"),
            (
                Complaint { service: Some("shpo".into()), ..says("no") },
                "there is no service `shpo` here; did you mean `shop`?",
            ),
            (
                Complaint { service: Some("billing".into()), ..says("no") },
                "there is no service `billing` here; there is `shop`",
            ),
            (
                Complaint { from: Some("x".repeat(201)), ..says("no") },
                "a name of who complains has at most 200 characters; shorten it",
            ),
        ];
        for (given, expected) in cases {
            let error = Feedback::new(&journal).take(given, &["shop"], "ada", Timestamp(1)).unwrap_err();
            assert_eq!(error.to_string(), expected);
            assert!(error.is::<Usage>());
        }
        assert_eq!(Feedback::new(&journal).all().unwrap(), []);
    }
}
