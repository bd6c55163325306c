//! `autodevops analyze --groups`: which lines differ by values alone.

use std::{
    io::{self, BufWriter, Write},
    process::ExitCode,
};

use anyhow::Result;
use autodevops_orchestrator::grouping::{GroupedLog, group_file};
use autodevops_sandbox::Plugin;

use crate::{arguments::Analyze, output::Usage};

/// Prints `line,group,template` for each line of the file, with lines counted from 1.
pub async fn run(plugin: Plugin, options: &Analyze, progress: impl FnMut(u64)) -> Result<ExitCode> {
    let [file] = options.files.as_slice() else {
        return Err(Usage("--groups is about the lines of one file; name one".to_owned()).into());
    };
    let log = group_file(plugin, file, progress).await?;
    match write(&log, &mut BufWriter::new(io::stdout().lock())) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}

fn write(log: &GroupedLog, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "line,group,template")?;
    for (number, (group, template)) in (1u64..).zip(log.lines()) {
        writeln!(out, "{number},{group},\"{}\"", template.replace('"', "\"\""))?;
    }
    out.flush()
}
