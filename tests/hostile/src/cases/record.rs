//! What is on record of a guest's call: whatever the host refused, whenever it noticed, and nothing pushed out by a flood.

use autodevops_policy::{Access, Bytes, Limit};
use autodevops_sandbox::{CallReport, Record};

use crate::{
    case::{Attempt, Case, Ending, Terms},
    component::Wat,
    server,
};

/// All of them.
pub fn cases() -> Vec<Case> {
    [requests(), streams(), files(), forbidden_looks(), pushed_out()].into_iter().flatten().collect()
}

const REFUSALS: &str = "audit/refusals";
const COMPLETE: &str = "audit/complete";

fn intruder(name: &str, promise: &'static str, act: &str, argument: &str, fails: Ending) -> Case {
    let (act, argument) = (act.to_owned(), here(argument));
    Case::new(name, promise, "intruder", fails).given(move |terms| {
        terms.config.insert("act".into(), act.clone());
        terms.config.insert("argument".into(), argument.clone());
    })
}

fn here(text: &str) -> String {
    text.replace("HERE", &server::address().to_string())
}

fn asking(argument: &str) -> impl Fn(&mut Terms) + Send + Sync + 'static {
    let argument = here(argument);
    move |terms| {
        terms.config.insert("argument".into(), argument.clone());
    }
}

fn server_granted(terms: &mut Terms) {
    terms.grant_origin(&server::origin());
}

fn records(attempt: &Attempt) -> impl Iterator<Item = &Record> {
    attempt.reports.iter().flat_map(|report| &report.records)
}

/// There is a record of this operation, about this, that was refused so often for this reason; and the account is whole.
pub(super) fn refused(
    operation: &'static str,
    about: &str,
    reason: &'static str,
    times: u64,
) -> impl Fn(&Attempt) -> Result<(), String> + Send + Sync + 'static {
    let about = here(about);
    move |attempt| {
        let is_it = |record: &&Record| {
            let why = record.reason.as_deref().unwrap_or_default();
            !record.allowed && record.operation == operation && record.summary.contains(&about) && why.contains(reason)
        };
        let found: u64 = records(attempt).filter(is_it).map(|record| record.count).sum();
        if found != times {
            let all: Vec<_> = records(attempt).collect();
            return Err(format!("{found} records of {operation} {about} that were refused, not {times}: {all:?}"));
        }
        whole(attempt)
    }
}

/// The engine took the host call's arguments for none, so that the host was not asked: what is on record is the call's failure, by this
/// limit.
pub(super) fn not_asked(limit: Limit) -> impl Fn(&Attempt) -> Result<(), String> + Send + Sync + 'static {
    move |attempt| match &attempt.reports[..] {
        [CallReport { records, failure: Some(failure), .. }]
            if records.is_empty() && failure.contains(&format!("`limits.{limit}`")) =>
        {
            Ok(())
        }
        other => Err(format!("one call was to be on record as failed by limits.{limit}, but: {other:?}")),
    }
}

/// Each host call that was counted is in exactly one record, and each record that is a refusal says why.
fn whole(attempt: &Attempt) -> Result<(), String> {
    for report in &attempt.reports {
        let told: u64 = report.records.iter().map(|record| record.count).sum();
        // The one host call too many is on record and was not counted.
        let counted = report.used.used(Limit::HostCalls);
        if told != counted {
            return Err(format!("{counted} host calls, of which {told} are on record"));
        }
        if let Some(record) = report.records.iter().find(|record| record.allowed == record.reason.is_some()) {
            return Err(format!("a record that is allowed with a reason, or refused without: {record:?}"));
        }
    }
    Ok(())
}

