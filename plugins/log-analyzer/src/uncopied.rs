//! What is remembered to be quicker, and can be found again.

use std::{
    fmt,
    ops::{Deref, DerefMut},
};

/// Something of which a copy knows nothing, and which is not shown.
#[derive(Default)]
pub struct Uncopied<T>(T);

impl<T: Default> Clone for Uncopied<T> {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl<T> fmt::Debug for Uncopied<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Uncopied").finish_non_exhaustive()
    }
}

impl<T> Deref for Uncopied<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Uncopied<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_knows_nothing() {
        let mut known = Uncopied::<Vec<u8>>::default();
        known.push(7);
        assert_eq!((known.len(), known.clone().len()), (1, 0));
    }
}
