//! A JavaScript check with one test, each in a fresh instance of the composed component.

use std::{fs, time::Instant};

use anyhow::{Result, ensure};
use autodevops_model::{CheckInput, Outcome};
use autodevops_sandbox::{CallContext, MountedFolder};

use crate::{
    place::Place,
    report::{Report, Target, median, milliseconds},
};

const SMALL: &str = "JavaScript check, one test";
const TARGET: Option<Target> = Some(Target::Under(1.0));

/// With a second file to load, and its changed lines to measure.
const MODULE: &str = "JavaScript check, one test of a changed module";

const ROUNDS: usize = 50;

const SMALL_TEST: &str = "const test = require('node:test');\nconst assert = require('node:assert');\n\n\
                          test('adds', () => {\n  assert.strictEqual(1 + 2, 3);\n});\n";

const MODULE_TEST: &str = "const test = require('node:test');\nconst assert = require('node:assert');\n\
                           const { add } = require('../lib/add.js');\n\n\
                           test('adds', () => {\n  assert.strictEqual(add(1, 2), 3);\n});\n";

const CODE: &str = "exports.add = (a, b) => a + b;\n";

/// From call to report.
pub async fn measure(place: &Place, report: &mut Report) -> Result<()> {
    if !report.wants(SMALL) && !report.wants(MODULE) {
        return Ok(());
    }
    let sandbox = place.sandbox()?;
    let check = match place.plugin(&sandbox, "js-checks") {
        Ok(check) => check,
        Err(error) => {
            report.skip(SMALL, "ms", TARGET, format!("js-checks cannot be loaded: {error}"));
            return Ok(());
        }
    };
    let folders = [tempfile::tempdir()?, tempfile::tempdir()?];
    let [before, after] = &folders;
    for (folder, code) in [(before, "exports.add = () => 0;\n"), (after, CODE)] {
        for (path, text) in [
            ("lib/add.js", code),
            ("test/small.test.js", SMALL_TEST),
            ("test/module.test.js", MODULE_TEST),
            ("package.json", "{\"name\":\"bench\"}\n"),
        ] {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap_or(folder.path()))?;
            fs::write(path, text)?;
        }
    }
    let mount =
        |guest: &str, host: &tempfile::TempDir| MountedFolder { guest: guest.to_owned(), host: host.path().into() };
    let context = CallContext {
        run: "bench".to_owned(),
        mounts: vec![mount("/before", before), mount("/after", after)],
        ..CallContext::default()
    };
    for (name, test, changed, target) in [
        (SMALL, "test/small.test.js", vec![], TARGET),
        (MODULE, "test/module.test.js", vec!["lib/add.js".to_owned()], None),
    ] {
        let mut times = Vec::new();
        for round in 0..=ROUNDS {
            let tests = vec![test.to_owned()];
            let input = CheckInput { changed: changed.clone(), tests, fix: None, issue: None, url: None };
            let begun = Instant::now();
            let answer = check.check(&context, input).await?;
            let took = milliseconds(begun.elapsed());
            ensure!(answer.outcome == Outcome::Passed, "the test did not pass: {}", answer.summary);
            if round > 0 {
                times.push(took);
            }
        }
        report.add(name, median(&mut times), "ms", target);
    }
    Ok(())
}
