//! What a plain line says about itself before it says anything else: its time, its level and which component wrote it.
//!
//! There is no list of formats: a header is what stands before the message, field by field, wherever it has a time or a level.

mod fields;
mod layout;
mod level;
mod when;

pub use self::{fields::stream, layout::Layouts};
use self::{
    fields::{behind_level, dashed, lettered, piped, program, syslog},
    level::{First, level},
    when::{access_time, is_bare_number, later_time, second_word_is_a_time},
};
use crate::{
    access::Access,
    record::Level,
    time::{self, LogTime},
};

/// Bytes in which a header is looked for.
const HEADER_BYTES: usize = 160;
/// Words of a header that are looked at for a level.
const HEADER_WORDS: usize = 12;

/// A line's header, and where its content starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// When.
    pub time: Option<LogTime>,
    /// Nanoseconds since midnight, where the line tells the time of the day alone.
    pub of_day: Option<i64>,
    /// How bad, where the line says so.
    pub level: Option<Level>,
    /// The program, logger or tag that wrote it; empty where the line does not say.
    pub component: &'a [u8],
    /// Byte offset of the content.
    pub content: usize,
}

/// Reads a plain line's header.
pub fn header(line: &[u8]) -> Header<'_> {
    let header = behind_priority(line);
    Header { level: header.level.or_else(|| priority(line)), ..header }
}

/// The level of syslog's priority, eight times the facility and the level, where that is bad: programs that tell none write all
/// their lines as information.
fn priority(line: &[u8]) -> Option<Level> {
    let digits = line.strip_prefix(b"<")?.split(|byte| *byte == b'>').next().filter(|digits| digits.len() <= 3)?;
    let number: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Level::numbered(number % 8).filter(|level| number < 192 && *level >= Level::Warning)
}

fn behind_priority(line: &[u8]) -> Header<'_> {
    let start = opening(line);
    let text = from(line, start);
    let mut found = time::read(text).map(|(time, len)| (time, start + len));
    if found.is_none() {
        found = second_word_is_a_time(text).map(|(time, end)| (time, start + end));
    }
    let Some((time, after)) = found else {
        if let Some((of_day, length)) = time::of_day(text) {
            let (level, component, content) = behind_word(line, start + length);
            let content = if level.is_some() { content } else { 0 };
            return Header { time: None, of_day: Some(of_day), level, component, content };
        }
        let (time, is_access) = access_time(line).map_or((None, false), |(time, is_access)| (Some(time), is_access));
        let (level, end) = level(line, 0, First::BeforeColon, HEADER_WORDS);
        // The words of an access log's line are its clients', from the name that they give themselves on.
        let level = level.filter(|_| !is_access && Access::of_server(line).is_none());
        let content = if level.is_some() { end + separators(from(line, end)) } else { 0 };
        return Header { time, of_day: None, level, component: b"", content };
    };
    if let Some(header) = glog(line, start, after, time) {
        return header;
    }
    // A number alone that may be a time is one where the rest of a header is.
    let sure = !is_bare_number(from(line, start), after - start);
    let (written, after, again) = match later_time(line, after, time) {
        Some((later, after)) => (later, after, true),
        None => (time, after, false),
    };
    let (level, component, content) = behind_time(line, after, written);
    // The first tells the year where the last does not.
    let time = if written.dated || !time.dated { written } else { time };
    if !sure && !again && level.is_none() && component.is_empty() {
        return Header { time: None, of_day: None, level: None, component: b"", content: 0 };
    }
    Header { time: Some(time), of_day: None, level, component, content }
}

fn from(line: &[u8], at: usize) -> &[u8] {
    line.get(at..).unwrap_or_default()
}

/// Where the time may start: behind a priority, `<34>` or `<165>1 `, blanks and an opening bracket.
fn opening(line: &[u8]) -> usize {
    let mut at = 0;
    if let Some(rest) = line.strip_prefix(b"<") {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if (1..=3).contains(&digits) && rest.get(digits) == Some(&b'>') {
            at = digits + 2;
            if from(line, at).starts_with(b"1 ") {
                at += 2;
            }
        }
    }
    at + from(line, at).iter().take_while(|byte| matches!(byte, b' ' | b'[' | b'(')).count().min(2)
}

/// Whether a line says behind its priority that it is of RFC 5424.
fn is_versioned(line: &[u8]) -> bool {
    memchr::memchr(b'>', line.get(..5.min(line.len())).unwrap_or_default())
        .is_some_and(|end| from(line, end + 1).starts_with(b"1 "))
}

