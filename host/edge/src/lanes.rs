//! The threads that carry requests.
//!
//! Each has a runtime of its own: a request is read, forwarded and answered on one thread, over connections to releases
//! that are that thread's own. A wake-up that crosses threads would cost as much as the forwarding itself.

use std::{
    future::Future,
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread::JoinHandle,
};

use tokio::{runtime::Handle, sync::watch};

/// More threads than this would carry nothing: the releases are busy by then.
const MAX_LANES: usize = 16;

/// The threads.
#[derive(Debug)]
pub struct Lanes {
    lanes: Vec<Lane>,
    ending: watch::Sender<bool>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Lane {
    runtime: Handle,
    /// Connections that it carries.
    open: Arc<AtomicUsize>,
}

/// A connection's place in a lane.
#[derive(Debug)]
pub struct Seat {
    /// Which lane.
    pub lane: usize,
    open: Arc<AtomicUsize>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Lanes {
    /// One for each processor.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn start() -> io::Result<Self> {
        Self::with(std::thread::available_parallelism().map_or(1, usize::from).min(MAX_LANES))
    }

    fn with(count: usize) -> io::Result<Self> {
        let (mut lanes, mut threads) = (Vec::new(), Vec::new());
        let ending = watch::Sender::new(false);
        for index in 0..count {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
            lanes.push(Lane { runtime: runtime.handle().clone(), open: Arc::default() });
            let mut ended = ending.subscribe();
            threads.push(std::thread::Builder::new().name(format!("lane-{index}")).spawn(move || {
                // A sender that is gone ends it too; what is still carried is dropped with the runtime.
                drop(runtime.block_on(ended.wait_for(|ended| *ended)));
            })?);
        }
        Ok(Self { lanes, ending, threads: Mutex::new(threads) })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.lanes.len()
    }

    /// Gives a connection to the lane that carries the fewest. It is carried there until it drops its seat.
    pub fn carry<F: Future<Output = ()> + Send + 'static>(&self, connection: impl FnOnce(Seat) -> F) {
        let lanes = self.lanes.iter().enumerate();
        let Some((lane, Lane { runtime, open })) = lanes.min_by_key(|(_, lane)| lane.open.load(Ordering::Relaxed))
        else {
            return;
        };
        open.fetch_add(1, Ordering::Relaxed);
        drop(runtime.spawn(connection(Seat { lane, open: Arc::clone(open) })));
    }

    /// Ends them; what they carry is cut off. Waits for them, so it is not called on one.
    pub fn end(&self) {
        self.ending.send_replace(true);
        for thread in std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner)) {
            if thread.join().is_err() {
                tracing::error!("a thread that carried requests failed");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_spread_evenly_and_are_cut_off_with_the_lanes() {
        let lanes = Lanes::with(3).unwrap();
        let (seen, held) = (Mutex::new(Vec::new()), Arc::new(()));
        let mut seats = Vec::new();
        for _ in 0..6 {
            lanes.carry(|seat| {
                seen.lock().unwrap().push(seat.lane);
                let held = Arc::clone(&held);
                seats.push(seat);
                async move {
                    std::future::pending::<()>().await;
                    drop(held);
                }
            });
        }
        assert_eq!(*seen.lock().unwrap(), [0, 1, 2, 0, 1, 2]);
        seats.remove(1);
        lanes.carry(|seat| {
            assert_eq!(seat.lane, 1);
            async {}
        });
        lanes.end();
        assert_eq!(Arc::strong_count(&held), 1);
    }
}
