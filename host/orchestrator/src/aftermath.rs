//! What became of runs once they were over, which is not among their events: what people went back from by hand, and what came of undoing
//! changes in git.

use std::collections::BTreeMap;

use anyhow::Result;
use autodevops_pipeline::{Environment, Run, Timestamp};
use serde::Serialize;

use crate::{
    live::{Live, WasLive, gone_back},
    project::Project,
    revert::{Undoing, came_of, undone},
};

/// Of all runs.
#[derive(Clone, Debug, Default)]
pub struct Aftermath {
    /// What came of undoing changes in git, by their commits.
    pub undone: BTreeMap<String, Undoing>,
    /// What served production, by what the target calls the place; newest first.
    pub served: BTreeMap<String, Vec<WasLive>>,
}

/// Of one run.
#[derive(Debug, Default)]
pub struct After<'a> {
    /// What came of undoing in git what it committed.
    pub undoing: Option<&'a Undoing>,
    /// Those who went back from its releases, by its services.
    pub gone_back: Vec<GoneBack<'a>>,
}

/// Someone went back by hand from a release that a run brought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct GoneBack<'a> {
    /// The service; empty where the project has one.
    pub service: String,
    /// Who.
    pub by: &'a str,
    /// When the other release served.
    pub at: Timestamp,
    /// Why; empty where they did not say.
    pub reason: &'a str,
}

impl Aftermath {
    /// Of a project's runs. Of what served it reaches back as far as that is remembered.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn read(project: &Project) -> Result<Self> {
        let live = Live::new(&project.journal);
        let places = project.config.places_of(&project.config.rollout.environment).into_iter();
        let served = places.map(|place| Ok((place.name.clone(), live.history(&place.name)?)));
        Ok(Self { undone: undone(&project.journal)?, served: served.collect::<Result<_>>()? })
    }

    /// Of this run.
    pub fn of(&self, run: &Run) -> After<'_> {
        let left = run.members().filter_map(|member| {
            let history = self.served.get(member.place(Environment::Production))?;
            let (was, who) = gone_back(history, run.id())?;
            let service = member.label().to_owned();
            Some(GoneBack { service, by: &who.by, at: was.since, reason: &who.reason })
        });
        After { undoing: came_of(&self.undone, run), gone_back: left.collect() }
    }
}

#[cfg(test)]
mod tests {
    use autodevops_record::testing::Story;

    use super::*;
    use crate::{
        live::{Origin, WentBack},
        testing::{Scene, target},
    };

    #[test]
    fn of_a_run_it_is_known_who_went_back_from_its_release_when_and_why() {
        let scene = Scene::open(&[target(&[])], "");
        scene.serves("production", &scene.release("old"), Timestamp(1), Origin::Deploy("bob".into()));
        let run = scene.run(&Story::default(), |run| run.outcome().is_some());
        let released = run.members().next().unwrap().release().unwrap().clone();
        let gone = || {
            let aftermath = Aftermath::read(&scene.project).unwrap();
            let told = |gone: &GoneBack<'_>| (gone.by.to_owned(), gone.at.0, gone.reason.to_owned());
            aftermath.of(&run).gone_back.iter().map(told).collect::<Vec<_>>()
        };
        scene.serves("production", &released, Timestamp(2), Origin::Run(run.id().to_owned()));
        assert!(gone().is_empty());
        let why = Origin::Rollback(WentBack::new("ada", "carts empty"));
        scene.serves("production", &scene.release("old"), Timestamp(3), why);
        assert_eq!(gone(), [("ada".to_owned(), 3, "carts empty".to_owned())]);
        scene.serves("production", &released, Timestamp(4), Origin::Rollback(WentBack::new("ada", "")));
        assert!(gone().is_empty(), "it serves again");
    }
}
