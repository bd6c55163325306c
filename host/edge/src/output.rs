//! What releases write: into the environment's log as it comes, with its end kept for errors.

use std::{
    collections::VecDeque,
    fs::{File, Metadata, OpenOptions},
    io::{self, Write},
    mem::ManuallyDrop,
    os::{
        fd::{FromRawFd, OwnedFd, RawFd},
        unix::fs::MetadataExt,
    },
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

/// A log of this size is put aside and a new one begun.
const MAX_LOG_BYTES: u64 = 64 << 20;
/// The same of one release's own: what it wrote lately tells its faults from those of another release.
const MAX_RELEASE_LOG_BYTES: u64 = 4 << 20;
/// A longer line is broken.
const MAX_LINE_BYTES: u64 = 64 << 10;
/// This process's standard output and error.
const STDOUT: RawFd = 1;
const STDERR: RawFd = 2;
/// How much of a release's output is kept for errors.
const TAIL_BYTES: usize = 4 << 10;

/// An environment's log. Lines of several releases do not mix.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    limit: u64,
    open: Mutex<File>,
}

impl Log {
    /// Opens the log to append to it; its folder is made.
    pub fn open(path: &Path) -> io::Result<Self> {
        Self::with_limit(path, MAX_LOG_BYTES)
    }

    /// Opens a release's own log beside its environment's.
    pub fn of_release(environment: &Path, release: &str) -> io::Result<Self> {
        Self::with_limit(&release_log(environment, release), MAX_RELEASE_LOG_BYTES)
    }

    fn with_limit(path: &Path, limit: u64) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        Ok(Self { path: path.to_owned(), limit, open: Mutex::new(open(path)?) })
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a line, which ends with a line feed. A log that someone else put aside, as logrotate does, is begun anew.
    pub fn append(&self, line: &[u8]) -> io::Result<()> {
        let mut held = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let identity = |metadata: &Metadata| (metadata.dev(), metadata.ino());
        let length = match std::fs::metadata(&self.path) {
            Ok(named) if identity(&named) == identity(&held.metadata()?) => named.len(),
            Ok(named) => {
                *held = open(&self.path)?;
                named.len()
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                *held = open(&self.path)?;
                0
            }
            Err(error) => return Err(error),
        };
        let added = u64::try_from(line.len()).unwrap_or(u64::MAX);
        if length > 0 && length.saturating_add(added) > self.limit {
            std::fs::rename(&self.path, aside(&self.path))?;
            *held = open(&self.path)?;
        }
        held.write_all(line)
    }
}

/// Puts the file aside that this process's standard output and error go to, when it is full, and lets them go to a new
/// one. Nothing that is written meanwhile is lost.
///
/// # Errors
/// When no new one can be made; they go on where they went then.
pub fn rotate_own(path: &Path) -> io::Result<()> {
    if std::fs::metadata(path).map_or(0, |metadata| metadata.len()) < MAX_LOG_BYTES {
        return Ok(());
    }
    std::fs::rename(path, aside(path))?;
    let new = open(path)?;
    for standard in [STDOUT, STDERR] {
        // SAFETY: this process was started with both, and nothing closes them: what is made of them here is not dropped.
        let mut standard = ManuallyDrop::new(unsafe { OwnedFd::from_raw_fd(standard) });
        rustix::io::dup2(&new, &mut standard)?;
    }
    Ok(())
}

fn aside(path: &Path) -> PathBuf {
    ending(path, ".1")
}

fn ending(path: &Path, ending: &str) -> PathBuf {
    let mut path = path.to_owned().into_os_string();
    path.push(ending);
    path.into()
}

/// The folder of the logs of an environment's releases, each of which has one of its own beside the environment's.
pub fn release_logs(environment: &Path) -> PathBuf {
    ending(environment, ".releases")
}

/// The file to which one release's output is appended, beside its environment's log; at 4 MiB it becomes `….log.1` and a new one begins.
pub fn release_log(environment: &Path, release: &str) -> PathBuf {
    release_logs(environment).join(format!("{release}.log"))
}

