//! Runs beside each other: which may start, and what becomes of what one leaves behind.

use anyhow::Result;
use autodevops_model::Issue;
use autodevops_pipeline::{Environment, Run, RunStage};

use super::Controller;
use crate::{by_hand::MadeLive, front_door, handled::SETTLE, live::Live};

const BOTH: [Environment; 2] = [Environment::Staging, Environment::Production];

impl Controller {
    /// Which of the issues is the first for which a run may start beside those under way; none, where there is none, or no room for a run.
    /// What was first seen while one of them was out already, or may have been, waits for its end: it may be that release's own.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn wanted_beside(&self, issues: &[Issue]) -> Result<Option<usize>> {
        let under_way: Vec<Run> = self.unfinished()?.into_iter().map(|logged| logged.run).collect();
        let has_room = has_room(under_way.iter(), self.project.config.services().len());
        let may_start = |issue: &Issue| has_room && under_way.iter().all(|run| is_not_of(issue, run));
        Ok(issues.iter().position(may_start))
    }

    /// Tells the runs for which people are needed still, since what production went back to failed, what this one had serve instead: it healed.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub(super) async fn relieve(&self, run: &Run) -> Result<()> {
        let live = Live::new(&self.project.journal);
        let mut made = Vec::new();
        for member in run.members() {
            let (service, place) = (member.label().to_owned(), member.place(Environment::Production).to_owned());
            // Whoever had something else serve since said so.
            let Some(release) = live.current(&place)?.filter(|release| release.id == member.candidate()) else {
                continue;
            };
            let environment = run.plan().production.clone();
            made.push(MadeLive { environment, service, place, release, before: None, snapshots: Vec::new() });
        }
        let mut others: Vec<Run> = self.unfinished()?.into_iter().map(|logged| logged.run).collect();
        let is_concerned = |other: &Run| {
            let fails = other.only_tells() && other.ends_in_trouble();
            fails && made.iter().any(|live| other.is_about(&live.place))
        };
        others.retain(|other| other.id() != run.id() && is_concerned(other));
        // What is told so ends, and tells nobody in turn.
        Box::pin(self.look_anew(&others, &made)).await;
        Ok(())
    }

    /// Stops what a run that is over leaves behind, where no other run is.
    pub(super) async fn tidy(&self, run: &Run) {
        let own = run.members().filter_map(|member| Some(member.release()?.id.as_str()));
        let keep: Vec<&str> = own.collect();
        if keep.is_empty() {
            return;
        }
        let places: Vec<&str> =
            run.members().flat_map(|member| BOTH.map(|environment| member.place(environment))).collect();
        if let Err(error) = front_door::tidy(&self.project, |place| places.contains(&place), &keep).await {
            tracing::warn!("releases that are not needed any more go on: {error:#}");
        }
    }
}

/// Whether the issue cannot be the run's own doing: the run has released nothing yet; or the issue was first seen before the run began; or it
/// is still seen more than [`SETTLE`] after the run took its release back, and only tells people.
fn is_not_of(issue: &Issue, run: &Run) -> bool {
    let back = run.back_since().filter(|_| run.only_tells()).map(|back| back.after(SETTLE).0);
    run.stage() < RunStage::StagingDeploy
        || issue.first_seen.is_some_and(|first| first < run.started_at().0)
        || issue.last_seen.zip(back).is_some_and(|(last, back)| last > back)
}

/// Whether another run may start beside these, in a project of so many services: as many go on side by side, and as many may wait for
/// services of theirs. Those that only tell people need no room, however long that takes.
pub(super) fn has_room<'a>(under_way: impl Iterator<Item = &'a Run>, services: usize) -> bool {
    let moves = under_way.filter(|run| run.is_in_the_way());
    let (waiting, going): (Vec<&Run>, Vec<&Run>) = moves.partition(|run| run.awaited().is_some());
    going.len() < services && going.len() + waiting.len() < 2 * services
}

#[cfg(test)]
mod tests {
    use autodevops_model::{Capabilities, IssueKind, Severity, SnapshotInfo};
    use autodevops_pipeline::{Awaited, Event, EventKind, Live as Serves, Plan, Service, Timestamp, VERSION};
    use autodevops_record::testing::Story;

    use super::*;

