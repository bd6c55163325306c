//! Fixes that reach where they must not: each is refused with its reason, and nothing of the operator's is touched.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;

use autodevops_product_tests::shop::Shop;

const TABLE: &str = "[plugins.wild-fixer]";

/// What the plugin is told, and what the refusal says.
const CASES: [(&str, &str, &str); 14] = [
    ("../outside.txt", "create", "has the part \"..\""),
    ("/tmp/outside.txt", "create", "is absolute"),
    ("functions/../../outside.txt", "create", "has the part \"..\""),
    (".git/hooks/post-commit", "create", "inside `.git`"),
    ("functions/link/x.js", "create", "is a symbolic link"),
    ("functions/link", "insert", "is a symbolic link"),
    ("functions/index.js", "create", "exists already"),
    ("functions/gone.js", "insert", "is not there"),
    ("functions/index.js", "overlap", "two edits overlap"),
    ("functions/index.js", "stale", "the file has changed since the edit was made"),
    ("functions/index.js", "trap", "told to trap"),
    ("functions/index.js", "loop", "ran out of time after 5s"),
    ("functions/index.js", "eat", "of memory"),
    ("functions/index.js", "nonsense", "no such change: nonsense"),
];

#[test]
fn a_fix_that_reaches_outside_or_does_not_fit_is_refused_and_nothing_is_touched() {
    let folder = autodevops_product_tests::target().join("test-plugins/wild-fixer");
    let settings = format!("{TABLE}\npath = \"{}\"\n\n[plugins.local.grant]", folder.display());
    let shop = Shop::open(&[
        ("fix-generators = [\"fix-recipes\"]", "fix-generators = [\"wild-fixer\"]"),
        ("[plugins.local.grant]", &settings),
    ]);
    std::os::unix::fs::symlink("lib", shop.folder.join("functions/link")).unwrap();
    shop.check_in("Have a link");
    shop.deploy();
    fs::create_dir_all(shop.log().parent().unwrap()).unwrap();
    let config = shop.folder.join("autodevops.toml");
    let text = fs::read_to_string(&config).unwrap();
    let (serving, refs) = (shop.serving(), shop.git(&["for-each-ref"]));
    for (index, (path, change, refusal)) in CASES.into_iter().enumerate() {
        // Told by configuration that is not checked in: git is not to see it.
        let told = format!(
            "{text}\n[plugins.wild-fixer.config]\npath = \"{path}\"\nchange = \"{change}\"\n\
             [plugins.wild-fixer.grant]\nfiles.\"/repo\" = {{}}\n"
        );
        fs::write(&config, told).unwrap();
        shop.git(&["update-index", "--assume-unchanged", "autodevops.toml"]);
        let error = format!(
            "2026-11-24T22:00:00.000Z ERROR f: Error: fault {}\n    at f (functions/f{index}.js:1:1)\n",
            "x".repeat(index + 1)
        );
        fs::write(shop.log(), error.repeat(20)).unwrap();
        let called = shop.expect(1, &["run"]);
        let said = format!("{}{}", called.stdout, called.stderr);
        assert!(said.contains(refusal), "{path} {change}: `{refusal}` is missing: {called}");
        assert_eq!(shop.git(&["for-each-ref"]), refs, "{path} {change}");
        assert_eq!(shop.git(&["status", "--porcelain"]), "", "{path} {change}");
    }
    assert_eq!(shop.serving(), serving);
    assert!(!shop.folder.parent().unwrap().join("outside.txt").exists());
}
