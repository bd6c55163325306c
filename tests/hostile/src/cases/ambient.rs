//! What surrounds a program elsewhere: clocks, randomness, the environment, arguments, standard input, sockets, the end of the
//! process. There is nothing of it here until it is granted, and most of it never is.

use autodevops_policy::{Bytes, Limit};

use crate::{
    case::{Case, Ending, Terms},
    component::Wat,
};

/// All of them.
pub fn cases() -> Vec<Case> {
    clocks().into_iter().chain(randomness()).chain(environment()).chain(sockets()).chain(calls()).collect()
}

/// A value that is zero until it is granted.
fn zero(name: &str, promise: &'static str, guest: Wat, grant: fn(&mut Terms)) -> Case {
    Case::new(name, promise, guest, Ending::Says("0".into())).raised(grant, Ending::Ends)
}

/// Says a number that the function gives.
fn number(interface: &str, function: &str) -> Wat {
    Wat::check(&format!("(call $number (call ${function}))")).import(interface, function)
}

/// Says the first eight bytes of what the function writes to an address.
fn written(interface: &str, function: &str) -> Wat {
    Wat::check(&format!("(call ${function} (i32.const 2048)) (call $number (i64.load (i32.const 2048)))"))
        .import(interface, function)
}

fn clocks() -> Vec<Case> {
    let granted = |terms: &mut Terms| terms.grant.clocks = true;
    let monotonic = "wasi:clocks/monotonic-clock";
    let subscribe = |function: &str| {
        Wat::check(&format!("(drop (call ${function} (i64.const 0))) (call $passed)")).import(monotonic, function)
    };
    let waits = |name: &str, function: &str| {
        Case::new(name, "nothing-by-default/clocks", subscribe(function), Ending::Denied("clocks = true"))
            .raised(granted, Ending::Says("done".into()))
    };
    vec![
        zero(
            "a look at the wall clock",
            "nothing-by-default/clocks",
            written("wasi:clocks/wall-clock", "now"),
            granted,
        ),
        zero("a look at the monotonic clock", "nothing-by-default/clocks", number(monotonic, "now"), granted),
        waits("a wait for a time", "subscribe-instant"),
        waits("a wait for a while", "subscribe-duration"),
    ]
}

fn randomness() -> Vec<Case> {
    let granted = |terms: &mut Terms| terms.grant.random = true;
    let bytes = |interface: &str, function: &str, times: u32, length: u64| {
        Wat::check(&format!(
            "(local $n i32)
             (loop $next
                (global.set $heap (i32.const 65536))
                (call ${function} (i64.const {length}) (i32.const 2048))
                (local.set $n (i32.add (local.get $n) (i32.const 1)))
                (br_if $next (i32.lt_u (local.get $n) (i32.const {times}))))
             (call $passed)"
        ))
        .import(interface, function)
    };
    let (secure, insecure) = ("wasi:random/random", "wasi:random/insecure");
    let flood = |name: &str, guest: Wat| {
        Case::new(name, "limits/random-bytes", guest, Ending::Over(Limit::RandomBytes))
            .given(granted)
            .held(|terms| terms.limits().random_bytes = Bytes(10_000))
            .raised(|terms| terms.limits().random_bytes = Bytes(10 << 20), Ending::Says("done".into()))
    };
    vec![
        zero("a random number", "nothing-by-default/random", number(secure, "get-random-u64"), granted),
        zero(
            "an insecure random number",
            "nothing-by-default/random",
            number(insecure, "get-insecure-random-u64"),
            granted,
        ),
        zero("a seed", "nothing-by-default/random", written("wasi:random/insecure-seed", "insecure-seed"), granted),
        flood("a megabyte of randomness at once", bytes(secure, "get-random-bytes", 1, 1 << 20)),
        flood("randomness bit by bit", bytes(secure, "get-random-bytes", 100, 1000)),
        flood("insecure randomness bit by bit", bytes(insecure, "get-insecure-random-bytes", 100, 1000)),
        Case::new(
            "more randomness than there are addresses",
            "limits/random-bytes",
            bytes(secure, "get-random-bytes", 1, 1 << 62),
            Ending::Over(Limit::RandomBytes),
        )
        .given(granted)
        .mended(bytes(secure, "get-random-bytes", 1, 1 << 10)),
        Case::new(
            "randomness without a grant, without end",
            "limits/random-bytes",
            bytes(secure, "get-random-bytes", 100, 1000),
            Ending::Over(Limit::RandomBytes),
        )
        .held(|terms| terms.limits().random_bytes = Bytes(10_000))
        .raised(|_| {}, Ending::Says("done".into())),
    ]
}

