//! Requests: to where none may go, with what none may hold, more and longer than one call may send and receive.

use std::{
    io,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use autodevops_policy::{Bytes, Limit};
use autodevops_sandbox::{HttpOptions, Resolver, SandboxOptions};

use crate::{
    case::{Attempt, Case, Ending, Terms, ms},
    run::options,
    server,
};

/// All of them.
pub fn cases() -> Vec<Case> {
    [origins(), smuggling(), redirects(), literals(), names(), floods(), times(), answers()]
        .into_iter()
        .flatten()
        .collect()
}

fn intruder(name: impl Into<String>, promise: &'static str, act: &str, argument: &str, fails: Ending) -> Case {
    let (act, argument) = (format!("http {act}"), argument.replace("HERE", &server::address().to_string()));
    Case::new(name, promise, "intruder", fails).given(move |terms| {
        terms.config.insert("act".into(), act.clone());
        terms.config.insert("argument".into(), argument.clone());
    })
}

/// Grants the server's origin.
fn granted(terms: &mut Terms) {
    terms.grant_origin(&server::origin());
}

/// Asks for something else.
fn asking(argument: &str) -> impl Fn(&mut Terms) + Send + Sync + 'static {
    let argument = argument.replace("HERE", &server::address().to_string());
    move |terms| {
        terms.config.insert("argument".into(), argument.clone());
    }
}

/// What the server answers to `/ok`.
fn hello() -> Ending {
    Ending::Says("200 hello".into())
}