    /// A run of two services that began at this moment.
    fn run(at: i64) -> Run {
        let service = |name: &str| Service {
            name: name.into(),
            paths: vec![name.into()],
            staging: format!("staging-{name}"),
            production: format!("production-{name}"),
        };
        let plan = Plan { services: ["cart", "shop"].map(service).into(), ..Plan::defaults("project") };
        let live = vec![Serves::default(); 2];
        Run::start(&Run::started("r1", issue(None), plan, "base", 1, live, can(), Timestamp(at))).unwrap()
    }

    const fn can() -> Capabilities {
        Capabilities {
            split_traffic: true,
            preview: true,
            instant_rollback: true,
            fenced: true,
            keeps_state: true,
            fresh_baseline: false,
        }
    }

    fn waiting() -> Run {
        let mut run = run(0);
        let of = Awaited { run: "r0".into(), services: vec!["cart".into()] };
        run.apply(&Event { v: VERSION, at: Timestamp(1), event: EventKind::ServicesAwaited { of } });
        run
    }

    fn issue(first_seen: Option<i64>) -> Issue {
        Issue { message: String::new(), first_seen, ..Issue::new("f00d", IssueKind::Exception, Severity::Error, "x") }
    }

    #[test]
    fn as_many_runs_go_on_as_there_are_services_and_as_many_wait() {
        let (going, waiting) = (run(0), waiting());
        for (going_on, waits, services, room) in [
            (0, 0, 1, true),
            (1, 0, 1, false),
            (0, 1, 1, true),
            (0, 2, 1, false),
            (1, 0, 2, true),
            (2, 0, 2, false),
            (1, 2, 2, true),
            (1, 3, 2, false),
        ] {
            let runs = std::iter::repeat_n(&going, going_on).chain(std::iter::repeat_n(&waiting, waits));
            assert_eq!(has_room(runs, services), room, "{going_on} and {waits} of {services}");
        }
    }

    #[test]
    fn what_only_tells_people_takes_no_room_and_what_goes_on_after_it_is_not_its_own() {
        let story = Story::rolled_back();
        let run = (1..story.len()).map(|count| Run::replay(&story[..count]).unwrap()).find(Run::only_tells).unwrap();
        assert!(run.outcome().is_none() && has_room([&run, &run].into_iter(), 1));
        let back = run.back_since().unwrap().after(SETTLE).0;
        let seen = |last| Issue { last_seen: Some(last), ..issue(Some(run.started_at().0 + 1)) };
        assert!(!is_not_of(&seen(back), &run) && is_not_of(&seen(back + 1), &run));
    }

    #[test]
    fn no_other_run_begins_while_it_is_not_decided_whether_data_goes_back() {
        let mut story = Story::rolled_back();
        let back = story.iter().position(|event| matches!(event.event, EventKind::TurnedBack { .. })).unwrap();
        let snapshot = SnapshotInfo { id: "s-1".into(), taken: 5, bytes: 7 };
        let taken = EventKind::SnapshotTaken { plugin: "guard".into(), key: "k".into(), snapshot };
        story.insert(back, Event { at: story[back].at, event: taken, v: VERSION });
        let mut runs = (back..story.len()).map(|count| Run::replay(&story[..count]).unwrap());
        let mut run = runs.find(Run::only_tells).unwrap();
        assert!(run.may_restore() && !has_room([&run].into_iter(), 1));
        let kept = EventKind::DataKept { reason: "nobody wants it back".into() };
        run.apply(&Event { v: VERSION, at: run.last_event_at(), event: kept });
        assert!(run.outcome().is_none() && has_room([&run].into_iter(), 1));
    }

    #[test]
    fn what_was_first_seen_while_a_release_was_out_may_be_its_own() {
        let begun = run(100);
        assert!(is_not_of(&issue(Some(500)), &begun) && is_not_of(&issue(None), &begun), "nothing of it is out yet");
        let staged = Story::healed();
        let at = staged.iter().position(|event| matches!(event.event, EventKind::Deployed { .. })).unwrap();
        let staged = Run::replay(&staged[..=at]).unwrap();
        let started = staged.started_at().0;
        assert!(is_not_of(&issue(Some(started - 1)), &staged));
        assert!(!is_not_of(&issue(Some(started)), &staged), "at that moment");
        assert!(!is_not_of(&issue(Some(started + 1)), &staged) && !is_not_of(&issue(None), &staged));
    }
}
