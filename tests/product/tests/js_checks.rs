//! The plugin that runs JavaScript tests: what it runs, what it says of it, and that no test has a hand in that.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{fs, path::Path, time::Instant};

use autodevops_model::{CheckInput, Fix, Outcome, Report, Risk, RollbackPlan, TestFile};
use autodevops_policy::{Access, Grant, Preopen, effective};
use autodevops_product_tests::{plugin_folder, sandbox};
use autodevops_sandbox::{CallContext, MountedFolder, Plugin, PluginSource};

fn plugin() -> Plugin {
    let folder = plugin_folder("js-checks");
    let granted = Grant {
        files: ["/before", "/after"]
            .map(|guest| (guest.to_owned(), Preopen { host: None, access: Access::ReadOnly }))
            .into(),
        clocks: true,
        ..Grant::default()
    };
    let source = PluginSource {
        manifest: &folder.manifest,
        component: &folder.component,
        grant: effective(&folder.manifest, &granted),
        config: Vec::new(),
        keyvalue: None,
        local: None,
        commands: None,
        mail: None,
        credentials: None,
    };
    Plugin::load(&sandbox(), source).expect("the plugin loads")
}

fn write(root: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

fn mounts(before: &Path, after: &Path) -> CallContext {
    let folder = |host: &Path, guest: &str| MountedFolder { guest: guest.into(), host: host.to_owned() };
    CallContext { mounts: vec![folder(before, "/before"), folder(after, "/after")], ..CallContext::default() }
}

fn input(tests: &[&str]) -> CheckInput {
    let tests = tests.iter().map(|test| (*test).to_owned()).collect();
    CheckInput { changed: vec![], tests, fix: None, issue: None, url: None }
}

/// Runs the tests among the files.
async fn check(files: &[(&str, &str)]) -> Report {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), files);
    let tests: Vec<&str> = files.iter().map(|(path, _)| *path).filter(|path| path.contains(".test.")).collect();
    plugin().check(&mounts(root.path(), root.path()), input(&tests)).await.expect("the check comes to a report")
}

fn outcomes(report: &Report) -> Vec<(&str, Outcome)> {
    report.tests.iter().map(|test| (test.name.as_str(), test.outcome)).collect()
}

fn metric(report: &Report, name: &str) -> Option<f64> {
    report.metrics.iter().find(|metric| metric.name == name).map(|metric| metric.value)
}

#[tokio::test]
async fn the_sample_shops_own_tests_pass() {
    let shop = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shop");
    let tests = ["catalogue", "orders", "pricing"].map(|name| format!("functions/test/{name}.test.js"));
    let tests: Vec<&str> = tests.iter().map(String::as_str).collect();
    let report = plugin().check(&mounts(&shop, &shop), input(&tests)).await.unwrap();
    assert_eq!(report.outcome, Outcome::Passed, "{report:?}");
    assert_eq!(metric(&report, "tests-passed"), Some(13.0));
}

