use std::{fs, process::Command};

use crate::listed::{Genre, Span};

use super::*;

/// A program that says what its functions give.
const SOURCE: &str = "
#[derive(Clone, Default)]
struct Pair { one: u8, other: u8 }
const fn six() -> u8 { 3 * 2 }
const fn five() -> u8 { 2 + 3 }
fn seven() -> u8 { 7 }
fn less(left: &str, right: &str) -> bool { left < right }
fn both(left: bool, right: bool) -> bool { left && right || !left && !right }
fn sum(left: u8, right: u8) -> u8 { let mut sum = left + right; sum += 1; sum }
fn word(number: u8) -> &'static str {
    match number {
        0 => \"none\",
        many if many > 3 => \"many\",
        _ => \"some\",
    }
}
fn pair() -> Pair { let whole = Pair::default(); Pair { one: 5, ..whole } }
fn chained(some: Option<u8>) -> u8 { if let Some(one) = some && one > 8 { one } else { 0 } }
fn unnamed() -> impl Iterator<Item = u8> { [5].into_iter() }
const FIXED: u8 = five() + 0;
fn main() {
    println!(\"{} {} {} {} {}\", seven(), less(\"a\", \"b\"), both(true, false), both(false, false), sum(1, 2));
    println!(\"{} {} {} {} {}\", word(0), word(2), word(9), pair().one, unnamed().sum::<u8>() * 0 + FIXED + pair().other);
    println!(\"{} {}\", six(), chained(Some(9)));
}
";

/// Each with the text at which it begins in the line that has another one, and with what the program says when it is on.
const MUTANTS: [(Genre, &str, &str, &str, &str); 18] = [
    (Genre::FnValue, "fn seven", "7 }", "1", "1 true false true 4 none some many 5 5 6 9"),
    (Genre::BinaryOperator, "fn less", "< right", "==", "7 false false true 4 none some many 5 5 6 9"),
    (Genre::BinaryOperator, "fn less", "< right", ">", "7 false false true 4 none some many 5 5 6 9"),
    (Genre::BinaryOperator, "fn both", "&& right", "||", "7 true true true 4 none some many 5 5 6 9"),
    (Genre::BinaryOperator, "fn both", "|| !left", "&&", "7 true false false 4 none some many 5 5 6 9"),
    (Genre::UnaryOperator, "fn both", "!left", "", "7 true true false 4 none some many 5 5 6 9"),
    (Genre::BinaryOperator, "fn sum", "+ right", "*", "7 true false true 3 none some many 5 5 6 9"),
    (Genre::BinaryOperator, "fn sum", "+= 1", "-=", "7 true false true 2 none some many 5 5 6 9"),
    (Genre::MatchArm, "0 =>", "0 =>", "", "7 true false true 4 some some many 5 5 6 9"),
    (Genre::MatchArmGuard, "many if", "many > 3", "true", "7 true false true 4 none many many 5 5 6 9"),
    (Genre::MatchArmGuard, "many if", "many > 3", "false", "7 true false true 4 none some some 5 5 6 9"),
    (Genre::BinaryOperator, "many if", "> 3", "<", "7 true false true 4 none many some 5 5 6 9"),
    (Genre::StructField, "fn pair", "one: 5", "", "7 true false true 4 none some many 0 5 6 9"),
    // It need not be known when it is compiled.
    (Genre::BinaryOperator, "fn six", "* 2", "+", "7 true false true 4 none some many 5 5 5 9"),
    // What is fixed when it is compiled has no switch.
    (Genre::BinaryOperator, "const FIXED", "+ 0", "*", ""),
    (Genre::BinaryOperator, "fn five", "+ 3", "*", ""),
    // Nor is a type without a name another one.
    (Genre::FnValue, "fn unnamed", "[5]", "::std::iter::empty()", ""),
    // Beside a pattern there is only "and".
    (Genre::BinaryOperator, "fn chained", "&& one", "||", ""),
];

/// The functions that a constant is made by.
fn called() -> BTreeSet<String> {
    BTreeSet::from(["five".to_owned()])
}

fn mutants() -> Vec<Mutant> {
    let mutant = |(genre, line, text, replacement, _): (Genre, &str, &str, &str, &str)| {
        let (at, line) = SOURCE.lines().enumerate().find(|(_, of)| of.contains(line)).unwrap();
        let start = Position { line: at + 1, column: line.find(text).unwrap() + 1 };
        let name = format!("src/main.rs:{}:{}: {replacement}", start.line, start.column);
        Mutant {
            name,
            file: "src/main.rs".to_owned(),
            replacement: replacement.to_owned(),
            genre,
            span: Span { start },
        }
    };
    MUTANTS.into_iter().map(mutant).collect()
}

#[test]
fn a_program_does_what_it_did_until_one_is_on_and_notes_which_it_came_by() {
    let mutants = mutants();
    let switched = put(SOURCE, mutants.iter().enumerate(), &called()).unwrap();
    let last = mutants.len() - 4;
    assert_eq!(switched.numbers, (0..last).collect());
    assert_eq!(switched.unviable, BTreeSet::from([mutants.len() - 1]));
    let folder = tempfile::tempdir().unwrap();
    let (source, program) = (folder.path().join("main.rs"), folder.path().join("main"));
    fs::write(&source, with_switches(&switched.text, mutants.len())).unwrap();
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let built = Command::new(compiler).args(["--edition", "2024", "-o"]).arg(&program).arg(&source).output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let says = |name: &str, value: &str| {
        let output = Command::new(&program).env(name, value).output().unwrap();
        String::from_utf8(output.stdout).unwrap().replace('\n', " ").trim().to_owned()
    };
    let note = folder.path().join("reached");
    assert_eq!(says("MUTANTS_REACHED", note.to_str().unwrap()), "7 true false true 4 none some many 5 5 6 9");
    let reached: BTreeSet<usize> =
        fs::read_to_string(&note).unwrap().lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(reached, switched.numbers, "the program comes by each");
    for (number, (genre, line, _, replacement, expected)) in MUTANTS.into_iter().enumerate().take(last) {
        assert_eq!(says("MUTANT_ON", &number.to_string()), expected, "{genre:?} in `{line}`: `{replacement}`");
    }
}

#[test]
fn an_error_is_told_by_the_switches_that_are_around_it() {
    let mutants = mutants();
    let switched = put(SOURCE, mutants.iter().enumerate(), &called()).unwrap();
    let text = with_switches(&switched.text, mutants.len());
    let told = |what: &str| at(&text, text.find(what).unwrap());
    assert_eq!(told("* __left == * __right"), Some(At::Within(1)));
    assert_eq!(told("* __left < * __right"), Some(At::Around(BTreeSet::from([1]))));
    assert_eq!(told("(left) , & (right)"), Some(At::Around(BTreeSet::from([1, 2]))));
    assert_eq!(told("match number"), Some(At::Around(BTreeSet::from([8, 9, 10]))));
    assert_eq!(told("return 1"), Some(At::Within(0)));
    assert_eq!(told("struct Pair"), None);
}
