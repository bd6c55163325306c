//! What came of each mutant, on record from one call to the next.

use std::{
    collections::BTreeMap,
    fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use anyhow::{Context as _, Result};

use crate::command::root;

/// What came of a mutant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A test failed.
    Caught,
    /// It does not compile.
    Unviable,
    /// The tests did not come to an end.
    Timeout,
    /// No test failed.
    Missed,
}

impl Outcome {
    pub(crate) const ALL: [Self; 4] = [Self::Caught, Self::Unviable, Self::Timeout, Self::Missed];

    /// What further tests would not change.
    pub(crate) const SETTLED: [Self; 2] = [Self::Caught, Self::Unviable];

    /// As `cargo mutants` calls its lists of them.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Caught => "caught",
            Self::Unviable => "unviable",
            Self::Timeout => "timeout",
            Self::Missed => "missed",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name)
    }
}

/// What came of the mutants so far, each by its name, with the digest of the file that it was made in: what is on record of a file that
/// was changed since is forgotten, as the name has the line.
pub(crate) struct Tried {
    path: PathBuf,
    known: BTreeMap<String, (Outcome, u64)>,
    digests: BTreeMap<String, u64>,
}

impl Tried {
    /// What is on record in the folder; nothing, where there is no record.
    ///
    /// # Errors
    /// When the record cannot be read.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        let path = folder.join("tried.txt");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let mut tried = Self { path, known: BTreeMap::new(), digests: BTreeMap::new() };
        let lines: Vec<(Outcome, u64, &str)> = text.lines().filter_map(entry).collect();
        for (outcome, digest, name) in lines {
            if tried.digest(name) == digest {
                tried.known.insert(name.to_owned(), (outcome, digest));
            }
        }
        Ok(tried)
    }

    /// Takes these outcomes of what `cargo mutants` left in the folder, and puts them on record; then the folder is empty.
    ///
    /// # Errors
    /// When its lists cannot be read, or the record not be written.
    pub(crate) fn take(&mut self, folder: &Path, outcomes: &[Outcome]) -> Result<()> {
        let lists = folder.join("mutants.out");
        let Some(begun) = modified(&lists.join("mutants.json")) else { return Ok(()) };
        for outcome in outcomes {
            let list = lists.join(format!("{}.txt", outcome.name()));
            let names = fs::read_to_string(&list).with_context(|| format!("cannot read {}", list.display()))?;
            for name in names.lines() {
                // Where the file is newer, another one was looked at.
                if modified(&root().join(file(name))).is_some_and(|changed| changed <= begun) {
                    let digest = self.digest(name);
                    self.known.insert(name.to_owned(), (*outcome, digest));
                }
            }
        }
        self.write()?;
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))
    }

    /// Puts on record what came of this one.
    ///
    /// # Errors
    /// When the record cannot be written.
    pub(crate) fn put(&mut self, name: &str, outcome: Outcome) -> Result<()> {
        let digest = self.digest(name);
        self.known.insert(name.to_owned(), (outcome, digest));
        self.write()
    }

    fn write(&self) -> Result<()> {
        let line = |(name, (outcome, digest)): (&String, &(Outcome, u64))| {
            format!("{} {digest:016x} {name}\n", outcome.name())
        };
        let text: String = self.known.iter().map(line).collect();
        fs::write(&self.path, text).with_context(|| format!("cannot write {}", self.path.display()))
    }

    /// Those among them that are still to be tried: of which nothing is known, or that were not found, since there may be more tests now.
    pub(crate) fn open_among<'a>(&self, names: &'a [String]) -> Vec<&'a str> {
        let settled = |name: &str| self.known.get(name).is_some_and(|(outcome, _)| Outcome::SETTLED.contains(outcome));
        names.iter().map(String::as_str).filter(|name| !settled(name)).collect()
    }

    /// Those among them that came to this.
    pub(crate) fn among<'a>(&self, names: &'a [String], wanted: Outcome) -> Vec<&'a str> {
        let came = |name: &str| self.known.get(name).is_some_and(|(outcome, _)| *outcome == wanted);
        names.iter().map(String::as_str).filter(|name| came(name)).collect()
    }

    /// Of the file that the mutant is in.
    fn digest(&mut self, name: &str) -> u64 {
        let file = file(name);
        *self.digests.entry(file.to_owned()).or_insert_with(|| {
            let mut hasher = DefaultHasher::new();
            fs::read(root().join(file)).unwrap_or_default().hash(&mut hasher);
            hasher.finish()
        })
    }
}

/// A line of the record.
fn entry(line: &str) -> Option<(Outcome, u64, &str)> {
    let (outcome, rest) = line.split_once(' ')?;
    let (digest, name) = rest.split_once(' ')?;
    Some((Outcome::named(outcome)?, u64::from_str_radix(digest, 16).ok()?, name))
}

/// The file that a mutant is in: its name begins with that.
fn file(name: &str) -> &str {
    name.split_once(':').map_or(name, |(file, _)| file)
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).ok()?.modified().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of the project that has mutants, as far as these tests are concerned.
    const FILE: &str = "tests/mutants/src/tried.rs";

    fn left_behind(folder: &Path, lists: [(&str, &str); 4]) {
        let out = folder.join("mutants.out");
        fs::create_dir_all(&out).unwrap();
        fs::write(out.join("mutants.json"), "[]").unwrap();
        for (name, lines) in lists {
            fs::write(out.join(format!("{name}.txt")), lines).unwrap();
        }
    }

    fn mutant(name: &str) -> String {
        format!("{FILE}:1:2: replace {name}")
    }

    #[test]
    fn what_was_found_is_known_to_the_next_call_and_what_was_not_is_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["a", "b", "c", "d"].map(mutant);
        let [a, b, c, d] = names.each_ref().map(|name| format!("{name}\n"));
        let own = folder.path().join("own");
        let mut tried = Tried::open(folder.path()).unwrap();
        tried.take(&own, &Outcome::ALL).unwrap();
        assert_eq!(tried.open_among(&names), names);
        left_behind(&own, [("caught", &a), ("unviable", &b), ("timeout", &c), ("missed", &d)]);
        tried.take(&own, &Outcome::SETTLED).unwrap();
        assert!(!own.exists(), "nothing is taken twice");
        let mut tried = Tried::open(folder.path()).unwrap();
        assert_eq!(tried.open_among(&names), names[2..]);
        left_behind(&own, [("caught", ""), ("unviable", ""), ("timeout", &c), ("missed", &d)]);
        tried.take(&own, &Outcome::ALL).unwrap();
        let tried = Tried::open(folder.path()).unwrap();
        let came = Outcome::ALL.map(|outcome| tried.among(&names, outcome));
        assert_eq!(came.map(|names| names.join("")), names);
        assert_eq!(tried.open_among(&names), names[2..], "there may be more tests");
    }

    #[test]
    fn what_was_found_in_a_file_that_is_another_now_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let name = mutant("a");
        fs::write(folder.path().join("tried.txt"), format!("caught {:016x} {name}\n", 1)).unwrap();
        assert_eq!(Tried::open(folder.path()).unwrap().open_among(std::slice::from_ref(&name)), [&name]);
    }
}
