//! Source maps for the analyzer: a folder that it is given to read, so that frames of minified scripts are told by what was written.

use std::{
    collections::BTreeMap,
    path::{Component, Path, PathBuf},
};

use autodevops_bundle::PluginFolder;
use autodevops_config::FILE;
use autodevops_policy::{Access, Grant, Preopen};
use autodevops_sandbox::{MountedFolder, Plugin};
use serde_json::Value;

use crate::{catalog::Catalog, usage::Usage};

/// The folder, as analyzers see it.
pub const MAPS: &str = "/maps";
/// The analyzer's configuration of where that folder is in the project.
const KEY: &str = "maps-folder";

/// A folder of scripts and their source maps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceMaps {
    folder: PathBuf,
    /// Where it is in the project, with `/` between its parts: the sources that maps name are taken from there.
    within: String,
}

impl SourceMaps {
    /// The folder, which is in the project of this folder; where that is unknown, in the one that it lies in.
    ///
    /// # Errors
    /// When there is no such folder.
    pub fn new(folder: &Path, project: Option<&Path>) -> Result<Self, Usage> {
        let wrong = |why: String| {
            Usage(format!(
                "the source maps {}: {why}; name the folder in which scripts and their maps lie",
                folder.display()
            ))
        };
        let folder = folder.canonicalize().map_err(|error| wrong(error.to_string()))?;
        if !folder.is_dir() {
            return Err(wrong("it is no folder".to_owned()));
        }
        let project = project.and_then(|project| project.canonicalize().ok());
        let root = project.filter(|project| folder.starts_with(project)).or_else(|| root_of(&folder));
        let within = root.and_then(|root| folder.strip_prefix(root).ok().map(parts)).unwrap_or_default();
        Ok(Self { folder, within })
    }

    /// The plugins, of which the analyzer is told where in the project its folder is, if it wants to know.
    #[must_use]
    pub fn told(&self, catalog: Catalog, analyzer: &str) -> Catalog {
        match catalog.open(analyzer) {
            Ok(PluginFolder { manifest, .. }) if manifest.config.contains_key(KEY) => {
                let config = BTreeMap::from([(KEY.to_owned(), Value::from(self.within.as_str()))]);
                catalog.with_config(&manifest.name, config)
            }
            // What is wrong with the plugin is told of when it is loaded.
            _ => catalog,
        }
    }

    /// What an operator grants by naming the folder for one call.
    pub fn grant() -> Grant {
        Grant {
            files: BTreeMap::from([(MAPS.to_owned(), Preopen { host: None, access: Access::ReadOnly })]),
            ..Grant::default()
        }
    }

    /// The folder for the analyzer's sessions.
    ///
    /// # Errors
    /// When the analyzer may not read it.
    pub fn mount(&self, analyzer: &Plugin) -> Result<MountedFolder, Usage> {
        if !analyzer.grant().files.contains_key(MAPS) {
            let name = analyzer.name();
            return Err(Usage(format!(
                "the analyzer `{name}` may not read source maps: it does not ask for the folder {MAPS}, or is not granted it; grant it by \
                 `autodevops plugin grant {name}`, or by `files.\"{MAPS}\" = {{}}` in [plugins.{name}.grant], or name no source maps"
            )));
        }
        Ok(MountedFolder { guest: MAPS.to_owned(), host: self.folder.clone() })
    }
}

/// The root of the project that the folder lies in: where its configuration is, or its repository.
fn root_of(folder: &Path) -> Option<PathBuf> {
    folder.ancestors().find(|above| above.join(FILE).is_file() || above.join(".git").exists()).map(Path::to_owned)
}

fn parts(path: &Path) -> String {
    let part = |part: Component<'_>| match part {
        Component::Normal(part) => Some(part.to_string_lossy().into_owned()),
        _ => None,
    };
    path.components().filter_map(part).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use autodevops_model::Stage;

    use super::*;
    use crate::testing::{Scene, analyzer, plugin, target};

    /// What an analyzer's manifest says that reads source maps.
    const READS_MAPS: &str = "\n[[permissions]]\nask = \"files\"\nguest = \"/maps\"\naccess = \"read-only\"\nreason = \"maps\"\n\
                              [config.maps-folder]\ntype = \"string\"\ndefault = \"\"\ndescription = \"where they are\"\n";

    #[test]
    fn an_analyzer_that_asks_for_the_folder_is_told_where_it_is_and_given_it_by_who_names_it() {
        let scene = Scene::open(&[target(&[]), analyzer(&[]), plugin("other", Stage::Analyzer, &[])], "");
        let manifest = scene.shop().with_file_name("plugins").join("analyzer/plugin.toml");
        fs::write(&manifest, fs::read_to_string(&manifest).unwrap() + READS_MAPS).unwrap();
        let maps = SourceMaps::new(&scene.shop().join("public"), None).unwrap();
        let plugins = &scene.project.plugins;
        for (name, told) in [("analyzer", Some("public")), ("other", None)] {
            let catalog = maps.told(Catalog::by_hand_as_in(&scene.project.config), name);
            let settings = catalog.with_grant(name, SourceMaps::grant()).settings(name);
            assert_eq!(settings.config.get(KEY).and_then(Value::as_str), told, "{name}");
            let loaded = plugins.load_folder(&plugins.open(name).unwrap(), &settings).unwrap();
            match maps.mount(&loaded) {
                Ok(mounted) => assert_eq!((mounted.guest.as_str(), mounted.host), (MAPS, maps.folder.clone())),
                Err(refused) => {
                    assert!(name == "other" && refused.0.contains("`other` may not read source maps"), "{refused}");
                }
            }
            assert_eq!(maps.mount(&loaded).is_ok(), told.is_some(), "{name}");
        }
    }

    #[test]
    fn the_folder_is_told_by_where_it_lies_in_the_project() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().canonicalize().unwrap();
        let dist = path.join("packages/web/dist");
        fs::create_dir_all(&dist).unwrap();
        fs::create_dir(path.join("packages/.git")).unwrap();
        let within = |folder: &Path, project: Option<&Path>| SourceMaps::new(folder, project).map(|maps| maps.within);
        assert_eq!(within(&dist, Some(&path)), Ok("packages/web/dist".to_owned()));
        assert_eq!(within(&dist, None), Ok("web/dist".to_owned()));
        assert_eq!(within(&path.join("packages/web/../web/dist"), Some(&path)), Ok("packages/web/dist".to_owned()));
        // Maps that are kept elsewhere name their sources from the root.
        let elsewhere = tempfile::tempdir().unwrap();
        assert_eq!(within(elsewhere.path(), Some(&path)), Ok(String::new()));
    }

    #[test]
    fn what_is_no_folder_is_refused_by_name() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("main.js.map"), "{}").unwrap();
        for (name, told) in [("gone", "No such file"), ("main.js.map", "it is no folder")] {
            let error = SourceMaps::new(&root.path().join(name), None).unwrap_err().to_string();
            assert!(error.contains(told) && error.contains(name) && error.contains("name the folder"), "{error}");
        }
    }
}