/// Removes the logs of releases that nothing is to be known of any more.
pub fn forget_all_but(environment: &Path, is_kept: impl Fn(&str) -> bool) {
    let Ok(files) = std::fs::read_dir(release_logs(environment)) else { return };
    for file in files.flatten() {
        let name = file.file_name();
        let name = name.to_string_lossy();
        let id = name.strip_suffix(".log").or_else(|| name.strip_suffix(".log.1"));
        if let Some(id) = id
            && !is_kept(id)
            && let Err(error) = std::fs::remove_file(file.path())
        {
            tracing::warn!(%error, release = id, "the log of a release that is gone stays");
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// The end of a release's output.
#[derive(Debug, Default)]
pub struct Tail(Mutex<VecDeque<u8>>);

impl Tail {
    fn push(&self, line: &[u8]) {
        let mut tail = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tail.extend(line);
        let over = tail.len().saturating_sub(TAIL_BYTES);
        tail.drain(..over);
    }

    /// It, as text.
    pub fn text(&self) -> String {
        let tail = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes: Vec<u8> = tail.iter().copied().collect();
        String::from_utf8_lossy(&bytes).trim().to_owned()
    }
}

/// Copies a stream of output until it ends, to each of the logs in this order.
pub async fn copy(from: impl AsyncRead + Unpin, logs: Vec<Arc<Log>>, tail: Arc<Tail>) {
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    let mut is_told = false;
    loop {
        line.clear();
        match (&mut from).take(MAX_LINE_BYTES).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        if line.last() != Some(&b'\n') {
            line.push(b'\n');
        }
        tail.push(&line);
        for log in &logs {
            // The release goes on when its log cannot be written, on a full disk for one.
            if let Err(error) = log.append(&line)
                && !std::mem::replace(&mut is_told, true)
            {
                tracing::error!(%error, log = %log.path.display(), "a release's output cannot be written to its log");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn output_is_appended_line_by_line_and_its_end_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logs/production.log");
        for text in ["one\n", "two\nno end"] {
            let (log, tail) = (Arc::new(Log::open(&path).unwrap()), Arc::new(Tail::default()));
            let own = Arc::new(Log::of_release(&path, "r-1").unwrap());
            copy(text.as_bytes(), vec![own, log], Arc::clone(&tail)).await;
            assert_eq!(tail.text(), text.trim());
        }
        for path in [path.clone(), release_log(&path, "r-1")] {
            assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwo\nno end\n", "{}", path.display());
        }
    }

    #[test]
    fn what_a_release_wrote_is_kept_until_it_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("production.log");
        for id in ["r-1", "r-2", "r-3"] {
            Log::of_release(&path, id).unwrap().append(b"x\n").unwrap();
        }
        std::fs::write(aside(&release_log(&path, "r-1")), "before\n").unwrap();
        forget_all_but(&path, |id| id != "r-1");
        let mut left: Vec<_> =
            std::fs::read_dir(release_logs(&path)).unwrap().map(|file| file.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["r-2.log", "r-3.log"]);
        forget_all_but(&folder.path().join("never.log"), |_| false);
    }

    #[test]
    fn a_log_that_is_full_is_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let log = Log::with_limit(&path, 9).unwrap();
        for line in ["aaaa\n", "bbb\n", "cccc\n"] {
            log.append(line.as_bytes()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "cccc\n");
        assert_eq!(std::fs::read_to_string(folder.path().join("log.1")).unwrap(), "aaaa\nbbb\n");
    }

    #[test]
    fn a_log_that_someone_else_put_aside_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let (path, aside) = (folder.path().join("log"), folder.path().join("log.1"));
        let log = Log::with_limit(&path, 20).unwrap();
        log.append(b"one\n").unwrap();
        std::fs::rename(&path, &aside).unwrap();
        log.append(b"two\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two\n");
        std::fs::rename(&path, &aside).unwrap();
        std::fs::write(&path, "made\n").unwrap();
        log.append(b"three\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "made\nthree\n");
        // One that was copied and then emptied is not taken for as long as it was.
        std::fs::write(&path, "").unwrap();
        log.append(b"four is longer\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "four is longer\n");
        assert_eq!(std::fs::read_to_string(&aside).unwrap(), "two\n");
    }

    #[test]
    fn only_the_end_of_much_output_is_kept() {
        let tail = Tail::default();
        (0..10_000).for_each(|n| tail.push(format!("{n}\n").as_bytes()));
        assert!(tail.text().len() <= TAIL_BYTES && tail.text().ends_with("9999"));
    }
}
