//! A release that fails under load is left within a second: the promise, measured whole.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::Duration;

use autodevops_product_tests::rollback;

#[test]
fn a_release_that_fails_under_load_gets_no_new_request_a_second_after_the_rule_is_crossed() {
    let seen = rollback::under_load();
    eprintln!("{seen:?}");
    assert!(seen.new < Duration::from_secs(1), "{seen:?}");
    assert!(seen.under_way >= seen.new && seen.answers >= 5, "{seen:?}");
}
