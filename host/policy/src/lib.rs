//! What a plugin may do: what its manifest asks for, what the operator grants, and the decision over both.
//!
//! Pure: no clock, no files, no network, no engine. Nothing is permitted by default; the effective permission is the
//! intersection of what was asked and what was granted.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

pub mod address;
mod asked;
mod binding;
mod ceilings;
mod check;
pub mod command;
mod credential;
mod destination;
mod difference;
pub mod edits;
#[doc(hidden)]
pub mod fuzzing;
mod grant;
mod limits;
mod manifest;
mod method;
pub mod metric;
mod operation;
mod origin;
mod path;
mod permission;
mod quantity;
mod recipient;
pub mod redact;
pub mod strict_toml;
#[cfg(test)]
mod testing;
pub mod text;
mod within;
mod words;

pub use asked::{Asked, AskedCredential};
pub use binding::{BindingError, BindingSource, CredentialBinding};
pub use ceilings::{CeilingError, PermissionCeilings};
pub use check::{GrantError, check_grant};
pub use credential::{Credential, CredentialError, EffectiveCredential};
pub use destination::Destination;
pub use difference::{Difference, difference};
pub use grant::{Access, EffectiveGrant, Grant, Preopen, effective, missing};
pub use limits::{Ceilings, Limit, Limits, Meter, OverLimit};
pub use manifest::{ConfigKey, ConfigType, Manifest, ManifestError};
pub use method::{Method, MethodError, Methods};
pub use metric::{DeclaredMetric, MetricError, MetricKind, MetricUnit};
pub use operation::{Denial, Operation};
pub use origin::{Origin, OriginError};
pub use path::{PathError, ProjectPath};
pub use permission::{Permission, PermissionError, PermissionKind, RUN_FOLDERS};
pub use quantity::{Bytes, Percent, QuantityError, Span, deserialize_quantity};
pub use recipient::{MailAddress, Recipient, RecipientError};
pub use within::within;
pub use words::{AskedWords, words};
