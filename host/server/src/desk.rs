//! What the process that drives the runs answers.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use autodevops_model::Since;
use autodevops_orchestrator::{
    aftermath::Aftermath,
    by_hand,
    clock::now,
    controller::{Controller, RolledBack, goes_back},
    data::{Restored, Snapshot, Written},
    feedback::Complaint,
    log::Logged,
    usage::{Declined, Usage, is_misuse},
};
use autodevops_pipeline::{Refused, Run};
use autodevops_policy::{Bytes, Span};
use autodevops_record::exposition;

use crate::{
    control::Desk,
    http::{Back, Office, Unheard},
    message::{Reply, Request, Said, Sequel, Word},
    peer::Peer,
};

/// Says to the runs what people say.
pub struct RunDesk(Arc<Controller>);

impl RunDesk {
    /// For the runs of this controller.
    pub const fn new(controller: Arc<Controller>) -> Self {
        Self(controller)
    }
}

impl Desk for RunDesk {
    async fn answer(&self, peer: Peer, request: Request) -> Reply {
        let reply = answer(&self.0, &peer.name, request).await;
        reply.unwrap_or_else(|error| {
            let why = format!("{error:#}");
            if is_misuse(&error) { Reply::Misused(why) } else { Reply::Refused(why) }
        })
    }
}

/// Does what a user asks, in the process that holds the state.
///
/// # Errors
/// Why it is not taken.
pub async fn answer(controller: &Controller, by: &str, request: Request) -> Result<Reply, anyhow::Error> {
    let words = match request {
        Request::Ping => format!("process {}", std::process::id()),
        Request::Say { run, word, reason, question } => {
            say(controller, Said { by: by.to_owned(), run, word, reason, link: None, question }).await?
        }
        Request::Gc => {
            let mut freed = Vec::new();
            return match controller.collect(&mut freed).await {
                Ok(()) => Ok(Reply::Freed(freed)),
                Err(error) if freed.is_empty() => Err(error),
                Err(error) => Ok(Reply::FreedUntil { freed, why: format!("{error:#}") }),
            };
        }
        Request::Deploy { environments } => return controller.deploy(&environments, by).await.map(Reply::Deployed),
        Request::Snapshot { environment } => {
            let taken = controller.snapshot(&environment, by).await?;
            let lines = taken.iter().map(|one| {
                let Snapshot { guard, snapshot } = one;
                format!(
                    "snapshot {} of {environment} is taken by {guard}, {}",
                    snapshot.id,
                    Bytes(snapshot.bytes).rounded()
                )
            });
            lines.collect::<Vec<_>>().join("\n")
        }
        Request::Restore { environment, snapshot, overwrite } => {
            let written = if overwrite { Written::IsLost } else { Written::Stays };
            let Restored { to, from } = controller.restore(&environment, &snapshot, written, by).await?;
            let kept = match (&from.since, from.before) {
                (Since::Unchanged, _) => String::new(),
                (_, Some(before)) => format!("; what was there until now is snapshot {}", before.id),
                (_, None) => "; what was there until now could not be kept".to_owned(),
            };
            format!("the data of {environment} is as it was in snapshot {}; {}{kept}", to.snapshot.id, from.since)
        }
        Request::Feedback(complaint) => complain(controller, complaint, by).await?,
        Request::After { run, sequel, reason } => after(controller, by, &run, sequel, &reason).await?,
        Request::Rollback { environment, to, now, reason } => {
            roll_back(controller, by, &environment, Back { to, now, reason }).await?
        }
    };
    Ok(Reply::Done(words))
}

