//! After a rollback: whether it helped. There is one rollback for one incident; where the fault is still there, people are needed.

use std::time::Duration;

use autodevops_model::{Outcome as CheckOutcome, Window};

use crate::{
    Command, Decision, Environment, EventKind, Member, Method, Outcome, Plan, Round, Run, RunStage, Sample, Subject,
    Timestamp, Trigger, Verdict, decide::Draft, judge, rollout::of_service, safety::worst,
};

impl Run {
    /// Since when stable serves again, while it was not looked whether it serves well.
    pub const fn recovering(&self) -> Option<Timestamp> {
        self.recovering
    }

    /// Whether what comes is a look at stable, after its traffic came back: of all services.
    pub(crate) fn is_taken_back(&self, environment: Environment) -> bool {
        let back = environment == Environment::Production && !self.is_moved(environment);
        back && matches!(self.ending(), Some(Outcome::RolledBack { .. }))
    }

    /// Since when production is back where it was before the run, which took it back there, as the target calls the place.
    pub fn took_back(&self, place: &str) -> Option<Timestamp> {
        let production = Environment::Production;
        let back = |member: &Member| member.place(production) == place && member.lane(production).rollbacks > 0;
        self.back_since().filter(|_| self.members().any(back))
    }

    /// Whether the run gives production's traffic back, and that failed, or takes so long that people are told: it is tried on for ever, and a
    /// person may have another release serve instead.
    pub fn goes_back_in_vain(&self) -> bool {
        let production = Environment::Production;
        let told = self.held().is_some();
        let in_vain = |member: &Member| {
            let failed = || self.attempt(&member.rollback_key(self.id(), production)).is_some();
            member.lane(production).moved && (told || failed())
        };
        self.stage() == RunStage::Ending && self.members().any(in_vain)
    }

    /// Whether the run is as good as over: all traffic is back where it was, or stays where it is, and no data goes back. It only tells people,
    /// and asks them about the data; it hinders nobody who moves traffic.
    pub fn only_tells(&self) -> bool {
        self.stage() == RunStage::Ending && self.work().is_empty()
    }

    /// Whether other runs have to wait for it: it moves something still, or may put data back, which no release of another run is to have
    /// written to.
    pub fn is_in_the_way(&self) -> bool {
        !self.only_tells() || self.may_restore()
    }

    /// Whether a person may have another release serve production while this run is not over: it moves nothing that would meet that. It only
    /// tells people; or it goes back in vain; or it does not go back, since that is broken, and asks people.
    pub fn leaves_production(&self) -> bool {
        let stays = self.ending().is_none() && self.stable_broken().is_some();
        self.only_tells() || self.goes_back_in_vain() || stays
    }

    /// Whether what serves production is the run's affair though it ends: it tries to go back, or people are needed since what it went back to
    /// fails, or asked what becomes of the data.
    pub fn ends_in_trouble(&self) -> bool {
        let told = self.only_tells() && self.ending() != Some(&Outcome::Healed);
        self.goes_back_in_vain() || (told && (self.alarm().is_some() || self.recovering().is_some()))
    }

    /// Whether this ending run must be told when a person makes another release live: production is its affair ([`Self::ends_in_trouble`]),
    /// it has data to put back, or it was moving traffic back and was given a new fence since ([`Input::Resume`](crate::Input::Resume)), so
    /// that it would go on.
    pub fn is_met_by_hand(&self) -> bool {
        let goes_back = self.stage() == RunStage::Ending && self.ending() != Some(&Outcome::Healed);
        let moves = goes_back && self.is_moved(Environment::Production) && self.was_resumed();
        moves || self.ends_in_trouble() || self.restores_data()
    }

    /// When stable is to be looked at.
    pub(crate) fn recovery_due(&self) -> Option<Timestamp> {
        Some(self.recovering?.after(self.plan().interval))
    }

    /// The look at stable, of each service that went back.
    pub(crate) fn look_at_stable(&self, now: Timestamp) -> Option<Command> {
        let environment = Environment::Production;
        let windows = vec![Window { start: self.recovering?.0, end: now.0 }];
        Some(Command::Measure { environment, subjects: self.gone_back(), windows })
    }

    fn gone_back(&self) -> Vec<Subject> {
        let back = self.members().filter(|member| member.lane(Environment::Production).rollbacks > 0);
        let subject = |member: &Member| {
            let stable = member.stable(Environment::Production)?.id.clone();
            Some(Subject { service: member.label().to_owned(), candidate: stable, baseline: None, stable: None })
        };
        back.filter_map(subject).collect()
    }
}

impl Draft {
    /// Whether these samples are of stable since its traffic came back; then that was the look at it. What was measured before that, and comes
    /// late or a second time, is not.
    pub(crate) fn looked_at_stable(&mut self, samples: &[Sample], error: Option<&str>) -> bool {
        let Some(since) = self.run.recovering() else { return false };
        if !samples.is_empty() && samples.iter().all(|sample| sample.window.start < since.0) {
            return false;
        }
        let unseen = || Verdict {
            service: String::new(),
            outcome: CheckOutcome::Inconclusive,
            rule: "stable after the rollback".to_owned(),
            words: format!("nothing was measured: {}", error.unwrap_or("nobody measured stable")),
            numbers: Vec::new(),
            window: None,
            method: Some(if error.is_some() { Method::Error } else { Method::NoData }),
            dry_run: false,
        };
        let looked: Vec<Verdict> = self
            .run
            .gone_back()
            .iter()
            .map(|subject| {
                let verdict = self.recovery(subject, samples, since).unwrap_or_else(unseen);
                of_service(&subject.service, verdict)
            })
            .collect();
        let verdict = worst(&looked).cloned().unwrap_or_else(unseen);
        self.push(EventKind::StableLooked { verdict });
        true
    }

    fn recovery(&self, subject: &Subject, samples: &[Sample], since: Timestamp) -> Option<Verdict> {
        let samples: Vec<Sample> = samples.iter().filter(|sample| sample.service == subject.service).cloned().collect();
        let whole = samples.iter().map(|sample| &sample.window).find(|window| window.start == since.0)?.clone();
        let round = Round {
            samples: &samples,
            candidate: &subject.candidate,
            baseline: None,
            fresh: false,
            before: &[],
            strikes: &[],
            whole: &whole,
            independent: true,
            percent: 100,
            chances: 1,
        };
        // What serves again was warm before.
        let warm = |trigger: &Trigger| Trigger { initial_delay: Duration::ZERO, ..trigger.clone() };
        let plan = self.run.plan();
        // It is one look, which no other follows.
        let decision = Decision { bad_windows: 0, ..plan.decision };
        let plan = Plan { triggers: plan.triggers.iter().map(warm).collect(), decision, ..plan.clone() };
        judge(&plan, &round).verdicts.into_iter().next()
    }
}
