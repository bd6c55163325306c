//! `cargo xtask bench`: builds what is measured and runs the benchmark, `tests/bench`, on a shop of its own.

use std::process::Command;

use anyhow::Result;

use crate::{
    command::{build_programs, run, target},
    demo::{Format, Shop},
    plugins,
};

/// Builds all that is needed, measures, and prints the figures to standard output.
///
/// # Errors
/// When something does not build, or cannot be measured at all.
pub fn measure(format: Format, only: Option<&str>) -> Result<()> {
    plugins::build()?;
    build_programs()?;
    let parent = tempfile::tempdir()?;
    let shop = Shop::open(parent.path(), "fix-recipes")?;
    shop.grant()?;
    let mut bench = Command::new(target().join("debug/autodevops-bench"));
    bench.arg("--project").arg(&shop.folder).arg("--format").arg(match format {
        Format::Text => "text",
        Format::Json => "json",
    });
    if let Some(only) = only {
        bench.args(["--only", only]);
    }
    run(&mut bench)
}
