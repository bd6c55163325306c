//! `autodevops plugin`: look at plugins, and call one by hand.

use std::{
    collections::BTreeMap,
    io::Read,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use anyhow::{Context, Result, bail};
use autodevops_bundle::Digest;
use autodevops_config::Config;
use autodevops_model::{CheckInput, Fix, Issue, Notification, Stage, Window};
use autodevops_orchestrator::{
    analysis::analyze_files,
    catalog::Catalog,
    credentials::bound,
    plugins::{PluginSet, PluginSettings, Services},
};
use autodevops_policy::{Access, AskedWords, Ceilings, Grant, Manifest, PermissionKind, Preopen, words};
use autodevops_sandbox::{CallContext, Interfaces, Plugin};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    arguments::{Call, PluginVerb},
    compile, grant,
    output::{self, Format, Style, Usage, clean},
    project,
};

pub async fn run(verb: PluginVerb, config: Option<&Path>, format: Format) -> Result<ExitCode> {
    if let PluginVerb::Grant(options) = verb {
        return grant::run(&options, config, format);
    }
    // A plugin that the project names by its path is found by its name too. What it may do there is not granted here.
    let project = match (project::file(config), config) {
        (Ok(file), _) => {
            let config = Config::load(&file)?;
            Some((Catalog::of_project(&config, &file)?, config))
        }
        (Err(error), Some(_)) => return Err(error),
        (Err(_), None) => None,
    };
    let services = match &project {
        Some((_, config)) => compile::services_of(config)?,
        None => compile::services(),
    };
    let (catalog, ceilings) =
        project.map_or_else(|| (Catalog::by_hand(), Ceilings::default()), |(catalog, config)| (catalog, config.limits));
    let credentials = bound(&catalog, &services.sandbox.http)?;
    let services = Services { credentials: Some(Arc::new(credentials)), ..services };
    let plugins = PluginSet::new(catalog, ceilings, services)?;
    match verb {
        PluginVerb::List => list(&plugins, format)?,
        PluginVerb::Inspect { plugin } => inspect(&plugins, &plugin, format)?,
        PluginVerb::Test(options) => return crate::replay::test(&plugins, &options, format).await,
        PluginVerb::Call(call) => return self::call(&plugins, &call).await,
        PluginVerb::Grant(_) => {}
    }
    Ok(ExitCode::SUCCESS)
}

fn list(plugins: &PluginSet, format: Format) -> Result<()> {
    let mut found = Vec::new();
    let catalog = plugins.catalog();
    for name in catalog.names() {
        match catalog.open(&name) {
            // What each may do is a question of the project; outside of one it is whoever calls it that says so.
            Ok(folder) if catalog.project_folder().is_some() => match catalog.standing(&folder) {
                Ok(standing) => found.push((folder, Some(standing.state()))),
                Err(error) => output::error(&error.into()),
            },
            Ok(folder) => found.push((folder, None)),
            Err(error) => output::error(&error),
        }
    }
    if format == Format::Json {
        let list: Vec<Value> = found
            .iter()
            .map(|(folder, state)| {
                let manifest = &folder.manifest;
                json!({"name": manifest.name, "version": manifest.version, "description": manifest.description,
                       "stages": manifest.stages, "path": folder.path, "digest": folder.digest(), "grant": state})
            })
            .collect();
        return output::json(&list);
    }
    let style = Style::stdout();
    for (folder, state) in &found {
        let manifest = &folder.manifest;
        let stages: Vec<&str> = manifest.stages.iter().map(|stage| stage.name()).collect();
        let mut line = format!("{:<16} {:<8} {:<14}", manifest.name, manifest.version, stages.join(", "));
        if let Some(state) = state {
            line.push_str(&format!(" {state:<12}"));
        }
        output::text(&format!("{} {}\n", style.bold(&clean(&line)), clean(&manifest.description)))?;
    }
    Ok(())
}

fn inspect(plugins: &PluginSet, name: &str, format: Format) -> Result<()> {
    let folder = plugins.open(name)?;
    let manifest = &folder.manifest;
    let interfaces = Interfaces::of(plugins.sandbox(), &manifest.name, &folder.component)?;
    if format == Format::Json {
        return output::json(&json!({"manifest": manifest, "path": folder.path, "digest": folder.digest(),
            "bytes": folder.component.len(), "imports": interfaces.imports, "exports": interfaces.exports}));
    }
    let style = Style::stdout();
    // A third party wrote all of it.
    let text = clean(&describe(manifest, &folder.path.display().to_string(), folder.digest(), &interfaces));
    output::text(&format!("{} {}\n{text}", style.bold(&clean(&manifest.name)), clean(&manifest.version)))
}

fn describe(manifest: &Manifest, path: &str, digest: Digest, interfaces: &Interfaces) -> String {
    let mut text = format!("{}\n\nfolder   {path}\ndigest   {digest}\n", manifest.description);
    let stages: Vec<&str> = manifest.stages.iter().map(|stage| stage.name()).collect();
    text.push_str(&format!("stages   {}\n\nIt asks to\n", stages.join(", ")));
    let asked = words(manifest);
    if asked.is_empty() {
        text.push_str("  do nothing beyond its stages\n");
    }
    for AskedWords { what, reason } in asked {
        text.push_str(&format!("  {what}\n"));
        if let Some(reason) = reason {
            text.push_str(&format!("    {reason}\n"));
        }
    }
    let limits = &manifest.limits;
    text.push_str(&format!(
        "\nOne call may use\n  {} on the clock, {} of memory, {} of output, {} host calls, {} log lines of {} together\n",
        limits.wall_time, limits.memory, limits.output, limits.host_calls, limits.log_lines, limits.log_bytes
    ));
    if !manifest.config.is_empty() {
        text.push_str("\nConfiguration\n");
        for (key, schema) in &manifest.config {
            let default = schema.default.as_ref().map_or("required".to_owned(), |value| format!("default {value}"));
            text.push_str(&format!("  {key} ({default})\n    {}\n", schema.description));
        }
    }
    text.push_str("\nImports\n");
    for import in &interfaces.imports {
        text.push_str(&format!("  {import}\n"));
    }
    text.push_str("Exports\n");
    for export in &interfaces.exports {
        text.push_str(&format!("  {export}\n"));
    }
    text
}

