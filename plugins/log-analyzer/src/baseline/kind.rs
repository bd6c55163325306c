//! The faults of one kind of source.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::DAY;
use crate::{group::Group, identity::Template, miner::stands_for, template::cut, time::SECOND};

/// Bytes of a template that are kept.
const TEMPLATE_BYTES: usize = 300;
/// Bytes of a fault besides its template.
const FAULT_BYTES: usize = 110;
/// A fault that was seen again is written again when so much time passed.
const STALE: i64 = 3600 * SECOND;

/// A fault that is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// When it was seen first, in nanoseconds.
    pub first: i64,
    last: i64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    template: Option<Template>,
}

/// The faults of one kind of source. Times in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kind {
    /// Since when its logs were looked at.
    pub since: i64,
    /// Until when.
    pub until: i64,
    faults: BTreeMap<String, Fault>,
    /// Whether faults had to leave for want of room.
    pub full: bool,
    /// Whether it differs from what is in the store by so much that it is written.
    #[serde(skip)]
    pub changed: bool,
}

impl Kind {
    /// One whose logs are looked at since then.
    pub fn new(since: i64) -> Self {
        Self { since, until: since, changed: true, ..Self::default() }
    }

    /// About how many bytes it takes.
    pub fn bytes(&self) -> usize {
        self.faults.values().map(Fault::bytes).sum()
    }

    /// The fault that a group is of: by its fingerprint, or, where the messages' values were told apart since, by its template.
    pub fn find(&self, group: &Group) -> Option<(&String, &Fault)> {
        let of_template = |(_, fault): &(&String, &Fault)| match (&fault.template, &group.template) {
            (Some(known), Some(new)) => {
                known.of == new.of && (known.text == new.text || stands_for(&known.text, &new.text))
            }
            _ => false,
        };
        self.faults.get_key_value(&group.issue.fingerprint).or_else(|| self.faults.iter().find(of_template))
    }

    /// Notes that a log was looked at that covers these times.
    pub fn cover(&mut self, begin: i64, end: i64) {
        // What was in a gap of days is not known.
        if begin.saturating_sub(self.until) > DAY {
            (self.since, self.changed) = (begin, true);
        }
        self.since = self.since.min(begin);
        if end.saturating_sub(self.until) >= STALE {
            (self.until, self.changed) = (end, true);
        }
    }

    /// Notes a fault that was seen between these times.
    pub fn learn(&mut self, group: &Group, (first, last): (i64, i64)) {
        let fingerprint = self.find(group).map_or(&group.issue.fingerprint, |(known, _)| known).clone();
        let template = group.template.as_ref().filter(|template| template.text.len() <= TEMPLATE_BYTES).cloned();
        let known = self.faults.get(&fingerprint);
        let fault = Fault {
            first: known.map_or(first, |known| known.first.min(first)),
            last: known.map_or(last, |known| known.last.max(last)),
            template,
        };
        let same = |known: &Fault| fault.last - known.last < STALE && known.template == fault.template;
        if !known.is_some_and(same) {
            self.faults.insert(fingerprint, fault);
            self.changed = true;
        }
    }

    /// Forgets what was not seen since then.
    pub fn forget_before(&mut self, oldest: i64) {
        let before = self.faults.len();
        self.faults.retain(|_, fault| fault.last >= oldest);
        self.changed |= self.faults.len() != before;
    }

    /// Takes out the least recently seen, an eighth more than needed, so that it is not needed again at once.
    pub fn shrink(&mut self, most: usize) {
        let mut bytes = self.bytes();
        if bytes <= most {
            return;
        }
        let mut seen: Vec<(i64, String)> = self.faults.iter().map(|(key, fault)| (fault.last, key.clone())).collect();
        seen.sort_unstable();
        for (_, key) in seen {
            if bytes <= most - most / 8 {
                break;
            }
            bytes -= self.faults.remove(&key).map_or(0, |fault| fault.bytes());
        }
        (self.full, self.changed) = (true, true);
    }
}

impl Fault {
    fn bytes(&self) -> usize {
        FAULT_BYTES + self.template.as_ref().map_or(0, |template| template.text.len() + template.of.len())
    }
}

/// What the names of like sources have in common: a log's rotations, and a deployment's pods, differ by words that hold digits.
pub fn kind_of(source: &str) -> String {
    let mut kind = String::new();
    let mut values = false;
    for word in source.split_inclusive(['/', '-', '_', '.']) {
        let core = word.trim_end_matches(['/', '-', '_', '.']);
        let end = word.get(core.len()..).unwrap_or_default();
        // Kubernetes ends a pod's name with five of letters and digits in which there is no vowel.
        let is_pods = values && core.len() == 5 && !core.bytes().any(|byte| b"aeiouy".contains(&byte));
        let is_value = core.bytes().any(|byte| byte.is_ascii_digit()) || is_pods;
        if is_value && values {
            kind.truncate(kind.trim_end_matches(['/', '-', '_', '.']).len());
        } else {
            kind.push_str(if is_value { "#" } else { core });
        }
        values = is_value;
        kind.push_str(end);
    }
    // `app.log.1` and `app.log-20261123.gz` are `app.log`.
    let name = kind.strip_suffix(".gz").or_else(|| kind.strip_suffix(".zst")).unwrap_or(&kind);
    let name = name.strip_suffix('#').map_or(name, |name| name.trim_end_matches(['-', '_', '.']));
    cut(if name.is_empty() { source } else { name }, 300).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotations_and_pods_are_of_one_kind() {
        for (source, kind) in [
            ("/var/log/app.log", "/var/log/app.log"),
            ("/var/log/app.log.1", "/var/log/app.log"),
            ("/var/log/app.log.12.gz", "/var/log/app.log"),
            ("app.log-20261123.gz", "app.log"),
            ("web-7d9f8b6c5-x2x1z", "web"),
            ("web-7d9f8b6c5-bcdfg", "web"),
            ("shop-2/app.log", "shop-#/app.log"),
            ("1", "1"),
        ] {
            assert_eq!(kind_of(source), kind, "{source}");
        }
    }
}
