//! Where a request may go, by what it says itself: its origin, another way to write one, and a redirect.

use crate::{
    case::{Case, Ending, Terms},
    server,
};

use super::{asking, granted, hello, intruder, never_asked};

/// All of them.
pub fn cases() -> Vec<Case> {
    [origins(), redirects(), literals()].into_iter().flatten().collect()
}

/// Where a request may go: scheme, host, port, path, method.
fn origins() -> Vec<Case> {
    let promise = "http/granted-only";
    let denied = || Ending::Refuses("HttpRequestDenied");
    let port = server::address().port();
    let below = move |path: &'static str| {
        move |terms: &mut Terms| terms.grant_origin(&format!("http://127.0.0.1:{port}{path}"))
    };
    vec![
        intruder("a request to what was not granted", promise, "ask", "GET|http|HERE|/ok/1", denied())
            .and(never_asked("/ok/1 "))
            .raised(granted, hello()),
        intruder(
            "a request by another name of the host",
            promise,
            "ask",
            &format!("GET|http|localhost:{port}|/ok/2"),
            denied(),
        )
        .given(granted)
        .and(never_asked("/ok/2 "))
        .raised(move |terms| terms.grant_origin(&format!("http://localhost:{port}")), hello()),
        intruder("a request to another port", promise, "ask", "GET|http|HERE|/ok/3", denied())
            .held(|terms| terms.grant_origin("http://127.0.0.1:1"))
            .and(never_asked("/ok/3 "))
            .raised(granted, hello()),
        intruder("a request to another path", promise, "ask", "GET|http|HERE|/ok/4", denied())
            .held(below("/api"))
            .and(never_asked("/ok/4 "))
            .raised(below("/ok"), hello()),
        intruder("a request that leaves its path by `..`", promise, "ask", "GET|http|HERE|/api/../ok/5", denied())
            .held(below("/api"))
            .and(never_asked("/ok/5 "))
            .raised(below("/ok"), hello()),
        intruder(
            "a request that leaves its path by an encoded `..`",
            promise,
            "ask",
            "GET|http|HERE|/api/%2e%2e/ok/6",
            denied(),
        )
        .held(below("/api"))
        .and(never_asked("/ok/6 "))
        .raised(below("/ok"), hello()),
        intruder(
            "a request that leaves its path by an encoded `/`",
            promise,
            "ask",
            "GET|http|HERE|/api/..%2fok/7",
            denied(),
        )
        .held(below("/api"))
        .raised(asking("GET|http|HERE|/ok/7"), hello())
        .given(below("/ok")),
        intruder("a request by TLS to what was granted without", promise, "ask", "GET|https|HERE|/ok/8", denied())
            .given(granted)
            .raised(asking("GET|http|HERE|/ok/8"), hello()),
        intruder(
            "a request by another scheme",
            promise,
            "ask",
            "GET|ftp|HERE|/ok/9",
            Ending::Refuses("HttpProtocolError"),
        )
        .given(granted)
        .raised(asking("GET|http|HERE|/ok/9"), hello()),
        intruder("a request with another method", promise, "ask", "DELETE|http|HERE|/ok/10", denied())
            .held(|terms| {
                granted(terms);
                for destination in &mut terms.grant.http {
                    destination.methods =
                        serde_json::from_value(serde_json::json!(["GET"])).expect("a list of methods");
                }
            })
            .and(never_asked("/ok/10 "))
            .raised(granted, hello()),
    ]
}

/// A redirect is an answer; who follows it asks anew.
fn redirects() -> Vec<Case> {
    let port = server::address().port();
    let follow = |name: &str, path: &str, part: &'static str| {
        intruder(name, "http/no-redirects", "follow", &format!("HERE|/redirect/{path}"), Ending::Refuses(part))
            .given(granted)
            .raised(asking("HERE|/redirect/http:HERE/ok/followed"), hello())
    };
    vec![
        intruder(
            "a redirect that the host would follow",
            "http/no-redirects",
            "ask",
            "GET|http|HERE|/redirect/http:HERE/ok/redirected",
            Ending::Says("302 ".into()),
        )
        .given(granted)
        .and(never_asked("GET /ok/redirected"))
        .raised(asking("GET|http|HERE|/ok"), hello()),
        follow("a redirect to the metadata of a cloud", "http:169.254.169.254/latest/meta-data/", "HttpRequestDenied"),
        follow("a redirect to another name of this machine", &format!("http:localhost:{port}/ok"), "HttpRequestDenied"),
        follow("a redirect to a file", "file:etc/hostname", "no http"),
        follow(
            "a redirect to a granted address of a cloud's metadata",
            "http:169.254.169.254/",
            "DestinationIpProhibited",
        )
        .given(|terms| terms.grant_origin("http://169.254.169.254")),
    ]
}

/// Other ways to write 127.0.0.1, none of which was granted.
fn literals() -> Vec<Case> {
    let port = server::address().port();
    [
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[::]",
        "0.0.0.0",
        "127.0.0.2",
        "127.0.0.1.nip.io",
    ]
    .into_iter()
    .map(|host| {
        intruder(
            format!("127.0.0.1 as {host}"),
            "http/granted-only",
            "ask",
            &format!("GET|http|{host}:{port}|/ok/literal"),
            Ending::Refuses("HttpRequestDenied"),
        )
        .given(granted)
        .and(never_asked("/ok/literal"))
        .raised(asking("GET|http|HERE|/ok"), hello())
    })
    .collect()
}
