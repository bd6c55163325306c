use std::io::{Cursor, Write};

use flate2::{Compression, write::GzEncoder};

use super::*;

const LINE: &[u8] = b"2026-11-23T10:00:00Z ERROR order 17 failed\n";

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn zstd(text: &[u8]) -> Vec<u8> {
    zstd::encode_all(text, 3).unwrap()
}

fn open(bytes: Vec<u8>) -> Input {
    Input::of(Cursor::new(bytes), "app.log", "app.log").unwrap()
}

/// How much was read, and what broke it.
fn read(bytes: Vec<u8>) -> (Vec<u8>, Option<String>) {
    let mut input = open(bytes);
    let (mut all, mut part) = (Vec::new(), vec![0; 64 << 10]);
    loop {
        match input.read(&mut part) {
            Ok(0) => return (all, None),
            Ok(length) => all.extend_from_slice(&part[..length]),
            Err(broken) => return (all, Some(broken.to_string())),
        }
    }
}

/// Lines that are all different, so that archives of them are of some size.
fn lines(count: u32) -> Vec<u8> {
    let number = |n: u32| n.wrapping_mul(2_654_435_761);
    (0..count).flat_map(|n| format!("10:00:00 INFO order {} of {}\n", number(n), number(n + 7)).into_bytes()).collect()
}

#[test]
fn a_log_is_read_however_it_is_compressed() {
    let text = lines(20_000);
    for bytes in [text.clone(), gzip(&text), zstd(&text)] {
        let size = bytes.len() as u64;
        let mut input = open(bytes.clone());
        let mut part = vec![0; 1 << 20];
        while input.read(&mut part).unwrap() > 0 {}
        assert_eq!(input.taken(), size, "progress is told of the file's own bytes");
        assert_eq!(read(bytes), (text.clone(), None));
    }
    assert_eq!(read(Vec::new()), (Vec::new(), None));
    assert_eq!(read(b"BZh, a line\n".to_vec()).0, b"BZh, a line\n");
}

#[test]
fn all_members_of_an_archive_are_read() {
    let two = |pack: fn(&[u8]) -> Vec<u8>| [pack(b"one\n"), pack(b""), pack(b"two\n")].concat();
    assert_eq!(read(two(gzip)), (b"one\ntwo\n".to_vec(), None));
    assert_eq!(read(two(zstd)), (b"one\ntwo\n".to_vec(), None));
    // What parallel compressors put before each frame, to be skipped.
    let skipped = [&[0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4], &zstd(b"one\n")[..]].concat();
    assert_eq!(read(skipped), (b"one\n".to_vec(), None));
}

#[test]
fn an_archive_that_is_cut_is_read_up_to_there_and_told_of() {
    let text = lines(20_000);
    for (mut bytes, packing) in [(gzip(&text), "gzip"), (zstd(&text), "zstd")] {
        bytes.truncate(bytes.len() / 2);
        let (got, told) = read(bytes);
        let told = told.unwrap();
        assert!(!got.is_empty() && text.starts_with(&got));
        assert!(told.contains(&format!("its {packing} archive ends in the middle, {} bytes", got.len())), "{told}");
    }
}

#[test]
fn a_damaged_archive_is_told_of() {
    let text = lines(20_000);
    for (mut bytes, packing) in [(gzip(&text), "gzip"), (zstd(&text), "zstd")] {
        let middle = bytes.len() / 2;
        for byte in &mut bytes[middle..middle + 64] {
            *byte ^= 0x5a;
        }
        let (_, told) = read(bytes);
        let told = told.unwrap();
        assert!(told.contains(packing) && told.contains("damaged"), "{told}");
    }
    let told = read([gzip(LINE), b"trash behind it".to_vec()].concat());
    assert_eq!(told.0, LINE);
    assert!(told.1.unwrap().contains("damaged, 43 bytes into the log"));
}

