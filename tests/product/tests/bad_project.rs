//! Projects and configurations that are not in order: each is refused with what is wrong, where, and what to do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{fs, net::TcpListener};

use autodevops_product_tests::{process::Called, shop::Shop};

fn says(called: &Called, words: &[&str]) {
    for word in words {
        assert!(called.stderr.contains(word), "`{word}` is missing: {called}");
    }
}

/// A shop that was deployed once, and in whose log an error is.
fn deployed() -> Shop {
    let shop = Shop::open(&[]);
    shop.deploy();
    write_error(&shop);
    shop
}

fn write_error(shop: &Shop) {
    fs::create_dir_all(shop.log().parent().unwrap()).unwrap();
    let error = "2026-11-24T22:00:00.000Z ERROR quote: TypeError: cannot read property 'country' of undefined\n    \
                 at vatRate (functions/lib/pricing.js:54:41)\n    at priceOrder (functions/lib/pricing.js:65:24)\n    \
                 at answer (functions/index.js:49:11)\n";
    fs::write(shop.log(), error.repeat(20)).unwrap();
}

#[test]
fn a_repository_that_is_not_in_order_is_refused_before_anything_is_done() {
    let shop = deployed();
    let fresh = |shop: &Shop| assert!(shop.json(&["runs"]).as_array().unwrap().is_empty(), "no run was begun");

    let head = shop.git(&["rev-parse", "HEAD"]);
    shop.git(&["checkout", "--quiet", "--detach"]);
    says(&shop.expect(1, &["run"]), &["HEAD is detached at ", "check out a branch first"]);
    says(&shop.expect(1, &["deploy"]), &["HEAD is detached"]);
    shop.git(&["checkout", "--quiet", "main"]);
    fresh(&shop);

    fs::write(shop.folder.join("functions/index.js"), "// not checked in\n").unwrap();
    says(&shop.expect(1, &["run"]), &["functions/index.js", "commit"]);
    says(&shop.expect(1, &["deploy"]), &["functions/index.js"]);
    assert_eq!(fs::read_to_string(shop.folder.join("functions/index.js")).unwrap(), "// not checked in\n");
    shop.git(&["checkout", "--quiet", "functions/index.js"]);
    fresh(&shop);

    fs::rename(shop.folder.join(".git"), shop.folder.join("hidden")).unwrap();
    says(&shop.expect(1, &["run"]), &["git repository", "git init"]);
    says(&shop.expect(1, &["deploy"]), &["git repository"]);
    fs::rename(shop.folder.join("hidden"), shop.folder.join(".git")).unwrap();
    fresh(&shop);
    assert_eq!(shop.git(&["rev-parse", "HEAD"]), head);
}

#[test]
fn a_branch_that_someone_else_made_is_not_overwritten() {
    let shop = deployed();
    let logs = shop.log();
    let issues = shop.json(&["analyze", logs.to_str().unwrap()]);
    let fingerprint = issues["issues"][0]["fingerprint"].as_str().unwrap();
    let branch = format!("autodevops/{fingerprint}");
    shop.git(&["checkout", "--quiet", "-b", &branch]);
    fs::write(shop.folder.join("mine.txt"), "mine\n").unwrap();
    shop.check_in("My own work");
    shop.git(&["checkout", "--quiet", "main"]);
    let mine = shop.git(&["rev-parse", &branch]);
    let called = shop.expect(1, &["run"]);
    assert!(called.stdout.contains(&branch), "{called}");
    assert_eq!(shop.git(&["rev-parse", &branch]), mine);
    assert_eq!(shop.last_run()["outcome"], "handed-over");
}

#[test]
fn a_run_before_anything_was_deployed_says_what_comes_first() {
    let shop = Shop::open(&[]);
    write_error(&shop);
    says(&shop.expect(1, &["run"]), &["nothing was deployed to production yet", "autodevops deploy"]);
    assert!(shop.json(&["runs"]).as_array().unwrap().is_empty());
}

