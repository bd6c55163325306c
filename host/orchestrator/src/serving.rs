//! What serves of the project's services, and the commit that a fix of that starts from.

use anyhow::{Result, bail};
use autodevops_model::Release;
use autodevops_pipeline::{Live as Serves, Plan, Run};
use autodevops_sandbox::Plugin;

use crate::{base::base, live::Live, project::Project};

/// What serves, as a run begins of it.
pub(crate) struct Serving {
    /// Of each of the plan's services, in their order.
    pub(crate) live: Vec<Serves>,
    /// The commit.
    pub(crate) base: String,
}

/// What serves of each of the plan's services, for this run. Of those that another run has to itself it is what served before that one: it
/// may be moving their traffic just now.
///
/// # Errors
/// When it is not known what serves, this host did not put it there, or the repository is not in order.
pub(crate) async fn serving(project: &Project, run: &str, plan: &Plan) -> Result<Serving> {
    let target = project.deploy_target()?;
    let others: Vec<Run> = project.log.unfinished()?.into_iter().map(|logged| logged.run).collect();
    let mut live = Vec::new();
    let mut releases = Vec::new();
    for service in &plan.services {
        let before = others.iter().filter(|other| other.id() != run).find_map(|other| before(other, &service.name));
        let serves = match before {
            Some(before) => before,
            None => {
                let production = at(project, &target, run, &service.production).await?;
                Serves { staging: at(project, &target, run, &service.staging).await?, production }
            }
        };
        let Some(release) = &serves.production else {
            bail!(
                "nothing was deployed to {} yet; deploy what is checked in with `autodevops deploy`",
                service.production
            );
        };
        releases.push((service.clone(), release.clone()));
        live.push(serves);
    }
    let base = tokio::task::block_in_place(|| {
        let repository = project.repository()?;
        repository.head()?;
        base(&repository, &releases, &project.config.git.author)
    })?;
    Ok(Serving { live, base })
}

/// What served of a service before a run that has it to itself; one that only tells people has none, and what serves now is what it left.
fn before(run: &Run, service: &str) -> Option<Serves> {
    let has = run.claimed_services().iter().any(|claimed| claimed == service);
    let index = run.plan().services.iter().position(|known| known.name == service).filter(|_| has)?;
    run.live().into_iter().nth(index)
}

/// What serves an environment, by its target's word, if this host put it there.
async fn at(project: &Project, target: &Plugin, run: &str, environment: &str) -> Result<Option<Release>> {
    let context = project.context(run, Vec::new());
    let state = target.live(&context, environment).await?;
    let known = Live::new(&project.journal).current(environment)?;
    let remedy = "deploy what is checked in with `autodevops deploy`, then it is known what serves";
    match (state.and_then(|state| state.stable), known) {
        (None, _) => Ok(None),
        (Some(stable), Some(known)) if stable == known => Ok(Some(stable)),
        (Some(stable), Some(known)) => {
            bail!("{environment} serves {}, and not {}, which this host made live last; {remedy}", stable.id, known.id)
        }
        (Some(stable), None) => {
            bail!("{environment} serves {}, which this host did not put there; {remedy}", stable.id)
        }
    }
}

#[cfg(test)]
mod tests;
