//! Requests, put together by hand: no library looks at a header, a method or an address before the host does.

use crate::{
    Answer, Parts,
    bindings::wasi::{
        http::{
            outgoing_handler::handle,
            types::{
                Fields, FutureIncomingResponse, IncomingResponse, Method, OutgoingBody, OutgoingRequest,
                RequestOptions, Scheme,
            },
        },
        io::streams::StreamError,
    },
    no,
};

/// Longest time that can be asked for, in nanoseconds: an hour.
const AN_HOUR: u64 = 3_600_000_000_000;

/// Most bytes of a body that are said; of longer ones, how many there are.
const SAID: usize = 2000;

/// Does it, where it is known.
pub fn act(act: &str, parts: &Parts<'_>) -> Option<Answer> {
    Some(match act {
        "ask" => ask(parts),
        "ask-patiently" => patiently(parts),
        "follow" => follow(parts),
        "post" => post(parts, None),
        "lie" => post(parts, Some(parts.text(3))),
        "many" => (0..parts.number(0))
            .try_for_each(|_| get(parts.text(1), parts.text(2)).map(drop))
            .map(|()| "all answered".to_owned()),
        "at-once" => at_once(parts),
        "many-headers" => many_headers(parts),
        "many-requests" => {
            let made: Vec<_> = (0..parts.number(0)).map(|_| OutgoingRequest::new(Fields::new())).collect();
            Ok(format!("{} made", made.len()))
        }
        _ => return None,
    })
}

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "POST" => Method::Post,
        "CONNECT" => Method::Connect,
        "TRACE" => Method::Trace,
        other => Method::Other(other.to_owned()),
    }
}

fn scheme(name: &str) -> Scheme {
    match name {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.to_owned()),
    }
}

/// `METHOD|SCHEME|AUTHORITY|PATH`, then names and values of headers.
fn ask(parts: &Parts<'_>) -> Answer {
    let headers = Fields::new();
    for pair in parts.0.get(4..).unwrap_or_default().chunks(2) {
        let [name, value] = pair else { continue };
        headers.append(name, value.as_bytes()).map_err(|error| format!("no header: {error:?}"))?;
    }
    let request = OutgoingRequest::new(headers);
    request.set_method(&method(parts.text(0))).map_err(|()| "no method")?;
    request.set_scheme(Some(&scheme(parts.text(1)))).map_err(|()| "no scheme")?;
    request.set_authority(Some(parts.text(2))).map_err(|()| "no authority")?;
    request.set_path_with_query(Some(parts.text(3))).map_err(|()| "no path")?;
    answer(handle(request, None).map_err(no)?)
}

fn request(authority: &str, path: &str, headers: Fields) -> Result<OutgoingRequest, String> {
    let request = OutgoingRequest::new(headers);
    request.set_scheme(Some(&Scheme::Http)).map_err(|()| "no scheme")?;
    request.set_authority(Some(authority)).map_err(|()| "no authority")?;
    request.set_path_with_query(Some(path)).map_err(|()| "no path")?;
    Ok(request)
}

fn get(authority: &str, path: &str) -> Answer {
    answer(handle(request(authority, path, Fields::new())?, None).map_err(no)?)
}

/// Asks for an hour for everything: `AUTHORITY|PATH`.
fn patiently(parts: &Parts<'_>) -> Answer {
    let options = RequestOptions::new();
    for set in [
        RequestOptions::set_connect_timeout,
        RequestOptions::set_first_byte_timeout,
        RequestOptions::set_between_bytes_timeout,
    ] {
        set(&options, Some(AN_HOUR)).map_err(|()| "no such time")?;
    }
    let request = request(parts.text(0), parts.text(1), Fields::new())?;
    answer(handle(request, Some(options)).map_err(no)?)
}

fn response(future: &FutureIncomingResponse) -> Result<IncomingResponse, String> {
    future.subscribe().block();
    match future.get() {
        Some(Ok(Ok(response))) => Ok(response),
        Some(Ok(Err(error))) => Err(no(error)),
        Some(Err(())) | None => Err("no answer".to_owned()),
    }
}

/// Status and body.
fn answer(future: FutureIncomingResponse) -> Answer {
    let response = response(&future)?;
    let status = response.status();
    let body = response.consume().map_err(|()| "no body")?;
    let stream = body.stream().map_err(|()| "no body")?;
    let (mut kept, mut length) = (Vec::new(), 0);
    loop {
        match stream.blocking_read(64 << 10) {
            Ok(bytes) => {
                length += bytes.len();
                if kept.len() < SAID {
                    kept.extend_from_slice(&bytes);
                }
            }
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(error)) => return Err(format!("no: {}", error.to_debug_string())),
        }
    }
    Ok(match length {
        0..SAID => format!("{status} {}", String::from_utf8_lossy(&kept)),
        _ => format!("{status} with {length} bytes"),
    })
}

/// Goes where it is redirected to, by itself: `AUTHORITY|PATH`.
fn follow(parts: &Parts<'_>) -> Answer {
    let future = handle(request(parts.text(0), parts.text(1), Fields::new())?, None).map_err(no)?;
    let redirect = response(&future)?;
    let location = redirect.headers().get("location").pop().ok_or("no location")?;
    let location = String::from_utf8_lossy(&location).into_owned();
    let rest = location.strip_prefix("http://").ok_or("no http")?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    get(authority, &format!("/{path}"))
}

/// A body: `AUTHORITY|PATH|BYTES`, and how long it is said to be.
fn post(parts: &Parts<'_>, declared: Option<&str>) -> Answer {
    let headers = Fields::new();
    if let Some(length) = declared {
        headers.append("content-length", length.as_bytes()).map_err(|error| format!("no header: {error:?}"))?;
    }
    let request = request(parts.text(0), parts.text(1), headers)?;
    request.set_method(&Method::Post).map_err(|()| "no method")?;
    let body = request.body().map_err(|()| "no body")?;
    let future = handle(request, None).map_err(no)?;
    {
        let stream = body.write().map_err(|()| "no body")?;
        let mut left = usize::try_from(parts.number(2)).unwrap_or_default();
        while left > 0 {
            let part = left.min(4096);
            if let Err(error) = stream.blocking_write_and_flush(&vec![b'x'; part]) {
                let what = format!("no: {error:?}");
                return Err(response(&future).map_or(what.clone(), |early| format!("{what}, then {}", early.status())));
            }
            left -= part;
        }
    }
    if let Err(error) = OutgoingBody::finish(body, None) {
        return Err(no(error));
    }
    answer(future)
}

/// So many requests under way together: `NUMBER|AUTHORITY|PATH`.
fn at_once(parts: &Parts<'_>) -> Answer {
    let mut under_way = Vec::new();
    for _ in 0..parts.number(0) {
        under_way.push(handle(request(parts.text(1), parts.text(2), Fields::new())?, None).map_err(no)?);
    }
    for future in under_way {
        answer(future)?;
    }
    Ok("all answered".to_owned())
}

/// So many headers of a thousand bytes: `NUMBER|AUTHORITY|PATH`.
fn many_headers(parts: &Parts<'_>) -> Answer {
    let headers = Fields::new();
    for index in 0..parts.number(0) {
        headers.append(&format!("x-{index}"), &[b'v'; 1000]).map_err(|error| format!("no header: {error:?}"))?;
    }
    answer(handle(request(parts.text(1), parts.text(2), headers)?, None).map_err(no)?)
}
