//! Deterministic fixes for JavaScript, as text edits that keep the file's formatting.
//!
//! Each recipe knows one kind of fault. It finds the part of the syntax tree that failed, changes as little as it can, and
//! writes a test that fails without the change and passes with it. Where any of that is uncertain it proposes nothing, and
//! says why.

mod edit;
mod entry;
mod fault;
mod guard;
mod infer;
mod place;
mod probe;
mod project;
mod recipes;
mod shape;
mod style;
mod testfile;
mod tree;
mod uses;

use std::{fs, path::Path};

use autodevops_sdk::{
    Error, FixGenerator, Result,
    types::{Edit, FileChange, Fix, Issue, Proposal, RollbackPlan},
};
use oxc_allocator::Allocator;
use sha2::{Digest, Sha256};

use crate::{
    place::Spot,
    project::{Availability, Package},
    recipes::Draft,
    tree::Tree,
};

const REPOSITORY: &str = "/repo";

/// Longest file that is looked at, in bytes.
const MOST_BYTES: u64 = 2 << 20;

/// Longest line of a file that people write, in bytes.
const LONGEST_LINE: usize = 2000;

/// Most brackets that are open at once.
const MOST_BRACKETS: i32 = 100;

/// Most operators, reads and calls in a row, without a comma or the end of a statement.
const LONGEST_CHAIN: u32 = 400;

/// The fix generator.
pub struct FixRecipes;

impl FixGenerator for FixRecipes {
    fn propose(issue: Issue) -> Result<Proposal> {
        propose_in(Path::new(REPOSITORY), &issue)
    }
}

autodevops_sdk::export!(fix_generator: FixRecipes);

/// Proposes a fix for an issue of a repository.
///
/// # Errors
/// When a file of the repository cannot be read.
pub fn propose_in(repository: &Path, issue: &Issue) -> Result<Proposal> {
    let known = fault::parse(issue.exception.as_deref(), &issue.title, &issue.message);
    // Node says of a rejection that nobody heard just what the error says: what called it may tell.
    let unknown = known.is_none().then(|| format!("no recipe knows this fault: {}", first_line(&issue.message)));
    let fault = known.unwrap_or(fault::Fault::Unhandled);
    let spots = place::spots(repository, issue);
    if spots.is_empty() {
        if let Some(reason) = unknown {
            return Ok(Proposal::None(reason));
        }
        return Ok(Proposal::None("no file of the repository is named as the fault's place".into()));
    }
    let mut reasons: Vec<String> = Vec::new();
    for spot in &spots {
        match propose_at(repository, issue, &fault, spot)? {
            Ok(fix) => return Ok(Proposal::Fix(fix)),
            Err(reason) => {
                if !reasons.contains(&reason) {
                    reasons.push(reason);
                }
            }
        }
        // Only where the fault came from further out is the next frame of interest.
        if !recipes::looks_outward(&fault) {
            break;
        }
    }
    Ok(Proposal::None(unknown.unwrap_or_else(|| reasons.join("; "))))
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// A fix at one place, or why there is none.
fn propose_at(
    repository: &Path,
    issue: &Issue,
    fault: &fault::Fault,
    spot: &Spot,
) -> Result<std::result::Result<Fix, String>> {
    if let Some(reason) = place::refusal(&spot.path) {
        return Ok(Err(reason));
    }
    let full = repository.join(&spot.path);
    let failed = |error: std::io::Error| {
        let message = format!("cannot read {}: {error}", spot.path);
        match Error::from(error) {
            Error::Denied(_) => Error::not_granted(message),
            _ => Error::failure(message),
        }
    };
    if fs::metadata(&full).map_err(failed)?.len() > MOST_BYTES {
        return Ok(Err(format!("{} is too long to be written by people", spot.path)));
    }
    let bytes = fs::read(&full).map_err(failed)?;
    let Ok(text) = std::str::from_utf8(&bytes) else {
        return Ok(Err(format!("{} is not UTF-8", spot.path)));
    };
    if let Some(reason) = generated(&spot.path, text) {
        return Ok(Err(reason));
    }
    if is_too_deep(text) {
        return Ok(Err(format!("{} nests too deeply to be followed", spot.path)));
    }
    let package = Package::of(repository, &spot.path);
    let allocator = Allocator::default();
    let source_type = tree::source_type(&spot.path, text, package.is_module);
    let tree = match Tree::parse(&allocator, &spot.path, text, source_type) {
        Ok(tree) => tree,
        Err(reason) => return Ok(Err(reason)),
    };
    Ok(recipes::draft(&tree, fault, spot, issue).and_then(|draft| finish(repository, &tree, &package, draft)))
}

fn generated(path: &str, text: &str) -> Option<String> {
    if text.lines().any(|line| line.len() > LONGEST_LINE) {
        return Some(format!("{path} is minified: it has lines of more than {LONGEST_LINE} bytes"));
    }
    let head = text
        .lines()
        .take(8)
        .any(|line| line.contains("@generated") || line.to_ascii_lowercase().contains("do not edit"));
    head.then(|| format!("{path} says that it is generated"))
}

/// Whether a text nests deeper than the stack bears, by brackets or by a chain of operators. Comments and strings count as
/// code: whoever writes by hand comes nowhere near.
fn is_too_deep(text: &str) -> bool {
    let (mut depth, mut chain) = (0_i32, 0_u32);
    for byte in text.bytes() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth -= 1,
            _ => {}
        }
        match byte {
            b';' | b',' | b'{' | b'}' => chain = 0,
            b'.' | b'+' | b'-' | b'*' | b'/' | b'?' | b'&' | b'|' | b'(' | b'[' | b'>' | b'!' | b'~' => chain += 1,
            _ => {}
        }
        if depth > MOST_BRACKETS || chain > LONGEST_CHAIN {
            return true;
        }
    }
    false
}

