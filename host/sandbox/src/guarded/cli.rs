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
use crate::replay::{Shown, noted, through};
use autodevops_policy::{Limit, Operation};

impl Guarded<'_> {
    fn cli(&mut self) -> WasiCliCtxView<'_> {
        WasiCliCtxView { ctx: self.0.wasi.cli(), table: &mut self.0.table }
    }

    fn clocks(&mut self) -> WasiClocksCtxView<'_> {
        WasiClocksCtxView { ctx: self.0.wasi.clocks(), table: &mut self.0.table }
    }

    /// Asks for so many random bytes; whether they are granted.
    fn asks_random(&mut self, bytes: u64) -> wasmtime::Result<bool> {
        let granted = self.allows(Operation::Random)?;
        self.charge(Limit::RandomBytes, bytes)?;
        self.passes(usize::try_from(bytes)?);
        Ok(granted)
    }

    /// The generator, where it is granted.
    fn random(&mut self, granted: bool) -> Option<&mut WasiRandomCtx> {
        granted.then(|| self.0.wasi.random())
    }
}

impl environment::Host for Guarded<'_> {
    fn get_environment(&mut self) -> wasmtime::Result<Vec<(String, String)>> {
        self.allows(Operation::Environment)?;
        noted!(self, "wasi:cli/environment get-environment", (), Ok(Vec::new()))
    }

    fn get_arguments(&mut self) -> wasmtime::Result<Vec<String>> {
        self.allows(Operation::Environment)?;
        noted!(self, "wasi:cli/environment get-arguments", (), Ok(Vec::new()))
    }

    fn initial_cwd(&mut self) -> wasmtime::Result<Option<String>> {
        self.allows(Operation::Environment)?;
        noted!(self, "wasi:cli/environment initial-cwd", (), Ok(None))
    }
}

impl wall_clock::Host for Guarded<'_> {
    fn now(&mut self) -> wasmtime::Result<wall_clock::Datetime> {
        let granted = self.allows(Operation::Clock)?;
        let none = wall_clock::Datetime { seconds: 0, nanoseconds: 0 };
        through!(
            self,
            "wasi:clocks/wall-clock now",
            (),
            if granted { wall_clock::Host::now(&mut self.clocks()) } else { Ok(none) },
            otherwise | _asked | Ok(none)
        )
    }

    fn resolution(&mut self) -> wasmtime::Result<wall_clock::Datetime> {
        let granted = self.allows(Operation::Clock)?;
        let none = wall_clock::Datetime { seconds: 1, nanoseconds: 0 };
        through!(
            self,
            "wasi:clocks/wall-clock resolution",
            (),
            if granted { wall_clock::Host::resolution(&mut self.clocks()) } else { Ok(none) },
            otherwise | _asked | Ok(none)
        )
    }
}

/// A guest that would wait cannot be told that there is no time: its call ends with the denial.
impl monotonic_clock::Host for Guarded<'_> {
    fn now(&mut self) -> wasmtime::Result<monotonic_clock::Instant> {
        let granted = self.allows(Operation::Clock)?;
        through!(
            self,
            "wasi:clocks/monotonic-clock now",
            (),
            if granted { monotonic_clock::Host::now(&mut self.clocks()) } else { Ok(0) },
            otherwise | _asked | Ok(0)
        )
    }

    fn resolution(&mut self) -> wasmtime::Result<monotonic_clock::Duration> {
        let granted = self.allows(Operation::Clock)?;
        through!(
            self,
            "wasi:clocks/monotonic-clock resolution",
            (),
            if granted { monotonic_clock::Host::resolution(&mut self.clocks()) } else { Ok(1) },
            otherwise | _asked | Ok(1)
        )
    }

    fn subscribe_instant(&mut self, when: monotonic_clock::Instant) -> wasmtime::Result<Resource<DynPollable>> {
        self.authorize(Operation::Clock)?;
        through!(
            self,
            "wasi:clocks/monotonic-clock subscribe-instant",
            (when),
            self.clocks().subscribe_instant(when),
            otherwise | asked | self.stand_in(&asked)
        )
    }

    fn subscribe_duration(&mut self, when: monotonic_clock::Duration) -> wasmtime::Result<Resource<DynPollable>> {
        self.authorize(Operation::Clock)?;
        through!(
            self,
            "wasi:clocks/monotonic-clock subscribe-duration",
            (when),
            self.clocks().subscribe_duration(when),
            otherwise | asked | self.stand_in(&asked)
        )
    }
}

/// The same bytes in every call, for guests that seed hash maps before they do anything.
fn repeatable(len: u64) -> wasmtime::Result<Vec<u8>> {
    let len = usize::try_from(len)?;
    Ok((0u64..).flat_map(|index| index.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()).take(len).collect())
}