/// No request with this in its first line came to the server.
fn never_asked(part: &'static str) -> impl Fn(&Attempt) -> Result<(), String> + Send + Sync + 'static {
    move |_| match server::asked(part).first() {
        None => Ok(()),
        Some(head) => Err(format!("a request came to the server: {head}")),
    }
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
        intruder("a request by another scheme", promise, "ask", "GET|ftp|HERE|/ok/9", Ending::Refuses("no: "))
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

/// Headers, methods, addresses and paths that would be read as something else on the wire.
fn smuggling() -> Vec<Case> {
    let promise = "http/no-smuggling";
    let header = |name: &str, header: &str, value: &str| {
        let text = format!("GET|http|HERE|/ok/smuggled|{header}|{value}");
        intruder(format!("a header {name}"), promise, "ask", &text, Ending::Refuses("no header: "))
    };
    let request = |name: &str, method: &str, authority: &str, path: &str| {
        intruder(name, promise, "ask", &format!("{method}|http|{authority}|{path}"), Ending::Refuses("no"))
    };
    [
        header("whose value holds another one", "x-a", "b%0D%0Ax-smuggled: c"),
        header("whose value holds another request", "x-a", "b%0D%0A%0D%0AGET /smuggled HTTP/1.1%0D%0A%0D%0A"),
        header("whose value holds a line end alone", "x-a", "b%0Ax-smuggled: c"),
        header("whose value holds a zero byte", "x-a", "b%00c"),
        header("whose name holds a line end", "x-a%0D%0Ax-smuggled", "c"),
        header("whose name holds a colon", "host: evil.example", "c"),
        header("whose name is nothing", "", "c"),
        header("that names another host", "host", "169.254.169.254"),
        header("that names another host, in capitals", "HOST", "169.254.169.254"),
        header("that frames the message", "transfer-encoding", "chunked"),
        header("that is the connection's", "connection", "upgrade"),
        header("that switches protocols", "upgrade", "h2c"),
        header("that carries a credential", "authorization", "Bearer x"),
        header("that carries a cookie", "cookie", "a=b"),
        header("that is a proxy's", "proxy-authorization", "Basic x"),
        request("a method that holds a request", "GET / HTTP/1.1%0D%0Ax: y%0D%0A%0D%0A", "HERE", "/ok/smuggled"),
        request("a tunnel", "CONNECT", "HERE", "/ok/smuggled"),
        request("an echo of the request", "TRACE", "HERE", "/ok/smuggled"),
        request("an address with a user", "GET", "HERE@evil.example", "/ok/smuggled"),
        request("an address with a password", "GET", "me:word@HERE", "/ok/smuggled"),
        request("an address with a line end", "GET", "HERE%0D%0Ax: y", "/ok/smuggled"),
        request("a path with a line end", "GET", "HERE", "/ok/smuggled HTTP/1.1%0D%0Ax-smuggled: y"),
        request("a path with a zero byte", "GET", "HERE", "/ok/smuggled%00"),
        intruder(
            "a body that is longer than it says",
            promise,
            "lie",
            "HERE|/take/smuggled|100|10",
            Ending::Refuses("no: "),
        ),
        intruder(
            "a body that is shorter than it says",
            promise,
            "lie",
            "HERE|/take/smuggled|10|100",
            Ending::Refuses("no: "),
        ),
        intruder("a length that is no number", promise, "lie", "HERE|/take/smuggled|10|ten", Ending::Refuses("no")),
        intruder(
            "a length beyond all numbers",
            promise,
            "lie",
            "HERE|/take/smuggled|10|99999999999999999999",
            Ending::Refuses("no"),
        ),
    ]
    .into_iter()
    .map(|case| {
        case.given(granted)
            .and(|_| {
                match server::asked("")
                    .iter()
                    .find(|head| head.contains("x-smuggled") || head.contains("\nhost: 169.254"))
                {
                    Some(head) => Err(format!("a request came to the server that holds what was smuggled: {head:?}")),
                    None => Ok(()),
                }
            })
            .raised(
                |terms| {
                    terms.config.insert("act".into(), "http ask".into());
                    asking("GET|http|HERE|/ok|accept|text/plain")(terms);
                },
                hello(),
            )
    })
    .collect()
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

/// Answers what the case is about, one answer after the other, the last one for ever.
#[derive(Debug)]
struct Names {
    answers: Vec<Vec<IpAddr>>,
    asked: AtomicUsize,
}

#[async_trait::async_trait]
impl Resolver for Names {
    async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        let turn = self.asked.fetch_add(1, Ordering::Relaxed).min(self.answers.len().saturating_sub(1));
        match self.answers.get(turn) {
            Some(answer) => Ok(answer.clone()),
            // A name server that never answers.
            None => std::future::pending().await,
        }
    }
}

/// An engine whose names are these.
fn engine(answers: &[&[&str]]) -> (SandboxOptions, Arc<Names>) {
    let addresses = |answer: &&[&str]| answer.iter().map(|text| text.parse().expect("an address")).collect();
    let names = Arc::new(Names { answers: answers.iter().map(addresses).collect(), asked: AtomicUsize::new(0) });
    let http = HttpOptions { resolver: Some(Arc::clone(&names) as _), ..HttpOptions::default() };
    (SandboxOptions { http, concurrent_calls: 4, ..options().expect("there is a cache") }, names)
}

/// Names that lead to this machine and to private networks, and names that change.
fn names() -> Vec<Case> {
    let port = server::address().port();
    let prohibited = [
        ("this machine", &["127.0.0.1"] as &[&str]),
        ("this machine in IPv6", &["::1"]),
        ("this machine, as IPv4 in IPv6", &["::ffff:127.0.0.1"]),
        ("this machine, as IPv4 in IPv6 of old", &["::127.0.0.1"]),
        ("this machine, by NAT64", &["64:ff9b::7f00:1"]),
        ("this machine, by 6to4", &["2002:7f00:1::"]),
        ("this machine, by Teredo", &["2001:0:5ef5:79fd:0:0:80ff:fffe"]),
        ("any address", &["0.0.0.0"]),
        ("a private network", &["10.0.0.1"]),
        ("a private network in IPv6", &["fd00::1"]),
        ("the neighbours", &["fe80::1"]),
        ("a provider's shared network", &["100.64.0.1"]),
        ("many at once", &["224.0.0.1"]),
        ("the metadata of a cloud", &["169.254.169.254"]),
        ("the metadata of a cloud in IPv6", &["fd00:ec2::254"]),
        ("a public address and this machine", &["93.184.216.34", "127.0.0.1"]),
    ];
    let inner = prohibited.into_iter().map(move |(name, answer)| {
        intruder(
            format!("a name that leads to {name}"),
            "http/public-only",
            "ask",
            &format!("GET|http|inner.example:{port}|/ok/inner"),
            Ending::Refuses("DestinationIpProhibited"),
        )
        .given(move |terms| {
            terms.engine = Some(engine(&[answer]).0);
            terms.grant_origin(&format!("http://inner.example:{port}"));
        })
        .and(never_asked("/ok/inner"))
        .raised(
            |terms| {
                granted(terms);
                asking("GET|http|HERE|/ok")(terms);
            },
            hello(),
        )
    });
    let changing = |name: &str, answers: &'static [&'static [&'static str]], part: &'static str| {
        let path = format!("/ok/{part}");
        intruder(
            name,
            "http/one-look-up",
            "many",
            &format!("2|localhost:{port}|{path}"),
            Ending::Refuses("DestinationIpProhibited"),
        )
        .given(move |terms| terms.grant_origin(&format!("http://localhost:{port}")))
        .held(move |terms| terms.engine = Some(engine(answers).0))
        .and(move |_| match server::asked(&path).len() {
            1 => Ok(()),
            count => Err(format!("{count} requests came to the server")),
        })
        .raised(|terms| terms.engine = Some(engine(&[&["127.0.0.1"]]).0), Ending::Says("all answered".into()))
    };
    // The first look-up is of an address that is good: were there a second one before the connection is made, it would go wrong.
    let (once, names) = engine(&[&["127.0.0.1"], &["169.254.169.254"]]);
    let single = intruder(
        "a name that changes between the look and the connection",
        "http/one-look-up",
        "ask",
        &format!("GET|http|localhost:{port}|/ok/once"),
        hello(),
    )
    .given(move |terms| terms.grant_origin(&format!("http://localhost:{port}")))
    .held(move |terms| terms.engine = Some(once.clone()))
    .and(move |_| match (names.asked.load(Ordering::Relaxed), server::asked("/ok/once").len()) {
        (1, 1) => Ok(()),
        (looks, requests) => Err(format!("{looks} look-ups, {requests} requests")),
    })
    .raised(|terms| terms.engine = Some(engine(&[&["169.254.169.254"]]).0), Ending::Refuses("DestinationIpProhibited"));
    inner
        .chain([
            changing(
                "a name that leads to a cloud's metadata with the second request",
                &[&["127.0.0.1"], &["169.254.169.254"]],
                "changed-to-metadata",
            ),
            changing(
                "a name that leads to a private network with the second request",
                &[&["127.0.0.1"], &["10.0.0.1"]],
                "changed-to-private",
            ),
            single,
        ])
        .collect()
}

/// More requests, and more bytes of them, than one call may have.
fn floods() -> Vec<Case> {
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
            Ending::NotOver(Limit::HttpReceived),
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
        .raised(|_| {}, Ending::Says("500 made".into())),
    ]
}

/// Servers that take their time.
fn times() -> Vec<Case> {
    let slow = |name: &str, limit: Limit, promise: &'static str, path: &str, hold: fn(&mut Terms)| {
        intruder(name, promise, "ask", &format!("GET|http|HERE|/{path}"), Ending::Over(limit))
            .given(granted)
            .held(hold)
            .raised(|terms| terms.limits().wall_time = ms(300), Ending::Over(Limit::WallTime))
    };
    let port = server::address().port();
    let first_byte: fn(&mut Terms) = |terms| terms.limits().http_first_byte = ms(100);
    let total: fn(&mut Terms) = |terms| terms.limits().http_total = ms(200);
    vec![
        slow("a server that never answers", Limit::HttpFirstByte, "limits/http-first-byte", "never", first_byte),
        slow("a server that never answers, in all its time", Limit::HttpTotal, "limits/http-total", "never", total),
        slow("a server that drips", Limit::HttpTotal, "limits/http-total", "drip", total),
        slow("a server that drips its head", Limit::HttpTotal, "limits/http-total", "drip-head", total),
        slow("a server that drips its first line", Limit::HttpTotal, "limits/http-total", "drip-first-line", total),
        intruder(
            "an hour to wait, by the guest's own wish",
            "limits/http-first-byte",
            "ask-patiently",
            "HERE|/never",
            Ending::Over(Limit::HttpFirstByte),
        )
        .given(granted)
        .held(first_byte)
        .raised(|terms| terms.limits().wall_time = ms(300), Ending::Over(Limit::WallTime)),
        intruder(
            "a name that is looked up for ever",
            "limits/http-connect",
            "ask",
            &format!("GET|http|slow.example:{port}|/ok"),
            Ending::Over(Limit::HttpConnect),
        )
        .given(move |terms| {
            terms.engine = Some(engine(&[]).0);
            terms.grant_origin(&format!("http://slow.example:{port}"));
        })
        .held(|terms| terms.limits().http_connect = ms(100))
        .raised(|terms| terms.limits().wall_time = ms(300), Ending::Over(Limit::WallTime)),
        intruder(
            "a server that never answers, against the call's own time",
            "limits/wall-time",
            "ask",
            "GET|http|HERE|/never",
            Ending::Over(Limit::WallTime),
        )
        .given(granted)
        .held(|terms| terms.limits().wall_time = ms(200))
        .raised(|terms| terms.limits().http_first_byte = ms(100), Ending::Over(Limit::HttpFirstByte)),
    ]
}

/// Answers that are none.
fn answers() -> Vec<Case> {
    [
        ("an answer that is cut", "cut"),
        ("an answer of another protocol", "garbage"),
        ("no answer", "nothing"),
        ("an answer of two lengths", "two-lengths"),
        ("an answer of a negative length", "negative-length"),
        ("a chunk beyond all numbers", "bad-chunk"),
        ("a switch to another protocol", "switch"),
        ("a head that is none", "header-without-end"),
        ("an endless head of an answer", "endless-head"),
        ("an endless line in the head of an answer", "endless-line"),
        ("an endless line before a chunk", "endless-chunk-line"),
        ("an endless list of trailers", "endless-trailers"),
    ]
    .into_iter()
    .map(|(name, path)| {
        intruder(name, "http/answers", "ask", &format!("GET|http|HERE|/{path}"), Ending::Refuses("no: "))
            .given(granted)
            .raised(asking("GET|http|HERE|/ok"), hello())
    })
    .collect()
}
