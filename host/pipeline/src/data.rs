//! Production's data: a snapshot before the release comes there, and what becomes of it when the release is taken back.
//!
//! Traffic goes back first: every further request to the release that failed may write more of what is to be undone, and a data
//! restore takes its time. The stable release serves meanwhile, and while the data goes back: the guards' own tools see to it that
//! readers find all of the old or all of the new. What the release that was taken back is still answering may write for as long as it
//! drains; the data is left alone until then. What was written since the snapshot is lost to the service, whoever wrote it, which is why
//! a person decides unless the plan says otherwise; it is not lost for good: the guard takes another snapshot before it goes back.

use std::time::Duration;

use autodevops_model::{ErrorInfo, ErrorKind, Outcome as CheckOutcome, Severity, SnapshotInfo, StageError};

use crate::{Command, Environment, EventKind, Found, Gate, Restore, Run, RunStage, Timestamp, decide::Draft};

/// How old the newest snapshot may be when the release comes to production: whoever goes back to it loses what was written since.
const LONGEST_KEPT: Duration = Duration::from_secs(600);

/// What is known of production's data.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Data {
    /// Snapshots, by the guards that took them, in their order.
    taken: Vec<(String, SnapshotInfo)>,
    /// Guards that took none, and nobody minds.
    without: Vec<String>,
    /// A snapshot was begun with, and the run stood still since: what it shows may be long past.
    doubted: bool,
    begun: bool,
    /// When the last of them was taken.
    last: Option<Timestamp>,
    /// How often they were taken anew; numbers their keys.
    anew: u32,
    /// When production's traffic went back.
    back: Option<Timestamp>,
    /// Whether the data is to go back.
    decided: Option<bool>,
    /// Guards that went back, or were given up.
    settled: Vec<String>,
    /// The release that traffic went back to fails, too.
    no_help: bool,
}

impl Run {
    /// The snapshots that were taken before the release came to production, by the guards that took them.
    pub fn snapshots(&self) -> &[(String, SnapshotInfo)] {
        &self.data.taken
    }

    /// The snapshot that is to be taken next.
    pub(crate) fn snapshot(&self) -> Option<Command> {
        let data = &self.data;
        let open = |guard: &&String| {
            data.taken.iter().all(|(by, _)| by != *guard) && data.without.iter().all(|by| by != *guard)
        };
        let plugin = self.plan().data.guards.iter().find(open)?.clone();
        Some(Command::Snapshot { key: self.snapshot_key(&plugin), plugin })
    }

    /// A guard takes one snapshot under a key, whenever it is asked.
    fn snapshot_key(&self, guard: &str) -> String {
        let key = format!("{}/snapshot/{guard}", self.id());
        match self.data.anew {
            0 => key,
            anew => format!("{key}/{}", anew + 1),
        }
    }

    /// Why the snapshots say no more how the data is before the release: it is not in production yet, and they were taken before the run
    /// stood still, or long ago.
    fn outdated(&self, now: Timestamp) -> Option<String> {
        let data = &self.data;
        let last = data.last.filter(|_| !data.taken.is_empty())?;
        let production = Environment::Production;
        let begun = self.pending().any(|effect| effect.environment == Some(production))
            || self.members().any(|member| member.deployment(production).is_some());
        if self.stage() != RunStage::ProductionDeploy || begun || self.snapshot().is_some() {
            return None;
        }
        let age = Duration::from_nanos(u64::try_from(now.0.saturating_sub(last.0)).unwrap_or(0));
        if data.doubted {
            return Some("the run stood still since it was taken, and others may have written meanwhile".to_owned());
        }
        (age > LONGEST_KEPT).then(|| format!("it was taken {} ago, and the release is not there yet", in_words(age)))
    }

    /// The guard that takes a snapshot under this key.
    pub(crate) fn guard_of_snapshot(&self, key: &str) -> Option<String> {
        self.plan().data.guards.iter().find(|guard| self.snapshot_key(guard) == key).cloned()
    }

    /// The guard that goes back under this key, and the snapshot that it goes back to.
    pub(crate) fn restored_by(&self, key: &str) -> Option<(String, String)> {
        let (guard, snapshot) = self.data.taken.iter().find(|(guard, _)| self.restore_key(guard) == key)?;
        Some((guard.clone(), snapshot.id.clone()))
    }

    fn restore_key(&self, guard: &str) -> String {
        format!("{}/restore/{guard}", self.id())
    }

