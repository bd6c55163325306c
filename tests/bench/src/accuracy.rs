//! How well the analyzer puts lines into groups: on labelled logs, with the one configuration that there is.
//!
//! The logs are Loghub's (Zhu et al., ISSRE 2023), which is not part of the project: `NAME_2k.log` beside
//! `NAME_2k.log_structured.csv` in one folder. *GA* is the share of lines whose group is a true group exactly; *FGA* is the
//! harmonic mean of the shares of groups, predicted and true, that are right. Drain3's figures are of version 0.9.11, with one
//! default configuration, on the contents.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fmt, fs,
    path::Path,
};

use anyhow::{Context, Result, ensure};
use log_analyzer::Engine;
use serde::Serialize;

use crate::report::{Format, Report, Target};

/// What Drain3 reaches without tuning.
const DRAIN3: [(&str, f64); 16] = [
    ("HDFS", 0.998),
    ("Hadoop", 0.954),
    ("Spark", 0.923),
    ("Zookeeper", 0.967),
    ("BGL", 0.969),
    ("HPC", 0.741),
    ("Thunderbird", 0.955),
    ("Windows", 0.571),
    ("Linux", 0.684),
    ("Android", 0.605),
    ("HealthApp", 0.576),
    ("Apache", 1.0),
    ("Proxifier", 0.026),
    ("OpenSSH", 0.718),
    ("OpenStack", 0.310),
    ("Mac", 0.715),
];

/// What the project wants the means to be.
const TARGETS: Means = Means { content: 0.92, raw: 0.90, groups: 0.80 };

/// Why there are no figures.
const NO_DATA: &str =
    "give --data DIR, a folder with Loghub's labelled logs: NAME_2k.log beside NAME_2k.log_structured.csv";

/// The figures of one log, or their means: shares, from 0 to 1.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Means {
    /// GA on contents, their headers taken off.
    content: f64,
    /// GA on whole lines.
    raw: f64,
    /// FGA on contents.
    groups: f64,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Row {
    name: String,
    #[serde(flatten)]
    measured: Means,
    found: usize,
    labelled: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    drain3: Option<f64>,
}

/// The figures of all logs.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Table {
    logs: Vec<Row>,
    mean: Means,
    target: Means,
}

/// The table alone, printed.
pub fn print(data: &Path, format: Format) -> Result<()> {
    let table = measure(data)?;
    match format {
        Format::Json => println!("{}", serde_json::to_string_pretty(&table)?),
        Format::Text => print!("{table}"),
    }
    Ok(())
}

/// One of the means.
type Figure = fn(&Means) -> f64;

/// The means among the other figures, and the table below them. Without a folder it is told how to have them.
pub fn add(data: Option<&Path>, report: &mut Report) -> Result<()> {
    if !report.wants("accuracy") {
        return Ok(());
    }
    let table = data.map(measure).transpose()?;
    let figures: [(&str, Figure); 3] = [
        ("accuracy: lines in the right group, of contents", |means| means.content),
        ("accuracy: lines in the right group, of raw lines", |means| means.raw),
        ("accuracy: groups that are right (FGA)", |means| means.groups),
    ];
    for (name, of) in figures {
        let target = Some(Target::AtLeast(of(&TARGETS)));
        match &table {
            Some(table) => report.add(name, of(&table.mean), "", target),
            None => report.skip(name, "", target, NO_DATA.to_owned()),
        }
    }
    table.map_or(Ok(()), |table| report.attach("accuracy", &table))
}

/// All labelled logs of a folder.
fn measure(data: &Path) -> Result<Table> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(data).with_context(|| format!("{} cannot be read", data.display()))? {
        let name = entry?.file_name();
        names.extend(name.to_string_lossy().strip_suffix("_2k.log_structured.csv").map(str::to_owned));
    }
    ensure!(
        !names.is_empty(),
        "{} has no NAME_2k.log_structured.csv; put Loghub's 2k logs there, and name their folder with --data",
        data.display()
    );
    let logs = names.iter().map(|name| row(data, name)).collect::<Result<Vec<_>>>()?;
    let mean = |of: Figure| logs.iter().map(|row| of(&row.measured)).sum::<f64>() / logs.len() as f64;
    let mean = Means {
        content: mean(|means| means.content),
        raw: mean(|means| means.raw),
        groups: mean(|means| means.groups),
    };
    Ok(Table { logs, mean, target: TARGETS })
}

fn row(data: &Path, name: &str) -> Result<Row> {
    let labelled = fs::read_to_string(data.join(format!("{name}_2k.log_structured.csv")))?;
    let mut records = records(&labelled).into_iter();
    let header = records.next().unwrap_or_default();
    let column =
        |name: &str| header.iter().position(|column| column == name).with_context(|| format!("no column {name}"));
    let (content, event) = (column("Content")?, column("EventId")?);
    let (mut contents, mut events) = (String::new(), Vec::new());
    for record in records {
        contents.push_str(record.get(content).context("a record is short")?);
        contents.push('\n');
        events.push(record.get(event).context("a record is short")?.clone());
    }
    let raw = fs::read(data.join(format!("{name}_2k.log")))?;
    let (of_content, of_raw) = (groups(contents.as_bytes()), groups(&raw));
    for lines in [&of_content, &of_raw] {
        ensure!(lines.len() == events.len(), "{name}: {} lines, {} labels", lines.len(), events.len());
    }
    let found = of_content.iter().collect::<HashSet<_>>().len();
    let (content, groups) = agreement(&of_content, &events);
    let measured = Means { content, raw: agreement(&of_raw, &events).0, groups };
    let drain3 = DRAIN3.iter().find(|(known, _)| *known == name).map(|(_, accuracy)| *accuracy);
    Ok(Row { name: name.to_owned(), measured, found, labelled: events.iter().collect::<HashSet<_>>().len(), drain3 })
}

