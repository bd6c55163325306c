//! Snapshots of a database: taken, checked and gone back to by the operator's commands, each a file of one folder.
//!
//! ```text
//! snapshot ── PREFIX-snapshot {snapshot} ──> /snapshots/ID.SUFFIX ── its size and time ──> kept by the key
//! verify   ── its size, its first bytes ── PREFIX-check {snapshot} ──> what is wrong with it
//! changed  ── PREFIX-snapshot {another} ── both files, byte for byte ──> whether they are one ── the other is removed
//! restore  ── verify ── PREFIX-restore {snapshot} ──> done once for each key, refused for an older fence
//! ```
//!
//! A component cannot copy a database file that others write to: WASI has no locks on files. The database's own tools can, and the
//! operator says how they are called; this says when, and what came of it.

mod compare;
mod id;
mod kept;
mod world;

use std::{marker::PhantomData, ops::Range};

use autodevops_sdk::{Error, Result, StateGuard, command::Completed, types::SnapshotInfo};

pub use crate::compare::HEAD;
pub use crate::world::{Plugins, World};
use crate::{id::id_of, kept::Kept};

/// Most characters that an error shows of what a command wrote.
const SHOWN: usize = 300;

/// What one kind of database is like.
#[derive(Clone, Copy)]
pub struct Kind {
    /// What the commands' names start with, such as `sqlite` for `sqlite-snapshot`.
    pub prefix: &'static str,
    /// How a snapshot's file ends, such as `.db`.
    pub suffix: &'static str,
    /// How a snapshot's file begins.
    pub magic: &'static [u8],
    /// What is wrong with a file whose first [`HEAD`] bytes, or all there are of it, show that nothing is in it.
    pub empty: fn(&[u8]) -> Option<&'static str>,
    /// Where a file that begins so says when it was taken: bytes that say nothing of what is in the database. They lie within the
    /// first [`HEAD`].
    pub dated: fn(&[u8]) -> Range<usize>,
    /// What the command that checks a snapshot found wrong, where it came to its end well.
    pub fault: fn(&Completed) -> Option<String>,
    /// Whether what a command wrote to standard error says that it may be tried again.
    pub passes: fn(&str) -> bool,
}

/// What a plugin guards.
pub trait Database: 'static {
    /// What it is like.
    const KIND: Kind;
}

/// The state guard of a database, in a plugin's own world.
pub struct GuardOf<D>(PhantomData<D>);

impl<D: Database> GuardOf<D> {
    const fn guard() -> Guard<Plugins> {
        Guard::new(D::KIND, Plugins)
    }
}

impl<D: Database> StateGuard for GuardOf<D> {
    fn snapshot(environment: String, key: String) -> Result<SnapshotInfo> {
        Self::guard().snapshot(&environment, &key)
    }

    fn verify(environment: String, id: String) -> Result<Option<String>> {
        Self::guard().verify(&environment, &id)
    }

    fn changed(environment: String, id: String) -> Result<Option<String>> {
        Self::guard().changed(&environment, &id)
    }

    fn restore(environment: String, key: String, fence: u64, id: String) -> Result<()> {
        Self::guard().restore(&environment, &key, fence, &id)
    }

    fn list(environment: String) -> Result<Vec<SnapshotInfo>> {
        Self::guard().list(&environment)
    }

    fn forget(environment: String, id: String) -> Result<()> {
        Self::guard().forget(&environment, &id)
    }
}

/// Keeps the snapshots of one kind of database.
pub struct Guard<W> {
    kind: Kind,
    world: W,
}

impl<W: World> Guard<W> {
    /// With this to work with.
    pub const fn new(kind: Kind, world: W) -> Self {
        Self { kind, world }
    }

    /// Takes a snapshot; the one that is there, where the key took one.
    ///
    /// # Errors
    /// When the command fails, or writes no snapshot.
    pub fn snapshot(&self, environment: &str, key: &str) -> Result<SnapshotInfo> {
        let mut kept = self.kept(environment)?;
        if let Some(known) = kept.by_key(key) {
            return Ok(known.info());
        }
        let id = id_of(environment, key);
        self.done("snapshot", environment, &id)?;
        let file = self.file(&id);
        let Some((bytes, _)) = self.world.look(&file, 0)? else {
            return Err(Error::failure(format!(
                "the command `{}-snapshot` ended well, and {file} is not there; let its `argv` write {{snapshot}}{} into the folder \
                 that is granted as /snapshots",
                self.kind.prefix, self.kind.suffix
            )));
        };
        let info = SnapshotInfo { id, taken: self.world.now()?, bytes };
        kept.add(key, &info);
        self.keep(environment, &kept)?;
        Ok(info)
    }

    /// What keeps a snapshot from being gone back to.
    ///
    /// # Errors
    /// When it cannot be told.
    pub fn verify(&self, environment: &str, id: &str) -> Result<Option<String>> {
        let kept = self.kept(environment)?;
        let Some(known) = kept.by_id(id) else {
            return Ok(Some(format!("no snapshot {id} of {environment} is kept")));
        };
        let file = self.file(id);
        let fault = match self.world.look(&file, HEAD)? {
            None => Some(format!("its file {file} is gone")),
            Some((bytes, _)) if bytes != known.bytes => {
                Some(format!("its file {file} has {bytes} bytes, and had {} when it was taken", known.bytes))
            }
            Some((_, head)) if !head.starts_with(self.kind.magic) => {
                Some(format!("its file {file} does not begin as one does"))
            }
            // Going back to it would lose all there is. What is there before one goes back is kept all the same, however empty.
            Some((_, head)) => (self.kind.empty)(&head).map(str::to_owned),
        };
        if fault.is_some() {
            return Ok(fault);
        }
        let completed = self.run("check", environment, id)?;
        Ok(match completed.status {
            0 => (self.kind.fault)(&completed),
            status => {
                Some(format!("the command `{}-check` ended with {status}: {}", self.kind.prefix, said(&completed)))
            }
        })
    }