/// `E1123 10:00:00.123456    7 file.cc:12] message`.
fn glog(line: &[u8], start: usize, after: usize, time: LogTime) -> Option<Header<'_>> {
    let text = from(line, start);
    let level = match text.first() {
        Some(b'E') => Level::Error,
        Some(b'W') => Level::Warning,
        Some(b'I') => Level::Info,
        Some(b'F') => Level::Fatal,
        _ => return None,
    };
    time::lettered(text)?;
    let rest = from(line, after);
    let head = rest.get(..HEADER_BYTES.min(rest.len())).unwrap_or_default();
    let place = memchr::memmem::find(head, b"] ").and_then(|end| {
        let mut words = head.get(..end)?.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
        let (thread, place, more) = (words.next()?, words.next()?, words.next());
        let is_place = thread.iter().all(u8::is_ascii_digit) && place.contains(&b':') && more.is_none();
        is_place.then_some((place, end + 2))
    });
    let (component, content) = match place {
        Some((place, end)) => (place.split(|byte| *byte == b':').next().unwrap_or_default(), after + end),
        None => (&b""[..], after + usize::from(rest.first() == Some(&b' '))),
    };
    Some(Header { time: Some(time), of_day: None, level: Some(level), component, content })
}

/// Level, component and content's offset, of what is behind the time.
fn behind_time(line: &[u8], after: usize, time: LogTime) -> (Option<Level>, &[u8], usize) {
    let rest = from(line, after);
    if let Some(mark) = stream(rest) {
        return behind_mark(line, after + mark.length, b"", First::BeforeColon, HEADER_WORDS);
    }
    let of_priority = || line.starts_with(b"<").then(|| syslog(rest, is_versioned(line)))?;
    if let Some((component, len)) = program(line, after, time).or_else(of_priority) {
        let blank = usize::from(from(line, after + len).first() == Some(&b' '));
        return behind_mark(line, after + len + blank, component, First::BeforeColon, 1);
    }
    if let Some((component, len)) = piped(rest) {
        return behind_mark(line, after + len, component, First::BeforeColon, 1);
    }
    if let Some((level, component, len)) = lettered(rest) {
        return (Some(level), component, after + len);
    }
    if let Some((component, len)) = dashed(rest) {
        return (None, component, after + len);
    }
    behind_word(line, after)
}

/// The same, where no field with a form of its own is there.
fn behind_word(line: &[u8], after: usize) -> (Option<Level>, &[u8], usize) {
    let rest = from(line, after);
    let blanks = rest.iter().take_while(|byte| **byte == b' ').count();
    if from(rest, blanks).starts_with(b"{\"") {
        // The level is one of the object's fields.
        return (None, b"", after + blanks);
    }
    let (level, end) = level(line, after, First::Any, HEADER_WORDS);
    if level.is_none() {
        return (None, b"", after + separators(rest));
    }
    let behind = end + separators(from(line, end));
    let (component, len) = behind_level(from(line, behind)).unwrap_or_default();
    (level, component, behind + len)
}

/// Level, component and content's offset, of what is behind the mark of a runtime or the name of a program: the program's own line, as
/// it wrote it.
fn behind_mark<'a>(
    line: &[u8],
    at: usize,
    component: &'a [u8],
    first: First,
    words: usize,
) -> (Option<Level>, &'a [u8], usize) {
    if from(line, at).starts_with(b"{\"") {
        // The level is one of the object's fields.
        return (None, component, at);
    }
    match level(line, at, first, words) {
        (Some(level), end) => (Some(level), component, end + separators(from(line, end))),
        (None, _) => (None, component, at),
    }
}

