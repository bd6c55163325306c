//! The commit that a fix starts from: of what serves, never of HEAD.

use anyhow::{Result, bail};
use autodevops_model::Release;
use autodevops_pipeline::Service;
use autodevops_source::{ObjectId, Repository, SourceError};

/// The commit that a fix for these services starts from, each with what serves of it: the one that has all the others in its past, or,
/// where runs released services side by side, a merge of theirs, which the `author` made. What came into a service's own files since
/// its release is nothing that it serves, and a fix must not bring it along.
///
/// # Errors
/// When the commits do not merge, or a service's own files changed since its release; or when the repository does not have a commit.
pub fn base(repository: &Repository, serving: &[(Service, Release)], author: &str) -> Result<String> {
    let remedy = "deploy what is checked in with `autodevops deploy`, then all come from one commit";
    let mut newest: Option<ObjectId> = None;
    for (_, release) in serving {
        let commit = repository.commit_of(&release.commit)?;
        newest = Some(match newest {
            Some(before) => match repository.joined(&before, &commit, author) {
                Err(error @ SourceError::Apart { .. }) => bail!("what serves of the services: {error}; {remedy}"),
                joined => joined?,
            },
            None => commit,
        });
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

#[cfg(test)]
mod tests {
    use std::{fs, path::Path, process::Command};

    use super::*;

    const AUTHOR: &str = "AutoDevOps <autodevops@localhost>";

    fn git(folder: &Path, arguments: &[&str]) -> String {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=Ada", "-c", "user.email=ada@localhost", "-c", "commit.gpgsign=false"]);
        let output =
            command.args(arguments).current_dir(folder).env("GIT_CONFIG_GLOBAL", "/dev/null").output().unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn commit(folder: &Path, path: &str) -> String {
        let file = folder.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, format!("{path}\n")).unwrap();
        git(folder, &["add", "--all"]);
        git(folder, &["commit", "--quiet", "--message", path]);
        git(folder, &["rev-parse", "HEAD"])
    }

    fn serves(name: &str, commit: &str) -> (Service, Release) {
        let service = Service {
            name: name.into(),
            paths: vec![name.into()],
            staging: format!("staging-{name}"),
            production: format!("production-{name}"),
        };
        (service, Release { id: format!("{name}-1"), artifact: "sha256:0".into(), commit: commit.into() })
    }

    #[test]
    fn a_fix_starts_from_what_has_all_that_serves_in_its_past_and_brings_nothing_unreleased_along() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        git(path, &["init", "--quiet", "--initial-branch=main"]);
        let first = commit(path, "cart/a.js");
        let of_cart = commit(path, "cart/b.js");
        let shared = commit(path, "lib/money.js");
        let repository = Repository::open(path).unwrap();
        let of = |cart: &str, shop: &str| base(&repository, &[serves("cart", cart), serves("shop", shop)], AUTHOR);
        assert_eq!(of(&first, &first).unwrap(), first);
        // The shop was not touched by what came to the cart.
        assert_eq!(of(&of_cart, &first).unwrap(), of_cart);
        assert_eq!(of(&shared, &first).unwrap(), shared);
        let error = of(&first, &of_cart).unwrap_err().to_string();
        assert!(error.contains("`cart` serves cart-1, and since then `cart/b.js` changed"), "{error}");
        assert!(error.contains("autodevops deploy"), "{error}");
        git(path, &["checkout", "--quiet", "-b", "other", &first]);
        let aside = commit(path, "shop/a.js");
        let joined = of(&of_cart, &aside).unwrap();
        let files = git(path, &["ls-tree", "-r", "--name-only", &joined]);
        assert_eq!(files.lines().collect::<Vec<_>>(), ["cart/a.js", "cart/b.js", "shop/a.js"], "of two side by side");
        let error = of(&aside, &of_cart).unwrap_err().to_string();
        assert!(error.contains("`cart` serves cart-1, and since then `cart/b.js` changed"), "{error}");
        fs::write(path.join("cart/b.js"), "another\n").unwrap();
        git(path, &["add", "--all"]);
        git(path, &["commit", "--quiet", "--message", "another"]);
        let error = of(&of_cart, &git(path, &["rev-parse", "HEAD"])).unwrap_err().to_string();
        assert!(error.contains("do not merge: they conflict in `cart/b.js`; deploy what is checked in"), "{error}");
    }
}
