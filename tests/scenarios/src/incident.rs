//! What goes wrong.

use crate::random::Random;

/// One way to go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incident {
    /// Nothing.
    None,
    /// An error comes that was never there.
    NewPattern,
    /// An error becomes frequent.
    ErrorBurst,
    /// An ordinary line comes more often, or less.
    RateChange,
    /// What is timed takes longer.
    Latency,
    /// A line that came at even times stops.
    Vanished,
    /// An error that the service does not survive.
    Critical,
    /// A value goes to its limit.
    Prediction,
}

impl Incident {
    /// One by chance.
    pub fn any(random: &mut Random) -> Self {
        use Incident::{Critical, ErrorBurst, Latency, NewPattern, None, Prediction, RateChange, Vanished};
        *random.one_of(&[
            None, None, NewPattern, ErrorBurst, RateChange, RateChange, Latency, Vanished, Critical, Prediction,
        ])
    }
}

/// A rate that falls to so much of what it was has all but stopped.
const NEXT_TO_NOTHING: f64 = 0.2;

/// What is wrong with a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Truth {
    /// What went wrong, by name.
    pub what: &'static str,
    /// What kinds of issue say so, the best first.
    pub kinds: Vec<&'static str>,
    /// Texts of which one is in its lines, and in no others.
    pub marks: Vec<String>,
    /// What comes of it: a kind of issue, and a text that is in its lines. Issues about that are right, too.
    pub also: Vec<(&'static str, String)>,
    /// The text that is in the lines of the cause, where several sources tell of one thing, and time tells which was first.
    pub cause: Option<String>,
    /// Whether it is one issue: a second that tells of the same is wrong.
    pub is_one: bool,
}

impl Truth {
    /// Whether an issue of this kind with this text tells of it.
    pub fn is_told(&self, kind: &str, text: &str) -> bool {
        self.kinds.contains(&kind) && self.marks.iter().any(|mark| text.contains(mark.as_str()))
            || self.also.iter().any(|(known, mark)| *known == kind && text.contains(mark.as_str()))
    }

    /// What an incident makes true; nothing where there is none.
    ///
    /// `factor` is the rate while it lasts, of the one before.
    pub fn new(incident: Incident, factor: f64, mark: String) -> Option<Self> {
        let kinds = match incident {
            Incident::None => return None,
            Incident::NewPattern => vec!["new-pattern"],
            Incident::ErrorBurst => vec!["error-burst", "new-pattern"],
            // What falls to next to nothing has as well stopped; what rises has not.
            Incident::RateChange if factor <= NEXT_TO_NOTHING => vec!["rate-change", "vanished-heartbeat"],
            Incident::RateChange => vec!["rate-change"],
            Incident::Latency => vec!["latency-regression"],
            Incident::Vanished => vec!["vanished-heartbeat"],
            Incident::Critical => vec!["critical-error"],
            Incident::Prediction => vec!["prediction"],
        };
        Some(Self { what: kinds[0], kinds, marks: vec![mark], also: Vec::new(), cause: None, is_one: false })
    }
}
