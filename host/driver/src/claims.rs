//! Which run has which services to itself: no two release one at the same time, and a run has all that it wants or none.
//!
//! What the runs have is on record in their events, and read from there when the process starts; here it is decided who is next. Whoever
//! waits has no services, so that no two wait for each other; and nobody is given a service for which another waits since before, so that
//! everyone's turn comes, also that of a run that wants all.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use autodevops_pipeline::Awaited;
use tokio::sync::watch;

/// A run, and the services that it has or wants, by their names.
type Wish = (String, BTreeSet<String>);

/// The services of a project, as its runs have them.
#[derive(Debug)]
pub struct Claims {
    state: Mutex<State>,
    /// Counts changes: whoever waits looks again.
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    had: BTreeMap<String, BTreeSet<String>>,
    /// Who waits, longest first.
    waiting: Vec<Wish>,
}

impl Default for Claims {
    fn default() -> Self {
        Self { state: Mutex::default(), changes: watch::Sender::new(0) }
    }
}

impl Claims {
    /// Services that a run has by what is on record.
    pub fn has(&self, run: &str, services: Vec<String>) {
        if !services.is_empty() {
            self.state().had.insert(run.to_owned(), services.into_iter().collect());
        }
    }

    /// Gives the services to the run, all or none.
    ///
    /// # Errors
    /// Who has one of them, or waited for it before: the run waits for that one, and is to ask again when something [changes](Self::changes).
    pub fn ask(&self, run: &str, services: &[String]) -> Result<(), Awaited> {
        let wanted: BTreeSet<String> = services.iter().cloned().collect();
        let mut state = self.state();
        // Part of what it has already is nobody else's.
        if !state.had.get(run).is_some_and(|had| had.is_superset(&wanted)) {
            if state.had.remove(run).is_some() {
                self.changed();
            }
            if let Some(awaited) = state.before(run, &wanted) {
                match state.waiting.iter_mut().find(|(waiting, _)| waiting == run) {
                    Some((_, before)) => *before = wanted,
                    None => state.waiting.push((run.to_owned(), wanted)),
                }
                return Err(awaited);
            }
        }
        state.waiting.retain(|(waiting, _)| waiting != run);
        state.had.insert(run.to_owned(), wanted);
        Ok(())
    }

    /// Takes all from a run that is over, or moves nothing any more, and its place among those that wait.
    pub fn free(&self, run: &str) {
        let mut state = self.state();
        state.had.remove(run);
        state.waiting.retain(|(waiting, _)| waiting != run);
        drop(state);
        self.changed();
    }

    /// What changes whenever someone who waits may have a turn. Subscribe before asking.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn changed(&self) {
        self.changes.send_modify(|times| *times += 1);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Who has one of the services, or waits for one since before this run does.
    fn before(&self, run: &str, wanted: &BTreeSet<String>) -> Option<Awaited> {
        let ahead = self.waiting.iter().take_while(|(waiting, _)| waiting != run);
        let others = self.had.iter().chain(ahead.map(|(run, services)| (run, services)));
        others.filter(|(other, _)| *other != run).find_map(|(other, services)| {
            let common: Vec<String> = services.intersection(wanted).cloned().collect();
            (!common.is_empty()).then(|| Awaited { run: other.clone(), services: common })
        })
    }
}

