//! A snapshot's name: what its key says, made fit for a command and a file, and told apart from all others by a hash.

/// Most characters that are taken of a key.
const READABLE: usize = 80;

/// The name of the snapshot that a key takes in an environment: letters, digits and `-` alone, at most 97.
pub fn id_of(environment: &str, key: &str) -> String {
    let mut readable = String::new();
    for character in key.chars().take(READABLE) {
        let fit = character.is_ascii_alphanumeric();
        if fit || !(readable.is_empty() || readable.ends_with('-')) {
            readable.push(if fit { character } else { '-' });
        }
    }
    let readable = readable.trim_end_matches('-');
    let dash = if readable.is_empty() { "" } else { "-" };
    format!("{readable}{dash}{:016x}", hash(environment.as_bytes(), key.as_bytes()))
}

/// FNV-1a of both, apart by a byte that is in no text.
fn hash(one: &[u8], other: &[u8]) -> u64 {
    one.iter()
        .chain(&[0xff])
        .chain(other)
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_says_what_took_it() {
        let id = id_of("production", "62e23fd1-1/snapshot/state-sqlite");
        assert!(id.starts_with("62e23fd1-1-snapshot-state-sqlite-"), "{id}");
        assert_ne!(id, id_of("staging", "62e23fd1-1/snapshot/state-sqlite"));
        assert_ne!(id_of("p", "a/b"), id_of("p", "a-b"));
        assert_ne!(id_of("pa", "b"), id_of("p", "ab"));
    }

    proptest! {
        #[test]
        fn whatever_the_key_the_name_is_one(environment in "\\PC{0,20}", key in "\\PC{0,200}") {
            let id = id_of(&environment, &key);
            prop_assert!(id.len() <= 97 && id.starts_with(|c: char| c.is_ascii_alphanumeric()), "{}", id);
            prop_assert!(id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'), "{}", id);
        }
    }
}
