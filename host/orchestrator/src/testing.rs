//! A whole project for a unit test: a repository, a configuration and plugins whose answers are fixed. Nothing runs outside of the test's
//! process but git, and nothing of it is left.

mod door;
mod said;

use std::{fs, path::Path, process::Command, sync::Arc};

use autodevops_bundle::lock::{self, Digest, LOCK, LockFile};
use autodevops_driver::parts::Ledger;
use autodevops_model::{Issue, Release, SnapshotInfo, Stage};
use autodevops_pipeline::{Environment, Event, EventKind, Run, RunStage, Timestamp, VERSION};
use autodevops_policy::{Access, Asked, Grant, Manifest, Preopen};
use autodevops_record::testing::Story;
use autodevops_sandbox::Compiler;

pub(crate) use autodevops_answers::{Answer, answer, answer_to, never, refusal};
pub(crate) use door::{Door, held};
pub(crate) use said::Said;

use crate::{
    driver::Observer,
    live::{Live, Origin, WasLive},
    project::Project,
};

/// A project, and the folder that it is in.
pub(crate) struct Scene {
    folder: tempfile::TempDir,
    pub(crate) project: Arc<Project>,
    /// The commit of the releases, and what runs start from: the first one.
    pub(crate) base: String,
}

/// A plugin, by its name.
#[derive(Clone)]
pub(crate) struct Plugin {
    name: &'static str,
    stage: Stage,
    answers: Vec<Answer>,
    /// Whether it asks to reach a language model.
    asks_model: bool,
    /// Folders that it asks for, and whether it was granted them.
    folders: Vec<(&'static str, bool)>,
    /// Whether it was granted what else it asks for.
    is_answered: bool,
}

/// A plugin of this name and stage that answers so.
pub(crate) fn plugin(name: &'static str, stage: Stage, answers: &[Answer]) -> Plugin {
    Plugin { name, stage, answers: answers.to_vec(), asks_model: false, folders: Vec::new(), is_answered: true }
}

impl Plugin {
    /// Granted a host that may be a language model.
    pub(crate) fn that_asks_a_model(mut self) -> Self {
        self.asks_model = true;
        self
    }

    /// Asking for it still.
    pub(crate) fn that_nobody_answered(mut self) -> Self {
        self.is_answered = false;
        self
    }

    /// Asking for a folder, which it is granted or not.
    pub(crate) fn that_asks_for(mut self, folder: &'static str, is_granted: bool) -> Self {
        self.folders.push((folder, is_granted));
        self
    }