#[cfg(test)]
mod worlds;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn asks(claims: &Claims, run: &str, services: &[&str]) -> Result<(), (String, Vec<String>)> {
        let services: Vec<String> = services.iter().map(|service| (*service).to_owned()).collect();
        claims.ask(run, &services).map_err(|Awaited { run, services }| (run, services))
    }

    fn waits_for(run: &str, services: &[&str]) -> Result<(), (String, Vec<String>)> {
        Err((run.to_owned(), services.iter().map(|service| (*service).to_owned()).collect()))
    }

    #[test]
    fn runs_of_disjoint_services_go_side_by_side_and_others_wait_for_whoever_has_them() {
        let claims = Claims::default();
        claims.has("a", vec!["cart".into()]);
        claims.has("b", Vec::new());
        assert_eq!(asks(&claims, "b", &["shop"]), Ok(()));
        assert_eq!(asks(&claims, "c", &["cart", "mail"]), waits_for("a", &["cart"]));
        assert_eq!(asks(&claims, "c", &["cart", "mail"]), waits_for("a", &["cart"]), "still");
        assert_eq!(asks(&claims, "a", &["cart"]), Ok(()), "it has it");
        claims.free("b");
        assert_eq!(asks(&claims, "c", &["cart", "mail"]), waits_for("a", &["cart"]), "that was another's");
        claims.free("a");
        assert_eq!(asks(&claims, "c", &["cart", "mail"]), Ok(()));
    }

    #[test]
    fn nobody_overtakes_one_that_waits_for_the_same() {
        let claims = Claims::default();
        asks(&claims, "a", &["cart"]).unwrap();
        assert_eq!(asks(&claims, "all", &["cart", "shop"]), waits_for("a", &["cart"]));
        assert_eq!(asks(&claims, "b", &["shop"]), waits_for("all", &["shop"]), "though nobody has it");
        claims.free("a");
        assert_eq!(asks(&claims, "b", &["shop"]), waits_for("all", &["shop"]));
        assert_eq!(asks(&claims, "all", &["cart", "shop"]), Ok(()));
        claims.free("all");
        assert_eq!(asks(&claims, "b", &["shop"]), Ok(()));
        // One that is over before its turn came is in nobody's way.
        assert_eq!(asks(&claims, "c", &["shop", "cart"]), waits_for("b", &["shop"]));
        claims.free("c");
        assert_eq!(asks(&claims, "d", &["cart"]), Ok(()));
    }

    #[test]
    fn everyone_keeps_the_place_and_the_wish_of_their_own_when_others_ask_again_or_have_their_turn() {
        let claims = Claims::default();
        asks(&claims, "a", &["cart", "shop"]).unwrap();
        assert_eq!(asks(&claims, "b", &["cart"]), waits_for("a", &["cart"]));
        assert_eq!(asks(&claims, "c", &["shop"]), waits_for("a", &["shop"]));
        assert_eq!(asks(&claims, "d", &["mail"]), Ok(()), "nobody waits for that");
        claims.free("a");
        assert_eq!(asks(&claims, "e", &["cart"]), waits_for("b", &["cart"]));
        assert_eq!(asks(&claims, "c", &["shop"]), Ok(()));
        assert_eq!(asks(&claims, "e", &["cart"]), waits_for("b", &["cart"]));
        assert_eq!(asks(&claims, "b", &["cart"]), Ok(()));
    }

    #[test]
    fn one_that_looked_for_another_fix_keeps_what_it_wants_still_and_leaves_the_rest() {
        let claims = Claims::default();
        asks(&claims, "a", &["cart", "shop"]).unwrap();
        assert_eq!(asks(&claims, "b", &["shop"]), waits_for("a", &["shop"]));
        assert_eq!(asks(&claims, "a", &["cart"]), Ok(()), "nobody is before it");
        assert_eq!(asks(&claims, "b", &["shop"]), Ok(()));
        // Whoever waits has nothing, or two would wait for each other.
        assert_eq!(asks(&claims, "a", &["cart", "shop"]), waits_for("b", &["shop"]));
        assert_eq!(asks(&claims, "c", &["cart"]), waits_for("a", &["cart"]));
        claims.free("b");
        assert_eq!(asks(&claims, "a", &["cart", "shop"]), Ok(()));
    }

    #[tokio::test]
    async fn whoever_waits_is_told_when_services_come_free() {
        let claims = Claims::default();
        asks(&claims, "a", &["cart"]).unwrap();
        let mut changes = claims.changes();
        assert!(asks(&claims, "b", &["cart"]).is_err() && !changes.has_changed().unwrap());
        claims.free("a");
        changes.changed().await.unwrap();
        asks(&claims, "b", &["cart"]).unwrap();
    }

    /// What a run does next.
    #[derive(Clone, Copy, Debug)]
    enum Does {
        Asks(usize, u8),
        Ends(usize),
    }

    fn does() -> impl Strategy<Value = Does> {
        prop_oneof![3 => (0..6_usize, 1..16_u8).prop_map(|(run, of)| Does::Asks(run, of)), 1 => (0..6_usize).prop_map(Does::Ends)]
    }

    fn services(of: u8) -> Vec<String> {
        (0..4).filter(|bit| of & (1 << bit) != 0).map(|bit| format!("s{bit}")).collect()
    }

    proptest! {
        #[test]
        fn no_two_runs_have_one_service_nobody_has_a_part_and_everyone_has_a_turn(all in prop::collection::vec(does(), 1..60)) {
            let claims = Claims::default();
            // What each run asked for last.
            let mut asked: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for does in all {
                match does {
                    Does::Asks(run, of) => {
                        let run = format!("r{run}");
                        let given = claims.ask(&run, &services(of));
                        asked.insert(run.clone(), services(of));
                        prop_assert!(given.is_ok() || !claims.state().had.contains_key(&run));
                        if let Err(awaited) = given {
                            prop_assert!(awaited.run != run && asked.contains_key(&awaited.run), "{awaited}");
                        }
                    }
                    Does::Ends(run) => {
                        claims.free(&format!("r{run}"));
                        asked.remove(&format!("r{run}"));
                    }
                }
                let had = claims.state().had.clone();
                let mut seen = BTreeSet::new();
                for (run, services) in &had {
                    prop_assert!(services.iter().all(|service| seen.insert(service.clone())), "{had:?}");
                    prop_assert_eq!(&services.iter().cloned().collect::<Vec<_>>(), &asked[run]);
                }
            }
            // Those that have their services end one after the other, and those that wait ask again: each comes to its turn.
            while !asked.is_empty() {
                let have: Vec<String> = claims.state().had.keys().cloned().collect();
                for run in have {
                    claims.free(&run);
                    asked.remove(&run);
                }
                let before = claims.state().had.len();
                for (run, services) in &asked {
                    drop(claims.ask(run, services));
                }
                prop_assert!(asked.is_empty() || claims.state().had.len() > before, "all wait: {:?}", claims.state());
            }
        }
    }
}
