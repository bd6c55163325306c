//! The words of services, of which no line of one is in another.

/// What the statements of a service are made of.
pub struct Words {
    pub components: [&'static str; 8],
    pub verbs: [&'static str; 12],
    pub nouns: [&'static str; 12],
    pub tails: [&'static str; 8],
    pub faults: [&'static str; 10],
    pub deadly: [&'static str; 4],
    /// Values with their limits.
    pub gauges: [(&'static str, f64); 6],
    pub timed: [&'static str; 6],
    pub beats: [&'static str; 5],
}

/// A shop.
pub const SHOP: Words = Words {
    components: ["Orders", "Cart", "payments", "auth", "gateway", "scheduler", "mailer", "search"],
    verbs: [
        "accepted",
        "stored",
        "sent",
        "loaded",
        "resolved",
        "refreshed",
        "queued",
        "parsed",
        "matched",
        "signed",
        "flushed",
        "opened",
    ],
    nouns: [
        "order", "cart", "invoice", "session", "token", "mail", "index", "customer", "price", "stock", "report",
        "basket",
    ],
    tails: [
        "for user {n}",
        "from {ip}",
        "with id {hex}",
        "in region eu",
        "on shard {n}",
        "by rule {n}",
        "at /srv/{n}",
        "of tenant {n}",
    ],
    faults: [
        "cannot reach database primary",
        "upstream answered 502 for request {n}",
        "payment was declined by provider code {n}",
        "deadlock found when updating row {n}",
        "token of user {n} has a bad signature",
        "queue consumer lost its lease {hex}",
        "could not write file /var/spool/{n}",
        "certificate of {ip} was rejected",
        "lock on ledger {n} was not granted",
        "schema of message {hex} is unknown",
    ],
    deadly: [
        "out of memory: cannot allocate {n} bytes",
        "panic: runtime error: index out of range [{n}]",
        "no space left on device while writing segment {n}",
        "database system is corrupt: page {n}",
    ],
    gauges: [
        ("disk usage on /data is {v}%", 100.0),
        ("connection pool: {v}/80 in use", 80.0),
        ("heap used={v}MB max=2048MB", 2048.0),
        ("queue depth={v} limit=5000", 5000.0),
        ("memory at {v} % of the container", 100.0),
        ("open file descriptors: {v} of 1024", 1024.0),
    ],
    timed: [
        "GET /api/{noun}/{n} 200 in {d}ms",
        "query on {noun} took {d} ms",
        "rendered {noun} page duration={d}ms",
        "call to {noun} service finished elapsed_ms={d}",
        "{noun} lookup completed in {s}s",
        "handled rpc {noun}.Get latency={d}ms status=OK",
    ],
    beats: [
        "heartbeat ok",
        "leader lease renewed",
        "health probe passed",
        "metrics were pushed",
        "cluster member is alive",
    ],
};

/// A fleet of vehicles.
pub const FLEET: Words = Words {
    components: ["Ingest", "geo.Fence", "router", "firmware", "billing", "tracker", "alarms", "com.fleet.Maps"],
    verbs: [
        "decoded",
        "merged",
        "published",
        "archived",
        "snapped",
        "calibrated",
        "forwarded",
        "indexed",
        "paired",
        "verified",
        "compacted",
        "attached",
    ],
    nouns: [
        "position",
        "trip",
        "vehicle",
        "driver",
        "geofence",
        "firmware",
        "route",
        "telemetry",
        "sensor",
        "tile",
        "alarm",
        "contract",
    ],
    tails: [
        "of vehicle {n}",
        "via {ip}",
        "key={hex}",
        "for fleet north",
        "in cell {n}",
        "with {n} points",
        "into /lake/{n}",
        "(attempt {n})",
    ],
    faults: [
        "broker refused the connection",
        "frame of vehicle {n} has a wrong checksum",
        "no route to depot {n} could be planned",
        "transaction {hex} was aborted by the coordinator",
        "driver {n} is not permitted to start",
        "stream partition {n} has no leader",
        "tile {n} could not be rendered",
        "handshake with {ip} broke off",
        "contract {n} has no tariff",
        "payload {hex} exceeds what is allowed",
    ],
    deadly: [
        "cannot allocate memory for buffer {n}",
        "fatal signal 11 in worker {n}",
        "journal is damaged at offset {n}",
        "quorum is lost: {n} members are gone",
    ],
    gauges: [
        ("filesystem /lake at {v} percent", 100.0),
        ("sessions: {v}/500", 500.0),
        ("rss={v}MiB limit=4096MiB", 4096.0),
        ("backlog={v} max=20000", 20000.0),
        ("cache usage is {v}%", 100.0),
        ("threads in use: {v} of 256", 256.0),
    ],
    timed: [
        "POST /v2/{noun} -> 201 ({d} ms)",
        "flush of {noun} batch took {d}ms",
        "match {noun} elapsed={s}s",
        "{noun} write latency_ms={d} ok=true",
        "export of {noun} {n} finished after work duration={d}ms",
        "grpc {noun}.Put cost={d}ms",
    ],
    beats: [
        "ping answered",
        "lease of the shard was extended",
        "still alive",
        "offsets were committed",
        "watchdog fed",
    ],
};

/// Marks of the faults that a service may have always had.
pub fn faults() -> Vec<String> {
    [&SHOP, &FLEET].iter().flat_map(|words| words.faults).map(crate::service::mark).collect()
}
