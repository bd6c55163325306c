//! What plugins ask for is answered once, for one component; without that answer nothing starts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use autodevops_product_tests::{change_component, copied_plugin, process::Called, shop::Shop};

fn says(called: &Called, words: &[&str]) {
    for word in words {
        assert!(called.stderr.contains(word), "`{word}` is missing: {called}");
    }
}

fn lock(shop: &Shop) -> PathBuf {
    shop.folder.join("autodevops.lock")
}

/// A plugin of the test's own: a copy of a built one, which it may change.
fn own_plugin(shop: &Shop, name: &str) -> PathBuf {
    let own = copied_plugin(name, shop.folder.parent().unwrap(), name, "");
    let config = shop.folder.join("autodevops.toml");
    let text = fs::read_to_string(&config).unwrap();
    let table = format!("\n[plugins.{name}]\npath = \"{}\"\n\n[plugins.local.grant]", own.display());
    fs::write(&config, text.replacen("\n[plugins.local.grant]", &table, 1)).unwrap();
    own
}

#[test]
fn nothing_starts_before_what_plugins_ask_for_is_answered_and_one_command_answers_all_of_it() {
    let shop = Shop::open(&[]);
    fs::remove_file(lock(&shop)).unwrap();
    let project = shop.folder.join("autodevops.toml");
    for verb in [&["run"][..], &["deploy"], &["serve"]] {
        let called = shop.expect(2, verb);
        says(&called, &["code-review", "js-checks", "error-rate", "local", "nobody answered yet"]);
        says(&called, &["read the folder /before", "`autodevops plugin grant log-analyzer fix-recipes"]);
    }
    assert!(!shop.folder.join(".autodevops/edge").is_dir(), "the front door was not started");
    let called = shop.expect(1, &["doctor"]);
    assert!(called.stdout.contains("nobody answered yet"), "{called}");
    let listed = shop.expect(0, &["plugin", "list"]);
    assert!(listed.stdout.contains("not granted"), "{listed}");
    assert!(project.is_file());

    let told = shop.expect(0, &["plugin", "grant", "--all", "--yes"]);
    assert!(told.stdout.contains("by [plugins.error-rate.grant] of autodevops.toml it may"), "{told}");
    let text = fs::read_to_string(lock(&shop)).unwrap();
    assert!(text.starts_with("# What this project's plugins were granted"), "{text}");
    assert_eq!(fs::metadata(lock(&shop)).unwrap().permissions().mode() & 0o133, 0, "readable, no program");
    // Answered again in the same second it is the same file, else another time stands in it.
    shop.git(&["commit", "--all", "--quiet", "--allow-empty", "--message", "Answer"]);
    shop.deploy();
    let listed = shop.expect(0, &["plugin", "list"]);
    let left = listed.stdout.lines().filter(|line| line.contains("not granted"));
    let left: Vec<&str> = left.filter_map(|line| line.split_whitespace().next()).collect();
    let unnamed = ["notify-email", "notify-webhook", "state-postgres", "state-sqlite"];
    assert_eq!(left, unnamed, "what no stage names is not answered for: {listed}");

    // Who answers the same again changes nothing: not even the time.
    shop.grant();
    shop.expect(0, &["plugin", "grant", "code-review", "--yes"]);
    assert_eq!(fs::read_to_string(lock(&shop)).unwrap(), text);
}

#[test]
fn without_a_terminal_and_a_yes_it_is_refused_with_the_exact_command_which_then_works() {
    let shop = Shop::open(&[]);
    let before = fs::read_to_string(lock(&shop)).unwrap();
    fs::remove_file(lock(&shop)).unwrap();
    let called = shop.expect(2, &["plugin", "grant", "code-review"]);
    let digest = shop.json(&["plugin", "inspect", "code-review"])["digest"].as_str().unwrap().to_owned();
    let command = format!("autodevops plugin grant code-review --yes --digest {digest}");
    says(&called, &["no terminal", &command, "read the folder /after"]);
    assert!(!lock(&shop).exists());
    let flipped = if digest.starts_with("blake3:0") { "1" } else { "0" };
    let wrong = format!("blake3:{flipped}{}", &digest["blake3:0".len()..]);
    says(
        &shop.expect(2, &["plugin", "grant", "code-review", "--yes", "--digest", &wrong]),
        &["`code-review`", &digest, &wrong, "another one than was looked at"],
    );
    says(
        &shop.expect(2, &["plugin", "grant", "code-review", "--yes", "--digest", "sha256:00"]),
        &["\"sha256:00\" is no digest", "blake3:"],
    );
    assert!(!lock(&shop).exists());
    let told = shop.json(&["plugin", "grant", "code-review", "--yes", "--digest", &digest]);
    let plugin = &told["plugins"][0];
    assert_eq!((&plugin["plugin"], &plugin["stored"]), (&"code-review".into(), &true.into()), "{told}");
    assert_eq!(plugin["asked"][0]["what"], "read the folder /before", "{told}");
    // The others were not answered.
    let called = shop.expect(2, &["run"]);
    says(&called, &["`fix-recipes`"]);
    assert!(!called.stderr.contains("`code-review`"), "{called}");
    shop.grant();
    assert_eq!(names(&fs::read_to_string(lock(&shop)).unwrap()), names(&before));
}

