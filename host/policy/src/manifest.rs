//! `plugin.toml`: what a plugin is, and what it asks for.

use std::collections::BTreeMap;

use autodevops_model::Stage;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Credential, CredentialError, DeclaredMetric, Limits, MetricError, Permission, PermissionError, credential, metric,
    permission,
    strict_toml::{self, TomlError, nearest},
};

/// What is wrong with a manifest, or with a configuration that does not fit it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// It cannot be read.
    #[error(transparent)]
    Toml(#[from] TomlError),
    /// The name is not one.
    #[error("{origin}: the name {name:?} is not taken; use 1 to 64 of a-z, 0-9 and -, starting with a letter")]
    Name {
        /// The file.
        origin: String,
        /// What it says.
        name: String,
    },
    /// The publisher's name is not one.
    #[error("{origin}: the publisher {name:?} is not taken; use 1 to 64 of a-z, 0-9, - and ., starting with a letter")]
    Publisher {
        /// The file.
        origin: String,
        /// What it says.
        name: String,
    },
    /// The version is not one.
    #[error("{origin}: the version {version:?} is not MAJOR.MINOR.PATCH")]
    Version {
        /// The file.
        origin: String,
        /// What it says.
        version: String,
    },
    /// It names no stage.
    #[error("{0}: `stages` is empty; name at least one, such as \"check\"")]
    NoStage(String),
    /// A permission is none.
    #[error("{0}: {1}")]
    Permission(String, #[source] PermissionError),
    /// A credential is none.
    #[error("{0}: {1}")]
    Credential(String, #[source] CredentialError),
    /// A metric is none.
    #[error("{0}: {1}")]
    Metric(String, #[source] MetricError),
    /// A key's default is no value of its type.
    #[error("{origin}: the default of `config.{key}` is to be {expected}")]
    Default {
        /// The file.
        origin: String,
        /// The key.
        key: String,
        /// The type, in words.
        expected: &'static str,
    },
    /// The configuration has a key that the manifest does not know.
    #[error("plugin `{plugin}`: unknown configuration key `{key}`{hint}")]
    UnknownConfig {
        /// The plugin.
        plugin: String,
        /// The key.
        key: String,
        /// `; did you mean …?`, or which keys there are.
        hint: String,
    },
    /// The configuration lacks a key.
    #[error("plugin `{plugin}`: the configuration lacks `{key}` ({description})")]
    MissingConfig {
        /// The plugin.
        plugin: String,
        /// The key.
        key: String,
        /// What it is for.
        description: String,
    },
    /// A key has a value of another type.
    #[error("plugin `{plugin}`: `{key}` is to be {expected}")]
    ConfigType {
        /// The plugin.
        plugin: String,
        /// The key.
        key: String,
        /// The type, in words.
        expected: &'static str,
    },
}

/// A plugin's manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Manifest {
    /// The plugin's name: 1 to 64 of `a-z`, `0-9` and `-`, starting with a letter.
    pub name: String,
    /// Its version, `MAJOR.MINOR.PATCH`.
    pub version: String,
    /// One sentence for a person.
    pub description: String,
    /// Who publishes it: 1 to 64 of `a-z`, `0-9`, `-` and `.`, starting with a letter. A claim: two health checks that claim one, or none, are
    /// not held for two that agree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publisher: Option<String>,
    /// The component's file, beside the manifest; `NAME.wasm` when absent.
    #[serde(default)]
    pub component: Option<String>,
    /// The stages it implements; compared with what the component exports.
    pub stages: Vec<Stage>,
    /// What it asks for.
    #[serde(default)]
    pub permissions: Vec<Permission>,
    /// The credentials that it asks to have put on its requests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub credentials: Vec<Credential>,
    /// What it measures, where it is a health check; all of it, where anything is said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<DeclaredMetric>,
    /// What one call may use.
    #[serde(default)]
    pub limits: Limits,
    /// The configuration's keys.
    #[serde(default)]
    pub config: BTreeMap<String, ConfigKey>,
}

/// One key of a plugin's configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ConfigKey {
    /// The value's type.
    pub r#type: ConfigType,
    /// What it is for, for the operator.
    pub description: String,
    /// The value where none is given; a key without one must be given.
    #[serde(default)]
    pub default: Option<Value>,
}

/// Types of configuration values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConfigType {
    /// Text.
    String,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A list of texts.
    Strings,
}