    /// How the database differs from a snapshot, which is told by another that is taken now and that is not kept. The same rows in
    /// another order or under other numbers, as after a restore, differ as well: what is not sure is not said to be unchanged.
    ///
    /// # Errors
    /// When there is no such snapshot, or it cannot be told.
    pub fn changed(&self, environment: &str, id: &str) -> Result<Option<String>> {
        if self.kept(environment)?.by_id(id).is_none() {
            return Err(Error::failure(format!("no snapshot {id} of {environment} is kept")));
        }
        let now = id_of(environment, &format!("{id}/now"));
        let taken = self.done("snapshot", environment, &now);
        let differs = taken.and_then(|()| self.differs(&self.file(id), &self.file(&now)));
        // Whatever came of it, it is no snapshot to go back to.
        self.world.remove(&self.file(&now))?;
        differs
    }

    fn differs(&self, then: &str, now: &str) -> Result<Option<String>> {
        let bytes = |file: &str| match self.world.look(file, 0)? {
            Some((bytes, _)) => Ok(bytes),
            None => Err(Error::failure(format!("the file {file} is not there"))),
        };
        let (bytes_then, bytes_now) = (bytes(then)?, bytes(now)?);
        if bytes_then != bytes_now {
            return Ok(Some(format!("it has {bytes_then} bytes, and one that is taken now has {bytes_now}")));
        }
        let (mut then, mut now) = (self.world.open(then)?, self.world.open(now)?);
        let first = compare::first_difference(&mut then, &mut now, self.kind.dated)?;
        Ok(first.map(|byte| format!("one that is taken now has as many bytes, and others from byte {byte} on")))
    }

    /// Goes back to a snapshot, once for each key.
    ///
    /// # Errors
    /// `denied` for a fence below the highest seen; and when the snapshot is not whole, or the command fails.
    pub fn restore(&self, environment: &str, key: &str, fence: u64, id: &str) -> Result<()> {
        let mut kept = self.kept(environment)?;
        if fence < kept.fence {
            let seen = kept.fence;
            return Err(Error::not_granted(format!(
                "fence {fence} is below {seen}: another host went back since; nothing is done"
            )));
        }
        if kept.restored(key) {
            return Ok(());
        }
        if let Some(fault) = self.verify(environment, id)? {
            return Err(Error::failure(format!("snapshot {id} of {environment} is not gone back to: {fault}")));
        }
        self.done("restore", environment, id)?;
        kept.went_back(key, fence);
        self.keep(environment, &kept)
    }

    /// The snapshots, oldest first.
    ///
    /// # Errors
    /// When they cannot be told.
    pub fn list(&self, environment: &str) -> Result<Vec<SnapshotInfo>> {
        Ok(self.kept(environment)?.infos())
    }

    /// Removes a snapshot and its file.
    ///
    /// # Errors
    /// When its file cannot be removed.
    pub fn forget(&self, environment: &str, id: &str) -> Result<()> {
        let mut kept = self.kept(environment)?;
        if kept.remove(id) {
            self.world.remove(&self.file(id))?;
            self.keep(environment, &kept)?;
        }
        Ok(())
    }

    fn file(&self, id: &str) -> String {
        format!("/snapshots/{id}{}", self.kind.suffix)
    }

    fn run(&self, what: &str, environment: &str, id: &str) -> Result<Completed> {
        let fills =
            [("snapshot", id), ("environment", environment)].map(|(name, value)| (name.to_owned(), value.to_owned()));
        self.world.run(&format!("{}-{what}", self.kind.prefix), &fills)
    }

    /// Runs a command that must end well.
    fn done(&self, what: &str, environment: &str, id: &str) -> Result<()> {
        let completed = self.run(what, environment, id)?;
        if completed.status == 0 {
            return Ok(());
        }
        let words =
            format!("the command `{}-{what}` ended with {}: {}", self.kind.prefix, completed.status, said(&completed));
        Err(if (self.kind.passes)(&completed.stderr) { Error::no_answer(words) } else { Error::failure(words) })
    }

    fn kept(&self, environment: &str) -> Result<Kept> {
        match self.world.kept(environment)? {
            Some(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| Error::failure(format!("what is kept of {environment} cannot be read: {error}"))),
            None => Ok(Kept::default()),
        }
    }

    fn keep(&self, environment: &str, kept: &Kept) -> Result<()> {
        self.world.keep(environment, &autodevops_sdk::encode(kept)?)
    }
}

/// What a command wrote, in one line: to standard error, or else to standard output.
pub fn said(completed: &Completed) -> String {
    let text = if completed.stderr.trim().is_empty() { &completed.stdout } else { &completed.stderr };
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None if line.is_empty() => "it said nothing".to_owned(),
        None => line,
    }
}

#[cfg(test)]
mod tests;
