//! The groups of faults: which event belongs to which, and how many there may be.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
};

use autodevops_sdk::types::Severity;
use serde::{Deserialize, Serialize};

use crate::{
    alike::Alike,
    baseline::Baseline,
    bytes::is_plain,
    detect::{Finding, series::Series},
    event::Event,
    group::{Coverage, Group, MAX_EVIDENCE, severity},
    identity::{Template, key, template_of},
    line::Line,
    miner::{Miner, stands_for},
    pending::MAX_EVIDENCE_BYTES,
    settings::Settings,
    uncopied::Uncopied,
    unread::Unread,
};

/// Bytes that all groups may take in a checkpoint, by [`Group::weight`].
const MAX_BYTES: usize = 11 << 20;

/// Most templates whose groups are kept at hand.
const MAX_KNOWN: usize = 1000;

/// All groups: bounded in number and bytes, the least recently seen leave first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Groups {
    groups: BTreeMap<String, Group>,
    events: u64,
    weight: usize,
    /// Groups that had to leave.
    left: u64,
    miner: Miner,
    /// The groups of templates, as long as the miner learns nothing new.
    #[serde(skip)]
    known: HashMap<Template, String>,
    /// The last record without a stack, and its group: logs repeat themselves.
    #[serde(skip)]
    last: Option<(Event, Severity, String)>,
    /// The groups of records that are like one before, as long as those of templates are known.
    #[serde(skip)]
    alike: Uncopied<Alike>,
}

impl Groups {
    /// Adds an event; gives how much it matters.
    pub fn add(&mut self, source: &str, mut event: Event, settings: &Settings) -> Severity {
        let (root, most) = (settings.root.as_str(), settings.max_groups);
        self.events += 1;
        let (severity, key) = match self.last.take() {
            Some((last, severity, key)) if last.says_the_same(&event) => (severity, key),
            _ => {
                let severity = severity(&event);
                let key = match template_of(&event, severity) {
                    Some(template) => self.mine(template, &event, severity, root),
                    None => key(&event, root),
                };
                (severity, key)
            }
        };
        // Most are of a group that there is: it needs no key of its own.
        let group = match self.groups.get_mut(&key) {
            Some(group) => group,
            None => {
                let begun = Group::new(key.clone(), &event, severity, root, self.events);
                self.groups.entry(key.clone()).or_insert(begun)
            }
        };
        group.used = self.events;
        group.issue.count += 1;
        group.rise_to(severity, &event);
        if let Some(time) = event.time {
            group.count(time);
        }
        group.name(event.lines.iter().map(|(_, text)| text.as_bytes()));
        if group.issue.evidence.len() < MAX_EVIDENCE {
            group.show(source, &event.lines);
            self.weight -= group.weight;
            group.weight = group.weight();
            self.weight += group.weight;
        }
        if self.groups.len() > most || self.weight > MAX_BYTES {
            self.make_room(most);
        }
        if let Some(alone) = event.alone.take() {
            self.alike.learn(alone, &event, severity, &key);
        }
        if event.stack.is_empty() {
            self.last = Some((event, severity, key));
        }
        severity
    }

    /// Whether the record of a line is of a kind that is known.
    #[inline]
    pub fn know(&self, line: &Line<'_>) -> bool {
        line.form.zip(line.level).is_some_and(|(form, level)| self.alike.group(form, level, line.component).is_some())
    }

    /// Counts a record of a kind that is known; gives how much it matters. Not where more is to be done with it than to count it: where its
    /// line is shown, or is one of those that are `shown` of its source if it is an error.
    pub fn again(&mut self, record: &Unread, shown: bool) -> Option<Severity> {
        let Unread { form, level, .. } = *record;
        let (key, severity) = self.alike.group(form, level, record.component())?;
        if shown && severity >= Severity::Error {
            return None;
        }
        let group = self.groups.get_mut(key).filter(|group| group.issue.evidence.len() >= MAX_EVIDENCE)?;
        if group.wants_names() {
            let text = record.raw().get(..MAX_EVIDENCE_BYTES).unwrap_or(record.raw());
            if !is_plain(text) {
                return None;
            }
            group.name(std::iter::once(text));
        }
        self.events += 1;
        group.used = self.events;
        group.issue.count += 1;
        group.rise_to_record(severity, level);
        if let Some(time) = record.time() {
            group.count(time);
        }
        // It is the last no more, and its group is found as well by its template.
        self.last = None;
        Some(severity)
    }

    /// The group of a template, made when there is none. Groups that it turned out to stand for are merged into it.
    fn mine(&mut self, template: Template, event: &Event, severity: Severity, root: &str) -> String {
        if let Some(key) = self.known.get(&template).filter(|key| self.groups.contains_key(*key)) {
            return key.clone();
        }
        let asked = template;
        let (key, template) = self.learn(&asked);
        self.known.insert(asked, key.clone());
        let group = self
            .groups
            .entry(key.clone())
            .or_insert_with(|| Group::new(key.clone(), event, severity, root, self.events));
        group.template = Some(template);
        key
    }