#[test]
fn an_archive_that_grows_beyond_measure_is_given_up() {
    let bomb = |pack: &dyn Fn(&[u8]) -> Vec<u8>| pack(&vec![b'0'; 200 << 20]);
    for bytes in [bomb(&gzip), bomb(&zstd)] {
        let mut input = open(bytes);
        // No number of these parts comes to just what any archive may grow to.
        let (mut part, mut all) = (vec![0; 100_003], 0);
        let told = loop {
            match input.read(&mut part) {
                Ok(length) => all += length,
                Err(broken) => break broken.to_string(),
            }
            assert!(all <= 101 << 20);
        };
        assert!(told.contains("grows to more than 500 times its size"), "{told}");
    }
    let (all, told) = read(gzip(&vec![b'0'; 64 << 20]));
    assert_eq!((all.len(), told), (64 << 20, None), "so many bytes any archive may grow to");
    // One line over and over is a log.
    let (all, told) = read(gzip(&LINE.repeat(100 << 10)));
    assert_eq!((all.len(), told), (LINE.len() * (100 << 10), None));
}

#[test]
fn what_is_not_read_is_refused_with_the_command_that_makes_text_of_it() {
    for (bytes, what) in [
        (
            &b"\xfd7zXZ\0\0"[..],
            "is an xz archive, which is not read; pipe the text in it: `xz -dc app.log | autodevops",
        ),
        (b"BZh91AY", "bzip2 -dc app.log"),
        (b"\x04\x22\x4d\x18d", "lz4 -dc app.log"),
        (b"PK\x03\x04abc", "unzip -p app.log"),
        (b"\xff\xfeE\0R\0", "iconv -f UTF-16 -t UTF-8 app.log"),
    ] {
        let refused = Input::of(Cursor::new(bytes), "app.log", "app.log").err().unwrap().to_string();
        assert!(refused.contains(what), "{refused}");
    }
    let refused = Input::of(Cursor::new(b"BZh9"), "standard input", "").err().unwrap().to_string();
    assert!(refused.starts_with("standard input is a bzip2 archive") && refused.contains("`bzip2 -dc | "), "{refused}");
}

/// Gives a few bytes at a time, is interrupted before each, and breaks at its end, where it does.
struct Halting(Cursor<Vec<u8>>, Option<io::ErrorKind>, bool);

impl Read for Halting {
    fn read(&mut self, part: &mut [u8]) -> io::Result<usize> {
        self.2 = !self.2;
        if self.2 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let most = part.len().min(7);
        match (self.0.read(&mut part[..most])?, self.1) {
            (0, Some(error)) => Err(error.into()),
            (length, _) => Ok(length),
        }
    }
}

#[test]
fn a_log_is_read_as_far_as_it_can_be_and_through_interruptions() {
    let open = |breaks| Input::of(Halting(Cursor::new(LINE.to_vec()), breaks, false), "app.log", "app.log").unwrap();
    for breaks in [None, Some(io::ErrorKind::UnexpectedEof), Some(io::ErrorKind::Other)] {
        let (mut input, mut all, mut part) = (open(breaks), Vec::new(), [0; 64]);
        let told = loop {
            match input.read(&mut part) {
                Ok(0) => break None,
                Ok(length) => all.extend_from_slice(&part[..length]),
                Err(broken) => break Some(broken.to_string()),
            }
        };
        assert_eq!(all, LINE);
        assert_eq!(told.is_some(), breaks.is_some());
        // It is no archive, so that it is not damaged.
        assert!(told.is_none_or(|told| told.starts_with("it cannot be read further than 43 bytes")));
    }
}

#[test]
fn a_file_is_packed_by_what_is_in_it_and_what_is_none_or_not_there_yet_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    assert!(Input::is_packed(&file("a.log", &gzip(LINE))).unwrap());
    assert!(Input::is_packed(&file("b.log", &zstd(LINE))).unwrap());
    assert!(!Input::is_packed(&file("c.log.gz", LINE)).unwrap());
    assert!(!Input::is_packed(folder.path()).unwrap());
    assert!(!Input::is_packed(&folder.path().join("later.log")).unwrap());
    Input::is_packed(&file("d.log", b"BZh91AY")).unwrap_err();
}
