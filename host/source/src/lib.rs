//! A project's source: git by plumbing, artifacts by digest, and the operator's build in bubblewrap.
//!
//! Everything here blocks; call it where blocking is allowed. The operator's working tree, index and HEAD are never written to:
//! git is asked for objects and references only, with no hook, filter, driver or configuration of the repository in effect.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod artifacts;
mod bubblewrap;
mod build;
mod commit;
mod error;
mod export;
mod files;
mod git;
mod links;
mod propose;
mod repository;
mod revert;
mod tree;

pub use artifacts::{ArtifactError, Store};
pub use build::{BuildError, BuildOptions, Builder, Built, Prepare};
pub use commit::{CommitRequest, Committed};
pub use error::{Refusal, SourceError};
pub use propose::{ChangeKind, ChangedPath, Proposed};
pub use repository::{Head, ObjectId, Repository};
