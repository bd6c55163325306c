//! What a person does without a run: a first deploy, and going back.

mod back;

use std::time::Duration;

use anyhow::{Error, Result, anyhow, bail};
use autodevops_config::Place;
use autodevops_model::{Release, Split};
use autodevops_pipeline::{Run, Timestamp};
use autodevops_policy::Span;
use autodevops_record::{Attempt, By, Ending, Entry, TakenBack};

use self::back::{Past, back};
use crate::{
    audit::BY_HAND,
    build::build,
    clock::now,
    data::{self, Snapshot},
    front_door,
    live::{Live, Origin, WasLive, WentBack},
    log::Logged,
    moved,
    project::Project,
    target,
    usage::{Declined, Usage},
};

/// A release that was made live.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct MadeLive {
    /// The environment.
    pub environment: String,
    /// The service; empty where the project has one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub service: String,
    /// What the target calls the two.
    pub place: String,
    /// The release.
    pub release: Release,
    /// The release before it.
    pub before: Option<Release>,
    /// The snapshots of the environment's data that were taken before it, by the first of several services.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub snapshots: Vec<Snapshot>,
}

impl MadeLive {
    /// Where it is live, for a person.
    pub fn words(&self) -> String {
        let of = if self.service.is_empty() { String::new() } else { format!(" of {}", self.service) };
        format!("{}{of}", self.environment)
    }
}

/// Releases of what is checked out and committed, one of each service: built, and live nowhere yet.
#[derive(Debug)]
pub struct Built(Vec<Release>);

/// Whether these environments may be deployed to now.
///
/// # Errors
/// When there is no such environment, or a run is not over that moves something.
fn may_deploy(project: &Project, environments: &[String]) -> Result<()> {
    for environment in environments {
        known(project, environment)?;
    }
    // A run that goes on afterwards would take traffic back to what served when it started; one that cannot, or has nothing to go back to,
    // is told. One that only tells people moves nothing.
    let production = environments.iter().all(|environment| *environment == project.config.rollout.environment);
    let lets = |run: &Run| run.only_tells() || (production && run.leaves_production());
    if let Some(Logged { run, .. }) = project.log.unfinished()?.iter().find(|logged| !lets(&logged.run)) {
        bail!("run {} is not over; {}, then deploy", run.id(), run.way_to_end());
    }
    Ok(())
}

/// Builds what is checked out and committed, to be deployed to these environments; nothing else is changed. Not twice at the same time: it
/// is built in one folder.
///
/// # Errors
/// When a run is not over, the project is not in order, or does not build.
pub async fn build_all(project: &Project, environments: &[String]) -> Result<Built> {
    may_deploy(project, environments)?;
    project.check_answers()?;
    project.check_commands()?;
    project.check_tools()?;
    project.check_target_credentials().await?;
    let capabilities = project.deploy_target()?.describe(&project.context("deploy", Vec::new())).await?;
    target::can_preserve(&project.config, &capabilities)?;
    let releases = tokio::task::block_in_place(|| {
        let head = project.repository()?.head()?;
        let commit = head.commit.to_string();
        let work = project.state.work("deploy");
        let services = project.config.services().iter();
        services.map(|service| build(project, service, &commit, &commit, &work)).collect::<Result<Vec<Release>>>()
    })?;
    Ok(Built(releases))
}

/// Keeps production's data as it is before a deploy to these environments, where there is a guard; it takes as long as that takes. What goes
/// back has its data's own way: `autodevops state`.
///
/// # Errors
/// When a run is not over, or a guard takes no snapshot.
pub async fn keep_data(project: &Project, environments: &[String], by: &str) -> Result<Vec<Snapshot>> {
    // Runs may have begun while it was built.
    may_deploy(project, environments)?;
    let production = &project.config.rollout.environment;
    match environments.contains(production) {
        true => data::before_deploy(project, production, by).await,
        false => Ok(Vec::new()),
    }
}

