use std::{
    env,
    fs::OpenOptions,
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

fn note(number: usize) {
    if let Some(path) = env::var_os("MUTANTS_REACHED") {
        let file = OpenOptions::new().append(true).create(true).open(path);
        file.and_then(|mut file| file.write_all(format!("{number}\n").as_bytes())).unwrap();
    }
}
