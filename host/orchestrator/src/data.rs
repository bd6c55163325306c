//! The service's data: snapshots that the state guards take, verify and go back to, for runs and by hand.

use anyhow::{Context as _, Result, bail};
use autodevops_model::{ErrorInfo, ErrorKind, SnapshotInfo, Stage, StageError};
use autodevops_sandbox::{CallContext, Plugin};
use serde::{Deserialize, Serialize};

use crate::{by_hand::on_record, project::Project, stages::of_call, usage::Usage};

/// A snapshot, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Snapshot {
    /// The guard.
    pub guard: String,
    /// What it says of it.
    pub snapshot: SnapshotInfo,
}

/// What is wrong with a snapshot that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Verified {
    /// The snapshot.
    #[serde(flatten)]
    pub of: Snapshot,
    /// What keeps it from being gone back to; none where it is whole.
    pub fault: Option<String>,
}

/// Data that went back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Restored {
    /// The snapshot that it went back to.
    pub to: Snapshot,
    /// What was there until then, where a snapshot of that could be taken.
    pub before: Option<SnapshotInfo>,
}

/// Has a guard take a snapshot, and see whether it is whole.
///
/// # Errors
/// When it does not; or when it is not whole.
pub(crate) async fn take(
    guard: &Plugin,
    context: &CallContext,
    environment: &str,
    key: &str,
) -> Result<SnapshotInfo, StageError> {
    let snapshot = guard.snapshot(context, environment, key).await.map_err(|error| of_call(&error))?;
    match guard.verify(context, environment, &snapshot.id).await.map_err(|error| of_call(&error))? {
        None => Ok(snapshot),
        Some(fault) => {
            let message = format!("snapshot {} by `{}` cannot be gone back to: {fault}", snapshot.id, guard.name());
            Err(StageError { kind: ErrorKind::Failed, info: ErrorInfo { message, details: Vec::new() } })
        }
    }
}

/// What becomes of data that cannot be kept as it is now, such as of a database that is broken, when it is to go back.
#[derive(Clone, Copy)]
pub(crate) enum Unkept {
    /// It does not go back: others may have written what nobody has looked at.
    Stays,
    /// It goes back all the same, and is lost: a person says that it is meant.
    IsLost,
}

/// Has a guard go back to a snapshot. What is there is kept in another first: a person may have been wrong, and others have written since.
///
/// # Errors
/// When it does not go back.
pub(crate) async fn go_back(
    guard: &Plugin,
    context: &CallContext,
    environment: &str,
    (key, fence): (&str, u64),
    id: &str,
    unkept: Unkept,
) -> Result<Option<SnapshotInfo>, StageError> {
    let before = match (guard.snapshot(context, environment, &format!("{key}/before")).await, unkept) {
        (Ok(before), _) => Some(before),
        (Err(error), Unkept::IsLost) => {
            tracing::warn!("what is there now is not kept, and is lost by going back: {error}");
            None
        }
        (Err(error), Unkept::Stays) => {
            let mut error = of_call(&error);
            error.info.message =
                format!("what is there now cannot be kept, and going back would lose it: {}", error.info.message);
            return Err(error);
        }
    };
    guard.restore(context, environment, key, fence, id).await.map_err(|error| of_call(&error))?;
    Ok(before)
}

/// Has each guard take a snapshot of an environment before something is deployed there by hand, on record. Where data need not be
/// preserved, one that fails is told and goes by.
///
/// # Errors
/// When a guard takes none, and data must be preserved: nothing was moved.
pub(crate) async fn before_deploy(project: &Project, environment: &str, by: &str) -> Result<Vec<Snapshot>> {
    let guards = guards(project)?;
    if guards.is_empty() {
        return Ok(Vec::new());
    }
    let preserve = project.config.data.preserve;
    let work = async |name: &str, _| {
        let context = project.context(name, Vec::new());
        let mut taken = Vec::new();
        for guard in &guards {
            let key = format!("{name}/snapshot/{}", guard.name());
            let by = guard.name().to_owned();
            match take(guard, &context, environment, &key).await {
                Ok(snapshot) => taken.push(Snapshot { guard: by, snapshot }),
                Err(error) if preserve => bail!(
                    "the data of {environment} must be preserved ([data] `preserve`), and `{by}` took no snapshot of it: {}; it serves \
                     what it served",
                    error.info.message
                ),
                Err(error) => tracing::warn!("`{by}` took no snapshot of {environment}: {}", error.info.message),
            }
        }
        Ok(taken)
    };
    let intent = format!("takes a snapshot of the data of {environment}, before a deploy");
    on_record(project, Some(by), &intent, work, names).await?.made
}

/// The names of snapshots, for a record.
fn names(taken: &Vec<Snapshot>) -> String {
    let names: Vec<&str> = taken.iter().map(|one| one.snapshot.id.as_str()).collect();
    if names.is_empty() { "no snapshot".to_owned() } else { format!("snapshot {}", names.join(" and ")) }
}

/// The guards that are named, in their order.
fn guards(project: &Project) -> Result<Vec<Plugin>> {
    let named = project.config.stages.state_guards.iter();
    named.map(|name| project.plugins.for_stage(name, Stage::StateGuard)).collect()
}

fn some_guards(project: &Project) -> Result<Vec<Plugin>> {
    let guards = guards(project)?;
    if guards.is_empty() {
        bail!(Usage("no plugin keeps data: name one for [stages] `state-guards`, such as \"state-sqlite\"".to_owned()));
    }
    Ok(guards)
}

