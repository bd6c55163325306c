//! What would be read as something else on the wire: headers, methods, addresses and paths.

use crate::{
    case::{Case, Ending},
    server,
};

use super::{asking, granted, hello, intruder};

/// All of them.
pub fn cases() -> Vec<Case> {
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
