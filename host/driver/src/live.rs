//! What serves each environment, as far as this host knows, and what served before.

use std::fmt;

use anyhow::Result;
use autodevops_journal::{Journal, JournalError};
use autodevops_model::Release;
use autodevops_pipeline::Timestamp;
use serde::{Deserialize, Serialize};

/// Releases that are remembered of each environment.
const REMEMBERED: usize = 50;

/// So much is kept of why someone went back.
const MAX_REASON_BYTES: usize = 1024;

/// Who made a release live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// `autodevops deploy`, by this user.
    Deploy(String),
    /// A run.
    Run(String),
    /// `autodevops rollback`, by this user.
    Rollback(WentBack),
}

/// Who went back, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Told", into = "Told")]
pub struct WentBack {
    /// The user.
    pub by: String,
    /// Why, in their words; empty where they gave none.
    pub reason: String,
}

impl fmt::Display for WentBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.by)?;
        if self.reason.is_empty() { Ok(()) } else { write!(f, ": {}", self.reason) }
    }
}

/// The same as it is kept: a reason is none but where it was given, and journals of before have none.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Told {
    By(String),
    Why { by: String, reason: String },
}

impl From<WentBack> for Told {
    fn from(WentBack { by, reason }: WentBack) -> Self {
        if reason.is_empty() { Self::By(by) } else { Self::Why { by, reason } }
    }
}

impl From<Told> for WentBack {
    fn from(told: Told) -> Self {
        match told {
            Told::By(by) => Self { by, reason: String::new() },
            Told::Why { by, reason } => Self { by, reason },
        }
    }
}

impl WentBack {
    /// By this user, for this reason, as far as it is kept: what served is written anew with every release.
    pub fn new(by: &str, reason: &str) -> Self {
        let reason = reason.trim();
        let kept = reason.get(..reason.floor_char_boundary(MAX_REASON_BYTES)).unwrap_or_default();
        let left_out = if kept.len() < reason.len() { "…" } else { "" };
        Self { by: by.to_owned(), reason: format!("{kept}{left_out}") }
    }
}

/// A release that was live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct WasLive {
    /// The release.
    pub release: Release,
    /// Since when.
    pub since: Timestamp,
    /// Who made it live.
    pub by: Origin,
}

/// The record of what was live.
pub struct Live<'a>(&'a Journal);

impl<'a> Live<'a> {
    /// In this journal.
    pub const fn new(journal: &'a Journal) -> Self {
        Self(journal)
    }

    /// What was live in the environment, newest first.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn history(&self, environment: &str) -> Result<Vec<WasLive>> {
        Ok(self.kept(&fact(environment))?)
    }

    /// What is live in the environment, as far as this host knows.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn current(&self, environment: &str) -> Result<Option<Release>> {
        Ok(self.history(environment)?.into_iter().next().map(|live| live.release))
    }

    /// The release that a rollback goes to: the one that the current one took the place of. A release that was gone back from is none to
    /// go back to, however lately it was live.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn before(&self, environment: &str) -> Result<Option<Release>> {
        Ok(self.line(environment)?.into_iter().rev().nth(1))
    }

    /// The releases that led to the current one, oldest first, and that one; those that were gone back from are not among them.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn line(&self, environment: &str) -> Result<Vec<Release>> {
        let history = self.history(environment)?;
        Ok(line(&history).into_iter().map(|was| was.release.clone()).collect())
    }

    /// Notes that the release is live; nothing changes where it is known to be.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn set(&self, environment: &str, live: WasLive) -> Result<()> {
        if let Some((name, value)) = self.next(environment, live)? {
            self.0.put_fact(&name, &value)?;
        }
        Ok(())
    }

    /// The fact that is to be written for the release to be live; none where it is known to be.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub(crate) fn next(&self, environment: &str, live: WasLive) -> Result<Option<(String, Vec<u8>)>, JournalError> {
        let name = fact(environment);
        let mut history = self.kept(&name)?;
        if history.first().is_some_and(|before| before.release == live.release) {
            return Ok(None);
        }
        history.insert(0, live);
        history.truncate(REMEMBERED);
        let value = serde_json::to_vec(&history).map_err(|error| self.damaged(&name, &error))?;
        Ok(Some((name, value)))
    }

    fn kept(&self, name: &str) -> Result<Vec<WasLive>, JournalError> {
        let Some(bytes) = self.0.get_fact(name)? else { return Ok(Vec::new()) };
        serde_json::from_slice(&bytes).map_err(|error| self.damaged(name, &error))
    }

    fn damaged(&self, name: &str, error: &serde_json::Error) -> JournalError {
        JournalError::Damaged { path: self.0.path().to_path_buf(), what: format!("the fact {name}: {error}") }
    }
}