impl random::Host for Guarded<'_> {
    fn get_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        let granted = self.asks_random(len)?;
        through!(
            self,
            "wasi:random/random get-random-bytes",
            (len),
            match self.random(granted) {
                Some(random) => random.get_random_bytes(len),
                None => repeatable(len),
            },
            otherwise | _asked | repeatable(len)
        )
    }

    fn get_random_u64(&mut self) -> wasmtime::Result<u64> {
        let granted = self.asks_random(8)?;
        through!(
            self,
            "wasi:random/random get-random-u64",
            (),
            self.random(granted).map_or(Ok(0), |random| random.get_random_u64()),
            otherwise | _asked | Ok(0)
        )
    }
}

impl insecure::Host for Guarded<'_> {
    fn get_insecure_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        let granted = self.asks_random(len)?;
        through!(
            self,
            "wasi:random/insecure get-insecure-random-bytes",
            (len),
            match self.random(granted) {
                Some(random) => random.get_insecure_random_bytes(len),
                None => repeatable(len),
            },
            otherwise | _asked | repeatable(len)
        )
    }

    fn get_insecure_random_u64(&mut self) -> wasmtime::Result<u64> {
        let granted = self.asks_random(8)?;
        through!(
            self,
            "wasi:random/insecure get-insecure-random-u64",
            (),
            self.random(granted).map_or(Ok(0), |random| random.get_insecure_random_u64()),
            otherwise | _asked | Ok(0)
        )
    }
}

impl insecure_seed::Host for Guarded<'_> {
    fn insecure_seed(&mut self) -> wasmtime::Result<(u64, u64)> {
        let granted = self.asks_random(16)?;
        through!(
            self,
            "wasi:random/insecure-seed insecure-seed",
            (),
            self.random(granted).map_or(Ok((0, 0)), |random| random.insecure_seed()),
            otherwise | _asked | Ok((0, 0))
        )
    }
}

impl exit::Host for Guarded<'_> {
    fn exit(&mut self, status: Result<(), ()>) -> wasmtime::Result<()> {
        refuse!(self.authorize(Operation::Exit));
        noted!(self, "wasi:cli/exit exit", (Shown(&status)), exit::Host::exit(&mut self.cli(), status))
    }

    fn exit_with_code(&mut self, status: u8) -> wasmtime::Result<()> {
        refuse!(self.authorize(Operation::Exit));
        noted!(
            self,
            "wasi:cli/exit exit-with-code",
            (Shown(&status)),
            exit::Host::exit_with_code(&mut self.cli(), status)
        )
    }
}

impl stdin::Host for Guarded<'_> {
    fn get_stdin(&mut self) -> wasmtime::Result<Resource<DynInputStream>> {
        refuse!(self.authorize(Operation::Stdio("stdin")));
        noted!(self, "wasi:cli/stdin get-stdin", (), stdin::Host::get_stdin(&mut self.cli()))
    }
}

impl stdout::Host for Guarded<'_> {
    fn get_stdout(&mut self) -> wasmtime::Result<Resource<DynOutputStream>> {
        refuse!(self.authorize(Operation::Stdio("stdout")));
        noted!(self, "wasi:cli/stdout get-stdout", (), stdout::Host::get_stdout(&mut self.cli()))
    }
}

impl stderr::Host for Guarded<'_> {
    fn get_stderr(&mut self) -> wasmtime::Result<Resource<DynOutputStream>> {
        refuse!(self.authorize(Operation::Stdio("stderr")));
        noted!(self, "wasi:cli/stderr get-stderr", (), stderr::Host::get_stderr(&mut self.cli()))
    }
}

/// No plugin has a terminal.
impl terminal_stdin::Host for Guarded<'_> {
    fn get_terminal_stdin(&mut self) -> wasmtime::Result<Option<Resource<terminal_input::TerminalInput>>> {
        refuse!(self.authorize(Operation::Stdio("terminal")));
        noted!(self, "wasi:cli/terminal-stdin get-terminal-stdin", (), Ok(None))
    }
}

impl terminal_stdout::Host for Guarded<'_> {
    fn get_terminal_stdout(&mut self) -> wasmtime::Result<Option<Resource<terminal_output::TerminalOutput>>> {
        refuse!(self.authorize(Operation::Stdio("terminal")));
        noted!(self, "wasi:cli/terminal-stdout get-terminal-stdout", (), Ok(None))
    }
}

impl terminal_stderr::Host for Guarded<'_> {
    fn get_terminal_stderr(&mut self) -> wasmtime::Result<Option<Resource<terminal_output::TerminalOutput>>> {
        refuse!(self.authorize(Operation::Stdio("terminal")));
        noted!(self, "wasi:cli/terminal-stderr get-terminal-stderr", (), Ok(None))
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
