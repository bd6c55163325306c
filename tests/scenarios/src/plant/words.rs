//! The words of the second generator's services, of which no constant part of one is in another's.

/// A request that a service answers.
#[derive(Debug)]
pub struct Route {
    pub method: &'static str,
    pub path: &'static str,
    /// The part of the path that no other route has.
    pub mark: &'static str,
    pub accepted: &'static str,
    /// What is told on the way, each in the words before a deploy and behind it.
    pub details: [[&'static str; 2]; 2],
    pub done: &'static str,
}

/// Another service that is asked.
#[derive(Debug)]
pub struct Peer {
    pub answered: &'static str,
    /// No answer in time.
    pub late: &'static str,
    /// An answer that is of no use.
    pub refused: &'static str,
    pub expires: &'static str,
    pub expired: &'static str,
}

/// Work at set times, by the hour or the day.
#[derive(Debug)]
pub struct Batch {
    pub begun: &'static str,
    pub row: &'static str,
    pub over: &'static str,
}

/// What the lines of a service say.
#[derive(Debug)]
pub struct Words {
    pub service: &'static str,
    pub routes: [Route; 6],
    pub peers: [Peer; 3],
    pub workers: [&'static str; 4],
    pub batches: [Batch; 2],
    /// Faults that a service lives with.
    pub quirks: [&'static str; 5],
    /// Faults that come once.
    pub strays: [&'static str; 3],
    pub pool: &'static str,
    pub pool_empty: &'static str,
    pub disk: &'static str,
    pub disk_full: &'static str,
    pub heap: &'static str,
    pub queue: &'static str,
    pub job: &'static str,
    pub typo: [&'static str; 2],
    /// What the runtime writes by itself when the service dies, and how its last line tells of it.
    pub trace: (&'static str, &'static str),
    pub dies: &'static str,
    pub starting: [&'static str; 3],
}

/// What who starts services again says of one that died.
pub const DIED: &str = "process ended with status 2, to be started again";

/// Seats on trains.
pub const RAIL: Words = Words {
    service: "railhead",
    routes: [
        Route {
            method: "POST",
            path: "/v1/seats/{n}/hold",
            mark: "/v1/seats",
            accepted: "traveller {u} asks for a seat",
            details: [
                ["coach {n} offers {k} places", "places on offer in coach {n}: {k}"],
                ["discount card {h} applies", "card {h} brings a discount"],
            ],
            done: "seat is on hold",
        },
        Route {
            method: "GET",
            path: "/v1/journeys?from={c}&to={c}",
            mark: "/v1/journeys",
            accepted: "looking for journeys from {c}",
            details: [
                ["pruned {k} itineraries", "itineraries left behind: {k}"],
                ["night trains considered for {c}", "sleeper services to {c} considered"],
            ],
            done: "journeys listed",
        },
        Route {
            method: "GET",
            path: "/v1/tickets/{h}",
            mark: "/v1/tickets",
            accepted: "ticket {h} looked up",
            details: [
                ["barcode drawn for wallet {u}", "wallet {u} gets a barcode"],
                ["ticket language is {c}", "language picked by browser: {c}"],
            ],
            done: "ticket shown",
        },
        Route {
            method: "POST",
            path: "/v1/refunds",
            mark: "/v1/refunds",
            accepted: "refund wanted by {u}",
            details: [
                ["rule {n} grants {k} percent back", "granted by rule {n}: {k} percent"],
                ["voucher {h} written instead", "instead of money: voucher {h}"],
            ],
            done: "refund settled",
        },
        Route {
            method: "GET",
            path: "/v1/timetable/{n}",
            mark: "/v1/timetable",
            accepted: "board of station {n} opened",
            details: [
                ["platform of train {n} moved", "train {n} has another platform"],
                ["delay of {k} minutes announced", "announced to riders: {k} minutes behind"],
            ],
            done: "board rendered",
        },
        Route {
            method: "PUT",
            path: "/v1/profile/{u}",
            mark: "/v1/profile",
            accepted: "profile of {u} edited",
            details: [
                ["newsletter choice kept for {u}", "kept the newsletter choice of {u}"],
                ["home station set to {c}", "{c} is the home station now"],
            ],
            done: "profile saved",
        },
    ],
    peers: [
        Peer {
            answered: "fares quoted a price",
            late: "fares: context deadline exceeded",
            refused: "fares answered 503 Service Unavailable, giving up",
            expires: "certificate of fares.internal is valid for {k} more hours",
            expired: "tls: could not verify fares.internal: x509: certificate has expired",
        },
        Peer {
            answered: "inventory counted berths",
            late: "inventory: i/o timeout while reading the response",
            refused: "inventory closed the connection before an answer came",
            expires: "certificate of inventory.internal is valid for {k} more hours",
            expired: "tls: could not verify inventory.internal: x509: certificate has expired",
        },
        Peer {
            answered: "accounts knew the caller",
            late: "accounts: request canceled while waiting for headers",
            refused: "accounts answered with a body that is no JSON",
            expires: "certificate of accounts.internal is valid for {k} more hours",
            expired: "tls: could not verify accounts.internal: x509: certificate has expired",
        },
    ],
    workers: [
        "outbox relay went round, {k} messages handed on",
        "stale holds swept, {k} given back",
        "price tables polled, revision {n}",
        "replica is {k} ms behind",
    ],
    batches: [
        Batch {
            begun: "export of sales starts",
            row: "sales of depot {n} exported, {k} rows",
            over: "export of sales is through",
        },
        Batch { begun: "reindexing starts", row: "segment {h} reindexed", over: "reindexing is through" },
    ],
    quirks: [
        "client went away while the body was sent: broken pipe",
        "upload of {u} is no image",
        "cannot parse date of birth given by {u}",
        "mail to {u} bounced: mailbox unavailable",
        "webhook of reseller {n} answered 410",
    ],
    strays: [
        "session store returned an unknown cursor {n}",
        "geo lookup of {c} gave two results",
        "audit entry {h} was written twice",
    ],
    pool: "connections of pool main in use",
    pool_empty: "timed out waiting for a connection of pool main",
    disk: "volume /var/lib/railhead looked at",
    disk_full: "write /var/lib/railhead/wal: no space left on device",
    heap: "garbage collected, heap in use",
    queue: "tickets to print in the queue",
    job: "ticket printed for {u}",
    typo: ["configuration: unknown key retires under fares, ignored", "no retry policy for this call: policy is empty"],
    trace: (
        "panic: runtime error: invalid memory address or nil pointer dereference\n[signal SIGSEGV: segmentation violation \
         code=0x1 addr=0x18 pc=0x6f2a41]\n\ngoroutine 71 [running]:\nmain.(*Planner).seat(0x0, 0x11)\n\
         \t/srv/railhead/planner.go:212 +0x2c\nexit status 2\n",
        "invalid memory address or nil pointer dereference",
    ),
    dies: "seat map of train {n} is inconsistent, cannot go on",
    starting: ["railhead {v} comes up", "migrations are up to date", "ready to take requests"],
};

/// Appointments of a clinic.
pub const CLINIC: Words = Words {
    service: "wardbook",
    routes: [
        Route {
            method: "POST",
            path: "/api/appointments",
            mark: "/api/appointments",
            accepted: "patient {u} wants to come in",
            details: [
                ["doctor {n} has {k} openings", "openings of doctor {n}: {k}"],
                ["reminder planned for {u}", "will remind {u}"],
            ],
            done: "appointment made",
        },
        Route {
            method: "GET",
            path: "/api/calendar/{n}?week={k}",
            mark: "/api/calendar",
            accepted: "calendar of room {n} asked for",
            details: [
                ["holidays of {c} taken into account", "taking {c} holidays into account"],
                ["{k} overlapping slots merged", "merged slots that overlap: {k}"],
            ],
            done: "calendar sent",
        },
        Route {
            method: "GET",
            path: "/api/records/{h}",
            mark: "/api/records",
            accepted: "record {h} called up",
            details: [["{k} notes were folded", "folded notes: {k}"], ["record of {u} decrypted", "decrypted for {u}"]],
            done: "record displayed",
        },
        Route {
            method: "POST",
            path: "/api/prescriptions",
            mark: "/api/prescriptions",
            accepted: "prescription drawn up by {u}",
            details: [
                ["dose {k} within bounds", "bounds allow a dose of {k}"],
                ["pharmacy {n} chosen", "goes to pharmacy {n}"],
            ],
            done: "prescription signed",
        },
        Route {
            method: "GET",
            path: "/api/images/{h}",
            mark: "/api/images",
            accepted: "image {h} requested",
            details: [
                ["{k} slices read from the archive", "archive gave {k} slices"],
                ["window level set by viewer {u}", "viewer {u} set the window level"],
            ],
            done: "image streamed",
        },
        Route {
            method: "PATCH",
            path: "/api/beds/{n}",
            mark: "/api/beds",
            accepted: "bed {n} reassigned",
            details: [
                ["ward {c} notified", "notice went to ward {c}"],
                ["cleaning of bed {n} ordered", "ordered: cleaning of bed {n}"],
            ],
            done: "bed plan updated",
        },
    ],
    peers: [
        Peer {
            answered: "insurer confirmed cover",
            late: "insurer: read timed out",
            refused: "insurer returned 502 Bad Gateway thrice in a row",
            expires: "insurer.example: certificate runs out in {k} hours",
            expired: "SSL handshake with insurer.example: certificate verify failed, certificate has expired",
        },
        Peer {
            answered: "archive delivered pages",
            late: "archive: no reply within the deadline",
            refused: "archive reset the stream",
            expires: "archive.example: certificate runs out in {k} hours",
            expired: "SSL handshake with archive.example: certificate verify failed, certificate has expired",
        },
        Peer {
            answered: "directory resolved staff",
            late: "directory: operation timed out",
            refused: "directory says it is busy, try later",
            expires: "directory.example: certificate runs out in {k} hours",
            expired: "SSL handshake with directory.example: certificate verify failed, certificate has expired",
        },
    ],
    workers: [
        "reminder loop done, {k} letters",
        "lab inbox drained, {k} results",
        "roster synchronised at version {n}",
        "lease of scheduler kept by node {k}",
    ],
    batches: [
        Batch {
            begun: "billing run opens",
            row: "invoice {n} of payer {k} put in an envelope",
            over: "billing run closes",
        },
        Batch { begun: "nightly backup opens", row: "chunk {h} stored", over: "nightly backup closes" },
    ],
    quirks: [
        "barcode scanner {n} sent garbage",
        "fax to {n} got no answer, will be printed",
        "user {u} has no right to see this page",
        "attachment {h} exceeds 20 MB",
        "duplicate key value violates constraint visits_pk",
    ],
    strays: [
        "label printer {n} is out of paper",
        "unexpected token in HL7 segment {n}",
        "time of node {k} differs from the others",
    ],
    pool: "database pool figures",
    pool_empty: "QueuePool limit reached, connection could not be obtained",
    disk: "filesystem /srv/wardbook checked",
    disk_full: "OSError: [Errno 28] No space left on device: /srv/wardbook/spool",
    heap: "young generation collected",
    queue: "letters waiting in the backlog",
    job: "letter composed for {u}",
    typo: ["setting INSURER_URI is not known, did you mean INSURER_URL", "cannot build request: no URL was given"],
    trace: (
        "Traceback (most recent call last):\n  File \"/srv/wardbook/roster.py\", line 81, in merge\n    head = heads[2]\n\
         IndexError: list index out of range\n",
        "list index out of range",
    ),
    dies: "roster {n} has two heads, shutting down",
    starting: ["wardbook {v} is booting", "schema checked", "serving requests"],
};

/// Marks of the faults that services may have always had.
pub fn faults() -> Vec<String> {
    let of = |words: &'static Words| {
        let peers = words.peers.iter().flat_map(|peer| [peer.late, peer.refused, peer.expires]);
        let of_service = peers.chain(words.quirks).chain(words.strays).map(mark);
        // What a web server writes of a request that failed.
        of_service.chain(words.routes.iter().map(|route| route.mark.to_owned()))
    };
    [&RAIL, &CLINIC].into_iter().flat_map(of).collect()
}

/// The part of a text that holds no value: its longest.
pub fn mark(text: &str) -> String {
    let mut parts: Vec<&str> =
        text.split('{').map(|part| part.split_once('}').map_or(part, |(_, rest)| rest)).collect();
    parts.sort_by_key(|part| part.trim().len());
    parts.last().map_or("", |part| part.trim()).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The texts, those of one statement together.
    fn statements(words: &Words) -> Vec<Vec<&'static str>> {
        let mut all: Vec<Vec<&'static str>> =
            words.routes.iter().flat_map(|route| route.details.map(Vec::from)).collect();
        let own = [words.pool, words.pool_empty, words.disk, words.disk_full, words.heap, words.queue, words.job];
        let mut alone = Vec::from(own);
        alone.extend(words.routes.iter().flat_map(|route| [route.accepted, route.done, route.mark]));
        for peer in &words.peers {
            alone.extend([peer.answered, peer.late, peer.refused, peer.expires, peer.expired]);
        }
        alone.extend(words.batches.iter().flat_map(|batch| [batch.begun, batch.row, batch.over]));
        alone.extend([words.trace.1, words.dies]);
        alone.extend(
            words.workers.iter().chain(&words.quirks).chain(&words.strays).chain(&words.typo).chain(&words.starting),
        );
        all.extend(alone.into_iter().map(|text| vec![text]));
        all
    }

    #[test]
    fn the_constant_part_of_a_text_is_in_that_of_no_other_statement() {
        let mut all: Vec<Vec<&str>> = [RAIL, CLINIC].iter().flat_map(statements).collect();
        all.push(vec![DIED]);
        for (index, statement) in all.iter().enumerate() {
            for mark in statement.iter().map(|text| mark(text)) {
                assert!(mark.len() >= 4, "{mark}");
                for other in all.iter().enumerate().filter(|(other, _)| *other != index).flat_map(|(_, other)| other) {
                    assert!(!other.contains(&mark), "`{mark}` of {statement:?} is in `{other}`");
                }
            }
        }
    }
}
