//! A server on the loopback interface that misbehaves, in the way that the path says. Each connection has a thread.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

/// Heads of all requests that came.
static HEADS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Whether they are kept.
static REMEMBERS: AtomicBool = AtomicBool::new(true);

/// Keeps no more heads: for runs that take long.
pub fn remember_nothing() {
    REMEMBERS.store(false, Ordering::Relaxed);
}

/// Between two bytes of a server that drips.
const DRIP: Duration = Duration::from_millis(20);

/// Longest that a connection is served.
const LONGEST: Duration = Duration::from_secs(30);

/// Where it listens, for as long as this process runs.
pub fn address() -> SocketAddr {
    static ADDRESS: OnceLock<SocketAddr> = OnceLock::new();
    *ADDRESS.get_or_init(|| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback interface is there");
        let address = listener.local_addr().expect("it listens");
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A guest that goes away ends its connection: no error of the server's.
                thread::spawn(move || drop(serve(&stream)));
            }
        });
        address
    })
}

/// Its address with the scheme, as an origin.
pub fn origin() -> String {
    format!("http://{}", address())
}

/// Heads of requests whose first line holds this.
pub fn asked(part: &str) -> Vec<String> {
    let heads = HEADS.lock().unwrap_or_else(PoisonError::into_inner);
    heads.iter().filter(|head| head.lines().next().is_some_and(|line| line.contains(part))).cloned().collect()
}

fn serve(mut stream: &TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(LONGEST))?;
    stream.set_write_timeout(Some(LONGEST))?;
    stream.set_nodelay(true)?;
    let mut head = String::new();
    let mut reader = BufReader::new(stream);
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Ok(());
        }
    }
    if REMEMBERS.load(Ordering::Relaxed) {
        HEADS.lock().unwrap_or_else(PoisonError::into_inner).push(head.clone());
    }
    let path = head.split(' ').nth(1).unwrap_or_default();
    let (behaviour, argument) =
        path.trim_start_matches('/').split_once('/').unwrap_or((path.trim_start_matches('/'), ""));
    let ok = "HTTP/1.1 200 OK\r\nconnection: close\r\n";
    match behaviour {
        "ok" => write!(stream, "{ok}content-length: 5\r\n\r\nhello"),
        "echo" => write!(stream, "{ok}content-length: {}\r\n\r\n{head}", head.len()),
        "take" => {
            // Reads whatever comes, and answers when it ends.
            let length = header(&head, "content-length").and_then(|text| text.parse().ok());
            match length {
                Some(length) => drop(io::copy(&mut (&mut reader).take(length), &mut io::sink())?),
                None => read_chunks(&mut reader)?,
            }
            write!(stream, "{ok}content-length: 5\r\n\r\ntaken")
        }
        "never" => io::copy(&mut reader, &mut io::sink()).map(drop),
        "drip" => {
            write!(stream, "{ok}content-length: 1000000\r\n\r\n")?;
            drip(stream, b"x")
        }
        "drip-head" => {
            write!(stream, "HTTP/1.1 200 OK\r\n")?;
            drip(stream, b"x: y\r\n")
        }
        "drip-first-line" => drip(stream, b"HTTP/1.1 200 OK OK OK OK"),
        "large" => {
            let length: usize = argument.parse().unwrap_or_default();
            write!(stream, "{ok}content-length: {length}\r\n\r\n")?;
            stream.write_all(&vec![b'x'; length])
        }
        "endless" => {
            write!(stream, "{ok}transfer-encoding: chunked\r\n\r\n")?;
            endless(stream, format!("1000\r\n{}\r\n", "x".repeat(0x1000)).as_bytes())
        }
        "endless-until-closed" => {
            write!(stream, "{ok}\r\n")?;
            endless(stream, &[b'x'; 0x1000])
        }
        "endless-head" => {
            write!(stream, "HTTP/1.1 200 OK\r\n")?;
            endless(stream, format!("x: {}\r\n", "y".repeat(1000)).as_bytes())
        }
        "endless-line" => {
            write!(stream, "HTTP/1.1 200 OK\r\nx: ")?;
            endless(stream, &[b'y'; 0x1000])
        }
        "endless-chunk-line" => {
            write!(stream, "{ok}transfer-encoding: chunked\r\n\r\n1;")?;
            endless(stream, &[b'y'; 0x1000])
        }
        "endless-continue" => endless(stream, "HTTP/1.1 100 Continue\r\n\r\n".repeat(50).as_bytes()),
        "endless-trailers" => {
            write!(stream, "{ok}transfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n")?;
            endless(stream, format!("x: {}\r\n", "y".repeat(1000)).as_bytes())
        }
        "redirect" => {
            let place = argument.replacen(':', "://", 1);
            write!(stream, "HTTP/1.1 302 Found\r\nconnection: close\r\nlocation: {place}\r\ncontent-length: 0\r\n\r\n")
        }
        "cut-early" => write!(stream, "{ok}content-length: 1000\r\n\r\n"),
        "cut" => write!(stream, "{ok}content-length: 1000\r\n\r\nhello"),
        "garbage" => write!(stream, "220 mail.example ESMTP\r\n"),
        "nothing" => Ok(()),
        "two-lengths" => write!(stream, "{ok}content-length: 5\r\ncontent-length: 50\r\n\r\nhello"),
        "bad-chunk" => {
            write!(stream, "{ok}transfer-encoding: chunked\r\n\r\nfffffffffffffffffff\r\nhello\r\n0\r\n\r\n")
        }
        "negative-length" => write!(stream, "{ok}content-length: -5\r\n\r\nhello"),
        "switch" => {
            write!(stream, "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n")?;
            endless(stream, &[b'x'; 0x1000])
        }
        "header-without-end" => write!(stream, "{ok}x: a\r\n b: c\n\r d\r\n\r\nhello"),
        _ => write!(stream, "HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"),
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .find_map(|line| line.split_once(": ").filter(|(found, _)| found.eq_ignore_ascii_case(name)))
        .map(|(_, value)| value)
}

fn read_chunks(reader: &mut BufReader<&TcpStream>) -> io::Result<()> {
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let length = u64::from_str_radix(line.trim(), 16).unwrap_or_default();
        io::copy(&mut reader.take(length + 2), &mut io::sink())?;
        if length == 0 {
            return Ok(());
        }
    }
}

/// One part after the other, slowly, until the other side has enough.
fn drip(mut stream: &TcpStream, parts: &[u8]) -> io::Result<()> {
    for byte in parts.iter().cycle() {
        stream.write_all(&[*byte])?;
        thread::sleep(DRIP);
    }
    Ok(())
}

/// The same without end, until the other side has enough.
fn endless(mut stream: &TcpStream, part: &[u8]) -> io::Result<()> {
    loop {
        stream.write_all(part)?;
    }
}
