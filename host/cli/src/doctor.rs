//! `autodevops doctor`: what this machine has of what a run needs.

use std::{process::Command, process::ExitCode};

use anyhow::Result;
use autodevops_orchestrator::plugins::{PluginSet, Services, cache_folder};
use serde::Serialize;

use crate::output::{self, Format};

/// One thing that was looked at.
#[derive(Serialize)]
struct Finding {
    name: &'static str,
    ok: bool,
    /// Whether runs need it, or only some do.
    required: bool,
    says: String,
}

pub fn run(format: Format) -> Result<ExitCode> {
    let findings = vec![sandbox(), plugins(), git(), bubblewrap()];
    let well = findings.iter().all(|finding| finding.ok || !finding.required);
    match format {
        Format::Json => output::json(&findings)?,
        Format::Text => {
            for finding in &findings {
                let mark = match (finding.ok, finding.required) {
                    (true, _) => "ok     ",
                    (false, true) => "MISSING",
                    (false, false) => "absent ",
                };
                output::text(&format!("{mark} {:<12} {}\n", finding.name, finding.says))?;
            }
        }
    }
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn sandbox() -> Finding {
    let cache = cache_folder().map_or("no cache folder".to_owned(), |path| path.display().to_string());
    let (ok, says) = match PluginSet::new(Default::default(), None, Services::default()) {
        Ok(_) => (true, format!("the engine starts; compiled components are kept in {cache}")),
        Err(error) => (false, format!("{error:#}")),
    };
    Finding { name: "sandbox", ok, required: true, says }
}

fn plugins() -> Finding {
    let names = PluginSet::new(Default::default(), None, Services::default())
        .map(|plugins| plugins.folders().names())
        .unwrap_or_default();
    let says = if names.is_empty() {
        "no plugins were found; name their folder in AUTODEVOPS_PLUGINS".to_owned()
    } else {
        names.join(", ")
    };
    Finding { name: "plugins", ok: !names.is_empty(), required: true, says }
}

fn git() -> Finding {
    let (ok, says) = answer("git", &["--version"], "install git: fixes are committed to branches of the repository");
    Finding { name: "git", ok, required: true, says }
}

fn bubblewrap() -> Finding {
    let remedy = "install bubblewrap and allow user namespaces: builds and command releases run in it";
    let arguments = ["--unshare-all", "--ro-bind", "/", "/", "--", "/bin/true"];
    let (ok, says) = answer("bwrap", &arguments, remedy);
    let says = if ok { "processes can be confined".to_owned() } else { says };
    Finding { name: "bubblewrap", ok, required: false, says }
}

fn answer(program: &str, arguments: &[&str], remedy: &str) -> (bool, String) {
    match Command::new(program).args(arguments).output() {
        Ok(output) if output.status.success() => (true, String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        Ok(output) => (false, format!("{}; {remedy}", String::from_utf8_lossy(&output.stderr).trim())),
        Err(error) => (false, format!("{error}; {remedy}")),
    }
}
