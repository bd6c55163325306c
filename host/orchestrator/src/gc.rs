//! What is kept of the past and not needed any more: found, told, removed.
//!
//! Recordings and compiled components are bounded where they are written. What is left are artifacts and prepared dependencies, which grow
//! with each release, working trees of runs whose host was killed, events of runs that are long over, and what complaints said. The audit
//! vouches for every event, and for that it is gone.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result};
use autodevops_config::RetentionRules;
use autodevops_model::Release;
use autodevops_pipeline::{Environment, Timestamp};
use autodevops_policy::Span;
use autodevops_record::Entry;
use serde::{Deserialize, Serialize};

use crate::{
    audit::Audit, data, feedback::Feedback, handled::Handled, live::Live, log::RunLog, project::Project,
    record::Records,
};

/// Something that is not needed any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Freed {
    /// What it is: `artifact`, `prepared`, `work`, `snapshot`, `events` or `complaints`.
    pub what: String,
    /// Its name: a digest, a key, a run, how many.
    pub name: String,
    /// Bytes of its files; of what was in the journal, bytes of that.
    pub bytes: u64,
}

impl Freed {
    /// Whether it was in the journal, whose file gets no smaller: the room is used again.
    pub fn was_in_journal(&self) -> bool {
        matches!(self.what.as_str(), "events" | "complaints")
    }
}

/// What must stay.
#[derive(Debug, Default)]
struct Needed {
    /// Artifacts, by the hex digits of their digests.
    artifacts: BTreeSet<String>,
    /// Runs whose working trees are in use.
    runs: BTreeSet<String>,
}

/// Removes what is older than the configuration keeps and that nothing needs; only tells it, where nothing is to be done. The caller holds
/// the state's lock and sees to it that no run is driven and nothing is deployed meanwhile, unless nothing is to be done.
///
/// # Errors
/// When it is not known what is needed, or something cannot be removed; what was removed before that is gone, and is in `freed`.
pub async fn collect(project: &Project, dry_run: bool, now: SystemTime, freed: &mut Vec<Freed>) -> Result<()> {
    let aside = set_aside(project, dry_run, now).await?;
    remove(project, aside, dry_run, now, freed).await
}

/// What was set aside to be removed: nobody finds it where it was.
pub(crate) struct Aside {
    found: Vec<Found>,
    /// Whether there was nothing that could not be.
    done: Result<()>,
}

/// Something that is not needed any more, and where it is now.
struct Found {
    what: &'static str,
    name: String,
    path: PathBuf,
}

/// Sets the files aside that are not needed any more, which takes no time: from then on nothing needs them that did not before.
///
/// # Errors
/// When it is not known what is needed.
pub(crate) async fn set_aside(project: &Project, dry_run: bool, now: SystemTime) -> Result<Aside> {
    let needed = needed(project).await?;
    let state = &project.state;
    let folders = Folders { artifacts: state.artifacts(), prepared: state.prepared(), work: state.work("") };
    let mut found = Vec::new();
    let rules = &project.config.retention;
    let done = tokio::task::block_in_place(|| sweep(&folders, rules, &needed, dry_run, now, &mut found));
    Ok(Aside { found, done })
}

/// Removes what was set aside, and what is not needed of what is no file: that takes as long as it is large, and as guards take.
///
/// # Errors
/// As [`collect`].
pub(crate) async fn remove(
    project: &Project,
    aside: Aside,
    dry_run: bool,
    now: SystemTime,
    freed: &mut Vec<Freed>,
) -> Result<()> {
    // What cannot be removed keeps nothing else.
    let files = tokio::task::block_in_place(|| {
        let files = remove_files(aside.found, dry_run, freed);
        aside.done?;
        forget(project, dry_run, now, freed)?;
        Ok::<_, anyhow::Error>(files)
    })?;
    let oldest = timestamp(now).before(project.config.retention.snapshots.0).0;
    let mut gone = Vec::new();
    let done = data::forget_old(project, oldest, dry_run, &mut gone).await;
    freed.extend(gone.into_iter().map(|one| Freed { what: "snapshot".to_owned(), name: one.id, bytes: one.bytes }));
    done.and(files)
}

/// Forgets the events of runs that are long over, but for what they came to, and what old complaints said.
fn forget(project: &Project, dry_run: bool, now: SystemTime, freed: &mut Vec<Freed>) -> Result<()> {
    let rules = &project.config.retention;
    let now = timestamp(now);
    if let Some(age) = rules.journal {
        forget_runs(&project.log, &project.records, &project.audit, age, dry_run, now, freed)?;
    }
    let (number, bytes) = Feedback::new(&project.journal).forget(now.before(rules.complaints.0), dry_run)?;
    if number > 0 {
        freed.push(Freed { what: "complaints".to_owned(), name: number.to_string(), bytes });
    }
    Ok(())
}