    /// What the template turned out to be, and the key of its group.
    fn learn(&mut self, asked: &Template) -> (String, Template) {
        let learnt = self.miner.learn(asked.text.clone());
        let template = Template { text: learnt.template, of: asked.of.clone() };
        let key = template.fingerprint();
        if learnt.general {
            self.generalize(&template, &key);
        }
        if learnt.new || self.known.len() >= MAX_KNOWN {
            self.known.clear();
            self.alike.clear();
        }
        (key, template)
    }

    /// Takes in the groups of other sources, as if their events had come after those here.
    pub fn join(&mut self, other: Self, most: usize) {
        let Self { groups, events, left, miner, .. } = other;
        // What is known of words in both together may make one group of several in either.
        self.miner.join(miner);
        (self.known, self.last, self.alike) = Default::default();
        let before = self.events;
        let later = groups.into_iter().map(|(key, mut group)| {
            group.begun += before;
            group.used += before;
            (key, group)
        });
        let mut all: Vec<(String, Group)> = std::mem::take(&mut self.groups).into_iter().chain(later).collect();
        all.sort_by_key(|(_, group)| group.begun);
        self.weight = 0;
        for (key, group) in all {
            self.take_in(key, group);
        }
        self.events += events;
        self.left += left;
        if self.groups.len() > most || self.weight > MAX_BYTES {
            self.make_room(most);
        }
    }

    fn take_in(&mut self, key: String, mut group: Group) {
        let (key, template) = match &group.template {
            Some(template) => {
                let (key, template) = self.learn(template);
                (key, Some(template))
            }
            None => (key, None),
        };
        group.template.clone_from(&template);
        // It became more general since it was first told of: others that were read elsewhere are of it, too.
        let general = template.filter(|_| group.issue.fingerprint != key);
        match self.groups.get_mut(&key) {
            Some(known) => {
                self.weight -= known.weight;
                known.merge(&group);
                known.weight = known.weight();
                self.weight += known.weight;
            }
            None => {
                group.weight = group.weight();
                self.weight += group.weight;
                self.groups.insert(key.clone(), group);
            }
        }
        if let Some(template) = general {
            self.generalize(&template, &key);
        }
    }

    fn generalize(&mut self, template: &Template, key: &str) {
        let is_special = |group: &Group| {
            group.template.as_ref().is_some_and(|special| {
                special.of == template.of && special != template && stands_for(&template.text, &special.text)
            })
        };
        let mut merged: Vec<(u64, String)> = self
            .groups
            .iter()
            .filter(|(known, group)| *known == key || is_special(group))
            .map(|(known, group)| (group.begun, known.clone()))
            .collect();
        merged.sort_unstable();
        // The first that was seen tells of all.
        let mut all: Option<Group> = None;
        for (_, known) in merged {
            let Some(group) = self.groups.remove(&known) else { continue };
            self.weight -= group.weight;
            match &mut all {
                Some(all) => all.merge(&group),
                None => all = Some(group),
            }
        }
        let Some(mut group) = all else { return };
        // The fingerprint stays what it was when the fault was first told of, so that it is known again.
        group.template = Some(template.clone());
        group.weight = group.weight();
        self.weight += group.weight;
        self.groups.insert(key.to_owned(), group);
    }

    /// Takes out the least recently seen, an eighth more than needed, so that it is not needed again at once.
    fn make_room(&mut self, most: usize) {
        let mut used: Vec<(u64, String)> = self.groups.iter().map(|(key, group)| (group.used, key.clone())).collect();
        used.sort_unstable();
        let (number, bytes) = (most - most / 8, MAX_BYTES - MAX_BYTES / 8);
        for (_, key) in used {
            if self.groups.len() <= number.max(1) && self.weight <= bytes {
                break;
            }
            if let Some(group) = self.groups.remove(&key) {
                self.weight -= group.weight;
                self.left += 1;
            }
        }
    }

    /// Takes the times of groups that lie between two for none: the clock that told them was wrong.
    pub fn were_not(&mut self, (from, to): (i64, i64)) {
        let within = |group: &&mut Group| group.times.is_some_and(|(first, last)| first >= from && last <= to);
        for group in self.groups.values_mut().filter(within) {
            (group.times, group.series) = (None, Series::default());
            (group.issue.first_seen, group.issue.last_seen) = (None, None);
        }
    }

    /// What is wrong; the coverage, and the load, which is all lines over time, are of times with a year and of those without.
    pub fn findings(
        &self,
        [dated, undated]: [Coverage; 2],
        loads: &[Series; 2],
        baseline: &Baseline,
        settings: &Settings,
    ) -> Vec<Finding> {
        let faults = self.groups.values().filter(|group| group.is_sure());
        let earliest = faults.filter_map(|group| group.times).map(|(first, _)| first).min();
        let of = |group: &Group| {
            let is_alone = group.times.is_some_and(|(first, _)| earliest.is_none_or(|earliest| first <= earliest));
            let [load, other] = loads;
            let (coverage, load) = if group.dated { (dated, load) } else { (undated, other) };
            let past = baseline.past(group);
            let severity = settings.severity_of(&group.issue);
            let group = severity.map_or(Cow::Borrowed(group), |severity| Cow::Owned(group.of_severity(severity)));
            group.finding(coverage, load, is_alone, &past)
        };
        self.groups.values().filter_map(of).collect()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Group> {
        self.groups.values()
    }

    /// Groups that had to leave.
    pub fn left(&self) -> u64 {
        self.left
    }
}
