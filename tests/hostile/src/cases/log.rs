//! The host's log and the standard streams: too much, and lines that claim to be the host's.

use autodevops_policy::{Bytes, Limit};

use super::record::refused;
use crate::{
    case::{Attempt, Case, Ending},
    component::Wat,
};

const WRITE: &str = "autodevops:host/log";

/// All of them.
pub fn cases() -> Vec<Case> {
    lines().into_iter().chain(forgeries()).chain(streams()).collect()
}

/// Writes a record so often, then is done.
fn flood(times: u32, length: u32) -> Wat {
    Wat::check(&format!(
        "(local $n i32)
         (loop $next
            (call $write (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 4096) (i32.const {length})
                (i32.const 0) (i32.const 0))
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (br_if $next (i32.lt_u (local.get $n) (i32.const {times}))))
         (call $passed)"
    ))
    .import(WRITE, "write")
    .with(&format!("(data (i32.const 4096) \"{}\")", "flood ".repeat(200)))
}

/// So many of its lines are in the log, and whether the host says that it dropped others.
fn logged(attempt: &Attempt, lines: usize, dropped: Option<u64>) -> Result<(), String> {
    let found = attempt.lines().filter(|line| line.contains("flood ")).count();
    if found != lines {
        return Err(format!("{found} lines are in the log, not {lines}"));
    }
    let told = attempt.lines().find(|line| line.contains("dropped"));
    match (told, dropped) {
        (None, None) => Ok(()),
        (Some(line), Some(count)) if line.contains(&format!("dropped={count}")) => Ok(()),
        (told, dropped) => Err(format!("{dropped:?} dropped lines were to be told of, but: {told:?}")),
    }
}

fn lines() -> Vec<Case> {
    vec![
        Case::new("a flood of log lines", "limits/log-lines", flood(50, 10), Ending::Says("done".into()))
            .held(|terms| terms.limits().log_lines = 5)
            .and(|attempt| {
                logged(attempt, 5, Some(45))?;
                refused("log", "", "over limits.log-lines", 45)(attempt)
            })
            .raised(|_| {}, Ending::Says("done".into()))
            .and_raised(|attempt| logged(attempt, 50, None)),
        Case::new("a flood of long log lines", "limits/log-bytes", flood(20, 1000), Ending::Says("done".into()))
            .held(|terms| terms.limits().log_bytes = Bytes(5500))
            .and(|attempt| {
                logged(attempt, 5, Some(15))?;
                refused("log", "", "over limits.log-bytes", 15)(attempt)
            })
            .raised(|_| {}, Ending::Says("done".into()))
            .and_raised(|attempt| logged(attempt, 20, None)),
        Case::new("a flood of log calls", "limits/host-calls", flood(500, 10), Ending::Over(Limit::HostCalls))
            .held(|terms| terms.limits().host_calls = 100)
            .raised(|_| {}, Ending::Says("done".into())),
    ]
}

/// Where a forgery can be put: the record's target, its message, a field's name and its value.
const PLACES: [(&str, &str); 4] = [
    ("message", "(i32.const 0) (i32.const 0) (i32.const 4096) (i32.const LENGTH) (i32.const 0) (i32.const 0)"),
    ("target", "(i32.const 4096) (i32.const LENGTH) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)"),
    ("field's name", "(i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 8192) (i32.const 1)"),
    ("field's value", "(i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 8208) (i32.const 1)"),
];

/// Text that would be another line, or move the cursor of who reads it.
fn forgeries() -> Vec<Case> {
    let texts = [
        ("a line of the host's, after a line end, in the", "x\\0aERROR forged by a line end"),
        ("a line of the host's, after a carriage return, in the", "x\\0dERROR forged by a return"),
        ("an escape that clears the screen, in the", "\\1b[2J\\1b]0;forged by an escape\\07"),
    ];
    let forged = texts.into_iter().flat_map(|(name, text)| {
        PLACES.into_iter().map(move |(place, arguments)| {
            let length = wat_length(text);
            let arguments = arguments.replace("LENGTH", &length.to_string());
            // A field whose name is the text, and one whose value is.
            let (there, nothing) = (word(4096) + &word(length), word(0) + &word(0));
            let guest = Wat::check(&format!("(call $write (i32.const 3) {arguments}) (call $passed)"))
                .import(WRITE, "write")
                .with(&format!(
                    "(data (i32.const 4096) \"{text}\") (data (i32.const 8192) \"{there}{nothing}{nothing}{there}\")"
                ));
            Case::new(format!("{name} {place}"), "log/unforgeable", guest, Ending::Says("done".into()))
                .and(unforged)
                .raised(|terms| terms.limits().log_lines = 0, Ending::Says("done".into()))
                .and_raised(|attempt| match attempt.lines().find(|line| line.contains("forged")) {
                    Some(line) => Err(format!("a line that was to be dropped is in the log: {line}")),
                    None => Ok(()),
                })
        })
    });
    forged.collect()
}

