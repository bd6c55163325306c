//! What of several logs is read as they grow.

use std::collections::BTreeMap;

use super::{Amiss, Sieve};

/// A sieve for each log.
#[derive(Debug, Default)]
pub struct Sieves(BTreeMap<String, (Sieve, bool)>);

impl Sieves {
    /// What is to be read of a part of a log; and what was amiss, where that is seen of the log for the first time.
    pub fn sift(&mut self, source: &str, part: Vec<u8>) -> (Vec<u8>, Option<Amiss>) {
        if !self.0.contains_key(source) {
            self.0.insert(source.to_owned(), Default::default());
        }
        let Some((sieve, is_told)) = self.0.get_mut(source) else { return (part, None) };
        let mut room = Vec::new();
        let is_whole = std::ptr::eq(sieve.sift(&part, &mut room), part.as_slice());
        let amiss = sieve.amiss();
        let tells = amiss != Amiss::default() && !std::mem::replace(is_told, *is_told || amiss != Amiss::default());
        (if is_whole { part } else { room }, tells.then_some(amiss))
    }

    /// Forgets those logs of which it is not said that they are followed still.
    pub fn keep(&mut self, is_followed: impl Fn(&str) -> bool) {
        self.0.retain(|source, _| is_followed(source));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_log_is_sifted_by_itself_and_what_is_amiss_is_told_once_of_each() {
        let mut sieves = Sieves::default();
        let whole = b"a line\nand anoth".to_vec();
        assert_eq!(sieves.sift("a", whole.clone()), (whole, None));
        let mut hole = vec![0; 70_000];
        hole.extend(b"er\nERROR behind a hole\n");
        let (kept, amiss) = sieves.sift("a", hole.clone());
        assert_eq!(String::from_utf8(kept).unwrap(), "er\nERROR behind a hole\n");
        assert_eq!(amiss, Some(Amiss { nul_bytes: 70_000, ..Amiss::default() }));
        assert_eq!(sieves.sift("a", hole.clone()).1, None, "it is known");
        assert!(sieves.sift("b", hole.clone()).1.is_some(), "of another log it is not");
        sieves.keep(|source| source == "b");
        assert!(sieves.sift("a", hole.clone()).1.is_some(), "it is forgotten");
        assert_eq!(sieves.sift("b", hole).1, None, "it is known");
    }
}
