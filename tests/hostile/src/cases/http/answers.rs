//! Answers that are none.

use crate::case::{Case, Ending};

use super::{asking, granted, hello, intruder};

/// All of them.
pub fn cases() -> Vec<Case> {
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
