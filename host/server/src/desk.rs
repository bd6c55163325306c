//! What the process that drives the runs answers.

use std::sync::Arc;

use autodevops_orchestrator::{
    controller::{Controller, RolledBack},
    usage::Usage,
};
use autodevops_pipeline::Input;

use crate::{
    control::Desk,
    message::{Reply, Request},
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
    let by = by.to_owned();
    Ok(match request {
        Request::Ping => format!("process {}", std::process::id()),
        Request::Approve { run, reason, bypass } => {
            let run = controller.named(&run)?;
            controller.say(&run, Input::Approve { by, reason, bypass }).await?;
            format!("run {run} is approved")
        }
        Request::Reject { run, reason } => {
            let run = controller.named(&run)?;
            controller.say(&run, Input::Reject { by, reason }).await?;
            format!("run {run} is rejected")
        }
        Request::Abort { run, reason } => {
            let run = controller.named(&run)?;
            controller.say(&run, Input::Abort { by, reason }).await?;
            format!("run {run} ends; traffic that it moved returns first")
        }
        Request::Deploy { environments } => {
            let made = controller.deploy(&environments, &by).await?;
            let lines = made.iter().map(|live| format!("{} serves release {}", live.environment, live.release.id));
            lines.collect::<Vec<_>>().join("\n")
        }
        Request::Rollback { environment, to, reason } => {
            match controller.roll_back(&environment, to.as_deref(), &by, &reason).await? {
                RolledBack::ByRun(run) => format!("run {run} takes its release back"),
                RolledBack::ByHand(made) => format!("{environment} serves {} again", made.release.id),
            }
        }
    })
}