#[tokio::test]
async fn node_tests_run_with_hooks_subtests_timers_and_mocks() {
    let report = check(&[
        ("a.test.mjs", include_str!("js_checks/node.test.mjs")),
        ("lib/math.mjs", include_str!("js_checks/math.mjs")),
        ("lib/data.json", r#"{"base": 7}"#),
        ("lib/common.js", "exports.hello = (n) => `hello ${n}`;\nexports.boom = (o) => o.a.b;\n"),
        ("node_modules/pkg/package.json", r#"{"exports": {".": {"import": "./m.mjs", "require": "./c.cjs"}}}"#),
        ("node_modules/pkg/m.mjs", "export default 'imported';"),
        ("node_modules/pkg/c.cjs", "module.exports = 'required';"),
    ])
    .await;
    assert_eq!(report.outcome, Outcome::Passed, "{report:#?}");
    let skipped: Vec<_> = report.tests.iter().filter(|test| test.outcome == Outcome::Inconclusive).collect();
    assert_eq!(skipped.iter().map(|test| test.name.as_str()).collect::<Vec<_>>(), ["left out", "later"]);
    assert_eq!(skipped[0].message.as_deref(), Some("skipped: why"));
    assert!(outcomes(&report).contains(&("group > inner > three", Outcome::Passed)));
    assert!(outcomes(&report).contains(&("timers > sub", Outcome::Passed)));
}

#[tokio::test]
async fn describe_it_and_expect_run_as_in_jest_and_vitest() {
    let text = include_str!("js_checks/jest.test.js");
    let vitest = "import { describe, it, expect, vi } from 'vitest';\n\
                  describe('v', () => { it('has mocks', ({ task }) => { const f = vi.fn(() => 2); expect(f()).toBe(2); \
                  expect(f).toHaveBeenCalledOnce(); expect(task.name).toBe('has mocks'); }); });";
    let report = check(&[("a.test.js", text), ("v.test.mjs", vitest)]).await;
    assert_eq!(report.outcome, Outcome::Passed, "{report:#?}");
    assert_eq!(metric(&report, "tests-passed"), Some(8.0));
}

#[tokio::test]
async fn a_failure_is_told_with_its_place_in_the_file_as_it_is() {
    let report = check(&[
        ("lib.js", "'use strict';\n\nexports.total = (order) =>\n  order.items.length;\n"),
        (
            "a.test.js",
            "const test = require('node:test');\ntest('total', () => {\n  require('./lib').total({});\n});\n",
        ),
    ])
    .await;
    assert_eq!(report.outcome, Outcome::Failed);
    let message = report.tests[0].message.clone().unwrap();
    assert!(message.starts_with("TypeError: Cannot read properties of undefined (reading 'length')"), "{message}");
    assert!(message.contains("lib.js:4:") && message.contains("a.test.js:3:"), "{message}");
    let finding = &report.findings[0];
    let place = finding.location.as_ref().unwrap();
    assert_eq!((finding.rule.as_str(), place.path.as_str(), place.line), ("test-failed", "lib.js", 4));
}

#[tokio::test]
async fn what_a_test_leaves_behind_fails_it() {
    let report = check(&[("a.test.js", include_str!("js_checks/failing.test.js"))]).await;
    assert_eq!(report.outcome, Outcome::Failed);
    for test in &report.tests {
        let expected = if test.name == "honest" { Outcome::Passed } else { Outcome::Failed };
        assert_eq!(test.outcome, expected, "{}: {:?}", test.name, test.message);
    }
    let message = |name: &str| report.tests.iter().find(|test| test.name == name).unwrap().message.clone().unwrap();
    assert!(message("never settles").contains("never settles"));
    assert!(message("a rejection that nobody handles").contains("unhandled rejection: Error: lost"));
    assert!(message("exit").contains("process.exit(0) was called"));
    assert_eq!(report.tests.len(), 10);
}

#[tokio::test]
async fn a_test_cannot_forge_the_report_nor_harm_the_next_file() {
    let report = check(&[
        ("a.test.js", include_str!("js_checks/forging.test.js")),
        ("b.test.js", include_str!("js_checks/after_forging.test.js")),
    ])
    .await;
    assert_eq!(report.outcome, Outcome::Failed);
    for test in &report.tests {
        let expected = if test.file == "a.test.js" { Outcome::Failed } else { Outcome::Passed };
        assert_eq!(test.outcome, expected, "{}: {:?}", test.name, test.message);
    }
    assert_eq!(report.tests.len(), 5);
}

#[tokio::test]
async fn endless_loops_bombs_and_recursion_fail_the_test_and_not_the_call() {
    let test = |body: &str| {
        let text = format!("const test = require('node:test');\ntest('t', {body});\n");
        async move { check(&[("a.test.js", &text)]).await }
    };
    for (body, reason) in [
        ("() => { for (;;); }", "too many steps"),
        ("() => { while (true) { try { while (true) {} } catch {} } }", "too many steps"),
        ("async () => { for (;;) await null; }", "too many steps"),
        ("() => new Promise(() => setInterval(() => {}, 1))", "too many steps"),
        ("() => { const all = []; for (;;) all.push(new Array(10000).fill(1)); }", "out of memory"),
        ("() => { try { const all = []; for (;;) all.push(new Array(10000).fill(1)); } catch {} }", "out of memory"),
        ("() => { const f = (n) => f(n + 1) + 1; f(0); }", "Maximum call stack size exceeded"),
        ("() => { const f = (n) => [n].map((m) => f(m + 1))[0]; f(0); }", "Maximum call stack size exceeded"),
    ] {
        let report = test(body).await;
        assert_eq!(report.outcome, Outcome::Failed, "{body}: {report:?}");
        let message = report.tests[0].message.clone().unwrap_or_default();
        assert!(message.contains(reason), "{body}: {message}");
        // Timers have no place in the file.
        assert!(body.contains("setInterval") || message.contains("a.test.js:2:"), "{body}: {message}");
    }
}

#[tokio::test]
async fn what_cannot_be_run_is_inconclusive_and_named() {
    for (files, name) in [
        (&[("a.test.js", "require('fs'); require('node:test').test('x', () => {});")][..], "fs"),
        (
            &[("a.test.mjs", "import http from 'node:http'; import test from 'node:test'; test('x', () => {});")][..],
            "http",
        ),
        (
            &[("a.test.js", "const t = require('node:test'); t('x', () => { try { require('crypto') } catch {} });")][..],
            "crypto",
        ),
        (&[("a.test.js", "require('node:test')('x', () => { new Intl.NumberFormat(); });")][..], "Intl"),
        (&[("a.test.js", "const left = require('left-pad'); require('node:test')('x', () => {});")][..], "left-pad"),
        (&[("a.test.js", "jest.mock('./x'); test('x', () => {});")][..], "jest.mock"),
        (&[("a.test.js", "const el = <b/>; test('x', () => {});")][..], "JSX"),
        (&[("a.test.js", "module.exports = 1;")][..], "no tests"),
        (&[("a.test.js", "test.skip('x', () => {});")][..], "skipped"),
    ] {
        let report = check(files).await;
        assert_eq!(report.outcome, Outcome::Inconclusive, "{files:?}: {report:?}");
        assert!(report.summary.contains(name), "{name}: {}", report.summary);
    }
    let none = plugin().check(&mounts(Path::new("/tmp"), Path::new("/tmp")), input(&[])).await.unwrap();
    assert_eq!((none.outcome, none.summary.as_str()), (Outcome::Inconclusive, "there are no tests to run"));
}

#[tokio::test]
async fn code_may_load_what_is_not_here_as_long_as_no_test_comes_to_it() {
    let lib = "const fs = require('fs');\nconst { createHash } = require('node:crypto');\n\
               exports.twice = (n) => n * 2;\nexports.read = () => fs.readFileSync('x');\n\
               exports.hash = () => createHash('sha256');\nexports.end = () => require('os').EOL;\n";
    for (call, outcome) in [
        ("twice(2)", Outcome::Passed),
        ("read()", Outcome::Inconclusive),
        ("hash()", Outcome::Inconclusive),
        ("end()", Outcome::Inconclusive),
    ] {
        let test = format!(
            "const lib = require('./lib');\nrequire('node:test')('x', () => {{ try {{ lib.{call}; }} catch {{}} }});"
        );
        let report = check(&[("a.test.js", &test), ("lib.js", lib)]).await;
        assert_eq!(report.outcome, outcome, "{call}: {report:?}");
    }
}

#[tokio::test]
async fn handlers_of_firebase_and_express_are_reached_without_their_packages() {
    let functions = "const functions = require('firebase-functions/v1');\nconst { onCall, onRequest } = require('firebase-functions/v2/https');\n\
                     const { getFirestore } = require('firebase-admin/firestore');\nconst db = getFirestore();\n\
                     exports.ask = onCall((request) => request.data.n + 1);\nexports.web = onRequest({ cors: true }, (req, res) => res.send(req.body));\n\
                     exports.nightly = functions.region('x').pubsub.schedule('daily').onRun(() => 7);\nexports.stored = onCall(() => db.collection('a').get());\n";
    let app = "import express, { Router } from 'express';\nexport const app = express();\napp.use(express.json());\n\
               export const router = Router();\nrouter.get('/a/:id', (req, res) => res.json(req.params.id));\napp.use('/b', router);\n";
    let test = "import assert from 'node:assert';\nimport { test } from 'node:test';\nimport functions from './functions.cjs';\nimport { router } from './app.mjs';\n\
                test('firebase', async () => {\n  assert.equal(functions.ask.run({ data: { n: 1 } }), 2);\n  assert.equal(functions.nightly.run(), 7);\n\
                  let sent;\n  await functions.web({ body: 'b' }, { send: (it) => { sent = it; } });\n  assert.equal(sent, 'b');\n});\n\
                test('express', () => {\n  const { route } = router.stack.find((layer) => layer.route?.path === '/a/:id' && layer.route.methods.get);\n\
                  route.stack.at(-1).handle({ params: { id: 3 } }, { json: (it) => assert.equal(it, 3) });\n});\n";
    let files = [("a.test.mjs", test), ("functions.cjs", functions), ("app.mjs", app)];
    let report = check(&files).await;
    assert_eq!(report.outcome, Outcome::Passed, "{report:#?}");
    let stored =
        "const { stored } = require('./functions.cjs');\nrequire('node:test')('x', () => { stored.run({}); });";
    let report = check(&[("a.test.js", stored), ("functions.cjs", functions)]).await;
    assert_eq!(report.outcome, Outcome::Inconclusive, "{report:?}");
}

#[tokio::test]
async fn a_rejection_that_for_each_drops_is_a_failure() {
    let test = "require('node:test')('x', async () => { [1].forEach(async () => { throw new Error('dropped'); }); await null; });";
    let report = check(&[("a.test.js", test)]).await;
    assert_eq!(report.outcome, Outcome::Failed, "{report:?}");
}

fn fix(test: (&str, &str)) -> Fix {
    Fix {
        title: "Fix it".into(),
        root_cause: "it was wrong".into(),
        confidence: 0.9,
        risk: Risk::Low,
        edits: vec![],
        tests: vec![TestFile { path: test.0.into(), content: test.1.into() }],
        rollback: RollbackPlan { summary: "go back".into(), previous_release_suffices: true, state: vec![] },
    }
}

#[tokio::test]
async fn a_regression_test_must_fail_before_the_fix_and_changed_lines_are_covered_by_it() {
    let (before, after) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(before.path(), &[("lib.js", "exports.f = (o) => {\n  return o.a.b;\n};\n")]);
    let fixed =
        "exports.f = (o) => {\n  if (!o.a) return 0;\n  if (o.never) {\n    return 1;\n  }\n  return o.a.b;\n};\n";
    let run = async |text: &str| {
        let path = "test/lib.test.js";
        write(after.path(), &[("lib.js", fixed), (path, text)]);
        let input =
            CheckInput { changed: vec!["lib.js".into(), path.into()], fix: Some(fix((path, text))), ..input(&[path]) };
        plugin().check(&mounts(before.path(), after.path()), input).await.unwrap()
    };
    let good = "const t = require('node:test'); const a = require('assert');\nt('f', () => { a.equal(require('../lib').f({}), 0); });";
    let report = run(good).await;
    assert_eq!(report.outcome, Outcome::Passed, "{report:#?}");
    assert_eq!(metric(&report, "changed-lines"), Some(3.0));
    assert_eq!(metric(&report, "line-coverage"), Some(1.0 / 3.0));
    let weak = "const t = require('node:test'); const a = require('assert');\nt('f', () => { a.equal(require('../lib').f({ a: { b: 1 } }), 1); });";
    let report = run(weak).await;
    assert_eq!(report.outcome, Outcome::Failed);
    assert_eq!(report.findings[0].rule, "test-does-not-fail-before");
}

#[tokio::test]
async fn changed_code_that_no_test_loads_is_not_covered() {
    let (before, after) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(
        after.path(),
        &[("new.js", "// new\nexports.a = 1;\n"), ("a.test.js", "require('node:test')('x', () => {});")],
    );
    let input = CheckInput { changed: vec!["new.js".into(), "README.md".into()], ..input(&["a.test.js"]) };
    let report = plugin().check(&mounts(before.path(), after.path()), input).await.unwrap();
    assert_eq!((metric(&report, "changed-lines"), metric(&report, "line-coverage")), (Some(1.0), Some(0.0)));
}

/// Not a bound: the machine that tests is not the one that is measured. `cargo xtask bench` has the figure.
#[tokio::test]
async fn a_check_with_one_test_is_quick() {
    let root = tempfile::tempdir().unwrap();
    let text = "const test = require('node:test');\nconst assert = require('assert');\ntest('x', () => { assert.equal(1 + 1, 2); });\n";
    write(root.path(), &[("a.test.js", text)]);
    let (plugin, context) = (plugin(), mounts(root.path(), root.path()));
    let mut times = Vec::new();
    for _ in 0..200 {
        let started = Instant::now();
        let report = plugin.check(&context, input(&["a.test.js"])).await.unwrap();
        times.push(started.elapsed());
        assert_eq!(report.outcome, Outcome::Passed);
    }
    times.sort();
    println!("a check with one test, fresh instance: median {:?}, fastest {:?}", times[100], times[0]);
}
