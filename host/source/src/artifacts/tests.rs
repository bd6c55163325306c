use std::os::unix::net::UnixListener;

use proptest::prelude::*;

use super::*;

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("artifacts")).unwrap();
    (folder, store)
}

/// A folder with these files; a path that ends with `*` is executable, one with `@` before its content a link.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name.trim_end_matches('*'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        if let Some(target) = content.strip_prefix('@') {
            symlink(target, path).unwrap();
            continue;
        }
        fs::write(&path, content).unwrap();
        let mode = if name.ends_with('*') { 0o755 } else { 0o644 };
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    }
    folder
}

#[test]
fn an_artifact_is_found_by_its_digest_as_it_was_put() {
    let (_folder, store) = store();
    let content = folder(&[("a/run*", "x"), ("b", "y"), ("l", "@a/run")]);
    let digest = store.put(content.path()).unwrap();
    assert!(store.exists(&digest));
    let kept = store.get(&digest).unwrap();
    assert_eq!(fs::read_to_string(kept.join("l")).unwrap(), "x");
    assert_eq!(fs::metadata(kept.join("a/run")).unwrap().permissions().mode() & 0o777, 0o555);
    assert_eq!(store.put(&kept).unwrap(), digest, "what is kept is the same content");
    assert_eq!(fs::read_dir(store.folder.join(INCOMING)).unwrap().count(), 0);
}

#[test]
fn the_digest_is_of_a_fixed_form() {
    let (_folder, store) = store();
    let digest = store.put(folder(&[("index.html", "hello\n")]).path()).unwrap();
    assert_eq!(digest, "sha256:f595624f0abf8db336906d6fd4c5fe2c25cc3a201bb3eb15c018bbb37eb5f97b");
}

#[test]
fn the_same_content_has_the_same_digest_whatever_its_times_and_empty_folders() {
    let (_folder, store) = store();
    let (one, two) = (folder(&[("a", "x"), ("b/c", "y")]), folder(&[("b/c", "y"), ("a", "x")]));
    fs::create_dir(two.path().join("empty")).unwrap();
    let old = File::options().write(true).open(two.path().join("a")).unwrap();
    old.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(store.put(one.path()).unwrap(), store.put(two.path()).unwrap());
}

#[test]
fn each_difference_has_another_digest() {
    let (_folder, store) = store();
    let variants: [&[(&str, &str)]; 8] = [
        &[("a", "x")],
        &[("a", "y")],
        &[("a*", "x")],
        &[("b", "x")],
        &[("d/a", "x")],
        &[("a", "x"), ("b", "")],
        &[("a", "x"), ("b", "@a")],
        &[("a", "x"), ("c", "@a")],
    ];
    let digests: std::collections::BTreeSet<String> =
        variants.iter().map(|files| store.put(folder(files).path()).unwrap()).collect();
    assert_eq!(digests.len(), variants.len());
}

#[test]
fn what_is_damaged_is_told_and_put_right_by_putting_it_again() {
    let (_folder, store) = store();
    let content = folder(&[("a", "x")]);
    let digest = store.put(content.path()).unwrap();
    let file = store.get(&digest).unwrap().join("a");
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    fs::write(&file, "evil").unwrap();
    let error = store.get(&digest).unwrap_err();
    assert!(matches!(error, ArtifactError::Damaged { .. }), "{error}");
    assert!(error.to_string().contains("is damaged; build its commit again"), "{error}");
    assert_eq!(store.put(content.path()).unwrap(), digest);
    assert_eq!(fs::read_to_string(store.get(&digest).unwrap().join("a")).unwrap(), "x");
}

#[test]
fn what_is_no_digest_or_not_there_is_refused() {
    let (_folder, store) = store();
    for text in ["", "sha256:..", "sha256:../../../../etc", "md5:00", &format!("sha256:{}", "A".repeat(64))] {
        assert!(matches!(store.get(text), Err(ArtifactError::Digest(_))), "{text}");
        assert!(!store.exists(text));
    }
    let absent = format!("sha256:{}", "0".repeat(64));
    assert_eq!(
        store.get(&absent).unwrap_err().to_string(),
        format!("there is no artifact {absent}; build its commit again")
    );
}

#[test]
fn a_folder_that_no_artifact_can_be_is_refused_and_leaves_nothing() {
    let (_folder, store) = store();
    let link = folder(&[("a", "x"), ("out", "@../outside")]);
    assert!(matches!(store.put(link.path()), Err(ArtifactError::LinkOut { .. })));
    let absolute = folder(&[("a", "@/etc/passwd")]);
    assert!(matches!(store.put(absolute.path()), Err(ArtifactError::LinkOut { .. })));
    let special = folder(&[("a", "x")]);
    let _socket = UnixListener::bind(special.path().join("socket")).unwrap();
    assert!(matches!(store.put(special.path()), Err(ArtifactError::Special(_))));
    assert!(matches!(store.put(folder(&[]).path()), Err(ArtifactError::Empty(_))));
    let large = folder(&[("a", "12345"), ("b", "12345")]);
    let error = store.clone().bounded(9, 10).put(large.path()).unwrap_err().to_string();
    assert!(error.ends_with("has more than 9 bytes; name what belongs to a release in [build] `outputs`"), "{error}");
    assert!(matches!(store.clone().bounded(100, 1).put(large.path()), Err(ArtifactError::TooLarge { .. })));
    store.clone().bounded(10, 2).put(large.path()).unwrap();
    assert_eq!(fs::read_dir(store.folder.join(INCOMING)).unwrap().count(), 0);
}

#[test]
fn what_a_killed_process_left_behind_is_removed_when_it_is_old() {
    let (_folder, store) = store();
    let incoming = store.folder.join(INCOMING);
    for name in ["old", "new"] {
        fs::create_dir(incoming.join(name)).unwrap();
    }
    File::open(incoming.join("old")).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    Store::open(&store.folder).unwrap();
    let left: Vec<_> = fs::read_dir(incoming).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["new"]);
}

#[test]
fn many_may_put_the_same_at_once() {
    let (_folder, store) = store();
    let content = folder(&[("a", "x"), ("b/c", "y")]);
    let digests: Vec<String> = std::thread::scope(|scope| {
        let put = || store.put(content.path()).unwrap();
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(put)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(digests.windows(2).all(|pair| pair[0] == pair[1]));
    store.get(&digests[0]).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn two_folders_have_one_digest_only_if_they_are_equal(
        one in proptest::collection::btree_map("[ab]{1,2}", "[xy]{0,2}", 1..4),
        two in proptest::collection::btree_map("[ab]{1,2}", "[xy]{0,2}", 1..4),
    ) {
        let (_folder, store) = store();
        let put = |files: &BTreeMap<String, String>| {
            let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
            store.put(folder(&files).path()).unwrap()
        };
        prop_assert_eq!(put(&one) == put(&two), one == two);
    }
}
