//! The log analyzer says in the sandbox, where it looks at bytes by vector instructions, what the same code says that is built for
//! this machine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;

use autodevops_bundle::PluginFolder;
use autodevops_model::LineGroup;
use autodevops_policy::{Grant, effective};
use autodevops_product_tests::{plugin_folder, sandbox};
use autodevops_sandbox::{CallContext, Plugin, PluginSource};
use log_analyzer::{Engine, Former, Settings};

const LINES: usize = 4000;
/// Few enough that some have to leave.
const MAX_PATTERNS: usize = 300;
/// Bytes that are pushed at once: parts end anywhere.
const PART_BYTES: usize = 5003;

/// What lines are made of, besides random bytes and numbers.
const PIECES: [&str; 28] = [
    " ",
    " ",
    " ",
    " ",
    "  ",
    "\t",
    "blk_-",
    "/10.250.19.",
    ":50010",
    "dest:",
    "src: ",
    "user=ann",
    "request_id=a1b2",
    "failed",
    "Exception",
    "java.io.IOException: ",
    "com.example.Shop",
    "ann@b.example",
    "/mnt/dfs/part-",
    "http://a.example/x?y=",
    "deadbeef",
    "...",
    "(",
    "]",
    "\"",
    "größer",
    "Http2Exception",
    "timed out after ",
];
const HEADS: [&str; 5] = [
    "081109 203615 148 INFO dfs.DataNode$PacketResponder: ",
    "081109 203616 35 WARN dfs.DataNode$DataXceiver: ",
    "2026-11-23T10:00:00Z ERROR ",
    "Jun 14 15:16:01 combo sshd[19939]: ",
    "",
];

/// Lines of all lengths, the same in every run; the numbers are those of xorshift64*, Vigna 2016.
fn lines() -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: usize| {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % below
    };
    let mut text = Vec::new();
    for _ in 0..LINES {
        text.extend_from_slice(HEADS[next(HEADS.len())].as_bytes());
        // Few kinds of lines come often, as in any log.
        let kind = next(40);
        for at in 0..next(30) {
            match next(12) {
                0 => text.extend(next(1_000_000).to_string().bytes()),
                1 if kind == 0 => text.extend(Some(next(256) as u8).filter(|byte| *byte != b'\n')),
                _ => text.extend_from_slice(PIECES[(kind * 7 + at * (kind + 3)) % PIECES.len()].as_bytes()),
            }
        }
        text.push(b'\n');
    }
    text
}

fn told(former: Former) -> LineGroup {
    LineGroup { id: former.id.0, into: former.into.0, template: former.template }
}

#[tokio::test]
async fn groups_and_issues_are_the_same_in_the_sandbox_and_native() {
    let PluginFolder { manifest, component, .. } = plugin_folder("log-analyzer");
    let config = BTreeMap::from([("max-patterns".to_owned(), MAX_PATTERNS.into())]);
    let source = PluginSource {
        manifest: &manifest,
        component: &component,
        grant: effective(&manifest, &Grant::default()),
        config: manifest.configure(&config).unwrap(),
        keyvalue: None,
        local: None,
        commands: None,
        mail: None,
        credentials: None,
    };
    let plugin = Plugin::load(&sandbox(), source).unwrap();
    let mut session = plugin.analyze(&CallContext::default(), None).await.unwrap();
    let mut engine = Engine::new(Settings { max_patterns: MAX_PATTERNS, ..Settings::default() });
    let mut left = 0;
    for part in lines().chunks(PART_BYTES) {
        let inside = session.push_grouped("a.log", part).await.unwrap();
        let mut outside = Vec::new();
        engine.push_and_tell("a.log", part, |group| outside.push(group.0));
        assert_eq!(inside.lines, outside);
        let former: Vec<LineGroup> = engine.take_former().into_iter().map(told).collect();
        left += former.len();
        assert_eq!(inside.former, former);
    }
    assert!(left > 0, "some patterns had to leave");
    let groups = engine.groups();
    let outside: Vec<(u32, String)> = groups.into_iter().map(|group| (group.id.0, group.template)).collect();
    let inside = session.groups().await.unwrap().into_iter().filter(|group| group.id == group.into);
    assert_eq!(inside.map(|group| (group.id, group.template)).collect::<Vec<_>>(), outside);
    assert!(outside.len() > 50, "{} groups", outside.len());

    let outside: Vec<(String, u64)> =
        engine.issues().into_iter().map(|issue| (issue.fingerprint, issue.count)).collect();
    let inside = session.issues().await.unwrap().into_iter();
    assert_eq!(inside.map(|issue| (issue.fingerprint.to_string(), issue.count)).collect::<Vec<_>>(), outside);
    assert!(outside.len() > 5, "{} issues", outside.len());
}
