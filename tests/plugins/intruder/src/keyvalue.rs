//! Keys and values, without end.

use crate::{Answer, Parts, bindings::wasi::keyvalue::store, no};

/// Does it, where it is known.
pub fn act(act: &str, parts: &Parts<'_>) -> Option<Answer> {
    let bucket = match store::open(parts.text(0)) {
        Ok(bucket) => bucket,
        Err(error) => return Some(Err(no(error))),
    };
    let size = |index: usize| usize::try_from(parts.number(index)).unwrap_or_default();
    Some(match act {
        "get" => bucket.get(parts.text(1)).map_err(no).map(|value| match value {
            Some(value) => String::from_utf8_lossy(&value).into_owned(),
            None => "nothing".to_owned(),
        }),
        "set" => bucket.set(parts.text(1), &vec![b'x'; size(2)]).map_err(no).map(|()| "set".to_owned()),
        "list" => bucket.list_keys(None).map_err(no).map(|answer| answer.keys.join(" ")),
        "many-keys" => every(size(1), |index| bucket.set(&format!("k{index}"), b"v")),
        "one-key-often" => every(size(1), |_| bucket.set("k", &[b'x'; 1000])),
        "many-deletes" => every(size(1), |index| bucket.delete(&format!("k{index}"))),
        "long-key" => bucket.set(&"k".repeat(size(1)), b"v").map_err(no).map(|()| "set".to_owned()),
        "many-reads" => every(size(1), |_| bucket.get("k").map(drop)),
        "many-buckets" => {
            let mut open_ones = Vec::new();
            for index in 0..size(1) {
                match store::open(&format!("b{index}")) {
                    Ok(bucket) => open_ones.push(bucket),
                    Err(error) => return Some(Err(no(error))),
                }
            }
            Ok(format!("{} open", open_ones.len()))
        }
        _ => return None,
    })
}

fn every(times: usize, act: impl Fn(usize) -> Result<(), store::Error>) -> Answer {
    for index in 0..times {
        act(index).map_err(no)?;
    }
    Ok("all done".to_owned())
}
