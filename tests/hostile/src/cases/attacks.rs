//! What was found by trying to break out: ways around a limit or a promise that nothing else goes by.

use std::fs;

use autodevops_policy::{Access, Bytes, Limit};

use crate::{
    case::{Case, Ending, Terms, ms},
    component::Wat,
    server,
};

/// All of them.
pub fn cases() -> Vec<Case> {
    [open_files(), amplified(), overridden()].into_iter().flatten().collect()
}

fn intruder(name: &str, promise: &'static str, act: &str, argument: &str, fails: Ending) -> Case {
    let (act, argument) = (act.to_owned(), argument.to_owned());
    Case::new(name, promise, "intruder", fails).given(move |terms| {
        terms.config.insert("act".into(), act.clone());
        terms.config.insert("argument".into(), argument.clone());
    })
}

/// Files that are open and were not counted: what gives back more than it took, what outlives its descriptor, what is long.
fn open_files() -> Vec<Case> {
    let case = |name: &str, act: &str, argument: &str| {
        intruder(name, "limits/open-files", &format!("files {act}"), argument, Ending::Over(Limit::OpenFiles))
            .given(|terms| terms.grant_folder("/data", Access::ReadWrite))
            .held(|terms| terms.limits().open_files = 20)
    };
    let open = || Ending::Says("100 open".into());
    let higher = |terms: &mut Terms| terms.limits().open_files = 1000;
    vec![
        case("files left open, while granted folders are dropped", "many-open-and-preopens-dropped", "a.txt|100")
            .raised(higher, open()),
        case("streams of files whose descriptors are gone", "many-streams", "a.txt|100").raised(higher, open()),
        case("the listing of a folder of 25,000 files", "list", ".")
            .given(|terms| {
                let first = terms.folder.join("data/0");
                fs::write(&first, "").expect("a file is made");
                for number in 1..25_000 {
                    fs::hard_link(&first, terms.folder.join(format!("data/{number}"))).expect("a link is made");
                }
            })
            .raised(higher, Ending::Ends),
    ]
}