/// Forgets the events of runs that ended so long ago, but for what became of their issues. A run whose events are not all sealed yet stays.
fn forget_runs(
    log: &RunLog,
    records: &Records,
    audit: &Audit,
    age: Span,
    dry_run: bool,
    now: Timestamp,
    freed: &mut Vec<Freed>,
) -> Result<()> {
    let mut handled = Handled::kept(log.journal())?;
    for logged in log.all()? {
        let id = logged.run.id();
        Handled::note(&mut handled, &logged.run);
        let over = logged.run.outcome().is_some() && logged.run.last_event_at() < now.before(age.0);
        let Some(there) = audit.log().forgettable(id)?.filter(|_| over) else { continue };
        if !dry_run {
            // First what outlives them: whoever counts finds one or the other, and never both.
            let attempts = records.of_run(id)?;
            let entries: Vec<Entry> = attempts.into_iter().map(|one| Entry::Attempt(Box::new(one))).collect();
            records.keep(id, &entries)?;
            let fingerprint = &logged.run.issue().fingerprint;
            if let Some(handled) = handled.get(fingerprint) {
                handled.keep(log.journal(), fingerprint)?;
            }
            audit.forget(id, &format!("the run ended more than {age} ago ([retention] journal)"))?;
        }
        freed.push(Freed { what: "events".to_owned(), name: id.to_owned(), bytes: there.bytes });
    }
    Ok(())
}

fn timestamp(at: SystemTime) -> Timestamp {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// What is live, what can be gone back to, what the front door holds, and what runs that are not over have to do with.
async fn needed(project: &Project) -> Result<Needed> {
    let mut releases: Vec<Release> = Vec::new();
    let live = Live::new(&project.journal);
    for place in project.config.places() {
        releases.extend(live.current(&place.name)?);
        releases.extend(live.before(&place.name)?);
    }
    if project.is_local() {
        let remedy = "it is not known which releases it holds; start it with `autodevops edge start`";
        let status =
            project.edge.status().await.with_context(|| format!("the front door does not answer: {remedy}"))?;
        for environment in status.environments.into_values() {
            releases.extend(environment.releases.into_iter().map(|held| held.release));
        }
    }
    let mut needed = Needed::default();
    // One that cannot be read may need anything.
    let unread =
        "a run in the journal cannot be read, and it is not known what it needs; use the autodevops that wrote it";
    for run in project.log.unfinished().context(unread)?.into_iter().map(|logged| logged.run) {
        let of_run = run.members().flat_map(|member| {
            [member.release(), member.stable(Environment::Staging), member.stable(Environment::Production)]
        });
        releases.extend(of_run.flatten().cloned());
        needed.runs.insert(run.id().to_owned());
    }
    needed.artifacts = releases.iter().map(|release| hex(&release.artifact).to_owned()).collect();
    Ok(needed)
}

fn hex(digest: &str) -> &str {
    digest.split_once(':').map_or(digest, |(_, hex)| hex)
}

struct Folders {
    artifacts: PathBuf,
    prepared: PathBuf,
    work: PathBuf,
}

/// How the names begin of what is to be removed.
const GONE: &str = ".gone-";

/// Finds what is not needed any more, also what a process that was killed had set aside already, and sets it aside, unless nothing is to be
/// done.
fn sweep(
    folders: &Folders,
    rules: &RetentionRules,
    needed: &Needed,
    dry_run: bool,
    now: SystemTime,
    found: &mut Vec<Found>,
) -> Result<()> {
    let mut look = |what: &'static str, folder: &Path, age: Duration, stays: &dyn Fn(&str) -> bool| -> Result<()> {
        for (name, path) in folders_in(folder).with_context(|| folder.display().to_string())? {
            if let Some(name) = name.strip_prefix(GONE) {
                found.push(Found { what, name: name.to_owned(), path });
                continue;
            }
            let changed = fs::metadata(&path).and_then(|metadata| metadata.modified());
            let old = changed.is_ok_and(|at| now.duration_since(at).is_ok_and(|since| since >= age));
            if stays(&name) || !old {
                continue;
            }
            let path = if dry_run {
                path
            } else {
                rename_aside(&path, &name).with_context(|| format!("{} cannot be removed", path.display()))?
            };
            found.push(Found { what, name, path });
        }
        Ok(())
    };
    let is_digest = |name: &str| name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    look("artifact", &folders.artifacts, rules.artifacts.0, &|name| {
        !is_digest(name) || needed.artifacts.contains(name)
    })?;
    look("prepared", &folders.prepared, rules.prepared.0, &|name| !is_digest(name))?;
    look("work", &folders.work, Duration::ZERO, &|name| needed.runs.contains(name))
}

