//! An event as a letter: its subject is one line, and nothing in it is taken for markup.

use std::fmt::Write as _;

use autodevops_sdk::types::Event;
use telling::severity;

/// Longest subject, in characters: as much as mail programs show, and short of what the host takes.
const SUBJECT: usize = 120;

/// Most characters of an event's text. What is longer is in the run's own record.
const BODY: usize = 50_000;

/// What is written.
pub struct Letter {
    /// One line.
    pub subject: String,
    /// As plain text.
    pub text: String,
    /// As HTML.
    pub html: String,
}

impl Letter {
    /// The letter about an event.
    pub fn of(event: &Event) -> Self {
        let subject = cut(&format!("[{}] {}", severity(event), one_line(&event.title)), SUBJECT);
        let body = cut(&event.body, BODY);
        let context = format!("{}, run {}, in {}", severity(event), one_line(&event.run), one_line(&event.stage));
        let mut text = format!("{}\n\n{body}\n", one_line(&event.title));
        let mut html = format!(
            "<h3>{}</h3>\n<p style=\"white-space: pre-wrap\">{}</p>\n",
            escaped(&one_line(&event.title)),
            escaped(&body)
        );
        if !event.links.is_empty() {
            text.push('\n');
            html.push_str("<ul>\n");
        }
        for (name, url) in &event.links {
            let (name, url) = (one_line(name), one_line(url));
            // Writing to a text does not fail.
            let _ = writeln!(text, "{name}: {url}");
            // Only what is followed by a browser is a link; anything else is shown.
            let _ = if url.starts_with("https://") || url.starts_with("http://") {
                writeln!(html, "<li><a href=\"{}\">{}</a></li>", escaped(&url), escaped(&name))
            } else {
                writeln!(html, "<li>{}: {}</li>", escaped(&name), escaped(&url))
            };
        }
        if !event.links.is_empty() {
            html.push_str("</ul>\n");
        }
        text.push_str(&format!("\n-- \n{context}\n"));
        html.push_str(&format!("<p><small>{}</small></p>\n", escaped(&context)));
        Self { subject, text, html }
    }
}

/// The text in one line.
fn one_line(text: &str) -> String {
    let visible = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    visible.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

fn cut(text: &str, characters: usize) -> String {
    if text.chars().count() <= characters {
        return text.to_owned();
    }
    text.chars().take(characters.saturating_sub(1)).chain(['…']).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use autodevops_sdk::types::Severity;
    use telling::testing::event;

    use super::*;

    #[test]
    fn a_letter_says_what_happened_and_carries_the_links() {
        let letter = Letter::of(&event());
        assert_eq!(letter.subject, "[warning] shop: approval asked: TypeError <b> & \"co\"");
        assert!(letter.text.contains("production requires approval @everyone\nAnswer with"), "{}", letter.text);
        assert!(letter.text.contains("\napprove: https://ops.example.com/answer/a.b\n"), "{}", letter.text);
        assert!(letter.text.ends_with("\n-- \nwarning, run 62e23fd1-1, in approval\n"), "{}", letter.text);
        assert!(
            letter.html.contains("<li><a href=\"https://ops.example.com/answer/c.d\">reject</a></li>"),
            "{}",
            letter.html
        );
    }

    #[test]
    fn nothing_of_an_event_is_markup_or_a_header() {
        let odd = Event {
            title: "a\r\nBcc: eve@evil.example\u{0}<script>".into(),
            body: "<img src=x onerror=alert(1)>".into(),
            links: vec![("x\"".into(), "javascript:alert(1)".into()), ("y".into(), "https://a/\"><b>".into())],
            severity: Severity::Critical,
            ..event()
        };
        let letter = Letter::of(&odd);
        assert_eq!(letter.subject, "[critical] a Bcc: eve@evil.example <script>");
        let html = letter.html;
        assert!(!html.contains("<script>") && !html.contains("<img") && !html.contains("href=\"javascript"), "{html}");
        assert!(html.contains("href=\"https://a/&quot;&gt;&lt;b&gt;\""), "{html}");
    }

    #[test]
    fn the_longest_event_is_cut() {
        let long = Event { title: "é".repeat(5000), body: "x".repeat(200_000), ..event() };
        let letter = Letter::of(&long);
        assert_eq!(letter.subject.chars().count(), SUBJECT);
        assert!(letter.subject.len() <= 512 && letter.text.len() < 70_000 && letter.html.len() < 70_000);
    }
}