/// A request is refused long after its host call has ended.
fn requests() -> Vec<Case> {
    let hello = || Ending::Says("200 hello".into());
    let limited = |name: &str, act: &str, argument: &str, limit: Limit, set: fn(&mut Terms)| {
        intruder(name, REFUSALS, act, argument, Ending::Over(limit)).given(server_granted).held(set)
    };
    vec![
        intruder(
            "the record of a request to a cloud's metadata",
            REFUSALS,
            "http ask",
            "GET|http|169.254.169.254|/latest",
            Ending::Refuses("DestinationIpProhibited"),
        )
        .given(|terms| {
            server_granted(terms);
            terms.grant_origin("http://169.254.169.254");
        })
        .and(refused("http", "GET http://169.254.169.254/latest", "169.254.169.254 is no address", 1))
        .raised(asking("GET|http|HERE|/ok"), hello()),
        intruder(
            "the record of a header that is the host's to set",
            REFUSALS,
            "http ask",
            "GET|http|HERE|/ok|cookie|own",
            Ending::Refuses("no header: HeaderError::Forbidden"),
        )
        .given(server_granted)
        .and(refused("use", "wasi:http/types [method]fields.append", "a header that is the host's", 1))
        .raised(asking("GET|http|HERE|/ok|accept|text/plain"), hello()),
        limited(
            "the record of an answer that is too large",
            "http ask",
            "GET|http|HERE|/large/1000000",
            Limit::HttpReceived,
            |terms| terms.limits().http_received = Bytes(100_000),
        )
        .and(refused("http", "GET http://HERE/large/1000000", "over limits.http-received", 1))
        .raised(|_| {}, Ending::Says("200 with 1000000 bytes".into())),
        limited(
            "the record of a body that is too large",
            "http post",
            "HERE|/take|1000000",
            Limit::HttpSent,
            |terms| {
                terms.limits().http_sent = Bytes(100_000);
            },
        )
        .and(refused("http", "POST http://HERE/take", "over limits.http-sent", 1))
        .raised(|_| {}, Ending::Says("200 taken".into())),
        limited("the record of one request too many", "http many", "20|HERE|/ok", Limit::HttpRequests, |terms| {
            terms.limits().http_requests = 5;
        })
        .and(refused("http", "GET http://HERE/ok", "over limits.http-requests", 1))
        .raised(|_| {}, Ending::Says("all answered".into())),
        limited("the record of one at once too many", "http at-once", "8|HERE|/ok", Limit::HttpConcurrent, |terms| {
            terms.limits().http_concurrent = 3;
        })
        .and(|attempt| {
            let refused = records(attempt).filter(|record| record.operation == "http" && !record.allowed);
            match refused.map(|record| record.reason.as_deref().unwrap_or_default()).collect::<Vec<_>>()[..] {
                ["over limits.http-concurrent"] => whole(attempt),
                ref other => Err(format!("refused for {other:?}")),
            }
        })
        .raised(|_| {}, Ending::Says("all answered".into())),
        limited(
            "the record of a server that never answers",
            "http ask",
            "GET|http|HERE|/never",
            Limit::HttpTotal,
            |terms| {
                terms.limits().http_total = crate::case::ms(200);
            },
        )
        .and(refused("http", "GET http://HERE/never", "over limits.http-total", 1))
        .raised(asking("GET|http|HERE|/ok"), hello()),
    ]
}

/// A write of 4 KiB to a standard stream, so often.
fn output(stream: &str, times: u32) -> Wat {
    Wat::check(&format!(
        "(local $n i32) (local $out i32)
         (local.set $out (call $get-{stream}))
         (loop $next
            (call $method_output-stream.blocking-write-and-flush
                (local.get $out) (i32.const 16384) (i32.const 4096) (i32.const 8192))
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (br_if $next (i32.lt_u (local.get $n) (i32.const {times}))))
         (call $passed)"
    ))
    .import(&format!("wasi:cli/{stream}"), &format!("get-{stream}"))
    .import("wasi:io/streams", "[method]output-stream.blocking-write-and-flush")
}

/// A stream has only its limit: it does not know which host call writes to it.
fn streams() -> Vec<Case> {
    const WRITE: &str = "wasi:io/streams [method]output-stream.blocking-write-and-flush";
    let flood = |name: &str, stream: &str, limit: Limit, reason: &'static str, set: fn(&mut Terms)| {
        Case::new(name, REFUSALS, output(stream, 50), Ending::Over(limit))
            .held(set)
            .and(move |attempt| {
                refused("use", WRITE, reason, 1)(attempt)?;
                let written = records(attempt).find(|record| record.allowed && record.summary == WRITE);
                match written.map(|record| (record.count, record.bytes)) {
                    Some((4, 16_384)) => Ok(()),
                    other => Err(format!("times and bytes that were written: {other:?}")),
                }
            })
            .raised(|_| {}, Ending::Says("done".into()))
    };
    vec![
        flood(
            "the record of one write too many to standard output",
            "stdout",
            Limit::Stdout,
            "over limits.stdout",
            |terms| {
                terms.limits().stdout = Bytes(20_000);
            },
        ),
        flood(
            "the record of one write too many to standard error",
            "stderr",
            Limit::Stderr,
            "over limits.stderr",
            |terms| {
                terms.limits().stderr = Bytes(20_000);
            },
        ),
        intruder(
            "the record of one write too many to a file",
            REFUSALS,
            "files fill",
            "new|1000000",
            Ending::Over(Limit::FileBytes),
        )
        .given(|terms| terms.grant_folder("/data", Access::ReadWrite))
        .held(|terms| terms.limits().file_bytes = Bytes(100_000))
        .and(refused("use", "wasi:io/streams [method]output-stream.", "over limits.file-bytes", 1))
        .raised(|_| {}, Ending::Ends),
    ]
}

