//! What the host makes of a compiler that lies, floods, hangs or dies. A shell stands for a compiler that was taken over.

use autodevops_policy::{Bytes, Span};

use super::*;

const LIMITS: CompileLimits =
    CompileLimits { component_size: Bytes(1 << 20), time: Span(Duration::from_secs(20)), memory: Bytes(1 << 30) };

fn told(script: &str, limits: &CompileLimits) -> Result<Vec<u8>, CompileFailure> {
    // More than a pipe holds: it must be taken or refused while the answer is read.
    let component = vec![0; 1 << 20];
    let request = Request { engine: [0; frame::DIGEST_BYTES], component: &component };
    compile(Path::new("/bin/sh"), &["-c".into(), script.into()], &request, limits)
}

/// As the shell's `printf` takes it: kind, eight bytes of length, text.
fn answer(kind: u8, length: u8, text: &str) -> String {
    format!("printf '\\{kind:03o}\\{length:03o}\\0\\0\\0\\0\\0\\0\\0{text}'")
}

fn seconds(time: Duration) -> CompileLimits {
    CompileLimits { time: Span(time), ..LIMITS }
}

#[test]
fn an_answer_is_taken_whether_the_component_was_read_or_not() {
    for before in ["cat > /dev/null; ", ""] {
        assert_eq!(told(&format!("{before}{}", answer(1, 4, "code")), &LIMITS), Ok(b"code".to_vec()));
    }
}

#[test]
fn why_a_component_is_refused_cannot_forge_a_line_of_a_terminal() {
    let refused = told(&answer(2, 6, "no\\033[2J"), &LIMITS);
    assert_eq!(refused, Err(CompileFailure::Refused("no\\u{1b}[2J".to_owned())));
    assert_eq!(told(&answer(3, 0, ""), &LIMITS), Err(CompileFailure::Memory));
}

#[test]
fn an_answer_that_is_cut_short_overlong_or_none_is_not_taken() {
    for script in [answer(1, 5, "code"), answer(9, 4, "code"), "exit 0".to_owned(), "yes | head -c 100000".to_owned()] {
        assert!(matches!(told(&script, &LIMITS), Err(CompileFailure::Host(_))), "{script}");
    }
    assert!(told(&answer(1, 3, "code"), &LIMITS).is_err());
}

#[test]
fn more_machine_code_than_goes_with_the_size_of_components_is_not_read() {
    let huge = "printf '\\1\\0\\0\\0\\0\\0\\0\\0\\20'; exec cat /dev/zero";
    assert_eq!(told(huge, &LIMITS), Err(CompileFailure::MachineCode(8 << 20)));
}

#[test]
fn a_compiler_that_computes_for_ever_is_out_of_time() {
    let endless = seconds(Duration::from_millis(900));
    assert_eq!(told("while :; do :; done", &endless), Err(CompileFailure::Time));
}

#[test]
fn a_compiler_that_waits_or_talks_for_ever_is_out_of_time() {
    let short = seconds(Duration::from_millis(100));
    for script in ["exec sleep 1000", "exec sleep 1000 < /dev/null", "exec yes >&2"] {
        assert_eq!(told(script, &short), Err(CompileFailure::Time), "{script}");
    }
}

#[test]
fn a_process_that_the_compiler_left_behind_holds_nobody_up() {
    // It keeps the pipes open, in a session of its own.
    let short = seconds(Duration::from_millis(100));
    assert_eq!(told("setsid sleep 5 & exit 1", &short), Err(CompileFailure::Time));
}

#[test]
fn it_has_its_limits_and_no_environment() {
    // It is limited before it has the component, not before it starts.
    let script =
        "cat > /dev/null; ulimit -v; ulimit -t; ulimit -c; ulimit -f; ulimit -n; env | grep -v ^PWD= | grep -v ^_=";
    let Err(CompileFailure::Host(said)) = told(&format!("exec >&2; {script}"), &LIMITS) else {
        panic!("a shell has no answer")
    };
    assert!(said.ends_with(": 1048576\n20\n0\n0\n32"), "{said}");
}

#[test]
fn what_it_died_of_is_told_apart() {
    let aborts = "echo memory allocation of 99 bytes failed >&2; kill -ABRT $$";
    assert_eq!(told(aborts, &LIMITS), Err(CompileFailure::Memory));
    let Err(CompileFailure::Broke(how)) = told("echo overflowed its stack >&2; kill -SEGV $$", &LIMITS) else {
        panic!("it broke")
    };
    assert!(how.contains("SIGSEGV") && how.ends_with("it said: overflowed its stack"), "{how}");
    assert!(matches!(told("exit 101", &LIMITS), Err(CompileFailure::Broke(_))), "a panic");
    assert_eq!(told("kill -XCPU $$", &LIMITS), Err(CompileFailure::Time));
    assert_eq!(told("kill -KILL $$", &LIMITS), Err(CompileFailure::Killed), "as the kernel does without memory");
    let Err(CompileFailure::Host(how)) = told("echo who are you >&2; exit 3", &LIMITS) else { panic!("no compiler") };
    assert_eq!(how, "it gave no answer (exit status: 3): who are you");
}

#[test]
fn a_program_that_is_not_there_is_the_hosts_own_trouble() {
    let request = Request { engine: [0; frame::DIGEST_BYTES], component: b"" };
    let gone = compile(Path::new("/nowhere/compiler"), &[], &request, &LIMITS);
    assert!(matches!(gone, Err(CompileFailure::Host(reason)) if reason.contains("/nowhere/compiler")));
}
