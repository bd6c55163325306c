//! Calls and events end up in the chain, stage by stage, whatever becomes of the host and the disk.

use std::time::{Duration, SystemTime};

use autodevops_journal::audit::FINISHED;
use autodevops_model::Stage;
use autodevops_pipeline::{Event, EventKind, Outcome, VERSION};
use autodevops_policy::Meter;
use autodevops_record::testing::Story;
use autodevops_sandbox::Record;

use super::*;
use crate::{log::RunLog, testing::Said};

struct Place {
    _folder: tempfile::TempDir,
    journal: Journal,
    audit: Audit,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path().join("journal.db")).unwrap();
        Self { audit: Audit::new(journal.clone()), journal, _folder: folder }
    }

    fn event(&self, run: &str, kind: EventKind) -> u64 {
        let version = self.journal.events(run).unwrap().len() as u64;
        let event = Event { v: VERSION, at: now(), event: kind };
        RunLog::new(self.journal.clone()).append(run, version, &[event], &[]).unwrap()
    }

    /// What is on record, as `stage: entry, entry`.
    fn told(&self, run: &str) -> Vec<String> {
        let mut told = Vec::new();
        let each = |entry: &Entry| match entry {
            Entry::Call(call) => format!("{}×{} {}", call.calls, call.plugin, call.operations.len()),
            Entry::Event(event) => {
                let by = event.by.as_ref().map_or(String::new(), |by| format!(" by {by}"));
                format!("{}={}{by}", event.event, event.decision.as_deref().unwrap_or("-"))
            }
            Entry::Note(note) => note.what.clone(),
        };
        self.audit
            .log()
            .each(Some(run), |sealed| {
                let entries: Vec<String> = sealed.seal.entries.iter().map(each).collect();
                told.push(format!("{}: {}", sealed.seal.stage, entries.join(", ")));
            })
            .unwrap();
        assert!(self.audit.log().verify(None).unwrap().is_ok());
        told
    }
}

fn report(run: &str, plugin: &str, summaries: &[&str]) -> CallReport {
    let record = |summary: &&str| Record {
        operation: "open",
        summary: (*summary).to_owned(),
        allowed: true,
        reason: None,
        at: Duration::from_nanos(1),
        duration: Duration::from_nanos(2),
        bytes: 3,
        count: 1,
    };
    CallReport {
        run: run.into(),
        plugin: plugin.into(),
        digest: "blake3:00".into(),
        stage: Some(Stage::Check),
        function: "check",
        started: SystemTime::now(),
        wall: Duration::from_micros(20),
        guest: Duration::from_micros(10),
        failure: None,
        records: summaries.iter().map(record).collect(),
        used: Meter::default(),
        tokens: None,
        recording: None,
    }
}

fn approved(by: &str) -> EventKind {
    EventKind::Approved { by: by.to_owned(), reason: String::new(), bypass: false, link: None }
}

#[test]
fn a_stage_is_sealed_with_its_calls_and_events_as_they_happened() {
    let place = Place::new();
    place.audit.begin("a-1");
    place.audit.finished(report("a-1", "reviewer", &["/before/x", "/after/x"]));
    let version = place.event("a-1", approved("ada"));
    place.audit.finished(report("b-1", "other", &[]));
    place.audit.seal("a-1", "code-review", version);
    let version = place.event("a-1", EventKind::Finished { outcome: Outcome::Healed });
    place.audit.let_go("a-1", "ending", version, true);
    assert_eq!(place.told("a-1"), ["code-review: 1×reviewer 2, approved=approved by ada", "ending: finished=healed"]);
    assert_eq!(place.told("b-1"), [""; 0]);
}

#[test]
fn a_host_that_ended_in_a_stage_is_on_record_and_one_that_let_go_did_not() {
    let place = Place::new();
    place.audit.begin("a-1");
    let version = place.event("a-1", approved("ada"));
    place.audit.let_go("a-1", "approval", version, false);

    let next = Audit::new(place.journal.clone());
    next.take_over("a-1", "approval");
    let version = place.event("a-1", approved("bob"));
    next.seal("a-1", "approval", version);
    // Killed: what it gathered is gone, the event is not.
    next.finished(report("a-1", "target", &["/x"]));
    let version = place.event("a-1", approved("eve"));

    place.audit.take_over("a-1", "rollout");
    place.audit.take_over("a-1", "rollout");
    place.audit.let_go("a-1", "rollout", version, false);
    assert_eq!(
        place.told("a-1"),
        [
            "approval: approved=approved by ada, let-go",
            "approval: approved=approved by bob",
            "rollout: approved=approved by eve, host-ended, let-go",
        ]
    );
}

