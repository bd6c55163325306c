//! The pages that a person sees who follows a link.

use autodevops_people::{Action, Claim};
use autodevops_pipeline::{Environment, Gate, Run};
use autodevops_policy::redact::Redaction;
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use http_body_util::Full;

use super::routes::Answer;

/// Asks whether to do what the link says; the button does it. It shows no more than the message that the link came with.
pub fn question(claim: &Claim, run: &Run, redaction: &Redaction) -> Answer {
    let (title, button) = words(claim.action, run.gate().map(|gate| gate.gate), Refused::of(run));
    let asked = match (claim.action, run.gate(), run.alarm()) {
        (Action::Ack, _, Some(alarm)) | (_, None, Some(alarm)) => &alarm.reason,
        (_, Some(gate), _) => &gate.reason,
        (_, None, None) => "",
    };
    let body = format!(
        "<p><b>{service}</b>, run <code>{run}</code>: {issue}</p>\n<p>{asked}</p>\n\
         <form method=\"post\">\n<p><label>Why (it is recorded):<br><input name=\"reason\" maxlength=\"500\" size=\"60\"></label></p>\n\
         <p><button>{button}</button></p>\n</form>\n<p>You answer as <b>{by}</b>. This link works once.</p>",
        service = escaped(&run.plan().service),
        run = escaped(run.id()),
        issue = escaped(&redaction.text(&run.issue().title)),
        asked = escaped(&redaction.text(asked)),
        by = escaped(&claim.by),
    );
    page(StatusCode::OK, title, &body)
}

/// What becomes of production where a release is refused.
#[derive(Clone, Copy)]
enum Refused {
    /// Nothing of it is the run's: it was not begun with, or someone deployed past the run.
    Stays,
    /// Its traffic goes back.
    GoesBack,
    /// It goes back to what is broken itself.
    GoesBackToBroken,
}

impl Refused {
    fn of(run: &Run) -> Self {
        match (run.is_moved(Environment::Production), run.stable_broken()) {
            (false, _) => Self::Stays,
            (true, None) => Self::GoesBack,
            (true, Some(_)) => Self::GoesBackToBroken,
        }
    }
}

/// The page's title, and what its button says that it does: to the question that is open, and to production where that refuses a release.
const fn words(action: Action, asked: Option<Gate>, refused: Refused) -> (&'static str, &'static str) {
    match (action, asked) {
        (Action::Approve, Some(Gate::Data)) => (
            "Approve",
            "Approve: the data goes back to what it was before the release; what was written since is lost to the service",
        ),
        (Action::Reject, Some(Gate::Data)) => ("Reject", "Reject: the data stays as it is"),
        (Action::Approve, _) => ("Approve", "Approve: the release goes on"),
        (Action::Reject, _) => (
            "Reject",
            match refused {
                Refused::Stays => "Reject: the run ends, and production serves on what it serves",
                Refused::GoesBack => "Reject: the run ends, and the traffic that it moved goes back",
                Refused::GoesBackToBroken => {
                    "Reject: all traffic goes back to the release before, though that does not serve"
                }
            },
        ),
        (Action::Ack, _) => ("Acknowledge", "I have it in hand"),
    }
}

/// Says what was done.
pub fn done(text: &str) -> Answer {
    page(StatusCode::OK, "Done", &format!("<p>{}</p>", escaped(text)))
}

/// Says why nothing was done.
pub fn refusal(status: StatusCode, text: &str) -> Answer {
    page(status, "Nothing was changed", &format!("<p>{}</p>", escaped(text)))
}

fn page(status: StatusCode, title: &str, body: &str) -> Answer {
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{title}</title>\n\
         <meta name=\"viewport\" content=\"width=device-width\"></head>\n<body>\n<h1>{title}</h1>\n{body}\n</body>\n</html>\n"
    );
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        // The address is the permission: it is kept nowhere and told to nobody.
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; form-action 'self'; frame-ancestors 'none'"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    let mut answer = Answer::new(Full::new(Bytes::from(html)));
    *answer.status_mut() = status;
    for (name, value) in headers {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}

/// Text that stands for itself in HTML, in attributes too.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use autodevops_model::Split;
    use autodevops_pipeline::{Event, EventKind, VERSION};
    use autodevops_record::testing::Story;

    use super::*;

    #[test]
    fn a_button_says_what_it_does_to_the_question_that_is_open() {
        let button = |action, asked, refused| words(action, asked, refused).1;
        let back = Refused::GoesBack;
        assert!(button(Action::Approve, Some(Gate::Production), Refused::Stays).ends_with("the release goes on"));
        assert!(button(Action::Approve, Some(Gate::Data), back).contains("the data goes back"));
        assert!(
            button(Action::Reject, Some(Gate::Data), Refused::GoesBackToBroken).ends_with("the data stays as it is")
        );
        assert!(button(Action::Reject, Some(Gate::Held), back).ends_with("the traffic that it moved goes back"));
        let broken = button(Action::Reject, Some(Gate::Held), Refused::GoesBackToBroken);
        assert!(broken.contains("though that does not serve"), "{broken}");
        assert_eq!(button(Action::Ack, Some(Gate::Data), back), "I have it in hand");
    }

    #[test]
    fn who_refuses_a_release_of_which_production_has_nothing_reads_that_it_serves_on() {
        let events = Story::healed();
        let replayed = |count: usize| Run::replay(&events[..count]).unwrap();
        let asked = (1..events.len()).map(replayed).find(|run| run.gate().is_some()).unwrap();
        let moved = |run: &Run| run.ending().is_none() && run.is_moved(Environment::Production);
        let mut shared = (1..events.len()).map(replayed).find(moved).unwrap();
        let button = |run: &Run| words(Action::Reject, Some(Gate::Held), Refused::of(run)).1;
        assert!(button(&asked).ends_with("production serves on what it serves"));
        assert!(button(&shared).ends_with("the traffic that it moved goes back"));
        // Someone deployed past it.
        let found = vec![Split { release: "by-hand".into(), percent: 100 }];
        let (service, reason) = (String::new(), "someone did".into());
        let event = EventKind::Diverged { service, found, reason, environment: Environment::Production, serves: None };
        shared.apply(&Event { v: VERSION, at: shared.last_event_at(), event });
        assert!(button(&shared).ends_with("production serves on what it serves"));
    }

    #[test]
    fn what_others_wrote_is_text() {
        assert_eq!(escaped("<a href='x'>&\"</a>"), "&lt;a href=&#39;x&#39;&gt;&amp;&quot;&lt;/a&gt;");
    }
}