/// The releases that led to the current one, oldest first. To return to one of them is to leave all that came after it.
fn line(history: &[WasLive]) -> Vec<&WasLive> {
    let mut line: Vec<&WasLive> = Vec::new();
    for was in history.iter().rev() {
        if let Some(place) = line.iter().position(|before| before.release == was.release) {
            line.truncate(place);
        }
        line.push(was);
    }
    line
}

/// Who went back from what a run made live, which leads to the current release no more: `history` is newest first. None where nobody did, a
/// release took its place in another way, or it came back.
pub fn gone_back<'a>(history: &'a [WasLive], run: &str) -> Option<(&'a WasLive, &'a WentBack)> {
    let of_run = |was: &&WasLive| matches!(&was.by, Origin::Run(by) if by == run);
    let release = &history.iter().find(of_run)?.release;
    if line(history).iter().any(|was| was.release == *release) {
        return None;
    }
    // The first that leads to the current one without it is what it was left for.
    let older = |count: &usize| history.get(history.len() - count..).unwrap_or_default();
    let leads = |count: &usize| line(older(count)).iter().any(|was| was.release == *release);
    let last = (1..=history.len()).rev().find(leads)?;
    let left_for = history.get((history.len() - last).checked_sub(1)?)?;
    match &left_for.by {
        Origin::Rollback(who) => Some((left_for, who)),
        Origin::Deploy(_) | Origin::Run(_) => None,
    }
}

