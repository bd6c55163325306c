//! `autodevops gc`: what is not needed any more is removed.

use std::{path::Path, process::ExitCode, time::SystemTime};

use anyhow::{Result, anyhow, bail};
use autodevops_orchestrator::gc::{Freed, collect};
use autodevops_policy::Bytes;
use autodevops_server::{Reply, Request, Unreachable};

use crate::{
    asked::ask_patiently,
    output::{self, Format, Usage, cut},
    project,
};

/// Asks the process that drives the runs, or, where there is none, does it in its place. A dry run looks for itself.
pub async fn run(dry_run: bool, config: Option<&Path>, format: Format) -> Result<ExitCode> {
    let project = project::open(config)?;
    let (mut freed, mut done) = (Vec::new(), Ok(()));
    if dry_run {
        collect(&project, true, SystemTime::now(), &mut freed).await?;
    } else {
        match ask_patiently(&project.state.control_socket(), &Request::Gc).await? {
            Ok(Reply::Freed(all)) => freed = all,
            Ok(Reply::FreedUntil { freed: some, why }) => (freed, done) = (some, Err(anyhow!(why))),
            Ok(Reply::Refused(reason)) => bail!(reason),
            Ok(Reply::Misused(reason)) => bail!(Usage(reason)),
            Ok(Reply::Done(_) | Reply::Deployed(_)) => {
                bail!("the process that drives the runs answers something else; report this")
            }
            Err(Unreachable::Nobody) => {
                let _lock = project.state.lock()?;
                done = collect(&project, false, SystemTime::now(), &mut freed).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
    // What is gone is told though it failed midway.
    if freed.is_empty() {
        done?;
        done = Ok(());
    }
    match format {
        Format::Json => output::json(&serde_json::json!({ "dry-run": dry_run, "freed": freed }))?,
        Format::Text => output::text(&text(&freed, dry_run))?,
    }
    done.map(|()| ExitCode::SUCCESS)
}

fn text(freed: &[Freed], dry_run: bool) -> String {
    let mut text = String::new();
    for Freed { what, name, bytes } in freed {
        text.push_str(&format!("{what:<10} {:<24} {}\n", cut(name, 24), Bytes(*bytes).rounded()));
    }
    let of = |journal: bool| freed.iter().filter(move |one| one.was_in_journal() == journal).map(|one| one.bytes);
    let (would, nothing) = if dry_run {
        ("would be freed", "nothing would be freed")
    } else {
        ("freed", "nothing is old enough and not needed")
    };
    if freed.is_empty() {
        return format!("{nothing}\n");
    }
    if of(false).next().is_some() {
        text.push_str(&format!("{} {would}\n", Bytes(of(false).sum()).rounded()));
    }
    // Those who free a disk count on what is given back to it.
    if of(true).next().is_some() {
        let room = Bytes(of(true).sum()).rounded();
        text.push_str(&format!("{room} {would} in the journal, which uses the room again: its file gets no smaller\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_freed_is_told_with_its_size_and_a_sum() {
        let one = |what: &str, name: String, bytes| Freed { what: what.into(), name, bytes };
        let freed = [one("artifact", "a".repeat(64), 3 << 20), one("work", "62e23fd1-1".into(), 2500)];
        assert_eq!(
            text(&freed, false),
            "artifact   aaaaaaaaaaaaaaaaaaaaaaa… 3 MiB\nwork       62e23fd1-1               2 KiB\n3 MiB freed\n"
        );
        assert_eq!(text(&[], true), "nothing would be freed\n");
    }

    #[test]
    fn what_is_freed_in_the_journal_is_not_counted_among_what_the_disk_gets_back() {
        let one = |what: &str, bytes| Freed { what: what.into(), name: "x".into(), bytes };
        let events = "1 KiB freed in the journal, which uses the room again: its file gets no smaller\n";
        let told = text(&[one("snapshot", 2 << 20), one("events", 1000), one("complaints", 100)], false);
        assert!(told.ends_with(&format!("\n2 MiB freed\n{events}")), "{told}");
        let told = text(&[one("events", 1100)], false);
        assert!(!told.contains(" freed\n") && told.ends_with(events), "{told}");
    }
}
