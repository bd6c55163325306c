//! How much people are told: no more than they can read, and nothing twice.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use autodevops_config::Notifications;
use autodevops_model::Notification;
use autodevops_pipeline::Timestamp;

/// The span in which notifications are counted.
const MINUTE: Duration = Duration::from_secs(60);

/// Texts of one notifier that are remembered; more cannot be sent within a sensible time.
const REMEMBERED: usize = 1000;

/// What is known of one notifier.
#[derive(Debug, Default)]
struct Told {
    /// When it was given something, within the last minute.
    given: VecDeque<Timestamp>,
    /// What it told, and when.
    texts: VecDeque<(blake3::Hash, Timestamp)>,
}

/// Whether something is told now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It is.
    Now,
    /// It was told not long ago.
    Told,
    /// After so long.
    After(Duration),
}

/// Keeps count of what notifiers are given. In memory: whoever starts again may tell a little more.
#[derive(Debug)]
pub struct Notices {
    rules: Notifications,
    told: Mutex<BTreeMap<String, Told>>,
}

impl Notices {
    /// With the operator's rules.
    pub fn new(rules: Notifications) -> Self {
        Self { rules, told: Mutex::default() }
    }

    /// Whether the notifier is given this now; if so, it is counted. What asks for an answer is never taken for told.
    pub fn turn(&self, plugin: &str, notification: &Notification, asks: bool, now: Timestamp) -> Turn {
        let mut all = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let told = all.entry(plugin.to_owned()).or_default();
        let since = now.before(self.rules.repeat_after.0);
        told.texts.retain(|(_, at)| *at > since && *at <= now);
        if !asks && told.texts.iter().any(|(text, _)| *text == text_of(notification)) {
            return Turn::Told;
        }
        // A clock that went back must not hold people's news.
        told.given.retain(|at| at.after(MINUTE) > now && *at <= now);
        if told.given.len() >= usize::try_from(self.rules.per_minute).unwrap_or(usize::MAX) {
            let free = told.given.front().map_or(now, |oldest| oldest.after(MINUTE));
            return Turn::After(Duration::from_nanos(u64::try_from(free.0.saturating_sub(now.0)).unwrap_or(0)));
        }
        told.given.push_back(now);
        Turn::Now
    }

    /// The notifier has told it.
    pub fn told(&self, plugin: &str, notification: &Notification, now: Timestamp) {
        let mut all = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let told = all.entry(plugin.to_owned()).or_default();
        told.texts.push_back((text_of(notification), now));
        if told.texts.len() > REMEMBERED {
            told.texts.pop_front();
        }
    }
}

/// What makes a notification the same as another: its run and its words.
fn text_of(notification: &Notification) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    for part in [&notification.run, &notification.title, &notification.body] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use autodevops_model::Severity;
    use autodevops_policy::Span;

    use super::*;

    fn notices() -> Notices {
        Notices::new(Notifications { per_minute: 2, repeat_after: Span(Duration::from_secs(600)) })
    }

    fn notification(run: &str, body: &str) -> Notification {
        Notification {
            run: run.into(),
            stage: "rollout".into(),
            severity: Severity::Info,
            title: "t".into(),
            body: body.into(),
            links: Vec::new(),
            at: 0,
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp(seconds * 1_000_000_000)
    }

    #[test]
    fn a_notifier_is_given_no_more_than_so_many_in_a_minute_and_others_are_not_held_up() {
        let notices = notices();
        assert_eq!(notices.turn("chat", &notification("a", "1"), false, at(0)), Turn::Now);
        assert_eq!(notices.turn("chat", &notification("a", "2"), true, at(10)), Turn::Now);
        let third = notification("a", "3");
        assert_eq!(notices.turn("chat", &third, true, at(20)), Turn::After(Duration::from_secs(40)));
        assert_eq!(notices.turn("mail", &third, true, at(20)), Turn::Now);
        assert_eq!(notices.turn("chat", &third, true, at(60)), Turn::Now);
        assert_eq!(notices.turn("chat", &notification("a", "4"), true, at(61)), Turn::After(Duration::from_secs(9)));
    }

    #[test]
    fn the_same_words_about_a_run_are_told_once_in_a_while_unless_they_ask() {
        let notices = notices();
        let text = notification("a", "held");
        notices.told("chat", &text, at(0));
        assert_eq!(notices.turn("chat", &text, false, at(599)), Turn::Told);
        assert_eq!(notices.turn("chat", &text, true, at(599)), Turn::Now);
        assert_eq!(notices.turn("chat", &notification("b", "held"), false, at(599)), Turn::Now);
        assert_eq!(notices.turn("mail", &text, false, at(599)), Turn::Now);
        assert_eq!(notices.turn("chat", &text, false, at(10_000)), Turn::Now);
    }

    #[test]
    fn a_clock_that_goes_back_holds_nothing_up() {
        let notices = notices();
        for second in [1000, 1001] {
            assert_eq!(notices.turn("chat", &notification("a", "x"), true, at(second)), Turn::Now);
        }
        assert_eq!(notices.turn("chat", &notification("a", "y"), true, at(10)), Turn::Now);
    }

    #[test]
    fn what_was_told_just_so_long_ago_is_told_again_and_so_is_what_is_of_a_moment_to_come() {
        let notices = notices();
        let text = notification("a", "held");
        notices.told("chat", &text, at(1000));
        assert_eq!(notices.turn("chat", &text, false, at(1000)), Turn::Told);
        assert_eq!(notices.turn("chat", &text, false, at(999)), Turn::Now);
        notices.told("mail", &text, at(1000));
        assert_eq!(notices.turn("mail", &text, false, at(1600)), Turn::Now);
        // Who went back in time and forth again knows no more of it.
        assert_eq!(notices.turn("chat", &text, false, at(1001)), Turn::Now);
        let texts = [("a", "bc"), ("ab", "c")].map(|(run, body)| text_of(&notification(run, body)));
        assert_ne!(texts[0], texts[1]);
    }

    #[test]
    fn no_more_texts_are_remembered_than_that_and_the_oldest_go() {
        let notices = notices();
        for number in 0..=REMEMBERED {
            notices.told("chat", &notification("a", &number.to_string()), at(1));
        }
        let is_told =
            |number: usize| notices.turn("chat", &notification("a", &number.to_string()), false, at(2)) == Turn::Told;
        assert!(!is_told(0) && is_told(1) && is_told(REMEMBERED));
        assert_eq!(notices.told.lock().unwrap()["chat"].texts.len(), REMEMBERED);
    }
}
