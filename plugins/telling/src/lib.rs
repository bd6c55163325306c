//! What plugins that tell people have in common: what was told, what matters enough, templates, what an HTTP answer means.

mod answer;
mod least;
mod template;
mod told;

pub use answer::{MAX_ANSWER_BYTES, taken};
pub use least::{Least, asks, severity};
pub use template::template;
pub use told::Told;

/// An event for tests.
pub mod testing {
    use autodevops_sdk::types::{Event, Severity};

    /// Somebody is asked, and may answer by links.
    pub fn event() -> Event {
        Event {
            run: "62e23fd1-1".into(),
            stage: "approval".into(),
            severity: Severity::Warning,
            title: "shop: approval asked: TypeError <b> & \"co\"".into(),
            body: "production requires approval @everyone\nAnswer with `autodevops approve 62e23fd1-1`.".into(),
            links: vec![
                ("staging".into(), "http://127.0.0.1:8081/".into()),
                ("approve".into(), "https://ops.example.com/answer/a.b".into()),
                ("reject".into(), "https://ops.example.com/answer/c.d".into()),
            ],
            at: 1_700_000_000_000_000_000,
        }
    }
}
