//! What a plugin may do: what its manifest asks for, what the operator grants, and the decision over both.
//!
//! Pure: no clock, no files, no network, no engine. Nothing is permitted by default; the effective permission is the
//! intersection of what was asked and what was granted.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

pub mod address;
pub mod edits;
mod grant;
mod limits;
mod manifest;
mod operation;
mod origin;
mod path;
mod quantity;
pub mod strict_toml;

pub use grant::{Access, EffectiveGrant, Grant, Preopen, effective};
pub use limits::{Ceilings, Limit, Limits, Meter, OverLimit};
pub use manifest::{ConfigKey, ConfigType, Manifest, ManifestError, Permission, PermissionKind};
pub use operation::{Denial, Operation};
pub use origin::{Origin, OriginError};
pub use path::{PathError, ProjectPath};
pub use quantity::{Bytes, Percent, QuantityError, Span};