/// Deploys what was built to these environments, one after the other, and gives it all of their traffic; of several services all or none.
/// The caller holds the state's lock, and took the snapshots.
///
/// # Errors
/// When a run is not over, or a release does not come up; environments before the one that failed are done.
pub async fn deploy(
    project: &Project,
    environments: &[String],
    Built(releases): Built,
    mut snapshots: Vec<Snapshot>,
    by: &str,
) -> Result<Vec<MadeLive>> {
    // Runs may have begun while its data was kept.
    may_deploy(project, environments)?;
    front_door::ensure(project).await?;
    let mut made = Vec::new();
    for environment in environments {
        let moves: Vec<(Place<'_>, Release)> =
            project.config.places_of(environment).into_iter().zip(releases.iter().cloned()).collect();
        let mut live = together(project, moves, &Origin::Deploy(by.to_owned())).await?;
        if let Some(first) = live.first_mut().filter(|_| *environment == project.config.rollout.environment) {
            first.snapshots = std::mem::take(&mut snapshots);
        }
        made.extend(live);
    }
    Ok(made)
}

/// A way back by hand: which releases are to serve where, in the order of their moves.
pub struct WayBack<'a>(Vec<(Place<'a>, Release)>);

impl WayBack<'_> {
    /// What the target calls the places whose traffic it moves.
    pub fn places(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(place, _)| place.name.as_str())
    }

    /// The release that is to serve there, as the target calls the place; none where the way does not lead there.
    pub fn to(&self, name: &str) -> Option<&Release> {
        self.0.iter().find_map(|(place, release)| (place.name == name).then_some(release))
    }

    /// The first of its moves: where, and which release is to serve there.
    pub fn first(&self) -> Option<(&str, &Release)> {
        self.0.first().map(|(place, release)| (place.name.as_str(), release))
    }
}

/// The way back to the releases before the live ones, or to a named one that was live. What came together goes back together.
///
/// # Errors
/// When there is no such release, or the rollback window is over and it is not to be `at_once` all the same.
pub fn way_back<'a>(project: &'a Project, environment: &str, to: Option<&str>, at_once: bool) -> Result<WayBack<'a>> {
    known(project, environment)?;
    let live = Live::new(&project.journal);
    let places = project.config.places_of(environment);
    let past = |place: &Place<'_>| {
        let (history, before) = (live.history(&place.name)?, live.before(&place.name)?);
        anyhow::Ok(Past { place: place.name.clone(), history, before })
    };
    let past = places.iter().map(past).collect::<Result<Vec<Past>>>()?;
    let mut moves: Vec<(Place<'_>, Release)> = Vec::new();
    for (index, release) in back(environment, &past, to)? {
        let Some(place) = places.get(index).cloned() else { continue };
        if !at_once && environment == project.config.rollout.environment {
            in_window(project, &place.name)?;
        }
        moves.push((place, release));
    }
    // What was moved last goes back first.
    moves.reverse();
    Ok(WayBack(moves))
}

/// Goes that way, all or none. The caller holds the state's lock.
///
/// # Errors
/// When a release does not come up.
pub async fn go_back(project: &Project, way: WayBack<'_>, by: &str, reason: &str) -> Result<Vec<MadeLive>> {
    project.check_target_credentials().await?;
    front_door::ensure(project).await?;
    together(project, way.0, &Origin::Rollback(WentBack::new(by, reason))).await
}