/// Checks a draft's edits, writes its test and makes the fix of it.
fn finish(repository: &Path, tree: &Tree<'_>, package: &Package, draft: Draft<'_>) -> std::result::Result<Fix, String> {
    let edits = edit::tidy(draft.edits).ok_or("the changes overlap")?;
    let after = edit::apply(tree.text, &edits).ok_or("the changes do not fit the file")?;
    if after == tree.text {
        return Err("there is nothing to change".into());
    }
    let allocator = Allocator::default();
    Tree::parse(&allocator, &tree.path, &after, tree.program.source_type)
        .map_err(|reason| format!("the change would break the file: {reason}"))?;
    let mut confidence = draft.confidence;
    for module in tree.modules() {
        match project::availability(repository, &tree.path, module) {
            Availability::There => {}
            Availability::Declared => confidence *= 0.9,
            Availability::Unknown => {
                return Err(format!(
                    "a test cannot load {}: it needs {module}, which the project does not declare",
                    tree.path
                ));
            }
        }
    }
    let test = testfile::write(repository, tree, package, &draft.plan)?;
    let allocator = Allocator::default();
    let kind = tree::source_type(&test.path, &test.content, package.is_module);
    Tree::parse(&allocator, &test.path, &test.content, kind)
        .map_err(|reason| format!("no test can be written: {reason}"))?;
    Ok(Fix {
        title: draft.title,
        root_cause: draft.root_cause,
        confidence: confidence.clamp(0.0, 1.0),
        risk: draft.risk,
        edits: vec![Edit {
            path: tree.path.clone(),
            base_sha256: Some(hex(&Sha256::digest(tree.text))),
            change: FileChange::Modify(edit::to_contract(&edits)),
        }],
        tests: vec![test],
        rollback: RollbackPlan {
            summary: format!("Go back to the release before; only {} changes, and nothing is stored.", tree.path),
            previous_release_suffices: true,
            state: Vec::new(),
        },
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