/// Takes production, or another environment, back; what came of it, in words.
async fn roll_back(controller: &Controller, by: &str, environment: &str, back: Back) -> Result<String, anyhow::Error> {
    let Back { to, now, reason } = back;
    let (made, reverted, concerned) = match controller.roll_back(environment, to.as_deref(), now, by, &reason).await? {
        RolledBack::ByRuns(runs) => {
            let each = |run: &String| format!("run {run} takes its release back");
            return Ok(runs.iter().map(each).collect::<Vec<_>>().join("\n"));
        }
        RolledBack::ByHand { made, reverted, concerned } => (made, reverted, concerned),
    };
    let again = made.iter().map(|live| format!("{} serves {} again", live.words(), live.release.id));
    let reverted = reverted.map(|words| format!("; {words}")).unwrap_or_default();
    let guarded = !controller.project().config.stages.state_guards.is_empty();
    let data = match guarded {
        true => format!("; its data is as it was left, see `autodevops state list {environment}`"),
        false => String::new(),
    };
    let each = |run: &String| {
        format!("; run {run} is under way, and asks before it goes on from there: `autodevops show {run}`")
    };
    let asking: String = concerned.iter().map(each).collect();
    Ok(format!("{}{reverted}{data}{asking}", again.collect::<Vec<_>>().join("\n")))
}

/// Takes a complaint in; what came of it, in words.
async fn complain(controller: &Controller, complaint: Complaint, by: &str) -> Result<String, anyhow::Error> {
    let (taken, turned) = controller.complain(complaint, by).await?;
    let release = taken.release.as_ref().map(|release| format!(", release {release},")).unwrap_or_default();
    let mut text = format!("complaint {} about {}{release} is taken in", taken.number, taken.service);
    for run in turned {
        text.push_str(&format!("; run {run} takes its release back"));
    }
    Ok(text)
}

/// Says something to a run; what came of it, in words.
///
/// # Errors
/// Why it is not taken.
pub async fn say(controller: &Controller, said: Said) -> Result<String, anyhow::Error> {
    let word = said.word;
    let run = controller.say(&controller.named(&said.run)?, said.into_input()).await?;
    let id = run.id();
    Ok(match word {
        Word::Approve { .. } => approved(&run),
        Word::Reject => format!("run {id} is rejected"),
        Word::Hold => format!(
            "run {id} is on hold; what speaks against its release still turns it back. Let it go on with `autodevops resume {id}`"
        ),
        Word::Resume => format!("run {id} goes on"),
        Word::Skip => format!("run {id} goes on to what comes next"),
        Word::Extend { .. } => format!("run {id} watches the step for {} more", left(&run)),
        Word::RollForward => {
            format!("run {id} goes forward: production has all of its release next, and it is watched on")
        }
        Word::Rollback => {
            goes_back(&run)?;
            format!("run {id} takes its release back")
        }
        Word::Abort => {
            goes_back(&run)?;
            format!("run {id} ends; traffic that it moved returns first")
        }
        // It is told on a link's page, too.
        Word::Ack => controller.project().redaction.text(&in_hand(&run)),
    })
}

/// Does what is left to do about a run that is over; what came of it, in words.
async fn after(
    controller: &Controller,
    by: &str,
    run: &str,
    sequel: Sequel,
    reason: &str,
) -> Result<String, anyhow::Error> {
    match sequel {
        Sequel::Retry => {
            let again = controller.retry(run, by, reason).await?;
            let former = again.former().map(|former| former.run.as_str()).unwrap_or_default();
            Ok(format!("run {} tries again what run {former} tried", again.id()))
        }
        Sequel::Revert => {
            let made = controller.revert(run, by, reason).await?;
            Ok(format!("commit {} is undone on the branch `{}`; look at it, and merge it", made.undone, made.branch))
        }
    }
}

/// The runs of a controller, for the HTTP API.
pub struct Runs(pub Arc<Controller>);

impl Runs {
    /// Reads where reading may wait for a disk.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Controller) -> Result<T, anyhow::Error> + Send + 'static,
    ) -> Result<T, anyhow::Error> {
        let controller = Arc::clone(&self.0);
        let read = tokio::task::spawn_blocking(move || read(&controller)).await;
        read.unwrap_or_else(|error| Err(error.into()))
    }

    /// The whole name of a run of which the beginning is given.
    async fn named(&self, run: &str) -> Result<String, Unheard> {
        let run = run.to_owned();
        self.read(move |controller| controller.named(&run)).await.map_err(absent)
    }
}

impl Office for Runs {
    async fn all(&self) -> Result<Vec<Logged>, Unheard> {
        self.read(|controller| controller.project().log.all()).await.map_err(unheard)
    }

