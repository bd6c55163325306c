//! What calls used of language models, counted for the operator's cap.

use std::sync::{Arc, Mutex, PoisonError};

use autodevops_journal::Journal;
use autodevops_model::Stage;
use autodevops_policy::Limit;
use autodevops_sandbox::{CallReport, Observer};

use crate::{audit::Audit, clock::now, limits::LoopState};

/// Bytes of a text that are taken for a token, where nobody says how many there were: what models make of English, and more than they make
/// of code.
const BYTES_PER_TOKEN: u64 = 4;

/// Counts the tokens of each call, and hands its report on to the audit.
pub struct Spending {
    journal: Journal,
    audit: Arc<Audit>,
    /// One at a time.
    counts: Mutex<()>,
}

impl Spending {
    /// Into this journal.
    pub const fn new(journal: Journal, audit: Arc<Audit>) -> Self {
        Self { journal, audit, counts: Mutex::new(()) }
    }
}

/// The tokens of a call: by its own word, or, where it gives none, by what it sent, if its stage is one that is asked for what a model
/// would make. What measures, deploys or tells people sends its requests to others.
fn tokens_of(report: &CallReport) -> u64 {
    let sent = || match report.stage {
        Some(Stage::FixGenerator | Stage::TestGenerator | Stage::Check) => {
            report.used.used(Limit::HttpSent) / BYTES_PER_TOKEN
        }
        _ => 0,
    };
    report.tokens.unwrap_or_else(sent)
}

impl Observer for Spending {
    fn finished(&self, report: CallReport) {
        let tokens = tokens_of(&report);
        if tokens > 0 {
            let _one = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
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
    use autodevops_policy::{Limits, Meter};

    use super::*;

    fn report(stage: Stage, tokens: Option<u64>, sent: u64) -> CallReport {
        let used = Meter::default();
        assert!(used.charge(&Limits::default(), Limit::HttpSent, sent));
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
            records: Vec::new(),
            used,
            tokens,
            recording: None,
        }
    }

    #[test]
    fn a_call_counts_by_its_own_word_or_by_what_it_sent() {
        for (stage, told, sent, counts) in [
            (Stage::Check, Some(700), 40_000, 700),
            (Stage::Check, Some(0), 40_000, 0),
            (Stage::Check, None, 40_000, 10_000),
            (Stage::FixGenerator, None, 400, 100),
            (Stage::TestGenerator, None, 400, 100),
            (Stage::HealthCheck, None, 40_000, 0),
            (Stage::Analyzer, Some(5), 40_000, 5),
        ] {
            assert_eq!(tokens_of(&report(stage, told, sent)), counts, "{stage} {told:?} {sent}");
        }
    }

    #[test]
    fn what_calls_used_is_in_the_journal_when_they_have_ended() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path().join("journal.db")).unwrap();
        let spending = Spending::new(journal.clone(), Arc::new(Audit::new(journal.clone())));
        let rules = LoopRules { tokens_a_day: Some(1000), ..LoopRules::default() };
        let state = LoopState::new(&journal);
        spending.finished(report(Stage::Check, Some(600), 0));
        state.may_use_tokens(&rules, now()).unwrap();
        spending.finished(report(Stage::HealthCheck, None, 1 << 20));
        spending.finished(report(Stage::FixGenerator, None, 1600));
        let refused = state.may_use_tokens(&rules, now()).unwrap_err().to_string();
        assert!(refused.starts_with("1000 tokens of language models were there within 24 hours"), "{refused}");
    }
}
