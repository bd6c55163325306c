//! Which plugin serves which stage, and what single plugins may do.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use autodevops_policy::Grant;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::sandbox::without_links;

/// Which plugin serves which stage; where several are named, in this order.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Stages {
    /// Finds issues in logs.
    pub analyzer: String,
    /// Propose fixes: the first that has one is taken.
    pub fix_generators: Vec<String>,
    /// Review the change.
    pub review: Vec<String>,
    /// Write further tests.
    pub test_generators: Vec<String>,
    /// Check the change in the sandbox.
    pub checks: Vec<String>,
    /// Test the staged release at its address.
    pub automated_tests: Vec<String>,
    /// Brings releases into environments.
    pub deploy_target: String,
    /// Measure production.
    pub health_checks: Vec<String>,
    /// Tell people.
    pub notifiers: Vec<String>,
    /// Keep production's data, such as its database: a snapshot before each release, to be gone back to.
    pub state_guards: Vec<String>,
}

/// The plugin that deploys to this machine, behind the host's own front door.
const LOCAL_TARGET: &str = "local";

impl Default for Stages {
    fn default() -> Self {
        let one = |name: &str| vec![name.to_owned()];
        Self {
            analyzer: "log-analyzer".into(),
            fix_generators: one("fix-recipes"),
            review: vec!["code-review".into(), "security-scan".into()],
            test_generators: Vec::new(),
            checks: one("js-checks"),
            automated_tests: Vec::new(),
            deploy_target: LOCAL_TARGET.into(),
            health_checks: one("error-rate"),
            notifiers: Vec::new(),
            state_guards: Vec::new(),
        }
    }
}

impl Stages {
    /// Whether what serves is seen by the host's own front door.
    pub fn has_front_door(&self) -> bool {
        self.deploy_target == LOCAL_TARGET
    }

    /// Every stage's key with the plugins named for it.
    pub fn named(&self) -> [(&'static str, Vec<&str>); 10] {
        [
            ("analyzer", vec![&self.analyzer]),
            ("fix-generators", texts(&self.fix_generators)),
            ("review", texts(&self.review)),
            ("test-generators", texts(&self.test_generators)),
            ("checks", texts(&self.checks)),
            ("automated-tests", texts(&self.automated_tests)),
            ("deploy-target", vec![&self.deploy_target]),
            ("health-checks", texts(&self.health_checks)),
            ("notifiers", texts(&self.notifiers)),
            ("state-guards", texts(&self.state_guards)),
        ]
    }
}

fn texts(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

/// What the operator says about one plugin.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct PluginSettings {
    /// Its folder, where it is not in one of the usual ones.
    pub path: Option<PathBuf>,
    /// What it may do. Without it, what `autodevops plugin grant` was answered holds; nothing is granted by default.
    #[schemars(with = "Option<crate::schema::GrantTable>")]
    pub grant: Option<Grant>,
    /// Its configuration; which keys there are, its manifest says.
    pub config: BTreeMap<String, Value>,
}

impl PluginSettings {
    pub(crate) fn resolve(&mut self, folder: &Path) {
        if let Some(path) = &mut self.path {
            *path = folder.join(&*path);
        }
        if let Some(grant) = &mut self.grant {
            resolve_grant(grant, folder);
        }
    }
}

/// Makes the paths of a grant absolute, from the project's folder; folders without links, so that they can be compared.
pub fn resolve_grant(grant: &mut Grant, folder: &Path) {
    for host in grant.files.values_mut().filter_map(|preopen| preopen.host.as_mut()) {
        *host = without_links(&folder.join(&*host));
    }
    let bindings = grant.credentials.values_mut();
    for path in bindings.flat_map(|binding| binding.file.iter_mut().chain(&mut binding.google_service_account)) {
        *path = folder.join(&*path);
    }
}