#[test]
fn a_run_that_ended_just_before_its_host_did_is_sealed_by_the_next_one() {
    let place = Place::new();
    let end = EventKind::Finished { outcome: Outcome::Healed };
    assert_eq!(end.name(), FINISHED, "by its name, nothing is to follow it");
    let version = place.event("a-1", end);
    place.audit.seal_finished([("a-1", version), ("none", 3)].into_iter()).unwrap();
    assert_eq!(place.told("a-1"), ["finished: finished=healed, host-ended"]);
    place.audit.seal_finished([("a-1", version)].into_iter()).unwrap();
    assert_eq!(place.told("a-1").len(), 1);
}

#[test]
fn what_cannot_be_sealed_is_kept_and_sealed_when_it_can_be() {
    let place = Place::new();
    place.audit.begin("a-1");
    place.audit.finished(report("a-1", "one", &["/x"]));
    let version = place.event("a-1", approved("ada"));
    let none = NoSeals::of(&place);
    place.audit.seal("a-1", "fix", version);
    place.audit.finished(report("a-1", "two", &["/y"]));
    place.audit.let_go("a-1", "checks", version, false);
    assert_eq!(place.audit.log().head().unwrap(), None);
    drop(none);
    place.audit.seal("b-1", "fix", 0);
    assert_eq!(place.told("a-1"), ["fix: 1×one 1, approved=approved by ada", "checks: 1×two 1, let-go"]);
}

#[test]
fn what_is_too_large_for_one_seal_is_sealed_in_parts_and_holds_nobody_up() {
    let place = Place::new();
    place.audit.begin("a-1");
    let long = "x".repeat(4 << 20);
    let many = vec![long.as_str(); 17];
    place.audit.finished(report("a-1", "one", &many[..9]));
    place.audit.finished(report("a-1", "two", &many[..9]));
    let version = place.event("a-1", approved("ada"));
    place.audit.seal("a-1", "fix", version);
    // A single call that is too large.
    place.audit.finished(report("a-1", "three", &many));
    place.audit.let_go("a-1", "checks", version, false);
    let version = place.event("b-1", approved("bob"));
    place.audit.seal("b-1", "fix", version);
    assert_eq!(
        place.told("a-1"),
        [
            "fix: 1×one 9",
            "fix: 1×two 9, approved=approved by ada",
            "checks: 1×three 8",
            "checks: 0×three 9",
            "checks: let-go",
        ]
    );
    assert_eq!(place.told("b-1"), ["fix: approved=approved by bob"]);
}

/// Has no seal be written until it is let go of: a key that is open to others is refused, as a full disk would be.
struct NoSeals<'a>(&'a Place);

impl<'a> NoSeals<'a> {
    fn of(place: &'a Place) -> Self {
        let none = Self(place);
        std::fs::write(none.key(), [1; 32]).unwrap();
        none.mode(0o644);
        none
    }

    fn key(&self) -> std::path::PathBuf {
        self.0.journal.path().parent().unwrap().join(autodevops_journal::audit::KEY_FILE)
    }

    fn mode(&self, mode: u32) {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(self.key(), mode).unwrap();
    }
}

impl Drop for NoSeals<'_> {
    fn drop(&mut self) {
        self.mode(0o600);
    }
}

