//! Any component under the same limits: what each of its functions comes to.

use std::{io::Read as _, path::Path, sync::Arc, time::Instant};

use anyhow::{Context as _, Result};
use autodevops_model::Stage;
use autodevops_policy::{Bytes, EffectiveGrant, Limits, Manifest};
use autodevops_sandbox::{CallContext, Interfaces, Plugin, PluginSource};
use serde::Serialize;

use crate::{
    call::{Function, check_input},
    case::ms,
    field::Field,
    run::options,
};

/// How one call of a component ended.
#[derive(Clone, Debug, Serialize)]
pub struct Ended {
    /// The stage's function.
    pub function: String,
    /// Under which limits.
    pub limits: &'static str,
    /// How it ended, in words.
    pub outcome: String,
    /// On the clock.
    pub milliseconds: u64,
    /// Whether honest calls beside it and afterwards gave their answers.
    pub honest: bool,
}

/// The limits that a component is put through, by name.
fn terms() -> Vec<(&'static str, Limits)> {
    let usual = Limits::default();
    // Narrow in one thing; and none of them for as long as the default.
    let short = Limits { guest_time: ms(1000), wall_time: ms(5000), ..usual };
    vec![
        ("default", usual),
        ("50 ms to compute", Limits { guest_time: ms(50), ..short }),
        ("100 ms on the clock", Limits { wall_time: ms(100), ..short }),
        ("2 MiB of memory", Limits { memory: Bytes(2 << 20), ..short }),
        ("no host calls", Limits { host_calls: 0, ..short }),
        ("3 handles", Limits { resources: 3, ..short }),
        ("100 bytes of output", Limits { output: Bytes(100), ..short }),
    ]
}

/// Calls every function of every stage that the component exports, with the least input, nothing granted, under the default limits
/// and under narrow ones. An honest plugin is called beside it each time.
///
/// # Errors
/// When the file cannot be read, holds no component, or one that is not loaded.
pub async fn put_through(path: &Path) -> Result<Vec<Ended>> {
    let options = options()?;
    let bytes = read(path, options.component_size.0)?;
    let field = Field::open(&options)?;
    let stages = stages(&field, path, &bytes)?;
    let manifest = manifest(&stages)?;
    let mut all = Vec::new();
    for (name, limits) in terms() {
        let source = PluginSource {
            manifest: &manifest,
            component: &bytes,
            grant: EffectiveGrant { limits, ..EffectiveGrant::default() },
            config: Vec::new(),
            keyvalue: None,
            local: None,
            commands: None,
            mail: None,
            credentials: None,
        };
        let plugin = Arc::new(Plugin::load(field.sandbox(), source)?);
        for stage in &stages {
            for function in Function::of(*stage) {
                all.push(one(&field, &plugin, *function, name).await);
            }
        }
    }
    Ok(all)
}

async fn one(field: &Field, plugin: &Plugin, function: Function, limits: &'static str) -> Ended {
    let start = Instant::now();
    let context = CallContext::default();
    let (ended, beside) = tokio::join!(function.call(plugin, &context, check_input()), field.honest());
    let milliseconds = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    let honest = beside.and(field.honest().await).is_ok();
    let outcome = match ended {
        Ok(answer) => format!("answered: {answer}"),
        Err(error) => error.failure.to_string(),
    };
    Ended { function: format!("{}.{}", function.stage(), function.name()), limits, outcome, milliseconds, honest }
}

/// The component's bytes: of a file, and no more of it than a component may have and one, by which the sandbox finds it too large.
fn read(path: &Path, most: u64) -> Result<Vec<u8>> {
    let shown = path.display();
    // Looked at before it is opened: opening a pipe would wait for who writes to it.
    let metadata = std::fs::metadata(path).with_context(|| format!("cannot read {shown}"))?;
    anyhow::ensure!(!metadata.is_dir(), "{shown} is a folder; name the component's file in it");
    anyhow::ensure!(metadata.is_file(), "{shown} is no regular file; name a component's file");
    let mut bytes = Vec::new();
    let mut file =
        std::fs::File::open(path).with_context(|| format!("cannot read {shown}"))?.take(most.saturating_add(1));
    file.read_to_end(&mut bytes).with_context(|| format!("cannot read {shown}"))?;
    Ok(bytes)
}

/// The stages that the component exports.
fn stages(field: &Field, path: &Path, bytes: &[u8]) -> Result<Vec<Stage>> {
    let exports = Interfaces::of(field.sandbox(), &path.display().to_string(), bytes)?.exports;
    let named = exports.iter().filter_map(|name| name.strip_prefix("autodevops:stages/")?.split('@').next());
    let mut stages: Vec<Stage> = named.filter_map(|name| name.parse().ok()).collect();
    stages.sort_unstable();
    anyhow::ensure!(
        !stages.is_empty(),
        "{} exports no stage that could be called, but {}; it is to export one, such as autodevops:stages/check@0.1.0",
        path.display(),
        if exports.is_empty() { "nothing".to_owned() } else { exports.join(", ") }
    );
    Ok(stages)
}

fn manifest(stages: &[Stage]) -> Result<Manifest> {
    let names: Vec<String> = stages.iter().map(|stage| format!("\"{stage}\"")).collect();
    let text = format!(
        "name = \"under-test\"\nversion = \"0.1.0\"\ndescription = \"A component under test.\"\nstages = [{}]",
        names.join(", ")
    );
    Ok(Manifest::parse(&text, "plugin.toml")?)
}
