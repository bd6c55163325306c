//! Faults that are known again: over releases, line shifts, builds and what was learnt meanwhile.

use autodevops_sdk::types::Issue;
use log_analyzer::Engine;

fn analyze(text: &str) -> Vec<Issue> {
    let mut engine = Engine::default();
    engine.push("app.log", text.as_bytes());
    engine.issues()
}

fn fingerprint(text: &str) -> String {
    let issues = analyze(text);
    assert_eq!(issues.len(), 1, "{issues:#?}");
    issues[0].fingerprint.clone()
}

#[test]
fn a_trace_keeps_its_fingerprint_over_releases_with_other_lines_folders_and_names_of_bundles() {
    let trace = |release: &str, line: u32| {
        format!(
            "2026-11-23T10:00:01Z ERROR request failed: TypeError: x is undefined\n    at total (/srv/releases/{release}/lib/order.js:{line}:7)\n    at handle (/srv/releases/{release}/lib/web.js:{}:5)\n",
            line * 3
        )
    };
    let first = fingerprint(&trace("20261101-0a1b2c3d", 10));
    assert_eq!(fingerprint(&trace("20261123-ffee1122", 417)), first);
    assert_eq!(fingerprint(&trace("v2.14.0", 11)), first);
    let bundle = |hash: &str, column: u32| {
        format!(
            "TypeError: x is undefined\n    at e.total (https://shop.example/assets/main.{hash}.js:1:{column})\n    at https://shop.example/assets/vendor-{hash}.min.js:2:{}\n",
            column + 7
        )
    };
    let first = fingerprint(&bundle("8f3a21bc", 48_211));
    assert_eq!(fingerprint(&bundle("c0ffee42", 51_007)), first);
}

#[test]
fn names_that_a_minifier_chose_do_not_tell_faults_apart_and_real_ones_do() {
    let minified = |function: &str, file: &str, column: u32| {
        format!("TypeError: x is undefined\n    at {function} ({file}:1:{column})\n    at dispatch ({file}:1:99)\n")
    };
    let first = fingerprint(&minified("t", "/srv/app/dist/main.min.js", 4711));
    assert_eq!(fingerprint(&minified("n", "/srv/app/dist/main.min.js", 5102)), first);
    assert_eq!(fingerprint(&minified("e.t", "/srv/app/dist/main.min.js", 5102)), first);
    assert_ne!(fingerprint(&minified("total", "/srv/app/dist/main.min.js", 4711)), first);
    // A short name in a file that no minifier wrote is the author's.
    let plain = fingerprint(&minified("t", "/srv/app/lib/order.js", 7));
    assert_ne!(fingerprint(&minified("n", "/srv/app/lib/order.js", 7)), plain);
}

#[test]
fn a_record_without_a_stack_keeps_its_fingerprint_when_its_template_becomes_more_general() {
    let line = |user: &str| format!("2026-11-23T10:00:00Z ERROR login of user {user} was refused\n");
    let first = fingerprint(&line("ann"));
    let users = ["ann", "bob", "cid", "dan", "eve", "fay", "guy"];
    let mut engine = Engine::default();
    let mut seen = Vec::new();
    for round in 0..4 {
        for user in users {
            engine.push("app.log", line(user).as_bytes());
            seen.push(engine.issues().iter().any(|issue| issue.fingerprint == first));
        }
        engine = Engine::restore(&engine.checkpoint().unwrap()).unwrap();
        assert!(round == 0 || engine.issues().len() == 1);
    }
    assert!(seen.iter().all(|seen| *seen), "{seen:?}");
    assert!(engine.issues()[0].template.as_deref().unwrap().contains("user <*> was"));
}
