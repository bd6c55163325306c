//! Parts of a list.

use std::str::FromStr;

/// Every `of`-th of them, from the `from`-th on, counted from 0.
#[derive(Clone, Copy)]
pub(crate) struct Shard {
    from: usize,
    of: usize,
}

impl Shard {
    /// Whether it has the one at this index, counted from 0.
    pub(crate) const fn has(self, index: usize) -> bool {
        index % self.of == self.from
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(from, of)| Some((from.parse().ok()?, of.parse().ok()?)));
        match parts {
            Some((from, of)) if from < of => Ok(Self { from, of }),
            _ => Err(format!("`{text}` is no part of the mutants; give one such as 0/20, up to 19/20")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_every_so_many_th_and_one_that_there_is_not_is_refused() {
        let shard: Shard = "3/20".parse().unwrap();
        assert_eq!((0..50).filter(|index| shard.has(*index)).collect::<Vec<_>>(), [3, 23, 43]);
        for wrong in ["20/20", "1", "a/b", "-1/3", "0/0"] {
            let refused = wrong.parse::<Shard>().err().unwrap();
            assert!(refused.contains(wrong) && refused.contains("such as 0/20"), "{refused}");
        }
    }
}
