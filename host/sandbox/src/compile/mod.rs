//! From a component to machine code. A component is a stranger's, and a compiler is a large program that can be made to use
//! much time and memory: so it runs in a process of its own, with limits, from which only the machine code comes back.
//!
//! ```text
//! host                                         child (the same program, a hidden verb)
//!   spawn, no environment, three pipes   ───>    lets go of all descriptors, a session of its own, no new privileges
//!   prlimit: memory, processor time, files       waits for the component
//!   digest of the engine, component      ───>    is it the same engine? compile
//!   machine code (bounded), or why not   <───    ends
//! ```

mod child;
mod frame;
mod parent;

use std::{ffi::OsString, path::PathBuf};

use autodevops_policy::{Bytes, Span};
use wasmtime::Engine;

pub use child::compile_child;
pub use frame::engine_digest;

/// Bytes of machine code that are taken, for each byte that a component may have. Honest ones have three to five.
const MACHINE_CODE_PER_BYTE: u64 = 8;

/// Where components that are not in the cache are compiled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Compiler {
    /// In this process. The component's size is limited; the time and the memory that compiling takes are **not**. For tests,
    /// benchmarks, and those who embed the sandbox and trust their components.
    #[default]
    InProcess,
    /// In a child process within [`CompileLimits`].
    Child {
        /// A program that calls [`compile_child`].
        program: PathBuf,
        /// The arguments by which it does so.
        arguments: Vec<OsString>,
    },
}

/// What compiling one component may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompileLimits {
    /// Size of the component.
    pub component_size: Bytes,
    /// Processor time, counted in whole seconds, rounded up; on the clock it may be twice that.
    pub time: Span,
    /// Address space of the compiler's process.
    pub memory: Bytes,
}

impl CompileLimits {
    /// Most bytes of machine code that are taken from the child.
    const fn machine_code(&self) -> u64 {
        self.component_size.0.saturating_mul(MACHINE_CODE_PER_BYTE)
    }
}

/// Why there is no machine code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CompileFailure {
    /// The component is not valid, or the compiler does not take it.
    Refused(String),
    /// Out of time.
    Time,
    /// Out of memory: of what it may have.
    Memory,
    /// Killed from outside before its time was over, as the kernel does where the machine has no memory left.
    Killed,
    /// More machine code than so many bytes.
    MachineCode(u64),
    /// The compiler broke on this component: its stack overflowed, it panicked.
    Broke(String),
    /// The compiler could not be run: the host's own trouble.
    Host(String),
}

impl Compiler {
    /// Compiles.
    pub fn machine_code(
        &self,
        engine: &Engine,
        limits: &CompileLimits,
        component: &[u8],
    ) -> Result<Vec<u8>, CompileFailure> {
        match self {
            Self::InProcess => {
                engine.precompile_component(component).map_err(|error| CompileFailure::Refused(format!("{error:#}")))
            }
            Self::Child { program, arguments } => {
                let request = frame::Request { engine: frame::engine_digest(engine), component };
                parent::compile(program, arguments, &request, limits)
            }
        }
    }
}
