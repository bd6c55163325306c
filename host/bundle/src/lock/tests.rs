use std::{fs, path::Path};

use autodevops_policy::{Access, Limits, Manifest, Preopen, effective};
use proptest::prelude::*;

use super::*;

/// The plugin of the tests of grants, which asks for one of each.
const MANIFEST: &str = include_str!("../../../policy/src/testing/asks.toml");

fn manifest() -> Manifest {
    Manifest::parse(MANIFEST, "plugin.toml").unwrap()
}

fn grant() -> Grant {
    toml::from_str(
        "clocks = true\nhttp = [\"https://api.example.com/v1\", \"http://127.0.0.1:9100\"]\n\
         files.\"/data\" = { host = \"/srv/project/data\", access = \"read-write\" }\n\
         credentials.token = { file = \"/srv/project/token\" }\n",
    )
    .unwrap()
}

fn answer(name: &str) -> Answer {
    Answer {
        name: name.into(),
        version: "0.2.0".into(),
        digest: Digest::of(b"component"),
        answered: "2026-11-25T01:00:00Z".parse().unwrap(),
        by: "ada".into(),
        asked: Asked::of(&manifest()),
        granted: grant(),
    }
}

fn lock(answers: impl IntoIterator<Item = Answer>) -> LockFile {
    let mut lock = LockFile::default();
    answers.into_iter().for_each(|answer| lock.put(answer));
    lock
}

#[test]
fn what_is_written_is_read_again_and_says_nothing_that_says_nothing() {
    let lock = lock([answer("b"), answer("a")]);
    let text = lock.to_text().unwrap();
    assert_eq!(LockFile::parse(&text, LOCK).unwrap(), lock);
    assert_eq!(LockFile::parse(&text, LOCK).unwrap().to_text().unwrap(), text);
    assert!(text.find("name = \"a\"").unwrap() < text.find("name = \"b\"").unwrap(), "{text}");
    for words in ["= false", "= []", "limits.wall"] {
        assert!(!text.contains(words), "{words}\n{text}");
    }
    assert!(text.contains("memory = \"1 GiB\""), "{text}");
    assert!(LockFile::parse("format = 1\n", LOCK).unwrap().answers().next().is_none());
}

#[test]
fn what_an_answer_is_effective_as_is_what_the_manifest_and_the_grant_are_together() {
    let (now, then) = (effective(&manifest(), &grant()), answer("a").effective());
    assert_eq!(Limits { wall_time: now.limits.wall_time, ..then.limits }, now.limits);
    assert_eq!(autodevops_policy::EffectiveGrant { limits: now.limits, ..then }, now);
}

fn needs(lock: &LockFile, manifest: &Manifest, component: &[u8], grant: &Grant) -> Option<NeedsAnswer> {
    let (asked, effective) = (Asked::of(manifest), effective(manifest, grant));
    lock.needs_answer(&manifest.name, &manifest.version, Digest::of(component), &asked, &effective)
}

#[test]
fn an_answer_holds_for_its_component_and_for_no_more_than_was_answered() {
    let held = lock([answer("a")]);
    assert_eq!(needs(&held, &manifest(), b"component", &grant()), None);
    assert_eq!(needs(&held, &manifest(), b"component", &Grant::default()), None, "less is no question");
    let text = |needs: Option<NeedsAnswer>| needs.unwrap().to_string();
    let never = text(needs(&LockFile::default(), &manifest(), b"component", &grant()));
    assert!(never.starts_with("plugin `a` 0.2.0 asks to ") && never.ends_with("and nobody answered yet"), "{never}");
    let other = text(needs(&held, &manifest(), b"changed", &grant()));
    assert!(other.contains("is another component") && other.contains("it asks for nothing new"), "{other}");
    let mut wider = grant();
    wider.http.push("http://127.0.0.1:9200".parse().unwrap());
    let more = text(needs(&held, &manifest(), b"component", &wider));
    assert!(more.contains("may do more now than was answered: send requests to http://127.0.0.1:9200"), "{more}");
    let mut asking = manifest();
    asking.limits.memory = autodevops_policy::Bytes(2 << 30);
    let raised = text(needs(&held, &asking, b"component", &grant()));
    assert!(raised.contains("use up to 2 GiB of memory (answered: 1 GiB)"), "{raised}");
}

#[test]
fn a_plugin_that_asks_for_nothing_needs_no_answer() {
    let text =
        "name = \"a\"\nversion = \"0.1.0\"\ndescription = \"x\"\nstages = [\"check\"]\n[limits]\nmemory = \"1 MiB\"\n";
    let quiet = Manifest::parse(text, "plugin.toml").unwrap();
    assert_eq!(needs(&LockFile::default(), &quiet, b"any", &Grant::default()), None);
}

