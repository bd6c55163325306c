//! Shapes that were seen: most lines have one that was, so that they need no look at their pattern.
//!
//! It holds nothing that cannot be found again, so it is not saved, and a shape may be forgotten at any time.

/// Shapes that are remembered at most.
const MAX_SHAPES: usize = 1 << 14;

/// Shapes, each in the place that its hash gives it: the newer stays.
#[derive(Clone, Debug, Default)]
pub struct Cache(Vec<(u64, u32, bool)>);

/// No pattern's slot.
const NONE: u32 = u32::MAX;

impl Cache {
    fn place(hash: u64) -> usize {
        // The high bits of a product are the best mixed.
        (hash >> (64 - MAX_SHAPES.ilog2())) as usize
    }

    /// The slot of the pattern of a shape, and whether its words are plain.
    #[inline]
    pub fn get(&self, hash: u64) -> Option<(usize, bool)> {
        let (known, slot, plain) = self.0.get(Self::place(hash))?;
        (*known == hash && *slot != NONE).then_some((*slot as usize, *plain))
    }

    /// Remembers a shape.
    pub fn put(&mut self, hash: u64, slot: usize, plain: bool) {
        if self.0.is_empty() {
            self.0.resize(MAX_SHAPES, (0, NONE, false));
        }
        if let (Some(place), Ok(slot)) = (self.0.get_mut(Self::place(hash)), u32::try_from(slot)) {
            *place = (hash, slot, plain);
        }
    }

    /// Forgets all, since slots have changed.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}
