//! What systems of the third generator say. `{}` stands for a number, `{x}` for a name of hex digits, `{d}` for how long it took.

use crate::service::mark;

/// What a task's lines say.
pub struct TaskWords {
    pub begun: &'static str,
    pub done: &'static str,
    /// A fault that comes now and then, when a partner is away more often.
    pub fails: &'static str,
    /// A fault that has never come.
    pub poison: &'static str,
    /// What somebody sees who debugs.
    pub debug: &'static str,
}

/// What one sort of systems says.
pub struct Domain {
    pub name: &'static str,
    pub tasks: [TaskWords; 6],
    pub timers: [(&'static str, &'static str); 4],
    /// What is measured, of what, with places `{v}` and `{l}`.
    pub meters: [&'static str; 3],
    pub panic: (&'static str, &'static str),
    pub killed: &'static str,
}

/// Of the database.
pub const QUERY: &str = "duration: {d} ms  plan: Index Scan using {t}_pkey on {t}";
pub const TABLES: [&str; 4] = ["parcel", "ledger", "asset", "session"];
pub const CHECKPOINT: &str = "checkpoint complete: wrote {} buffers, sync files={}";
pub const VACUUM: &str = "automatic vacuum of table {t}: pages removed {}, remain {}";
pub const DEADLOCK: &str = "deadlock detected: process {} waits for ShareLock on transaction {}";
pub const CLEANED: &str = "pause young (normal) {v}M to {l}M in {d} ms";
pub const SLOW: &str = "plan: Index Scan";
pub const STARTED: [&str; 3] = ["worker pool coming up, version {}.{}", "subscribed to {} queues", "worker pool ready"];
pub const STOPPED: &str = "worker pool draining";

pub const DOMAINS: [Domain; 2] = [
    Domain {
        name: "filmworks",
        tasks: [
            TaskWords {
                begun: "take up clip {x}",
                done: "clip {x} transcoded to {} kbit after {d}",
                fails: "clip {x} goes back to the queue: codec host closed the channel",
                poison: "clip {x} refused: moov atom not found",
                debug: "frame {} of clip {x} at quantizer {}",
            },
            TaskWords {
                begun: "take up still {x}",
                done: "still {x} scaled, {} variants after {d}",
                fails: "still {x} goes back to the queue: raster pool is busy",
                poison: "still {x} refused: colour profile unreadable",
                debug: "tile {} of still {x} sharpened",
            },
            TaskWords {
                begun: "caption run for reel {x}",
                done: "reel {x} captioned with {} cues after {d}",
                fails: "caption engine hung up on reel {x}",
                poison: "caption grammar rejects reel {x}: unbalanced cue at {}",
                debug: "cue {} of reel {x} aligned",
            },
            TaskWords {
                begun: "loudness pass on track {x}",
                done: "track {x} normalised to -{} LUFS after {d}",
                fails: "loudness pass on track {x} lost its buffer",
                poison: "track {x} has no samples at offset {}",
                debug: "window {} of track {x} measured",
            },
            TaskWords {
                begun: "publish edition {x}",
                done: "edition {x} published to {} edges after {d}",
                fails: "edge would not take edition {x}, queued again",
                poison: "edition {x} carries a licence that nobody issued",
                debug: "edge {} has edition {x}",
            },
            TaskWords {
                begun: "index poster {x}",
                done: "poster {x} indexed under {} terms after {d}",
                fails: "index shard {} dropped poster {x}",
                poison: "poster {x} breaks the analyser: token of {} bytes",
                debug: "term {} of poster {x} weighed",
            },
        ],
        timers: [
            ("retention sweep finished, {} reels gone", "reel {x} past retention"),
            ("rights register mirrored, {} grants", "grant {} mirrored"),
            ("thumbnail census finished, {} found", "census shelf {} walked"),
            ("billing digest written, {} rows", "digest of account {} written"),
        ],
        meters: [
            "scratch volume {v} of {l} GB occupied",
            "render slots busy={v} max={l}",
            "clips waiting: {v} (limit {l})",
        ],
        panic: (
            "panic: runtime error: slice bounds out of range [:{}] with capacity 8\n\ngoroutine {} [running]:\nmain.(*Splicer).join(0xc000112000)\n\t/app/splicer.go:118 +0x1d\nmain.work()\n\t/app/main.go:44 +0x65\n",
            "slice bounds out of range",
        ),
        killed: "renderer {} was killed by the kernel: out of memory",
    },
    Domain {
        name: "freight",
        tasks: [
            TaskWords {
                begun: "consignment {x} opened",
                done: "consignment {x} routed over {} hubs, {d}",
                fails: "carrier gateway gave up on consignment {x}",
                poison: "consignment {x} has a customs code nobody knows",
                debug: "hub {} considered for {x}",
            },
            TaskWords {
                begun: "manifest {x} opened",
                done: "manifest {x} signed by {} parties, {d}",
                fails: "signing desk is away, manifest {x} later",
                poison: "manifest {x}: signature chain is cut at link {}",
                debug: "party {} asked about {x}",
            },
            TaskWords {
                begun: "invoice {x} drawn up",
                done: "invoice {x} posted, {} lines, {d}",
                fails: "ledger turned invoice {x} away, trying later",
                poison: "invoice {x} does not balance by {} cents",
                debug: "line {} of invoice {x} summed",
            },
            TaskWords {
                begun: "scan {x} received",
                done: "scan {x} matched against {} boxes, {d}",
                fails: "camera {} sent half of scan {x}",
                poison: "scan {x} shows a box twice in bay {}",
                debug: "box {} compared with {x}",
            },
            TaskWords {
                begun: "tariff request {x}",
                done: "tariff {x} quoted in {} currencies, {d}",
                fails: "exchange desk shut its door on tariff {x}",
                poison: "tariff {x} divides by a weight of nothing in class {}",
                debug: "class {} priced for {x}",
            },
            TaskWords {
                begun: "pallet {x} weighed in",
                done: "pallet {x} stowed at level {}, {d}",
                fails: "crane {} lets go of pallet {x}, once more",
                poison: "pallet {x} is heavier than shelf {} carries",
                debug: "level {} tried for {x}",
            },
        ],
        timers: [
            ("timetable of {} lines refreshed", "line {} has a new timetable"),
            ("customs list pulled, {} entries", "entry {} of the customs list changed"),
            ("dock ledger closed at {}", "dock {} balanced"),
            ("fuel prices taken over from {} depots", "depot {} has a new price"),
        ],
        meters: ["dispatch backlog {v} of {l}", "crane leases taken={v} limit={l}", "archive volume at {p}%"],
        panic: (
            "Exception in thread \"stower-{}\" java.lang.ArrayIndexOutOfBoundsException: Index {} out of bounds for length 4\n\tat org.freight.Stower.place(Stower.java:71)\n\tat org.freight.Stower.run(Stower.java:33)\n",
            "ArrayIndexOutOfBoundsException",
        ),
        killed: "stower {} was killed by the kernel: out of memory",
    },
];

impl Domain {
    /// Marks of the faults that such a system always has.
    pub fn faults(&self) -> Vec<String> {
        let mut all: Vec<String> = self.tasks.iter().map(|task| mark(task.fails)).collect();
        all.push(mark(DEADLOCK));
        all
    }
}
