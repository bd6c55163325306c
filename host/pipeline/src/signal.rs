//! Signals: single complaints and critical errors, each on record, and what so many of them lead to.

use std::time::Duration;

use autodevops_model::{Outcome as CheckOutcome, Window};
use serde::{Deserialize, Serialize};

use crate::{
    CountTrigger, Counted, Environment, EventKind, Method, Run, Timestamp, Verdict,
    decide::{Draft, Refused},
};

/// So many signals of one kind count at a time, unless a trigger counts further: whoever complains without end fills no journal.
const MOST: usize = 1000;

/// One who complains again is taken in anew once this part of the shortest window has passed: then it counts for longer.
const ANEW_AFTER: u32 = 10;

/// Something that speaks against what serves production. The host took it in itself: of people, or of the logs that it reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Signal {
    /// What it is.
    pub counted: Counted,
    /// What tells it from others of its kind: it counts once, however often it is told.
    pub id: String,
    /// Whose it is, where that is known: so that one person who complains three times is not three who complain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The service that it is about, by its name, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The release that it is about, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// When it was taken in.
    pub at: Timestamp,
    /// What it says.
    pub text: String,
}

impl Run {
    /// Signals since the candidate has production's traffic that may count still, oldest first: of each person the newest.
    pub fn signals(&self) -> &[Signal] {
        &self.signals
    }

    /// A signal is on record. It takes the place of an older one of the same person, and what is too old to count goes.
    pub(crate) fn signalled(&mut self, at: Timestamp, signal: &Signal) {
        let is_news =
            |before: &Signal| before.counted != signal.counted || before.by.is_none() || before.by != signal.by;
        self.signals.retain(is_news);
        self.signals.push(signal.clone());
        let longest = Counted::ALL.map(|counted| (counted, self.longest_window(counted)));
        let counts = |before: &Signal| {
            longest.iter().any(|(counted, window)| before.counted == *counted && before.at >= at.before(*window))
        };
        self.signals.retain(counts);
    }

    /// The longest window in which signals of that kind count.
    fn longest_window(&self, counted: Counted) -> Duration {
        let windows = self.plan().counts.iter().filter(|trigger| trigger.counted == counted);
        windows.map(|trigger| trigger.window).max().unwrap_or_default()
    }

    /// Whether the signal would count for nothing: nothing counts its kind, it is too old, it is on record, its person was heard a moment
    /// ago, or so many are on record that one more changes nothing.
    fn is_no_news(&self, signal: &Signal, now: Timestamp) -> bool {
        let triggers = || self.plan().counts.iter().filter(|trigger| trigger.counted == signal.counted);
        let Some(shortest) = triggers().map(|trigger| trigger.window).min() else { return true };
        let start = now.before(self.longest_window(signal.counted));
        let at_least = triggers().map(|trigger| trigger.at_least).max().unwrap_or_default();
        let most = MOST.max(usize::try_from(at_least).unwrap_or(usize::MAX));
        let alike = || self.signals.iter().filter(|before| before.counted == signal.counted && before.at >= start);
        let was_heard = |before: &Signal| {
            before.by.is_some() && before.by == signal.by && signal.at < before.at.after(shortest / ANEW_AFTER)
        };
        let is_anew = signal.by.is_some() && alike().any(|before| before.by == signal.by);
        signal.at < start
            || alike().any(|before| before.id == signal.id || was_heard(before))
            || (!is_anew && alike().count() >= most)
    }

    /// Whether a signal is one against the candidate: it has traffic, and the signal is neither older nor about another service or release.
    fn concerns(&self, signal: &Signal) -> bool {
        self.ending().is_none()
            && self.share(Environment::Production) > 0
            && self.exposed().is_some_and(|exposed| signal.at >= exposed)
            && signal.service.as_ref().is_none_or(|service| self.members().any(|member| member.name() == service))
            && signal.release.as_ref().is_none_or(|release| self.members().any(|member| member.candidate() == release))
    }
}