impl ConfigType {
    fn fits(self, value: &Value) -> bool {
        match self {
            Self::String => value.is_string(),
            Self::Integer => value.is_i64() || value.is_u64(),
            Self::Number => value.is_number(),
            Self::Boolean => value.is_boolean(),
            Self::Strings => value.as_array().is_some_and(|list| list.iter().all(Value::is_string)),
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::String => "a text",
            Self::Integer => "a whole number",
            Self::Number => "a number",
            Self::Boolean => "true or false",
            Self::Strings => "a list of texts",
        }
    }
}

impl Manifest {
    /// Reads a manifest; `origin` is the file's name, for errors.
    ///
    /// # Errors
    /// [`ManifestError`] names what is wrong and where.
    pub fn parse(text: &str, origin: &str) -> Result<Self, ManifestError> {
        let manifest: Self = strict_toml::parse(text, origin)?;
        let origin = || origin.to_owned();
        if !is_name(&manifest.name) {
            return Err(ManifestError::Name { origin: origin(), name: manifest.name });
        }
        if !is_version(&manifest.version) {
            return Err(ManifestError::Version { origin: origin(), version: manifest.version });
        }
        if let Some(name) = manifest.publisher.clone().filter(|name| !is_name(&name.replace('.', "-"))) {
            return Err(ManifestError::Publisher { origin: origin(), name });
        }
        if manifest.stages.is_empty() {
            return Err(ManifestError::NoStage(origin()));
        }
        permission::check(&manifest.permissions).map_err(|error| ManifestError::Permission(origin(), error))?;
        credential::check(&manifest.credentials).map_err(|error| ManifestError::Credential(origin(), error))?;
        let is_health_check = manifest.stages.contains(&Stage::HealthCheck);
        metric::check(&manifest.metrics, is_health_check).map_err(|error| ManifestError::Metric(origin(), error))?;
        for (key, schema) in &manifest.config {
            if schema.default.as_ref().is_some_and(|default| !schema.r#type.fits(default)) {
                let expected = schema.r#type.words();
                return Err(ManifestError::Default { origin: origin(), key: key.clone(), expected });
            }
        }
        Ok(manifest)
    }

    /// The configuration that the plugin is given: the operator's values, and defaults for the rest, each as text (a string as
    /// it is, anything else as JSON).
    ///
    /// # Errors
    /// When a key is unknown, lacks a value, or has one of another type.
    pub fn configure(&self, given: &BTreeMap<String, Value>) -> Result<Vec<(String, String)>, ManifestError> {
        for key in given.keys() {
            if !self.config.contains_key(key) {
                let known = self.config.keys().map(String::as_str);
                let hint = match nearest(key, known.clone()) {
                    Some(near) => format!("; did you mean `{near}`?"),
                    None if self.config.is_empty() => "; it has none".to_owned(),
                    None => format!("; known are {}", known.collect::<Vec<_>>().join(", ")),
                };
                return Err(ManifestError::UnknownConfig { plugin: self.name.clone(), key: key.clone(), hint });
            }
        }
        let mut pairs = Vec::new();
        for (key, schema) in &self.config {
            let value = given.get(key).or(schema.default.as_ref()).ok_or_else(|| ManifestError::MissingConfig {
                plugin: self.name.clone(),
                key: key.clone(),
                description: schema.description.clone(),
            })?;
            if !schema.r#type.fits(value) {
                let expected = schema.r#type.words();
                return Err(ManifestError::ConfigType { plugin: self.name.clone(), key: key.clone(), expected });
            }
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            pairs.push((key.clone(), text));
        }
        Ok(pairs)
    }
}

/// Whether it is a name of plugins and credentials.
pub fn is_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

