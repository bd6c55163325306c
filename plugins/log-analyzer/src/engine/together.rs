//! Analyses of different sources that become one, as if one had read them all.

use std::{collections::hash_map::Entry, error, fmt};

use super::{Engine, MAX_SOURCES, Means, Share, joint};

/// A source that both analyses have read, so that they cannot be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedSource(pub String);

impl fmt::Display for SharedSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "both sessions have read `{}`; push all of a source to one session", self.0)
    }
}

impl error::Error for SharedSource {}

impl Engine {
    /// Takes in what another analysis made of other sources. The faults that were there before are those that this one knows.
    ///
    /// # Errors
    /// When both have read the same source; nothing is taken in then.
    pub fn join(&mut self, other: Self) -> Result<(), SharedSource> {
        let (Self { means, state }, other) = (self, other.state);
        let Means { settings, .. } = &*means;
        if let Some(shared) = other.sources.keys().find(|name| state.sources.contains_key(*name)) {
            return Err(SharedSource(shared.clone()));
        }
        let mut ids = state.grouping.join(other.grouping, settings.max_patterns);
        state.groups.join(other.groups, settings.max_groups);
        state.coverage = joint(state.coverage, &other.coverage);
        for (name, mut source) in other.sources {
            source.used += state.pushes;
            let Share { tracks, routes } = Share::of(state.sources.len() + 1);
            source.watched.renumber(tracks, |id| match ids.entry(id) {
                Entry::Occupied(known) => *known.get(),
                // Its pattern had to leave: it is of none here, either.
                Entry::Vacant(left) => *left.insert(state.grouping.fresh()),
            });
            source.routes.keep(routes);
            state.sources.insert(name, source);
        }
        if let Some(moves) = state.grouping.take_moves() {
            let most = Share::of(state.sources.len()).tracks;
            state.sources.values_mut().for_each(|source| source.watched.follow(most, &moves));
        }
        state.pushes += other.pushes;
        state.left_sources += other.left_sources;
        while state.sources.len() > MAX_SOURCES {
            state.leave_out_a_source(means);
        }
        Ok(())
    }
}
