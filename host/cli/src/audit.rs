//! `autodevops audit`: what plugins did in runs and what was decided, and whether all of that is still as it was recorded.

mod records;
mod show;

use std::{collections::BTreeMap, path::Path, process::ExitCode};

use anyhow::{Result, anyhow, bail};
use autodevops_journal::audit::{Break, Entry, Head, Sealed, Verified};
use autodevops_orchestrator::{project::Project, usage::beginning};
use serde_json::json;

use crate::{
    arguments::Audit,
    output::{self, Format, Style, Usage, clean},
    project,
};
use records::{Filter, Record};

/// How far a name may be from what was asked for to be suggested.
const NEAR: usize = 4;

/// `autodevops audit`.
pub fn run(options: &Audit, config: Option<&Path>, format: Format) -> Result<ExitCode> {
    let expect = options.expect.as_deref().map(str::parse::<Head>).transpose();
    let expect = expect.map_err(|error| Usage(error.to_string()))?;
    let project = project::open(config)?;
    if options.verify {
        return verify(&project, expect, format);
    }
    if options.head {
        return head(&project, format);
    }
    match &options.run {
        Some(run) => one(&project, &named(&project, run)?, options, format),
        None => all(&project, options, format),
    }
}

fn verify(project: &Project, expect: Option<Head>, format: Format) -> Result<ExitCode> {
    let verified = project.audit.log().verify(expect)?;
    if format == Format::Json {
        output::json(&match &verified {
            Ok(verified) => json!({
                "unbroken": true,
                "records": verified.records,
                "runs": verified.runs,
                "seals": verified.seals,
                "head": verified.head.map(|head| head.to_string()),
                "forgotten": verified.forgotten.iter().map(|gone| json!({"run": gone.run, "events": gone.events, "seal": gone.seal})).collect::<Vec<_>>(),
                "not-sealed": verified.unsealed.iter().map(|run| json!({"run": run.run, "events": run.events})).collect::<Vec<_>>(),
            }),
            Err(Break { seal, run, stage, what }) => {
                json!({ "unbroken": false, "break": { "seal": seal, "run": run, "stage": stage, "what": what } })
            }
        })?;
        return Ok(if verified.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let verified = verified.map_err(|broken| anyhow!("the audit is broken at {broken}"))?;
    output::text(&clean(&told(&verified)))?;
    Ok(ExitCode::SUCCESS)
}

fn told(verified: &Verified) -> String {
    let Verified { records, runs, seals, head, unsealed, forgotten } = verified;
    let mut text = format!("{records} records of {runs} runs in {seals} seals: unbroken\n");
    if let Some(head) = head {
        text.push_str(&format!("head {head}\n"));
    }
    for gone in forgotten {
        text.push_str(&format!(
            "{} events of {} were forgotten on purpose, by seal {}\n",
            gone.events, gone.run, gone.seal
        ));
    }
    let events: u64 = unsealed.iter().map(|run| run.events).sum();
    if events > 0 {
        let runs: Vec<&str> = unsealed.iter().map(|run| run.run.as_str()).collect();
        text.push_str(&format!("not sealed yet: {events} events of {}\n", runs.join(", ")));
    }
    text
}

fn head(project: &Project, format: Format) -> Result<ExitCode> {
    let head = project.audit.log().head()?.map(|head| head.to_string());
    match (format, head) {
        (Format::Json, head) => output::json(&json!({ "head": head }))?,
        (Format::Text, Some(head)) => output::text(&format!("{head}\n"))?,
        (Format::Text, None) => {
            bail!("nothing is on record yet; there is a head when the first stage of a run has ended")
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// One run's records.
fn one(project: &Project, run: &str, options: &Audit, format: Format) -> Result<ExitCode> {
    let filter = Filter { denied: options.denied, stage: options.stage.clone(), plugin: options.plugin.clone() };
    let mut seals = Vec::new();
    project.audit.log().each(Some(run), |sealed| seals.push(sealed))?;
    if seals.is_empty() {
        bail!(Usage(format!(
            "run {run} has no records: its first stage has not ended, or it ran before there was an audit; see `autodevops show {run}`"
        )));
    }
    let records = |sealed: &Sealed| Record::of(sealed).into_iter().filter(|record| filter.wants(record)).collect();
    if format == Format::Json {
        let records: Vec<Record> = seals.iter().flat_map(|sealed| -> Vec<Record> { records(sealed) }).collect();
        output::json(&json!({ "run": run, "seals": seals.len(), "records": records }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let style = Style::stdout();
    let mut text = show::heading(style, run, &seals);
    let before = text.len();
    for sealed in &seals {
        let records: Vec<Record> = records(sealed);
        if options.all || options.denied {
            text.push_str(&show::each(style, &records));
        } else {
            text.push_str(&show::stage(style, sealed, &records));
        }
    }
    if text.len() == before {
        text.push_str("no record is like that\n");
    }
    output::text(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// What a run's records come to.
#[derive(Default, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
struct Sum {
    first_at_ns: u64,
    seals: u64,
    calls: u64,
    operations: u64,
    denied: u64,
    decisions: u64,
}

impl Sum {
    fn add(&mut self, sealed: &Sealed) {
        if self.seals == 0 {
            self.first_at_ns = sealed.seal.at_ns;
        }
        self.seals += 1;
        for entry in &sealed.seal.entries {
            match entry {
                Entry::Call(call) => {
                    self.calls += call.calls;
                    self.operations += call.further + call.operations.iter().map(|done| done.count).sum::<u64>();
                    let denied = call.operations.iter().filter(|done| !done.allowed);
                    self.denied += denied.map(|done| done.count).sum::<u64>();
                }
                Entry::Event(event) => self.decisions += u64::from(event.decision.is_some()),
                Entry::Note(_) => self.decisions += 1,
            }
        }
    }
}

/// Every run, a line each; with a filter, the records of all of them.
fn all(project: &Project, options: &Audit, format: Format) -> Result<ExitCode> {
    let filter = Filter { denied: options.denied, stage: options.stage.clone(), plugin: options.plugin.clone() };
    if options.all || filter != Filter::default() {
        let mut records = Vec::new();
        let each =
            |sealed: Sealed| records.extend(Record::of(&sealed).into_iter().filter(|record| filter.wants(record)));
        project.audit.log().each(None, each)?;
        match format {
            Format::Json => output::json(&json!({ "records": records }))?,
            Format::Text if records.is_empty() => output::text("no record is like that\n")?,
            Format::Text => output::text(&show::each_of_all(Style::stdout(), &records))?,
        }
        return Ok(ExitCode::SUCCESS);
    }
    let mut order: Vec<String> = Vec::new();
    let mut sums: BTreeMap<String, Sum> = BTreeMap::new();
    project.audit.log().each(None, |sealed| {
        let run = &sealed.seal.run;
        if !sums.contains_key(run) {
            order.push(run.clone());
        }
        sums.entry(run.clone()).or_default().add(&sealed);
    })?;
    let sums = order.iter().filter_map(|run| Some((run, sums.get(run)?)));
    if format == Format::Json {
        let runs: Vec<_> = sums.map(|(run, sum)| json!({ "run": run, "records": sum })).collect();
        output::json(&json!({ "runs": runs }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let lines: String = sums.map(|(run, sum)| show::line(Style::stdout(), run, sum)).collect();
    output::text(if lines.is_empty() { "nothing is on record yet\n" } else { &lines })?;
    Ok(ExitCode::SUCCESS)
}

/// The whole name of what is on record, of which the beginning is given.
fn named(project: &Project, start: &str) -> Result<String> {
    let mut names: Vec<String> = project.journal.runs()?.into_iter().map(|run| run.run).collect();
    project.audit.log().each(None, |sealed| names.push(sealed.seal.run))?;
    names.sort();
    names.dedup();
    choose(names, start)
}

fn choose(names: Vec<String>, start: &str) -> Result<String> {
    beginning(start, "give the name of a run, or the beginning of it; see `autodevops audit`")?;
    if names.iter().any(|name| name == start) {
        return Ok(start.to_owned());
    }
    let matching: Vec<&String> = names.iter().filter(|name| name.starts_with(start)).collect();
    match matching.as_slice() {
        [name] => return Ok((*name).clone()),
        [] => {}
        more => bail!(Usage(format!("{} runs start with `{start}`; give more of the name", more.len()))),
    }
    let distance = |name: &String| strsim::damerau_levenshtein(name, start);
    let nearest = names.iter().min_by_key(|name| distance(name)).filter(|name| distance(name) <= NEAR);
    let hint = nearest.map_or(".".to_owned(), |name| format!("; did you mean `{name}`?"));
    bail!(Usage(format!("there is no run `{start}` on record{hint} See `autodevops audit`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_found_by_its_beginning_and_a_wrong_name_gets_the_nearest() {
        let names = || vec!["62e23fd1-1".to_owned(), "62e23fd1-2".to_owned(), "watch".to_owned()];
        assert_eq!(choose(names(), "wat").unwrap(), "watch");
        assert_eq!(choose(names(), "62e23fd1-2").unwrap(), "62e23fd1-2");
        let error = |start| choose(names(), start).unwrap_err().to_string();
        assert_eq!(choose(vec!["watch".to_owned()], "w").unwrap(), "watch");
        let nothing = choose(vec!["watch".to_owned()], "").unwrap_err();
        assert!(nothing.is::<Usage>() && nothing.to_string().starts_with("nothing is named; "), "{nothing}");
        assert_eq!(error("62e"), "2 runs start with `62e`; give more of the name");
        assert_eq!(error("wacht"), "there is no run `wacht` on record; did you mean `watch`? See `autodevops audit`");
        assert_eq!(error("something-else"), "there is no run `something-else` on record. See `autodevops audit`");
    }
}