/// Little that a guest gives, of which the host makes much.
fn amplified() -> Vec<Case> {
    let times = |times: u32, act: &str, done: &str| {
        format!(
            "(local $n i32) (local $handle i32)
             {act}
             (local.set $n (i32.add (local.get $n) (i32.const 1)))
             (br_if $next (i32.lt_u (local.get $n) (i32.const {times}))))
             {done}"
        )
    };
    let append = times(
        500,
        "(local.set $handle (call $constructor_fields))
         (loop $next
            (call $method_fields.append (local.get $handle)
                (i32.const 4096) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 8192))",
        "(call $passed)",
    );
    // One timer that is ready, named so often in one list.
    let poll = times(
        5000,
        "(local.set $handle (call $subscribe-duration (i64.const 0)))
         (loop $next
            (i32.store (i32.add (i32.const 16384) (i32.shl (local.get $n) (i32.const 2))) (local.get $handle))",
        "(call $poll (i32.const 16384) (i32.const 5000) (i32.const 8192)) (call $passed)",
    );
    // One timer that never is, named almost as often as there may be handles.
    let polls = times(
        9_000,
        "(local.set $handle (call $subscribe-instant (i64.const -1)))
         (loop $next
            (i32.store (i32.add (i32.const 16384) (i32.shl (local.get $n) (i32.const 2))) (local.get $handle))",
        "(call $poll (i32.const 16384) (i32.const 9000) (i32.const 8192)) (call $passed)",
    );
    // 2,000 fields with nothing in them: their place is memory that nobody wrote to.
    let fields = "(call $write (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 4096) (i32.const 5)
                    (i32.const 16384) (i32.const 2000)) (call $passed)";
    vec![
        Case::new(
            "headers with nothing in them",
            "limits/http-built",
            Wat::check(&append)
                .import("wasi:http/types", "[constructor]fields")
                .import("wasi:http/types", "[method]fields.append")
                .with("(data (i32.const 4096) \"x\")"),
            Ending::Over(Limit::HttpBuilt),
        )
        .held(|terms| terms.limits().http_built = Bytes(10_000))
        .raised(|_| {}, Ending::Says("done".into())),
        Case::new(
            "a poll of one timer, named 5,000 times",
            "limits/resources",
            Wat::check(&poll)
                .import("wasi:clocks/monotonic-clock", "subscribe-duration")
                .import("wasi:io/poll", "poll"),
            Ending::Over(Limit::Resources),
        )
        .given(|terms| terms.grant.clocks = true)
        .held(|terms| terms.limits().resources = 1000)
        .raised(|_| {}, Ending::Says("done".into())),
        // Each limit is the other's proof: with the one raised, the calls end by the other.
        Case::new(
            "sixty-four polls at once of one timer that never is, named 9,000 times in each",
            "limits/wall-time",
            Wat::check(&polls)
                .import("wasi:clocks/monotonic-clock", "subscribe-instant")
                .import("wasi:io/poll", "poll"),
            Ending::Over(Limit::WallTime),
        )
        .crowd(64)
        .given(|terms| terms.grant.clocks = true)
        .held(|terms| terms.limits().wall_time = ms(300))
        .and(|attempt| match attempt.reports.first().map(|report| report.wall) {
            Some(wall) if wall < std::time::Duration::from_secs(5) => Ok(()),
            wall => Err(format!("300 ms took {wall:?}")),
        })
        .raised(|terms| terms.limits().resources = 8_999, Ending::Over(Limit::Resources)),
        Case::new(
            "a log line of fields with nothing in them",
            "limits/log-bytes",
            Wat::check(fields).import("autodevops:host/log", "write").with("(data (i32.const 4096) \"empty\")"),
            Ending::Says("done".into()),
        )
        .held(|terms| terms.limits().log_bytes = Bytes(1000))
        .and(|attempt| match attempt.lines().find(|line| line.contains("empty")) {
            Some(line) => Err(format!("a line of {} bytes is in the log", line.len())),
            None => Ok(()),
        })
        .raised(|_| {}, Ending::Says("done".into()))
        .and_raised(|attempt| match attempt.lines().find(|line| line.contains("empty")) {
            Some(_) => Ok(()),
            None => Err("its line is not in the log".to_owned()),
        }),
    ]
}

/// Requests that are judged as one thing, and taken by a server for another.
fn overridden() -> Vec<Case> {
    let here = server::address();
    let header = |name: &str, header: &str, value: &str| {
        let argument = format!("GET|http|{here}|/ok/overridden|{header}|{value}");
        intruder(name, "http/no-smuggling", "http ask", &argument, Ending::Refuses("no header: HeaderError::Forbidden"))
            .given(|terms| terms.grant_origin(&server::origin()))
            .raised(
                move |terms| {
                    let argument = format!("GET|http|{here}|/ok/overridden|accept|text/plain");
                    terms.config.insert("argument".into(), argument);
                },
                Ending::Says("200 hello".into()),
            )
    };
    let deep = format!("GET|http|{here}|/ok/%{}41", "25".repeat(20_000));
    vec![
        header("a header that names another method", "x-http-method-override", "DELETE"),
        header("a header that names another path", "x-original-url", "/admin"),
        header("a header that names another host behind a proxy", "x-forwarded-host", "169.254.169.254"),
        header("a header that frames the message, by `_`", "transfer_encoding", "chunked"),
        intruder(
            "a path that is encoded 20,000 times over",
            "http/granted-only",
            "http ask",
            &deep,
            Ending::Refuses("HttpRequestDenied"),
        )
        .given(|terms| terms.grant_origin(&format!("{}/ok", server::origin())))
        .raised(
            move |terms| {
                terms.config.insert("argument".into(), format!("GET|http|{here}|/ok/%252541"));
            },
            Ending::Says("200 hello".into()),
        ),
    ]
}