/// The host's own environment, arguments and folder are never given; what a plugin is to know is its configuration.
fn environment() -> Vec<Case> {
    // Says how many entries the list has that the function gives.
    let count = |interface: &str, function: &str| {
        Wat::check(&format!(
            "(call ${function} (i32.const 2048))
             (call $number (i64.extend_i32_u (i32.load offset=4 (i32.const 2048))))"
        ))
        .import(interface, function)
    };
    // The configuration's list comes in a result, whose tag is before it.
    let configured = Wat::check(
        "(call $get-all (i32.const 2048))
         (call $number (i64.extend_i32_u (i32.load offset=8 (i32.const 2048))))",
    )
    .import("wasi:config/store", "get-all");
    let case = |name: &str, guest: Wat| {
        Case::new(name, "nothing-by-default/environment", guest, Ending::Says("0".into()))
            .given(|terms| {
                terms.config.insert("a".into(), "b".into());
            })
            .mended(configured.clone())
    };
    let environment = "wasi:cli/environment";
    let cwd = Wat::check(
        "(call $initial-cwd (i32.const 2048)) (call $number (i64.extend_i32_u (i32.load8_u (i32.const 2048))))",
    )
    .import(environment, "initial-cwd");
    let stdin = Wat::check(
        "(call $method_input-stream.blocking-read (call $get-stdin) (i64.const 100) (i32.const 2048))
         (if (result i32) (i32.and (i32.load8_u (i32.const 2048)) (i32.load8_u offset=4 (i32.const 2048)))
            (then (call $number (i64.const 0)))
            (else (call $number (i64.const 1))))",
    )
    .import("wasi:cli/stdin", "get-stdin")
    .import("wasi:io/streams", "[method]input-stream.blocking-read");
    let exit = |function: &str| {
        Wat::check(&format!("(call ${function} (i32.const 1)) (call $passed)")).import("wasi:cli/exit", function)
    };
    vec![
        case("a read of the environment", count(environment, "get-environment")),
        case("a read of the arguments", count(environment, "get-arguments")),
        case("a question for the host's folder", cwd),
        case("a read of standard input", stdin),
        case("a look for granted folders", count("wasi:filesystem/preopens", "get-directories")),
        Case::new(
            "the end of the process",
            "nothing-by-default/environment",
            exit("exit"),
            Ending::Traps("it ended itself with exit code 1"),
        )
        .mended(Wat::check("(call $passed)")),
    ]
}

/// Sockets are never made.
fn sockets() -> Vec<Case> {
    // Says which error it was, by the contract's number of it, 1 for access that is denied.
    let create = |kind: &str| {
        Wat::check(&format!(
            "(call $create-{kind}-socket (i32.const 0) (i32.const 2048))
             (call $number (i64.extend_i32_u (i32.add (i32.mul (i32.const 100) (i32.load8_u (i32.const 2048)))
                (i32.load8_u offset=4 (i32.const 2048)))))"
        ))
        .import(&format!("wasi:sockets/{kind}-create-socket"), &format!("create-{kind}-socket"))
    };
    let lookup = Wat::check(
        "(call $resolve-addresses (call $instance-network) (i32.const 4096) (i32.const 9) (i32.const 2048))
         (call $number (i64.extend_i32_u (i32.add (i32.mul (i32.const 100) (i32.load8_u (i32.const 2048)))
            (i32.load8_u offset=4 (i32.const 2048)))))",
    )
    .import("wasi:sockets/instance-network", "instance-network")
    .import("wasi:sockets/ip-name-lookup", "resolve-addresses")
    .with("(data (i32.const 4096) \"localhost\")");
    [("a TCP socket", create("tcp")), ("a UDP socket", create("udp")), ("a look-up of a name", lookup)]
        .into_iter()
        .map(|(name, guest)| {
            Case::new(name, "nothing-by-default/sockets", guest, Ending::Says("101".into()))
                .mended(Wat::check("(call $passed)"))
        })
        .collect()
}

/// Host calls of whatever kind are counted.
fn calls() -> Vec<Case> {
    let often = |act: &str| {
        format!(
            "(local $n i32)
             (loop $next
                {act}
                (local.set $n (i32.add (local.get $n) (i32.const 1)))
                (br_if $next (i32.lt_u (local.get $n) (i32.const 500))))
             (call $passed)"
        )
    };
    let monotonic = "wasi:clocks/monotonic-clock";
    [
        ("a flood of looks at the clock", Wat::check(&often("(drop (call $now))")).import(monotonic, "now")),
        (
            "a flood of reads of the environment",
            Wat::check(&often("(call $get-environment (i32.const 2048))"))
                .import("wasi:cli/environment", "get-environment"),
        ),
        (
            "a flood of reads of the configuration",
            Wat::check(&often("(call $get (i32.const 0) (i32.const 0) (i32.const 2048))"))
                .import("wasi:config/store", "get"),
        ),
        (
            "a flood of sockets that are refused",
            Wat::check(&often("(call $create-tcp-socket (i32.const 0) (i32.const 2048))"))
                .import("wasi:sockets/tcp-create-socket", "create-tcp-socket"),
        ),
        (
            "a flood of sleeps of no time",
            Wat::check(&often(
                "(if (i32.eqz (local.get $n))
                    (then (global.set $timer (call $subscribe-duration (i64.const 0)))))
                 (call $method_pollable.block (global.get $timer))",
            ))
            .with("(global $timer (mut i32) (i32.const 0))")
            .import(monotonic, "subscribe-duration")
            .import("wasi:io/poll", "[method]pollable.block"),
        ),
        (
            "a flood of handles that are made and dropped",
            Wat::check(&often("(call $resource-drop_fields (call $constructor_fields))"))
                .import("wasi:http/types", "[constructor]fields")
                .import("wasi:http/types", "[resource-drop]fields"),
        ),
    ]
    .into_iter()
    .map(|(name, guest)| {
        Case::new(name, "limits/host-calls", guest, Ending::Over(Limit::HostCalls))
            .given(|terms| terms.grant.clocks = true)
            .held(|terms| terms.limits().host_calls = 100)
            .raised(|_| {}, Ending::Says("done".into()))
    })
    .collect()
}
