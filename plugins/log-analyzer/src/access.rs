//! Answered requests: what was asked for and with what status, in the access logs of web servers and in JSON.

/// A request that was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access<'a> {
    /// Its method; empty where the line tells none.
    pub method: &'a [u8],
    /// Its path, or its address.
    pub path: &'a [u8],
    /// The status that it was answered with.
    pub status: u16,
    /// What the line says of all of it: the method and the path.
    pub request: &'a [u8],
}

/// Names of fields of JSON lines; the first that is there counts.
const STATUS: [&[u8]; 5] =
    [b"\"status\"", b"\"status_code\"", b"\"statusCode\"", b"\"responseStatus\"", b"\"response_code\""];
const PATH: [&[u8]; 6] = [b"\"route\"", b"\"path\"", b"\"url\"", b"\"uri\"", b"\"request_uri\"", b"\"requestUrl\""];
const METHOD: [&[u8]; 3] = [b"\"method\"", b"\"requestMethod\"", b"\"request_method\""];
/// Longest part of a path that is a name by itself.
const LONGEST_NAME: usize = 24;
/// Most parts of a path that tell routes apart.
const MOST_PARTS: usize = 6;

impl<'a> Access<'a> {
    /// Reads a line: `"GET /cart?id=7 HTTP/1.1" 200` as Apache and nginx write it, or an object with a status and a path.
    pub fn read(line: &'a [u8]) -> Option<Self> {
        if line.trim_ascii_start().first() == Some(&b'{') { of_json(line) } else { Self::of_server(line) }
    }

    /// Reads a line of a web server.
    pub fn of_server(line: &'a [u8]) -> Option<Self> {
        let http = memchr::memmem::find(line, b" HTTP/")?;
        let quote = http + memchr::memchr(b'"', line.get(http..)?)?;
        let status = status(line.get(quote + 1..)?.trim_ascii_start())?;
        let open = memchr::memrchr(b'"', line.get(..http)?)?;
        let request = line.get(open + 1..http)?;
        let space = memchr::memchr(b' ', request)?;
        Some(Self { method: request.get(..space)?, path: request.get(space + 1..)?, status, request })
    }

    /// Whether the server failed.
    pub const fn failed(&self) -> bool {
        self.status >= 500
    }

    /// What requests of the same kind have in common: the path without what is behind it, numbers and names of single things as `<*>`.
    pub fn route(&self) -> String {
        let mut route = String::new();
        self.write_route(&mut route);
        route
    }

    /// Writes the route in place of what is there.
    pub fn write_route(&self, route: &mut String) {
        let path = self.path.split(|byte| matches!(byte, b'?' | b'#')).next().unwrap_or_default();
        let path = String::from_utf8_lossy(path);
        let path = path.split_once("://").map_or(&*path, |(_, rest)| rest.split_once('/').map_or("", |(_, path)| path));
        route.clear();
        route.push_str(&String::from_utf8_lossy(self.method));
        route.push_str(if route.is_empty() { "/" } else { " /" });
        for (index, part) in path.split('/').filter(|part| !part.is_empty()).take(MOST_PARTS).enumerate() {
            if index > 0 {
                route.push('/');
            }
            route.push_str(if is_name(part) { part } else { "<*>" });
        }
    }
}

/// Whether a part of a path is one of the few that the service has, such as `orders` or `v2`, and no single thing's.
fn is_name(part: &str) -> bool {
    let digits = part.bytes().filter(u8::is_ascii_digit).count();
    part.len() <= LONGEST_NAME && (digits == 0 || digits <= 2 && part.len() >= 2 * digits)
}

fn of_json(line: &[u8]) -> Option<Access<'_>> {
    let find = |names: &[&[u8]]| names.iter().find_map(|name| field(line, name));
    let status = status(find(&STATUS)?)?;
    let path = find(&PATH)?;
    Some(Access { method: find(&METHOD).unwrap_or_default(), path, status, request: path })
}

/// The text of a field's value, without quotes.
fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let at = memchr::memmem::find(line, name)? + name.len();
    let value = line.get(at..)?.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
    match value.strip_prefix(b"\"") {
        Some(text) => text.get(..memchr::memchr(b'"', text)?),
        None => value.get(..value.iter().position(|byte| matches!(byte, b',' | b'}' | b' ')).unwrap_or(value.len())),
    }
}

/// Three digits of which the first is 1 to 5, and no more.
fn status(text: &[u8]) -> Option<u16> {
    let [a @ b'1'..=b'5', b @ b'0'..=b'9', c @ b'0'..=b'9', rest @ ..] = text else { return None };
    let [a, b, c] = [a, b, c].map(|digit| u16::from(digit - b'0'));
    (!rest.first().is_some_and(u8::is_ascii_digit)).then_some(a * 100 + b * 10 + c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_off_the_lines_of_servers_and_off_json() {
        for (line, expected) in [
            (
                r#"10.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "GET /api/orders/7?x=1 HTTP/1.1" 503 12 "-" "curl""#,
                Some(("GET /api/orders/<*>", 503)),
            ),
            (r#"10.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/2.0" 200 5000"#, Some(("GET /", 200))),
            (
                r#"{"time":1,"method":"POST","path":"/v2/cart/9f3a21bc77","status":502,"ms":3}"#,
                Some(("POST /v2/cart/<*>", 502)),
            ),
            (r#"{"httpRequest": {"requestUrl": "https://shop.example/pay", "status": "500"}}"#, Some(("/pay", 500))),
            (r#"{"status":"ok","path":"/"}"#, None),
            (r#"{"status":200}"#, None),
            (r#""GET / HTTP/1.1" 5000"#, None),
            ("ERROR GET failed", None),
        ] {
            let read = Access::read(line.as_bytes()).map(|access| (access.route(), access.status));
            assert_eq!(read, expected.map(|(route, status)| (route.to_owned(), status)), "{line}");
        }
    }

    #[test]
    fn parts_of_a_path_are_names_or_values() {
        for (part, is) in [
            ("orders", true),
            ("v2", true),
            ("2", false),
            ("oauth2", true),
            ("a1b2c3d4", false),
            ("x".repeat(25).as_str(), false),
        ] {
            assert_eq!(is_name(part), is, "{part}");
        }
    }
}
