//! `autodevops approve`, `reject`, `abort` and `rollback`: what people say to runs.

use std::{path::Path, process::ExitCode, sync::Arc};

use anyhow::{Result, bail};
use autodevops_orchestrator::{
    controller::Controller,
    driver::{End, Observer},
};
use autodevops_server::{Reply, Request, Unreachable, answer, ask, this_user};

use crate::{
    output::{self, Format, Usage},
    progress::Progress,
    project,
};

/// Says it to the process that drives the runs, or, where there is none, to the journal; then brings to its end what must not wait.
pub async fn say(request: Request, config: Option<&Path>, format: Format) -> Result<ExitCode> {
    let project = project::open(config)?;
    let text = match ask(&project.state.control_socket(), &request).await {
        Ok(Reply::Done(text)) => text,
        Ok(Reply::Deployed(_)) => bail!("the process that drives the runs answers something else; report this"),
        Ok(Reply::Refused(reason)) => bail!(reason),
        Ok(Reply::Misused(reason)) => bail!(Usage(reason)),
        Err(Unreachable::Nobody) => {
            let _lock = project.state.lock()?;
            // Without it traffic could not be brought back, which is tried for ever once it is begun.
            project.deploy_target()?;
            let progress = Arc::new(Progress::new(format));
            let observer: Arc<dyn Observer> = progress.clone();
            let controller = Controller::new(Arc::clone(&project), observer)?;
            let text = answer(&controller, &this_user().name, request.clone()).await?;
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

/// A run that goes on waits for `autodevops run`; one that ends has traffic to bring back, which nobody else does now.
async fn finish(controller: &Controller, request: &Request) -> Result<String> {
    let run = match request {
        Request::Approve { .. } => return Ok("; it goes on with `autodevops run`".to_owned()),
        Request::Reject { run, .. } | Request::Abort { run, .. } => Some(controller.named(run)?),
        Request::Rollback { .. } | Request::Deploy { .. } | Request::Ping => None,
    };
    let mut text = String::new();
    for logged in controller.unfinished()? {
        if run.as_deref().is_none_or(|run| run == logged.run.id()) {
            let name = logged.run.id().to_owned();
            if let End::Finished(outcome) = controller.drive(logged, false).await? {
                text.push_str(&format!("\nrun {name}: {outcome}"));
            }
        }
    }
    Ok(text)
}