    /// Puts it into a folder, and what it is granted into the lock file; its table in the configuration.
    fn install(&self, folder: &Path, commit: &str, lock: &mut LockFile) -> String {
        let Self { name, stage, answers, asks_model, folders, is_answered } = self;
        fs::create_dir_all(folder).unwrap();
        let answers: Vec<Answer> = answers.iter().map(|answer| answer.with(COMMIT, commit)).collect();
        let component = autodevops_answers::component(*stage, &answers);
        fs::write(folder.join(format!("{name}.wasm")), &component).unwrap();
        let asks = "[[permissions]]\nask = \"http\"\norigins = [\"https://model.example\"]\nreason = \"a model\"\n";
        let asks_folder = |(folder, _): &(&str, bool)| {
            format!("[[permissions]]\nask = \"files\"\nguest = \"{folder}\"\nreason = \"files\"\n")
        };
        let text = format!(
            "name = \"{name}\"\nversion = \"0.1.0\"\ndescription = \"x\"\npublisher = \"of-{name}\"\nstages = [\"{stage}\"]\n{}{}",
            if *asks_model { asks } else { "" },
            folders.iter().map(asks_folder).collect::<String>()
        );
        fs::write(folder.join("plugin.toml"), &text).unwrap();
        if (*asks_model || !folders.is_empty()) && *is_answered {
            let manifest = Manifest::parse(&text, "plugin.toml").unwrap();
            let granted = folders.iter().filter(|(_, is_granted)| *is_granted);
            lock.put(lock::Answer {
                name: (*name).to_owned(),
                version: manifest.version.clone(),
                digest: Digest::of(&component),
                answered: "2026-01-01T00:00:00Z".parse().unwrap(),
                by: "ada".to_owned(),
                asked: Asked::of(&manifest),
                granted: Grant {
                    http: asks_model.then(|| "https://model.example".parse().unwrap()).into_iter().collect(),
                    files: granted
                        .map(|(folder, _)| ((*folder).to_owned(), Preopen { host: None, access: Access::default() }))
                        .collect(),
                    ..Grant::default()
                },
            });
        }
        format!("[plugins.{name}]\npath = \"{}\"\n", folder.display())
    }
}

/// An analyzer that finds these issues, whatever it reads.
pub(crate) fn analyzer(issues: &[Issue]) -> Plugin {
    let told = issues.iter().map(|issue| {
        let mut told = serde_json::to_value(issue).unwrap();
        // Left out where there is nothing to say, which a plugin does not.
        told["reason"] = issue.reason.clone().into();
        told["related"] = serde_json::to_value(&issue.related).unwrap();
        told
    });
    let answers = [
        answer("[method]session.push", serde_json::Value::Null),
        answer("[method]session.issues", told.collect()),
        answer("[method]session.checkpoint", serde_json::json!([1])),
    ];
    plugin("analyzer", Stage::Analyzer, &answers)
}

/// A deploy target that says that it can do everything, does what it is told, and says that nothing serves.
pub(crate) fn target(more: &[Answer]) -> Plugin {
    plugin("target", Stage::DeployTarget, &[more, &target_answers()].concat())
}

/// The same under the name of the local target: what serves is seen by a front door, here [`Door`].
pub(crate) fn local_target(more: &[Answer]) -> Plugin {
    plugin("local", Stage::DeployTarget, &[more, &target_answers()].concat())
}

fn target_answers() -> [Answer; 5] {
    let capabilities = serde_json::json!({
        "split-traffic": true, "preview": false, "instant-rollback": true, "fenced": true, "keeps-state": true, "fresh-baseline": true,
    });
    [
        answer("describe", capabilities),
        answer("live", serde_json::Value::Null),
        answer("find", serde_json::Value::Null),
        answer("deploy", serde_json::json!({ "release": release("new"), "url": "http://deployed" })),
        answer("set-traffic", serde_json::Value::Null),
    ]
}

/// What a target answers when it is asked what serves: these shares, in per cent, and the release that had all of it last.
pub(crate) fn serves(environment: &str, splits: &[(&str, u8)], stable: Option<&str>) -> Answer {
    let split = |(release, percent): &(&str, u8)| serde_json::json!({ "release": release, "percent": percent });
    let splits: Vec<_> = splits.iter().map(split).collect();
    answer_to("live", environment, serde_json::json!({ "splits": splits, "stable": stable.map(release) }))
}

/// What stands for the scene's first commit in what plugins answer, as in a [`Story`].
const COMMIT: &str = "1111111111111111111111111111111111111111";

/// The release of this name, as [`Story`] has them.
pub(crate) fn release(id: &str) -> Release {
    Release { id: id.into(), artifact: format!("sha256:{}", "0".repeat(64)), commit: COMMIT.into() }
}

impl Scene {
    /// A project with these plugins, each named for its stage, and more in its configuration.
    pub(crate) fn open(plugins: &[Plugin], more: &str) -> Self {
        let service = "[service]\nname = \"shop\"\nkind = \"files\"\npublic = \"public\"\n\
                       [environments.staging]\nlisten = \"127.0.0.1:1\"\n[environments.production]\nlisten = \"127.0.0.1:2\"\n";
        Self::open_of(service, plugins, more)
    }

    /// The same of two services, `cart` and `shop`.
    pub(crate) fn open_of_two(plugins: &[Plugin], more: &str) -> Self {
        let service = |name: &str| {
            format!("[[services]]\nname = \"{name}\"\nkind = \"files\"\npublic = \"{name}\"\npaths = [\"{name}\"]\n")
        };
        let listen = |name: &str, [cart, shop]: [u16; 2]| {
            format!("[environments.{name}]\nlisten = {{ cart = \"127.0.0.1:{cart}\", shop = \"127.0.0.1:{shop}\" }}\n")
        };
        let environments = [listen("staging", [1, 2]), listen("production", [3, 4])].concat();
        Self::open_of(&format!("{}{}{environments}", service("cart"), service("shop")), plugins, more)
    }

    fn open_of(services: &str, plugins: &[Plugin], more: &str) -> Self {
        // Sockets have short paths.
        let folder = tempfile::Builder::new().prefix("scene-").tempdir_in("/tmp").unwrap();
        let shop = folder.path().join("shop");
        fs::create_dir_all(shop.join("public")).unwrap();
        fs::write(shop.join("public/index.html"), "<p>shop</p>\n").unwrap();
        fs::write(shop.join(".gitignore"), ".autodevops\n").unwrap();
        git(&shop, &["init", "--quiet", "--initial-branch=main"]);
        let base = commit(&shop, "Open the shop");
        let (mut tables, mut lock) = (String::new(), LockFile::default());
        for plugin in plugins {
            let own = folder.path().join("plugins").join(plugin.name);
            tables.push_str(&plugin.install(&own, &base, &mut lock));
        }
        fs::write(shop.join(LOCK), lock.to_text().unwrap()).unwrap();
        let named = |stage: Stage| {
            let names = plugins.iter().filter(move |plugin| plugin.stage == stage).map(|plugin| plugin.name);
            names.collect::<Vec<_>>()
        };
        // No configuration is without them; who calls them names one that is there.
        let some = |stage: Stage, absent: &'static str| match named(stage) {
            names if names.is_empty() => vec![absent],
            names => names,
        };
        let target = named(Stage::DeployTarget).first().copied().unwrap_or("target");
        let config = format!(
            "{services}[stages]\nanalyzer = \"analyzer\"\nreview = []\nfix-generators = {:?}\ntest-generators = {:?}\nchecks = {:?}\n\
             health-checks = {:?}\nnotifiers = {:?}\nstate-guards = {:?}\ndeploy-target = \"{target}\"\n{tables}{more}",
            some(Stage::FixGenerator, "fixer"),
            named(Stage::TestGenerator),
            named(Stage::Check),
            some(Stage::HealthCheck, "health"),
            named(Stage::Notifier),
            named(Stage::StateGuard),
        );
        let file = shop.join("autodevops.toml");
        fs::write(&file, config).unwrap();
        commit(&shop, "Set up AutoDevOps");
        let project = Project::open(&file, Compiler::InProcess).unwrap();
        Self { folder, project, base }
    }

