//! What all plugins share: so much for all together, and no plugin more than its share, so that a flood of one plugin takes
//! nothing that another needs.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};

/// What one holds of it; given back when it is dropped.
#[derive(Debug)]
pub struct Place {
    _share: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

/// There was none within the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Taken {
    /// The plugin itself takes its share.
    #[error("the plugin's own share is in use")]
    Share,
    /// Several plugins take all there is.
    #[error("all there is is in use")]
    All,
}

/// Places for all plugins. Whoever waits longest is next, in each of the two queues.
#[derive(Debug)]
pub struct Shares {
    all: Arc<Semaphore>,
    share: usize,
    shares: Mutex<HashMap<Box<str>, Arc<Semaphore>>>,
}

impl Shares {
    /// So many places, and so many of one plugin.
    pub fn new(all: usize, share: usize) -> Self {
        Self { all: semaphore(all), share, shares: Mutex::default() }
    }

    /// So many places for this plugin, waited for at most so long. Whoever waits for the plugin's own share takes nothing from the
    /// others.
    ///
    /// # Errors
    /// [`Taken`], when there were none in time.
    pub async fn acquire(&self, plugin: &str, places: u32, most: Duration) -> Result<Place, Taken> {
        let deadline = Instant::now() + most;
        let share = acquire(self.share_of(plugin), places, deadline).await.ok_or(Taken::Share)?;
        let all = acquire(Arc::clone(&self.all), places, deadline).await.ok_or(Taken::All)?;
        Ok(Place { _share: share, _all: all })
    }

    fn share_of(&self, plugin: &str) -> Arc<Semaphore> {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = shares.get(plugin) {
            return Arc::clone(share);
        }
        let share = semaphore(self.share);
        shares.insert(plugin.into(), Arc::clone(&share));
        share
    }
}

async fn acquire(of: Arc<Semaphore>, places: u32, deadline: Instant) -> Option<OwnedSemaphorePermit> {
    // Mostly, there is one, and no timer to be set.
    match Arc::clone(&of).try_acquire_many_owned(places) {
        Ok(permit) => Some(permit),
        Err(_) => timeout_at(deadline, of.acquire_many_owned(places)).await.ok().and_then(Result::ok),
    }
}

fn semaphore(places: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS)))
}
