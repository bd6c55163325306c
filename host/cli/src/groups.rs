//! `autodevops analyze --groups`: which lines differ by values alone.

use std::{
    io::{self, BufWriter, Write},
    process::ExitCode,
};

use anyhow::Result;
use autodevops_orchestrator::grouping::{GroupedLog, group_file};
use autodevops_sandbox::Plugin;

use crate::{
    arguments::Analyze,
    output::{self, Usage},
};

/// Prints `line,group,template` for each line of the file, with lines counted from 1.
pub async fn run(plugin: Plugin, options: &Analyze, progress: impl FnMut(u64)) -> Result<ExitCode> {
    let [file] = options.files.as_slice() else {
        return Err(Usage("--groups is about the lines of one file; name one".to_owned()).into());
    };
    let mut log = group_file(plugin, file, progress).await?;
    let cut = log.cut().map(str::to_owned);
    let done = write(&mut log, &mut BufWriter::new(io::stdout().lock()));
    if log.untold() > 0 {
        output::note(&format!(
            "there is no room for the templates of {} groups that were left out on the way: their lines have none; raise `max-patterns` in \
             the analyzer's `[plugins.NAME.config]`, and name the file with --config",
            log.untold()
        ));
    }
    match done {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error.into()),
        _ => {}
    }
    // What was read is shown; that it was not all, a script must not overlook.
    Ok(cut.map_or(ExitCode::SUCCESS, |cut| {
        output::note(&cut);
        ExitCode::FAILURE
    }))
}

fn write(log: &mut GroupedLog, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "line,group,template")?;
    log.each(|number, group, template| writeln!(out, "{number},{group},\"{}\"", template.replace('"', "\"\"")))?;
    out.flush()
}