/// What a test generator is given.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TestInput {
    issue: Issue,
    fix: Fix,
}

/// What a health check is given.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MeasureInput {
    candidate: String,
    #[serde(default)]
    baseline: Option<String>,
    window: Window,
}

/// What a notifier is given.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NotifyInput {
    key: String,
    event: Notification,
}

async fn call(plugins: &PluginSet, call: &Call) -> Result<ExitCode> {
    let folder = plugins.open(&call.plugin)?;
    let settings = settings(&folder.manifest, call)?;
    let plugin = plugins.load_folder(&folder, &settings)?;
    let stage = stage(&plugin, call.stage.as_deref())?;
    let context = CallContext { run: "call".to_owned(), mounts: Vec::new(), ..CallContext::default() };
    let answer = match stage {
        Stage::Analyzer => {
            let analysis = analyze_files(plugin, Vec::new(), std::slice::from_ref(&call.input), |_| {}).await?;
            serde_json::to_value(analysis)?
        }
        Stage::FixGenerator => serde_json::to_value(plugin.propose(&context, read::<Issue>(call)?).await?)?,
        Stage::TestGenerator => {
            let TestInput { issue, fix } = read(call)?;
            serde_json::to_value(plugin.generate_tests(&context, issue, fix).await?)?
        }
        Stage::Check => serde_json::to_value(plugin.check(&context, read::<CheckInput>(call)?).await?)?,
        Stage::HealthCheck => {
            let MeasureInput { candidate, baseline, window } = read(call)?;
            serde_json::to_value(plugin.measure(&context, &candidate, baseline.as_deref(), window).await?)?
        }
        Stage::Notifier => {
            let NotifyInput { key, event } = read(call)?;
            serde_json::to_value(plugin.notify(&context, &key, event).await?)?
        }
        Stage::DeployTarget => serde_json::to_value(plugin.describe(&context).await?)?,
        Stage::StateGuard => {
            bail!(Usage("a state guard has effects; it is called by runs, and by `autodevops state`".to_owned()))
        }
    };
    output::json(&answer)?;
    Ok(ExitCode::SUCCESS)
}

fn stage(plugin: &Plugin, asked: Option<&str>) -> Result<Stage> {
    match (asked, plugin.stages()) {
        (Some(name), stages) => {
            let stage: Stage = name.parse().map_err(|error| Usage(format!("{error}")))?;
            if !stages.contains(&stage) {
                let names: Vec<&str> = stages.iter().map(|stage| stage.name()).collect();
                bail!(Usage(format!("plugin `{}` implements {}, not {stage}", plugin.name(), names.join(", "))));
            }
            Ok(stage)
        }
        (None, [stage]) => Ok(*stage),
        (None, stages) => {
            let names: Vec<&str> = stages.iter().map(|stage| stage.name()).collect();
            bail!(Usage(format!("plugin `{}` implements {}; name one with --stage", plugin.name(), names.join(", "))))
        }
    }
}

/// What is granted for this call: mounts and origins as named, the rest as asked where `--grant-asked` says so.
fn settings(manifest: &Manifest, call: &Call) -> Result<PluginSettings> {
    let mut grant = Grant::default();
    for mount in &call.mount {
        let (guest, host) = pair(mount, "--mount", "/repo=.")?;
        let asked = manifest.permissions.iter().find(|permission| permission.guest.as_deref() == Some(guest));
        let Some(asked) = asked else {
            bail!(Usage(format!("--mount {mount}: plugin `{}` does not ask for {guest}", manifest.name)));
        };
        let host = PathBuf::from(host);
        if !host.is_dir() {
            bail!(Usage(format!("--mount {mount}: {} is no folder", host.display())));
        }
        let access = if call.grant_asked { asked.access.unwrap_or_default() } else { Access::ReadOnly };
        grant.files.insert(guest.to_owned(), Preopen { host: Some(host), access });
    }
    for origin in &call.http {
        grant.http.push(origin.parse().map_err(|error| Usage(format!("--http {origin}: {error}")))?);
    }
    if call.grant_asked {
        let asks = |kind| manifest.permissions.iter().any(|permission| permission.ask == kind);
        grant.clocks = asks(PermissionKind::Clocks);
        grant.random = asks(PermissionKind::Random);
    }
    let mut config = BTreeMap::new();
    for value in &call.set {
        let (key, text) = pair(value, "--set", "max-lines=100")?;
        let value = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
        config.insert(key.to_owned(), value);
    }
    Ok(PluginSettings { path: None, grant: Some(grant), config })
}

fn pair<'a>(text: &'a str, option: &str, example: &str) -> Result<(&'a str, &'a str)> {
    text.split_once('=').ok_or_else(|| Usage(format!("{option} {text}: write it as in {option} {example}")).into())
}

fn read<T: DeserializeOwned>(call: &Call) -> Result<T> {
    let name = call.input.display();
    let text = if call.input.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("standard input cannot be read")?;
        text
    } else {
        std::fs::read_to_string(&call.input).map_err(|error| Usage(format!("{name} cannot be read: {error}")))?
    };
    serde_json::from_str(&text).map_err(|error| Usage(format!("{name}: this is not the stage's input: {error}")).into())
}
