//! More requests, and more bytes of them, than one call may have.

use autodevops_policy::{Bytes, Limit};

use crate::{
    case::{Case, Ending, Terms, ms},
    cases::record::refused,
};

use super::{asking, granted, hello, intruder};

/// All of them.
pub fn cases() -> Vec<Case> {
    let flood = |name: &str, limit: Limit, act: &str, argument: &str, hold: fn(&mut Terms), said: Ending| {
        let promise = match limit {
            Limit::HttpRequests => "limits/http-requests",
            Limit::HttpConcurrent => "limits/http-concurrent",
            Limit::HttpBuilt => "limits/http-built",
            Limit::HttpSent => "limits/http-sent",
            _ => "limits/http-received",
        };
        intruder(name, promise, act, argument, Ending::Over(limit)).given(granted).held(hold).raised(|_| {}, said)
    };
    let answered = || Ending::Says("all answered".into());
    // With what it receives unlimited, what never ends takes all its time.
    let endless = |name: &str, path: &str| {
        intruder(
            name,
            "limits/http-received",
            "ask",
            &format!("GET|http|HERE|/{path}"),
            Ending::Over(Limit::HttpReceived),
        )
        .given(granted)
        .held(|terms| terms.limits().http_received = Bytes(300_000))
        .raised(
            |terms| {
                terms.limits().http_received = Bytes(u64::MAX);
                terms.limits().http_total = ms(300);
            },
            Ending::Over(Limit::HttpTotal),
        )
    };
    vec![
        flood(
            "a flood of requests",
            Limit::HttpRequests,
            "many",
            "20|HERE|/ok",
            |terms| terms.limits().http_requests = 5,
            answered(),
        ),
        flood(
            "many requests at once",
            Limit::HttpConcurrent,
            "at-once",
            "8|HERE|/ok",
            |terms| terms.limits().http_concurrent = 3,
            answered(),
        ),
        flood(
            "a large body",
            Limit::HttpSent,
            "post",
            "HERE|/take|1000000",
            |terms| terms.limits().http_sent = Bytes(100_000),
            Ending::Says("200 taken".into()),
        ),
        flood(
            "large headers",
            Limit::HttpSent,
            "many-headers",
            "30|HERE|/ok",
            |terms| terms.limits().http_sent = Bytes(10_000),
            hello(),
        ),
        flood(
            "headers that are built and go nowhere",
            Limit::HttpBuilt,
            "many-headers",
            "30|HERE|/ok",
            |terms| terms.limits().http_built = Bytes(10_000),
            hello(),
        ),
        flood(
            "a body that is built",
            Limit::HttpBuilt,
            "post",
            "HERE|/take|1000000",
            |terms| terms.limits().http_built = Bytes(100_000),
            Ending::Says("200 taken".into()),
        ),
        flood(
            "a flood of small requests",
            Limit::HttpSent,
            "many",
            "20|HERE|/ok",
            |terms| terms.limits().http_sent = Bytes(500),
            answered(),
        ),
        flood(
            "a large answer",
            Limit::HttpReceived,
            "ask",
            "GET|http|HERE|/large/1000000",
            |terms| terms.limits().http_received = Bytes(100_000),
            Ending::Says("200 with 1000000 bytes".into()),
        ),
        flood(
            "a flood of small answers",
            Limit::HttpReceived,
            "many",
            "20|HERE|/ok",
            |terms| terms.limits().http_received = Bytes(500),
            answered(),
        ),
        endless("an endless answer", "endless"),
        endless("an endless answer of no length", "endless-until-closed"),
        endless("answers without end before the answer", "endless-continue"),
        intruder(
            "a flood of requests that are never sent",
            "limits/resources",
            "many-requests",
            "500",
            Ending::Over(Limit::Resources),
        )
        .given(asking("500|"))
        .held(|terms| terms.limits().resources = 100)
        .and(refused("use", "wasi:http/types [constructor]", "over limits.resources", 1))
        .raised(|_| {}, Ending::Says("500 made".into())),
    ]
}
