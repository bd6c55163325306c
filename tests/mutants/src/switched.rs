use std::{
    env,
    fs::{File, OpenOptions},
    io::Write as _,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

static CHOSEN: OnceLock<Option<usize>> = OnceLock::new();
static REACHED: [AtomicBool; COUNT] = [const { AtomicBool::new(false) }; COUNT];

/// Whether this mutant is on. Where none is, those that are asked for are noted.
pub(crate) fn on(number: usize) -> bool {
    match CHOSEN.get_or_init(|| env::var("MUTANT_ON").ok()?.parse().ok()) {
        Some(chosen) => *chosen == number,
        None => {
            if !REACHED[number].swap(true, Relaxed) {
                note(number);
            }
            false
        }
    }
}

/// Open from the first note on: a test may leave no files to open.
static NOTES: OnceLock<Option<File>> = OnceLock::new();

fn note(number: usize) {
    let open = |path| OpenOptions::new().append(true).create(true).open(path).unwrap();
    if let Some(mut notes) = NOTES.get_or_init(|| env::var_os("MUTANTS_REACHED").map(open)).as_ref() {
        notes.write_all(format!("{number}\n").as_bytes()).unwrap();
    }
}
