//! What a version of a plugin asks for that the version before did not, and the other way round; in words.

use crate::{
    Access, Destination, Limit,
    asked::{Asked, AskedCredential},
    words,
};

/// The difference of what two versions ask for. Each phrase follows on "It asks to".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// What was not asked for before.
    pub new: Vec<String>,
    /// What was asked for before, and less of it.
    pub widened: Vec<String>,
    /// What is not asked for any more, or less of it.
    pub gone: Vec<String>,
}

impl Difference {
    /// Whether both ask for the same.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the later one asks for anything that the earlier one did not.
    pub fn asks_for_more(&self) -> bool {
        !self.new.is_empty() || !self.widened.is_empty()
    }
}

/// What is new, what was widened and what is gone between two versions.
pub fn difference(before: &Asked, now: &Asked) -> Difference {
    let mut found = Difference::default();
    for ((was, _, words), (is, ..)) in before.flags().into_iter().zip(now.flags()) {
        match (was, is) {
            (false, true) => found.new.push(words.to_owned()),
            (true, false) => found.gone.push(words.to_owned()),
            _ => {}
        }
    }
    http(&before.http, &now.http, &mut found);
    files(before, now, &mut found);
    found.new.extend(now.commands.difference(&before.commands).map(|name| words::command(name)));
    found.gone.extend(before.commands.difference(&now.commands).map(|name| words::command(name)));
    credentials(before, now, &mut found);
    let (was, is) = (before.limits(), now.limits());
    for limit in Limit::ALL.iter().copied() {
        match was.amount(limit).cmp(&is.amount(limit)) {
            std::cmp::Ordering::Less => found.widened.push(words::limit_words(&is, limit, "before", &was)),
            std::cmp::Ordering::Greater => found.gone.push(words::limit_words(&was, limit, "now", &is)),
            std::cmp::Ordering::Equal => {}
        }
    }
    found
}

fn files(before: &Asked, now: &Asked, found: &mut Difference) {
    for (guest, access) in &now.files {
        match before.files.get(guest) {
            None => found.new.push(words::folder(guest, *access)),
            Some(Access::ReadOnly) if *access == Access::ReadWrite => {
                found.widened.push(format!("{} (before: only read)", words::folder(guest, *access)));
            }
            Some(_) => {}
        }
    }
    for (guest, access) in &before.files {
        match now.files.get(guest) {
            None => found.gone.push(words::folder(guest, *access)),
            Some(Access::ReadOnly) if *access == Access::ReadWrite => {
                found.gone.push(format!("{} (now: only read)", words::folder(guest, *access)));
            }
            Some(_) => {}
        }
    }
}

fn http(before: &[Destination], now: &[Destination], found: &mut Difference) {
    for destination in now.iter().filter(|one| !is_covered(one, before)) {
        match overlapping(destination, before).as_slice() {
            [] => found.new.push(words::send(destination)),
            known => found.widened.push(format!("{} (before: {})", words::send(destination), words::list(known))),
        }
    }
    for destination in before.iter().filter(|one| !is_covered(one, now)) {
        match overlapping(destination, now).as_slice() {
            [] => found.gone.push(words::send(destination)),
            kept => found.gone.push(format!("{} (now: {})", words::send(destination), words::list(kept))),
        }
    }
}

/// Whether each of the destination's methods is allowed for all of its origin.
pub(crate) fn is_covered(destination: &Destination, by: &[Destination]) -> bool {
    excess(destination, by).is_none()
}

/// What of a destination is not allowed by the others: those of its methods that none of them has for all of its origin.
pub(crate) fn excess(destination: &Destination, allowed: &[Destination]) -> Option<Destination> {
    let wider = allowed.iter().filter(|one| one.origin.covers(&destination.origin));
    let methods = wider.fold(destination.methods, |methods, one| methods.without(one.methods));
    (!methods.is_empty()).then(|| Destination { origin: destination.origin.clone(), methods })
}

fn overlapping<'a>(destination: &Destination, others: &'a [Destination]) -> Vec<&'a Destination> {
    others.iter().filter(|other| other.origin.overlaps(&destination.origin)).collect()
}

fn credentials(before: &Asked, now: &Asked, found: &mut Difference) {
    let phrase =
        |name: &str, asked: &AskedCredential| words::credential(name, &asked.origins, &asked.header, &asked.prefix);
    for (name, asked) in &now.credentials {
        let Some(known) = before.credentials.get(name) else {
            found.new.push(phrase(name, asked));
            continue;
        };
        let wider = asked.origins.iter().any(|origin| !known.origins.iter().any(|known| known.covers(origin)));
        if wider {
            found.widened.push(format!("{} (before: for {})", phrase(name, asked), words::list(&known.origins)));
        }
        if (&asked.header, &asked.prefix) != (&known.header, &known.prefix) {
            found.widened.push(format!(
                "send the credential `{name}` as `{}: {}…` (before: `{}: {}…`)",
                asked.header, asked.prefix, known.header, known.prefix
            ));
        }
    }
    for (name, known) in &before.credentials {
        match now.credentials.get(name) {
            None => found.gone.push(phrase(name, known)),
            Some(asked) => {
                let kept = |origin| asked.origins.iter().any(|asked| asked.covers(origin));
                if !known.origins.iter().all(kept) {
                    found.gone.push(format!("{} (now: for {})", phrase(name, known), words::list(&asked.origins)));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
