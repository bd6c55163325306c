//! The local target's front door, seen from the host: how it is set up, started and tidied up.

use std::{
    fs::OpenOptions,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use autodevops_config::Edge;
use autodevops_edge::{
    EdgeOptions, EnvironmentOptions, EnvironmentStatus, LeastPace, Limits, Sorting, Status, Testers,
};
use autodevops_model::Window;
use autodevops_pipeline::{Environment, Timestamp};
use http::{HeaderName, HeaderValue};

use crate::{clock::not_before, live::Live, program::PROGRAM, project::Project};

/// The longest that a front door may take to start; its releases start with it.
const START_LIMIT: Duration = Duration::from_secs(60);

/// How often it is looked whether it has started.
const LOOK: Duration = Duration::from_millis(20);
/// How often a release that is up is asked for the path by which its service says that it is ready.
const PROBE_AGAIN: Duration = Duration::from_secs(5);
/// Over so long it is looked at how much of an upload came.
const UPLOAD_WITHIN: Duration = Duration::from_secs(30);

/// How the front door of this project is set up; a detached one writes to a log of its own.
///
/// # Errors
/// When a name in the configuration is not taken.
pub fn options(project: &Project, is_detached: bool) -> Result<EdgeOptions> {
    let config = &project.config;
    let mut options = EdgeOptions::new(project.state.edge(), vec![PROGRAM.into(), "worker".into()]);
    options.metrics = config.edge.metrics;
    options.lease = config.edge.lease.0;
    options.drain = config.edge.drain.0;
    options.ready_timeout = config.edge.ready_timeout.0;
    options.limits = Limits {
        head_time: config.edge.header_timeout.0,
        head_bytes: usize::try_from(config.edge.max_header.0).context("[edge] max-header")?,
        idle: config.edge.idle_timeout.0,
        upload: LeastPace {
            bytes: config.edge.min_upload.0.saturating_mul(UPLOAD_WITHIN.as_secs()),
            within: UPLOAD_WITHIN,
        },
        answer_time: config.edge.answer_timeout.0,
    };
    options.sorting = sorting(&config.edge)?;
    options.own_log = is_detached.then(|| log(project));
    for place in config.places() {
        let mut settings = EnvironmentOptions::new(place.listen, project.state.log(&place.name));
        if let Some(path) = &place.service.ready {
            settings.probe.clone_from(path);
            settings.probe_again = Some(PROBE_AGAIN);
        }
        if let Some(time) = place.service.wall_time {
            settings.worker.extend(["--wall-time".into(), time.to_string().into()]);
        }
        if let Some(memory) = place.service.memory {
            settings.worker.extend(["--memory".into(), memory.to_string().into()]);
        }
        options.environments.insert(place.name, settings);
    }
    Ok(options)
}

/// How the front door tells who asks.
fn sorting(edge: &Edge) -> Result<Sorting> {
    let header =
        |name: &String| HeaderName::from_bytes(name.as_bytes()).with_context(|| format!("the header `{name}`"));
    let client_header = edge.client_header.as_ref().map(header).transpose()?;
    let testers = match &edge.testers {
        Some(testers) => Some(Testers {
            header: testers.header.as_ref().map(header).transpose()?,
            cookie: testers.cookie.clone(),
            value: HeaderValue::from_str(&testers.value).context("[edge.testers] value")?,
        }),
        None => None,
    };
    Ok(Sorting { client_header, testers })
}

/// Makes sure that the front door runs, as a process of its own that outlives this one. Whether it was started now.
///
/// # Errors
/// When it does not start: why, as it wrote it.
pub async fn ensure(project: &Project) -> Result<bool> {
    if !project.is_local() {
        return Ok(false);
    }
    if let Ok(status) = project.edge.status().await {
        let places = project.config.places();
        let same = status.metrics == project.config.edge.metrics
            && status.environments.len() == places.len()
            && places.iter().all(|place| {
                status.environments.get(&place.name).is_some_and(|serving| serving.listen == place.listen)
            });
        if !same {
            tracing::warn!(
                "the front door listens as the configuration was when it started; `autodevops edge upgrade` replaces it, \
                 and no request fails for that"
            );
        }
        agree_on_time(project, &status).await;
        return Ok(false);
    }
    let mut process = Process::start(project, &[])?;
    loop {
        let ended = process.child.try_wait()?;
        if project.edge.status().await.is_ok() {
            process.leave();
            return Ok(ended.is_none());
        }
        // Another one may have been quicker: it holds the lock, and answers soon.
        if ended.is_some() && matches!(project.edge.running(), Ok(Some(_))) {
            process.look().await?;
            continue;
        }
        process.has_not_ended(ended)?;
        process.look().await?;
    }
}

/// Has this host's time not be behind the front door's, which may have begun before the machine's clock was set back: what that counts
/// would lie beyond the windows that this host asks for, and nothing of it would be seen.
async fn agree_on_time(project: &Project, status: &Status) {
    let release =
        |(name, environment): (_, &EnvironmentStatus)| Some((name, environment.releases.first()?.release.id.clone()));
    let Some((environment, release)) = status.environments.iter().find_map(release) else { return };
    // A window without an end is told as one up to now.
    let window = Window { start: 0, end: i64::MAX };
    match project.edge.observe(environment, &release, window).await {
        Ok(observed) => not_before(Timestamp(observed.window.end)),
        Err(error) => tracing::warn!("the front door does not tell its time: {error}"),
    }
}

/// Has a front door of this program, set up as the configuration says now, take over from the one that runs; no request fails
/// for it.
///
/// # Errors
/// When none runs, or it does not take over: why, as it wrote it. The one that runs goes on then.
pub async fn upgrade(project: &Project) -> Result<()> {
    ensure!(project.is_local(), "this project's releases are not served by a front door here");
    let running = project.edge.running().context("the front door's lock")?;
    ensure!(running.is_some(), "no front door runs; `autodevops edge start` starts one");
    let mut process = Process::start(project, &["--take-over"])?;
    loop {
        let ended = process.child.try_wait()?;
        process.has_not_ended(ended)?;
        if project.edge.status().await.is_ok_and(|status| status.pid == process.child.id()) {
            process.leave();
            return Ok(());
        }
        process.look().await?;
    }
}

/// A front door's process that is starting.
struct Process {
    child: Child,
    log: PathBuf,
    /// The log's length before it wrote anything.
    begin: u64,
    since: Instant,
}

impl Process {
    fn start(project: &Project, options: &[&str]) -> Result<Self> {
        let log = log(project);
        let begin = std::fs::metadata(&log).map_or(0, |metadata| metadata.len());
        let out = OpenOptions::new().create(true).append(true).open(&log).with_context(|| log.display().to_string())?;
        let child = Command::new(PROGRAM)
            .arg0("autodevops")
            .arg("--config")
            .arg(&project.file)
            .args(["edge", "serve", "--detach"])
            .args(options)
            .current_dir(&project.config.folder)
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .spawn()
            .context("the front door cannot be started")?;
        Ok(Self { child, log, begin, since: Instant::now() })
    }

    fn has_not_ended(&self, ended: Option<ExitStatus>) -> Result<()> {
        match ended {
            Some(status) => bail!("the front door ended with {status}:\n{}", written(&self.log, self.begin)),
            None => Ok(()),
        }
    }

    /// Waits for a moment, not for ever.
    async fn look(&self) -> Result<()> {
        if self.since.elapsed() > START_LIMIT {
            bail!("the front door does not answer after {} s; see {}", START_LIMIT.as_secs(), self.log.display());
        }
        tokio::time::sleep(LOOK).await;
        Ok(())
    }

    /// Whoever started a process must hear of its end, or it is kept as one that has ended.
    fn leave(mut self) {
        std::thread::spawn(move || self.child.wait());
    }
}

/// Where the front door's process writes.
fn log(project: &Project) -> PathBuf {
    project.state.path().join("logs/edge.log")
}

/// Whether the front door ended otherwise than by being told to: nobody holds its lock, and its socket was not cleared away.
pub fn crashed(project: &Project) -> bool {
    project.is_local()
        && matches!(project.edge.running(), Ok(None))
        && autodevops_edge::socket::control(&project.state.edge()).exists()
}

/// What was written to the log since it had so many bytes.
fn written(log: &Path, begin: u64) -> String {
    let bytes = std::fs::read(log).unwrap_or_default();
    let new = usize::try_from(begin).ok().and_then(|begin| bytes.get(begin..)).unwrap_or_default();
    String::from_utf8_lossy(new).trim().to_owned()
}

/// Stops releases in these environments that nobody will go back to: all but those with traffic, the stable one, the one before it, and
/// those named. Where a run is not over nothing is stopped: what it needs comes and goes, and to stop something takes the place's fence,
/// above the run's; its own end comes here, too.
///
/// # Errors
/// When the front door or the journal does not answer.
pub async fn tidy(project: &Project, places: impl Fn(&str) -> bool, keep: &[&str]) -> Result<()> {
    if !project.is_local() {
        return Ok(());
    }
    tidy_below(project, places, keep, project.next_fence()?).await
}

/// The same for a project whose front door is here, with a fence that is taken already: nothing is stopped where something was done above it.
///
/// # Errors
/// As [`tidy`].
pub(crate) async fn tidy_below(
    project: &Project,
    places: impl Fn(&str) -> bool,
    keep: &[&str],
    fence: u64,
) -> Result<()> {
    let status = project.edge.status().await?;
    // A run that begins after it is looked which there are has a fence above that one.
    let under_way = project.log.unfinished()?;
    let members = || under_way.iter().flat_map(|logged| logged.run.members());
    let both = [Environment::Staging, Environment::Production];
    let is_runs =
        |name: &str| members().any(|member| both.iter().any(|environment| member.place(*environment) == name));
    for (name, environment) in status.environments.iter().filter(|(name, _)| places(name) && !is_runs(name)) {
        let before = Live::new(&project.journal).before(name)?;
        let stable = environment.traffic.as_ref().and_then(|traffic| traffic.stable.as_ref());
        let kept: Vec<&str> = before.iter().chain(stable).map(|release| release.id.as_str()).collect();
        for release in &environment.releases {
            let id = release.release.id.as_str();
            if release.percent > 0 || kept.contains(&id) || keep.contains(&id) {
                continue;
            }
            if let Err(error) = project.edge.stop(name, &format!("stop-{fence}-{id}"), fence, id).await {
                tracing::warn!(%error, release = id, "a release that is not needed any more does not stop");
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
