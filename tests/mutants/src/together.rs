//! The tests of a copy of the project that has many mutants, each behind a switch: they are built once.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

use crate::{
    command::{cargo, prepared, root},
    listed::Mutant,
    switch::{self, At},
};

/// The packages whose tests look for mutants, each with the folders of the mutants that it can come by.
const TESTED_BY: [(&str, &[&str]); 4] = [
    ("autodevops-pipeline", &["host/pipeline/"]),
    ("autodevops-driver", &["host/pipeline/", "host/driver/"]),
    ("autodevops-simulation", &["host/pipeline/", "host/driver/"]),
    ("autodevops-orchestrator", &["host/pipeline/", "host/driver/", "host/orchestrator/"]),
];

/// What is built without optimization: it is built again in every round, and its tests wait for files more than they compute.
const QUICKLY: [&str; 2] = ["--config", "profile.dev.package.autodevops-orchestrator.opt-level=0"];

/// How often what does not compile is taken out: the compiler looks at types first, and at borrows once all types are right.
const ROUNDS: usize = 30;

/// The packages whose tests can come by a mutant in one of these files.
pub(crate) fn tested_by<'a>(files: impl Iterator<Item = &'a str> + Clone) -> Vec<&'static str> {
    let comes_by = |folders: &[&str]| files.clone().any(|file| folders.iter().any(|folder| file.starts_with(folder)));
    TESTED_BY.iter().filter(|(_, folders)| comes_by(folders)).map(|(package, _)| *package).collect()
}

/// The tests, built.
pub(crate) struct Built {
    pub(crate) programs: Vec<Program>,
    /// The mutants that are in them, by their numbers.
    pub(crate) numbers: BTreeSet<usize>,
    /// Those that would not compile by themselves either.
    pub(crate) unviable: BTreeSet<usize>,
}

/// A program of tests.
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    /// Where cargo runs it.
    pub(crate) folder: PathBuf,
}

/// Builds the tests with as many of the mutants as compile together; their numbers are their places in the list.
///
/// # Errors
/// When the project cannot be copied, or does not compile even without those that the compiler speaks of.
pub(crate) fn build(mutants: &[Mutant], folder: &Path) -> Result<Built> {
    let copy = folder.join("copy");
    copied(&root(), &copy)?;
    let packages = tested_by(mutants.iter().map(|mutant| mutant.file.as_str()));
    let (mut without, mut unviable, mut called) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for _ in 0..ROUNDS {
        let Rewritten { texts, numbers, never } = rewritten(mutants, &without, &called, &copy)?;
        unviable.extend(never);
        match built(&packages, &copy, folder)? {
            Ok(programs) => return Ok(Built { programs, numbers, unviable }),
            Err(errors) => {
                let before = without.len() + called.len();
                called.extend(errors.iter().filter_map(Message::called).map(str::to_owned));
                for error in &errors {
                    for place in &error.spans {
                        let Some(text) = texts.get(&place.file_name) else { continue };
                        match switch::at(text, place.byte_start) {
                            Some(At::Within(number)) => {
                                without.insert(number);
                                // A type that has no such operator or value has none where the mutant stands alone.
                                if place.is_primary && error.is_of_types() {
                                    unviable.insert(number);
                                }
                            }
                            Some(At::Around(numbers)) => without.extend(numbers),
                            None => {}
                        }
                    }
                }
                if without.len() + called.len() == before {
                    let first = errors.first().and_then(|error| error.rendered.clone()).unwrap_or_default();
                    bail!("the tests do not compile, and no mutant is the reason: {first}");
                }
                eprintln!("{} mutants do not compile with the others", without.len());
            }
        }
    }
    bail!("the tests did not compile in {ROUNDS} attempts, each without those that the compiler spoke of before")
}

/// Copies what git knows of the project, or would, with the times of its files: what did not change is not built again.
fn copied(from: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        fs::remove_dir_all(to).with_context(|| format!("cannot remove {}", to.display()))?;
    }
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(from)
        .output()
        .context("git cannot be started")?;
    ensure!(listed.status.success(), "`git ls-files` failed: {}", String::from_utf8_lossy(&listed.stderr));
    let names = String::from_utf8(listed.stdout).context("a file's name is not UTF-8")?;
    for name in names.split_terminator('\0') {
        let (from, to) = (from.join(name), to.join(name));
        let Ok(data) = fs::symlink_metadata(&from) else { continue };
        let folder = to.parent().unwrap_or(&to);
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        if data.is_file() {
            fs::copy(&from, &to).with_context(|| format!("cannot copy {}", from.display()))?;
            fs::File::options().write(true).open(&to)?.set_modified(data.modified()?)?;
        } else if data.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(&from)?, &to)?;
        }
    }
    Ok(())
}

/// The files that mutants are in.
#[derive(Default)]
struct Rewritten {
    /// Their texts, each by its path.
    texts: BTreeMap<String, String>,
    /// The mutants in them.
    numbers: BTreeSet<usize>,
    /// The mutants that would not compile by themselves either.
    never: BTreeSet<usize>,
}

