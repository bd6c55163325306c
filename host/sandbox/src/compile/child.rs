//! The compiler's own process: it shuts itself in, reads one component, writes its machine code, and ends.

use std::{fs, io, os::fd::RawFd, process::ExitCode, thread::available_parallelism};

use rustix::{
    process::{Signal, set_parent_process_death_signal, setsid},
    thread::set_no_new_privs,
};
use wasmtime::{Engine, OutOfMemory};

use super::frame::{self, Kind};
use crate::{
    engine::DEFAULT_STACK,
    engines::{self, EngineKind},
};

/// Threads that compile: each takes address space of its own, which is limited.
const MAX_THREADS: usize = 4;

/// Stack of a compiling thread.
const STACK_BYTES: usize = 8 << 20;

/// What the process does that [`Compiler::Child`](super::Compiler::Child) starts: compiles the component that stands on its
/// standard input and writes the machine code to its standard output. To be called first of all, before there are threads,
/// open files or secrets in the process.
pub fn compile_child() -> ExitCode {
    shut_in();
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the compiler cannot speak with its host: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> io::Result<()> {
    let (wanted, component) = frame::read_request(&mut io::stdin().lock())?;
    let (kind, payload) = match compile(wanted, &component) {
        Ok(machine_code) => (Kind::MachineCode, machine_code),
        Err((kind, reason)) => (kind, reason.into_bytes()),
    };
    frame::write_answer(&mut io::stdout().lock(), kind, &payload)
}

fn compile(wanted: [u8; frame::DIGEST_BYTES], component: &[u8]) -> Result<Vec<u8>, (Kind, String)> {
    // On how many threads it is compiled is no part of what comes out.
    let parallel = start_threads();
    for kind in EngineKind::ALL {
        let mut config = engines::base(kind, DEFAULT_STACK);
        config.parallel_compilation(parallel);
        let engine = Engine::new(&config).map_err(|error| why(Kind::Unfit, &error))?;
        if frame::engine_digest(&engine) == wanted {
            return engine.precompile_component(component).map_err(|error| why(Kind::Refused, &error));
        }
    }
    Err((Kind::Unfit, "it is another version of this program, or has another engine".to_owned()))
}

fn why(kind: Kind, error: &wasmtime::Error) -> (Kind, String) {
    let no_memory = error.is::<OutOfMemory>()
        || error
            .downcast_ref::<io::Error>()
            .or_else(|| error.root_cause().downcast_ref())
            .is_some_and(|error: &io::Error| error.kind() == io::ErrorKind::OutOfMemory);
    let mut reason = format!("{error:#}");
    if reason.len() as u64 > frame::REASON_BYTES {
        let end = reason.floor_char_boundary(frame::REASON_BYTES as usize - 4);
        reason.truncate(end);
        reason.push('…');
    }
    (if no_memory { Kind::Memory } else { kind }, reason)
}

/// Few threads, whatever the machine has. Where there is no room for them, this one compiles alone.
fn start_threads() -> bool {
    let threads = available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).stack_size(STACK_BYTES);
    threads > 1 && pool.build_global().is_ok()
}

/// Gives up what this process does not need. Each is one more wall behind the limits that the host has set, so where the kernel
/// does not do it, compiling goes on.
fn shut_in() {
    close_inherited();
    let steps = [
        ("no new privileges", set_no_new_privs(true).err()),
        ("a session of its own", setsid().err()),
        ("an end with the host's", set_parent_process_death_signal(Some(Signal::KILL)).err()),
    ];
    for (what, error) in steps {
        if let Some(error) = error {
            eprintln!("the compiler goes on without {what}: {error}");
        }
    }
}

/// Closes every descriptor but the three standard ones: the host may have inherited some itself.
fn close_inherited() {
    let Ok(entries) = fs::read_dir("/proc/self/fd") else { return };
    let open: Vec<RawFd> = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    for descriptor in open {
        // The folder's own was closed when its reader was dropped, above.
        if descriptor > 2 && fs::symlink_metadata(format!("/proc/self/fd/{descriptor}")).is_ok() {
            // SAFETY: this is the start of a process with one thread, which has opened nothing yet, so nobody owns these.
            unsafe { rustix::io::close(descriptor) };
        }
    }
}
