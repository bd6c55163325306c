//! How little an author has to write.

const SMALLEST: &str = include_str!("../examples/smallest_analyzer.rs");

#[test]
fn the_smallest_analyzer_has_under_thirty_lines_nothing_unsafe_and_nothing_generated() {
    let lines = SMALLEST.lines().filter(|line| !line.trim().is_empty()).count();
    assert!(lines < 30, "it has {lines} lines");
    for word in ["unsafe", "bindings", "wit_bindgen", "generate!"] {
        assert!(!SMALLEST.contains(word), "{word}");
    }
}