/// Bytes of a text with escapes of two digits.
fn wat_length(text: &str) -> u32 {
    u32::try_from(text.len() - 2 * text.matches('\\').count()).expect("the texts are short")
}

/// A number as it lies in memory.
fn word(number: u32) -> String {
    number.to_le_bytes().map(|byte| format!("\\{byte:02x}")).concat()
}

/// What it wrote is in the log, in one line that is marked as its own, and without a control character.
fn unforged(attempt: &Attempt) -> Result<(), String> {
    let lines: Vec<&str> = attempt.lines().filter(|line| line.contains("forged")).collect();
    let [line] = lines[..] else { return Err(format!("not one line of it is in the log, but {lines:?}")) };
    if line.chars().any(char::is_control) || !line.contains(" WARN ") {
        return Err(format!("its line is {line:?}"));
    }
    match attempt.log.lines().find(|line| line.trim_start().starts_with("ERROR forged")) {
        Some(line) => Err(format!("it forged a line: {line:?}")),
        None => Ok(()),
    }
}

/// Standard output and error.
fn streams() -> Vec<Case> {
    let get = |name: &str| format!("wasi:cli/{name}");
    let write = |name: &str, times: u32| {
        Wat::check(&format!(
            "(local $stream i32) (local $n i32)
             (local.set $stream (call $get-{name}))
             (loop $next
                (call $method_output-stream.blocking-write-and-flush
                    (local.get $stream) (i32.const 8192) (i32.const 4096) (i32.const 2048))
                (local.set $n (i32.add (local.get $n) (i32.const 1)))
                (br_if $next (i32.lt_u (local.get $n) (i32.const {times}))))
             (call $passed)"
        ))
        .import(&get(name), &format!("get-{name}"))
        .import("wasi:io/streams", "[method]output-stream.blocking-write-and-flush")
    };
    let zeroes = Wat::check(
        "(call $method_output-stream.blocking-write-zeroes-and-flush
            (call $get-stdout) (i64.const 4000) (i32.const 2048))
         (call $passed)",
    )
    .import("wasi:cli/stdout", "get-stdout")
    .import("wasi:io/streams", "[method]output-stream.blocking-write-zeroes-and-flush");
    let last_words = |text: &str| {
        Wat::check(&format!(
            "(call $method_output-stream.blocking-write-and-flush
                (call $get-stderr) (i32.const 4096) (i32.const {}) (i32.const 2048))
             (unreachable)",
            wat_length(text)
        ))
        .import("wasi:cli/stderr", "get-stderr")
        .import("wasi:io/streams", "[method]output-stream.blocking-write-and-flush")
        .with(&format!("(data (i32.const 4096) \"{text}\")"))
    };
    vec![
        Case::new("a flood of standard output", "limits/stdout", write("stdout", 50), Ending::Over(Limit::Stdout))
            .held(|terms| terms.limits().stdout = Bytes(64 << 10))
            .raised(|_| {}, Ending::Says("done".into())),
        Case::new("a flood of standard error", "limits/stderr", write("stderr", 50), Ending::Over(Limit::Stderr))
            .held(|terms| terms.limits().stderr = Bytes(64 << 10))
            .raised(|_| {}, Ending::Says("done".into())),
        Case::new("zeroes to standard output", "limits/stdout", zeroes, Ending::Over(Limit::Stdout))
            .held(|terms| terms.limits().stdout = Bytes(1000))
            .raised(|_| {}, Ending::Says("done".into())),
        Case::new(
            "last words that would clear the screen",
            "log/unforgeable",
            last_words("\\1b[2J\\1b]0;forged\\07last words"),
            Ending::Traps("unreachable"),
        )
        .and(|attempt| {
            let said = attempt.ended.to_string();
            let plain = said.chars().all(|character| !character.is_control() || character == '\n');
            match plain && said.contains("last words") {
                true => Ok(()),
                false => Err(format!("its last words are shown as {said:?}")),
            }
        })
        .mended(Wat::check("(call $passed)")),
        Case::new("last words without end", "limits/stderr", write("stderr", 4000), Ending::Over(Limit::Stderr))
            // The last 16 KiB, each byte of which may be shown by several.
            .and(|attempt| match attempt.ended.to_string().len() {
                0..100_000 => Ok(()),
                length => Err(format!("{length} bytes of its last words are kept")),
            })
            .held(|terms| terms.limits().stderr = Bytes(10 << 20))
            .raised(|_| {}, Ending::Says("done".into())),
    ]
}
