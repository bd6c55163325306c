//! What a project's configuration needs of its deploy target. It is asked before anything is moved.

use anyhow::{Context, Result, bail};
use autodevops_config::Config;
use autodevops_model::Capabilities;
use autodevops_pipeline::Baseline;

use crate::project::Project;

impl Project {
    /// What the deploy target can do, by its own word.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub async fn target_capabilities(&self) -> Result<Capabilities> {
        let asked = self.deploy_target()?.describe(&self.context("describe", Vec::new())).await;
        asked.context("the deploy target cannot be asked what it can do")
    }

    /// Refuses a configuration that asks more of the deploy target than that can do.
    ///
    /// # Errors
    /// What to do.
    pub fn check_target(&self, target: &Capabilities) -> Result<()> {
        can_preserve(&self.config, target)?;
        can_split(&self.config, target)?;
        can_compare(&self.config, target)
    }
}

/// Refuses a project whose data must be preserved, and whose target keeps none.
///
/// # Errors
/// What to do.
pub(crate) fn can_preserve(config: &Config, target: &Capabilities) -> Result<()> {
    if config.data.preserve && !target.keeps_state {
        bail!(
            "[data] `preserve` is true, and the deploy target `{}` keeps no data across a change of release; nothing was moved: choose \
             another target, or let `preserve` be false",
            config.stages.deploy_target
        );
    }
    Ok(())
}

/// Refuses a project whose releases are to be compared with a fresh baseline, and whose target gives none.
///
/// # Errors
/// What to do.
fn can_compare(config: &Config, target: &Capabilities) -> Result<()> {
    if config.rollout.baseline == Baseline::Fresh && !(target.fresh_baseline && target.split_traffic) {
        bail!(
            "[rollout] `baseline` is \"fresh\", and the deploy target `{}` does not start what serves a second time beside itself; nothing \
             was moved: choose another target, or write `baseline = \"stable\"`",
            config.stages.deploy_target
        );
    }
    Ok(())
}