#[test]
fn a_configuration_that_cannot_be_meant_is_refused_with_its_place_and_the_remedy() {
    let changes: [(&str, &str, &[&str]); 8] = [
        ("soak = ", "soack = ", &["soack", "`soak`", "autodevops.toml:"]),
        ("[rollout]", "[rollouts]", &["rollouts", "`rollout`"]),
        ("above = \"5 %\"", "above = 5", &["5", "no unit", "5 %"]),
        ("traffic = \"5 %\"", "traffic = \"100 %\"", &["goes from 100 % to 100 %", "each step must have more"]),
        ("soak = \"300ms\"", "soak = \"0s\"", &["`soak` is zero", "10m"]),
        ("interval = \"100ms\"", "interval = \"100\"", &["100", "unit"]),
        ("kind = \"functions\"", "kind = \"function\"", &["function", "functions"]),
        ("[service]", "[service", &["autodevops.toml:"]),
    ];
    let shop = Shop::open(&[]);
    let config = shop.folder.join("autodevops.toml");
    let good = fs::read_to_string(&config).unwrap();
    for (from, to, words) in changes {
        assert!(good.contains(from), "{from}");
        fs::write(&config, good.replacen(from, to, 1)).unwrap();
        for verb in [&["run"][..], &["deploy"], &["runs"], &["edge", "start"]] {
            says(&shop.expect(2, verb), words);
        }
    }
    fs::write(&config, [0xff, 0xfe, 0x00]).unwrap();
    says(&shop.expect(2, &["run"]), &["UTF-8"]);
    fs::remove_file(&config).unwrap();
    says(&shop.expect(2, &["run"]), &["autodevops.toml"]);
    let mut command = autodevops_product_tests::autodevops();
    command.arg("run").current_dir("/");
    let called = autodevops_product_tests::process::call(command, std::time::Duration::from_secs(10));
    assert_eq!(called.code, Some(2), "{called}");
    says(&called, &["there is no autodevops.toml in / or above", "autodevops init", "--config"]);
}

#[test]
fn a_port_that_is_taken_is_named_with_its_environment() {
    let shop = Shop::open(&[]);
    let _taken = TcpListener::bind(("127.0.0.1", shop.production)).unwrap();
    let address = format!("127.0.0.1:{}", shop.production);
    says(&shop.expect(1, &["deploy"]), &["production", &address, "in use"]);
    says(&shop.expect(1, &["edge", "start"]), &["production", &address, "in use"]);
}

#[test]
fn a_plugin_that_is_missing_or_is_not_granted_what_it_needs_is_named_before_a_run_begins() {
    let shop = deployed();
    let config = shop.folder.join("autodevops.toml");
    let good = fs::read_to_string(&config).unwrap();
    let with = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        fs::write(&config, good.replacen(from, to, 1)).unwrap();
        shop.git(&["commit", "--quiet", "--all", "--message", "Change the configuration"]);
    };
    with("fix-generators = [\"fix-recipes\"]", "fix-generators = [\"fix-recipies\"]");
    says(&shop.expect(2, &["run"]), &["fix-recipies"]);
    with("checks = [\"js-checks\"]", "checks = [\"fix-recipes\"]");
    says(&shop.expect(2, &["run"]), &["fix-recipes", "check"]);
    assert!(shop.json(&["runs"]).as_array().unwrap().is_empty(), "no run was begun");
    // A folder that is asked for and not granted is told of: the plugin cannot say more than that it sees no files.
    with("[plugins.fix-recipes.grant]\nfiles.\"/repo\" = {}\n", "[plugins.fix-recipes.grant]\n");
    let called = shop.expect(1, &["run"]);
    says(
        &called,
        &[
            "plugin `fix-recipes` is not granted the folder /repo",
            "`files.\"/repo\" = {}` in [plugins.fix-recipes.grant]",
        ],
    );
    assert!(called.stdout.contains("no plugin has a fix"), "{called}");
}

#[test]
fn a_state_folder_that_cannot_be_written_is_named() {
    let shop = Shop::open(&[("state = \".autodevops\"", "state = \"/proc/autodevops\"")]);
    says(&shop.expect(1, &["runs"]), &["/proc/autodevops"]);
}
