//! Any component under the same limits: what each of its functions comes to.

use std::{io::Read as _, path::Path, sync::Arc, time::Instant};

use anyhow::{Context as _, Result};
use autodevops_model::Stage;
use autodevops_policy::{Access, Bytes, EffectiveGrant, Limits, Manifest, Preopen};
use autodevops_sandbox::{CallContext, Interfaces, Plugin, PluginSource};
use serde::Serialize;

use crate::{
    call::{Function, check_input},
    case::ms,
    cases::Memory,
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

/// Makes one limit narrow.
type Narrow = fn(&mut Limits);

/// Terms that are narrow in one thing each: every limit that holds without a server, a mail or a command. What they narrow is granted.
const NARROW: [(&str, Narrow); 28] = [
    ("50 ms to compute", |limits| limits.guest_time = ms(50)),
    ("100 ms on the clock", |limits| limits.wall_time = ms(100)),
    ("2 MiB of memory", |limits| limits.memory = Bytes(2 << 20)),
    ("no memories", |limits| limits.memories = 0),
    ("no tables", |limits| limits.tables = 0),
    ("10 elements in tables", |limits| limits.table_elements = 10),
    ("1 core instance", |limits| limits.instances = 1),
    ("3 bytes of input", |limits| limits.input = Bytes(3)),
    ("100 bytes of output", |limits| limits.output = Bytes(100)),
    ("no entries in a list", |limits| limits.list_length = 0),
    ("1 byte in a text", |limits| limits.string_length = Bytes(1)),
    ("no host calls", |limits| limits.host_calls = 0),
    ("no different acts", |limits| limits.records = 0),
    ("3 handles", |limits| limits.resources = 3),
    ("no log lines", |limits| limits.log_lines = 0),
    ("no bytes of log lines", |limits| limits.log_bytes = Bytes(0)),
    ("no standard output", |limits| limits.stdout = Bytes(0)),
    ("no standard error", |limits| limits.stderr = Bytes(0)),
    ("no randomness", |limits| limits.random_bytes = Bytes(0)),
    ("1 open file", |limits| limits.open_files = 1),
    ("no files made", |limits| limits.files = 0),
    ("no bytes in files", |limits| limits.file_bytes = Bytes(0)),
    ("no keys written", |limits| limits.keyvalue_entries = 0),
    ("no bytes in keys", |limits| limits.keyvalue_bytes = Bytes(0)),
    ("1 byte in a key", |limits| limits.keyvalue_key_bytes = Bytes(1)),
    ("no keys kept", |limits| limits.keyvalue_kept_entries = 0),
    ("no bytes kept in keys", |limits| limits.keyvalue_kept_bytes = Bytes(0)),
    ("no bytes built into requests", |limits| limits.http_built = Bytes(0)),
];

/// A component's terms, by name.
fn terms(data: &Path) -> Vec<(&'static str, EffectiveGrant)> {
    let usual = Limits::default();
    // None but one for as long as the default.
    let short = Limits { guest_time: ms(300), wall_time: ms(5000), ..usual };
    let folder = Preopen { host: Some(data.to_owned()), access: Access::ReadWrite };
    let granted = |limits| EffectiveGrant {
        files: [("/data".to_owned(), folder.clone())].into(),
        clocks: true,
        random: true,
        keyvalue: true,
        limits,
        ..EffectiveGrant::default()
    };
    let nothing = EffectiveGrant { limits: short, ..EffectiveGrant::default() };
    let narrow = NARROW.map(|(name, narrow)| {
        let mut limits = short;
        narrow(&mut limits);
        (name, granted(limits))
    });
    [("default", granted(usual)), ("nothing granted", nothing)].into_iter().chain(narrow).collect()
}

/// Calls every function of every stage that the component exports, with the least input: with clocks, randomness, keys and an empty
/// folder `/data` granted under the default limits and under narrow ones, and with nothing granted. An honest plugin is called beside
/// it each time.
///
/// # Errors
/// When the file cannot be read, holds no component, or one that is not loaded.
pub async fn put_through(path: &Path) -> Result<Vec<Ended>> {
    let options = options()?;
    let bytes = read(path, options.component_size.0)?;
    let field = Field::open(&options)?;
    let stages = stages(&field, path, &bytes)?;
    let manifest = manifest(&stages)?;
    let data = tempfile::tempdir()?;
    let mut all = Vec::new();
    for (name, grant) in terms(data.path()) {
        let source = PluginSource {
            manifest: &manifest,
            component: &bytes,
            grant,
            config: Vec::new(),
            keyvalue: Some(Arc::new(Memory::default())),
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

#[cfg(test)]
mod tests {
    use autodevops_policy::Limit;

    use super::*;

    /// Limits that nothing comes to where nobody answers.
    const NEED_A_SERVER: [Limit; 11] = [
        Limit::Commands,
        Limit::CommandOutput,
        Limit::Mails,
        Limit::MailBytes,
        Limit::HttpConcurrent,
        Limit::HttpSent,
        Limit::HttpReceived,
        Limit::HttpConnect,
        Limit::HttpFirstByte,
        Limit::HttpTotal,
        Limit::HttpRequests,
    ];

    #[test]
    fn every_limit_that_holds_without_a_server_is_narrow_once() {
        let usual = Limits::default();
        for limit in Limit::ALL {
            let narrow = NARROW.iter().filter(|(_, narrow)| {
                let mut limits = usual;
                narrow(&mut limits);
                limits.amount(*limit) < usual.amount(*limit)
            });
            let (times, wanted) = (narrow.count(), usize::from(!NEED_A_SERVER.contains(limit)));
            assert_eq!(times, wanted, "{}", limit.key());
        }
    }
}