/// Writes the files of the copy that mutants are in.
fn rewritten(
    mutants: &[Mutant],
    without: &BTreeSet<usize>,
    called: &BTreeSet<String>,
    copy: &Path,
) -> Result<Rewritten> {
    let mut of_files: BTreeMap<&str, Vec<(usize, &Mutant)>> = BTreeMap::new();
    for (number, mutant) in mutants.iter().enumerate() {
        let of_file = of_files.entry(&mutant.file).or_default();
        if !without.contains(&number) {
            of_file.push((number, mutant));
        }
    }
    // The module with the switches is in each crate's first file.
    let firsts: BTreeSet<String> = of_files.keys().filter_map(|file| first_file(file)).collect();
    let mut rewritten = Rewritten::default();
    for file in firsts.iter().map(String::as_str).chain(of_files.keys().copied()).collect::<BTreeSet<_>>() {
        let source = fs::read_to_string(root().join(file)).with_context(|| format!("cannot read {file}"))?;
        let of_file = of_files.remove(file).unwrap_or_default();
        let switched = switch::put(&source, of_file, called).with_context(|| file.to_owned())?;
        let text =
            if firsts.contains(file) { switch::with_switches(&switched.text, mutants.len()) } else { switched.text };
        let path = copy.join(file);
        if fs::read_to_string(&path).ok().as_ref() != Some(&text) {
            fs::write(&path, &text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        rewritten.texts.insert(file.to_owned(), text);
        rewritten.numbers.extend(switched.numbers);
        rewritten.never.extend(switched.unviable);
    }
    Ok(rewritten)
}

/// The first file of the crate that this one is of.
fn first_file(file: &str) -> Option<String> {
    let (krate, _) = file.split_once("/src/")?;
    Some(format!("{krate}/src/lib.rs"))
}

/// What cargo says, line by line.
#[derive(Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
enum Said {
    CompilerMessage {
        message: Message,
    },
    CompilerArtifact {
        executable: Option<PathBuf>,
        manifest_path: PathBuf,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Message {
    level: String,
    message: String,
    code: Option<Code>,
    spans: Vec<Place>,
    rendered: Option<String>,
}

#[derive(Deserialize)]
struct Code {
    code: String,
}

#[derive(Deserialize)]
struct Place {
    file_name: String,
    byte_start: usize,
    is_primary: bool,
}

impl Message {
    /// Whether it says that there is no such type, or that a type has no such operator, function or value.
    fn is_of_types(&self) -> bool {
        const OF_TYPES: [&str; 8] = ["E0277", "E0308", "E0368", "E0369", "E0412", "E0433", "E0599", "E0600"];
        self.code.as_ref().is_some_and(|code| OF_TYPES.contains(&code.code.as_str()))
    }

    /// The function that is called where all is fixed when it is compiled, and may not be: as in "cannot call non-const associated function
    /// `Span::<u8>::new` in constants".
    fn called(&self) -> Option<&str> {
        const NOT_CONSTANT: &str = "E0015";
        self.code.as_ref().filter(|code| code.code == NOT_CONSTANT)?;
        let (_, quoted) = self.message.split_once('`')?;
        let (path, _) = quoted.split_once('`')?;
        path.rsplit("::").next()
    }
}

/// Builds the tests of the copy; the compiler's errors, where they do not compile.
fn built(packages: &[&str], copy: &Path, folder: &Path) -> Result<Result<Vec<Program>, Vec<Message>>> {
    let mut command = cargo(&["test", "--no-run", "--lib", "--tests", "--message-format=json"]);
    prepared(&mut command, &folder.join("together"));
    command.current_dir(copy).args(QUICKLY).args(packages.iter().flat_map(|package| ["--package", *package]));
    eprintln!("$ cargo test --no-run, in {}", copy.display());
    let mut child = command.stdout(Stdio::piped()).spawn().context("cargo cannot be started")?;
    let (mut programs, mut errors) = (Vec::new(), Vec::new());
    for line in child.stdout.take().into_iter().flat_map(|output| BufReader::new(output).lines()) {
        match serde_json::from_str(&line?)? {
            Said::CompilerMessage { message } if message.level == "error" => errors.push(message),
            Said::CompilerArtifact { executable: Some(path), manifest_path } => {
                let folder = manifest_path.parent().unwrap_or(copy).to_path_buf();
                programs.push(Program { path, folder });
            }
            _ => {}
        }
    }
    let status = child.wait()?;
    match (status.success(), errors.is_empty()) {
        (true, _) => Ok(Ok(programs)),
        (false, false) => Ok(Err(errors)),
        (false, true) => bail!("cargo ended with {status}, and no compiler said why"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_that_a_constant_is_made_by_is_known_by_the_compilers_words() {
        let said = |code: &str, message: &str| -> Message {
            let (code, message) = (serde_json::json!({ "code": code }), message);
            serde_json::from_value(
                serde_json::json!({ "level": "error", "code": code, "message": message, "spans": [] }),
            )
            .unwrap()
        };
        let message = "cannot call non-const associated function `Span::<u8>::new` in constants";
        assert_eq!(said("E0015", message).called(), Some("new"));
        assert_eq!(said("E0015", "cannot call non-const function `fits` in statics").called(), Some("fits"));
        assert_eq!(said("E0308", message).called(), None);
    }

    #[test]
    fn only_tests_that_can_come_by_a_mutant_are_built() {
        let of = |files: &[&str]| tested_by(files.iter().copied());
        assert_eq!(of(&["host/orchestrator/src/gc.rs"]), ["autodevops-orchestrator"]);
        let of_driver = ["autodevops-driver", "autodevops-simulation", "autodevops-orchestrator"];
        assert_eq!(of(&["host/orchestrator/src/gc.rs", "host/driver/src/lib.rs"]), of_driver);
        assert_eq!(of(&["host/pipeline/src/run.rs"]), TESTED_BY.map(|(package, _)| package));
    }
}