#[test]
fn what_does_not_hold_together_is_told_with_its_place_and_the_remedy() {
    let good = lock([answer("a"), answer("b")]).to_text().unwrap();
    let digest = Digest::of(b"component").to_string();
    for (from, to, words) in [
        ("format = 1", "format = 7", "autodevops.lock:4:10: the format 7 is not known, only 1 is"),
        ("format = 1", "format = \"1\"", "autodevops.lock:4:10: invalid type"),
        ("format = 1\n", "", "missing field `format`"),
        (digest.as_str(), "blake3:abc", "`a`: \"blake3:abc\" is no digest; it is written `blake3:` and 64 hex digits"),
        ("by = ", "bye = ", "unknown key `bye`; did you mean `by`?"),
        ("version = \"0.2.0\"", "version = 2", "invalid type: integer `2`, expected a string"),
        ("answered = 2026-11-25T01:00:00Z", "answered = \"then\"", "autodevops.lock:"),
        ("name = \"b\"", "name = \"a\"", "`a` is answered twice; remove one"),
        ("name = \"a\"", "name = \"c\"", "`b` stands after `c`; entries are sorted by name"),
        ("[plugin.granted]\n", "[plugin.granted]\nrandom = true\n", "plugin `a` does not ask for what"),
        ("[plugin.granted]\n", "[plugin.granted]\nclock = true\n", "unknown key `clock`; did you mean `clocks`?"),
        ("https://api.example.com:443/v1/", "https://evil.example/", "plugin `a` does not ask for what"),
    ] {
        assert!(good.contains(from), "{from}\n{good}");
        let error = LockFile::parse(&good.replacen(from, to, 1), LOCK).unwrap_err().to_string();
        assert!(error.contains(words), "{error}\nlacks: {words}");
        assert!(error.starts_with("autodevops.lock:"), "{error}");
    }
}

#[test]
fn folders_of_the_project_are_written_as_they_are_on_every_machine() {
    let mut answer = answer("a");
    let other = Preopen { host: Some("/var/lib/x".into()), access: Access::ReadOnly };
    answer.granted.files.insert("/other".into(), other);
    answer.relative_to(Path::new("/srv/project"));
    assert_eq!(answer.granted.files["/data"].host.as_deref(), Some(Path::new("data")));
    assert_eq!(answer.granted.files["/other"].host.as_deref(), Some(Path::new("/var/lib/x")));
    assert_eq!(answer.granted.credentials["token"].file.as_deref(), Some(Path::new("token")));
    answer.granted.files.get_mut("/data").unwrap().host = Some("/srv/project".into());
    answer.relative_to(Path::new("/srv/project"));
    assert_eq!(answer.granted.files["/data"].host.as_deref(), Some(Path::new(".")));
}

#[test]
fn the_file_is_replaced_whole_or_left_and_nothing_else_is_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(LOCK);
    assert_eq!(LockFile::read(&path).unwrap(), LockFile::default());
    LockFile::update(folder.path(), |lock| lock.put(answer("a"))).unwrap();
    LockFile::update(folder.path(), |lock| lock.put(answer("b"))).unwrap();
    assert_eq!(LockFile::read(&path).unwrap(), lock([answer("a"), answer("b")]));
    let text = fs::read_to_string(&path).unwrap();
    // What would not be read again is not written.
    let wrong = Answer { granted: toml::from_str("random = true").unwrap(), ..answer("c") };
    let error = LockFile::update(folder.path(), |lock| lock.put(wrong)).unwrap_err();
    assert!(matches!(error, LockFileError::Unwritable(_)), "{error}");
    // What is broken is not replaced.
    fs::write(&path, "format = 1\n[[plugin").unwrap();
    let error = LockFile::update(folder.path(), |lock| lock.put(answer("a"))).unwrap_err();
    assert!(matches!(error, LockFileError::Invalid(_)), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "format = 1\n[[plugin");
    fs::write(&path, &text).unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    assert!(LockFile::read(folder.path()).unwrap_err().to_string().contains("it is no file"));
}

#[test]
fn two_who_answer_at_once_are_both_heard() {
    let folder = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for name in ["a", "b", "c", "d", "e", "f", "g", "h"] {
            let folder = folder.path();
            scope.spawn(move || LockFile::update(folder, |lock| lock.put(answer(name))).unwrap());
        }
    });
    assert_eq!(LockFile::read(&folder.path().join(LOCK)).unwrap().answers().count(), 8);
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,80}") {
        let _ = LockFile::parse(&format!("format = 1\n{text}"), LOCK);
        let _ = text.parse::<Digest>();
    }
}
