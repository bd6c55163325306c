//! The cases, by what they go against.

mod ambient;
mod attacks;
mod beside;
mod commands;
mod compile;
mod concurrent;
mod files;
mod handles;
mod http;
mod imports;
mod keyvalue;
mod load;
mod log;
mod mail;
mod memory;
mod output;
mod races;
mod record;
mod time;

pub use keyvalue::Memory;

use crate::case::Case;

/// All of them.
pub fn all() -> Vec<Case> {
    [
        time::cases(),
        memory::cases(),
        output::cases(),
        handles::cases(),
        beside::cases(),
        concurrent::cases(),
        ambient::cases(),
        log::cases(),
        mail::cases(),
        compile::cases(),
        files::cases(),
        races::cases(),
        keyvalue::cases(),
        commands::cases(),
        http::cases(),
        load::cases(),
        imports::cases(),
        attacks::cases(),
        record::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