/// The folders in a folder, by name; none where it is not there.
fn folders_in(folder: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.push((entry.file_name().to_string_lossy().into_owned(), entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

/// By one rename: nobody finds half of it, should this process end before it is removed.
fn rename_aside(path: &Path, name: &str) -> io::Result<PathBuf> {
    let mut aside = path.with_file_name(format!("{GONE}{name}"));
    // Such as what was set aside before, and is not removed yet.
    while aside.exists() {
        aside.as_mut_os_string().push("~");
    }
    fs::rename(path, &aside)?;
    Ok(aside)
}

/// Removes all that can be removed.
///
/// # Errors
/// The first that could not.
fn remove_files(found: Vec<Found>, dry_run: bool, freed: &mut Vec<Freed>) -> Result<()> {
    let mut done = Ok(());
    for Found { what, name, path } in found {
        let bytes = bytes_of(&path);
        let removed = if dry_run { Ok(()) } else { fs::remove_dir_all(&path) };
        match removed {
            Ok(()) => freed.push(Freed { what: what.to_owned(), name, bytes }),
            Err(error) => {
                done = done.and(Err(error).with_context(|| {
                    format!("{} cannot be removed; look whose it is, and remove it by hand", path.display())
                }));
            }
        }
    }
    done
}

/// Bytes of the files below, links not followed; what cannot be read counts as nothing.
fn bytes_of(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let bytes = |entry: fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => bytes_of(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    entries.flatten().map(bytes).sum()
}

#[cfg(test)]
mod tests {
    use autodevops_journal::Journal;
    use autodevops_record::testing::Story;

    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn make(folder: &Path, name: &str, now: SystemTime, days: u32) {
        let path = folder.join(name);
        fs::create_dir_all(path.join("sub")).unwrap();
        fs::write(path.join("sub/file"), [0; 100]).unwrap();
        fs::File::open(&path).unwrap().set_modified(now - days * DAY).unwrap();
    }

    /// What is swept, and removed.
    pub(super) fn swept(
        folders: &Folders,
        rules: &RetentionRules,
        needed: &Needed,
        dry_run: bool,
        now: SystemTime,
    ) -> Vec<Freed> {
        let (mut found, mut freed) = (Vec::new(), Vec::new());
        sweep(folders, rules, needed, dry_run, now, &mut found).unwrap();
        remove_files(found, dry_run, &mut freed).unwrap();
        freed
    }

    #[test]
    fn what_is_old_and_not_needed_goes_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let folders = Folders {
            artifacts: root.path().join("artifacts"),
            prepared: root.path().join("prepared"),
            work: root.path().join("work"),
        };
        let now = SystemTime::now();
        let name = |digit: &str| digit.repeat(64);
        for (folder, digit, days) in [
            (&folders.artifacts, "a", 40),
            (&folders.artifacts, "b", 40),
            (&folders.artifacts, "c", 10),
            (&folders.prepared, "d", 20),
            (&folders.prepared, "e", 1),
        ] {
            make(folder, &name(digit), now, days);
        }
        make(&folders.artifacts, "incoming", now, 100);
        make(&folders.work, "run-1", now, 0);
        make(&folders.work, "run-2", now, 0);
        let rules = RetentionRules { artifacts: Span(30 * DAY), prepared: Span(14 * DAY), ..RetentionRules::default() };
        let needed = Needed { artifacts: [name("b")].into(), runs: ["run-2".to_owned()].into() };
        let expected = [("artifact", name("a")), ("prepared", name("d")), ("work", "run-1".to_owned())];
        let told = |dry_run| {
            let freed = swept(&folders, &rules, &needed, dry_run, now);
            assert!(freed.iter().all(|one| one.bytes == 100), "{freed:?}");
            freed.into_iter().map(|one| (one.what, one.name)).collect::<Vec<_>>()
        };
        let expected: Vec<_> = expected.into_iter().map(|(what, name)| (what.to_owned(), name)).collect();
        assert_eq!(told(true), expected);
        assert_eq!(told(false), expected, "the dry run removed nothing");
        assert_eq!(told(false), []);
        for stays in [folders.artifacts.join(name("b")), folders.artifacts.join("incoming"), folders.work.join("run-2")]
        {
            assert!(stays.join("sub/file").exists(), "{}", stays.display());
        }
    }

    #[test]
    fn what_a_process_that_was_killed_had_set_aside_goes_whatever_its_age_and_beside_what_goes_now() {
        let root = tempfile::tempdir().unwrap();
        let folder = |name: &str| root.path().join(name);
        let folders = Folders { artifacts: folder("artifacts"), prepared: folder("prepared"), work: folder("work") };
        let (now, digest, rules) = (SystemTime::now(), "a".repeat(64), RetentionRules::default());
        make(&folders.artifacts, &format!(".gone-{digest}"), now, 0);
        make(&folders.artifacts, &digest, now, 999);
        make(&folders.prepared, &format!(".gone-{digest}"), now, 0);
        make(&folders.work, ".gone-run-1", now, 0);
        let needed = Needed::default();
        let told = |dry_run| {
            let freed = swept(&folders, &rules, &needed, dry_run, now);
            assert!(freed.iter().all(|one| one.bytes == 100), "{freed:?}");
            freed.into_iter().map(|one| format!("{} {}", one.what, one.name)).collect::<Vec<_>>()
        };
        let artifact = format!("artifact {digest}");
        let expected = [artifact.clone(), artifact, format!("prepared {digest}"), "work run-1".to_owned()];
        assert_eq!(told(true), expected);
        // Set aside twice, and killed before it was removed.
        sweep(&folders, &rules, &needed, false, now, &mut Vec::new()).unwrap();
        assert!(!folders.artifacts.join(&digest).exists());
        let names = told(false).into_iter().map(|name| name.trim_end_matches('~').to_owned());
        assert_eq!(names.collect::<Vec<_>>(), expected);
        assert_eq!(told(false), [""; 0]);
        for folder in [&folders.artifacts, &folders.prepared, &folders.work] {
            assert_eq!(fs::read_dir(folder).unwrap().count(), 0);
        }
    }

    #[test]
    fn what_cannot_be_removed_keeps_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let found = ["gone-already", "other"].map(|name| {
            let path = root.path().join(name);
            Found { what: "work", name: name.to_owned(), path }
        });
        fs::create_dir(&found[1].path).unwrap();
        let mut freed = Vec::new();
        let error = remove_files(found.into(), false, &mut freed).unwrap_err();
        assert!(error.to_string().contains("gone-already cannot be removed; look whose it is"), "{error}");
        assert_eq!(freed.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["other"]);
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }

    #[test]
    fn where_there_is_nothing_nothing_is_freed() {
        let root = tempfile::tempdir().unwrap();
        let nowhere = root.path().join("nowhere");
        let folders = Folders { artifacts: nowhere.clone(), prepared: nowhere.clone(), work: nowhere };
        let freed = swept(&folders, &RetentionRules::default(), &Needed::default(), false, SystemTime::now());
        assert_eq!(freed, []);
    }

    #[test]
    fn the_events_of_a_run_that_is_long_over_go_and_its_numbers_and_the_record_of_that_stay() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path().join("journal.db")).unwrap();
        let (log, audit) = (RunLog::new(journal.clone()), Audit::new(journal));
        let records = Records::new(log.clone());
        let events = Story::healed();
        let ended = events.last().unwrap().at;
        let version = log.append("62e23fd1-1", 0, &events, &[]).unwrap();
        let age = Span(30 * DAY);
        let forget = |dry_run, at| {
            let mut freed = Vec::new();
            forget_runs(&log, &records, &audit, age, dry_run, at, &mut freed).unwrap();
            freed.into_iter().map(|one| (one.what, one.name, one.bytes > 0)).collect::<Vec<_>>()
        };
        let (early, late) = (ended.after(29 * DAY), ended.after(31 * DAY));
        assert_eq!(forget(false, late), [], "it is not on record yet");
        audit.let_go("62e23fd1-1", "finished", version, true);
        let before = records.attempts().unwrap();
        assert_eq!(forget(false, early), []);
        let expected = [("events".to_owned(), "62e23fd1-1".to_owned(), true)];
        assert_eq!(forget(true, late), expected);
        assert!(log.read("62e23fd1-1").unwrap().is_some(), "the dry run forgot nothing");
        assert_eq!(forget(false, late), expected);
        assert_eq!(forget(false, late), []);
        assert!(log.read("62e23fd1-1").unwrap().is_none());
        assert_eq!(
            (records.attempts().unwrap(), Records::new(log.clone()).attempts().unwrap()),
            (before.clone(), before)
        );
        let verified = audit.log().verify(None).unwrap().unwrap();
        assert_eq!((verified.forgotten.len(), verified.forgotten[0].events), (1, version));
        // Its name stands for it, and for no other run.
        assert_eq!(audit.log().names().unwrap(), ["62e23fd1-1"]);
    }
}

#[cfg(test)]
mod whole;
