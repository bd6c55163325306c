//! The commented file that `init` writes.

/// A commented `autodevops.toml` with every key there is.
pub const TEMPLATE: &str = include_str!("template.toml");
