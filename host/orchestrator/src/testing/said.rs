//! What is said in the log while a test goes on.

use std::{
    io::{self, Write},
    sync::{Arc, LazyLock, Mutex},
};

use tracing::{Dispatch, subscriber::DefaultGuard};

/// Never listened to. While there is one listener alone, what another test's thread is the first to say is taken for something that nobody
/// wants to hear, for good.
static BESIDE: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(tracing_subscriber::registry()));

/// Keeps what this thread says in the log, as long as it is there.
pub(crate) struct Said {
    written: Written,
    _guard: DefaultGuard,
}

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Said {
    /// From now on.
    pub(crate) fn listen() -> Self {
        LazyLock::force(&BESIDE);
        let written = Written::default();
        let to = written.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .without_time()
            .with_target(false)
            .with_writer(move || to.clone());
        Self { written, _guard: tracing::subscriber::set_default(subscriber.finish()) }
    }

    /// How often something with these words was said.
    pub(crate) fn times(&self, words: &str) -> usize {
        String::from_utf8(self.written.0.lock().unwrap().clone()).unwrap().matches(words).count()
    }
}
