//! Environment, clocks, randomness and standard streams: empty, zero and repeatable until they are granted.

use wasmtime::component::Resource;
use wasmtime_wasi::{
    cli::WasiCliCtxView,
    clocks::WasiClocksCtxView,
    p2::{
        DynInputStream, DynOutputStream, DynPollable,
        bindings::{
            cli::{
                environment, exit, stderr, stdin, stdout, terminal_input, terminal_output, terminal_stderr,
                terminal_stdin, terminal_stdout,
            },
            clocks::{monotonic_clock, wall_clock},
            random::{insecure, insecure_seed, random},
        },
    },
    random::WasiRandomCtx,
};

use super::{Guarded, refuse::refuse};
use autodevops_policy::{Limit, Operation};

impl Guarded<'_> {
    fn cli(&mut self) -> WasiCliCtxView<'_> {
        WasiCliCtxView { ctx: self.0.wasi.cli(), table: &mut self.0.table }
    }

    fn clocks(&mut self) -> WasiClocksCtxView<'_> {
        WasiClocksCtxView { ctx: self.0.wasi.clocks(), table: &mut self.0.table }
    }

    /// Asks for so many random bytes: the generator, or none where it is not granted.
    fn random(&mut self, bytes: u64) -> wasmtime::Result<Option<&mut WasiRandomCtx>> {
        let granted = self.allows(Operation::Random)?;
        self.charge(Limit::RandomBytes, bytes)?;
        self.passes(usize::try_from(bytes)?);
        Ok(granted.then(|| self.0.wasi.random()))
    }
}

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
    let len = usize::try_from(len)?;
    Ok((0u64..).flat_map(|index| index.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()).take(len).collect())
}

impl random::Host for Guarded<'_> {
    fn get_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        match self.random(len)? {
            Some(random) => random.get_random_bytes(len),
            None => repeatable(len),
        }
    }

    fn get_random_u64(&mut self) -> wasmtime::Result<u64> {
        self.random(8)?.map_or(Ok(0), |random| random.get_random_u64())
    }
}

impl insecure::Host for Guarded<'_> {
    fn get_insecure_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        match self.random(len)? {
            Some(random) => random.get_insecure_random_bytes(len),
            None => repeatable(len),
        }
    }

    fn get_insecure_random_u64(&mut self) -> wasmtime::Result<u64> {
        self.random(8)?.map_or(Ok(0), |random| random.get_insecure_random_u64())
    }
}

impl insecure_seed::Host for Guarded<'_> {
    fn insecure_seed(&mut self) -> wasmtime::Result<(u64, u64)> {
        self.random(16)?.map_or(Ok((0, 0)), |random| random.insecure_seed())
    }
}

impl exit::Host for Guarded<'_> {
    fn exit(&mut self, status: Result<(), ()>) -> wasmtime::Result<()> {
        refuse!(self.authorize(Operation::Exit));
        exit::Host::exit(&mut self.cli(), status)
    }

    fn exit_with_code(&mut self, status: u8) -> wasmtime::Result<()> {
        refuse!(self.authorize(Operation::Exit));
        exit::Host::exit_with_code(&mut self.cli(), status)
    }
}

impl stdin::Host for Guarded<'_> {
    fn get_stdin(&mut self) -> wasmtime::Result<Resource<DynInputStream>> {
        refuse!(self.authorize(Operation::Stdio("stdin")));
        stdin::Host::get_stdin(&mut self.cli())
    }
}

impl stdout::Host for Guarded<'_> {
    fn get_stdout(&mut self) -> wasmtime::Result<Resource<DynOutputStream>> {
        refuse!(self.authorize(Operation::Stdio("stdout")));
        stdout::Host::get_stdout(&mut self.cli())
    }
}

impl stderr::Host for Guarded<'_> {
    fn get_stderr(&mut self) -> wasmtime::Result<Resource<DynOutputStream>> {
        refuse!(self.authorize(Operation::Stdio("stderr")));
        stderr::Host::get_stderr(&mut self.cli())
    }
}

/// No plugin has a terminal.
impl terminal_stdin::Host for Guarded<'_> {
    fn get_terminal_stdin(&mut self) -> wasmtime::Result<Option<Resource<terminal_input::TerminalInput>>> {
        refuse!(self.authorize(Operation::Stdio("terminal")));
        Ok(None)
    }
}

impl terminal_stdout::Host for Guarded<'_> {
    fn get_terminal_stdout(&mut self) -> wasmtime::Result<Option<Resource<terminal_output::TerminalOutput>>> {
        refuse!(self.authorize(Operation::Stdio("terminal")));
        Ok(None)
    }
}

impl terminal_stderr::Host for Guarded<'_> {
    fn get_terminal_stderr(&mut self) -> wasmtime::Result<Option<Resource<terminal_output::TerminalOutput>>> {
        refuse!(self.authorize(Operation::Stdio("terminal")));
        Ok(None)
    }
}

impl terminal_input::Host for Guarded<'_> {}

impl terminal_input::HostTerminalInput for Guarded<'_> {
    fn drop(&mut self, terminal: Resource<terminal_input::TerminalInput>) -> wasmtime::Result<()> {
        refuse!(self.authorize(Operation::Stdio("terminal")));
        terminal_input::HostTerminalInput::drop(&mut self.cli(), terminal)
    }
}

impl terminal_output::Host for Guarded<'_> {}

impl terminal_output::HostTerminalOutput for Guarded<'_> {
    fn drop(&mut self, terminal: Resource<terminal_output::TerminalOutput>) -> wasmtime::Result<()> {
        refuse!(self.authorize(Operation::Stdio("terminal")));
        terminal_output::HostTerminalOutput::drop(&mut self.cli(), terminal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_without_a_grant_are_the_same_every_time() {
        assert_eq!(repeatable(20).unwrap(), repeatable(20).unwrap());
        assert_eq!(repeatable(20).unwrap().len(), 20);
    }
}
