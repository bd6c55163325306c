//! What a line costs in memory: lines of known shapes need none of their own, which is slow in the sandbox; and what hostile lines cost at
//! most. Each step that hostile lines may add, such as a form of messages that is tried, needs some memory: so the steps are counted by it,
//! whatever the machine does meanwhile.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    fmt::Write as _,
    fs,
};

use log_analyzer::{Engine, Maps, Settings};

/// The system's allocator, which counts what a thread asks of it.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    /// Bytes that it asked for and did not give back.
    static BYTES: Cell<i64> = const { Cell::new(0) };
    /// The most that those were.
    static MOST_BYTES: Cell<i64> = const { Cell::new(0) };
}

// SAFETY: all is left to the system's allocator; counting needs no memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        BYTES.set(BYTES.get() + layout.size() as i64);
        MOST_BYTES.set(MOST_BYTES.get().max(BYTES.get()));
        // SAFETY: as of the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        BYTES.set(BYTES.get() - layout.size() as i64);
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

/// A server's requests of a few routes, of which one in five hundred fails.
fn requests(numbers: std::ops::Range<u64>) -> String {
    let mut text = String::new();
    for n in numbers {
        let (second, value) = (n / 100, n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let path = match n % 3 {
            0 => format!("/api/orders/{value}?page={}", n % 9),
            1 => "/".to_owned(),
            _ => format!("/static/{:x}.js", value >> 8),
        };
        let status = if n % 500 == 0 { 503 } else { 200 };
        let written = writeln!(
            text,
            "10.0.0.{} - - [23/Nov/2026:{:02}:{:02}:{:02} +0000] \"GET {path} HTTP/1.1\" {status} {} \"-\" \"curl/8.5\"",
            n % 256,
            second / 3600,
            second / 60 % 60,
            second % 60,
            value % 9000
        );
        written.unwrap();
    }
    text
}

/// A service's lines, of which one in five tells of a fault with numbers that no other has.
fn faults(numbers: std::ops::Range<u64>) -> String {
    let mut text = String::new();
    for n in numbers {
        let (second, value) = (n / 100, n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let time = format!("081109 {:02}{:02}{:02}", second / 3600, second / 60 % 60, second % 60);
        let written = match n % 10 {
            0 => writeln!(text, "{time} {} WARN dfs.DataNode: Got exception while serving blk_{value}", n % 9000),
            5 => writeln!(text, "{time} {} ERROR dfs.DataNode: block {value} failed after {} ms", n % 9000, n % 700),
            _ => writeln!(text, "{time} {} INFO dfs.FSDataset: Deleting block blk_{value}", n % 9000),
        };
        written.unwrap();
    }
    text
}

/// Allocations for a part, pushed after another.
fn allocations(engine: &mut Engine, part: &str) -> u64 {
    let already = ALLOCATIONS.get();
    engine.push("a.log", part.as_bytes());
    ALLOCATIONS.get() - already
}

#[test]
fn a_line_of_a_known_shape_needs_no_memory_of_its_own() {
    for (of, most) in [(lines as fn(std::ops::Range<u64>) -> String, 1000), (requests, 1500), (faults, 500)] {
        let after_5000 = |number: u64| {
            let mut engine = Engine::default();
            engine.push("a.log", of(0..5000).as_bytes());
            allocations(&mut engine, &of(5000..5000 + number))
        };
        let more = after_5000(10_000).saturating_sub(after_5000(5000));
        // What is kept once a second as evidence, what is looked for in each 256th line of a kind, and each failed request take some: a
        // fifth for each line, and three tenths where there are such, at most. A fault like one before takes none.
        assert!(more < most, "{more} allocations for 5000 lines more");
    }
}

#[test]
fn a_line_that_comes_a_million_times_needs_as_much_memory_as_one_that_comes_a_thousand_times() {
    for line in ["2026-11-23T10:00:00Z INFO again and again\n", "ERROR again and again\n", "\n", "x\n"] {
        let mut engine = Engine::default();
        let part = line.repeat(1000);
        allocations(&mut engine, &part);
        let each: Vec<u64> = (1..1000).map(|_| allocations(&mut engine, &part)).collect();
        // An error's event takes some.
        let most = if line.starts_with("ERROR") { 20_000 } else { 100 };
        assert!(each.iter().all(|allocations| *allocations <= most), "{line:?}: {:?}", each.iter().max());
        assert_eq!(engine.groups().len(), 1);
    }
}

/// Numbers that are the same in each run (Steele and Vigna's SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % most
    }

    /// A word of letters alone, one of so many.
    fn word(&mut self, of: u64) -> String {
        let number = self.below(of);
        let letter = |place: u32| char::from(b'a' + (number / 26_u64.pow(place) % 26) as u8);
        (0..4).map(letter).collect()
    }
}

