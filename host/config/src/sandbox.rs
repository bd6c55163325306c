//! What holds for the sandbox as a whole, whichever plugin runs in it.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use autodevops_policy::{Bytes, PermissionCeilings, Span};
use schemars::JsonSchema;
use serde::Deserialize;

/// The engine that plugins run in. (What one call may use is in `[limits]`.)
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct SandboxSettings {
    /// Stack of a plugin's code: from 256 KiB to 16 MiB.
    #[schemars(with = "crate::schema::BytesText")]
    pub stack: Bytes,
    /// Size of a component: from 64 KiB to 256 MiB.
    #[schemars(with = "crate::schema::BytesText")]
    pub component_size: Bytes,
    /// Processor time for compiling a component, in a process of its own: from a second to an hour.
    #[schemars(with = "crate::schema::SpanText")]
    pub compile_time: Span,
    /// Memory for compiling a component: from 256 MiB to 64 GiB.
    #[schemars(with = "crate::schema::BytesText")]
    pub compile_memory: Bytes,
    /// How many calls of plugins run at once, from 1 to 1000; further ones wait their turn.
    pub concurrent_calls: u32,
    /// How many of them may be one plugin's; half of them, and at least one, when absent.
    pub calls_of_one_plugin: Option<u32>,
    /// Files with certificates, in PEM, that are trusted beside those that this machine trusts: by plugins' requests, by mail, and
    /// where tokens for a Google service account come from.
    pub certificate_authorities: Vec<PathBuf>,
}

impl Default for SandboxSettings {
    fn default() -> Self {
        Self {
            stack: Bytes(2 << 20),
            component_size: Bytes(64 << 20),
            compile_time: Span(Duration::from_secs(60)),
            compile_memory: Bytes(2 << 30),
            concurrent_calls: 64,
            calls_of_one_plugin: None,
            certificate_authorities: Vec::new(),
        }
    }
}

impl SandboxSettings {
    pub(crate) fn resolve(&mut self, folder: &Path) {
        for path in &mut self.certificate_authorities {
            *path = folder.join(&*path);
        }
    }
}

/// Makes the ceilings' folders absolute, without links.
pub fn resolve_ceilings(ceilings: &mut PermissionCeilings, folder: &Path) {
    for path in ceilings.files.iter_mut().chain(&mut ceilings.read_write).flatten() {
        *path = without_links(&folder.join(&*path));
    }
}

/// The path as the system sees it, so that it can be compared by name: links are followed, as far as it is there. What is not
/// there yet stays as it is written.
pub fn without_links(path: &Path) -> PathBuf {
    for (there, rest) in path.ancestors().filter_map(|there| Some((there, path.strip_prefix(there).ok()?))) {
        if let Ok(there) = there.canonicalize() {
            // Joining nothing would add a `/`.
            return if rest.as_os_str().is_empty() { there } else { there.join(rest) };
        }
    }
    path.to_owned()
}
