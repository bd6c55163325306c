//! Environment, clocks and randomness: empty, zero and repeatable until they are granted.

use wasmtime::component::Resource;
use wasmtime_wasi::p2::{
    DynPollable,
    bindings::{
        cli::environment,
        clocks::{monotonic_clock, wall_clock},
        random::{insecure, insecure_seed, random},
    },
};

use super::Guarded;
use autodevops_policy::Operation;

/// Most random bytes of one call to the host.
const MAX_RANDOM_BYTES: u64 = 1 << 20;

impl environment::Host for Guarded<'_> {
    fn get_environment(&mut self) -> wasmtime::Result<Vec<(String, String)>> {
        self.allows(Operation::Environment)?;
        Ok(Vec::new())
    }

    fn get_arguments(&mut self) -> wasmtime::Result<Vec<String>> {
        self.allows(Operation::Environment)?;
        Ok(Vec::new())
    }

    fn initial_cwd(&mut self) -> wasmtime::Result<Option<String>> {
        self.allows(Operation::Environment)?;
        Ok(None)
    }
}

impl wall_clock::Host for Guarded<'_> {
    fn now(&mut self) -> wasmtime::Result<wall_clock::Datetime> {
        if self.allows(Operation::Clock)? {
            return wall_clock::Host::now(&mut self.clocks());
        }
        Ok(wall_clock::Datetime { seconds: 0, nanoseconds: 0 })
    }

    fn resolution(&mut self) -> wasmtime::Result<wall_clock::Datetime> {
        if self.allows(Operation::Clock)? {
            return wall_clock::Host::resolution(&mut self.clocks());
        }
        Ok(wall_clock::Datetime { seconds: 1, nanoseconds: 0 })
    }
}

/// A guest that would wait cannot be told that there is no time: its call ends with the denial.
impl monotonic_clock::Host for Guarded<'_> {
    fn now(&mut self) -> wasmtime::Result<monotonic_clock::Instant> {
        if self.allows(Operation::Clock)? {
            return monotonic_clock::Host::now(&mut self.clocks());
        }
        Ok(0)
    }

    fn resolution(&mut self) -> wasmtime::Result<monotonic_clock::Duration> {
        if self.allows(Operation::Clock)? {
            return monotonic_clock::Host::resolution(&mut self.clocks());
        }
        Ok(1)
    }

    fn subscribe_instant(&mut self, when: monotonic_clock::Instant) -> wasmtime::Result<Resource<DynPollable>> {
        self.authorize(Operation::Clock)?;
        self.clocks().subscribe_instant(when)
    }

    fn subscribe_duration(&mut self, when: monotonic_clock::Duration) -> wasmtime::Result<Resource<DynPollable>> {
        self.authorize(Operation::Clock)?;
        self.clocks().subscribe_duration(when)
    }
}

/// The same bytes in every call, for guests that seed hash maps before they do anything.
fn repeatable(len: u64) -> wasmtime::Result<Vec<u8>> {
    let len = usize::try_from(bounded(len)?)?;
    Ok((0u64..).flat_map(|index| index.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()).take(len).collect())
}

fn bounded(len: u64) -> wasmtime::Result<u64> {
    if len > MAX_RANDOM_BYTES {
        wasmtime::bail!("{len} random bytes at once; at most {MAX_RANDOM_BYTES}");
    }
    Ok(len)
}

impl random::Host for Guarded<'_> {
    fn get_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        if self.allows(Operation::Random)? {
            return self.random().get_random_bytes(bounded(len)?);
        }
        repeatable(len)
    }

    fn get_random_u64(&mut self) -> wasmtime::Result<u64> {
        if self.allows(Operation::Random)? { self.random().get_random_u64() } else { Ok(0) }
    }
}

impl insecure::Host for Guarded<'_> {
    fn get_insecure_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        if self.allows(Operation::Random)? {
            return self.random().get_insecure_random_bytes(bounded(len)?);
        }
        repeatable(len)
    }

    fn get_insecure_random_u64(&mut self) -> wasmtime::Result<u64> {
        if self.allows(Operation::Random)? { self.random().get_insecure_random_u64() } else { Ok(0) }
    }
}

impl insecure_seed::Host for Guarded<'_> {
    fn insecure_seed(&mut self) -> wasmtime::Result<(u64, u64)> {
        if self.allows(Operation::Random)? { self.random().insecure_seed() } else { Ok((0, 0)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_without_a_grant_are_the_same_every_time_and_bounded() {
        assert_eq!(repeatable(20).unwrap(), repeatable(20).unwrap());
        assert_eq!(repeatable(20).unwrap().len(), 20);
        assert!(repeatable(MAX_RANDOM_BYTES + 1).is_err());
    }
}
