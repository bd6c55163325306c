//! `autodevops deploy`: what is checked in goes live.

use std::{path::Path, process::ExitCode, sync::Arc};

use anyhow::{Result, bail};
use autodevops_orchestrator::controller::Controller;
use autodevops_policy::Bytes;
use autodevops_server::{Reply, Request, Unreachable, this_user};

use crate::{
    arguments::Deploy,
    asked::ask_patiently,
    output::{self, Format, Usage},
    progress::Progress,
    project,
};

pub async fn run(options: &Deploy, config: Option<&Path>, format: Format) -> Result<ExitCode> {
    let project = project::open(config)?;
    let environments = if options.environments.is_empty() {
        vec![project.config.staging.environment.clone(), project.config.rollout.environment.clone()]
    } else {
        options.environments.clone()
    };
    let request = Request::Deploy { environments: environments.clone() };
    let made = match ask_patiently(&project.state.control_socket(), &request).await? {
        Ok(Reply::Deployed(made)) => made,
        Ok(Reply::Refused(reason)) => bail!(reason),
        Ok(Reply::Misused(reason)) => bail!(Usage(reason)),
        Ok(Reply::Done(_) | Reply::Freed(_) | Reply::FreedUntil { .. }) => {
            bail!("the process that drives the runs answers something else; report this")
        }
        Err(Unreachable::Nobody) => {
            let _lock = project.state.lock()?;
            let controller = Controller::new(Arc::clone(&project), Arc::new(Progress::new(format)))?;
            controller.deploy(&environments, &this_user().name).await?
        }
        Err(error) => return Err(error.into()),
    };
    if format == Format::Json {
        output::json(&made)?;
        return Ok(ExitCode::SUCCESS);
    }
    for live in &made {
        for one in &live.snapshots {
            let (id, size) = (&one.snapshot.id, Bytes(one.snapshot.bytes).rounded());
            output::text(&format!("snapshot {id} of {} is taken by {}, {size}\n", live.environment, one.guard))?;
        }
        let place = project.config.places_of(&live.environment).into_iter().find(|place| place.name == live.place);
        let at = place.map_or(String::new(), |place| format!(" at http://{}/", place.listen));
        output::text(&format!("{} serves release {}{at}\n", live.words(), live.release.id))?;
    }
    Ok(ExitCode::SUCCESS)
}
