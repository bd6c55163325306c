//! Whole files, read to their ends: large ones side by side, each by an instance of its own.
//!
//! What comes of it does not depend on the machine: which files are read by themselves, their sizes say, and what was made of them is
//! joined in the order in which they were named. How many are read at once, the processors say.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::Arc,
    thread::available_parallelism,
};

use anyhow::{Context as _, Result};
use autodevops_sandbox::{CallContext, MountedFolder, Plugin};
use tokio::task::JoinSet;

use super::{Account, Analysis, CHECKPOINT_BYTES, Part, Reader};
use crate::input::Input;

/// Bytes from which a log is worth an instance of its own: to join it costs as much as a checkpoint, which is made after so many bytes.
const LARGE_BYTES: u64 = CHECKPOINT_BYTES;
/// Most logs that are read at once, whatever processors there are: each takes an instance's memory.
const MOST_AT_ONCE: usize = 8;
/// How many times as many may be begun before the first of them is joined: what waits for it takes a checkpoint's memory.
const AHEAD: usize = 2;

/// Logs that one instance reads, with their names.
type Inputs = Vec<(String, Input)>;

/// Is told how many bytes of the files were read since the last time, from any thread.
type Progress = Arc<dyn Fn(u64) + Send + Sync>;

/// Reads whole files (or standard input, `-`), also compressed ones, and gives the issues in them. `progress` is told how many
/// bytes of the files were read.
///
/// # Errors
/// When a file cannot be opened, or the analyzer fails.
pub async fn analyze_files(
    plugin: Plugin,
    mounts: Vec<MountedFolder>,
    files: &[PathBuf],
    progress: impl Fn(u64) + Send + Sync + 'static,
) -> Result<Analysis> {
    let mut inputs = Inputs::new();
    for file in files {
        inputs.push((file.display().to_string(), Input::open(file)?));
    }
    let progress: Progress = Arc::new(progress);
    let shares = shares(&inputs);
    if shares.iter().all(|share| *share == 0) || !joins(&plugin, &mounts).await? {
        let mut account = Account::open(plugin, mounts).await?;
        read(&mut account, inputs, &progress).await?;
        return account.analysis().await;
    }
    let mut parts: BTreeMap<usize, Inputs> = BTreeMap::new();
    for (share, input) in shares.into_iter().zip(inputs) {
        parts.entry(share).or_default().push(input);
    }
    let mut account = Account::open(plugin.clone(), mounts.clone()).await?;
    let at_once = available_parallelism().map_or(1, usize::from).min(MOST_AT_ONCE);
    let mut waiting = parts.into_values();
    let mut readers: JoinSet<Result<(usize, Part)>> = JoinSet::new();
    let mut done: BTreeMap<usize, Part> = BTreeMap::new();
    let (mut begun, mut joined) = (0, 0);
    loop {
        while may_begin(readers.len(), begun, joined, at_once) {
            let Some(inputs) = waiting.next() else { break };
            let (plugin, mounts, progress, number) = (plugin.clone(), mounts.clone(), Arc::clone(&progress), begun);
            readers.spawn(async move {
                let mut account = Account::open(plugin, mounts).await?;
                read(&mut account, inputs, &progress).await?;
                Ok((number, account.into_part().await?))
            });
            begun += 1;
        }
        let Some(part) = readers.join_next().await else { break };
        let (number, part) = part.context("reading a log ended before its end")??;
        done.insert(number, part);
        while let Some(part) = done.remove(&joined) {
            account.join(part).await?;
            joined += 1;
        }
    }
    account.analysis().await
}

/// Whether a further log may be begun while so many are read, where so many were begun and so many of them joined.
const fn may_begin(reading: usize, begun: usize, joined: usize, at_once: usize) -> bool {
    reading < at_once && begun < joined + AHEAD * at_once
}

