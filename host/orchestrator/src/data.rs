//! The service's data: snapshots that the state guards take, verify and go back to, for runs and by hand.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use autodevops_model::{ErrorInfo, ErrorKind, Since, SnapshotInfo, Stage, StageError};
use autodevops_pipeline::Run;
use autodevops_sandbox::{CallContext, CallError, Plugin};
use serde::{Deserialize, Serialize};

use crate::{
    by_hand::on_record,
    clock::now,
    log::Logged,
    project::Project,
    stages::of_call,
    usage::{Usage, beginning},
};

/// A snapshot, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Snapshot {
    /// The guard.
    pub guard: String,
    /// What it says of it.
    pub snapshot: SnapshotInfo,
}

/// What was found of a snapshot that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Verified {
    /// The snapshot.
    #[serde(flatten)]
    pub of: Snapshot,
    /// What keeps it from being gone back to; none where it is whole.
    pub fault: Option<String>,
    /// Whether the data was written to since it was taken, where it was looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Since>,
}

/// Data that went back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Restored {
    /// The snapshot that it went back to.
    pub to: Snapshot,
    /// What became of what was there.
    #[serde(flatten)]
    pub from: GoneBack,
}

/// What going back to a snapshot changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct GoneBack {
    /// What was there until then, where a snapshot of that could be taken.
    pub before: Option<SnapshotInfo>,
    /// Whether that was written to since the snapshot that was gone back to; where it was not, nothing was done.
    pub since: Since,
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

/// Has a guard go back to a snapshot, where anything was written since. What is there is kept in another first: a person may have been
/// wrong, and others have written since. What is written between the two is in neither, which is as short as the guard makes it.
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
) -> Result<GoneBack, StageError> {
    let before = match (keep(guard, context, environment, key).await, unkept) {
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
    let since = changed(guard, context, environment, id).await;
    if since != Since::Unchanged {
        guard.restore(context, environment, key, fence, id).await.map_err(|error| of_call(&error))?;
    }
    Ok(GoneBack { before, since })
}

/// Keeps what is there now in a snapshot. A try before this one may have taken it, and failed at going back: what was written between the
/// two is kept as well, in another.
async fn keep(guard: &Plugin, context: &CallContext, environment: &str, key: &str) -> Result<SnapshotInfo, CallError> {
    let (began, key) = (now().0, format!("{key}/before"));
    let before = guard.snapshot(context, environment, &key).await?;
    if before.taken >= began || changed(guard, context, environment, &before.id).await == Since::Unchanged {
        return Ok(before);
    }
    guard.snapshot(context, environment, &format!("{key}/{began}")).await
}

/// Whether the data was written to since a snapshot of it. That it cannot be told keeps nobody from looking, or from going back.
async fn changed(guard: &Plugin, context: &CallContext, environment: &str, id: &str) -> Since {
    match guard.changed(context, environment, id).await {
        Ok(None) => Since::Unchanged,
        Ok(Some(how)) => Since::Changed(how),
        Err(error) => Since::Unknown(of_call(&error).info.message),
    }
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
    on_record(project, Some(by), &intent, work, |taken| names(taken)).await?.made
}

/// The names of snapshots, for a record.
fn names(taken: &[Snapshot]) -> String {
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
    let of_it =
        format!("give the name of a snapshot, or the beginning of it; see `autodevops state list {environment}`");
    beginning(start, &of_it)?;
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

/// Looks whether the snapshot whose name begins so, or each, is whole; and whether the data was written to since that one, or since each
/// guard's newest: telling it takes another snapshot.
///
/// # Errors
/// When it cannot be told of one whether it is whole.
pub async fn verify(project: &Project, environment: &str, start: Option<&str>) -> Result<Vec<Verified>> {
    let context = project.context("state", Vec::new());
    let looked_at = match start {
        Some(start) => vec![find(project, environment, start).await?.1],
        None => list(project, environment).await?,
    };
    let newest: BTreeMap<String, String> =
        looked_at.iter().map(|one| (one.guard.clone(), one.snapshot.id.clone())).collect();
    let mut all = Vec::new();
    for of in looked_at {
        let guard = project.plugins.for_stage(&of.guard, Stage::StateGuard)?;
        let fault = guard.verify(&context, environment, &of.snapshot.id).await?;
        let since = match fault.is_none() && newest.get(&of.guard) == Some(&of.snapshot.id) {
            true => Some(changed(&guard, &context, environment, &of.snapshot.id).await),
            false => None,
        };
        all.push(Verified { of, fault, since });
    }
    Ok(all)
}

/// Whether the data was written to since the snapshot whose name begins so.
///
/// # Errors
/// When there is no such snapshot.
pub async fn since(project: &Project, environment: &str, start: &str) -> Result<Since> {
    let (guard, of) = find(project, environment, start).await?;
    Ok(changed(&guard, &project.context("state", Vec::new()), environment, &of.snapshot.id).await)
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
        |taken| names(taken),
    )
    .await?
    .made
}

/// What becomes of what was written since a snapshot that a person has the data go back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is looked for, and where there is any, nothing is done.
    Stays,
    /// It is lost to the service: the person says that it is meant.
    IsLost,
}

