//! What becomes of records that tell of faults.

use autodevops_sdk::types::Severity;

use super::{Means, State};
use crate::{
    event::{Event, Finished},
    settings::Settings,
    source::{MAX_EVIDENCE, Source},
    unread::Unread,
};

impl State {
    /// Takes a record to which no more lines belong.
    pub(super) fn finished(&mut self, name: &str, source: &mut Source, finished: Finished, means: &Means) {
        match finished {
            Finished::Read(event) => self.event(name, source, event, means),
            Finished::Unread(record) => {
                if !self.count_again(source, &record, &means.settings)
                    && let Some(event) = record.read(&means.words)
                {
                    self.event(name, source, event, means);
                }
                source.assembler.take_back(record);
            }
        }
    }

    /// Counts a record of a kind that is known, where no more is to be done with it; whether that is so.
    fn count_again(&mut self, source: &mut Source, record: &Unread, settings: &Settings) -> bool {
        if settings.asks_for_texts() {
            return false;
        }
        let is_shown = source.evidence.len() < MAX_EVIDENCE;
        let Some(severity) = self.groups.again(record, is_shown) else { return false };
        if severity >= Severity::Error {
            source.count_error(record.time());
        }
        true
    }

    fn event(&mut self, name: &str, source: &mut Source, mut event: Event, means: &Means) {
        let Means { settings, maps, .. } = means;
        let texts = || std::iter::once(&event.content).chain(event.lines.iter().map(|(_, text)| text));
        if texts().any(|text| settings.ignores_text(text)) {
            return;
        }
        let wanted = texts().find_map(|text| settings.severity_of_text(text));
        maps.apply(&mut event, &mut self.looked);
        let time = event.time;
        let is_shown = source.evidence.len() < MAX_EVIDENCE;
        let first = event.lines.first().filter(|_| is_shown).cloned();
        let severity = self.groups.add(name, event, settings);
        if wanted.unwrap_or(severity) >= Severity::Error {
            source.count_error(time);
            source.evidence.extend(first);
        }
    }
}
