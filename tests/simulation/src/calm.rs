//! A world in which nothing fails by itself, for what is tried on purpose.

use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use autodevops_driver::log::Logged;
use autodevops_pipeline::{Plan, Run};

use crate::{
    host::Host,
    stock::{capabilities, issue},
    tape::Tape,
    world::{Options, Shared, World},
};

/// So many times something is waited for, at most: then it never comes.
const MOST_WAITS: usize = 100_000;

/// A run that begins, whose plan is changed so, and its first host.
pub fn begin(change: impl FnOnce(&mut Plan)) -> (Host, Logged) {
    let world = Shared::new(Tape::from(Vec::new()), Options { told: false, fenced: true, run: 1 });
    let first = {
        let mut world = world.lock();
        change(&mut world.plan);
        world.fences += 1;
        let (at, plan, capabilities) = (world.wall(), world.plan.clone(), capabilities(&mut world.tape));
        let live = world.live();
        let first = Run::started(&world.runs[0].name, issue(), plan, "old-commit", 1, live, capabilities, at);
        world.runs[0].events.push(first.clone());
        first
    };
    let run = Run::replay(std::slice::from_ref(&first)).unwrap();
    let (steady, claims, known) = (Arc::default(), Arc::default(), Arc::new(1.into()));
    let host = Host { world, of: 0, number: 1, steady, claims, known };
    (host, Logged { run, version: 1, events: vec![first] })
}

/// Lets time pass until the work is done; before each time something may be done to the world.
pub fn done<T>(world: &Shared, work: impl Future<Output = T>, mut each: impl FnMut(&mut World)) -> T {
    let (mut work, mut context) = (pin!(work), Context::from_waker(Waker::noop()));
    for _ in 0..MOST_WAITS {
        if let Poll::Ready(done) = work.as_mut().poll(&mut context) {
            return done;
        }
        each(&mut world.lock());
        // What is said by that is heard before time passes.
        if let Poll::Ready(done) = work.as_mut().poll(&mut context) {
            return done;
        }
        assert!(world.lock().pass(), "nothing is waited for");
    }
    panic!("it never comes to an end");
}