/// Lines made to cost much.
fn hostile(kind: &str, random: &mut Random) -> String {
    let words =
        |random: &mut Random, number: u64, of: u64| (0..number).map(|_| random.word(of)).collect::<Vec<_>>().join(" ");
    match kind {
        // Each is a group by itself.
        "split" => {
            let number = 1 + random.below(30);
            words(random, number, 400_000)
        }
        // Each place has a few words, so that all of them are put together and taken apart.
        "merge" => words(random, 40, 5),
        // Values are in other places each time, so that there are many forms to try.
        "forms" => {
            let mut parts: Vec<String> = (0..12).map(|place| format!("place{}", char::from(b'a' + place))).collect();
            for _ in 0..3 {
                let place = random.below(12) as usize;
                parts[place] = random.word(400_000);
            }
            parts.join(" ")
        }
        "marks" => (0..150).map(|_| char::from(b"()[]{}<>,;:=\"'|"[random.below(15) as usize])).collect(),
        // Records that go on and on.
        _ => match random.below(4) {
            0 => format!("ERROR {}", words(random, 6, 9)),
            1 => "Traceback (most recent call last):".to_owned(),
            2 => format!("    at {} (a.js:{}:1)", random.word(400_000), random.below(9000)),
            _ => format!("Caused by: {}Error: {}", random.word(400_000), words(random, 3, 400_000)),
        },
    }
}

#[test]
fn hostile_lines_cost_so_much_each_and_no_more_the_more_there_are() {
    for kind in ["split", "merge", "forms", "marks", "records"] {
        let already = BYTES.get();
        let mut engine = Engine::new(Settings { max_patterns: 300, max_groups: 100, ..Settings::default() });
        let mut random = Random(7);
        let mut push = || -> (u64, i64) {
            let part: String = (0..2000).map(|_| hostile(kind, &mut random) + "\n").collect();
            let steps = allocations(&mut engine, &part) / 2000;
            drop(part);
            (steps, BYTES.get() - already)
        };
        // What is bounded is full after some parts.
        let costs: Vec<(u64, i64)> = (0..10).map(|_| push()).collect();
        let ((steps, bytes), (last_steps, last_bytes)) = (costs[5], costs[9]);
        assert!(last_steps <= steps + steps / 4 && steps < 300, "{kind}: {costs:?}");
        assert!(last_bytes <= bytes + bytes / 4 && bytes < 16 << 20, "{kind}: {costs:?}");
        assert!(engine.groups().len() <= 300);
    }
}

/// Bytes that more sources than are kept may take.
const MAX_SOURCES_BYTES: i64 = 256 << 20;

#[test]
fn more_sources_than_are_kept_take_bounded_memory_and_have_no_issues_that_fewer_have_not() {
    let mut text = String::new();
    for minute in 0..10 {
        for kind in 0..26_u8 {
            let (name, second) = (char::from(b'a' + kind).to_string().repeat(5), kind * 2);
            let took = minute * 7 % 31 + 1;
            let written = writeln!(
                text,
                "2026-11-23T10:{minute:02}:{second:02}Z INFO {name} took {took} ms, queue is {took} of 100 full"
            );
            written.unwrap();
        }
    }
    // And the beginning of a line that goes on and on.
    text.push_str(&"x".repeat(64 << 10));
    let already = BYTES.get();
    let mut engine = Engine::default();
    for source in 0..2100 {
        engine.push(&format!("{source}.log"), text.as_bytes());
    }
    let bytes = BYTES.get() - already;
    assert!(bytes < MAX_SOURCES_BYTES, "{} MiB", bytes >> 20);
    let checkpoint = engine.checkpoint().unwrap();
    assert!(checkpoint.len() <= 16 << 20, "{}", checkpoint.len());
    assert!(Engine::restore(&checkpoint).unwrap().issues().is_empty());
    assert!(engine.issues().is_empty());
}

/// Bytes of the largest map that is read.
const MAX_MAP_BYTES: usize = 32 << 20;

#[test]
fn the_largest_source_map_takes_a_few_times_its_size_while_it_is_read_whatever_is_in_it() {
    let names = vec![r#""""#; 100_000].join(",");
    let section = format!(r#"{{"offset":{{"line":0,"column":0}},"map":{{"version":3,"names":[{names}]}}}}"#);
    let of_names = || {
        let sections = vec![section.as_str(); (MAX_MAP_BYTES - 100) / (section.len() + 1)].join(",");
        format!(r#"{{"version":3,"sections":[{sections}]}}"#)
    };
    let of_mappings = |segment: &str| {
        let mappings = segment.repeat((MAX_MAP_BYTES - 100) / segment.len());
        format!(r#"{{"version":3,"sources":["a.js"],"mappings":"{mappings}"}}"#)
    };
    let of_list = || format!(r#"{{"version":3,"ignoreList":[1{}]}}"#, ",1".repeat((MAX_MAP_BYTES - 100) / 2));
    let folder = tempfile::tempdir().unwrap();
    for (what, map) in [
        ("empty names", &of_names as &dyn Fn() -> String),
        ("small segments", &|| of_mappings("A,")),
        ("segments that are escaped", &|| of_mappings("\\u0041,")),
        ("a list of what is another's", &of_list),
    ] {
        fs::write(folder.path().join("a.min.js.map"), map()).unwrap();
        let already = BYTES.get();
        MOST_BYTES.set(already);
        let mut engine = Engine::default().with_maps(Maps::new(folder.path().to_owned(), ""));
        engine.push("a.log", b"TypeError: x\n    at f (/srv/a.min.js:1:5)\nINFO next\n");
        assert_eq!(engine.issues().len(), 1);
        let most = usize::try_from(MOST_BYTES.get() - already).unwrap();
        assert!(most < 4 * MAX_MAP_BYTES, "{what}: {} MiB", most >> 20);
    }
}
