//! What people are told, and whether they were.

use std::time::Duration;

use autodevops_model::{ErrorKind, Notification, Severity};

use super::{Alarm, OpenGate, Run};
use crate::{Asked, Environment, Gate, Timestamp, Verdict};

/// How long one can say that one has in hand what is no gate, and so has no end of its own.
const IN_HAND: Duration = Duration::from_secs(24 * 3600);

/// Something that a plugin is to tell people.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Note {
    pub(crate) key: String,
    pub(crate) plugin: String,
    pub(crate) notification: Notification,
    /// What people are asked for.
    pub(crate) asked: Option<Asked>,
    /// Told, or given up: a notifier that fails never stops a run.
    pub(crate) done: bool,
}

impl Run {
    /// Has every notifier tell people of what happened.
    pub(crate) fn tell(&mut self, at: Timestamp, severity: Severity, what: &str, body: &str) {
        let (notifiers, asked) = (self.plan.notifiers.clone(), self.asked());
        self.tell_by((&notifiers, asked), at, severity, what, body);
    }

    /// Has these notifiers tell people of what happened, and of what they are asked for.
    fn tell_by(
        &mut self,
        (notifiers, asked): (&[String], Option<Asked>),
        at: Timestamp,
        severity: Severity,
        what: &str,
        body: &str,
    ) {
        self.told += 1;
        let number = self.told;
        let mut links: Vec<(String, String)> = Vec::new();
        links.extend(self.members().filter_map(|member| {
            let url = member.deployment(Environment::Staging)?.url.clone()?;
            let of = if member.label().is_empty() { String::new() } else { format!(" of {}", member.label()) };
            Some((format!("staging{of}"), url))
        }));
        let notification = Notification {
            run: self.id.clone(),
            stage: self.stage.name().to_owned(),
            severity,
            title: format!("{}: {what}: {}", self.plan.service, self.issue.title),
            body: body.to_owned(),
            links,
            at: at.0,
        };
        for plugin in notifiers {
            let (key, plugin) = (format!("{}/notify/{number}/{plugin}", self.id), plugin.clone());
            self.notes.push(Note { key, plugin, notification: notification.clone(), asked, done: false });
        }
    }

    /// What people can answer now.
    fn asked(&self) -> Option<Asked> {
        let gate = self.gate.as_ref().map(|gate| Asked { number: gate.number, until: gate.until, gate: true });
        gate.or_else(|| self.alarm_asks())
    }

    /// What people are needed for, as they can answer it.
    fn alarm_asks(&self) -> Option<Asked> {
        let alarm = self.alarm.as_ref()?;
        let gate = self.gate.as_ref().filter(|gate| gate.number == alarm.number);
        let until = gate.map_or(alarm.since.after(IN_HAND), |gate| gate.until);
        Some(Asked { number: alarm.number, until, gate: gate.is_some() })
    }

    /// Puts a question to people: as an error, for unanswered it ends the run, so that no notifier that only tells what fails keeps it to
    /// itself. Where they are needed for more than that already, it is put beside that, and takes nothing of it away:
    /// whoever says what becomes of the data did not say that they see to what fails.
    pub(super) fn question_put(&mut self, at: Timestamp, gate: Gate, until: Timestamp, reason: &str) {
        if gate == Gate::Data && self.alarm.is_some() {
            self.asked += 1;
        } else {
            self.alarm_raised(at, reason);
        }
        let (number, reason) = (self.asked, reason.to_owned());
        let body = reason.clone();
        self.gate = Some(OpenGate { gate, until, reason, approved: Vec::new(), number });
        let what = match gate {
            Gate::Production => "approval asked",
            Gate::Held => "held",
            Gate::Data => "data: a person decides",
        };
        self.tell(at, Severity::Error, what, &format!("{body}{}", self.how_to_answer()));
    }

    /// The question is open no more, nor are people needed for it; for what they were needed beside it, they still are.
    pub(super) fn answered(&mut self) {
        let gate = self.gate.take();
        self.alarm.take_if(|alarm| gate.is_none_or(|gate| gate.number == alarm.number));
    }

    /// What people are needed for beside the question that is open: that the rollback was no help.
    pub fn alarm_beside(&self) -> Option<&Alarm> {
        let gate = self.gate.as_ref().map(|gate| gate.number);
        self.alarm.as_ref().filter(|alarm| Some(alarm.number) != gate)
    }

    /// The rollback was no help: what fails is not the release that was taken back.
    pub(super) fn no_help(&mut self, at: Timestamp, verdict: &Verdict) {
        let stable = self.members().filter_map(|member| Some(member.stable(Environment::Production)?.id.as_str()));
        let stable = stable.collect::<Vec<_>>().join("`, `");
        let reason = format!(
            "production went back to `{stable}`, and that fails too ({}): nothing more is moved by itself; look for what else changed, or \
             have another release serve: {}",
            verdict.words,
            self.another_release()
        );
        self.alarm_raised(at, &reason);
        let body = format!("{reason}{}", self.how_to_answer());
        self.tell(at, Severity::Critical, "the rollback was no help", &body);
    }

    /// How a person has another release serve production.
    pub(crate) fn another_release(&self) -> String {
        let production = &self.plan.production;
        format!("`autodevops rollback {production} --to RELEASE`, or `autodevops deploy --to {production}`")
    }

