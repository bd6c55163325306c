//! What an HTTP answer means for what was to be told.

use autodevops_sdk::{Error, Result, http::Response};

/// Most bytes of an answer that are read: what it says is shown in an error, no more.
pub const MAX_ANSWER_BYTES: usize = 64 << 10;

/// Most characters of an answer that an error shows.
const SHOWN: usize = 200;

/// Whether `who` (such as "the webhook") took the message. One that is away or asks for patience is an answer of `unavailable`, with
/// `retry-after` where it said so; the others name the keys of the plugin's configuration to look at: that of the address, and that of
/// the shape. The address itself may be a secret, and stays out of errors.
///
/// # Errors
/// What became of it instead.
pub fn taken(who: &str, address: &str, shape: &str, answer: &Response) -> Result<()> {
    let said: String = String::from_utf8_lossy(&answer.body).chars().take(SHOWN).collect();
    let words = format!("{who} answered with status {}: {said}", answer.status);
    match answer.status {
        200..=299 => Ok(()),
        408 | 425 | 429 | 500..=599 => {
            let error = Error::no_answer(words).with("status", answer.status);
            let patience = answer.header("retry-after").and_then(|seconds| seconds.trim().parse::<f64>().ok());
            Err(match patience.filter(|seconds| seconds.is_finite() && *seconds >= 0.0) {
                Some(seconds) => error.with("retry-after", seconds.ceil() as u64),
                None => error,
            })
        }
        401 | 403 | 404 | 410 => {
            Err(Error::wrong_input(format!("{words}; look at `{address}`, which may be out of date")))
        }
        _ => Err(Error::wrong_input(format!("{words}; look at `{shape}`, which {who} may not take"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, retry_after: Option<&str>) -> Response {
        let headers = retry_after.map(|value| ("retry-after".to_owned(), value.as_bytes().to_vec()));
        Response { status, headers: headers.into_iter().collect(), body: "no".repeat(500).into_bytes() }
    }

    fn taken(answer: &Response) -> Result<()> {
        super::taken("the webhook", "url", "shape", answer)
    }

    #[test]
    fn a_webhook_that_is_away_or_asks_for_patience_is_asked_again_and_another_is_not() {
        for status in [200, 204] {
            assert_eq!(taken(&answer(status, None)), Ok(()));
        }
        for (status, header, expected) in [
            (429, Some("2.5"), Some("3")),
            (503, Some("7"), Some("7")),
            (500, None, None),
            (429, Some("soon"), None),
            (429, Some("-1"), None),
        ] {
            let Err(Error::Unavailable(info)) = taken(&answer(status, header)) else { panic!("{status}") };
            let patience = info.details.iter().find(|(name, _)| name == "retry-after").map(|(_, value)| value.as_str());
            assert_eq!(patience, expected);
        }
        for (status, word) in [(404, "`url`"), (400, "`shape`")] {
            let Err(Error::InvalidInput(info)) = taken(&answer(status, None)) else { panic!("{status}") };
            assert!(info.message.contains(word) && info.message.len() < 400, "{}", info.message);
        }
    }
}
