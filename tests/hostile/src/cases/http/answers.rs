//! Answers that are none.

use crate::case::{Case, Ending};

use super::{asking, granted, hello, intruder};

/// All of them.
pub fn cases() -> Vec<Case> {
    [
        ("an answer that is cut", "cut", "no: connection terminated"),
        ("an answer of another protocol", "garbage", "HttpProtocolError"),
        ("no answer", "nothing", "HttpResponseIncomplete"),
        ("an answer of two lengths", "two-lengths", "HttpProtocolError"),
        ("an answer of a negative length", "negative-length", "HttpProtocolError"),
        ("a chunk beyond all numbers", "bad-chunk", "no: connection terminated"),
        ("a switch to another protocol", "switch", "HttpUpgradeFailed"),
        ("a head that is none", "header-without-end", "HttpProtocolError"),
        ("an endless head of an answer", "endless-head", "HttpResponseHeaderSectionSize"),
        ("an endless line in the head of an answer", "endless-line", "HttpResponseHeaderSectionSize"),
        ("an endless line before a chunk", "endless-chunk-line", "no: connection terminated"),
        ("an endless list of trailers", "endless-trailers", "no: connection terminated"),
    ]
    .into_iter()
    .map(|(name, path, error)| {
        intruder(name, "http/answers", "ask", &format!("GET|http|HERE|/{path}"), Ending::Refuses(error))
            .given(granted)
            .raised(asking("GET|http|HERE|/ok"), hello())
    })
    .collect()
}
