//! The commit that a fix starts from: of what serves, never of HEAD.

use anyhow::{Result, bail};
use autodevops_model::Release;
use autodevops_pipeline::Service;
use autodevops_source::{ObjectId, Repository};

/// The commit that a fix for these services starts from, each with what serves of it: the one that has all the others in its past. What
/// came into a service's own files since its release is nothing that it serves, and a fix must not bring it along.
///
/// # Errors
/// When no commit has all the others in its past, or a service's own files changed since its release; or when the repository does not
/// have a commit.
pub fn base(repository: &Repository, serving: &[(Service, Release)]) -> Result<String> {
    let remedy = "deploy what is checked in with `autodevops deploy`, then all come from one commit";
    let mut newest: Option<ObjectId> = None;
    for (_, release) in serving {
        let commit = repository.commit_of(&release.commit)?;
        newest = match newest {
            Some(before) if repository.is_part_of(&commit, &before)? => Some(before),
            Some(before) if !repository.is_part_of(&before, &commit)? => {
                bail!(
                    "the services serve commits of which none has all the others in its past ({before}, {commit}); {remedy}"
                )
            }
            _ => Some(commit),
        };
    }
    let Some(base) = newest else { bail!("there is no service; name one in the configuration") };
    for (service, release) in serving {
        let served = repository.commit_of(&release.commit)?;
        if served == base {
            continue;
        }
        let changed = repository.changed_between(&served, &base)?;
        // What is nobody's own was not released by this service, and is by the next change of it.
        let own = changed.iter().find(|path| !service.paths.is_empty() && service.owns(path));
        if let Some(path) = own {
            bail!(
                "`{}` serves {}, and since then `{path}` changed, which is not released: a fix that starts from {base} would bring it \
                 along; {remedy}",
                service.name,
                release.id
            );
        }
    }
    Ok(base.to_string())
}
