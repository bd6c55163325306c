//! Frames of minified scripts, told by what somebody wrote: with the output of esbuild and of terser, and what Node said of it.

use std::{fs, path::Path};

use autodevops_sdk::types::Issue;
use log_analyzer::{Engine, Maps, Settings};

/// The folder of the builds: `one` is esbuild's, `two` the next release, with other code before and made by terser.
fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/maps"))
}

fn log(build: &str) -> String {
    fs::read_to_string(folder().join(build).join("shop.log")).unwrap()
}

/// The one issue in a log, read with the maps of a folder.
fn issue(log: &str, maps: Maps) -> Issue {
    let mut engine = Engine::default().with_maps(maps);
    engine.push("shop.log", log.as_bytes());
    let mut issues = engine.issues();
    assert_eq!(issues.len(), 1, "{issues:?}");
    issues.remove(0)
}

fn told(issue: &Issue) -> Vec<String> {
    let frame = |frame: &autodevops_sdk::types::StackFrame| {
        format!("{} {}:{}", frame.function.as_deref().unwrap_or("-"), frame.file, frame.line)
    };
    issue.stack.iter().filter(|frame| frame.own_code).map(frame).collect()
}

#[test]
fn a_fault_of_two_minified_releases_is_one_and_is_told_by_the_line_that_was_written() {
    let [one, two] = ["one", "two"].map(|build| issue(&log(build), Maps::new(folder().join(build), "")));
    assert_eq!(
        told(&one),
        [
            "toCents src/money.js:4",
            "- src/order.js:9",
            "total src/order.js:9",
            "describeOrder src/order.js:15",
            "handle src/main.js:6",
            "Object.<anonymous> src/main.js:11"
        ]
    );
    // The release has two lines more in `main.js`, and other functions before.
    assert_eq!(told(&two)[..4], told(&one)[..4]);
    assert_eq!(told(&two)[4..], ["handle src/main.js:8", "Object.<anonymous> src/main.js:13"]);
    assert_eq!(one.fingerprint, two.fingerprint);
    let location = one.location.as_ref().unwrap();
    assert_eq!((location.path.as_str(), location.line, location.column), ("src/money.js", 4, Some(11)));
    assert_eq!(one.evidence[1].text, "    at n (/srv/shop/dist/main.min.js:1:52) → toCents (src/money.js:4:11)");
    // Without maps they are two faults, in a file that nobody wrote.
    let [bare_one, bare_two] = ["one", "two"].map(|build| issue(&log(build), Maps::default()));
    assert_ne!(bare_one.fingerprint, one.fingerprint);
    assert_eq!(bare_one.location.unwrap().path, "dist/main.min.js");
    assert_ne!(bare_one.stack[0].column, bare_two.stack[0].column);
}

#[test]
fn a_map_is_found_by_the_end_of_the_path_and_its_sources_by_where_its_folder_is_in_the_project() {
    // The folder of the scripts itself, as it lies in the project; the scripts come from a web server.
    let of_web =
        log("one").replace("/srv/shop/dist/", "https://shop.example/assets/").replace("min.js:", "min.js?v=2:");
    for (within, expected) in
        [("packages/web/dist", "packages/web/src/money.js"), ("dist", "src/money.js"), ("", "src/money.js")]
    {
        let issue = issue(&of_web, Maps::new(folder().join("one/dist"), within));
        assert_eq!(issue.location.unwrap().path, expected, "{within}");
    }
}

#[test]
fn a_map_in_the_script_itself_is_read() {
    let of_inline = log("one").replace("/srv/shop/dist/main.min.js", "/srv/shop/main.js");
    let issue = issue(&of_inline, Maps::new(folder().join("inline"), "dist"));
    assert_eq!(told(&issue)[0], "toCents src/money.js:4");
}

#[test]
fn a_map_that_is_broken_absent_or_too_large_leaves_the_frames_as_they_are() {
    let bare = issue(&log("one"), Maps::default());
    let same = |maps: &Path, what: &str| {
        let told = issue(&log("one"), Maps::new(maps.to_owned(), ""));
        assert_eq!((told.fingerprint, told.stack), (bare.fingerprint.clone(), bare.stack.clone()), "{what}");
    };
    let script = folder().join("one/dist/main.min.js");
    let temporary = tempfile::tempdir().unwrap();
    let (root, map) = (temporary.path(), temporary.path().join("main.min.js.map"));
    same(root, "nothing is there");
    fs::copy(script, root.join("main.min.js")).unwrap();
    same(root, "the map that is named is not there");
    fs::write(&map, "{\"version\":3,\"sources\":[\"a.js\"],\"mappings\":\"AAAA,!\"}").unwrap();
    same(root, "a broken map");
    fs::write(&map, "").unwrap();
    same(root, "an empty map");
    fs::File::create(&map).unwrap().set_len((32 << 20) + 1).unwrap();
    same(root, "a map of holes, larger than is read");
    fs::remove_file(&map).unwrap();
    fs::create_dir(&map).unwrap();
    same(root, "a folder of the map's name");
}

#[test]
fn a_log_that_names_a_new_script_in_each_frame_is_bounded() {
    let settings = Settings { max_groups: 10_000, max_new_per_hour: 10_000, ..Settings::default() };
    let mut engine = Engine::new(settings).with_maps(Maps::new(folder().join("one"), ""));
    for number in 0..5000 {
        let lines = format!("TypeError: x\n    at f (/srv/app/a{number}/b{number}.js:1:{number})\n");
        engine.push("shop.log", lines.as_bytes());
    }
    // What comes later is not looked for, and is told as the log has it.
    engine.push("shop.log", log("one").as_bytes());
    let paths: Vec<_> = engine.issues().into_iter().filter_map(|issue| issue.location).map(|at| at.path).collect();
    assert!(paths.iter().any(|path| path == "dist/main.min.js"), "{} issues", paths.len());
}

#[test]
fn what_a_frame_is_told_as_does_not_depend_on_when_the_session_was_saved() {
    let settings = Settings { max_groups: 10_000, max_new_per_hour: 10_000, ..Settings::default() };
    let maps = || Maps::new(folder().join("one"), "");
    let analyze = |saved: bool| {
        let mut engine = Engine::new(settings.clone()).with_maps(maps());
        for number in 0..700 {
            let lines = format!("TypeError: x\n    at f (/srv/app/a{number}/b{number}.js:1:{number})\n");
            engine.push("shop.log", lines.as_bytes());
            if saved && number % 100 == 0 {
                let checkpoint = engine.checkpoint().unwrap();
                engine = Engine::restore(&checkpoint).unwrap().with(settings.clone()).with_maps(maps());
            }
        }
        engine.push("shop.log", log("one").as_bytes());
        engine.issues()
    };
    let whole = analyze(false);
    assert!(whole.iter().any(|issue| issue.location.as_ref().is_some_and(|at| at.path == "dist/main.min.js")));
    assert_eq!(analyze(true), whole);
}