fn fact(environment: &str) -> String {
    format!("live/{environment}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(id: &str) -> Release {
        Release { id: id.into(), artifact: "sha256:0".into(), commit: "0".repeat(40) }
    }

    fn was(id: &str, by: &Origin, since: i64) -> WasLive {
        WasLive { release: release(id), since: Timestamp(since), by: by.clone() }
    }

    #[test]
    fn what_was_live_is_known_newest_first_and_environments_are_apart() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path().join("journal.db")).unwrap();
        let live = Live::new(&journal);
        assert_eq!((live.current("p").unwrap(), live.before("p").unwrap()), (None, None));
        let by = Origin::Run("r".into());
        for (at, id) in ["a", "b", "b", "c"].into_iter().enumerate() {
            live.set("p", was(id, &by, at as i64)).unwrap();
        }
        assert_eq!(live.current("p").unwrap(), Some(release("c")));
        assert_eq!(live.before("p").unwrap(), Some(release("b")));
        assert_eq!(live.history("p").unwrap().len(), 3);
        assert_eq!(live.history("p").unwrap()[1].since, Timestamp(1));
        assert_eq!(live.current("s").unwrap(), None);
        live.set("p", was("b", &Origin::Rollback(WentBack::new("ada", "")), 9)).unwrap();
        assert_eq!((live.current("p").unwrap(), live.before("p").unwrap()), (Some(release("b")), Some(release("a"))));
    }

    fn history(ids: &[&str]) -> (tempfile::TempDir, Journal) {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path().join("journal.db")).unwrap();
        for (at, id) in ids.iter().enumerate() {
            Live::new(&journal).set("p", was(id, &Origin::Rollback(WentBack::new("ada", "")), at as i64)).unwrap();
        }
        (folder, journal)
    }

    #[test]
    fn a_rollback_never_goes_to_a_release_that_was_gone_back_from() {
        for (ids, before) in [
            (&["a"][..], None),
            (&["a", "b"], Some("a")),
            (&["a", "b", "a"], None),
            (&["a", "b", "c", "b"], Some("a")),
            (&["a", "b", "c", "a"], None),
            (&["a", "b", "a", "c"], Some("a")),
            (&["a", "b", "a", "b", "c"], Some("b")),
            (&["a", "b", "c", "a", "c"], Some("a")),
        ] {
            let (_folder, journal) = history(ids);
            assert_eq!(Live::new(&journal).before("p").unwrap(), before.map(release), "{ids:?}");
        }
    }

    #[test]
    fn who_went_back_from_what_a_run_made_live_is_known_until_it_serves_again() {
        let run = || Origin::Run("r-1".into());
        let back = |why: &str| Origin::Rollback(WentBack::new("ada", why));
        let deploy = || Origin::Deploy("bob".into());
        type Was = (&'static str, Origin);
        type Expected = Option<(i64, &'static str)>;
        let cases: [(Vec<Was>, Expected); 10] = [
            (vec![("a", deploy()), ("b", run())], None),
            (vec![("a", deploy()), ("b", run()), ("a", back("carts empty"))], Some((2, "carts empty"))),
            (vec![("a", deploy()), ("b", run()), ("c", deploy())], None),
            (vec![("a", deploy()), ("b", run()), ("c", deploy()), ("b", back("x"))], None),
            (vec![("a", deploy()), ("b", run()), ("c", deploy()), ("a", back("both"))], Some((3, "both"))),
            (vec![("a", deploy()), ("b", run()), ("a", back("x")), ("c", deploy())], Some((2, "x"))),
            (vec![("a", deploy()), ("b", run()), ("a", back("x")), ("b", back("it was right"))], None),
            (vec![("a", deploy()), ("b", run()), ("a", back("x")), ("b", back("y")), ("a", back("z"))], Some((4, "z"))),
            (vec![("a", deploy()), ("b", run()), ("a", deploy())], None),
            (vec![("a", deploy()), ("b", Origin::Run("r-2".into())), ("a", back("x"))], None),
        ];
        for (lived, expected) in cases {
            let history: Vec<WasLive> =
                lived.iter().enumerate().rev().map(|(at, (id, by))| was(id, by, at as i64)).collect();
            let found = gone_back(&history, "r-1").map(|(was, who)| (was.since.0, who.reason.as_str()));
            assert_eq!(found, expected, "{lived:?}");
        }
    }

    #[test]
    fn why_someone_went_back_is_kept_and_journals_without_are_read() {
        let origin = |json: &str| serde_json::from_str::<Origin>(json).unwrap();
        let before = r#"{"rollback":"ada"}"#;
        let Origin::Rollback(who) = origin(before) else { panic!("{before}") };
        assert_eq!((who.by.as_str(), who.reason.as_str(), who.to_string()), ("ada", "", "ada".to_owned()));
        assert_eq!(serde_json::to_string(&Origin::Rollback(who)).unwrap(), before, "a host of before reads it");
        let why = Origin::Rollback(WentBack::new("ada", " carts empty "));
        let json = serde_json::to_string(&why).unwrap();
        assert_eq!((json.as_str(), origin(&json)), (r#"{"rollback":{"by":"ada","reason":"carts empty"}}"#, why));
        let long = WentBack::new("ada", &"ä".repeat(60_000)).reason;
        assert!(long.len() <= MAX_REASON_BYTES + "…".len() && long.ends_with("ä…"), "{}", long.len());
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
        #[test]
        fn one_rollback_after_the_other_ends_and_visits_nothing_twice(ids in proptest::collection::vec("[a-f]", 1..20)) {
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            let (_folder, journal) = history(&ids);
            let live = Live::new(&journal);
            let mut visited = vec![live.current("p").unwrap().unwrap()];
            while let Some(before) = live.before("p").unwrap() {
                proptest::prop_assert!(!visited.contains(&before), "{} again after {:?}", before.id, visited);
                let at = 100 + visited.len() as i64;
                live.set("p", was(&before.id, &Origin::Rollback(WentBack::new("ada", "")), at)).unwrap();
                visited.push(before);
            }
        }
    }
}