/// Goes back to a snapshot by hand, on record: what was written since is lost to the service, and kept in another snapshot. The caller
/// holds the state's lock.
///
/// # Errors
/// When a run is not over that does more than to tell people, or may put data back itself, there is no such snapshot, or the guard does not
/// go back; and where something was written since that is to stay, or it cannot be told.
pub async fn restore(
    project: &Project,
    environment: &str,
    start: &str,
    written: Written,
    by: &str,
) -> Result<Restored> {
    let counts_on_it = |run: &Run| !run.only_tells() || run.may_restore();
    if let Some(Logged { run, .. }) = project.log.unfinished()?.iter().find(|logged| counts_on_it(&logged.run)) {
        bail!("run {} is not over, and what it does next may count on the data; {}", run.id(), run.way_to_end());
    }
    let (guard, to) = find(project, environment, start).await?;
    if written == Written::Stays {
        let since = changed(&guard, &project.context("state", Vec::new()), environment, &to.snapshot.id).await;
        if since == Since::Unchanged {
            // Nothing is done that could meet what is written just now.
            return Ok(Restored { to, from: GoneBack { before: None, since } });
        }
        bail!(Usage(format!(
            "the data of {environment} does not go back to {}: {since}. What was written would be lost to the service, and kept in a \
             snapshot of its own; say that it is meant with --yes",
            to.snapshot.id
        )));
    }
    on_record(
        project,
        Some(by),
        &format!("has the data of {environment} go back to snapshot {}", to.snapshot.id),
        async |name, fence| {
            let context = project.context(name, Vec::new());
            let key = format!("{name}/restore/{}", guard.name());
            let id = &to.snapshot.id;
            let from = go_back(&guard, &context, environment, (&key, fence), id, Unkept::IsLost).await;
            Ok(Restored { to: to.clone(), from: from.map_err(|error| error_of(&guard, error))? })
        },
        |restored| {
            let Restored { to, from } = restored;
            format!("the data of {environment} is as it was in snapshot {}; {}", to.snapshot.id, from.since)
        },
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
/// When a guard does not answer, or does not remove one; those before it are gone, and are in `gone`.
pub(crate) async fn forget_old(
    project: &Project,
    oldest: i64,
    dry_run: bool,
    gone: &mut Vec<SnapshotInfo>,
) -> Result<()> {
    let context = project.context("gc", Vec::new());
    let mut kept: Vec<String> = Vec::new();
    for logged in project.log.unfinished()? {
        kept.extend(logged.run.snapshots().iter().map(|(_, snapshot)| snapshot.id.clone()));
    }
    for guard in guards(project)? {
        for environment in project.config.environments.keys() {
            let mut snapshots = guard.snapshots(&context, environment).await?;
            // The newest, in whatever order the guard tells them.
            snapshots.sort_by_key(|one| one.taken);
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
    Ok(())
}

#[cfg(test)]
mod tests;
