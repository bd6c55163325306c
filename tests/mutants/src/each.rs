//! The same for many, on all processors.

use std::{
    sync::{Mutex, PoisonError},
    thread::{available_parallelism, scope},
};

use anyhow::Result;

/// Does this for each, as many at once as there are processors. What came of them, in any order.
///
/// # Errors
/// The first one: what has begun goes on to its end, and nothing else is begun.
pub(crate) fn for_each<T: Send, R: Send>(all: Vec<T>, each: impl Fn(T) -> Result<R> + Sync) -> Result<Vec<R>> {
    let next = Mutex::new(all.into_iter());
    let done = Mutex::new(Ok(Vec::new()));
    let work = || {
        loop {
            let one = next.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some(one) = one else { return };
            let came = each(one);
            let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
            match (&mut *done, came) {
                (Ok(all), Ok(came)) => all.push(came),
                (Ok(_), Err(error)) => *done = Err(error),
                (Err(_), _) => return,
            }
        }
    };
    scope(|scope| {
        for _ in 0..available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_done_once_and_the_first_error_ends_it() {
        let mut done = for_each((0..100).collect(), |number: u32| Ok(number * 2)).unwrap();
        done.sort_unstable();
        assert_eq!(done, (0..100).map(|number| number * 2).collect::<Vec<_>>());
        let failed = for_each((0..100).collect(), |number: u32| match number {
            7 => anyhow::bail!("seven"),
            _ => Ok(()),
        });
        assert_eq!(failed.unwrap_err().to_string(), "seven");
    }
}