/// The group of each line, by number.
fn groups(log: &[u8]) -> Vec<u32> {
    let mut engine = Engine::default();
    let mut lines = Vec::new();
    engine.push_and_tell("log", log, |group| lines.push(group));
    if !log.ends_with(b"\n") {
        engine.push_and_tell("log", b"\n", |group| lines.push(group));
    }
    let former: HashMap<_, _> = engine.take_former().into_iter().map(|former| (former.id, former.into)).collect();
    let mut of = HashMap::new();
    for group in engine.groups() {
        of.extend(group.patterns.iter().map(|pattern| (*pattern, group.id)));
    }
    let resolve = |mut id| {
        while let Some(into) = former.get(&id).filter(|into| **into != id) {
            id = *into;
        }
        of.get(&id).copied().unwrap_or(id).0
    };
    lines.into_iter().map(resolve).collect()
}

/// GA and FGA.
fn agreement(found: &[u32], labels: &[String]) -> (f64, f64) {
    let (mut of_group, mut of_label) = (BTreeMap::<u32, Vec<usize>>::new(), BTreeMap::<&str, Vec<usize>>::new());
    for (line, (group, label)) in found.iter().zip(labels).enumerate() {
        of_group.entry(*group).or_default().push(line);
        of_label.entry(label).or_default().push(line);
    }
    let truth: HashSet<&Vec<usize>> = of_label.values().collect();
    let right: Vec<usize> = of_group.values().filter(|lines| truth.contains(lines)).map(Vec::len).collect();
    let share = |part: usize, whole: usize| part as f64 / whole.max(1) as f64;
    (share(right.iter().sum(), found.len()), share(2 * right.len(), of_group.len() + of_label.len()))
}

/// The records of a text in CSV, as RFC 4180 has it.
fn records(text: &str) -> Vec<Vec<String>> {
    let (mut records, mut record, mut field, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut characters = text.trim_start_matches('\u{feff}').chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => record.push(std::mem::take(&mut field)),
            '\r' if !quoted => {}
            '\n' if !quoted => {
                record.push(std::mem::take(&mut field));
                records.push(std::mem::take(&mut record));
            }
            character => field.push(character),
        }
    }
    if !field.is_empty() || !record.is_empty() {
        record.push(field);
        records.push(record);
    }
    records
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { logs, mean, target } = self;
        let [name, content, raw, groups, number, drain3] =
            ["", "GA content", "GA raw", "FGA", "groups/true", "Drain3 GA"];
        writeln!(f, "{name:<12} {content:>10} {raw:>8} {groups:>8}   {number:>13}   {drain3:>9}")?;
        for Row { name, measured: Means { content, raw, groups }, found, labelled, drain3 } in logs {
            let drain3 = drain3.map_or_else(|| "–".to_owned(), |drain3| format!("{drain3:.3}"));
            let number = format!("{found}/{labelled}");
            writeln!(f, "{name:<12} {content:>10.3} {raw:>8.3} {groups:>8.3}   {number:>13}   {drain3:>9}")?;
        }
        let known: Vec<f64> = logs.iter().filter_map(|row| row.drain3).collect();
        let drain3 = known.iter().sum::<f64>() / known.len().max(1) as f64;
        let Means { content, raw, groups } = mean;
        let (name, number) = ("mean", "");
        writeln!(f, "{name:<12} {content:>10.3} {raw:>8.3} {groups:>8.3}   {number:>13}   {drain3:>9.3}")?;
        let met = |value: f64, target: f64| format!("{target:.2} {}", if value >= target { "met" } else { "MISSED" });
        writeln!(
            f,
            "target: content {}, raw {}, FGA {}",
            met(*content, target.content),
            met(*raw, target.raw),
            met(*groups, target.groups)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn only_a_group_that_is_whole_and_pure_is_right() {
        assert_eq!(agreement(&[1, 1, 2], &labels(&["a", "a", "b"])), (1.0, 1.0));
        // `b` is split: of four lines the two of `a` are right; of three groups one, of two labels one.
        assert_eq!(agreement(&[1, 1, 2, 3], &labels(&["a", "a", "b", "b"])), (0.5, 0.4));
        // `a` and `b` are one.
        assert_eq!(agreement(&[1, 1, 2], &labels(&["a", "b", "c"])), (1.0 / 3.0, 0.4));
    }

    #[test]
    fn quoted_fields_may_hold_commas_quotes_and_line_ends() {
        let read = records("a,\"b,\"\"c\"\"\"\r\n\"d\ne\",\n");
        assert_eq!(read, [vec!["a".to_owned(), "b,\"c\"".to_owned()], vec!["d\ne".to_owned(), String::new()]]);
    }
}
