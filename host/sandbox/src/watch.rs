//! How a guest is watched while it runs: its memory, what it hands to the host and holds of it, its time, and each change between
//! its code and the host's.

use std::time::Instant;

use autodevops_policy::{Denial, Limit};
use wasmtime::{CallHook, Store, StoreContextMut, UpdateDeadline};

use crate::{
    guest::Guest,
    replay::{RecordedToHere, lock},
};

/// The guest's deadline has passed.
#[derive(Debug, thiserror::Error)]
#[error("the call's deadline has passed")]
pub struct DeadlinePassed;

/// Has the guest's limits hold in its store.
pub fn watch(store: &mut Store<Guest>) {
    let limits = store.data_mut().authority().quota();
    let limits = limits.limits();
    store.limiter(|guest| &mut guest.budget);
    store.set_hostcall_fuel(usize::try_from(limits.output.0).unwrap_or(usize::MAX));
    store.set_max_component_handles(limits.resources as usize);
    store.call_hook(crossing);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(tick);
}

/// The guest's code begins, ends, calls the host or is gone back to.
fn crossing(mut context: StoreContextMut<'_, Guest>, hook: CallHook) -> wasmtime::Result<()> {
    let guest = context.data_mut();
    let now = guest.clock.now();
    match hook {
        CallHook::CallingWasm => {
            guest.activations.enter()?;
            guest.clock.resume(now);
        }
        CallHook::ReturningFromHost => {
            let took = guest.clock.resume(now);
            guest.authority().returned(took)?;
        }
        CallHook::CallingHost => {
            let at = guest.clock.pause(now);
            guest.authority().entered(at);
        }
        CallHook::ReturningFromWasm => {
            guest.activations.leave();
            guest.clock.pause(now);
        }
    }
    Ok(())
}

/// Time has passed while the guest's code ran.
fn tick(mut context: StoreContextMut<'_, Guest>) -> wasmtime::Result<UpdateDeadline> {
    let guest = context.data_mut();
    if Instant::now() >= guest.deadline {
        return Err(DeadlinePassed.into());
    }
    if let Some(player) = guest.tape.player() {
        return if lock(player).is_over() { Err(RecordedToHere.into()) } else { Ok(UpdateDeadline::Yield(1)) };
    }
    let quota = guest.authority().quota();
    if guest.clock.guest() > quota.limits().guest_time.0 {
        return Err(Denial::from(quota.exceed(Limit::GuestTime)).into());
    }
    Ok(UpdateDeadline::Yield(1))
}
