//! How those who live in the world wait.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use super::{Shared, Timer, nanoseconds};

/// A sleep in the world's time.
pub struct Sleep {
    world: Shared,
    host: u64,
    span: Duration,
    timer: Option<Timer>,
}

impl Sleep {
    pub(super) const fn new(world: Shared, host: u64, span: Duration) -> Self {
        Self { world, host, span, timer: None }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        let world = self.world.clone();
        let mut world = world.lock();
        let timer = self.timer.unwrap_or_else(|| {
            let timer = (world.now + nanoseconds(self.span), world.next_timer, self.host);
            world.next_timer += 1;
            world.timers.insert(timer);
            timer
        });
        self.timer = Some(timer);
        if timer.0 > world.now {
            return Poll::Pending;
        }
        world.timers.remove(&timer);
        Poll::Ready(())
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(timer) = self.timer {
            self.world.lock().timers.remove(&timer);
        }
    }
}