fn is_version(version: &str) -> bool {
    let parts: Vec<&str> = version.split('.').collect();
    parts.len() == 3 && parts.iter().all(|part| part.parse::<u32>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
name = "error-rate"
version = "0.1.0"
description = "Counts errors."
stages = ["health-check"]

[[permissions]]
ask = "http"
origins = ["http://127.0.0.1:9100/metrics"]
reason = "The counts are read there."

[limits]
wall-time = "5s"

[config.url]
type = "string"
description = "Address of the metrics."

[config.limit]
type = "integer"
description = "How many at most."
default = 3
"#;

    fn error(from: &str, to: &str) -> String {
        Manifest::parse(&GOOD.replacen(from, to, 1), "plugin.toml").unwrap_err().to_string()
    }

    #[test]
    fn a_manifest_is_read_with_its_defaults() {
        let manifest = Manifest::parse(GOOD, "plugin.toml").unwrap();
        assert_eq!(manifest.stages, [Stage::HealthCheck]);
        assert_eq!(manifest.limits.memory, Limits::default().memory);
        assert_eq!(manifest.limits.wall_time.to_string(), "5s");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place_and_remedy() {
        for (from, to, text) in [
            ("description =", "descripton =", "plugin.toml:4:1: unknown key `descripton`; did you mean `description`?"),
            ("wall-time", "wal-time", "plugin.toml:13:1: unknown key `wal-time`; did you mean `wall-time`?"),
            ("\"health-check\"", "\"health-chek\"", "unknown value `health-chek`; did you mean `health-check`?"),
            ("\"5s\"", "5", "`5` has no unit; write for example `10m` or `1h 30m`"),
            ("\"error-rate\"", "\"Error Rate\"", "the name \"Error Rate\" is not taken"),
            ("\"0.1.0\"", "\"1\"", "the version \"1\" is not MAJOR.MINOR.PATCH"),
            (
                "description =",
                "publisher = \"Example, Inc.\"\ndescription =",
                "the publisher \"Example, Inc.\" is not taken",
            ),
            ("[\"health-check\"]", "[]", "`stages` is empty"),
            ("\"The counts are read there.\"", "\" \"", "the permission `http` has no reason"),
            (
                "\"http://127.0.0.1:9100/metrics\"",
                "\"*\"",
                "`*` is everything, which nobody can judge; name each origin",
            ),
            ("\"http://127.0.0.1:9100/metrics\"", "", "the permission `http` has no origins"),
            ("reason =", "methods = [\"GTE\"]\nreason =", "unknown value `GTE`; did you mean `GET`?"),
            (
                "reason =",
                "methods = [\"CONNECT\"]\nreason =",
                "unknown value `CONNECT`; known are GET, HEAD, POST, PUT",
            ),
            ("reason =", "methods = []\nreason =", "`methods` is empty; name at least one"),
            ("reason =", "guest = \"/a\"\nreason =", "has `guest`, which says something about `files` only"),
            ("default = 3", "default = \"3\"", "plugin.toml: the default of `config.limit` is to be a whole number"),
            ("default = 3", "default = nan", "plugin.toml: the default of `config.limit` is to be a whole number"),
            (
                "[limits]",
                "[[credentials]]\nname = \"token\"\norigins = [\"https://*\"]\nreason = \"x\"\n[limits]",
                "plugin.toml: the credential `token` is for https://*/, any host",
            ),
            (
                "[limits]",
                "[[metrics]]\nname = \"queue-length\"\nunit = \"count\"\nkind = \"sample\"\n[limits]",
                "unknown value `sample`; did you mean `samples`?",
            ),
            (
                "[limits]",
                "[[metrics]]\nname = \"Queue\"\nunit = \"count\"\nkind = \"samples\"\n[limits]",
                "plugin.toml: the metric name \"Queue\" is not taken",
            ),
            (
                "[limits]",
                "[[metrics]]\nname = \"lost\"\nunit = \"count\"\nkind = \"rate\"\n[limits]",
                "plugin.toml: the metric `lost` is a rate, whose unit is `ratio`",
            ),
            (
                "\"health-check\"]",
                "\"check\"]\nmetrics = [{ name = \"lost\", unit = \"ratio\", kind = \"rate\" }]",
                "plugin.toml: `metrics` says what a health check measures, and `stages` names none",
            ),
            (
                "[limits]",
                "[[credentials]]\nname = \"token\"\norigin = [\"https://a\"]\nreason = \"x\"\n[limits]",
                "unknown key `origin`; did you mean `origins`?",
            ),
        ] {
            let error = error(from, to);
            assert!(error.contains(text), "{error}\nlacks: {text}");
        }
    }

    #[test]
    fn a_configuration_is_checked_against_the_manifest() {
        let manifest = Manifest::parse(GOOD, "plugin.toml").unwrap();
        let configure = |pairs: &[(&str, Value)]| {
            manifest.configure(&pairs.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect())
        };
        assert_eq!(
            configure(&[("url", "http://a".into())]).unwrap(),
            [("limit".to_owned(), "3".to_owned()), ("url".to_owned(), "http://a".to_owned())]
        );
        for (pairs, text) in [
            (vec![("ulr", "x".into())], "unknown configuration key `ulr`; did you mean `url`?"),
            (vec![], "the configuration lacks `url` (Address of the metrics.)"),
            (vec![("url", "x".into()), ("limit", "many".into())], "`limit` is to be a whole number"),
        ] {
            let error = configure(&pairs).unwrap_err().to_string();
            assert!(error.contains(text), "{error}\nlacks: {text}");
        }
    }
}
