//! A JavaScript check with one test, each in a fresh instance of the composed component.

use std::{fs, time::Instant};

use anyhow::{Result, ensure};
use autodevops_model::{CheckInput, Outcome};
use autodevops_sandbox::{CallContext, MountedFolder};

use crate::{
    place::Place,
    report::{Report, median, milliseconds},
};

const NAME: &str = "JavaScript check, one test";
const TARGET: Option<&str> = Some("under 1");

const ROUNDS: usize = 50;

const TEST: &str = "const test = require('node:test');\nconst assert = require('node:assert');\n\
                    const { add } = require('../lib/add.js');\n\n\
                    test('adds', () => {\n  assert.strictEqual(add(1, 2), 3);\n});\n";

const CODE: &str = "exports.add = (a, b) => a + b;\n";

/// From call to report.
pub async fn measure(place: &Place, report: &mut Report) -> Result<()> {
    if !report.wants(NAME) {
        return Ok(());
    }
    let sandbox = place.sandbox()?;
    let check = match place.plugin(&sandbox, "js-checks") {
        Ok(check) => check,
        Err(error) => {
            report.skip(NAME, "ms", TARGET, format!("js-checks cannot be loaded: {error}"));
            return Ok(());
        }
    };
    let folder = tempfile::tempdir()?;
    for (path, text) in [("lib/add.js", CODE), ("test/add.test.js", TEST), ("package.json", "{\"name\":\"bench\"}\n")] {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap_or(folder.path()))?;
        fs::write(path, text)?;
    }
    let mount = |guest: &str| MountedFolder { guest: guest.to_owned(), host: folder.path().to_owned() };
    let context = CallContext { run: "bench".to_owned(), mounts: vec![mount("/before"), mount("/after")] };
    let mut times = Vec::new();
    for round in 0..=ROUNDS {
        let tests = vec!["test/add.test.js".to_owned()];
        let input = CheckInput { changed: vec!["lib/add.js".to_owned()], tests, fix: None, issue: None, url: None };
        let begun = Instant::now();
        let answer = check.check(&context, input).await?;
        let took = milliseconds(begun.elapsed());
        ensure!(answer.outcome == Outcome::Passed, "the test did not pass: {}", answer.summary);
        if round > 0 {
            times.push(took);
        }
    }
    report.add(NAME, median(&mut times), "ms", TARGET);
    Ok(())
}
