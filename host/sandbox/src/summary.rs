//! Operations in words, as they are kept on record: one line each, without what may be secret.

use autodevops_policy::{Operation, text::escape};

use crate::{http::Scrubber, report::MAX_SUMMARY_BYTES};

/// What an operation was about, in one line that holds no secret.
pub fn summary(operation: &Operation, scrubber: &Scrubber) -> String {
    let text = match operation {
        Operation::Clock | Operation::Random | Operation::Environment | Operation::Preopens => return String::new(),
        Operation::Config | Operation::Log | Operation::Usage | Operation::Exit => return String::new(),
        // The host's own words, in which there is nothing to hide.
        Operation::Socket(kind) | Operation::Stdio(kind) => return (*kind).to_owned(),
        Operation::Use { interface, function } => return [*interface, *function].join(" "),
        Operation::Open { path, write: false } => path.clone(),
        Operation::Open { path, write: true } => format!("{path} (write)"),
        Operation::LocalTarget { function, target } => format!("{function} {target}").trim_end().to_owned(),
        Operation::Command { name, with } => format!("{name} {with}").trim_end().to_owned(),
        Operation::Http { method, url } => format!("{method} {}", without_secrets(url)),
        Operation::KeyValue(name) | Operation::Mail(name) => name.clone(),
    };
    // Before it is cut: half a secret would be found by nobody.
    let mut text = escape(&scrubber.scrub(&text)).replace(['\n', '\t'], " ");
    if text.len() > MAX_SUMMARY_BYTES {
        // Where a path ends is what it is about.
        let start = text.floor_char_boundary(MAX_SUMMARY_BYTES / 2);
        let end = text.ceil_char_boundary(text.len() + start + '…'.len_utf8() - MAX_SUMMARY_BYTES);
        text.replace_range(start..end, "…");
    }
    text
}

/// A URL without the parts that may carry a secret: user, password, query and fragment.
fn without_secrets(url: &str) -> String {
    let Ok(mut url) = url::Url::parse(url) else { return "(no URL)".to_owned() };
    url.set_query(None);
    url.set_fragment(None);
    // Fails only for URLs that can have none.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::Secret;

    fn plain(operation: &Operation) -> String {
        summary(operation, &Scrubber::default())
    }

    #[test]
    fn a_summary_holds_no_secret_and_stays_one_line() {
        let url = "https://me:pass@example.com/a?token=1#f".to_owned();
        assert_eq!(plain(&Operation::Http { method: "GET".into(), url }), "GET https://example.com/a");
        assert_eq!(plain(&Operation::Open { path: "a\nb\x1b".into(), write: true }), "a b\\u{1b} (write)");
        let long = plain(&Operation::Open { path: format!("{}/end", "ä".repeat(500)), write: true });
        assert!(long.len() <= MAX_SUMMARY_BYTES && long.len() > MAX_SUMMARY_BYTES - 4, "{}", long.len());
        assert!(long.starts_with("ää") && long.contains('…') && long.ends_with("ä/end (write)"), "{long}");
    }

    #[test]
    fn a_secret_is_masked_before_a_long_summary_is_cut() {
        let scrubber = Scrubber::default();
        scrubber.add(&Secret::new("s3cr3t-t0ken".into()), "");
        for before in 0..2 * MAX_SUMMARY_BYTES {
            let path = format!("{}s3cr3t-t0ken{}", "x".repeat(before), "y".repeat(2 * MAX_SUMMARY_BYTES - before));
            let shown = summary(&Operation::Open { path, write: false }, &scrubber);
            assert!(!shown.contains("s3") && !shown.contains("0ken"), "{before}: {shown}");
        }
    }
}
