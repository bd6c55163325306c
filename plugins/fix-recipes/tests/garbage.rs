//! Whatever a file holds, the plugin neither fails nor touches what its edits do not name.

use std::fs;

use autodevops_sdk::types::{FileChange, Issue, IssueKind, Location, Proposal, Severity};
use proptest::prelude::*;

const MESSAGES: [(&str, &str); 9] = [
    ("TypeError", "Cannot read properties of undefined (reading 'country')"),
    ("TypeError", "Cannot destructure property 'a' of 'b.c' as it is undefined."),
    ("TypeError", "order.items is not iterable"),
    ("TypeError", "Cannot set properties of undefined (setting 'a')"),
    ("TypeError", "x.toFixed is not a function"),
    ("SyntaxError", "Unexpected end of JSON input"),
    ("UnhandledPromiseRejection", "boom"),
    ("TypeError", "Invalid URL"),
    ("Error", "Missing required environment variable PORT"),
];

const SOURCE: &str = "'use strict';\n\nconst { port = required('PORT') } = process.env;\n\nfunction vat(order, { a }) {\n  const { b } = order.c;\n  const data = JSON.parse(order.body);\n  save(data);\n  for (const item of order.items) total += item.price;\n  order.d.a = 1;\n  return rates.get(order.customer.address.country) + `${order.x.toFixed(2)} ü 😀` + new URL(process.env.A);\n}\n\nasync function save(x) {\n  await store.put(x.y.country);\n}\n\nmodule.exports = { vat };\n";

fn propose(bytes: &[u8], message: usize, line: u32, column: Option<u32>) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.js"), bytes).unwrap();
    let (exception, text) = MESSAGES[message % MESSAGES.len()];
    let issue = Issue {
        exception: Some(exception.into()),
        message: text.into(),
        location: Some(Location { path: "a.js".into(), line, column }),
        ..Issue::new("ab", IssueKind::Exception, Severity::Error, exception)
    };
    let Proposal::Fix(fix) = fix_recipes::propose_in(folder.path(), &issue).unwrap() else { return };
    assert_eq!(fs::read(folder.path().join("a.js")).unwrap(), bytes);
    let [edit] = fix.edits.as_slice() else { panic!("{} edits", fix.edits.len()) };
    let FileChange::Modify(parts) = &edit.change else { panic!("not a modification") };
    let text = std::str::from_utf8(bytes).unwrap();
    let mut last = 0;
    for part in parts {
        let (start, end) = (usize::try_from(part.start).unwrap(), usize::try_from(part.end).unwrap());
        assert!(last <= start && start <= end && end <= text.len());
        assert!(text.is_char_boundary(start) && text.is_char_boundary(end));
        last = end;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_give_a_proposal(bytes in proptest::collection::vec(any::<u8>(), 0..400), message in 0_usize..9, line in 0_u32..20) {
        propose(&bytes, message, line, Some(line));
    }

    #[test]
    fn a_file_cut_anywhere_gives_a_proposal(cut in 0..SOURCE.len(), message in 0_usize..9, line in 0_u32..20, column in 0_u32..90) {
        propose(&SOURCE.as_bytes()[..cut], message, line, Some(column));
    }

    #[test]
    fn any_place_of_a_file_gives_a_proposal(message in 0_usize..9, line in 0_u32..30, column in proptest::option::of(0_u32..120)) {
        propose(SOURCE.as_bytes(), message, line, column);
    }

    #[test]
    fn any_words_of_the_language_give_a_proposal(
        words in proptest::collection::vec(proptest::sample::select(vec![
            "a", "b", ".", "?.", "(", ")", "[", "]", "{", "}", "=", "=>", ";", "\n", "const ", "function f", "async ", "await ",
            "JSON.parse", "exports.f = ", "return ", "if ", ",", "'x'", "`${", "}`", "1", "+", "new ", "class A ", "...", "for ", " of ",
            "process.env.PORT", ".toFixed(2)", ".country", "try ", "catch ", "??", "!",
        ]), 0..60),
        message in 0_usize..9,
    ) {
        propose(words.concat().as_bytes(), message, 1, None);
    }
}

#[test]
fn depth_is_bounded_by_what_the_parser_bears() {
    let deep = format!("exports.f = (a) => {}a{}.b.country;", "(".repeat(90), ")".repeat(90));
    propose(deep.as_bytes(), 0, 1, None);
    let chain = format!("exports.f = (a) => a{}.country;", ".b".repeat(380));
    propose(chain.as_bytes(), 0, 1, None);
}

#[test]
fn what_nests_too_deeply_is_left_alone() {
    for deep in
        [format!("exports.f = (a) => a{}.country;", ".b".repeat(50_000)), "((((".repeat(20_000), "[".repeat(9_000)]
    {
        propose(deep.as_bytes(), 0, 1, None);
    }
}
