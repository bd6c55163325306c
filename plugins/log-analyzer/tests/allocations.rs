//! What a line costs in memory: lines of known shapes need none of their own, which is slow in the sandbox.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    fmt::Write as _,
};

use log_analyzer::Engine;

/// The system's allocator, which counts what a thread asks of it.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: all is left to the system's allocator; counting needs no memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: as of the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as of the caller.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Lines with different values in each, a hundred to a second.
fn lines(numbers: std::ops::Range<u64>) -> String {
    let mut text = String::new();
    for n in numbers {
        let (second, value) = (n / 100, n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let time = format!("081109 {:02}{:02}{:02}", second / 3600, second / 60 % 60, second % 60);
        let written = match n % 3 {
            0 => writeln!(
                text,
                "{time} {} INFO dfs.DataNode$DataXceiver: Receiving block blk_{value} src: /10.250.1.{}:80",
                n % 9000,
                n % 256
            ),
            1 => writeln!(
                text,
                "{time} {} INFO dfs.FSDataset: Deleting block blk_-{value} file /mnt/dfs/subdir{}/blk_{value}",
                n % 9000,
                n % 64
            ),
            _ => writeln!(
                text,
                "{time} {} INFO dfs.FSNamesystem: BLOCK* allocateBlock: /user/root/part-{} blk_{value}",
                n % 9000,
                n % 5000
            ),
        };
        written.unwrap();
    }
    text
}

/// Allocations for lines after the first so many.
fn allocations(before: u64, lines_pushed: u64) -> u64 {
    let mut engine = Engine::default();
    engine.push("a.log", lines(0..before).as_bytes());
    let text = lines(before..before + lines_pushed);
    let already = ALLOCATIONS.get();
    engine.push("a.log", text.as_bytes());
    ALLOCATIONS.get() - already
}

#[test]
fn a_line_of_a_known_shape_needs_no_memory_of_its_own() {
    let (once, twice) = (allocations(5000, 5000), allocations(5000, 10_000));
    let more = twice.saturating_sub(once);
    // What is kept once a second as evidence, and what is looked for in each 256th line of a kind, take some: a fifth for each line, at most.
    assert!(more < 1000, "{more} allocations for 5000 lines more");
}
