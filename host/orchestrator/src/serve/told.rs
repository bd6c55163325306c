//! What is told once, until it is something else.

use crate::driver::Observer;

/// What was told last.
#[derive(Debug, Default)]
pub(super) struct Told(String);

impl Told {
    /// Tells it, unless it is what was told last.
    pub(super) fn once(&mut self, observer: &dyn Observer, text: String) {
        if self.0 != text {
            observer.notice(&text);
            self.0 = text;
        }
    }

    /// All is well again: the next is told, whatever it is.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
