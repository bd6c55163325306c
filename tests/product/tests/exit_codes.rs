//! Whatever is named wrongly ends with exit code 2, by whichever verb; what fails ends with 1.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{fs, time::Duration};

use autodevops_product_tests::{
    autodevops,
    process::{Called, call},
    shop::Shop,
};
use rustix::process::Signal;

/// The longest that anything may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Verbs that name what is not there, or say what cannot be meant, and what each is told.
const WRONG: [(&[&str], &str); 26] = [
    (&["frobnicate"], "unrecognized subcommand"),
    (&["show"], "required arguments"),
    (&["show", "no-such-run"], "there is no run `no-such-run`"),
    (&["audit", "no-such-run"], "there is no run `no-such-run` on record"),
    (&["audit", "--verify", "--expect", "7"], "is no head of an audit"),
    (&["replay", "no-such-run"], "there is no run `no-such-run`"),
    (&["approve", "no-such-run"], "there is no run `no-such-run`"),
    (&["reject", "no-such-run"], "there is no run `no-such-run`"),
    (&["abort", "no-such-run"], "there is no run `no-such-run`"),
    (&["run", "--issue", "no-such-issue"], "no issue `no-such-issue` was found"),
    (&["deploy", "--to", "mars"], "there is no environment `mars`; there are production, staging"),
    (&["rollback", "mars"], "there is no environment `mars`; there are production, staging"),
    (&["rollback", "production", "--to", "r-17"], "release r-17 was never live in production"),
    (&["plugin", "inspect", "no-such-plugin"], "there is no plugin `no-such-plugin`"),
    (&["plugin", "inspect", "./no/such/folder"], "no/such/folder"),
    (&["plugin", "grant", "no-such-plugin"], "there is no plugin `no-such-plugin`"),
    (&["plugin", "call", "no-such-plugin"], "there is no plugin `no-such-plugin`"),
    (&["plugin", "call", "code-review", "--stage", "tester"], "unknown stage `tester`"),
    (&["plugin", "test", "no-such-plugin", "--recording", "x"], "there is no plugin `no-such-plugin`"),
    (&["plugin", "test", "code-review", "--recording", "no-such-file"], "no-such-file cannot be read"),
    (&["analyze", "no-such.log"], "no-such.log cannot be opened"),
    (&["analyze", "."], "is a folder; name the log files in it"),
    (&["analyze", "--plugin", "no-such-plugin", "autodevops.toml"], "there is no plugin `no-such-plugin`"),
    (&["analyze", "--min-severity", "bad", "autodevops.toml"], "unknown severity `bad`"),
    (&["analyze", "--groups", "--format", "json", "autodevops.toml"], "--groups prints CSV"),
    (&["analyze", "--groups", "--since", "2h ago", "autodevops.toml"], "cannot be used with"),
];

fn told(called: &Called, arguments: &[&str], code: i32, words: &str) {
    assert_eq!(called.code, Some(code), "`autodevops {}`: {called}", arguments.join(" "));
    assert!(called.stderr.contains(words), "`autodevops {}` lacks `{words}`: {called}", arguments.join(" "));
}

#[test]
fn what_is_named_wrongly_ends_with_2_and_what_fails_with_1() {
    let shop = Shop::open(&[]);
    let log = shop.log();
    fs::create_dir_all(log.parent().unwrap()).unwrap();
    fs::write(log, "2026-01-01T00:00:00.000Z INFO nothing is wrong\n").unwrap();
    for (arguments, words) in WRONG {
        told(&shop.call(arguments), arguments, 2, words);
    }
    let arguments = &["rollback", "production"];
    told(&shop.call(arguments), arguments, 1, "there is nothing to go back to");
    the_holder_of_the_state_tells_them_apart(&shop);
    no_project(&shop);
}

/// Over the socket of the process that drives the runs as without it.
fn the_holder_of_the_state_tells_them_apart(shop: &Shop) {
    let mut program = shop.start(&["serve"]);
    program.wait_for_text("watching", LIMIT);
    for (arguments, code, words) in [
        (&["abort", "no-such-run"][..], 2, "there is no run `no-such-run`"),
        (&["rollback", "mars"], 2, "there is no environment `mars`"),
        (&["deploy", "--to", "mars"], 2, "there is no environment `mars`"),
        (&["rollback", "production"], 1, "there is nothing to go back to"),
        (&["run"], 1, "is held by another autodevops"),
    ] {
        told(&shop.call(arguments), arguments, code, words);
    }
    program.signal(Signal::TERM);
    assert_eq!(program.wait(LIMIT).code, Some(0));
}

/// A configuration that is not there, or is none, is the same for all who need one.
fn no_project(shop: &Shop) {
    let broken = shop.folder.join("broken.toml");
    fs::write(&broken, "[servce]\n").unwrap();
    for verb in [&["runs"][..], &["serve"], &["run"], &["deploy"], &["audit"], &["edge", "status"], &["plugin", "list"]]
    {
        for (config, words) in [("no-such.toml", "no-such.toml"), ("broken.toml", "unknown key `servce`")] {
            let mut command = autodevops();
            command.current_dir(&shop.folder).args(["--config", config]).args(verb);
            told(&call(command, LIMIT), verb, 2, words);
        }
        let mut command = autodevops();
        let nowhere = tempfile::tempdir().unwrap();
        command.current_dir(nowhere.path()).args(verb);
        if verb != ["plugin", "list"] {
            told(&call(command, LIMIT), verb, 2, "there is no autodevops.toml in ");
        }
    }
}