    async fn find(&self, run: &str) -> Result<Logged, Unheard> {
        let run = self.named(run).await?;
        let read = move |controller: &Controller| {
            controller.project().log.read(&run)?.context("the run is not in the journal any more")
        };
        self.read(read).await.map_err(unheard)
    }

    async fn aftermath(&self) -> Result<Aftermath, Unheard> {
        self.read(|controller| Aftermath::read(controller.project())).await.map_err(unheard)
    }

    async fn metrics(&self) -> Result<String, Unheard> {
        self.read(|controller| {
            let records = &controller.project().records;
            Ok(exposition(&records.attempts()?, &records.complaints()?))
        })
        .await
        .map_err(unheard)
    }

    async fn say(&self, said: Said) -> Result<String, Unheard> {
        let run = self.named(&said.run).await?;
        say(&self.0, Said { run, ..said }).await.map_err(unheard)
    }

    async fn after(&self, by: String, run: String, sequel: Sequel, reason: String) -> Result<String, Unheard> {
        let (run, why) = match sequel {
            Sequel::Retry => (self.named(&run).await?, unheard as fn(anyhow::Error) -> Unheard),
            // A release will do as well, and nothing is used that could be configured wrongly.
            Sequel::Revert => (run, absent as _),
        };
        after(&self.0, &by, &run, sequel, &reason).await.map_err(why)
    }

    async fn roll_back(&self, by: String, environment: String, back: Back) -> Result<String, Unheard> {
        by_hand::known(self.0.project(), &environment).map_err(absent)?;
        let controller = Arc::clone(&self.0);
        // What is begun comes to its end, whoever goes away meanwhile.
        let task = tokio::spawn(async move { roll_back(&controller, &by, &environment, back).await });
        task.await.unwrap_or_else(|error| Err(error.into())).map_err(unheard)
    }

    async fn complain(&self, complaint: Complaint, by: String) -> Result<String, Unheard> {
        complain(&self.0, complaint, &by).await.map_err(|error| match error.downcast::<Usage>() {
            Ok(usage) => Unheard::Unfit(usage.to_string()),
            Err(error) => Unheard::Failed(error),
        })
    }
}

/// Why something is not found, as HTTP tells it apart.
fn absent(error: anyhow::Error) -> Unheard {
    match error.downcast::<Usage>() {
        Ok(usage) => Unheard::Absent(usage.to_string()),
        Err(error) => unheard(error),
    }
}

/// Why something is not told or done though it is there, as HTTP tells it apart. Usage is the configuration's then.
fn unheard(error: anyhow::Error) -> Unheard {
    if error.chain().any(|cause| cause.is::<Declined>() || cause.is::<Usage>()) {
        return Unheard::Declined(format!("{error:#}"));
    }
    match error.downcast::<Refused>() {
        Ok(refused) => Unheard::Refused(refused),
        Err(error) => Unheard::Failed(error),
    }
}

fn approved(run: &Run) -> String {
    let id = run.id();
    if let Some(gate) = run.gate() {
        let agreed = u32::try_from(gate.approved.len()).unwrap_or(u32::MAX);
        let missing = run.plan().approval.count.saturating_sub(agreed);
        if agreed > 0 && missing > 0 {
            return format!("run {id} has {agreed} approval(s) of {}; {missing} more needed", agreed + missing);
        }
    }
    match run.on_hold() {
        Some(hold) => format!("run {id} is approved, and on hold by {}: `autodevops resume {id}`", hold.by),
        None => format!("run {id} is approved"),
    }
}

/// What somebody has in hand: where a question stands beside it, this is not that one.
fn in_hand(run: &Run) -> String {
    let what = run.alarm().map_or(String::new(), |alarm| format!(": {}", alarm.reason));
    let asked = match (run.alarm_beside(), run.gate()) {
        (Some(_), Some(gate)) => format!("; question {} is open beside it: {}", gate.number, gate.reason),
        (None, Some(gate)) => format!("; question {} is still to be answered", gate.number),
        (_, None) => String::new(),
    };
    format!("run {}: you have it in hand, nobody further is told{what}{asked}", run.id())
}

