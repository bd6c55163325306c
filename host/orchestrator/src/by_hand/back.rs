//! Which releases a person's rollback goes back to: services whose releases came together go back together.

use anyhow::{Result, bail};
use autodevops_model::Release;

use crate::{
    live::WasLive,
    usage::{Declined, Usage},
};

/// A service's place, and what was live there, newest first.
pub struct Past {
    /// What the target calls it.
    pub place: String,
    pub history: Vec<WasLive>,
    /// What a rollback goes back to by itself.
    pub before: Option<Release>,
}

impl Past {
    fn current(&self) -> Option<&WasLive> {
        self.history.first()
    }
}

/// What is to be live, by the index of its place: of the release that came last, and of those that came with it, those before them; or the
/// named one, and what served beside it.
///
/// # Errors
/// [`Declined`] when there is nothing to go back to in one of them: then none goes back; [`Usage`] when the named one never served.
pub fn back(environment: &str, past: &[Past], to: Option<&str>) -> Result<Vec<(usize, Release)>> {
    let Some(wanted) = to else { return before(environment, past) };
    let known: Vec<&str> = past.iter().flat_map(|one| &one.history).map(|was| was.release.id.as_str()).collect();
    let has = |one: &&Past| one.history.iter().any(|was| was.release.id == wanted);
    let Some(named) = past.iter().find(has) else {
        let known = match &*known {
            [] => format!("none; have one serve with `autodevops deploy --to {environment}`"),
            known => format!("{}; name one of them", known.join(", ")),
        };
        bail!(Usage(format!("release {wanted} was never live in {environment}; those that were: {known}")));
    };
    if named.current().is_some_and(|was| was.release.id == wanted) {
        bail!(Declined(format!(
            "release {wanted} is live in {} already; name another, or leave --to out",
            named.place
        )));
    }
    let at = named.history.iter().position(|was| was.release.id == wanted).unwrap_or_default();
    let (Some(live), Some(after), Some(release)) =
        (named.current(), named.history.get(at.saturating_sub(1)), named.history.get(at))
    else {
        bail!(Declined(format!(
            "release {wanted} is not known any more; have its commit serve with `autodevops deploy --to {environment}`"
        )));
    };
    let mut moves = Vec::new();
    for (index, one) in past.iter().enumerate() {
        if one.place == named.place {
            moves.push((index, release.release.clone()));
            continue;
        }
        let came_with = |was: &WasLive| was.release.commit == live.release.commit;
        if !one.current().is_some_and(came_with) {
            continue;
        }
        // What took the named one's place took this one's place, too, a moment before or after.
        let beside = |was: &&WasLive| was.since < after.since && was.release.commit != after.release.commit;
        match one.history.iter().find(beside) {
            Some(was) => moves.push((index, was.release.clone())),
            None => bail!(Declined(format!(
                "nothing served in {} beside {wanted}, so that none goes back; have the commit serve that is to, with `autodevops deploy --to \
                 {environment}`",
                one.place
            ))),
        }
    }
    Ok(moves)
}

fn before(environment: &str, past: &[Past]) -> Result<Vec<(usize, Release)>> {
    let newest = past.iter().filter_map(Past::current).max_by_key(|was| was.since);
    let Some(newest) = newest else { bail!(nothing_before(environment, environment, &[])) };
    let together = |one: &Past| one.current().is_some_and(|was| was.release.commit == newest.release.commit);
    let mut moves = Vec::new();
    for (index, one) in past.iter().enumerate().filter(|(_, one)| together(one)) {
        match &one.before {
            Some(release) => moves.push((index, release.clone())),
            None => bail!(nothing_before(environment, &one.place, &one.history)),
        }
    }
    Ok(moves)
}