/// Length of the separators that end a header's field. Two dashes are none: `---> ` and `--- End of` are of a trace.
fn separators(text: &[u8]) -> usize {
    let next = text.iter().skip(1).map(Some).chain([None]);
    let is_one = |byte: &u8, next: Option<&u8>| {
        matches!(byte, b' ' | b']' | b':' | b'|' | b'\t' | b')' | b'!' | b',') || *byte == b'-' && next != Some(&b'-')
    };
    text.iter().zip(next).take_while(|(byte, next)| is_one(byte, *next)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_field_by_field_whatever_wrote_it() {
        use Level::*;
        let mut wrong = Vec::new();
        for (line, level, component, content) in [
            ("2026-11-23T10:00:00Z ERROR request failed", Some(Error), "", "request failed"),
            // log4j and its like
            ("2015-10-18 18:01:47,978 INFO [main] org.a.B: Created", Some(Info), "org.a.B", "Created"),
            ("2015-10-18 18:01:47,978 WARN  [main] c.shop.Cart - empty", Some(Warning), "c.shop.Cart", "empty"),
            ("081109 203615 148 INFO dfs.DataNode: Receiving", Some(Info), "dfs.DataNode", "Receiving"),
            ("17/06/09 20:10:40 INFO storage.BlockManager: Found", Some(Info), "storage.BlockManager", "Found"),
            (
                "2015-07-29 17:41:44,747 - INFO  [Peer[myid=1]/0:0:0:0:0:0:0:0:2181:Election@774] - time out",
                Some(Info),
                "Peer[myid=1]/0:0:0:0:0:0:0:0:2181:Election@774",
                "time out",
            ),
            (
                "2026-11-23T10:00:00.123Z  INFO 12345 --- [nio-8080-exec-1] o.s.w.s.DispatcherServlet   : Completed",
                Some(Info),
                "o.s.w.s.DispatcherServlet",
                "Completed",
            ),
            (
                "2026-11-23 10:00:00 ERROR java.lang.OutOfMemoryError: heap",
                Some(Error),
                "",
                "java.lang.OutOfMemoryError: heap",
            ),
            // Python
            ("2026-11-23 10:00:00,123 - shop.cart - ERROR - cannot pay", Some(Error), "", "cannot pay"),
            (
                "2017-05-16 00:00:00.008 25746 INFO nova.compute.manager [req-38101a0b - - -] [instance: b9] VM Started",
                Some(Info),
                "nova.compute.manager",
                "[instance: b9] VM Started",
            ),
            // Rust
            ("[2026-11-23T10:00:00Z INFO  shop::cart] paid", Some(Info), "shop::cart", "paid"),
            ("2026-11-23T10:00:00.123456Z  INFO shop::cart: paid", Some(Info), "shop::cart", "paid"),
            // glog, klog
            ("E1123 10:00:00.123456 7 a.cc:1] bad", Some(Error), "a.cc", "bad"),
            ("I1123 10:00:00.123456   12 server.go:123] bound", Some(Info), "server.go", "bound"),
            ("E20261123 10:00:00.123456 7 a.cc:1] bad", Some(Error), "a.cc", "bad"),
            // a time of the day alone
            ("10:00:00.123 [main] ERROR c.shop.Cart - empty", Some(Error), "c.shop.Cart", "empty"),
            ("10:00:00 started", None, "", "10:00:00 started"),
            // PHP
            ("[23-Nov-2026 10:00:00 UTC] PHP Fatal error:  Uncaught x", Some(Fatal), "", "Uncaught x"),
            ("[23-Nov-2026 10:00:00 Europe/Berlin] PHP Warning:  no cart", Some(Warning), "", "no cart"),
            // .NET, Serilog, zerolog
            ("fail: Shop.Cart[0]", Some(Error), "", "Shop.Cart[0]"),
            ("dbug: Shop.Cart[0]", Some(Debug), "", "Shop.Cart[0]"),
            ("2026-11-23 10:00:00.123 +00:00 [ERR] no cart", Some(Error), "", "no cart"),
            ("[10:00:00 WRN] no cart", Some(Warning), "", "no cart"),
            ("10:00:00 FTL no cart", Some(Fatal), "", "no cart"),
            ("2026-11-23T10:00:00.000Z\tDPANIC\tshop/cart.go:7\tno cart", Some(Error), "", "shop/cart.go:7\tno cart"),
            ("the tests fail: all of them", None, "", "the tests fail: all of them"),
            // syslog, RFC 3164 and 5424
            ("Jun 14 15:16:01 combo sshd(pam_unix)[19939]: check pass", None, "sshd(pam_unix)", "check pass"),
            ("<34>Oct 11 22:14:15 mymachine su: 'su root' failed", Some(Fatal), "su", "'su root' failed"),
            ("<14>Oct 11 22:14:15 mymachine su: 'su root' failed", None, "su", "'su root' failed"),
            ("<28>Oct 11 22:14:15 mymachine su: ERROR no root", Some(Error), "su", "no root"),
            (
                "<35>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - 'su root' failed",
                Some(Error),
                "su",
                "'su root' failed",
            ),
            (
                "<165>1 2003-10-11T22:14:15.003Z host evntslog 12 ID47 [a@32473 iut=\"3\"] An event",
                None,
                "evntslog",
                "An event",
            ),
            (
                r#"<165>1 2003-10-11T22:14:15.003Z host evntslog - ID47 [a@32473 iut="3" b="\]\"]"][b@32473 class="high"] An event"#,
                None,
                "evntslog",
                "An event",
            ),
            ("<14>1 2003-10-11T22:14:15.003Z host app i-0a1b ID47 [a@1 b=\"3\"]", None, "app", ""),
            ("2026-11-23T10:00:00.123456+00:00 web1 kernel: Out of memory", None, "kernel", "Out of memory"),
            ("2026-11-23T10:00:00.123456+0100 web1 shop: ERROR no cart", Some(Error), "shop", "no cart"),
            ("2026-11-23T10:00:00.123456+00:00 Request failed: x", None, "", "Request failed: x"),
            ("2026-11-23T10:00:00.123456+00:00 error shop: x", Some(Error), "", "shop: x"),
            ("2026-11-23T10:00:00.123+00:00 request failed: x", None, "", "request failed: x"),
            ("Jul  1 00:21:28 combo logrotate: ALERT exited", Some(Fatal), "logrotate", "exited"),
            ("2026-11-23T10:00:00.1Z web1 shop[7]:     at f (a.js:1:2)", None, "shop", "    at f (a.js:1:2)"),
            (
                "- 1131566461 2005.11.09 dn228 Nov 9 12:01:01 dn228/dn228 crond(pam_unix)[2915]: session closed",
                None,
                "crond(pam_unix)",
                "session closed",
            ),
            // Kubernetes
            ("2026-11-23T10:00:00.1Z stderr F ERROR disk is full", Some(Error), "", "disk is full"),
            ("2026-11-23T10:00:00.1Z stdout F plain words", None, "", "plain words"),
            // Apache and nginx
            ("[Sun Dec 04 04:47:44 2005] [error] mod_jk child", Some(Error), "", "mod_jk child"),
            ("2026/11/23 10:00:00 [error] 123#0: *4 open() failed", Some(Error), "", "123#0: *4 open() failed"),
            // others
            ("03-17 16:13:38.811  1702  2395 D WindowManager: visible", Some(Debug), "WindowManager", "visible"),
            ("20171223-22:15:29:606|Step_LSC|30002312|onStand 3579", None, "Step_LSC", "onStand 3579"),
            ("11-23 10:00:00.123 D/WindowManager( 1702): visible", Some(Debug), "WindowManager", "visible"),
            ("2026-11-23 10:00:00.123 E/My Tag(17): gone", Some(Error), "My Tag", "gone"),
            ("11-23 10:00:00.123 W/Shop: slow", Some(Warning), "Shop", "slow"),
            ("2026-11-23 10:00:00 A deadlock: retrying", None, "", "A deadlock: retrying"),
            ("2026-11-23 10:00:00 C drive: full", None, "", "C drive: full"),
            ("2026-11-23 10:00:00 7 D drive: full", None, "", "7 D drive: full"),
            ("2026-11-23 10:00:00 I/O: slow", None, "", "I/O: slow"),
            ("2026-11-23 10:00:00 A/B test: over", None, "", "A/B test: over"),
            ("2026-11-23 10:00:00 | worker-1 | 17 | started", None, "worker-1", "started"),
            (
                "2026-11-23 10:00:00.123 | ERROR    | shop.cart:pay:12 - no cart",
                Some(Error),
                "shop.cart:pay:12",
                "no cart",
            ),
            ("2026-11-23 10:00:00 | main | [error] no cart", Some(Error), "main", "no cart"),
            ("2026-11-23 10:00:00 nginx.exe [12] - started", None, "nginx.exe", "started"),
            ("2026-11-23 10:00:00 app.yaml missing - using defaults", None, "", "app.yaml missing - using defaults"),
            ("2026-11-23 10:00:00 ERROR app.cart [payment] failed", Some(Error), "", "app.cart [payment] failed"),
            ("2026-11-23 10:00:00 ERROR app.cart [-] failed", Some(Error), "app.cart", "failed"),
            (
                "[10.30 16:49:06] chrome.exe *64 - info.example.com:80 open",
                None,
                "chrome.exe",
                "info.example.com:80 open",
            ),
            (
                "- 1117838570 2005.06.03 R02-M1 2005-06-03-15.42.50.363779 R02-M1 RAS KERNEL INFO parity error",
                Some(Info),
                "",
                "parity error",
            ),
            ("level=warn msg=\"slow\"", Some(Warning), "", "msg=\"slow\""),
            ("npm ERR! code ELIFECYCLE", Some(Error), "", "code ELIFECYCLE"),
            ("error: cannot connect", Some(Error), "", "cannot connect"),
            ("2026/11/23 10:00:00 [alert] 7#7: socket() failed", Some(Fatal), "", "7#7: socket() failed"),
            (r#"svc {"level": "error"} full"#, Some(Error), "", "\"} full"),
            // a time within the message
            (
                "2026-11-23T10:00:00Z ERROR Backup 20261129-230000 failed",
                Some(Error),
                "",
                "Backup 20261129-230000 failed",
            ),
            (
                "2026-11-23T10:00:00Z [error] Scheduled 2026-11-23T09:00:00Z run failed",
                Some(Error),
                "",
                "Scheduled 2026-11-23T09:00:00Z run failed",
            ),
            ("2026-11-23T10:00:00Z Backup 20261123-100000 failed", None, "", "Backup 20261123-100000 failed"),
            ("2026-11-23T10:00:00Z job-7 20261129-230000 failed", None, "", "job-7 20261129-230000 failed"),
            // and one that is the header's
            ("2026-11-23T10:00:00.1Z 2026-11-23 11:00:00,123 ERROR no cart", Some(Error), "", "no cart"),
            ("2026-11-23T10:00:00Z relay-1 Nov 23 10:00:01 web1 shop[7]: no cart", None, "shop", "no cart"),
            // what looks like a part of a header and is none
            ("2026-11-23 10:00:00 Error: no such file", None, "", "Error: no such file"),
            ("2026-11-23 10:00:00 request failed: x", None, "", "request failed: x"),
            ("2026-11-23 10:00:00 request failed with ERROR 5", None, "", "request failed with ERROR 5"),
            ("2026-11-23 10:00:00 INFO order: failed", Some(Info), "", "order: failed"),
            ("2026-11-23 10:00:00 Disk check: NO ERROR", None, "", "Disk check: NO ERROR"),
            ("2026-11-23 10:00:00 error=0 warn=3", None, "", "error=0 warn=3"),
            ("2026-11-23T10:00:00Z GET /x?level=error 200", None, "", "GET /x?level=error 200"),
            ("2026-11-23T10:00:00Z POST /x?q=1&level=FATAL 200", None, "", "POST /x?q=1&level=FATAL 200"),
            ("2026-11-23T10:00:00Z GET /ERROR 200 FATAL", None, "", "GET /ERROR 200 FATAL"),
            ("2026-11-23T10:00:00Z for x?q=+ERROR+&level=error", None, "", "for x?q=+ERROR+&level=error"),
            ("2026-11-23 10:00:00 app.ERROR.log opened", None, "", "app.ERROR.log opened"),
            ("1365301360 alignment exceptions", None, "", "1365301360 alignment exceptions"),
            ("total= 1514018661124##0##3428", None, "", "total= 1514018661124##0##3428"),
            ("just words about an ERROR here", None, "", "just words about an ERROR here"),
        ] {
            let header = header(line.as_bytes());
            let read = (header.level, str::from_utf8(header.component).unwrap(), &line[header.content..]);
            if read != (level, component, content) {
                wrong.push(format!("{line}: {read:?}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn what_a_client_sends_is_no_level() {
        for (client, address, agent) in [
            ("- -", "/api/orders/7", "curl"),
            ("- -", "/?x=fatal", "curl"),
            ("- -", "/logs?level=error", "curl"),
            ("- -", "/logs?level=info&q=+ERROR+", "curl"),
            ("- -", "/ERROR", "FATAL [error] level=error"),
            ("- ERROR", "/", "curl"),
            ("- [fatal]", "/", "curl"),
        ] {
            let line = format!(
                r#"10.0.0.1 {client} [10/Oct/2000:13:55:36 -0700] "GET {address} HTTP/1.1" 503 12 "-" "{agent}""#
            );
            let header = header(line.as_bytes());
            assert_eq!((header.level, header.content), (None, 0), "{line}");
            assert!(header.time.unwrap().dated, "{line}");
        }
        let garbage = br#"10.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "FATAL x" 400 12"#;
        assert_eq!(header(garbage).level, None);
        assert_eq!(header(b"ERROR [2026-11-23 10:00:00] no cart").level, Some(Level::Error));
    }
}
