//! Telling people what came of undoing in git what was taken back, where nobody asked for it: the run is over before, and tells nothing any
//! more. Whom to tell is on record, so that the next process goes on with it.

use std::sync::Arc;

use anyhow::Result;
use autodevops_model::ErrorKind;
use autodevops_pipeline::{EffectOutcome, RunStage};

use super::{
    kept::{Undoing, undone},
    name,
};
use crate::{project::Project, stages::Stages};

/// Has the notifiers tell what they are to tell still, each once. One that is away is tried as often as anything is, the next time that this
/// is called; what it refuses is given up.
pub async fn tell(project: &Arc<Project>) {
    let _alone = project.telling.lock().await;
    let all = match undone(&project.journal) {
        Ok(all) => all,
        Err(error) => return tracing::warn!("what was undone in git cannot be read, and is told later: {error:#}"),
    };
    for undoing in all.into_values().filter(|undoing| !undoing.untold.is_empty()) {
        if let Err(error) = tell_of(project, &undoing).await {
            tracing::warn!("that people were told of {} is not on record: {error:#}", undoing.what);
        }
    }
}

async fn tell_of(project: &Arc<Project>, undoing: &Undoing) -> Result<()> {
    let (name, stage) = (name(&undoing.commit), RunStage::Ending.name());
    let (stages, context) = (Stages::new(Arc::clone(project)), project.context(&name, Vec::new()));
    let notification = undoing.notification(&project.config.title(), stage);
    let (mut untold, mut failed) = (Vec::new(), false);
    project.audit.begin(&name);
    for plugin in &undoing.untold {
        let key = format!("{name}/notify/{}/{plugin}", undoing.at.0);
        match stages.notify(&context, &key, plugin, &notification, None).await {
            Ok(EffectOutcome::Postponed { .. }) => untold.push(plugin.clone()),
            Ok(_) => {}
            Err(error) if error.kind == ErrorKind::Unavailable && undoing.tried < project.config.retries.count => {
                failed = true;
                untold.push(plugin.clone());
            }
            Err(error) => tracing::warn!("`{plugin}` does not tell that {}: {error}", undoing.words()),
        }
    }
    project.audit.let_go(&name, stage, 0, true);
    // Somebody may have done something about it meanwhile.
    match undone(&project.journal)?.remove(&undoing.commit).filter(|now| now.at == undoing.at) {
        Some(now) => {
            Undoing { untold, tried: now.tried.saturating_add(u32::from(failed)), ..now }.keep(&project.journal)
        }
        None => Ok(()),
    }
}