#[test]
fn what_there_is_no_room_for_is_counted_and_takes_nobody_elses() {
    let place = Place::new();
    place.audit.begin("a-1");
    let many: Vec<&str> = vec!["/x"; MANY_OPERATIONS * 2 - 1];
    let none = NoSeals::of(&place);
    for _ in 0..MOST_OPERATIONS / (MANY_OPERATIONS * 2) + 1 {
        place.audit.finished(report("a-1", "one", &many));
    }
    place.audit.note("a-1", BY_HAND, Some("ada"), "there is room for this");
    place.audit.finished(report("b-1", "two", &["/y"]));
    assert_eq!(place.audit.log().head().unwrap(), None);
    drop(none);
    place.audit.seal("a-1", "fix", 0);
    place.audit.seal("b-1", "fix", 0);
    let told = place.told("a-1");
    assert_eq!(told.len(), MOST_OPERATIONS / (MANY_OPERATIONS * 2) + 1, "{told:?}");
    assert_eq!(told.last().unwrap(), "fix: by-hand, records-lost");
    assert_eq!(place.told("b-1"), ["fix: 1×two 1"]);
    // Once it is sealed there is room again.
    place.audit.finished(report("a-1", "one", &many));
    assert_eq!(place.told("a-1").len(), told.len() + 1);
}

#[test]
fn a_flood_is_sealed_as_it_comes_and_hides_no_other_call() {
    let place = Place::new();
    place.audit.begin("a-1");
    place.audit.goes_on("a-1", "checks");
    let summaries: Vec<String> = (0..MANY_OPERATIONS * 2).map(|n| n.to_string()).collect();
    let summaries: Vec<&str> = summaries.iter().map(String::as_str).collect();
    for _ in 0..11 {
        place.audit.finished(report(WATCH, "analyzer", &summaries));
    }
    place.audit.finished(report("a-1", "check", &["/secret"]));
    place.audit.finished(report("a-1", "check", &summaries));
    assert_eq!(place.told(WATCH), vec![format!("watch: 1×analyzer {}", summaries.len()); 11]);
    assert_eq!(place.told("a-1"), [format!("checks: 1×check 1, 1×check {}", summaries.len())]);
}

#[test]
fn calls_of_the_watch_are_added_up() {
    let place = Place::new();
    for paths in [["/a", "/b"], ["/b", "/c"]] {
        place.audit.finished(report(WATCH, "analyzer", &paths));
    }
    let mut failed = report(WATCH, "analyzer", &[]);
    failed.failure = Some("it trapped".to_owned());
    place.audit.finished(failed);
    place.audit.seal(WATCH, WATCH, 0);
    assert_eq!(place.told(WATCH), ["watch: 2×analyzer 3, 1×analyzer 0"]);
}

#[test]
fn whoever_decided_is_named_and_no_text_is_without_end() {
    let told = decisions::tell(&EventKind::Rejected { by: "ada".into(), reason: "ä".repeat(1000), link: None });
    assert_eq!((told.decision, told.by.as_deref()), (Some("rejected"), Some("ada")));
    assert!(told.summary.len() <= 300 && told.summary.ends_with('…'), "{}", told.summary.len());
    assert_eq!(decisions::tell(&EventKind::Resumed { fence: 7 }).summary, "effects have fence 7 from here");
}

#[test]
fn a_call_is_on_record_with_what_it_took_and_used() {
    let mut report = report("a-1", "one", &["/x"]);
    report.started = SystemTime::UNIX_EPOCH + Duration::from_nanos(5);
    let used = Meter::default();
    assert!(used.charge(&autodevops_policy::Limits::default(), autodevops_policy::Limit::HttpSent, 7));
    report.used = used;
    let Entry::Call(call) = Piece::Report(report).into_entry() else { panic!() };
    assert_eq!((call.calls, call.at_ns, call.wall_ns, call.guest_ns), (1, 5, 20_000, 10_000));
    assert_eq!(call.used.values().copied().collect::<Vec<_>>(), [7], "what was not used is not named");
    let operation = &call.operations[0];
    assert_eq!((operation.at_ns, operation.duration_ns, operation.bytes, operation.count), (1, 2, 3, 1));
}

#[test]
fn a_run_that_this_process_drives_goes_on_after_each_seal_as_its_own() {
    let place = Place::new();
    place.audit.begin("a-1");
    let version = place.event("a-1", approved("ada"));
    place.audit.seal("a-1", "fix", version);
    place.audit.take_over("a-1", "checks");
    let version = place.event("a-1", approved("bob"));
    place.audit.let_go("a-1", "checks", version, false);
    assert_eq!(place.told("a-1"), ["fix: approved=approved by ada", "checks: approved=approved by bob, let-go"]);
}