/// What leads out of a folder is only known when it is opened.
fn files() -> Vec<Case> {
    let file = |name: &str, act: &str, argument: &str, access: Access| {
        intruder(name, REFUSALS, &format!("files {act}"), argument, Ending::Refuses("\"not-permitted\""))
            .given(move |terms| terms.grant_folder("/data", access))
    };
    const OUTSIDE: &str = "outside of the granted folder";
    let read = || Ending::Says("a file".into());
    vec![
        file("the record of a file read by `..`", "read", "../secret/key", Access::ReadOnly)
            .and(refused("open", "../secret/key", OUTSIDE, 1))
            .raised(asking("a.txt"), read()),
        file("the record of a file read by a link", "read", "absolute-link", Access::ReadOnly)
            .and(refused("open", "absolute-link", OUTSIDE, 1))
            .raised(asking("a.txt"), read()),
        file("the record of a write to what is only read", "write", "a.txt", Access::ReadOnly)
            .and(refused("open", "a.txt (write)", OUTSIDE, 1))
            .raised(|terms| terms.grant_folder("/data", Access::ReadWrite), Ending::Says("written".into())),
        file("the record of a file moved from outside", "rename", "../secret/key|inside", Access::ReadWrite)
            .and(|attempt| {
                refused("open", "../secret/key (write)", OUTSIDE, 1)(attempt)?;
                refused("open", "inside (write)", OUTSIDE, 1)(attempt)
            })
            .raised(asking("a.txt|inside"), Ending::Says("done".into())),
    ]
}

/// Puts a name of four letters for the number `$n` at 4096.
const NAME_OF_N: &str = "
    (i32.store8 (i32.const 4096) (i32.add (i32.const 97) (i32.and (local.get $n) (i32.const 15))))
    (i32.store8 (i32.const 4097) (i32.add (i32.const 97) (i32.and (i32.shr_u (local.get $n) (i32.const 4)) (i32.const 15))))
    (i32.store8 (i32.const 4098) (i32.add (i32.const 97) (i32.and (i32.shr_u (local.get $n) (i32.const 8)) (i32.const 15))))
    (i32.store8 (i32.const 4099) (i32.add (i32.const 97) (i32.shr_u (local.get $n) (i32.const 12))))";

/// Looks at so many files, each another one, then opens this one to read it, and is done whatever came of it.
fn looks(files: u32, path: &str) -> Wat {
    Wat::check(&format!(
        "(local $n i32) (local $folder i32)
         (call $get-directories (i32.const 8192))
         (local.set $folder (i32.load (i32.load (i32.const 8192))))
         (loop $next
            {NAME_OF_N}
            (if (i32.lt_u (local.get $n) (i32.const {files})) (then
                (call $method_descriptor.stat-at
                    (local.get $folder) (i32.const 0) (i32.const 4096) (i32.const 4) (i32.const 8192))
                (local.set $n (i32.add (local.get $n) (i32.const 1)))
                (br $next))))
         (call $method_descriptor.open-at (local.get $folder) (i32.const 0) (i32.const 4200) (i32.const {})
            (i32.const 0) (i32.const 1) (i32.const 8192))
         (call $passed)",
        path.len()
    ))
    .import("wasi:filesystem/preopens", "get-directories")
    .import("wasi:filesystem/types", "[method]descriptor.stat-at")
    .import("wasi:filesystem/types", "[method]descriptor.open-at")
    .with(&format!("(data (i32.const 4200) \"{path}\")"))
}

/// Looks beyond what is told apart: one that is forbidden is on record by its path, or it is the end of the call.
fn forbidden_looks() -> Vec<Case> {
    const OUTSIDE: &str = "outside of the granted folder";
    let read = |terms: &mut Terms| terms.grant_folder("/data", Access::ReadOnly);
    vec![
        Case::new(
            "a forbidden look behind a flood of looks",
            COMPLETE,
            looks(10_100, "../secret/key"),
            Ending::Says("done".into()),
        )
        .given(read)
        .and(refused("open", "../secret/key", OUTSIDE, 1))
        .mended(looks(10_100, "a.txt")),
        Case::new(
            "a forbidden look without room for its refusal, by a guest that goes on",
            "limits/records",
            looks(0, "../secret/key"),
            Ending::Over(Limit::Records),
        )
        .given(read)
        .held(|terms| terms.limits().records = 0)
        .and(refused("open", "(others)", "over limits.records", 1))
        .raised(|_| {}, Ending::Says("done".into()))
        .and_raised(refused("open", "../secret/key", OUTSIDE, 1)),
    ]
}

