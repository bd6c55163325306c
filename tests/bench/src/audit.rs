//! What it costs to keep account of what plugins do: gathering it, and sealing it into the journal.

use std::{collections::BTreeMap, fs, sync::Arc, time::Instant};

use anyhow::Result;
use autodevops_journal::Journal;
use autodevops_model::CheckInput;
use autodevops_orchestrator::audit::Audit;
use autodevops_policy::{Access, Grant, Preopen, effective};
use autodevops_sandbox::{CallContext, MountedFolder, Observer, Plugin, PluginSource, Sandbox};

use crate::{
    place::Place,
    report::{Report, Target, median, microseconds, milliseconds},
};

/// Rounds, in each of which every side has its turn.
const ROUNDS: usize = 10;

/// Calls that are sealed together: as many acquisitions as are sealed at once at most.
const CALLS: usize = 10;

/// Files that the probe asks for in one call, each once.
const ACQUISITIONS: usize = 1000;

/// Calls with many acquisitions, each of which is a record of its own.
pub async fn measure(place: &Place, report: &mut Report) -> Result<()> {
    if !report.wants("audit") {
        return Ok(());
    }
    let sandbox = place.sandbox()?;
    let probe = probe(place, &sandbox)?;
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    fs::create_dir(&data)?;
    let audit = Arc::new(Audit::new(Journal::open(folder.path().join("journal.db"))?));
    let observer: Arc<dyn Observer> = Arc::<Audit>::clone(&audit);
    let mounts = vec![MountedFolder { guest: "/data".to_owned(), host: data }];
    let plain = CallContext { run: "bench".to_owned(), mounts, ..CallContext::default() };
    let audited = CallContext { observer: Some(observer), ..plain.clone() };
    let (mut without, mut with, mut seals) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        for (context, times) in [(&plain, &mut without), (&audited, &mut with)] {
            for _ in 0..CALLS {
                let input = CheckInput { changed: vec![], tests: vec![], fix: None, issue: None, url: None };
                let begun = Instant::now();
                probe.check(context, input).await?;
                times.push(microseconds(begun.elapsed()));
            }
        }
        let begun = Instant::now();
        audit.seal("bench", "bench", 0);
        seals.push(begun.elapsed());
        if round == 0 {
            // The first round warms up.
            (without, with, seals) = (Vec::new(), Vec::new(), Vec::new());
        }
    }
    let sealed = median(&mut seals.iter().map(|took| milliseconds(*took)).collect::<Vec<_>>());
    let gathering = (median(&mut with) - median(&mut without)) * 1000.0 / ACQUISITIONS as f64;
    let sealing = sealed * 1e6 / (CALLS * ACQUISITIONS) as f64;
    report.add(
        "audit: cost per acquisition, sealing included",
        gathering + sealing,
        "ns",
        Some(Target::AtMost(1000.0)),
    );
    report.add("audit: sealing 10 calls with 10,000 records", sealed, "ms", None);
    Ok(())
}

/// The probe, told to ask for many files.
fn probe(place: &Place, sandbox: &Sandbox) -> Result<Plugin> {
    let mut folder = place.plugin_folder("probe")?;
    folder.manifest.limits.host_calls = 100_000;
    let grant = Grant {
        files: [("/data".to_owned(), Preopen { host: None, access: Access::ReadOnly })].into(),
        ..Grant::default()
    };
    let config = [("act".to_owned(), "open-each".into()), ("argument".to_owned(), "/data".into())];
    let source = PluginSource {
        manifest: &folder.manifest,
        component: &folder.component,
        grant: effective(&folder.manifest, &grant),
        config: folder.manifest.configure(&BTreeMap::from(config))?,
        keyvalue: None,
        local: None,
        commands: None,
        mail: None,
        credentials: None,
    };
    Ok(Plugin::load(sandbox, source)?)
}
