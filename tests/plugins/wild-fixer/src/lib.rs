//! A fix generator that proposes what no host should take: a change of the path and of the kind that its configuration names.

use std::fs;

use autodevops_sdk::{
    Error, FixGenerator, Result,
    types::{Edit, FileChange, Fix, Issue, Proposal, Risk, RollbackPlan, TextEdit},
};
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// The fix generator.
pub struct WildFixer;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    path: String,
    change: String,
}

impl FixGenerator for WildFixer {
    fn propose(issue: Issue) -> Result<Proposal> {
        let Settings { path, change } = autodevops_sdk::config()?;
        let edit = |start, end| TextEdit { start, end, replacement: "x".into() };
        let (base, change) = match change.as_str() {
            "create" => (None, FileChange::Create("x\n".into())),
            "insert" => (Some(digest(&path)), FileChange::Modify(vec![edit(0, 0)])),
            "overlap" => (Some(digest(&path)), FileChange::Modify(vec![edit(0, 4), edit(2, 6)])),
            "stale" => (Some(hex(b"another file")), FileChange::Modify(vec![edit(0, 0)])),
            "trap" => panic!("told to trap"),
            "loop" => loop {
                std::hint::black_box(());
            },
            "eat" => (None, FileChange::Create("x".repeat(usize::try_from(eaten()).unwrap_or(0)))),
            other => return Err(Error::wrong_input(format!("no such change: {other}"))),
        };
        Ok(Proposal::Fix(Fix {
            title: "Do as told".into(),
            root_cause: issue.title,
            confidence: 1.0,
            risk: Risk::Low,
            edits: vec![Edit { path, base_sha256: base, change }],
            tests: Vec::new(),
            rollback: RollbackPlan { summary: String::new(), previous_release_suffices: true, state: Vec::new() },
        }))
    }
}

autodevops_sdk::export!(fix_generator: WildFixer);

/// Keeps memory until there is none.
fn eaten() -> u64 {
    let mut kept: Vec<Vec<u8>> = Vec::new();
    loop {
        kept.push(vec![1; 1 << 20]);
        if kept.len() > 4096 {
            return kept.iter().map(|part| part.len() as u64).sum();
        }
    }
}

/// The hash of a file of the repository; of nothing where it cannot be read.
fn digest(path: &str) -> String {
    hex(&fs::read(format!("/repo/{path}")).unwrap_or_default())
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
