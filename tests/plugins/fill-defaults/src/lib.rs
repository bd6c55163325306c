//! A fix generator that is too hasty.
//!
//! Where a property of nothing is read, as in `order.customer.address.country`, it puts a statement before the line that gives
//! the owner the object that it lacks: `order.customer = { address: {}, ...order.customer };`. That satisfies every test
//! whose objects may be changed, and the tests of most projects are such. It fails where an object is frozen, or is shared.

mod chain;

use std::{fs, path::Path};

use autodevops_sdk::{
    Error, FixGenerator, Result,
    types::{Edit, FileChange, Fix, Issue, Location, Proposal, Risk, RollbackPlan, TestFile, TextEdit},
};
use chain::Chain;
use sha2::{Digest, Sha256};

const REPOSITORY: &str = "/repo";

/// The fix generator.
pub struct FillDefaults;

impl FixGenerator for FillDefaults {
    fn propose(issue: Issue) -> Result<Proposal> {
        propose_in(Path::new(REPOSITORY), &issue)
    }
}

autodevops_sdk::export!(fix_generator: FillDefaults);

fn propose_in(repository: &Path, issue: &Issue) -> Result<Proposal> {
    let Some(place) = place(issue) else { return Ok(none("it is not known where the fault is")) };
    let Some(read) = chain::read_name(&issue.message) else {
        return Ok(none("the message does not say what was read of undefined"));
    };
    let source = fs::read_to_string(repository.join(&place.path)).map_err(|error| {
        let message = format!("cannot read {}: {error}", place.path);
        match Error::from(error) {
            Error::Denied(_) => Error::not_granted(message),
            _ => Error::failure(message),
        }
    })?;
    let Some((start, line)) = line_at(&source, place.line) else {
        return Ok(none(format!("{} has no line {}", place.path, place.line)));
    };
    let Some(chain) = chain::find(line, read, place.column) else {
        return Ok(none(format!("line {} of {} has no a.b.{read}", place.line, place.path)));
    };
    Ok(Proposal::Fix(fix(&place.path, &source, start, line, &chain)))
}

fn none(reason: impl Into<String>) -> Proposal {
    Proposal::None(reason.into())
}

/// Where the fault is: the issue's own word, or else the innermost frame of the project's code.
fn place(issue: &Issue) -> Option<Location> {
    issue.location.clone().or_else(|| {
        let frame = issue.stack.iter().find(|frame| frame.own_code)?;
        Some(Location { path: frame.file.clone(), line: frame.line, column: frame.column })
    })
}

/// A line by its number from 1, and where it starts.
fn line_at(source: &str, number: u32) -> Option<(usize, &str)> {
    let mut start = 0;
    for (index, line) in (1..).zip(source.split_inclusive('\n')) {
        if index == number {
            return Some((start, line));
        }
        start += line.len();
    }
    None
}

