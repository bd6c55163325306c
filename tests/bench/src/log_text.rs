//! A log as services write them, generated: the same bytes in every run.

use std::fmt::Write as _;

/// At least so many bytes of it, ending with a line.
pub fn generate(bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 1024);
    let mut next = numbers();
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

/// Numbers that look random, the same in every run: xorshift64*, Vigna 2016.
fn numbers() -> impl FnMut() -> u64 {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    move || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33
    }
}

/// At least so many bytes of what a distributed file system's nodes write of their blocks: short lines, and in each several
/// values that no other has.
pub fn of_blocks(bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 1024);
    let mut next = numbers();
    let mut seconds = 0;
    while text.len() < bytes {
        seconds += u64::from(next() % 50 == 0);
        let (day, hours, minutes) = (1 + seconds / 86_400 % 28, seconds / 3600 % 24, seconds / 60 % 60);
        let time = format!("0811{day:02} {hours:02}{minutes:02}{:02}", seconds % 60);
        let (thread, block) = (next() % 30_000, next() << 31 | next());
        let mut node = || format!("10.25{}.{}.{}", next() % 2, next() % 256, next() % 256);
        let (a, b) = (node(), node());
        let (port, size) = (next() % 60_000, next() % 67_108_864);
        let name = "dfs.DataNode$PacketResponder";
        let written = match next() % 20 {
            0..=3 => writeln!(
                text,
                "{time} {thread} INFO {name}: PacketResponder {} for block blk_{block} terminating",
                port % 3
            ),
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
            18 => writeln!(
                text,
                "{time} {thread} INFO dfs.DataNode$DataXceiver: {a}:50010 Served block blk_{block} to /{b}"
            ),
            _ => writeln!(
                text,
                "{time} {thread} WARN dfs.DataNode$DataXceiver: {a}:50010:Got exception while serving blk_{block} to /{b}:"
            ),
        };
        written.expect("text can be written to");
    }
    text
}
