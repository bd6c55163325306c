//! Outgoing HTTP of plugins: to granted origins only, to the address that was checked, without redirects.
//!
//! ```text
//! gate ─ method and URL decided, counted, recorded    request ─ what was judged is what is sent
//! send ─ resolve (once, every address judged) ─ connect (to what was judged, TLS by the name) ─ credentials ─ the wire
//! body ─ scrubbed, bounded in bytes (exchange) and time
//! ```
//!
//! There is no proxy: one that looks names up itself would be trusted with what this promises of addresses.

mod body;
mod connect;
mod credentials;
mod exchange;
mod gate;
mod request;
mod resolve;
mod scrub;
mod send;
mod trust;

pub use connect::{HttpOptions, Network};
pub use credentials::Vault;
pub use gate::HttpGate;
pub use resolve::{Resolver, SystemResolver};
pub use scrub::Scrubber;
pub use trust::Trust;

#[cfg(test)]
mod tests;