/// Refuses a project whose releases are to have growing shares of the traffic, and whose target moves all of it at once.
///
/// # Errors
/// What to do.
fn can_split(config: &Config, target: &Capabilities) -> Result<()> {
    let shares = || config.rollout.steps.iter().map(|step| step.traffic);
    if target.split_traffic || shares().all(|share| share.value() >= 100.0) {
        return Ok(());
    }
    let last = config.rollout.steps.last().map_or_else(String::new, |step| step.r#for.to_string());
    bail!(
        "[rollout] `steps` has {}, and the deploy target `{}` cannot split traffic; nothing was moved: choose another target, or write \
         `steps = [{{ traffic = \"100 %\", for = \"{last}\" }}]`: all of it moves at once then, on a person's word",
        shares().map(|share| share.to_string()).collect::<Vec<_>>().join(", "),
        config.stages.deploy_target
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROJECT: &str = "[service]\nname = \"shop\"\nkind = \"files\"\npublic = \"public\"\n[stages]\nanalyzer = \"a\"\nfix-generators = [\"f\"]\n\
                           [environments.staging]\nlisten = \"127.0.0.1:1\"\n[environments.production]\nlisten = \"127.0.0.1:2\"\n";

    fn can(more: &str, fresh_baseline: bool, split_traffic: bool) -> Result<()> {
        let config = Config::parse(&format!("{PROJECT}{more}"), "autodevops.toml")?;
        let target = Capabilities {
            split_traffic,
            preview: true,
            instant_rollback: true,
            fenced: true,
            keeps_state: false,
            fresh_baseline,
        };
        can_preserve(&config, &target)?;
        can_split(&config, &target)?;
        can_compare(&config, &target)
    }

    #[test]
    fn steps_are_asked_only_of_a_target_that_can_split_traffic() {
        let at_once = "[rollout]\nsteps = [{ traffic = \"100 %\", for = \"20m\" }]\n";
        can(at_once, false, false).unwrap();
        can("", false, true).unwrap();
        let two = "[rollout]\nsteps = [{ traffic = \"10 %\", for = \"5m\" }, { traffic = \"100 %\", for = \"1h\" }]\n";
        for (steps, has) in [("", "5 %, 25 %, 50 %, 100 %"), (two, "10 %, 100 %")] {
            let error = can(steps, false, false).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("[rollout] `steps` has {has}, and the deploy target `local` cannot split")),
                "{error}"
            );
            assert!(
                error.contains("nothing was moved") && error.contains("steps = [{ traffic = \"100 %\", for = \""),
                "{error}"
            );
        }
    }

    #[test]
    fn a_fresh_baseline_is_asked_only_of_a_target_that_has_one() {
        let fresh = "[rollout]\nbaseline = \"fresh\"\n";
        can(fresh, true, true).unwrap();
        can("", false, true).unwrap();
        let small = "[rollout]\nbaseline = \"fresh\"\nsteps = [{ traffic = \"20 %\", for = \"5m\" }, { traffic = \"100 %\", for = \"20m\" }]\n";
        for more in [fresh, small] {
            let error = can(more, false, true).unwrap_err().to_string();
            assert!(error.contains("the deploy target `local` does not start what serves a second time"), "{error}");
            assert!(error.ends_with("choose another target, or write `baseline = \"stable\"`"), "{error}");
        }
    }

    #[test]
    fn data_is_to_be_preserved_only_by_a_target_that_keeps_it() {
        let preserve = "state-guards = [\"g\"]\n";
        let project = PROJECT
            .replace("[environments.staging]", &format!("{preserve}[data]\npreserve = true\n[environments.staging]"));
        for (text, keeps_state, refused) in
            [(&project, false, true), (&project, true, false), (&PROJECT.to_owned(), false, false)]
        {
            let config = Config::parse(text, "autodevops.toml").unwrap();
            let target = Capabilities {
                split_traffic: true,
                preview: true,
                instant_rollback: true,
                fenced: true,
                keeps_state,
                fresh_baseline: false,
            };
            let said = can_preserve(&config, &target).map_err(|error| error.to_string());
            assert_eq!(said.is_err(), refused, "{said:?}");
            let words = said.err().unwrap_or_else(|| "`local` keeps no data; nothing was moved".to_owned());
            assert!(words.contains("`local` keeps no data") && words.contains("nothing was moved"), "{words}");
        }
    }

    #[test]
    fn a_fresh_baseline_takes_a_share_of_the_traffic() {
        let config = Config::parse(&format!("{PROJECT}[rollout]\nbaseline = \"fresh\"\n"), "autodevops.toml").unwrap();
        let target = |split_traffic| Capabilities {
            split_traffic,
            preview: true,
            instant_rollback: true,
            fenced: true,
            keeps_state: false,
            fresh_baseline: true,
        };
        can_compare(&config, &target(true)).unwrap();
        let error = can_compare(&config, &target(false)).unwrap_err().to_string();
        assert!(error.contains("does not start what serves a second time"), "{error}");
    }

    #[tokio::test]
    async fn a_project_that_asks_more_of_its_target_than_that_can_do_is_refused_before_any_run() {
        use crate::testing::{Scene, answer, target as able};
        let scene = Scene::open(&[able(&[])], "");
        let can = scene.project.target_capabilities().await.unwrap();
        scene.project.check_target(&can).unwrap();
        let less = serde_json::json!({
            "split-traffic": false, "preview": false, "instant-rollback": true, "fenced": true, "keeps-state": true, "fresh-baseline": false,
        });
        let scene = Scene::open(&[able(&[answer("describe", less)])], "");
        let can = scene.project.target_capabilities().await.unwrap();
        let error = scene.project.check_target(&can).unwrap_err().to_string();
        assert!(error.contains("cannot split traffic"), "{error}");
    }
}
