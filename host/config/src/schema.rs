//! The file's JSON schema, for editors. Quantities are texts with a pattern; types of other crates are described here.

use std::{collections::BTreeMap, path::PathBuf};

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::Value;

use crate::Config;

/// The JSON schema of `autodevops.toml` (draft 7, which editors' TOML support reads).
pub fn schema() -> Value {
    SchemaSettings::draft07().into_generator().into_root_schema_for::<Config>().to_value()
}

/// A span of time, such as `250ms`, `10m` or `1h 30m`.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "describes a text")]
pub struct SpanText(#[schemars(regex(pattern = r"^\s*([0-9.]+\s*(ms|s|m|min|h|d)\s*)+$"))] String);

/// A share, such as `5 %`, from 0 to 100.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "describes a text")]
pub struct PercentText(#[schemars(regex(pattern = r"^\s*[0-9.]+\s*%\s*$"))] String);

/// A number of bytes, such as `64 MiB`.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "describes a text")]
pub struct BytesText(#[schemars(regex(pattern = r"^\s*[0-9.]+\s*(B|kB|MB|GB|KiB|MiB|GiB)\s*$"))] String);

/// A share such as `5 %`, or a time such as `2s`.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "describes a text")]
pub struct ThresholdText(
    #[schemars(regex(pattern = r"^\s*([0-9.]+\s*%|([0-9.]+\s*(ms|s|m|min|h|d)\s*)+)\s*$"))] String,
);

/// How much an issue matters, from least to most.
#[derive(JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(dead_code, reason = "describes a name")]
pub enum SeverityName {
    /// Worth knowing.
    Info,
    /// Something is off, and nobody is hurt yet.
    Warning,
    /// Work fails.
    Error,
    /// The service as a whole is at stake.
    Critical,
}

/// What a plugin may do. It must have asked for it in its manifest, too.
#[derive(JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
#[derive(Default)]
pub struct GrantTable {
    /// Folders, by their path as the plugin sees them. `/repo`, `/before` and `/after` are given by the run.
    files: BTreeMap<String, PreopenTable>,
    /// Where requests may go: scheme, host, port and path prefix, such as `https://api.example.com/v1`.
    http: Vec<String>,
    /// The clocks.
    clocks: bool,
    /// Randomness.
    random: bool,
    /// A durable store of its own.
    keyvalue: bool,
    /// The local target.
    local_target: bool,
    /// Ceilings on what one call may use; a limit that is not named is at most its default.
    limits: Option<LimitsTable>,
}

/// A folder of this machine that a plugin sees.
#[derive(JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[expect(dead_code, reason = "describes a table")]
pub struct PreopenTable {
    /// The folder on this machine, relative to the project; none for those that the run gives.
    #[serde(default)]
    host: Option<PathBuf>,
    /// Whether it may be written to.
    #[serde(default)]
    access: Option<AccessName>,
}

/// Whether a folder may be written to.
#[derive(JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(dead_code, reason = "describes a name")]
pub enum AccessName {
    /// Files are read.
    ReadOnly,
    /// Files are read, written, made and removed.
    ReadWrite,
}

/// What one call may use.
#[derive(JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[expect(dead_code, reason = "describes a table")]
pub struct LimitsTable {
    /// Time on the clock, host calls included.
    #[serde(default)]
    wall_time: Option<SpanText>,
    /// All memories and tables of the instance together.
    #[serde(default)]
    memory: Option<BytesText>,
    /// What the call may give back.
    #[serde(default)]
    output: Option<BytesText>,
    /// Lines written to the log.
    #[serde(default)]
    log_lines: Option<u32>,
    /// Bytes written to the log.
    #[serde(default)]
    log_bytes: Option<BytesText>,
    /// Host calls that acquire something.
    #[serde(default)]
    host_calls: Option<u32>,
}