#[test]
fn only_to_let_go_is_a_last_word_after_which_nothing_is_missing() {
    let place = Place::new();
    place.audit.begin("a-1");
    place.audit.note("a-1", BY_HAND, Some("ada"), "x");
    place.audit.seal("a-1", "fix", 0);
    let next = Audit::new(place.journal.clone());
    next.take_over("a-1", "fix");
    next.let_go("a-1", "fix", 0, false);
    assert_eq!(place.told("a-1"), ["fix: by-hand", "fix: host-ended, let-go"]);
}

#[test]
fn what_is_sealed_in_the_midst_of_a_stage_is_that_stages_each_time() {
    let place = Place::new();
    place.audit.begin("a-1");
    place.audit.goes_on("a-1", "checks");
    for _ in 0..2 {
        place.audit.finished(report("a-1", "check", &["/x"]));
        place.audit.seal_much("a-1");
    }
    assert_eq!(place.told("a-1"), ["checks: 1×check 1"; 2]);
}

#[test]
fn what_a_driver_says_of_its_run_is_on_record_by_the_runs_stages() {
    let place = Place::new();
    let events = Story::default().events();
    let run = Run::start(&events[0]).unwrap();
    let version = RunLog::new(place.journal.clone()).append(run.id(), 0, &events[..1], &[]).unwrap();
    Account::take_over(&place.audit, &run);
    Account::recorded(&place.audit, &run, version, Some("fix"));
    Account::let_go(&place.audit, &run, version);
    let told = place.told(run.id());
    assert_eq!(told, ["fix: started=started, host-ended", &format!("{}: let-go", run.stage().name())]);
}

#[test]
fn operations_in_memory_are_counted_with_their_calls_until_they_are_sealed() {
    let place = Place::new();
    let kept = |run: &str| place.audit.lock().kept.get(run).copied();
    place.audit.finished(report("a-1", "one", &["/x", "/y"]));
    for paths in [["/a", "/b"], ["/b", "/c"]] {
        place.audit.finished(report(WATCH, "analyzer", &paths));
    }
    assert_eq!((kept("a-1"), kept(WATCH)), (Some(3), Some(4)));
    assert_eq!(place.audit.lock().runs[WATCH].operations, 4);
    let none = NoSeals::of(&place);
    place.audit.seal("a-1", "fix", 0);
    place.audit.finished(report("a-1", "two", &[]));
    drop(none);
    place.audit.seal(WATCH, WATCH, 0);
    assert_eq!((kept("a-1"), kept(WATCH)), (Some(1), None), "what was gathered meanwhile is there still");
    place.audit.seal("a-1", "fix", 0);
    assert!(place.audit.lock().kept.is_empty());
}

#[test]
fn a_seal_says_when_it_was_made() {
    let place = Place::new();
    place.audit.note("a-1", BY_HAND, None, "x");
    let before = nanoseconds();
    place.audit.seal("a-1", "fix", 0);
    let mut at = Vec::new();
    place.audit.log().each(Some("a-1"), |sealed| at.push(sealed.seal.at_ns)).unwrap();
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap() - Duration::from_secs(60);
    assert!(at.len() == 1 && at[0] >= before && u128::from(at[0]) >= since.as_nanos(), "{at:?}");
}

#[test]
fn that_nothing_can_be_sealed_is_said_once_and_so_are_its_end_and_what_is_lost() {
    let said = Said::listen();
    let place = Place::new();
    place.audit.note("a-1", BY_HAND, None, "x");
    let none = NoSeals::of(&place);
    place.audit.seal("a-1", "fix", 0);
    place.audit.seal("a-1", "fix", 0);
    assert_eq!((said.times("cannot be sealed now"), said.times("is sealed again")), (1, 0));
    let lost = Audit::new(place.journal.clone());
    lost.note("b-1", BY_HAND, None, "y");
    lost.seal("b-1", "fix", 0);
    drop(lost);
    assert_eq!(said.times("could not be sealed, and are lost"), 1);
    drop(none);
    place.audit.seal("a-1", "fix", 0);
    place.audit.seal("a-1", "fix", 0);
    assert_eq!((said.times("cannot be sealed now"), said.times("is sealed again")), (2, 1));
    drop(place);
    assert_eq!(said.times("could not be sealed, and are lost"), 1);
}
