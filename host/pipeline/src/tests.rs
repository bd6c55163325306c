//! Whole runs: what people can say, what goes wrong, and, by simulation, what may never be.

mod baseline;
mod claim;
mod compare;
mod custom;
mod data;
mod escalation;
mod events;
mod failures;
mod freeze;
mod glance;
mod people;
mod recovery;
mod safety;
pub(crate) mod scene;
mod simulation;
mod stable;
mod steer;
mod together;
mod told;
mod triggers;
mod way;
mod windows;