/// The names of the entries, in the file's order.
fn names(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.starts_with("name = ")).collect()
}

#[test]
fn a_changed_component_is_asked_about_again_and_what_is_new_is_told() {
    let shop = Shop::open(&[]);
    let own = own_plugin(&shop, "code-review");
    shop.grant();
    shop.check_in("Use a copy");
    shop.deploy();
    change_component(&own);
    let called = shop.expect(2, &["run"]);
    says(&called, &["plugin `code-review` 0.1.0 is another component", "nothing new", "plugin grant code-review`"]);
    let listed = shop.expect(0, &["plugin", "list"]);
    assert!(listed.stdout.contains("changed"), "{listed}");

    let manifest = own.join("plugin.toml");
    let text = fs::read_to_string(&manifest).unwrap();
    let wider = "[[permissions]]\nask = \"random\"\nreason = \"Samples are drawn.\"\n\n[limits]\n";
    fs::write(&manifest, text.replacen("[limits]\n", wider, 1).replacen("0.1.0", "0.2.0", 1)).unwrap();
    says(&shop.expect(2, &["run"]), &["`code-review` 0.2.0", "new is that it asks to use randomness"]);
    let told = shop.json(&["plugin", "grant", "code-review", "--yes"]);
    assert_eq!(told["plugins"][0]["new"][0], "use randomness", "{told}");
    // The configuration does not grant it, and it is the grant.
    assert_ne!(told["plugins"][0]["granted"]["random"], true, "{told}");
    shop.check_in("Answer again");
    shop.expect(0, &["run"]);
}

#[test]
fn a_grant_that_was_made_wider_by_hand_is_asked_about_and_a_narrower_one_is_not() {
    let shop = Shop::open(&[]);
    let config = shop.folder.join("autodevops.toml");
    let good = fs::read_to_string(&config).unwrap();
    let both = "[plugins.code-review.grant]\nfiles.\"/before\" = {}\nfiles.\"/after\" = {}\n";
    let one = "[plugins.code-review.grant]\nfiles.\"/after\" = {}\n";
    assert!(good.contains(both));
    fs::write(&config, good.replacen(both, one, 1)).unwrap();
    shop.check_in("Grant less");
    shop.deploy();
    shop.expect(0, &["plugin", "grant", "code-review", "--yes"]);
    fs::write(&config, &good).unwrap();
    says(
        &shop.expect(2, &["run"]),
        &["`code-review` 0.1.0 may do more now than was answered: read the folder /before", "plugin grant code-review"],
    );
    // The same in the lock file itself: who writes it by hand is held to the same.
    let text = fs::read_to_string(lock(&shop)).unwrap();
    assert!(text.contains("[plugin.granted.files.\"/after\"]"), "{text}");
}

#[test]
fn without_a_table_in_the_configuration_the_answer_is_the_grant_and_what_a_yes_does_not_say_is_named() {
    let shop = Shop::open(&[]);
    let config = shop.folder.join("autodevops.toml");
    let mut text = fs::read_to_string(&config).unwrap();
    for (table, lines) in [("fix-recipes", 1), ("error-rate", 3)] {
        let head = format!("[plugins.{table}.grant]\n");
        let at = text.find(&head).unwrap();
        let end = at + text[at..].split_inclusive('\n').take(lines + 1).map(str::len).sum::<usize>();
        text.replace_range(at..end, "");
    }
    fs::write(&config, &text).unwrap();
    fs::remove_file(lock(&shop)).unwrap();
    says(
        &shop.expect(2, &["plugin", "grant", "--all", "--yes"]),
        &["`error-rate`", "[plugins.error-rate.grant]", "http = [\"http://HOST:PORT/\", \"https://HOST:PORT/\"]"],
    );
    assert!(!lock(&shop).exists(), "all or none");
    shop.expect(0, &["plugin", "grant", "fix-recipes", "--yes"]);
    let stored = fs::read_to_string(lock(&shop)).unwrap();
    assert!(stored.contains("[plugin.granted.files.\"/repo\"]"), "{stored}");
}