/// Floods around one act that is forbidden: it stays on record, and so does each of the flood, together with its like.
fn pushed_out() -> Vec<Case> {
    const BUCKETS: u64 = 12_000;
    let flood = format!(
        "(local.set $n (i32.const 0))
         (loop $next
            {NAME_OF_N}
            (call $open (i32.const 4096) (i32.const 4) (i32.const 8192))
            (if (i32.eqz (i32.load8_u (i32.const 8192))) (then
                (call $resource-drop_bucket (i32.load (i32.const 8196)))))
            (drop (call $now))
            (drop (call $get-random-u64))
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (br_if $next (i32.lt_u (local.get $n) (i32.const {BUCKETS}))))"
    );
    let forbidden = "(local.set $request (call $constructor_outgoing-request (call $constructor_fields)))
         (drop (call $method_outgoing-request.set-authority
            (local.get $request) (i32.const 1) (i32.const 4200) (i32.const 12)))
         (drop (call $method_outgoing-request.set-path-with-query
            (local.get $request) (i32.const 1) (i32.const 4212) (i32.const 7)))
         (call $handle (local.get $request) (i32.const 0) (i32.const 0) (i32.const 8192))";
    let guest = Wat::check(&format!("(local $n i32) (local $request i32) {flood} {forbidden} {flood} (call $passed)"))
        .import("wasi:keyvalue/store", "open")
        .import("wasi:keyvalue/store", "[resource-drop]bucket")
        .import("wasi:clocks/monotonic-clock", "now")
        .import("wasi:random/random", "get-random-u64")
        .import("wasi:http/types", "[constructor]fields")
        .import("wasi:http/types", "[constructor]outgoing-request")
        .import("wasi:http/types", "[method]outgoing-request.set-authority")
        .import("wasi:http/types", "[method]outgoing-request.set-path-with-query")
        .import("wasi:http/outgoing-handler", "handle")
        .with("(data (i32.const 4200) \"evil.example/stolen\")");
    let told = |operation: &'static str, allowed: bool, attempt: &Attempt| {
        let of = records(attempt).filter(|record| record.operation == operation && record.allowed == allowed);
        of.fold((0, 0), |(records, times), record| (records + 1, times + record.count))
    };
    let expect = move |attempt: &Attempt, expected: [(&'static str, bool, (u64, u64)); 3]| {
        refused("http", "GET https://evil.example/stolen", "not granted", 1)(attempt)?;
        for (operation, allowed, records) in expected {
            let found = told(operation, allowed, attempt);
            if found != records {
                return Err(format!(
                    "records and times of {operation} (allowed: {allowed}): {found:?}, not {records:?}"
                ));
            }
        }
        Ok(())
    };
    vec![
        Case::new("a forbidden request among floods of what is denied", COMPLETE, guest, Ending::Says("done".into()))
            .held(|terms| terms.grant.clocks = true)
            .and(move |attempt| {
                let all = [
                    ("keyvalue", false, (BUCKETS, 2 * BUCKETS)),
                    ("clock", true, (1, 2 * BUCKETS)),
                    ("random", false, (1, 2 * BUCKETS)),
                ];
                expect(attempt, all)
            })
            // What is only looked at is, beyond ten thousand, one record for all others.
            .raised(|terms| (terms.grant.keyvalue, terms.grant.random) = (true, true), Ending::Says("done".into()))
            .and_raised(move |attempt| {
                let all = [
                    ("keyvalue", true, (10_001, 2 * BUCKETS)),
                    ("clock", false, (1, 2 * BUCKETS)),
                    ("random", true, (1, 2 * BUCKETS)),
                ];
                expect(attempt, all)
            }),
        intruder(
            "a flood of acts beyond what can be told apart",
            "limits/records",
            "files many-files",
            "x|100",
            Ending::Over(Limit::Records),
        )
        .given(|terms| {
            terms.grant_folder("/data", Access::ReadWrite);
            // Its language's runtime asks for that, and would be refused first.
            terms.grant.random = true;
        })
        .held(|terms| terms.limits().records = 30)
        .and(|attempt| {
            let made = (0..100).filter(|n| attempt.terms.folder.join(format!("data/n{n}")).exists()).count();
            let told = records(attempt).filter(|record| record.allowed && record.summary.ends_with(" (write)")).count();
            match (made, told) {
                (30, 30) => refused("open", "(others)", "over limits.records", 1)(attempt),
                _ => Err(format!("{made} files were made, of which {told} are on record")),
            }
        })
        .raised(|_| {}, Ending::Says("all made".into())),
        intruder(
            "a flood of refusals beyond what can be told apart",
            "limits/records",
            "http many",
            "5|evil.example|/a",
            Ending::Over(Limit::Records),
        )
        .given(|terms| terms.grant.random = true)
        .held(|terms| terms.limits().records = 0)
        .and(refused("http", "(others)", "over limits.records", 1))
        .raised(|_| {}, Ending::Refuses("HttpRequestDenied"))
        .and_raised(refused("http", "GET http://evil.example/a", "not granted", 1)),
    ]
}
