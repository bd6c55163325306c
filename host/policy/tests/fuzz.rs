//! The fuzz targets, bounded: every committed seed in `fuzz/corpus`, and mutations of them that are the same in every run.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{fs, panic, path::Path};

use autodevops_policy::fuzzing::TARGETS;
use fastrand::Rng;

/// Mutations of each target.
const MUTATIONS: usize = 20_000;

/// Longest input that mutations grow to.
const MAX_BYTES: usize = 8192;

/// What the formats are made of, to be put in anywhere.
const TOKENS: [&[u8]; 44] = [
    b"*",
    b"*.",
    b"://",
    b"https://",
    b"http://",
    b"/",
    b"//",
    b"\\",
    b"..",
    b"../",
    b"%2e",
    b"%2f",
    b"%252e",
    b"%5c",
    b";",
    b"@",
    b":",
    b":443",
    b"?",
    b"#",
    b"[",
    b"]",
    b"::1",
    b"127.0.0.1",
    b"0x7f.1",
    b"localhost",
    b".git",
    b"\0",
    b"\n",
    b"\t",
    b"\"",
    b"=",
    b"[[permissions]]\n",
    b"ask = \"http\"\n",
    b"methods = [\"GET\"]\n",
    b"---\n",
    b"[limits]\n",
    b"GiB",
    b"ms",
    b"%",
    b"5efe",
    b"\xff",
    b"\xe2\x80\x8b",
    b"\xef\xbc\x8e",
];

fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut seeds: Vec<(String, Vec<u8>)> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(path).unwrap()))
        .collect();
    // Folders are listed in any order, and each run is to be the same.
    seeds.sort();
    seeds
}

/// A place in the bytes, their end included.
fn place(rng: &mut Rng, bytes: &[u8]) -> usize {
    rng.usize(0..=bytes.len())
}

fn range(rng: &mut Rng, bytes: &[u8]) -> std::ops::Range<usize> {
    let (a, b) = (place(rng, bytes), place(rng, bytes));
    a.min(b)..a.max(b)
}

/// One to four changes of a seed.
fn mutated(rng: &mut Rng, seeds: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = seeds[rng.usize(..seeds.len())].1.clone();
    for _ in 0..rng.usize(1..=4) {
        match rng.u8(..8) {
            0 if !bytes.is_empty() => {
                let at = rng.usize(..bytes.len());
                bytes[at] ^= 1 << rng.u8(..8);
            }
            1 if !bytes.is_empty() => {
                let at = rng.usize(..bytes.len());
                bytes[at] = rng.u8(..);
            }
            2 => {
                let at = place(rng, &bytes);
                bytes.insert(at, rng.u8(..));
            }
            3 | 4 => {
                let at = place(rng, &bytes);
                bytes.splice(at..at, TOKENS[rng.usize(..TOKENS.len())].iter().copied());
            }
            5 => {
                let range = range(rng, &bytes);
                bytes.drain(range);
            }
            6 => {
                let copied = bytes[range(rng, &bytes)].to_vec();
                let at = place(rng, &bytes);
                bytes.splice(at..at, copied);
            }
            _ => {
                let other = &seeds[rng.usize(..seeds.len())].1;
                let part = other[range(rng, other)].to_vec();
                let range = range(rng, &bytes);
                bytes.splice(range, part);
            }
        }
        bytes.truncate(MAX_BYTES);
    }
    bytes
}

fn runs(name: &str) {
    let (_, target) = TARGETS.into_iter().find(|(known, _)| *known == name).expect(name);
    let seeds = seeds(name);
    assert!(seeds.len() >= 30, "{name} has {} seeds", seeds.len());
    let run = |bytes: &[u8], which: &str| {
        let outcome = panic::catch_unwind(|| target(bytes));
        assert!(outcome.is_ok(), "{name} does not hold for {which}: {:?}", String::from_utf8_lossy(bytes));
    };
    for (seed, bytes) in &seeds {
        run(bytes, seed);
    }
    let mut rng = Rng::with_seed(1);
    for count in 0..MUTATIONS {
        run(&mutated(&mut rng, &seeds), &format!("mutation {count}"));
    }
}

macro_rules! targets {
    ($($test:ident: $name:literal;)+) => {
        $(#[test] fn $test() { runs($name); })+

        #[test]
        fn every_target_runs_here_and_under_libfuzzer() {
            let here = [$($name),+];
            assert_eq!(TARGETS.map(|(name, _)| name), here);
            let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
            let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
            for name in here {
                let text = fs::read_to_string(fuzz.join(format!("fuzz_targets/{name}.rs"))).unwrap();
                assert!(text.contains(&format!("fuzzing::{name}(bytes)")), "{name}");
                assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
            }
        }
    };
}

targets! {
    patterns_of_origins_hold: "origins";
    odd_forms_of_hosts_hold: "hosts";
    paths_hold: "paths";
    kinds_of_addresses_hold: "addresses";
    manifests_and_grants_hold: "manifests";
    what_a_lock_file_says_holds: "locks";
    quantities_hold: "quantities";
}
