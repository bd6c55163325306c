//! `autodevops run` and `autodevops serve`: the processes that drive runs.

use std::{path::Path, process::ExitCode, sync::Arc};

use anyhow::{Context, Result, anyhow, bail};
use autodevops_orchestrator::{
    catalog::Unanswered,
    controller::Controller,
    driver::{End, Observer},
    log::Logged,
    project::Project,
    revert,
    serve::serve,
    signals,
    watch::{Read, Watch},
};
use autodevops_pipeline::{Outcome, Run};
use tokio::{
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};

use crate::{
    arguments::RunOptions,
    ears::Ears,
    exit,
    output::{self, Format, Usage},
    progress::Progress,
    project,
};

/// `autodevops run`.
pub async fn once(options: &RunOptions, config: Option<&Path>, format: Format) -> Result<ExitCode> {
    let project = project::open(config)?;
    let progress = Arc::new(Progress::new(format));
    let observer: Arc<dyn Observer> = progress.clone();
    let checks = Checks::of(&project, &observer)?;
    let unanswered = checks.passed(project.check_answers_to_go_on())?.flatten();
    checks.passed(project.check_people())?;
    let _lock = project.state.lock()?;
    goes_on(unanswered.as_ref(), &*progress);
    let controller = Arc::new(Controller::new(Arc::clone(&project), observer)?);
    let _ears = Ears::open(&controller, &checks).await?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let driven = async {
        controller.revert_left_over();
        let mut unfinished = controller.unfinished()?;
        let left = |run: &Run| format!("run {} is not over yet: {}", run.id(), run.way_to_end());
        let mut watch = None;
        if unfinished.is_empty() {
            let watch = watch.insert(Watch::open(&project).await?);
            let issue = look(&project, &controller, &*progress, options, watch).await?;
            let Some(issue) = issue else { return Ok(None) };
            unfinished.push(controller.start(issue).await?);
        } else if options.issue.is_some() {
            bail!(Usage(format!(
                "finish what is not over first, with `autodevops run` without an issue; {}",
                unfinished.iter().map(|Logged { run, .. }| left(run)).collect::<Vec<_>>().join("; ")
            )));
        }
        let ended = drive(&controller, unfinished, !options.no_wait, &mut watch, &*progress).await;
        revert::tell(&project).await;
        ended
    };
    let ended = tokio::select! {
        ended = driven => ended,
        _ = interrupt.recv() => Err(anyhow!("interrupted; `autodevops run` goes on with the run where it was")),
        _ = terminate.recv() => Err(anyhow!("terminated; `autodevops run` goes on with the run where it was")),
    };
    progress.clear();
    match ended? {
        None => {
            match format {
                Format::Json => output::json(&serde_json::json!({"run": null, "outcome": "nothing-to-do"}))?,
                Format::Text => output::text("no issue in the watched logs needs a run\n")?,
            }
            Ok(ExitCode::SUCCESS)
        }
        Some((run, end)) => conclude(&run, &end, format),
    }
}

/// Says that plugins changed under a run: it goes on as it began, and nothing else begins.
fn goes_on(unanswered: Option<&Unanswered>, observer: &dyn Observer) {
    if let Some(unanswered) = unanswered {
        observer.notice(&format!(
            "the run under way goes on with the components that were granted, and no other begins until this is answered, and the process \
             that drives the runs started again:\n{unanswered}"
        ));
    }
}

/// What is looked at before anything begins. Where a run is not over it keeps that from nothing: a rollback waits for no vault that is away,
/// and for no user who left.
pub struct Checks {
    pub goes_on: bool,
    pub observer: Arc<dyn Observer>,
}

impl Checks {
    fn of(project: &Project, observer: &Arc<dyn Observer>) -> Result<Self> {
        Ok(Self { goes_on: !project.log.unfinished()?.is_empty(), observer: Arc::clone(observer) })
    }

    /// What came of a check; none where it failed and a run goes on all the same: then that is said.
    ///
    /// # Errors
    /// The check's, where no run is under way.
    pub fn passed<T>(&self, check: Result<T>) -> Result<Option<T>> {
        match check {
            Err(error) if self.goes_on => {
                let goes_on = "what is under way is brought to its end all the same, and no other run begins until this is mended";
                self.observer.notice(&format!("{goes_on}: {error:#}"));
                Ok(None)
            }
            check => check.map(Some),
        }
    }
}

/// Drives runs side by side, since one may wait for another, and follows the logs meanwhile: a critical error that is new speaks against
/// their releases. What came of the one that went on longest.
async fn drive(
    controller: &Arc<Controller>,
    runs: Vec<Logged>,
    wait: bool,
    watch: &mut Option<Watch>,
    observer: &dyn Observer,
) -> Result<Option<(String, End)>> {
    let mut driven = JoinSet::new();
    for logged in runs {
        let (controller, run) = (Arc::clone(controller), logged.run.id().to_owned());
        driven.spawn(async move { Ok::<_, anyhow::Error>((run, controller.drive(logged, wait).await?)) });
    }
    let ends = async {
        let mut last = Ok(None);
        while let Some(ended) = driven.join_next().await {
            // The others are brought to their ends all the same.
            last = match (last, ended.context("a run's driver ended early")) {
                (Err(error), _) => Err(error),
                (Ok(_), ended) => ended.flatten().map(Some),
            };
        }
        last
    };
    tokio::pin!(ends);
    let follow = async {
        let watch = match watch {
            Some(watch) => watch,
            None => watch.insert(Watch::open(controller.project()).await?),
        };
        signals::follow(controller, watch).await
    };
    tokio::select! {
        last = &mut ends => return last,
        Err(error) = follow => {
            // A run must be brought to its end all the same.
            observer.notice(&format!("the logs are not followed while the run is under way: {error:#}"));
        }
    }
    ends.await
}

