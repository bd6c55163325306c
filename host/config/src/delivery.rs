//! From a fix to a commit, and from a commit to an artifact.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use autodevops_policy::{Bytes, Span};
use schemars::JsonSchema;
use serde::Deserialize;

/// How a fix is put into git.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Git {
    /// Author and committer, `Name <address>`.
    pub author: String,
    /// The commit's message, with `{title}`, `{root-cause}`, `{fingerprint}` and `{run}` filled in.
    pub message: String,
    /// What the branch's name starts with; the fingerprint follows.
    pub branch_prefix: String,
}

impl Default for Git {
    fn default() -> Self {
        Self {
            author: "AutoDevOps <autodevops@localhost>".into(),
            message: "{title}\n\n{root-cause}\n\nIssue: {fingerprint}\nRun: {run}".into(),
            branch_prefix: "autodevops/".into(),
        }
    }
}

/// What a commit's message is made of.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// The fix's title.
    pub title: &'a str,
    /// Why the fault happened.
    pub root_cause: &'a str,
    /// The fingerprint.
    pub fingerprint: &'a str,
    /// The run.
    pub run: &'a str,
}

/// What stands between braces in a message, and is known.
pub(crate) const PLACEHOLDERS: [&str; 4] = ["title", "root-cause", "fingerprint", "run"];

impl Git {
    /// The message with its placeholders filled in. What is filled in is never looked at again.
    pub fn message(&self, message: Message<'_>) -> String {
        let mut out = String::new();
        let mut rest = self.message.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            out.push_str(before);
            let Some((name, tail)) = after.split_once('}') else {
                out.push('{');
                rest = after;
                continue;
            };
            out.push_str(match name {
                "title" => message.title,
                "root-cause" => message.root_cause,
                "fingerprint" => message.fingerprint,
                _ => message.run,
            });
            rest = tail;
        }
        out + rest
    }
}

/// How a commit becomes an artifact: commands of the operator, in bubblewrap, on an exported tree.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Build {
    /// A shell command, run in the project's folder without network.
    pub command: String,
    /// A shell command with network, such as `npm ci --ignore-scripts`. Run on the unchanged base, once for each state of the lockfiles.
    #[serde(default)]
    pub prepare: Option<String>,
    /// What `prepare` makes, such as `node_modules`: files and folders, relative to the project.
    #[serde(default)]
    pub prepared: Vec<String>,
    /// Files that `prepare` depends on; its result is kept for as long as they stay the same.
    #[serde(default = "default_lockfiles")]
    pub lockfiles: Vec<String>,
    /// What becomes the artifact, relative to the project; empty: the whole tree after the build.
    #[serde(default)]
    pub outputs: Vec<String>,
    /// Further folders of this machine that the commands, and a release of the kind `command`, may read, such as `/opt/node`.
    #[serde(default)]
    pub read_only: Vec<PathBuf>,
    /// Environment variables of the commands; nothing else is passed on but `PATH` and `HOME`.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Time that each command may take.
    #[serde(default = "default_timeout")]
    #[schemars(with = "crate::schema::SpanText")]
    pub timeout: Span,
    /// Memory that each process of a command may take.
    #[serde(default = "default_memory")]
    #[schemars(with = "crate::schema::BytesText")]
    pub memory: Bytes,
    /// Processes and threads that a command may have, together.
    #[serde(default = "default_processes")]
    pub processes: u32,
}

fn default_timeout() -> Span {
    Span(Duration::from_secs(600))
}

fn default_memory() -> Bytes {
    Bytes(2 << 30)
}

const fn default_processes() -> u32 {
    1024
}

fn default_lockfiles() -> Vec<String> {
    ["package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "package.json"].map(Into::into).into()
}
