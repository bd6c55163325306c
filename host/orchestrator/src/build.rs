//! From a commit to a release: exported, built where the operator says how, kept by its digest.

use std::path::Path;

use anyhow::{Context, Result};
use autodevops_bubblewrap::Limits;
use autodevops_config::Service;
use autodevops_model::Release;
use autodevops_source::{BuildOptions, Builder, Prepare};

use crate::project::Project;

/// Makes a service's release of a commit. `base` is the commit on which dependencies are prepared: one that a person has seen. `work` is a
/// folder for the trees; it is removed.
///
/// # Errors
/// When the commit cannot be exported, the build fails or the artifact cannot be kept.
pub fn build(project: &Project, service: &Service, base: &str, commit: &str, work: &Path) -> Result<Release> {
    let repository = project.repository()?;
    let fresh = || match std::fs::remove_dir_all(work) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    fresh().with_context(|| work.display().to_string())?;
    std::fs::create_dir_all(work).with_context(|| work.display().to_string())?;
    let tree = work.join("tree");
    repository.export(&repository.commit_of(commit)?, &tree)?;
    project.check_files(service, &tree)?;
    let artifact = match project.config.build_of(service) {
        None => project.artifacts.put(&tree)?,
        Some(settings) => {
            let before = work.join("base");
            repository.export(&repository.commit_of(base)?, &before)?;
            let options = BuildOptions {
                command: settings.command.clone(),
                prepare: settings.prepare.clone().map(|command| Prepare {
                    command,
                    makes: settings.prepared.clone(),
                    lockfiles: settings.lockfiles.clone(),
                }),
                outputs: settings.outputs.clone(),
                read_only: settings.read_only.clone(),
                env: settings.env.clone(),
                timeout: settings.timeout.0,
                limits: Limits { memory: settings.memory.0, processes: settings.processes.into() },
            };
            let builder = Builder::new(&project.state.prepared())?;
            builder.build(&options, &before, &tree, &project.artifacts)?.artifact
        }
    };
    fresh().with_context(|| work.display().to_string())?;
    let named = project.config.has_service_list().then_some(service.name.as_str());
    Ok(Release { id: release_id(named, commit, &artifact), artifact, commit: commit.to_owned() })
}

/// The release's name: the beginnings of its commit and of its artifact's digest, so that the same files of the same commit are
/// the same release; of one of several services, its name before them.
fn release_id(service: Option<&str>, commit: &str, artifact: &str) -> String {
    let digest = artifact.strip_prefix("sha256:").unwrap_or(artifact);
    let start = |text: &str, length| text.chars().take(length).collect::<String>();
    let before = service.map_or_else(String::new, |service| format!("{service}-"));
    format!("{before}{}-{}", start(commit, 10), start(digest, 8))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Scene, target};

    #[test]
    fn a_release_is_named_by_its_commit_and_its_files() {
        let id = |service| release_id(service, &"ab".repeat(20), &format!("sha256:{}", "cd".repeat(32)));
        assert_eq!(id(None), "ababababab-cdcdcdcd");
        assert_eq!(id(Some("cart")), "cart-ababababab-cdcdcdcd");
    }

    #[test]
    fn a_folder_for_trees_that_cannot_be_cleared_is_told_and_one_that_is_not_there_is_clear() {
        let scene = Scene::open(&[target(&[])], "");
        let service = scene.project.config.services()[0].clone();
        let work = scene.shop().join(".autodevops/work/x");
        let built = || build(&scene.project, &service, &scene.base, &scene.base, &work);
        let release = built().unwrap();
        assert_eq!(release.commit, scene.base);
        assert!(!work.exists(), "it is removed");
        std::fs::write(&work, "no folder").unwrap();
        let error = built().unwrap_err();
        let kind = error.downcast_ref::<std::io::Error>().unwrap().kind();
        assert_eq!((kind, error.to_string()), (std::io::ErrorKind::NotADirectory, work.display().to_string()));
    }
}
