//! A log as services write them, generated: the same bytes in every run.

use std::{
    fmt::Write as _,
    io::{self, Write},
};

/// At least so many bytes of it, ending with a line.
pub fn generate(bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 1024);
    let mut next = numbers(0);
    let mut milliseconds = 0;
    while text.len() < bytes {
        milliseconds += 1 + next() % 40;
        let (hours, minutes) = (milliseconds / 3_600_000 % 24, milliseconds / 60_000 % 60);
        let time =
            format!("2026-03-02T{hours:02}:{minutes:02}:{:02}.{:03}Z", milliseconds / 1000 % 60, milliseconds % 1000);
        let (request, order, took) = (next(), next() % 100_000, next() % 400);
        let written = match next() % 100 {
            0 => write!(
                text,
                "{time} ERROR checkout failed for order {order}\nTypeError: Cannot read properties of undefined (reading \
                 'price')\n    at total (/srv/shop/functions/lib/orders.js:42:31)\n    at checkout \
                 (/srv/shop/functions/index.js:17:9)\n    at process.processTicksAndRejections \
                 (node:internal/process/task_queues:95:5)\n"
            ),
            1 => writeln!(text, "{time} ERROR payment {request:x} declined after {took} ms: upstream returned 502"),
            2..=4 => writeln!(text, "{time} WARN slow query on orders: {took} ms, {} rows", order % 977),
            5..=19 => writeln!(text, "{time} INFO cache miss for product {order}, fetched in {took} ms"),
            _ => writeln!(text, "{time} INFO GET /api/orders/{order} 200 {took} ms request={request:08x}"),
        };
        written.expect("text can be written to");
    }
    text
}

/// Numbers that look random, other ones for each seed and the same in every run: xorshift64*, Vigna 2016.
fn numbers(seed: u64) -> impl FnMut() -> u64 {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ seed.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    move || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33
    }
}

/// Bytes that are written at once.
const PIECE_BYTES: usize = 1 << 20;

/// Writes at least so many bytes of what a distributed file system's nodes write of their blocks: short lines, in each several
/// values that no other has, and a clock that moves on. Gives how many bytes and lines these are.
pub fn write_blocks(to: &mut impl Write, bytes: u64, seed: u64) -> io::Result<(u64, u64)> {
    let mut next = numbers(seed);
    let (mut written, mut lines, mut seconds) = (0, 0, 0);
    let mut piece = String::with_capacity(PIECE_BYTES + 1024);
    while written < bytes {
        piece.clear();
        let most = usize::try_from(bytes - written).map_or(PIECE_BYTES, |left| left.min(PIECE_BYTES));
        while piece.len() < most {
            seconds += u64::from(next().is_multiple_of(50));
            block(&mut piece, seconds, &mut next).map_err(io::Error::other)?;
            lines += 1;
        }
        to.write_all(piece.as_bytes())?;
        written += piece.len() as u64;
    }
    Ok((written, lines))
}

/// A line of so many seconds after the first.
fn block(text: &mut String, seconds: u64, next: &mut impl FnMut() -> u64) -> std::fmt::Result {
    let (day, hours, minutes) = (1 + seconds / 86_400 % 28, seconds / 3600 % 24, seconds / 60 % 60);
    let time = format!("0811{day:02} {hours:02}{minutes:02}{:02}", seconds % 60);
    let (thread, block) = (next() % 30_000, next() << 31 | next());
    let mut node = || format!("10.25{}.{}.{}", next() % 2, next() % 256, next() % 256);
    let (a, b) = (node(), node());
    let (port, size) = (next() % 60_000, next() % 67_108_864);
    let name = "dfs.DataNode$PacketResponder";
    match next() % 20 {
        0..=3 => {
            let of = port % 3;
            writeln!(text, "{time} {thread} INFO {name}: PacketResponder {of} for block blk_{block} terminating")
        }
        4..=7 => writeln!(text, "{time} {thread} INFO {name}: Received block blk_{block} of size {size} from /{a}"),
        8..=11 => writeln!(
            text,
            "{time} {thread} INFO dfs.DataNode$DataXceiver: Receiving block blk_-{block} src: /{a}:{port} dest: /{b}:50010"
        ),
        12..=15 => writeln!(
            text,
            "{time} {thread} INFO dfs.FSNamesystem: BLOCK* NameSystem.addStoredBlock: blockMap updated: {a}:50010 is added to \
             blk_{block} size {size}"
        ),
        16..=17 => writeln!(
            text,
            "{time} {thread} INFO dfs.FSDataset: Deleting block blk_-{block} file /mnt/hadoop/dfs/data/current/subdir{}/blk_-{block}",
            port % 64
        ),
        18 => {
            writeln!(text, "{time} {thread} INFO dfs.DataNode$DataXceiver: {a}:50010 Served block blk_{block} to /{b}")
        }
        _ => writeln!(
            text,
            "{time} {thread} WARN dfs.DataNode$DataXceiver: {a}:50010:Got exception while serving blk_{block} to /{b}:"
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn blocks(bytes: u64, seed: u64) -> String {
        let mut text = Vec::new();
        let (written, lines) = write_blocks(&mut text, bytes, seed).unwrap();
        assert!(written == text.len() as u64 && (bytes..bytes + 500).contains(&written), "{written}");
        let text = String::from_utf8(text).unwrap();
        assert_eq!(text.lines().count() as u64, lines);
        text
    }

    #[test]
    fn lines_differ_throughout_and_their_clock_never_goes_back() {
        let text = blocks(3 << 20, 0);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.iter().collect::<HashSet<_>>().len(), lines.len());
        assert!(lines.iter().map(|line| &line[..13]).is_sorted(), "the time is what a line begins with");
        assert!(lines.last().unwrap()[..13] > lines[0][..13]);
    }

    #[test]
    fn the_same_seed_makes_the_same_log_and_another_one_another() {
        assert_eq!(blocks(10_000, 1), blocks(10_000, 1));
        assert_ne!(blocks(10_000, 1), blocks(10_000, 2));
    }
}