/// Makes these releases live, one after the other; where one does not come up, those before it serve no longer: all or none.
async fn together(project: &Project, moves: Vec<(Place<'_>, Release)>, by: &Origin) -> Result<Vec<MadeLive>> {
    let mut made: Vec<(Place<'_>, MadeLive)> = Vec::new();
    for (place, release) in moves {
        match make_live(project, &place, &release, by.clone()).await {
            Ok(before) => {
                let service = if project.config.has_service_list() { &place.service.name } else { "" }.to_owned();
                let environment = place.environment.to_owned();
                let live = MadeLive {
                    environment,
                    service,
                    place: place.name.clone(),
                    release,
                    before,
                    snapshots: Vec::new(),
                };
                made.push((place, live));
            }
            Err(error) => return Err(undone(project, made, by, error.context(place.name)).await),
        }
    }
    Ok(made.into_iter().map(|(_, made)| made).collect())
}

/// Takes back what was made live before one failed, the last first; the failure, with what of it could not be taken back.
async fn undone(project: &Project, made: Vec<(Place<'_>, MadeLive)>, by: &Origin, error: Error) -> Error {
    let who = match by {
        Origin::Deploy(who) | Origin::Run(who) => who,
        Origin::Rollback(who) => &who.by,
    };
    let back_since = Origin::Rollback(WentBack::new(who, "not all that belongs together came up"));
    let mut left = Vec::new();
    for (place, made) in made.into_iter().rev() {
        let back = match made.before {
            Some(before) => make_live(project, &place, &before, back_since.clone()).await.err(),
            None => Some(anyhow!("nothing served there before")),
        };
        left.extend(back.map(|error| format!("{} still serves {}: {error:#}", place.name, made.release.id)));
    }
    if left.is_empty() { error } else { error.context(format!("not all could be taken back ({})", left.join("; "))) }
}

/// Whether the live release is new enough to be left without a second thought: counted from when its run was over, or it was deployed.
fn in_window(project: &Project, environment: &str) -> Result<()> {
    let Some(was) = Live::new(&project.journal).history(environment)?.into_iter().next() else { return Ok(()) };
    let settled = match &was.by {
        Origin::Run(run) => {
            project.log.read(run)?.map_or(was.since, |logged| logged.run.last_event_at().max(was.since))
        }
        Origin::Deploy(_) | Origin::Rollback(_) => was.since,
    };
    let (window, at) = (project.config.rollout.rollback_window, now());
    if at <= settled.after(window.0) {
        return Ok(());
    }
    let served = Duration::from_nanos(u64::try_from(at.0.saturating_sub(settled.0)).unwrap_or(0));
    bail!(Declined(format!(
        "{environment} has had {} for {}, which is longer than [rollout] `rollback-window` ({window}); people, data and other services may \
         rely on it by now. Go back at once all the same with `--now`, or revert the change in git and `autodevops deploy`",
        was.release.id,
        Span(Duration::from_secs(served.as_secs()))
    )))
}

/// Refuses an environment that the configuration does not have.
///
/// # Errors
/// Which there are.
pub fn known(project: &Project, environment: &str) -> Result<()> {
    if project.config.environments.contains_key(environment) {
        return Ok(());
    }
    let known: Vec<&str> = project.config.environments.keys().map(String::as_str).collect();
    bail!(Usage(format!("there is no environment `{environment}`; there are {}", known.join(", "))))
}

/// What came of something that was done by hand.
pub(crate) struct ByHand<T> {
    /// The name that it has on record.
    pub name: String,
    /// When it began.
    pub began: Timestamp,
    /// What came of it.
    pub made: Result<T>,
}

/// Does something by hand: on record under a name of its own, as runs are, with who asked for it and what came of it. `work` is given the
/// name, and a fence above all before.
///
/// # Errors
/// When there is no fence to be had; nothing was done.
pub(crate) async fn on_record<T>(
    project: &Project,
    who: Option<&str>,
    intent: &str,
    work: impl AsyncFnOnce(&str, u64) -> Result<T>,
    outcome: impl FnOnce(&T) -> String,
) -> Result<ByHand<T>> {
    let fence = project.next_fence()?;
    let name = format!("by-hand-{fence}");
    let audit = &project.audit;
    audit.begin(&name);
    audit.note(&name, BY_HAND, who, intent);
    // Whoever ends this process now is not rid of who asked for it.
    audit.seal(&name, BY_HAND, 0);
    let began = now();
    let made = work(&name, fence).await;
    let outcome = made.as_ref().map_or_else(|error| format!("failed: {error:#}"), outcome);
    audit.note(&name, BY_HAND, who, &outcome);
    audit.let_go(&name, BY_HAND, 0, true);
    Ok(ByHand { name, began, made })
}

/// Brings a release up and gives it all of the traffic; gives the release that was live before.
async fn make_live(project: &Project, place: &Place<'_>, release: &Release, by: Origin) -> Result<Option<Release>> {
    let environment = place.name.as_str();
    let (who, what, why) = match &by {
        Origin::Deploy(who) => (Some(who.as_str()), "deploys", ""),
        Origin::Rollback(who) => (Some(who.by.as_str()), "goes back to", who.reason.as_str()),
        Origin::Run(run) => (None, run.as_str(), ""),
    };
    let why = if why.is_empty() { String::new() } else { format!(": {why}") };
    let intent = format!("{what} release {} ({}) in {environment}{why}", release.id, release.artifact);
    let ByHand { name, began, made } = on_record(
        project,
        who,
        &intent,
        async |name, fence| serve(project, name, fence, environment, release, &by).await,
        |_| format!("{environment} serves release {}", release.id),
    )
    .await?;
    if let Some(entry) = entry(project, place, release, &by, began, made.as_ref().ok())
        && let Err(error) = project.records.keep(&name, &[entry])
    {
        tracing::warn!("`autodevops metrics` will not know of {name}: {error:#}");
    }
    made
}

/// What it is in the deployment record: a deploy is an attempt, and going back is what became of the attempt before.
fn entry(
    project: &Project,
    place: &Place<'_>,
    release: &Release,
    by: &Origin,
    began: Timestamp,
    made: Option<&Option<Release>>,
) -> Option<Entry> {
    let (config, at) = (&project.config, now());
    match by {
        Origin::Deploy(who) => {
            let served = made.map(|_| at);
            let attempt = Attempt {
                release: Some(release.id.clone()),
                committed: committed(project, &release.commit),
                exposed: served,
                served,
                ended: Some(at),
                ending: Some(if served.is_some() { Ending::Kept } else { Ending::Stopped }),
                ..Attempt::begun(
                    &place.service.name,
                    place.environment,
                    place.environment == config.rollout.environment,
                    By::Person(who.clone()),
                    began,
                )
            };
            Some(Entry::Attempt(Box::new(attempt)))
        }
        Origin::Rollback(who) => Some(Entry::TakenBack(TakenBack {
            service: place.service.name.clone(),
            environment: place.environment.to_owned(),
            release: made?.as_ref()?.id.clone(),
            by: who.by.clone(),
            at,
        })),
        Origin::Run(_) => None,
    }
}

/// When the commit was made, where the repository still knows.
fn committed(project: &Project, commit: &str) -> Option<Timestamp> {
    let repository = project.repository().ok()?;
    let seconds = repository.committed_at(&repository.commit_of(commit).ok()?).ok()?;
    Some(Timestamp(seconds.saturating_mul(1_000_000_000)))
}

async fn serve(
    project: &Project,
    name: &str,
    fence: u64,
    environment: &str,
    release: &Release,
    by: &Origin,
) -> Result<Option<Release>> {
    let target = project.deploy_target()?;
    let context = project.context(name, Vec::new());
    let key = |what: &str| format!("{name}/{what}/{environment}");
    let live = Live::new(&project.journal);
    let before = live.current(environment)?;
    target.deploy(&context, environment, &key("deploy"), fence, release.clone()).await?;
    let splits = vec![Split { release: release.id.clone(), percent: 100 }];
    target.set_traffic(&context, environment, &key("traffic"), fence, splits.clone()).await?;
    moved::check(project, environment, &splits).await?;
    live.set(environment, WasLive { release: release.clone(), since: now(), by: by.clone() })?;
    Ok(before)
}

#[cfg(test)]
mod tests;
