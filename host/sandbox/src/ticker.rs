//! The thread by which guests notice that time passes.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use wasmtime::Engine;

/// How often a running guest is looked at: the resolution of its deadline.
const TICK: Duration = Duration::from_millis(10);

/// Has an engine's time pass until it is dropped.
pub struct Ticker {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Ticker {
    /// # Errors
    /// When the system has no thread for it: without it a guest that spins would hold a thread of the host for ever.
    pub fn start(engine: Engine) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        let ticking = move || {
            let mut next = Instant::now() + TICK;
            while !stopping.load(Ordering::Relaxed) {
                std::thread::park_timeout(next.saturating_duration_since(Instant::now()));
                let now = Instant::now();
                if now >= next {
                    engine.increment_epoch();
                    // Ticks that were missed (a suspended machine) are not made up for.
                    next = now + TICK;
                }
            }
        };
        let thread = std::thread::Builder::new().name("epoch".into()).spawn(ticking)?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            drop(thread.join());
        }
    }
}