#[test]
fn what_is_granted_and_was_not_asked_for_is_refused_by_name() {
    let shop = Shop::open(&[]);
    let config = shop.folder.join("autodevops.toml");
    let good = fs::read_to_string(&config).unwrap();
    let head = "[plugins.code-review.grant]\n";
    fs::write(&config, good.replacen(head, &format!("{head}random = true\n"), 1)).unwrap();
    for verb in [&["plugin", "grant", "code-review", "--yes"][..], &["run"], &["deploy"]] {
        says(&shop.expect(2, verb), &["`code-review` does not ask for", "random = true", "remove it"]);
    }
}

#[test]
fn a_lock_file_edited_by_hand_is_taken_as_long_as_it_holds_together() {
    let shop = Shop::open(&[]);
    let good = fs::read_to_string(lock(&shop)).unwrap();
    let digest = good.lines().find(|line| line.starts_with("digest")).unwrap();
    let cases: [(&str, &str, &[&str]); 8] = [
        ("format = 1", "format = 2", &["autodevops.lock:4:", "the format 2 is not known", "plugin grant --all"]),
        ("format = 1\n", "", &["autodevops.lock:", "missing field `format`"]),
        (digest, "digest = \"blake3:00\"", &["autodevops.lock:", "\"blake3:00\" is no digest"]),
        ("version = ", "verzion = ", &["unknown key `verzion`; did you mean `version`?"]),
        ("version = \"0.1.0\"", "version = 1", &["autodevops.lock:", "expected a string"]),
        ("name = \"fix-recipes\"", "name = \"code-review\"", &["`code-review` stands after `error-rate`", "sorted"]),
        ("name = \"error-rate\"", "name = \"code-review\"", &["`code-review` is answered twice"]),
        ("[[plugin]]", "[[plugin", &["autodevops.lock:"]),
    ];
    let mut texts: Vec<(String, &[&str])> = Vec::new();
    for (from, to, words) in cases {
        assert!(good.contains(from), "{from}\n{good}");
        texts.push((good.replacen(from, to, 1), words));
    }
    // The last is in what was granted to error-rate, which does not ask for randomness.
    let (before, after) = good.rsplit_once("keyvalue = true\n").unwrap();
    texts.push((format!("{before}keyvalue = true\nrandom = true\n{after}"), &["does not ask for", "random = true"]));
    for (text, words) in texts {
        fs::write(lock(&shop), &text).unwrap();
        for verb in [&["run"][..], &["plugin", "grant", "--all", "--yes"]] {
            says(&shop.expect(2, verb), words);
        }
        assert_eq!(fs::read_to_string(lock(&shop)).unwrap(), text, "nothing is lost");
    }
    // An answer for a plugin that nobody uses is told of, and taken out when all are answered.
    let stray = good.replacen("name = \"code-review\"", "name = \"a-stray\"", 1);
    fs::write(lock(&shop), &stray).unwrap();
    shop.expect(2, &["run"]);
    let told = shop.expect(0, &["plugin", "grant", "--all", "--yes"]);
    assert!(told.stdout.contains("a-stray: no stage names it any more"), "{told}");
    assert_eq!(names(&fs::read_to_string(lock(&shop)).unwrap()), names(&good));
}

#[test]
fn init_pins_the_plugins_of_the_project_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = autodevops_product_tests::autodevops();
    command.args(["init", folder.path().to_str().unwrap()]);
    let called = autodevops_product_tests::process::call(command, std::time::Duration::from_secs(60));
    assert_eq!(called.code, Some(0), "{called}");
    for words in
        ["local 0.1.0", "by [plugins.local.grant] of autodevops.toml it may", "autodevops.lock", "plugin grant"]
    {
        assert!(called.stdout.contains(words), "`{words}` is missing: {called}");
    }
    let text = fs::read_to_string(folder.path().join("autodevops.lock")).unwrap();
    let sorted = ["code-review", "error-rate", "fix-recipes", "js-checks", "local", "log-analyzer", "security-scan"];
    assert_eq!(names(&text), sorted.map(|name| format!("name = \"{name}\"")));
}