    /// What a person can do to see the run end, in words that begin a sentence: what works now.
    pub fn way_to_end(&self) -> String {
        let id = &self.id;
        let broken = self.stable_broken.is_some() && self.gate.is_some();
        if self.ending.is_none() && !broken {
            return format!(
                "wait for its end (`autodevops run` goes on with it where nobody drives it), or end it with `autodevops abort {id}`"
            );
        }
        let question = self.gate.as_ref().map(|gate| {
            let number = gate.number;
            format!("answer with `autodevops approve {id} --question {number}` or `autodevops reject {id} --question {number}`")
        });
        let beside = self.alarm_beside().filter(|alarm| alarm.acknowledged.is_none());
        let in_hand = beside.map(|_| format!("say that you have it in hand with `autodevops ack {id}`"));
        let vain = (broken || self.goes_back_in_vain())
            .then(|| format!("have another release serve: {}", self.another_release()));
        let ways: Vec<String> = question.into_iter().chain(vain).chain(in_hand).collect();
        if ways.is_empty() { "wait for it to finish".to_owned() } else { ways.join("; ") }
    }

    /// People are needed from now on.
    pub(super) fn alarm_raised(&mut self, at: Timestamp, reason: &str) {
        self.asked += 1;
        let (number, reason) = (self.asked, reason.to_owned());
        self.alarm = Some(Alarm { number, since: at, reason, told: 0, acknowledged: None });
    }

    /// A level of the escalation is told: nobody answered so far, which is as bad as it gets.
    pub(super) fn escalated(&mut self, at: Timestamp, level: u32, reason: &str) {
        if let Some(alarm) = &mut self.alarm {
            alarm.told = level;
        }
        let index = usize::try_from(level).unwrap_or(usize::MAX).saturating_sub(1);
        let Some(told) = self.plan.escalation.get(index).cloned() else { return };
        let (answer, asked) = match self.alarm_beside() {
            None => (self.how_to_answer(), self.alarm_asks()),
            // What else is asked beside it was told to others, and is no answer to this.
            Some(Alarm { acknowledged: None, .. }) => {
                (format!("\n\n{}", self.how_to_take_in_hand()), self.alarm_asks())
            }
            // It is of what was asked beside it, whose time is over: there is nothing to answer.
            Some(_) => (String::new(), None),
        };
        let body = format!("{reason}{answer}");
        self.tell_by((&told.notifiers, asked), at, Severity::Critical, &format!("escalation {level}"), &body);
    }

    /// What a person who is asked can do.
    pub(super) fn how_to_answer(&self) -> String {
        let id = &self.id;
        let answer = match &self.gate {
            Some(OpenGate { number, .. }) => format!(
                "Answer with `autodevops approve {id} --question {number}` or `autodevops reject {id} --question {number}`. "
            ),
            None => String::new(),
        };
        format!("\n\n{answer}{}", self.how_to_take_in_hand())
    }

    fn how_to_take_in_hand(&self) -> String {
        format!("Say that you have it in hand with `autodevops ack {}`.", self.id)
    }

    /// Marks a notification as told or given up.
    pub(super) fn told(&mut self, key: &str) {
        for note in self.notes.iter_mut().filter(|note| note.key == key) {
            note.done = true;
        }
    }

    /// Whether people are to be told of something still, now or once it is tried again; but for a question that was tried as often as
    /// anything is, or refused, and is put until it is answered.
    pub fn has_untold(&self) -> bool {
        self.untold().any(|note| !self.is_late(note))
    }

    pub(crate) fn untold(&self) -> impl Iterator<Item = &Note> {
        self.notes.iter().filter(|note| !note.done && !self.is_moot(note))
    }

    /// Whether the notification asks what people still have to answer, and nobody has in hand.
    pub(crate) fn asks_still(&self, note: &Note) -> bool {
        let open = self.alarm.as_ref().filter(|alarm| alarm.acknowledged.is_none()).map(|alarm| alarm.number);
        let beside = self.gate.as_ref().filter(|_| self.alarm_beside().is_some()).map(|gate| gate.number);
        let number = note.asked.map(|asked| asked.number);
        number.is_some() && (number == open || number == beside)
    }

    /// Whether the end of the run waits for people to be told: until all was told or tried as often as anything is; and for what they are
    /// needed for still, until they can be taken to have heard of it elsewhere, but where the notifier refuses it. A run that waits for
    /// that alone hinders nobody.
    pub(crate) fn is_to_tell(&self, now: Timestamp) -> bool {
        let until = |note: &Note| note.asked.filter(|_| !self.is_refused(note)).map(|asked| asked.until);
        let waits = |note: &Note| !self.is_late(note) || until(note).is_some_and(|until| until > now);
        self.untold().any(waits)
    }

    /// Whether it was tried on only since it asked something, and that was answered since.
    fn is_moot(&self, note: &Note) -> bool {
        self.is_late(note) && !self.asks_still(note)
    }

    /// Whether it failed as often as anything is tried, or was refused, and is not being tried now.
    fn is_late(&self, note: &Note) -> bool {
        let often = self.attempt(&note.key).is_some_and(|attempt| attempt.count > self.plan.retries);
        (often || self.is_refused(note)) && self.effect_of(&note.key).is_none()
    }

    /// Whether the notifier refused it when it was tried last, as one that is set up wrongly does: it will hardly come by waiting, but once
    /// somebody mends that.
    fn is_refused(&self, note: &Note) -> bool {
        self.attempt(&note.key).is_some_and(|attempt| attempt.error.kind != ErrorKind::Unavailable)
    }
}