/// Why there is no release to go back to, and what to do.
fn nothing_before(environment: &str, place: &str, history: &[WasLive]) -> Declined {
    let current = history.first().map(|was| &was.release);
    let mut left: Vec<&str> =
        history.iter().filter(|was| Some(&was.release) != current).map(|was| was.release.id.as_str()).collect();
    left.dedup();
    let Some(newest) = left.first() else {
        return Declined(format!(
            "no release was live in {place} before the one that is; there is nothing to go back to: have another serve with `autodevops \
             deploy --to {environment}`"
        ));
    };
    Declined(format!(
        "every other release that was live in {place} was gone back from: {}; name one to have it again all the same, such as \
         `autodevops rollback {environment} --to {newest}`",
        left.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use autodevops_pipeline::Timestamp;

    use super::*;
    use crate::live::Origin;

    /// What was live, newest first: the release, its commit, and since when.
    fn past(place: &str, history: &[(&str, &str, i64)]) -> Past {
        let was = |(id, commit, since): &(&str, &str, i64)| WasLive {
            release: Release { id: (*id).into(), artifact: "sha256:0".into(), commit: (*commit).into() },
            since: Timestamp(*since),
            by: Origin::Deploy("ada".into()),
        };
        let history: Vec<WasLive> = history.iter().map(was).collect();
        let before = history.get(1).map(|was| was.release.clone());
        Past { place: place.into(), history, before }
    }

    fn ids(moves: Result<Vec<(usize, Release)>>) -> Vec<(usize, String)> {
        moves.unwrap().into_iter().map(|(index, release)| (index, release.id)).collect()
    }

    #[test]
    fn what_came_together_goes_back_together_and_what_came_before_stays() {
        let cart = past("production-cart", &[("cart-2", "c2", 21), ("cart-1", "c1", 11)]);
        let shop = past("production-shop", &[("shop-2", "c2", 22), ("shop-1", "c1", 12)]);
        let mail = past("production-mail", &[("mail-1", "c1", 13), ("mail-0", "c0", 3)]);
        let past = [cart, shop, mail];
        assert_eq!(ids(back("production", &past, None)), [(0, "cart-1".into()), (1, "shop-1".into())]);
        assert_eq!(ids(back("production", &past, Some("shop-1"))), [(0, "cart-1".into()), (1, "shop-1".into())]);
        assert_eq!(ids(back("production", &past, Some("mail-0"))), [(2, "mail-0".into())]);
    }

    #[test]
    fn what_served_beside_the_named_one_serves_beside_it_again() {
        // A release of both came third, one of the shop alone second.
        let cart = past("production-cart", &[("cart-3", "c3", 31), ("cart-1", "c1", 11)]);
        let shop = past("production-shop", &[("shop-3", "c3", 32), ("shop-2", "c2", 22), ("shop-1", "c1", 12)]);
        let past = [cart, shop];
        assert_eq!(ids(back("production", &past, Some("shop-1"))), [(0, "cart-1".into()), (1, "shop-1".into())]);
        assert_eq!(ids(back("production", &past, Some("cart-1"))), [(0, "cart-1".into()), (1, "shop-2".into())]);
    }

    #[test]
    fn where_one_has_nothing_to_go_back_to_none_goes_back() {
        let past =
            [past("production-cart", &[("a", "c2", 2), ("b", "c1", 1)]), past("production-shop", &[("c", "c2", 3)])];
        let error = back("production", &past, None).unwrap_err();
        assert!(error.is::<Declined>(), "{error:#}");
        let error = error.to_string();
        assert!(error.contains("no release was live in production-shop before"), "{error}");
        assert!(error.ends_with("have another serve with `autodevops deploy --to production`"), "{error}");
        let error = back("production", &past, Some("x")).unwrap_err().to_string();
        assert!(error.ends_with("never live in production; those that were: a, b, c; name one of them"), "{error}");
        let error = back("production", &past, Some("c")).unwrap_err();
        assert!(error.is::<Declined>(), "{error:#}");
        let error = error.to_string();
        assert!(error.ends_with("live in production-shop already; name another, or leave --to out"), "{error}");
        let error = back("production", &[], Some("x")).unwrap_err().to_string();
        assert!(error.ends_with("were: none; have one serve with `autodevops deploy --to production`"), "{error}");
    }
}