impl Draft {
    /// Takes in a signal where it counts, and turns the release back where it is one too many. What does not concern the candidate is not
    /// refused: nobody who complains knows of runs.
    pub(crate) fn signalled(&mut self, signal: Signal) -> Result<(), Refused> {
        if !self.run.concerns(&signal) || self.run.is_no_news(&signal, self.at) {
            return Ok(());
        }
        let kind = signal.counted;
        self.push(EventKind::Signalled { signal });
        let mut reached: Vec<(CountTrigger, Verdict)> = Vec::new();
        for trigger in self.run.plan().counts.iter().filter(|trigger| trigger.counted == kind) {
            reached.extend(reaches(&self.run, trigger, self.at).map(|verdict| (*trigger, verdict)));
        }
        reached.sort_by_key(|(trigger, _)| !trigger.critical);
        if let Some((trigger, verdict)) = reached.into_iter().next() {
            self.counted(trigger, verdict);
        }
        Ok(())
    }

    fn counted(&mut self, trigger: CountTrigger, verdict: Verdict) {
        let percent = self.run.share(Environment::Production);
        let reason = format!("production at {percent} %: {}", verdict.words);
        self.push(EventKind::CountReached { verdict });
        if trigger.critical {
            self.take_release_back(Environment::Production, percent, reason, &[]);
        } else {
            self.speak_against(reason);
        }
    }
}

/// Of how many it is not known which release's they are, in words.
fn not_attributed(counted: &[&Signal]) -> String {
    match (counted.iter().filter(|signal| signal.release.is_none()).count(), counted.len()) {
        (0, _) => String::new(),
        (1, 1) => "; which release's it is is not known, so it counts for every one that is out".to_owned(),
        (unknown, all) if unknown == all => {
            "; which release's they are is not known, so they count for every one that is out".to_owned()
        }
        (unknown, _) => {
            format!("; which release's {unknown} of them are is not known, so these count for every one that is out")
        }
    }
}

/// Whether the trigger's number is reached, in words that can be checked by hand.
fn reaches(run: &Run, trigger: &CountTrigger, now: Timestamp) -> Option<Verdict> {
    let start = now.before(trigger.window).max(run.exposed().unwrap_or(now));
    let within = run.signals().iter().filter(|signal| signal.counted == trigger.counted && signal.at >= start);
    let mut counted: Vec<&Signal> = Vec::new();
    for signal in within {
        // Who is not known counts each time.
        if signal.by.is_none() || counted.iter().all(|other| other.by != signal.by) {
            counted.push(signal);
        }
    }
    let number = u32::try_from(counted.len()).unwrap_or(u32::MAX);
    if number < trigger.at_least {
        return None;
    }
    let seconds = trigger.window.as_secs();
    let window = match seconds % 60 {
        0 if seconds > 0 => format!("{} min", seconds / 60),
        _ => format!("{} s", trigger.window.as_secs_f64()),
    };
    let what = match (trigger.counted, counted.last()) {
        (Counted::Complaints, _) => match number {
            1 => "1 complaint".to_owned(),
            _ => format!("complaints of {number} people or more"),
        },
        (Counted::CriticalErrors, Some(last)) if number == 1 => format!("a new critical error: {}", last.text),
        (Counted::CriticalErrors, Some(last)) => format!("{number} new critical errors, the last: {}", last.text),
        (Counted::CriticalErrors, None) => format!("{number} new critical errors"),
    };
    Some(Verdict {
        service: String::new(),
        outcome: CheckOutcome::Failed,
        rule: format!("{} at least {} in {window}", trigger.counted, trigger.at_least),
        words: format!(
            "{what} within {window}, since it has traffic; {} turn it back{}",
            trigger.at_least,
            not_attributed(&counted)
        ),
        numbers: vec![
            (trigger.counted.name().to_owned(), f64::from(number)),
            ("threshold".to_owned(), f64::from(trigger.at_least)),
        ],
        window: Some(Window { start: start.0, end: now.0 }),
        method: Some(Method::Count),
        dry_run: false,
    })
}
