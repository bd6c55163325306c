//! A change as checks see it: the files before and after, the lines that were added, JavaScript's syntax.

mod file;
mod finding;
mod lines;
mod script;

pub use file::{Content, File, MAX_FILE_BYTES, Roots, is_test};
pub use finding::Found;
pub use lines::{Lines, Positions};
pub use script::{is_script, with_program};