    /// The guard that is to go back next.
    pub(crate) fn restore(&self) -> Option<Command> {
        let data = &self.data;
        if data.decided != Some(true) {
            return None;
        }
        let (plugin, snapshot) = data.taken.iter().find(|(by, _)| !data.settled.contains(by))?.clone();
        Some(Command::Restore { key: self.restore_key(&plugin), plugin, fence: self.fence(), snapshot })
    }

    /// Until when the data is left alone, since what was taken back may still write to it.
    pub(crate) fn data_rests(&self, work: &Command, now: Timestamp) -> Option<Timestamp> {
        let until = self.data.back?.after(self.plan().data.settle);
        (matches!(work, Command::Restore { .. }) && until > now).then_some(until)
    }

    /// Whether the data may still go back to what it was before the release, which nobody decided yet: until then no other release may write.
    pub fn may_restore(&self) -> bool {
        let data = &self.data;
        data.back.is_some() && data.decided.is_none() && !data.taken.is_empty()
    }

    /// Whether data goes back to what it was before the release: it is decided, and not done.
    pub fn restores_data(&self) -> bool {
        self.stage() == RunStage::Ending && self.restore().is_some()
    }

    /// Why the data does not go back, whatever was decided: by what was found production serves something else than the run left, which would
    /// meet data of before. Whoever had that serve says what becomes of it.
    pub fn meets_data(&self, found: &[Found]) -> Option<StageError> {
        let words = self.served_past(found)?;
        let message = format!("{words}: someone had it serve since, and data of before is not put under it");
        Some(StageError { kind: ErrorKind::Failed, info: ErrorInfo { message, details: Vec::new() } })
    }

    /// Whether people are asked what becomes of the data, though the run is ending.
    pub(crate) fn asks_of_data(&self) -> bool {
        self.gate().is_some_and(|gate| gate.gate == Gate::Data)
    }

    /// Whether it is a snapshot that the release may come to production without.
    pub(crate) fn goes_without(&self, key: &str) -> bool {
        !self.plan().data.preserve && self.guard_of_snapshot(key).is_some()
    }

    /// What the events of the data make of the run.
    pub(crate) fn fold_data(&mut self, at: Timestamp, event: &EventKind) {
        match event {
            EventKind::EffectIntended { key, .. } if self.guard_of_snapshot(key).is_some() => self.data.begun = true,
            EventKind::SnapshotTaken { plugin, snapshot, .. } => {
                self.data.taken.push((plugin.clone(), snapshot.clone()));
                self.data.last = Some(at);
            }
            EventKind::Frozen { .. }
            | EventKind::Resumed { .. }
            | EventKind::ResumeRequested { .. }
            | EventKind::GatePassed { gate: Gate::Held, .. } => self.data.doubted |= self.data.begun,
            EventKind::SnapshotOutdated { .. } => {
                let anew = self.data.anew + 1;
                self.data = Data { anew, ..Data::default() };
            }
            EventKind::DataRestored { plugin, snapshot, before, since, .. } => {
                self.data.settled.push(plugin.clone());
                let since = since.as_ref().map_or_else(String::new, |since| format!("; {since}"));
                let kept = before.as_ref().map_or_else(String::new, |before| {
                    format!("; what was there until then, written by whomever, is kept in snapshot {}", before.id)
                });
                let words = format!("the data is as it was in snapshot {snapshot} of `{plugin}`{since}{kept}");
                self.tell(at, Severity::Warning, "data restored", &words);
            }
            EventKind::DataKept { reason } => {
                self.data.decided = Some(false);
                self.tell(at, Severity::Info, "data kept", reason);
            }
            EventKind::RolledBack { environment: Environment::Production, .. } if !self.data.taken.is_empty() => {
                self.data.back = Some(at);
            }
            EventKind::GatePassed { gate: Gate::Data, .. } => self.data.decided = Some(true),
            EventKind::StableLooked { verdict } => self.data.no_help = verdict.outcome == CheckOutcome::Failed,
            EventKind::EffectFailed { key, error, retry: None, .. } => {
                let guards = self.plan().data.guards.clone();
                for guard in guards {
                    if *key == self.snapshot_key(&guard) {
                        if self.plan().data.preserve {
                            // The run turns back, or, where someone holds it just now, tries again after that.
                            continue;
                        }
                        let words = format!("`{guard}` took no snapshot of production's data: {error}");
                        self.tell(at, Severity::Warning, "no snapshot", &words);
                        self.data.without.push(guard);
                    } else if *key == self.restore_key(&guard) {
                        let words = format!(
                            "`{guard}` did not go back to its snapshot, and the data is as it is: {error}. Look at it, and go back by hand: `autodevops state restore`"
                        );
                        self.tell(at, Severity::Error, "data not restored", &words);
                        self.data.settled.push(guard);
                    }
                }
            }
            _ => {}
        }
    }
}

