//! What the process that drives the runs answers.

use std::{sync::Arc, time::Duration};

use autodevops_orchestrator::{
    clock::now,
    controller::{Controller, RolledBack},
    usage::Usage,
};
use autodevops_pipeline::{Input, Link, Run};
use autodevops_policy::Span;

use crate::{
    control::Desk,
    message::{Reply, Request, Word},
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
        let reply = match request {
            Request::Deploy { environments } => self.0.deploy(&environments, &peer.name).await.map(Reply::Deployed),
            Request::Gc => self.0.collect().await.map(Reply::Freed),
            request => answer(&self.0, &peer.name, request).await.map(Reply::Done),
        };
        reply.unwrap_or_else(|error| {
            let why = format!("{error:#}");
            if error.chain().any(|cause| cause.is::<Usage>()) { Reply::Misused(why) } else { Reply::Refused(why) }
        })
    }
}

/// Does what a user asks, in the process that holds the state.
///
/// # Errors
/// Why it is not taken.
pub async fn answer(controller: &Controller, by: &str, request: Request) -> Result<String, anyhow::Error> {
    Ok(match request {
        Request::Ping => format!("process {}", std::process::id()),
        Request::Say { run, word, reason } => say(controller, by, &run, word, reason, None).await?,
        Request::Gc => format!("{} things are removed", controller.collect().await?.len()),
        Request::Deploy { environments } => {
            let made = controller.deploy(&environments, by).await?;
            let lines = made.iter().map(|live| format!("{} serves release {}", live.environment, live.release.id));
            lines.collect::<Vec<_>>().join("\n")
        }
        Request::Rollback { environment, to, reason } => {
            match controller.roll_back(&environment, to.as_deref(), by, &reason).await? {
                RolledBack::ByRun(run) => format!("run {run} takes its release back"),
                RolledBack::ByHand(made) => format!("{environment} serves {} again", made.release.id),
            }
        }
    })
}

/// Says something to a run; what came of it, in words. `link` is the one-time link that it was said by.
///
/// # Errors
/// Why it is not taken.
pub async fn say(
    controller: &Controller,
    by: &str,
    run: &str,
    word: Word,
    reason: String,
    link: Option<Link>,
) -> Result<String, anyhow::Error> {
    let by = by.to_owned();
    let input = match word {
        Word::Approve { bypass } => Input::Approve { by, reason, bypass, link },
        Word::Reject => Input::Reject { by, reason, link },
        Word::Hold => Input::Hold { by, reason },
        Word::Resume => Input::EndHold { by, reason },
        Word::Skip => Input::Skip { by, reason },
        Word::Extend { seconds } => Input::Extend { by, reason, span: seconds.map(Duration::from_secs) },
        Word::Abort => Input::Abort { by, reason },
        Word::Ack => Input::Acknowledge { by, reason, link },
    };
    let run = controller.say(&controller.named(run)?, input).await?;
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
        Word::Abort => format!("run {id} ends; traffic that it moved returns first"),
        Word::Ack => format!("run {id}: you have it in hand; nobody further is told"),
    })
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

/// How long the watch under way still takes.
fn left(run: &Run) -> Span {
    let left = run.watch().map_or(0, |watch| watch.until.0.saturating_sub(now().0)).max(0);
    Span(Duration::from_secs(u64::try_from(left / 1_000_000_000).unwrap_or(0)))
}
