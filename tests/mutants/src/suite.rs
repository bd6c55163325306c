//! The tests: which mutants each reaches, and which of them fail when one is on.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    command::tested,
    each::for_each,
    together::{Built, Program},
    tried::Outcome,
};

/// Tests of how the simulation tells what it found: they take most of a minute, and say nothing of the core.
const LEFT_OUT: &str = "shrink::";

/// A test that takes so many times as long as without a change is taken for one that never ends.
const ENDLESS: u32 = 20;

/// The shortest time after which that is done: the machine may have other work.
const AT_LEAST: Duration = Duration::from_secs(20);

/// How often a test is asked whether it is over.
const BETWEEN: Duration = Duration::from_millis(2);

/// All tests, the quickest first.
pub(crate) struct Suite(Vec<Test>);

struct Test {
    name: String,
    program: PathBuf,
    folder: PathBuf,
    /// How long it takes.
    takes: Duration,
    /// The mutants whose place it comes by.
    reached: BTreeSet<usize>,
}

/// How a test ended.
#[derive(PartialEq, Eq)]
enum Ended {
    Passed,
    Failed,
    Never,
}

impl Suite {
    /// Runs all tests once, to see what they reach.
    ///
    /// # Errors
    /// When one fails without any change: every mutant would seem to be found by it.
    pub(crate) fn run(built: &Built, folder: &Path) -> Result<Self> {
        let notes = folder.join("reached");
        fs::create_dir_all(&notes).with_context(|| format!("cannot make {}", notes.display()))?;
        let mut all = Vec::new();
        for program in &built.programs {
            all.extend(tests_of(program)?);
        }
        let numbered: Vec<(usize, Test)> = all.into_iter().enumerate().collect();
        let mut tests = for_each(numbered, |(number, mut test)| {
            let note = notes.join(number.to_string());
            remove(&note)?;
            let begun = Instant::now();
            let ended = test.run(None, &note, Duration::MAX)?;
            ensure!(ended == Ended::Passed, "the test `{}` fails without any change", test.name);
            test.takes = begun.elapsed();
            let reached = if note.exists() { fs::read_to_string(&note)? } else { String::new() };
            test.reached = reached.lines().filter_map(|line| line.parse().ok()).collect();
            Ok(test)
        })?;
        tests.sort_by_key(|test| test.takes);
        Ok(Self(tests))
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// What comes of this mutant, by the tests that come by it.
    ///
    /// # Errors
    /// When a test cannot be started.
    pub(crate) fn look_at(&self, mutant: usize) -> Result<Outcome> {
        let nowhere = Path::new("/dev/null");
        for test in self.0.iter().filter(|test| test.reached.contains(&mutant)) {
            match test.run(Some(mutant), nowhere, (test.takes * ENDLESS).max(AT_LEAST))? {
                Ended::Passed => {}
                Ended::Failed => return Ok(Outcome::Caught),
                Ended::Never => return Ok(Outcome::Timeout),
            }
        }
        Ok(Outcome::Missed)
    }
}

impl Test {
    fn run(&self, mutant: Option<usize>, note: &Path, longest: Duration) -> Result<Ended> {
        let mut command = Command::new(&self.program);
        tested(&mut command);
        command.args(["--exact", &self.name]).current_dir(&self.folder).env("CARGO_MANIFEST_DIR", &self.folder);
        match mutant {
            Some(mutant) => command.env("MUTANT_ON", mutant.to_string()),
            None => command.env("MUTANTS_REACHED", note),
        };
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().with_context(|| format!("cannot start {}", self.program.display()))?;
        ended(&mut child, longest)
    }
}

/// Waits for it so long, then ends it.
fn ended(child: &mut Child, longest: Duration) -> Result<Ended> {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(if status.success() { Ended::Passed } else { Ended::Failed });
        }
        if begun.elapsed() > longest {
            child.kill()?;
            child.wait()?;
            return Ok(Ended::Never);
        }
        sleep(BETWEEN);
    }
}

fn tests_of(program: &Program) -> Result<Vec<Test>> {
    let output = Command::new(&program.path)
        .args(["--list", "--format", "terse"])
        .current_dir(&program.folder)
        .output()
        .with_context(|| format!("cannot start {}", program.path.display()))?;
    let listed = String::from_utf8(output.stdout).context("the name of a test is not UTF-8")?;
    let names =
        listed.lines().filter_map(|line| line.strip_suffix(": test")).filter(|name| !name.starts_with(LEFT_OUT));
    let test = |name: &str| Test {
        name: name.to_owned(),
        program: program.path.clone(),
        folder: program.folder.clone(),
        takes: Duration::ZERO,
        reached: BTreeSet::new(),
    };
    Ok(names.map(test).collect())
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}
