//! A shop of its own for a scene: the sample's files, its configuration filled in, in a git repository.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use super::{HASTY_PLUGIN, processes::free_ports};
use crate::command::{root, target};

/// Where a scene's shop is and listens.
pub struct Shop {
    /// Its folder, with `autodevops.toml`.
    pub folder: PathBuf,
    /// Port of production, on 127.0.0.1.
    pub production: u16,
    /// Port of the front door's counters.
    pub metrics: u16,
}

impl Shop {
    /// Opens a shop under `parent`, in which `generator` proposes fixes.
    pub fn open(parent: &Path, generator: &str) -> Result<Self> {
        let folder = parent.join("shop");
        copy(&root().join("tests/shop"), &folder)?;
        let [production, staging, metrics] = free_ports()?;
        let config = folder.join("autodevops.toml");
        let template = fs::read_to_string(&config).context("tests/shop has no autodevops.toml")?;
        let mut text = template;
        for (name, value) in [
            ("PRODUCTION_PORT", production.to_string()),
            ("STAGING_PORT", staging.to_string()),
            ("METRICS_PORT", metrics.to_string()),
            ("FIX_GENERATOR", generator.to_owned()),
        ] {
            text = text.replace(&format!("${{{name}}}"), &value);
        }
        if let Some((_, rest)) = text.split_once("${") {
            bail!("tests/shop/autodevops.toml: nobody fills in ${{{}}}", rest.split('}').next().unwrap_or_default());
        }
        fs::write(&config, text)?;
        check_in(&folder)?;
        Ok(Self { folder, production, metrics })
    }

    /// Answers what the plugins ask for, with what the configuration says, and checks the answer in: `autodevops plugin grant`.
    pub fn grant(&self) -> Result<()> {
        let output = Command::new(target().join("debug/autodevops"))
            .arg("--config")
            .arg(self.folder.join("autodevops.toml"))
            .args(["plugin", "grant", "--all", "--yes"])
            .output()
            .context("cannot start autodevops")?;
        if !output.status.success() {
            bail!("`autodevops plugin grant` failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        commit(&self.folder, "Grant the plugins what they ask for")
    }

    /// Tells the operator's configuration of a plugin that lies in `parent/plugins`, and what it may do.
    pub fn allow_hasty_plugin(&self) -> Result<()> {
        let config = self.folder.join("autodevops.toml");
        let mut text = fs::read_to_string(&config)?;
        text.push_str(&format!(
            "\n[plugins.{HASTY_PLUGIN}]\npath = \"../plugins/{HASTY_PLUGIN}\"\n\n\
             [plugins.{HASTY_PLUGIN}.grant]\nfiles.\"/repo\" = {{}}\n"
        ));
        fs::write(&config, text)?;
        commit(&self.folder, "Let another plugin propose fixes")
    }

    /// What production wrote to its log; empty before it wrote anything.
    pub fn log(&self) -> String {
        let log = self.folder.join(".autodevops/logs/production.log");
        fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

fn check_in(folder: &Path) -> Result<()> {
    fs::write(folder.join(".gitignore"), ".autodevops/\n")?;
    git(folder, &["init", "--quiet", "--initial-branch=main"])?;
    // For commits that are not made here, on machines where nobody has a name.
    git(folder, &["config", "user.name", "Shop"])?;
    git(folder, &["config", "user.email", "shop@localhost"])?;
    commit(folder, "Open the shop")
}

fn commit(folder: &Path, message: &str) -> Result<()> {
    git(folder, &["add", "--all"])?;
    git(folder, &["commit", "--quiet", "--message", message])
}

fn git(folder: &Path, arguments: &[&str]) -> Result<()> {
    let output = Command::new("git")
        .args(["-c", "commit.gpgsign=false", "-c", "core.hooksPath=/dev/null"])
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .context("cannot start git; is it installed?")?;
    if !output.status.success() {
        bail!("`git {}` failed: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shop_is_checked_in_with_its_configuration_filled_in() {
        let parent = tempfile::tempdir().unwrap();
        let shop = Shop::open(parent.path(), HASTY_PLUGIN).unwrap();
        shop.allow_hasty_plugin().unwrap();
        let text = fs::read_to_string(shop.folder.join("autodevops.toml")).unwrap();
        assert!(text.contains(&format!("127.0.0.1:{}", shop.production)), "{text}");
        assert!(text.contains("[plugins.fill-defaults.grant]"), "{text}");
        let status = Command::new("git").args(["status", "--porcelain"]).current_dir(&shop.folder).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&status.stdout), "");
        assert_eq!(shop.log(), "");
    }
}
