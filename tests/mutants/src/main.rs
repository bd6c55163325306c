//! `cargo xtask mutants`: whether the tests of the decision core, of its driver and of the orchestrator bite. `cargo mutants` says how they can
//! be changed in one place at a time, and each change should make some test fail. Which files are changed, `.cargo/mutants.toml` says; the
//! changes that no test finds are listed with their reasons in `tests/simulation/mutants.md`.
//!
//! To build each change by itself would take a night. So all are built together, each behind a switch, and the tests are run with one
//! of them turned on; a test is only run with changes in places that it comes by. The few that cannot stand beside what was there are
//! left to `cargo mutants` itself, one by one.
//!
//! A change that does not end counts as found: whoever drives a run would notice. What was found is on record in the target folder, with the
//! file that it was found in: the next call goes on from there.

mod alone;
mod command;
mod each;
mod listed;
mod shard;
mod suite;
mod switch;
mod together;
mod tried;

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Parser;
use rustix::process::{Resource, Rlimit, setrlimit};

use command::cargo;
use each::for_each;
use listed::Mutant;
use shard::Shard;
use suite::Suite;
use tried::{Outcome, Tried};

/// The least share of viable mutants that must be found, in per cent.
const LEAST: usize = 90;

/// The most memory that a compiler or a test may take, in bytes: a change by which something is collected without an end must not take the
/// machine's. 8 GiB of what can be written to: of addresses plugins' memories reserve more.
const MEMORY: u64 = 8 << 30;

/// Changes the decision core and what drives it in one place at a time, and sees whether the tests find each change.
#[derive(Parser)]
#[command(name = "cargo xtask mutants")]
struct Arguments {
    /// Try a part of them only, such as `3/20`: every twentieth, from the fourth on. Give it several times for several parts.
    #[arg(long, value_name = "K/N")]
    shard: Vec<Shard>,
    /// Try only those that have this in their name or their file, such as `verdict/threshold`.
    #[arg(long, value_name = "REGEX")]
    only: Option<String>,
    /// Leave out what must be built one by one; it counts as not tried.
    #[arg(long)]
    together: bool,
}

/// Tries them, and prints how many were found and which were not.
fn main() -> Result<()> {
    let arguments = Arguments::parse();
    for tool in ["mutants", "nextest"] {
        let installed = cargo(&[tool, "--version"]).output().is_ok_and(|output| output.status.success());
        ensure!(installed, "`cargo {tool}` is not installed; install it with `cargo install cargo-{tool} --locked`");
    }
    let limit = Rlimit { current: Some(MEMORY), maximum: Some(MEMORY) };
    setrlimit(Resource::Data, limit).context("the memory that a test may take cannot be limited")?;
    let folder = command::folder();
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut tried = Tried::open(&folder)?;
    alone::take_over(&mut tried, &folder)?;

    let mutants = listed::all(arguments.only.as_deref(), &folder)?;
    let within = |index: usize| arguments.shard.is_empty() || arguments.shard.iter().any(|shard| shard.has(index));
    let chosen: Vec<String> =
        mutants.iter().enumerate().filter(|(at, _)| within(*at)).map(|(_, mutant)| mutant.name.clone()).collect();
    ensure!(!chosen.is_empty(), "no mutant is chosen; see `cargo mutants --list`");

    let rest = try_together(&mut tried, &mutants, &chosen, &folder)?;
    if !arguments.together {
        alone::try_each(&mut tried, &rest, &folder)?;
    }
    told(&tried, &chosen)
}

/// Tries those of the chosen that can be built together. The names of the others.
fn try_together(tried: &mut Tried, mutants: &[Mutant], chosen: &[String], folder: &Path) -> Result<Vec<String>> {
    let open = tried.open_among(chosen).into_iter().map(str::to_owned).collect::<Vec<_>>();
    if open.is_empty() {
        return Ok(open);
    }
    let built = together::build(mutants, folder)?;
    let number = |name: &String| mutants.iter().position(|mutant| mutant.name == *name);
    let is_in = |numbers: &BTreeSet<usize>, name: &String| number(name).is_some_and(|number| numbers.contains(&number));
    let (unviable, open): (Vec<_>, Vec<_>) = open.into_iter().partition(|name| is_in(&built.unviable, name));
    for name in unviable {
        tried.put(&name, Outcome::Unviable)?;
    }
    let suite = Suite::run(&built, folder)?;
    let (here, rest): (Vec<_>, Vec<_>) = open.into_iter().partition(|name| is_in(&built.numbers, name));
    eprintln!("{} mutants together, by {} tests; {} others", here.len(), suite.len(), rest.len());
    let (count, done, tried) = (here.len(), AtomicUsize::new(0), Mutex::new(tried));
    for_each(here, |name| {
        let outcome = suite.look_at(number(&name).context("it is listed")?)?;
        tried.lock().unwrap_or_else(PoisonError::into_inner).put(&name, outcome)?;
        let done = done.fetch_add(1, Ordering::Relaxed) + 1;
        if outcome != Outcome::Caught {
            eprintln!("{done}/{count} {}: {name}", outcome.name());
        }
        Ok(())
    })?;
    Ok(rest)
}

/// Says what came of them.
fn told(tried: &Tried, chosen: &[String]) -> Result<()> {
    let of = |outcome: Outcome| tried.among(chosen, outcome);
    let [caught, missed, timeout, unviable] =
        [Outcome::Caught, Outcome::Missed, Outcome::Timeout, Outcome::Unviable].map(of);
    for (words, names) in [("missed", &missed), ("did not end", &timeout)] {
        names.iter().for_each(|name| println!("  {words}: {name}"));
    }
    let (found, viable) = (caught.len() + timeout.len(), caught.len() + timeout.len() + missed.len());
    println!(
        "{} chosen: {} caught, {} did not end, {} missed, {} did not compile, {} were not tried",
        chosen.len(),
        caught.len(),
        timeout.len(),
        missed.len(),
        unviable.len(),
        chosen.len() - viable - unviable.len()
    );
    ensure!(viable + unviable.len() == chosen.len(), "some were not tried; call it again, it goes on from here");
    if found * 100 < viable * LEAST {
        bail!("fewer than {LEAST} % of {viable} viable mutants were found: write the tests that find those above");
    }
    Ok(())
}
