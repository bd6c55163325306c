//! From a stack frame to a file of the repository.

use std::path::Path;

use autodevops_sdk::types::Issue;

/// A place in a file of the repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    /// The file, relative to the repository's root, with `/` between its parts.
    pub path: String,
    /// Line, from 1.
    pub line: u32,
    /// Column in UTF-16 units, from 1, where it is known.
    pub column: Option<u32>,
}

/// The places where the fault may be, best first: the issue's own word, then the frames of the project's code, innermost
/// first. Only files that are there.
pub fn spots(repository: &Path, issue: &Issue) -> Vec<Spot> {
    let mut spots: Vec<Spot> = Vec::new();
    let told = issue.location.iter().map(|place| (place.path.as_str(), place.line, place.column));
    let frames =
        issue.stack.iter().filter(|frame| frame.own_code).map(|frame| (frame.file.as_str(), frame.line, frame.column));
    for (file, line, column) in told.chain(frames) {
        let Some(path) = find(repository, file) else { continue };
        match spots.iter_mut().find(|spot| spot.path == path && spot.line == line) {
            Some(known) => known.column = known.column.or(column),
            None => spots.push(Spot { path, line, column }),
        }
    }
    spots
}

/// The repository's file that a trace means: its longest suffix that is there.
fn find(repository: &Path, file: &str) -> Option<String> {
    let file = file.strip_prefix("file://").unwrap_or(file).replace('\\', "/");
    let file = file.split(['?', '#']).next().unwrap_or_default();
    let parts: Vec<&str> = file.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.contains(&"..") {
        return None;
    }
    (0..parts.len())
        .filter_map(|from| parts.get(from..))
        .map(|rest| rest.join("/"))
        .find(|path| repository.join(path).is_file())
}

/// Why a file is none that may be edited.
pub fn refusal(path: &str) -> Option<String> {
    let foreign = path.split('/').any(|part| matches!(part, "node_modules" | "bower_components" | "vendor"));
    let built =
        path.split('/').rev().skip(1).any(|part| matches!(part, "dist" | "build" | ".next" | "out" | "coverage"));
    let name = path.rsplit('/').next().unwrap_or(path);
    let known = [".js", ".cjs", ".mjs", ".ts", ".cts", ".mts"].iter().any(|end| name.ends_with(end));
    if foreign {
        Some(format!("{path} is a dependency's file; those are never edited"))
    } else if built || name.ends_with(".min.js") || name.contains(".bundle.") {
        Some(format!("{path} is generated; its source is to be fixed"))
    } else if !known || name.ends_with(".d.ts") {
        Some(format!("{path} is no JavaScript or TypeScript file"))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use autodevops_sdk::types::{IssueKind, Location, Severity, StackFrame};

    use super::*;

    #[test]
    fn a_trace_means_the_longest_suffix_that_is_there() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("functions/lib")).unwrap();
        fs::write(folder.path().join("functions/lib/a.js"), "").unwrap();
        fs::write(folder.path().join("a.js"), "").unwrap();
        for (file, path) in [
            ("/workspace/functions/lib/a.js", Some("functions/lib/a.js")),
            ("file:///app/functions/lib/a.js?x=1", Some("functions/lib/a.js")),
            ("C:\\srv\\functions\\lib\\a.js", Some("functions/lib/a.js")),
            ("./a.js", Some("a.js")),
            ("lib/b.js", None),
            ("../functions/lib/a.js", None),
            ("", None),
        ] {
            assert_eq!(find(folder.path(), file).as_deref(), path, "{file}");
        }
    }

    #[test]
    fn the_issues_own_word_comes_first_and_libraries_never() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.js"), "").unwrap();
        fs::write(folder.path().join("b.js"), "").unwrap();
        let frame =
            |file: &str, own_code| StackFrame { function: None, file: file.into(), line: 3, column: Some(5), own_code };
        let issue = Issue {
            location: Some(Location { path: "a.js".into(), line: 3, column: None }),
            stack: vec![frame("/x/b.js", false), frame("/x/a.js", true), frame("/x/b.js", true)],
            ..Issue::new("ab", IssueKind::Exception, Severity::Error, "x")
        };
        let spot = |path: &str| Spot { path: path.into(), line: 3, column: Some(5) };
        assert_eq!(spots(folder.path(), &issue), [spot("a.js"), spot("b.js")]);
    }

    #[test]
    fn files_that_are_not_the_projects_own_sources_are_refused() {
        for path in ["node_modules/a/b.js", "dist/app.js", "public/app.min.js", "a.json", "types.d.ts"] {
            assert!(refusal(path).is_some(), "{path}");
        }
        for path in ["src/app.js", "lib/a.mjs", "functions/index.ts"] {
            assert_eq!(refusal(path), None, "{path}");
        }
    }
}