impl Draft {
    /// Has the snapshots taken anew that are too old to go back to; whether anything follows.
    pub(crate) fn snapshots_anew(&mut self) -> bool {
        let Some(reason) = self.run.outdated(self.at) else { return false };
        self.push(EventKind::SnapshotOutdated { reason });
        true
    }

    /// Decides, or has a person decide, whether the data goes back, once traffic did; whether anything follows.
    pub(crate) fn settle_data(&mut self) -> bool {
        let data = &self.run.data;
        if data.back.is_none() || data.decided.is_some() {
            return false;
        }
        let restored = "the data goes back to the snapshot: the plan says so".to_owned();
        match self.run.plan().data.restore {
            Restore::Never => {
                let reason = "it stays as the release left it: the plan says that it never goes back".to_owned();
                self.push(EventKind::DataKept { reason });
            }
            Restore::OnRollback => self.push(EventKind::GatePassed { gate: Gate::Data, reason: restored }),
            // One question at a time: whether the rollback was any help comes first.
            Restore::Ask if self.run.recovering().is_some() => return false,
            Restore::Ask => self.ask(Gate::Data, self.what_going_back_means()),
        }
        true
    }

    fn what_going_back_means(&self) -> String {
        let now = self.at;
        let one = |(guard, info): &(String, SnapshotInfo)| {
            let age = Duration::from_nanos(u64::try_from(now.0.saturating_sub(info.taken)).unwrap_or(0));
            format!("snapshot {} of `{guard}`, taken {} ago", info.id, in_words(age))
        };
        let taken: Vec<String> = self.run.data.taken.iter().map(one).collect();
        let fails = if self.run.data.no_help { ", and that fails too" } else { "" };
        format!(
            "{} serves the release before again{fails}; its data is as the release that was taken back left it. Shall the data go back, too, to \
             {}? That loses what was written since, by whomever; what is there now is kept in a snapshot of its own. Approve: it goes back. \
             Reject, or nobody answers: it stays as it is",
            self.run.plan().production,
            taken.join(" and ")
        )
    }

    /// Another release serves by a person's hand: what becomes of the data is theirs to say, also where it was to go back.
    pub(crate) fn leave_data(&mut self, reason: &str) {
        let is_open = self.run.data.back.is_some() && self.run.data.decided.is_none();
        if is_open || self.run.restores_data() {
            self.keep_data(format!("it stays as it is: {reason}; go back by hand with `autodevops state restore`"));
        }
    }

    /// The time to answer ran out, or someone refused: the data stays.
    pub(crate) fn keep_data(&mut self, reason: String) {
        self.push(EventKind::DataKept { reason });
    }

    /// Nobody said what becomes of the data.
    pub(crate) fn expire_data(&mut self) {
        let id = self.run.id().to_owned();
        match self.run.alarm_beside().map(|alarm| alarm.acknowledged.is_some()) {
            None => self.escalate_all("nobody said whether the data shall go back"),
            // They are being told of what fails.
            Some(false) => {}
            // Somebody saw to that, and none of them heard of the data.
            Some(true) => self.escalate_from(
                0,
                &format!(
                    "nobody said in time whether the data shall go back, and it stays as the release left it; see `autodevops show {id}` and \
                     `autodevops state restore`"
                ),
            ),
        }
        self.push(EventKind::ApprovalExpired { gate: Gate::Data });
        self.keep_data(format!(
            "it stays as the release left it: nobody said in time that it shall go back; see `autodevops show {id}` and `autodevops state restore`"
        ));
    }

    /// Whether the end of the run waits for a person's word about the data.
    pub(crate) fn data_waits(&mut self) -> Option<bool> {
        let gate = self.run.gate().filter(|gate| gate.gate == Gate::Data)?;
        if gate.until <= self.at {
            self.expire_data();
            return Some(true);
        }
        Some(false)
    }
}

/// A time in the unit in which it is read.
fn in_words(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..=119 => format!("{seconds} s"),
        seconds @ 120..=7199 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_old_a_snapshot_is_is_told_in_the_unit_in_which_it_is_read() {
        for (seconds, words) in [
            (0, "0 s"),
            (119, "119 s"),
            (120, "2 min"),
            (179, "2 min"),
            (7199, "119 min"),
            (7200, "2 h"),
            (90_000, "25 h"),
        ] {
            assert_eq!(in_words(Duration::from_secs(seconds)), words);
        }
    }
}
