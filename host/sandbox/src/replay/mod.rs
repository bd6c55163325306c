//! Recording and replay: what a call was passed, what the host answered it and what came of it, so that the same component gives
//! the same again, offline, bit for bit; or it is known at which host call it did not.
//!
//! ```text
//! a live call      guest ── host function ──> the world
//! a recorded call  guest ── host function ──> the world, its answer into the recording
//! a replay         guest ── host function <── its answer from the recording; no network, no files, no clock
//! ```
//!
//! What is typed by the contract is kept in a form of its own ([`kept`], [`forms`]); a handle is kept as what it stands for
//! ([`question`]). Host functions whose answers follow from these (the configuration, the parts of a request) are done anew in
//! a replay; that they were called, and with what, is kept all the same.

mod compare;
mod dispatch;
mod format;
mod forms;
mod forms_http;
pub(crate) mod kept;
mod player;
mod question;
mod recorder;
mod recording;
pub(crate) mod tape;

pub use compare::{FunctionReplay, Match, Replay};
pub use format::{FORMAT, FailureKind, Header, Outcome, RecordingError, unpacked_bytes};
pub(crate) use player::RecordedToHere;
pub use player::{Order, Parted};
pub(crate) use question::{Argument, Shown};
pub(crate) use recorder::Recorder;
pub use recorder::{Blank, Keep, Recordings};
pub use recording::Recording;
pub use tape::Replayed;
pub(crate) use tape::{Recall, Tape, dropped, lock, noted, through};