/// The snapshots of an environment, oldest first.
///
/// # Errors
/// When no guard is named, or one does not answer.
pub async fn list(project: &Project, environment: &str) -> Result<Vec<Snapshot>> {
    let context = project.context("state", Vec::new());
    let mut all = Vec::new();
    for guard in some_guards(project)? {
        let of = |snapshot| Snapshot { guard: guard.name().to_owned(), snapshot };
        all.extend(guard.snapshots(&context, environment).await?.into_iter().map(of));
    }
    all.sort_by_key(|one| one.snapshot.taken);
    Ok(all)
}

/// The one snapshot whose name begins so.
async fn find(project: &Project, environment: &str, start: &str) -> Result<(Plugin, Snapshot)> {
    let mut found: Vec<Snapshot> = list(project, environment).await?;
    found.retain(|one| one.snapshot.id.starts_with(start));
    if let Some(exact) = found.iter().find(|one| one.snapshot.id == start).cloned() {
        found = vec![exact];
    }
    match (found.pop(), found.len()) {
        (Some(one), 0) => Ok((project.plugins.for_stage(&one.guard, Stage::StateGuard)?, one)),
        (Some(_), more) => {
            bail!(Usage(format!("{} snapshots of {environment} start with `{start}`; give more of the name", more + 1)))
        }
        (None, _) => {
            bail!(Usage(format!("{environment} has no snapshot `{start}`; see `autodevops state list {environment}`")))
        }
    }
}

/// Looks whether the snapshots whose names begin so, or all, are whole.
///
/// # Errors
/// When it cannot be told of one.
pub async fn verify(project: &Project, environment: &str, start: Option<&str>) -> Result<Vec<Verified>> {
    let context = project.context("state", Vec::new());
    let looked_at = match start {
        Some(start) => vec![find(project, environment, start).await?.1],
        None => list(project, environment).await?,
    };
    let mut all = Vec::new();
    for of in looked_at {
        let guard = project.plugins.for_stage(&of.guard, Stage::StateGuard)?;
        let fault = guard.verify(&context, environment, &of.snapshot.id).await?;
        all.push(Verified { of, fault });
    }
    Ok(all)
}

/// Takes a snapshot by hand, on record. The caller holds the state's lock.
///
/// # Errors
/// When a guard does not take it.
pub async fn snapshot(project: &Project, environment: &str, by: &str) -> Result<Vec<Snapshot>> {
    let guards = some_guards(project)?;
    on_record(
        project,
        Some(by),
        &format!("takes a snapshot of the data of {environment}"),
        async |name, _| {
            let context = project.context(name, Vec::new());
            let mut taken = Vec::new();
            for guard in &guards {
                let key = format!("{name}/snapshot/{}", guard.name());
                let snapshot =
                    take(guard, &context, environment, &key).await.map_err(|error| error_of(guard, error))?;
                taken.push(Snapshot { guard: guard.name().to_owned(), snapshot });
            }
            Ok(taken)
        },
        names,
    )
    .await?
    .made
}

/// Goes back to a snapshot by hand, on record: what was written since is lost to the service, and kept in another snapshot. The caller
/// holds the state's lock.
///
/// # Errors
/// When a run is not over, there is no such snapshot, or the guard does not go back.
pub async fn restore(project: &Project, environment: &str, start: &str, by: &str) -> Result<Restored> {
    if let Some(logged) = project.log.unfinished()?.first() {
        let run = logged.run.id();
        bail!(
            "run {run} is not over, and what it does next may count on the data; end it with `autodevops abort {run}`, or, where it asks \
             whether the data shall go back, answer with `autodevops approve {run}`"
        );
    }
    let (guard, to) = find(project, environment, start).await?;
    on_record(
        project,
        Some(by),
        &format!("has the data of {environment} go back to snapshot {}", to.snapshot.id),
        async |name, fence| {
            let context = project.context(name, Vec::new());
            let key = format!("{name}/restore/{}", guard.name());
            let id = &to.snapshot.id;
            let before = go_back(&guard, &context, environment, (&key, fence), id, Unkept::IsLost).await;
            Ok(Restored { to: to.clone(), before: before.map_err(|error| error_of(&guard, error))? })
        },
        |restored| format!("the data of {environment} is as it was in snapshot {}", restored.to.snapshot.id),
    )
    .await?
    .made
}

fn error_of(guard: &Plugin, error: StageError) -> anyhow::Error {
    anyhow::anyhow!(error.info.message).context(format!("`{}` does not do it", guard.name()))
}

/// What `autodevops gc` removes: snapshots that were taken before `oldest`, but for the newest of each guard and those that runs which
/// are not over may go back to. Only told, where nothing is to be done.
///
/// # Errors
/// When a guard does not answer, or does not remove one; those before it are gone.
pub(crate) async fn forget_old(project: &Project, oldest: i64, dry_run: bool) -> Result<Vec<SnapshotInfo>> {
    let context = project.context("gc", Vec::new());
    let mut kept: Vec<String> = Vec::new();
    for logged in project.log.unfinished()? {
        kept.extend(logged.run.snapshots().iter().map(|(_, snapshot)| snapshot.id.clone()));
    }
    let mut gone = Vec::new();
    for guard in guards(project)? {
        for environment in project.config.environments.keys() {
            let mut snapshots = guard.snapshots(&context, environment).await?;
            // The newest.
            snapshots.pop();
            for snapshot in snapshots.into_iter().filter(|one| one.taken < oldest && !kept.contains(&one.id)) {
                if !dry_run {
                    let forgotten = guard.forget(&context, environment, &snapshot.id).await;
                    forgotten.with_context(|| format!("snapshot {} cannot be removed", snapshot.id))?;
                }
                gone.push(snapshot);
            }
        }
    }
    Ok(gone)
}
