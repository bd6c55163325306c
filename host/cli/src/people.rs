//! `autodevops approve`, `reject`, `hold`, `resume`, `skip`, `extend`, `abort`, `ack`, `retry` and `rollback`: what people say to runs.

use std::{path::Path, process::ExitCode, sync::Arc};

use anyhow::{Result, bail};
use autodevops_orchestrator::{
    controller::Controller,
    driver::{End, Observer},
    revert,
};
use autodevops_pipeline::Run;
use autodevops_server::{Reply, Request, Sequel, Unreachable, Word, answer, this_user};

use crate::{
    asked::ask_patiently,
    output::{self, Format, Usage},
    progress::Progress,
    project,
};

/// Says something to a run.
pub async fn tell(run: String, word: Word, reason: String, config: Option<&Path>, format: Format) -> Result<ExitCode> {
    say(Request::Say { run, word, reason, question: None }, config, format).await
}

/// Says it to the process that drives the runs, or, where there is none, to the journal; then brings to its end what must not wait.
pub async fn say(request: Request, config: Option<&Path>, format: Format) -> Result<ExitCode> {
    let project = project::open(config)?;
    let text = match ask_patiently(&project.state.control_socket(), &request).await? {
        Ok(reply) => words(reply)?,
        Err(Unreachable::Nobody) => {
            let _lock = project.state.lock()?;
            // Without it traffic could not be brought back, which is tried for ever once it is begun.
            project.deploy_target()?;
            let progress = Arc::new(Progress::new(format));
            let observer: Arc<dyn Observer> = progress.clone();
            let controller = Controller::new(Arc::clone(&project), observer)?;
            let text = words(answer(&controller, &this_user().name, request.clone()).await?)?;
            let ended = finish(&controller, &request).await?;
            progress.clear();
            format!("{text}{ended}")
        }
        Err(error) => return Err(error.into()),
    };
    match format {
        Format::Json => output::json(&serde_json::json!({ "done": text }))?,
        Format::Text => output::text(&format!("{}\n", output::clean(&text)))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What was done, in words; or why it was not.
fn words(reply: Reply) -> Result<String> {
    match reply {
        Reply::Done(text) => Ok(text),
        Reply::Deployed(_) | Reply::Freed(_) | Reply::FreedUntil { .. } => {
            bail!("the process that drives the runs answers something else; report this")
        }
        Reply::Refused(reason) => bail!(reason),
        Reply::Misused(reason) => bail!(Usage(reason)),
    }
}

/// A run that goes on waits for `autodevops run`; one that ends has traffic to bring back, which nobody else does now.
async fn finish(controller: &Controller, request: &Request) -> Result<String> {
    let run = match request {
        Request::Say { run, word: Word::Reject | Word::Rollback | Word::Abort, .. } => Some(controller.named(run)?),
        Request::Say { word: Word::Hold | Word::Ack, .. } => return Ok(String::new()),
        Request::Say { .. } => return Ok("; it goes on with `autodevops run`".to_owned()),
        Request::After { sequel: Sequel::Revert, .. } => return Ok(String::new()),
        Request::After { sequel: Sequel::Retry, .. } => return Ok("; it begins with `autodevops run`".to_owned()),
        Request::Feedback(_) => return end(controller, |run| run.ending().is_some()).await,
        Request::Snapshot { .. } | Request::Restore { .. } => return Ok(String::new()),
        Request::Rollback { .. } | Request::Deploy { .. } | Request::Gc | Request::Ping => None,
    };
    end(controller, |logged| run.as_deref().is_none_or(|run| run == logged.id())).await
}

/// Drives these of the runs to their ends; what came of them.
async fn end(controller: &Controller, which: impl Fn(&Run) -> bool) -> Result<String> {
    let mut text = String::new();
    for logged in controller.unfinished()? {
        if which(&logged.run) {
            let name = logged.run.id().to_owned();
            if let End::Finished(outcome) = controller.drive(logged, false).await? {
                text.push_str(&format!("\nrun {name}: {outcome}"));
            }
        }
    }
    revert::tell(controller.project()).await;
    Ok(text)
}
