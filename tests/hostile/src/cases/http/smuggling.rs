//! What would be read as something else on the wire: headers, methods, addresses and paths.

use crate::{
    case::{Case, Ending},
    server,
};

use super::{asking, granted, hello, intruder};

/// All of them.
pub fn cases() -> Vec<Case> {
    let promise = "http/no-smuggling";
    const NO_HEADER: &str = "no header: HeaderError::InvalidSyntax";
    const NOT_THE_GUESTS: &str = "no header: HeaderError::Forbidden";
    const DENIED: &str = "HttpRequestDenied";
    let header = |name: &str, header: &str, value: &str, error: &'static str| {
        let text = format!("GET|http|HERE|/ok/smuggled|{header}|{value}");
        intruder(format!("a header {name}"), promise, "ask", &text, Ending::Refuses(error))
    };
    let request = |name: &str, method: &str, authority: &str, path: &str, error: &'static str| {
        intruder(name, promise, "ask", &format!("{method}|http|{authority}|{path}"), Ending::Refuses(error))
    };
    [
        header("whose value holds another one", "x-a", "b%0D%0Ax-smuggled: c", NO_HEADER),
        header(
            "whose value holds another request",
            "x-a",
            "b%0D%0A%0D%0AGET /smuggled HTTP/1.1%0D%0A%0D%0A",
            NO_HEADER,
        ),
        header("whose value holds a line end alone", "x-a", "b%0Ax-smuggled: c", NO_HEADER),
        header("whose value holds a zero byte", "x-a", "b%00c", NO_HEADER),
        header("whose name holds a line end", "x-a%0D%0Ax-smuggled", "c", NO_HEADER),
        header("whose name holds a colon", "host: evil.example", "c", NO_HEADER),
        header("whose name is nothing", "", "c", NO_HEADER),
        header("that names another host", "host", "169.254.169.254", NOT_THE_GUESTS),
        header("that names another host, in capitals", "HOST", "169.254.169.254", NOT_THE_GUESTS),
        header("that frames the message", "transfer-encoding", "chunked", NOT_THE_GUESTS),
        header("that is the connection's", "connection", "upgrade", NOT_THE_GUESTS),
        header("that switches protocols", "upgrade", "h2c", NOT_THE_GUESTS),
        header("that carries a credential", "authorization", "Bearer x", NOT_THE_GUESTS),
        header("that carries a cookie", "cookie", "a=b", NOT_THE_GUESTS),
        header("that is a proxy's", "proxy-authorization", "Basic x", NOT_THE_GUESTS),
        request(
            "a method that holds a request",
            "GET / HTTP/1.1%0D%0Ax: y%0D%0A%0D%0A",
            "HERE",
            "/ok/smuggled",
            "no method",
        ),
        request("a tunnel", "CONNECT", "HERE", "/ok/smuggled", DENIED),
        request("an echo of the request", "TRACE", "HERE", "/ok/smuggled", DENIED),
        request("an address with a user", "GET", "HERE@evil.example", "/ok/smuggled", DENIED),
        request("an address with a password", "GET", "me:word@HERE", "/ok/smuggled", DENIED),
        request("an address with a line end", "GET", "HERE%0D%0Ax: y", "/ok/smuggled", "no authority"),
        request("a path with a line end", "GET", "HERE", "/ok/smuggled HTTP/1.1%0D%0Ax-smuggled: y", "no path"),
        request("a path with a zero byte", "GET", "HERE", "/ok/smuggled%00", "no path"),
        intruder(
            "a body that is longer than it says",
            promise,
            "lie",
            "HERE|/take/smuggled|100|10",
            Ending::Refuses("no: StreamError::LastOperationFailed"),
        ),
        intruder(
            "a body that is shorter than it says",
            promise,
            "lie",
            "HERE|/take/smuggled|10|100",
            Ending::Refuses("HttpRequestBodySize"),
        ),
        intruder(
            "a length that is no number",
            promise,
            "lie",
            "HERE|/take/smuggled|10|ten",
            Ending::Refuses(NO_HEADER),
        ),
        intruder(
            "a length beyond all numbers",
            promise,
            "lie",
            "HERE|/take/smuggled|10|99999999999999999999",
            Ending::Refuses(NO_HEADER),
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