    /// The folder of the project.
    pub(crate) fn shop(&self) -> std::path::PathBuf {
        self.folder.path().join("shop")
    }

    /// The release of this name, of the first commit.
    pub(crate) fn release(&self, id: &str) -> Release {
        Release { commit: self.base.clone(), ..release(id) }
    }

    /// Writes a file of the project and checks it in; the commit.
    pub(crate) fn check_in(&self, path: &str, text: &str) -> String {
        let file = self.shop().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
        commit(&self.shop(), path)
    }

    /// Notes that these releases served the environment, one after the other, a second between each.
    pub(crate) fn served(&self, environment: &str, releases: &[Release]) {
        for (second, release) in (1..).zip(releases) {
            let since = Timestamp(second * 1_000_000_000);
            self.serves(environment, release, since, Origin::Deploy("ada".into()));
        }
    }

    /// Notes that this release serves the environment.
    pub(crate) fn serves(&self, environment: &str, release: &Release, since: Timestamp, by: Origin) {
        let was = WasLive { release: release.clone(), since, by };
        Live::new(&self.project.journal).set(environment, was).unwrap();
    }

    /// The run of a story, in the journal, as far as to the first moment at which this is so.
    pub(crate) fn run(&self, story: &Story, until: impl Fn(&Run) -> bool) -> Run {
        self.run_from(&self.base, story, until)
    }

    /// The same, of a run that starts from this commit.
    pub(crate) fn run_from(&self, base: &str, story: &Story, until: impl Fn(&Run) -> bool) -> Run {
        self.run_of(base, &story.events(), until)
    }

    /// A run whose release failed and is taken back, with a snapshot of the data before it: whether that goes back is not decided.
    pub(crate) fn run_that_may_restore(&self) -> Run {
        let mut events = Story { candidate_errors: 200, ..Story::default() }.events();
        let back = events.iter().position(|event| matches!(event.event, EventKind::TurnedBack { .. })).unwrap();
        let snapshot = SnapshotInfo { id: "s-1".into(), taken: 5, bytes: 7 };
        let taken = EventKind::SnapshotTaken { plugin: "guard".into(), key: "k".into(), snapshot };
        events.insert(back, Event { at: events[back].at, event: taken, v: VERSION });
        let run = self.run_of(&self.base, &events, Run::only_tells);
        assert!(run.may_restore() && run.recovering().is_some() && run.gate().is_none());
        run
    }

    fn run_of(&self, base: &str, events: &[Event], until: impl Fn(&Run) -> bool) -> Run {
        let text = serde_json::to_string(events).unwrap().replace(COMMIT, base);
        let events: Vec<Event> = serde_json::from_str(&text).unwrap();
        let replayed = |count: usize| Run::replay(&events[..count]).unwrap();
        let count = (1..=events.len()).find(|count| until(&replayed(*count))).expect("the story comes there");
        let run = replayed(count);
        let ledger = self.project.ledger();
        ledger.append(&run, 0, &events[..count]).unwrap();
        // What came to serve after one another was written at once.
        ledger.catch_up(&run, &events[..count]).unwrap();
        // A fence of this journal was taken for each of the run's.
        while self.project.next_fence().unwrap() < run.fence() {}
        run
    }
}

/// Whether a run is where its candidate has a part of production's traffic.
pub(crate) fn is_shared(run: &Run) -> bool {
    run.stage() == RunStage::Rollout && run.members().any(|member| member.traffic(Environment::Production).len() > 1)
}

/// Nobody watches.
pub(crate) struct Nobody;

impl Observer for Nobody {
    fn event(&self, _: &Run, _: &Event) {}

    fn doing(&self, _: &Run, _: &autodevops_pipeline::Command) {}

    fn notice(&self, _: &str) {}
}

/// Runs git as Ada, whatever is set up on this machine; what it says.
pub(crate) fn git(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=Ada", "-c", "user.email=ada@localhost", "-c", "commit.gpgsign=false"]);
    command.args(arguments).current_dir(folder).env("GIT_CONFIG_GLOBAL", "/dev/null");
    let output = command.output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn commit(folder: &Path, message: &str) -> String {
    git(folder, &["add", "--all"]);
    git(folder, &["commit", "--quiet", "--message", message]);
    git(folder, &["rev-parse", "HEAD"])
}
