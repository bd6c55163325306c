//! Recordings that are kept in memory.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _},
    sync::{Arc, Mutex, atomic::AtomicU64},
};

use autodevops_sandbox::replay::{Blank, Header, Recordings};

/// Where the recordings of one run are kept.
pub struct Shelf {
    per_call: u64,
    left_in_run: Arc<AtomicU64>,
    kept: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Shelf {
    /// With so many bytes for each call.
    pub fn new(per_call: u64) -> Arc<Self> {
        Arc::new(Self { per_call, left_in_run: Arc::new(AtomicU64::new(1 << 30)), kept: Arc::default() })
    }

    /// The recording that was kept last.
    pub fn last(&self) -> Vec<u8> {
        self.kept.lock().unwrap().last().expect("a recording").clone()
    }
}

impl Recordings for Shelf {
    fn begin(&self, _: &Header) -> io::Result<Option<Blank>> {
        let kept = Arc::clone(&self.kept);
        Ok(Some(Blank {
            file: tempfile::tempfile()?,
            per_call: self.per_call,
            left_in_run: Arc::clone(&self.left_in_run),
            keep: Box::new(move |mut file: File, _| {
                let mut bytes = Vec::new();
                file.rewind()?;
                file.read_to_end(&mut bytes)?;
                kept.lock().unwrap().push(bytes);
                Ok(())
            }),
        }))
    }
}
