//! What is taken out, and what is left.

use proptest::prelude::*;

use super::*;

fn redacted(text: &str) -> String {
    Redaction::default().text(text)
}

#[test]
fn every_standard_pattern_is_one_that_is_used() {
    let mut names: Vec<&str> = RULES.iter().map(|rule| rule.name.as_str()).collect();
    names.dedup();
    assert_eq!(names, STANDARD);
    assert_eq!(RULES.len(), STANDARD.len() + 1, "one of them cannot be compiled");
}

#[test]
fn secrets_and_personal_data_are_taken_out() {
    for (text, expected) in [
        ("mail to jane.doe+x@mail.example.co.uk now", "mail to [redacted:email] now"),
        ("from 203.0.113.7:443", "from [redacted:ip-address]"),
        ("from 10.1.2.3, 2001:db8::8a2e:370:7334", "from [redacted:ip-address], [redacted:ip-address]"),
        ("card 4111 1111 1111 1111 refused", "card [redacted:card-number] refused"),
        ("card 5500-0000-0000-0004", "card [redacted:card-number]"),
        ("Authorization: Basic dXNlcjpwYXNz", "Authorization: [redacted:authorization]"),
        ("{\"authorization\":\"Bearer abc.def\",\"x\":1}", "{\"authorization\":\"[redacted:authorization]\",\"x\":1}"),
        ("Set-Cookie: sid=31d4d96e407aad42; HttpOnly\nnext", "Set-Cookie: [redacted:authorization]\nnext"),
        ("got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P", "got [redacted:jwt]"),
        ("postgres://shop:hunter2@db:5432/x", "postgres://[redacted:url-credentials]@db:5432/x"),
        ("DB_PASSWORD=correct-horse and more", "DB_PASSWORD=[redacted:secret] and more"),
        ("apiKey: \"abcdef123\", user: 1", "apiKey: \"[redacted:secret]\", user: 1"),
        ("sent bearer abcdefgh12345", "sent bearer [redacted:token]"),
        ("key ghp_abcdefghijklmnopqrstuvwxyz0123456789", "key [redacted:token]"),
        ("id AKIAIOSFODNN7EXAMPLE", "id [redacted:token]"),
        ("hash d41d8cd98f00b204e9800998ecf8427e", "hash [redacted:hex]"),
        ("blob q83vEjRWeJq83v+EjRWeJC7xPz01Qm9vZ2xlVGVzdDEyMw==", "blob [redacted:base64]"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nend", "[redacted:private-key]\nend"),
        ("-----BEGIN PRIVATE KEY-----\ncut off", "[redacted:private-key]"),
    ] {
        assert_eq!(redacted(text), expected);
    }
}

#[test]
fn what_says_nothing_of_anyone_is_left() {
    for text in [
        "TypeError: Cannot read properties of undefined (reading 'country')",
        "    at priceOf (/srv/app/functions/lib/pricing.js:54:31)",
        "SyntaxError: Unexpected token '<', \"<!DOCTYPE\" is not valid JSON",
        "2026-11-25T18:04:10.123Z GET /orders/42 500 12ms",
        "listening on 127.0.0.1:8080 and [::1]:8080",
        "thread 'main' panicked at std::fmt::Write, src/a.rs:10:00",
        "order 1234567890123 not found",
        "lodash@4.17.21 and version 1.2.3",
        "/srv/app/node_modules/.pnpm/node_modules/Some-Package-Name-With-1234-Parts/lib/index",
        "run 62e23fd1-1 of release 61c661f1db-e5bd9d4c",
    ] {
        assert_eq!(redacted(text), text);
    }
}

#[test]
fn a_fix_keeps_its_code_and_tells_nothing_of_anyone() {
    use autodevops_model::{Edit, FileChange, Risk, RollbackPlan};
    let quoting = || "as jane@shop.example saw".to_owned();
    let fix = Fix {
        title: quoting(),
        root_cause: quoting(),
        confidence: 0.5,
        risk: Risk::Low,
        edits: vec![Edit { path: "a.js".into(), base_sha256: None, change: FileChange::Create(quoting()) }],
        tests: Vec::new(),
        rollback: RollbackPlan { summary: quoting(), previous_release_suffices: true, state: Vec::new() },
    };
    let redacted = Redaction::default().fix(&fix);
    let told = "as [redacted:email] saw";
    assert_eq!([&redacted.title, &redacted.root_cause, &redacted.rollback.summary], [told; 3]);
    assert_eq!((redacted.edits, redacted.tests), (fix.edits, fix.tests));
}

#[test]
fn an_operator_adds_patterns_and_keeps_what_is_needed() {
    let pairs = |name: &str, pattern: &str| vec![(name.to_owned(), pattern.to_owned())];
    let made = |keep: &[&str], pairs: &[(String, String)]| {
        let keep: Vec<String> = keep.iter().map(|name| (*name).to_owned()).collect();
        Redaction::new(&keep, pairs.iter().map(|(name, pattern)| (name, pattern)))
    };
    let redaction = made(&["ip-address"], &pairs("customer", "customer=(C-[0-9]+)")).unwrap();
    assert_eq!(redaction.text("customer=C-17 at 203.0.113.7"), "customer=[redacted:customer] at 203.0.113.7");
    let (name, error) = made(&[], &pairs("bad", "(")).unwrap_err();
    assert_eq!(name, "bad");
    assert!(error.to_string().contains("no regular expression: unclosed group"), "{error}");
    assert_eq!(made(&[], &pairs("empty", "x*")).unwrap_err().1, RedactionError::Empty);
}

proptest! {
    #[test]
    fn whatever_stands_around_it_an_address_is_gone(before in "[ a-z,;(]{0,20}", after in "[ ,;)]{0,5}") {
        let text = format!("{before} jane@shop.example{after}");
        prop_assert!(!redacted(&text).contains("jane@"));
    }

    #[test]
    fn what_was_redacted_stays_as_it_is(text in "\\PC{0,200}") {
        let once = redacted(&text);
        prop_assert_eq!(redacted(&once), once);
    }
}
