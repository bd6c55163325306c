//! What those who use the service complain of: each complaint on record, whether or not a run is under way. What it said is forgotten after a
//! while; that there was one is not.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use autodevops_journal::Journal;
use autodevops_pipeline::{Counted, Signal, Timestamp};
use autodevops_policy::strict_toml::nearest;
use serde::{Deserialize, Serialize};

use crate::usage::Usage;

/// What the facts are named that keep complaints; the number follows, so that they are in order.
const FACT: &str = "feedback/";

/// The fact that keeps when there were complaints whose words are forgotten: services, each with times.
const FORGOTTEN: &str = "complained";

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
    /// In the place of `release`: the client as the front door knows it, by the value of its cookie `autodevops-client`, or of the header
    /// that names clients (`client-header`). It is about the release that answers that client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
}

/// The service that is meant.
///
/// # Errors
/// It is another's, or none is named of several.
pub fn service_named<'a>(named: Option<&str>, services: &[&'a str]) -> Result<&'a str> {
    let all = || services.iter().map(|service| format!("`{service}`")).collect::<Vec<_>>().join(", ");
    match (named, services) {
        (Some(named), _) => match services.iter().find(|service| **service == named) {
            Some(service) => Ok(service),
            None => {
                let hint = match nearest(named, services.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("there is {}", all()),
                };
                bail!(Usage(format!("there is no service `{named}` here; {hint}")))
            }
        },
        (None, [only]) => Ok(only),
        (None, _) => bail!(Usage(format!("it is not said which service it is about; name one of {}", all()))),
    }
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
        let service = service_named(complaint.service.as_deref(), services)?;
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

    /// When there was a complaint, by service: those whose words are forgotten, too.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn times(&self) -> Result<Vec<(String, Timestamp)>> {
        let forgotten = self.forgotten()?.into_iter();
        let forgotten = forgotten.flat_map(|(service, times)| times.into_iter().map(move |at| (service.clone(), at)));
        Ok(forgotten.chain(self.all()?.into_iter().map(|taken| (taken.service, taken.at))).collect())
    }

    fn forgotten(&self) -> Result<BTreeMap<String, Vec<Timestamp>>> {
        let kept = self.0.get_fact(FORGOTTEN)?;
        kept.map_or_else(|| Ok(BTreeMap::new()), |kept| serde_json::from_slice(&kept).context("the fact complained"))
    }

    /// Forgets the words of complaints that were taken in before, and whose they were; only tells of it, where nothing is to be done. How
    /// many they are, and of how many bytes.
    ///
    /// # Errors
    /// When the journal cannot be read or written; nothing is forgotten then.
    pub fn forget(&self, before: Timestamp, dry_run: bool) -> Result<(usize, u64)> {
        let (mut times, mut names, mut bytes) = (self.forgotten()?, Vec::new(), 0);
        for (fact, value) in self.0.facts(FACT)? {
            let taken: Taken = serde_json::from_slice(&value).with_context(|| format!("the fact {fact}"))?;
            if taken.at < before {
                times.entry(taken.service).or_default().push(taken.at);
                bytes += value.len() as u64;
                names.push(fact);
            }
        }
        if !dry_run && !names.is_empty() {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            self.0.put_in_place_of(&[(FORGOTTEN, &serde_json::to_vec(&times)?)], &names)?;
        }
        Ok((names.len(), bytes))
    }

    /// Every complaint whose words are still there, oldest first.
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
    fn of_old_complaints_only_that_there_were_some_is_kept() {
        let (_folder, journal) = journal();
        let feedback = Feedback::new(&journal);
        for number in 1..=5 {
            feedback.take(says("my address is ada@example.com"), &["shop"], "ada", Timestamp(number)).unwrap();
        }
        let before = feedback.times().unwrap();
        let (number, bytes) = feedback.forget(Timestamp(4), true).unwrap();
        assert_eq!((number, feedback.all().unwrap().len()), (3, 5), "nothing is done");
        assert_eq!(feedback.forget(Timestamp(4), false).unwrap(), (number, bytes));
        assert!(bytes > 0);
        assert_eq!(feedback.all().unwrap().iter().map(|taken| taken.number).collect::<Vec<_>>(), [4, 5]);
        assert_eq!(feedback.times().unwrap(), before);
        feedback.forget(Timestamp(6), false).unwrap();
        assert_eq!((feedback.all().unwrap().len(), feedback.times().unwrap()), (0, before));
        assert_eq!(
            feedback.take(says("no"), &["shop"], "ada", Timestamp(7)).unwrap().number,
            6,
            "no number comes again"
        );
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
    fn the_longest_complaint_and_the_longest_name_are_kept_as_they_are() {
        let (_folder, journal) = journal();
        let given = Complaint { from: Some("ä".repeat(MAX_FROM)), ..says(&"ö".repeat(MAX_TEXT)) };
        let taken = Feedback::new(&journal).take(given.clone(), &["shop"], "ada", Timestamp(1)).unwrap();
        assert_eq!((taken.text, taken.from), (given.text, given.from));
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