/// How long the watch under way still takes.
fn left(run: &Run) -> Span {
    let left = run.watch().map_or(0, |watch| watch.until.0.saturating_sub(now().0)).max(0);
    Span(Duration::from_secs(u64::try_from(left / 1_000_000_000).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use autodevops_model::Outcome;
    use autodevops_orchestrator::{driver::Observer, project::Project};
    use autodevops_pipeline::{Command, Event, EventKind, Gate, Timestamp, VERSION};
    use autodevops_record::testing::Story;
    use autodevops_sandbox::Compiler;

    use super::*;

    /// The run up to the first event of this kind, and what comes after that.
    fn until(mut events: Vec<Event>, last: impl Fn(&mut EventKind) -> bool, then: Option<EventKind>) -> Run {
        let index = events.iter_mut().position(|event| last(&mut event.event)).unwrap();
        events.truncate(index + 1);
        let at = events[index].at;
        events.extend(then.map(|event| Event { v: VERSION, at, event }));
        Run::replay(&events).unwrap()
    }

    #[test]
    fn who_has_something_in_hand_is_told_what_and_which_question_that_does_not_answer() {
        let asked = until(Story::escalated(), |event| matches!(event, EventKind::ApprovalAsked { .. }), None);
        let reason = &asked.gate().unwrap().reason;
        assert_eq!(
            in_hand(&asked),
            format!(
                "run 62e23fd1-1: you have it in hand, nobody further is told: {reason}; question 1 is still to be answered"
            )
        );
        let fails = |event: &mut EventKind| match event {
            EventKind::StableLooked { verdict } => {
                verdict.outcome = Outcome::Failed;
                true
            }
            _ => false,
        };
        let data = EventKind::ApprovalAsked {
            gate: Gate::Data,
            until: Timestamp(i64::MAX),
            reason: "shall the data go back?".into(),
        };
        let beside = in_hand(&until(Story::rolled_back(), fails, Some(data)));
        assert!(beside.contains("nobody further is told: production went back to `old`, and that fails"), "{beside}");
        assert!(beside.ends_with("; question 2 is open beside it: shall the data go back?"), "{beside}");
    }

    struct Nobody;

    impl Observer for Nobody {
        fn event(&self, _: &Run, _: &Event) {}
        fn doing(&self, _: &Run, _: &Command) {}
        fn notice(&self, _: &str) {}
    }

    const CONFIG: &str = r#"
[service]
name = "shop"
kind = "files"
public = "public"

[environments]
production.listen = "127.0.0.1:8080"
staging.listen = "127.0.0.1:8081"
"#;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_is_not_there_is_told_apart_from_a_fault_of_the_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("autodevops.toml");
        std::fs::write(&file, CONFIG).unwrap();
        let project = Project::open(&file, Compiler::InProcess).unwrap();
        let runs = Runs(Arc::new(Controller::new(project, Arc::new(Nobody)).unwrap()));
        let (ada, gone) = (|| "ada".to_owned(), || "gone".to_owned());
        let said =
            Said { by: ada(), run: gone(), word: Word::Abort, reason: String::new(), link: None, question: None };
        for (told, words) in [
            (runs.find("gone").await.map(drop), "there is no run `gone`"),
            (runs.say(said).await.map(drop), "there is no run `gone`"),
            (runs.after(ada(), gone(), Sequel::Retry, "why".into()).await.map(drop), "there is no run `gone`"),
            (runs.after(ada(), gone(), Sequel::Revert, "why".into()).await.map(drop), "there is no run `gone`"),
            (runs.roll_back(ada(), gone(), Back::default()).await.map(drop), "there is no environment `gone`"),
        ] {
            let told = told.unwrap_err();
            assert!(matches!(&told, Unheard::Absent(text) if text.starts_with(words)), "{told:?}");
        }
        let unbound = anyhow::Error::from(Usage("the credential `token` is bound to nothing".into()));
        let told = unheard(unbound.context("plugin `notify`"));
        let expected = "plugin `notify`: the credential `token` is bound to nothing";
        assert!(matches!(&told, Unheard::Declined(text) if text == expected), "{told:?}");
    }
}
