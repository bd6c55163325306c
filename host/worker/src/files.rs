//! Static files below the public folder.

use std::path::{Path, PathBuf};

use autodevops_policy::ProjectPath;

/// The file that a request's path names: itself, its `index.html`, or it with `.html`; none when there is none, or when it would
/// lie outside of the folder.
pub fn find(public: &Path, path: &str) -> Option<PathBuf> {
    let path = decoded(path.strip_prefix('/')?)?;
    let folder = public.canonicalize().ok()?;
    let trimmed = path.trim_end_matches('/');
    if !trimmed.is_empty() && ProjectPath::new(trimmed).is_err() {
        return None;
    }
    let base = folder.join(trimmed);
    [base.clone(), base.join("index.html"), folder.join(format!("{trimmed}.html"))]
        .into_iter()
        .filter_map(|candidate| candidate.canonicalize().ok())
        .find(|candidate| candidate.starts_with(&folder) && candidate.is_file())
}

/// Per cent signs undone; none when what they stand for is no text.
fn decoded(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, tail @ ..] = rest {
        if *first == b'%' {
            let [high, low, after @ ..] = tail else { return None };
            let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            bytes.push(digit(*high)? * 16 + digit(*low)?);
            rest = after;
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn files_are_found_and_nothing_outside_of_the_folder() {
        let root = tempfile::tempdir().unwrap();
        let public = root.path().join("public");
        fs::create_dir_all(public.join("sub")).unwrap();
        for name in ["index.html", "a b.txt", "about.html", "sub/index.html"] {
            fs::write(public.join(name), name).unwrap();
        }
        fs::write(root.path().join("secret"), "x").unwrap();
        std::os::unix::fs::symlink(root.path().join("secret"), public.join("link")).unwrap();
        let name = |path: &str| {
            find(&public, path)
                .map(|found| found.strip_prefix(public.canonicalize().unwrap()).unwrap().display().to_string())
        };
        assert_eq!(name("/"), Some("index.html".into()));
        assert_eq!(name("/a%20b.txt"), Some("a b.txt".into()));
        assert_eq!(name("/about"), Some("about.html".into()));
        assert_eq!(name("/sub/"), Some("sub/index.html".into()));
        for outside in
            ["/../secret", "/%2e%2e/secret", "/link", "/..%2fsecret", "//etc/passwd", "/sub/../../secret", "/%zz"]
        {
            assert_eq!(name(outside), None, "{outside}");
        }
    }
}
