//! What calls used of language models, counted for the operator's cap.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use autodevops_journal::Journal;
use autodevops_model::Stage;
use autodevops_sandbox::{CallReport, HTTP, Observer, Plugin, Record};

use crate::{audit::Audit, clock::now, limits::LoopState};

/// Bytes of a text that are taken for a token, where nobody says how many there were: what models make of English, and more than they make
/// of code.
const BYTES_PER_TOKEN: u64 = 4;

/// Counts the tokens of each call, and hands its report on to the audit.
pub struct Spending {
    journal: Journal,
    audit: Arc<Audit>,
    /// The plugins that used any; held while they are noted, which is done one at a time.
    spenders: Mutex<BTreeSet<String>>,
}

impl Spending {
    /// Into this journal.
    pub const fn new(journal: Journal, audit: Arc<Audit>) -> Self {
        Self { journal, audit, spenders: Mutex::new(BTreeSet::new()) }
    }

    /// Whether the plugin, called at this stage, may ask a language model: one that watches logs, generates or checks may as soon as it can
    /// send anything, one that measures once it did. What deploys, keeps data and tells people is always called: a release must be taken
    /// back whatever was used up.
    pub fn may_ask(&self, plugin: &Plugin, stage: Stage) -> bool {
        let can_send = !plugin.grant().http.is_empty();
        match stage {
            Stage::Analyzer | Stage::FixGenerator | Stage::TestGenerator | Stage::Check => can_send,
            Stage::HealthCheck => can_send && self.spenders().contains(plugin.name()),
            Stage::DeployTarget | Stage::StateGuard | Stage::Notifier => false,
        }
    }

    fn spenders(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.spenders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The tokens of a call: by its own word, or, where it gives none, by the bytes of its requests that carry a body, as a question to a
/// language model does, and of their answers. What deploys or keeps data sends artifacts and snapshots: of those, only its own word counts.
fn tokens_of(report: &CallReport) -> u64 {
    let asks = |record: &&Record| {
        let reads = ["GET ", "HEAD ", "OPTIONS "].iter().any(|method| record.summary.starts_with(method));
        record.operation == HTTP && record.allowed && !reads
    };
    let passed = || match report.stage {
        Some(Stage::DeployTarget | Stage::StateGuard) => 0,
        _ => {
            let asked = report.records.iter().filter(asks);
            asked.fold(0, |sum: u64, record| sum.saturating_add(record.bytes)).div_ceil(BYTES_PER_TOKEN)
        }
    };
    report.tokens.unwrap_or_else(passed)
}

impl Observer for Spending {
    fn finished(&self, report: CallReport) {
        let tokens = tokens_of(&report);
        if tokens > 0 {
            let mut spenders = self.spenders();
            spenders.insert(report.plugin.to_string());
            if let Err(error) = LoopState::new(&self.journal).note_tokens(tokens, now()) {
                tracing::warn!(
                    plugin = &*report.plugin,
                    tokens,
                    "the tokens that a call used are not counted: {error:#}"
                );
            }
        }
        self.audit.finished(report);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use autodevops_config::LoopRules;
    use autodevops_policy::Meter;

    use super::*;

    fn request(summary: &str, bytes: u64) -> Record {
        let (at, duration) = (Duration::ZERO, Duration::ZERO);
        Record { operation: HTTP, summary: summary.into(), allowed: true, reason: None, at, duration, bytes, count: 1 }
    }

    fn report(stage: Stage, tokens: Option<u64>, posted: u64) -> CallReport {
        CallReport {
            run: "r-1".into(),
            plugin: "reviewer".into(),
            digest: "blake3:00".into(),
            stage: Some(stage),
            function: "run",
            started: SystemTime::now(),
            wall: Duration::from_millis(1),
            guest: Duration::from_millis(1),
            failure: None,
            records: vec![request("POST https://api.example.com/v1/messages", posted)],
            used: Meter::default(),
            tokens,
            recording: None,
        }
    }

    #[test]
    fn a_call_counts_by_its_own_word_or_by_what_it_asked_and_was_answered() {
        for (stage, told, posted, counts) in [
            (Stage::Check, Some(700), 40_000, 700),
            (Stage::Check, Some(0), 40_000, 0),
            (Stage::Check, None, 40_000, 10_000),
            (Stage::FixGenerator, None, 400, 100),
            (Stage::TestGenerator, None, 400, 100),
            (Stage::HealthCheck, None, 40_000, 10_000),
            (Stage::Notifier, None, 401, 101),
            (Stage::Analyzer, None, 40_000, 10_000),
            (Stage::Analyzer, Some(5), 40_000, 5),
            (Stage::DeployTarget, None, 40_000, 0),
            (Stage::StateGuard, None, 40_000, 0),
            (Stage::DeployTarget, Some(7), 40_000, 7),
        ] {
            assert_eq!(tokens_of(&report(stage, told, posted)), counts, "{stage} {told:?} {posted}");
        }
    }

    #[test]
    fn what_is_only_read_or_was_refused_asks_nothing_and_all_that_was_asked_is_added_up() {
        let refused = Record { allowed: false, ..request("POST https://api.example.com/", 4000) };
        let file = Record { operation: "open", ..request("POST ", 4000) };
        let records = vec![
            request("GET https://shop.example.com/metrics", 4000),
            request("HEAD https://shop.example.com/", 4000),
            refused,
            file,
            request("POST https://api.example.com/", 40),
            request("QUERY https://api.example.com/", 40),
        ];
        assert_eq!(tokens_of(&CallReport { records, ..report(Stage::HealthCheck, None, 0) }), 20);
    }

    #[test]
    fn what_calls_used_is_in_the_journal_when_they_have_ended() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path().join("journal.db")).unwrap();
        let spending = Spending::new(journal.clone(), Arc::new(Audit::new(journal.clone())));
        let rules = LoopRules { tokens_a_day: Some(1000), ..LoopRules::default() };
        let state = LoopState::new(&journal);
        spending.finished(report(Stage::Check, Some(0), 4000));
        assert!(spending.spenders().is_empty(), "it used none");
        spending.finished(report(Stage::Check, Some(600), 0));
        state.may_use_tokens(&rules, now()).unwrap();
        spending.finished(report(Stage::DeployTarget, None, 1 << 20));
        assert!(spending.spenders().contains("reviewer"));
        spending.finished(report(Stage::Analyzer, None, 1600));
        let refused = state.may_use_tokens(&rules, now()).unwrap_err().to_string();
        assert!(refused.starts_with("1000 tokens of language models were there within 24 hours"), "{refused}");
    }
}