/// Which logs are read by the same instance: those that have the same number. Large ones have an instance each, the others share one;
/// one that is named twice is read twice, by the same.
fn shares(inputs: &Inputs) -> Vec<usize> {
    let mut numbers: HashMap<Option<&str>, usize> = HashMap::new();
    let mut shares = Vec::new();
    for (name, input) in inputs {
        let is_large = input.about_bytes() >= LARGE_BYTES;
        let next = numbers.len();
        shares.push(*numbers.entry(is_large.then_some(name.as_str())).or_insert(next));
    }
    shares
}

/// Whether the analyzer joins sources that were read side by side.
async fn joins(plugin: &Plugin, mounts: &[MountedFolder]) -> Result<bool> {
    let context = CallContext { run: "analyze".to_owned(), mounts: mounts.to_vec(), ..CallContext::default() };
    let mut reader = Reader::open(plugin.clone(), context, None).await?;
    let nothing = reader.checkpoint().await?;
    reader.join(&nothing).await
}

async fn read(account: &mut Account, inputs: Inputs, progress: &Progress) -> Result<()> {
    for (name, input) in inputs {
        account.read(&name, input, |bytes| progress(bytes)).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{
        fs::File,
        path::Path,
        sync::atomic::{AtomicU64, Ordering},
    };

    use autodevops_model::Stage;
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{Scene, answer, plugin, refusal, target};

    #[test]
    fn large_logs_are_read_by_themselves_whatever_the_order_and_small_ones_together() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: u64| {
            let path = folder.path().join(name);
            File::create(&path).unwrap().set_len(bytes).unwrap();
            path
        };
        let large = |name: &str| file(name, LARGE_BYTES);
        let small = |name: &str| file(name, LARGE_BYTES - 1);
        let of = |files: &[PathBuf]| {
            let open = |file: &PathBuf| (file.display().to_string(), Input::open(file).unwrap());
            shares(&files.iter().map(open).collect())
        };
        assert_eq!(of(&[]), [0; 0]);
        assert_eq!(of(&[small("a"), small("b"), small("c")]), [0, 0, 0]);
        assert_eq!(of(&[large("a")]), [0]);
        assert_eq!(of(&[large("a"), large("b")]), [0, 1]);
        assert_eq!(of(&[small("a"), large("b"), small("c"), large("d")]), [0, 1, 0, 2]);
        assert_eq!(of(&[large("a"), small("b"), large("a"), small("c"), small("b")]), [0, 1, 0, 1, 1]);
    }

    #[test]
    fn no_more_logs_are_read_at_once_than_there_may_be_and_no_more_wait_to_be_joined() {
        // How many are read when as many are begun as may be, none of which ends; and how many are begun when all end but the first.
        let read = |at_once| (0..).take_while(|reading| may_begin(*reading, *reading, 0, at_once)).count();
        let begun = |joined, at_once| (joined..).take_while(|begun| may_begin(0, *begun, joined, at_once)).count();
        for at_once in [1, 3, MOST_AT_ONCE] {
            assert_eq!((read(at_once), begun(0, at_once), begun(5, at_once)), (at_once, 2 * at_once, 2 * at_once));
        }
    }

    #[test]
    fn a_compressed_log_counts_by_what_is_in_it_and_what_has_no_size_for_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log.gz");
        let mut text = flate2::write::GzEncoder::new(File::create(&path).unwrap(), flate2::Compression::default());
        std::io::Write::write_all(&mut text, b"one line\n").unwrap();
        let bytes = text.finish().unwrap().metadata().unwrap().len();
        assert_eq!(Input::open(&path).unwrap().about_bytes(), 10 * bytes);
        assert_eq!(Input::open(Path::new("/dev/null")).unwrap().about_bytes(), 0);
    }

    /// An analyzer that has room for 448 KiB, and answers so when a session is to be joined, and when it is to be kept.
    fn analyzer(join: Value, checkpoint: Value) -> Scene {
        let answers = [
            answer("[method]session.push", Value::Null),
            answer("[method]session.issues", json!([])),
            answer("[method]session.checkpoint", checkpoint),
            answer("[method]session.join", join),
        ];
        Scene::open(&[target(&[]), plugin("analyzer", Stage::Analyzer, &answers)], "")
    }

    const TEXT_BYTES: usize = 200 << 10;

    /// Logs of so many bytes each, in archives that count as large ones: they begin with a frame that is skipped.
    fn large_ones(folder: &Path, number: usize, bytes: usize) -> Vec<PathBuf> {
        let skipped = u32::try_from(LARGE_BYTES / 10 + 1).unwrap();
        let mut archive = vec![0; skipped as usize + 8];
        archive[..4].copy_from_slice(&[0x50, 0x2a, 0x4d, 0x18]);
        archive[4..8].copy_from_slice(&skipped.to_le_bytes());
        archive.extend(zstd::encode_all(&*b"a line\n".repeat(bytes / 7), 1).unwrap());
        let file = |number: usize| {
            let path = folder.join(format!("{number}.log.zst"));
            std::fs::write(&path, &archive).unwrap();
            path
        };
        (0..number).map(file).collect()
    }

    /// The bytes of each log, and of the files, that were read.
    async fn read_of(scene: &Scene, files: &[PathBuf]) -> Result<(Vec<(String, u64)>, u64)> {
        let plugin = scene.project.plugins.for_stage("analyzer", Stage::Analyzer)?;
        let told = Arc::new(AtomicU64::new(0));
        let add = Arc::clone(&told);
        let progress = move |bytes| {
            add.fetch_add(bytes, Ordering::Relaxed);
        };
        let analysis = analyze_files(plugin, Vec::new(), files, progress).await?;
        assert_eq!(analysis.skipped, []);
        let sources = analysis.sources.into_iter().map(|source| (source.source, source.bytes)).collect();
        Ok((sources, told.load(Ordering::Relaxed)))
    }

    fn expected(files: &[PathBuf], bytes: usize) -> (Vec<(String, u64)>, u64) {
        let each = |file: &PathBuf| (file.display().to_string(), (bytes / 7 * 7) as u64);
        let all = files.iter().map(|file| file.metadata().unwrap().len()).sum();
        (files.iter().map(each).collect(), all)
    }

    #[tokio::test]
    async fn large_logs_are_read_to_their_ends_each_by_an_instance_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let files = large_ones(folder.path(), 5, TEXT_BYTES);
        let scene = analyzer(Value::Null, json!([1]));
        assert_eq!(read_of(&scene, &files).await.unwrap(), expected(&files, TEXT_BYTES));
        // One instance has no room for all.
        let scene = analyzer(refusal("unsupported", "it joins none"), json!([1]));
        read_of(&scene, &files).await.unwrap_err();
    }

    #[tokio::test]
    async fn an_analyzer_that_joins_none_is_given_all_logs_in_one_session_and_one_that_fails_fails() {
        let folder = tempfile::tempdir().unwrap();
        let files = large_ones(folder.path(), 2, 700);
        let scene = analyzer(refusal("unsupported", "it joins none"), json!([1]));
        assert_eq!(read_of(&scene, &files).await.unwrap(), expected(&files, 700));
        let scene = analyzer(refusal("failed", "it is broken"), json!([1]));
        let error = format!("{:#}", read_of(&scene, &files).await.unwrap_err());
        assert!(error.contains("it is broken"), "{error}");
    }

    #[tokio::test]
    async fn small_logs_are_read_in_one_session_of_which_nothing_is_joined() {
        let folder = tempfile::tempdir().unwrap();
        let files = ["a.log", "b.log"].map(|name| folder.path().join(name));
        files.iter().for_each(|file| std::fs::write(file, "a line\n").unwrap());
        let scene = analyzer(Value::Null, refusal("failed", "nothing can be kept"));
        assert_eq!(read_of(&scene, &files).await.unwrap(), expected(&files, 7));
    }
}