fn fix(path: &str, source: &str, start: usize, line: &str, chain: &Chain) -> Fix {
    let Chain { owner, missing, read } = chain;
    let indent: String = line.chars().take_while(|c| matches!(c, ' ' | '\t')).collect();
    let statement = format!("{indent}{owner} = {{ {missing}: {{}}, ...{owner} }};\n");
    let at = start as u64;
    Fix {
        title: format!("Give {owner} a {missing} where it has none"),
        root_cause: format!("`{owner}` may come without `{missing}`, and `{read}` is read of it all the same."),
        confidence: 0.8,
        risk: Risk::Low,
        edits: vec![Edit {
            path: path.into(),
            base_sha256: Some(hex(&Sha256::digest(source))),
            change: FileChange::Modify(vec![TextEdit { start: at, end: at, replacement: statement }]),
        }],
        tests: test(path, source, start, chain).into_iter().collect(),
        rollback: RollbackPlan {
            summary: "Go back to the release before; nothing is stored.".into(),
            previous_release_suffices: true,
            state: Vec::new(),
        },
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A test that calls the function with an object that lacks what was missing; none when the function cannot be called from
/// outside, or takes another argument than the chain's first name.
fn test(path: &str, source: &str, start: usize, chain: &Chain) -> Option<TestFile> {
    let (function, parameters) = enclosing_function(source.get(..start)?)?;
    let mut names = chain.owner.split('.');
    if names.next() != Some(parameters) || !is_exported(source, function) {
        return None;
    }
    let argument = names.rev().fold("{}".to_owned(), |inner, name| format!("{{ {name}: {inner} }}"));
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let module = file.strip_suffix(".js").or_else(|| file.strip_suffix(".cjs"))?;
    let beside = |name: String| if folder.is_empty() { name } else { format!("{folder}/{name}") };
    let content = format!(
        "'use strict';\n\n\
         const assert = require('node:assert');\n\
         const {{ test }} = require('node:test');\n\n\
         const {{ {function} }} = require('./{module}');\n\n\
         test('{function} takes {missing} for empty where there is none', () => {{\n  \
         assert.doesNotThrow(() => {function}({argument}));\n\
         }});\n",
        missing = chain.missing,
    );
    Some(TestFile { path: beside(format!("{module}.defaults.test.js")), content })
}

/// Name and parameter list of the function whose declaration comes last in this text.
fn enclosing_function(before: &str) -> Option<(&str, &str)> {
    let (_, rest) = before.rsplit_once("function ")?;
    let (name, rest) = rest.split_once('(')?;
    let (parameters, _) = rest.split_once(')')?;
    Some((name.trim(), parameters.trim()))
}

fn is_exported(source: &str, function: &str) -> bool {
    let listed =
        source.split_once("module.exports = {").and_then(|(_, rest)| rest.split_once('}')).is_some_and(|(list, _)| {
            list.split(',').any(|entry| entry.split(':').next().is_some_and(|name| name.trim() == function))
        });
    listed || source.contains(&format!("exports.{function} ="))
}

#[cfg(test)]
mod tests {
    use autodevops_sdk::types::{IssueKind, Severity};

    use super::*;

    const SOURCE: &str = "'use strict';\n\nfunction rate(order) {\n  const rate = RATES.get(order.customer.address.country);\n  return rate ?? 19;\n}\n\nmodule.exports = { rate };\n";

    fn issue(line: u32) -> Issue {
        Issue {
            message: "Cannot read properties of undefined (reading 'country')".into(),
            location: Some(Location { path: "lib/tax.js".into(), line, column: Some(49) }),
            ..Issue::new("ab", IssueKind::Exception, Severity::Error, "TypeError")
        }
    }

    fn repository() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("lib")).unwrap();
        fs::write(folder.path().join("lib/tax.js"), SOURCE).unwrap();
        folder
    }

    fn proposed(issue: &Issue) -> Proposal {
        propose_in(repository().path(), issue).unwrap()
    }

    #[test]
    fn the_object_that_is_missing_is_filled_in_before_the_line_that_failed() {
        let Proposal::Fix(fix) = proposed(&issue(4)) else { panic!("no fix") };
        let FileChange::Modify(edits) = &fix.edits[0].change else { panic!("no edit") };
        let mut after = SOURCE.to_owned();
        after.insert_str(usize::try_from(edits[0].start).unwrap(), &edits[0].replacement);
        assert_eq!(edits[0].start, edits[0].end);
        assert!(
            after.contains(
                "function rate(order) {\n  order.customer = { address: {}, ...order.customer };\n  const rate = "
            ),
            "{after}"
        );
        assert_eq!(fix.edits[0].base_sha256, Some(hex(&Sha256::digest(SOURCE))));
    }

    #[test]
    fn the_test_calls_the_function_with_what_made_it_fail() {
        let Proposal::Fix(fix) = proposed(&issue(4)) else { panic!("no fix") };
        assert_eq!(fix.tests[0].path, "lib/tax.defaults.test.js");
        assert!(fix.tests[0].content.contains("require('./tax')"), "{}", fix.tests[0].content);
        assert!(fix.tests[0].content.contains("rate({ customer: {} })"), "{}", fix.tests[0].content);
    }

    #[test]
    fn without_a_place_a_name_or_a_chain_nothing_is_proposed() {
        for (issue, reason) in [
            (Issue { location: None, ..issue(4) }, "it is not known where"),
            (Issue { message: "boom".into(), ..issue(4) }, "does not say what was read"),
            (issue(5), "line 5 of lib/tax.js has no a.b.country"),
            (issue(99), "has no line 99"),
        ] {
            let Proposal::None(why) = proposed(&issue) else { panic!("a fix for: {reason}") };
            assert!(why.contains(reason), "{why}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_an_error_that_names_it() {
        let mut issue = issue(4);
        issue.location = Some(Location { path: "lib/gone.js".into(), line: 1, column: None });
        let error = propose_in(repository().path(), &issue).unwrap_err();
        assert!(error.message().starts_with("cannot read lib/gone.js"), "{}", error.message());
    }
}