/// The issue to heal. Where there is none it is said why: a log that is misnamed looks like a healthy service.
async fn look(
    project: &Project,
    controller: &Controller,
    observer: &dyn Observer,
    options: &RunOptions,
    watch: &mut Watch,
) -> Result<Option<autodevops_model::Issue>> {
    while watch.poll().await? == Read::Part {
        // It looks at all that there is.
    }
    // Logs that are not read now look like those of a healthy service.
    if let Err(refused) = watch.may_read() {
        watch.save().await?;
        return Err(refused);
    }
    let issues = watch.issues().await?;
    watch.save().await?;
    let found = issues.len();
    let chosen = controller.choose(issues, options.issue.as_deref())?;
    match (&chosen, found) {
        (Some(_), _) => {}
        (None, 0) => observer.notice(&format!("nothing wrong was found in {}", watched(project))),
        (None, _) => observer.notice(&format!(
            "issues found: {found}; each had its run, or is less than [issues] asks for. See `autodevops runs`, and heal one all \
             the same with --issue FINGERPRINT, as `autodevops analyze` shows it"
        )),
    }
    Ok(chosen)
}

fn conclude(run: &str, end: &End, format: Format) -> Result<ExitCode> {
    let (code, name, text) = match end {
        End::Finished(outcome @ Outcome::Healed) => (0, "healed", outcome.to_string()),
        End::Finished(outcome @ Outcome::RolledBack { .. }) => (exit::ROLLED_BACK, "rolled-back", outcome.to_string()),
        End::Finished(outcome @ Outcome::Aborted { .. }) => (1, "aborted", outcome.to_string()),
        End::Finished(outcome @ Outcome::HandedOver { .. }) => (1, "handed-over", outcome.to_string()),
        End::Queued(of) => {
            let text = format!(
                "waits for {of}\nonce that is over, go on with `autodevops run`, or end this one with `autodevops abort {run}`"
            );
            (exit::WAITING, "waiting", text)
        }
        End::Waiting { reason, remedy } => {
            let text = format!(
                "waits for a person: {reason}\n{remedy} and then `autodevops run`, or end it with `autodevops abort {run}`"
            );
            (exit::WAITING, "waiting", text)
        }
    };
    match format {
        Format::Json => output::json(&serde_json::json!({"run": run, "outcome": name, "reason": text}))?,
        Format::Text => {
            let text = output::clean(&text);
            output::text(&format!("run {run}: {text}\nsee what happened with `autodevops show {run}`\n"))?;
        }
    }
    Ok(ExitCode::from(code))
}

/// `autodevops serve`.
pub async fn watch(config: Option<&Path>, format: Format) -> Result<ExitCode> {
    let project = project::open(config)?;
    let observer: Arc<dyn Observer> = Arc::new(Progress::lines(format));
    let checks = Checks::of(&project, &observer)?;
    let unanswered = checks.passed(project.check_answers_to_go_on())?.flatten();
    checks.passed(project.check_people())?;
    let _lock = project.state.lock()?;
    goes_on(unanswered.as_ref(), observer.as_ref());
    let controller = Arc::new(Controller::new(Arc::clone(&project), Arc::clone(&observer))?);
    // Whoever holds the lock must be spoken with; compiling may take a while.
    let _ears = Ears::open(&controller, &checks).await?;
    checks.passed(if unanswered.is_some() { project.load_plugins() } else { project.check_plugins() })?;
    checks.passed(project.check_credentials().await)?;
    checks.passed(project.check_tools())?;
    match project.target_capabilities().await {
        Ok(target) => drop(checks.passed(project.check_target(&target))?),
        // One that is away may be back when a run begins.
        Err(error) => observer.notice(&format!("{error:#}")),
    }
    // What is to be brought to its end waits for no analyzer.
    let watch = if checks.goes_on { None } else { Some(Watch::open(&project).await?) };
    observer.notice(&format!("watching {}", watched(&project)));
    let (stopper, stop) = tokio::sync::watch::channel(false);
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        stopper.send_replace(true);
    });
    serve(controller, observer, watch, stop).await?;
    Ok(ExitCode::SUCCESS)
}

fn watched(project: &Project) -> String {
    project.config.logs.watch.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Told;

    #[test]
    fn what_is_wrong_with_a_project_keeps_no_run_that_is_not_over_from_its_end_and_is_said() {
        let told = Arc::new(Told::default());
        let wrong = || Err::<(), _>(anyhow!("the vault is away"));
        let begins = Checks { goes_on: false, observer: told.clone() };
        assert_eq!(begins.passed(wrong()).unwrap_err().to_string(), "the vault is away");
        assert_eq!(begins.passed(Ok(7)).unwrap(), Some(7));
        assert!(told.notices().is_empty());
        let goes_on = Checks { goes_on: true, observer: told.clone() };
        assert_eq!(goes_on.passed(wrong()).unwrap(), None);
        assert_eq!(goes_on.passed(Ok(7)).unwrap(), Some(7));
        let told = told.notices();
        assert!(told.len() == 1 && told[0].contains("brought to its end") && told[0].ends_with(": the vault is away"));
    }
}
