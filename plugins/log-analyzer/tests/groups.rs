//! Which lines belong together, however the log comes and however hostile it is.

use std::collections::{BTreeMap, HashMap};

use log_analyzer::{Engine, GroupId, Settings};
use proptest::prelude::*;

/// Groups of a log's lines in the end, and their templates.
struct Reader {
    engine: Engine,
    settings: Settings,
    lines: Vec<GroupId>,
    former: HashMap<GroupId, GroupId>,
}

impl Reader {
    fn new(max_patterns: usize) -> Self {
        let settings = Settings { max_patterns, ..Settings::default() };
        Self { engine: Engine::new(settings.clone()), settings, lines: Vec::new(), former: HashMap::new() }
    }

    fn push(&mut self, part: &[u8]) {
        self.engine.push_and_tell("app.log", part, |group| self.lines.push(group));
        self.former.extend(self.engine.take_former().into_iter().map(|of| (of.id, of.into)));
    }

    fn save_and_restore(&mut self) {
        self.engine = Engine::restore(&self.engine.checkpoint().unwrap()).unwrap().with(self.settings.clone());
    }

    /// The template of each line's group; of one that left, its number.
    fn told(&self) -> Vec<String> {
        let mut templates = BTreeMap::new();
        for group in self.engine.groups() {
            templates.extend(group.patterns.iter().map(|of| (*of, group.template.clone())));
        }
        let resolve = |mut id: GroupId| {
            while let Some(into) = self.former.get(&id).filter(|into| **into != id) {
                id = *into;
            }
            templates.get(&id).cloned().unwrap_or_else(|| format!("left {}", id.0))
        };
        self.lines.iter().map(|id| resolve(*id)).collect()
    }
}

fn told(text: &str) -> Vec<String> {
    let mut reader = Reader::new(1000);
    reader.push(text.as_bytes());
    reader.told()
}

/// The number in letters, so that no digit gives away that it is a value.
fn letters(mut number: u64) -> String {
    let mut text = String::new();
    for _ in 0..6 {
        text.push(char::from(b'a' + (number % 26) as u8));
        number /= 26;
    }
    text
}

#[test]
fn a_place_with_many_words_holds_a_value_and_one_with_few_does_not() {
    let mut text = String::new();
    for name in ["ann", "bob", "cid", "dan", "eve", "fay"] {
        for state in ["READY", "RUNNING"] {
            text += &format!("10:00:00 login of user {name} accepted, session goes to {state}\n");
        }
    }
    let mut told = told(&text);
    told.sort();
    told.dedup();
    let template = |state: &str| format!("<*> login of user <*> accepted, session goes to {state}");
    assert_eq!(told, [template("READY"), template("RUNNING")]);
}

#[test]
fn numbers_units_lists_and_brackets_do_not_tell_lines_apart() {
    let told = told(
        "close, 403 bytes sent, 1190 bytes (1.16 KB) received, lifetime <1 sec\nclose, 0 bytes (0 B) sent, 7 bytes received, lifetime 00:02\n\
         user= rhost=10.0.0.1\nuser=7 rhost=\nspeeds 1 2 3\nspeeds 1, 2\nat Sat Jul  9 done\nat Mon Nov 23 done\n",
    );
    for pair in told.chunks(2) {
        assert_eq!(pair[0], pair[1]);
    }
}

#[test]
fn a_name_that_is_new_after_room_was_made_is_of_the_group_that_it_fits() {
    let mut reader = Reader::new(40);
    for number in 0..200 {
        reader.push(format!("INFO session of user {} was opened by hand\n", letters(number * 7919)).as_bytes());
    }
    let told = reader.told();
    assert!(told.iter().all(|template| template == "session of user <*> was opened by hand"), "{told:?}");
}

#[test]
fn an_endless_log_of_unique_lines_keeps_its_bounds_and_what_is_used_most() {
    let mut reader = Reader::new(200);
    for number in 0..5000u64 {
        reader.push(format!("{} {}\n", letters(number * 77_777), letters(number * 104_729)).as_bytes());
        reader.push(b"the heart beats\n");
    }
    assert!(reader.engine.groups().len() <= 200);
    assert!(reader.engine.groups().iter().any(|group| group.template == "the heart beats" && group.lines == 5000));
    assert!(reader.engine.checkpoint().unwrap().len() < 1 << 20);
}

#[test]
fn one_line_repeated_is_one_group_and_costs_nothing() {
    let mut reader = Reader::new(10);
    let part = b"2026-11-23T10:00:00Z INFO again and again\n".repeat(1000);
    reader.engine.push("app.log", &part);
    let once = reader.engine.checkpoint().unwrap().len();
    for _ in 1..100 {
        reader.engine.push("app.log", &part);
    }
    let groups = reader.engine.groups();
    assert_eq!((groups.len(), groups[0].lines), (1, 100_000));
    // The counts have more digits.
    let often = reader.engine.checkpoint().unwrap().len();
    assert!(once < 1 << 14 && often < once + 200, "{once}, {often}");
}

#[test]
fn a_line_without_end_and_bytes_that_are_no_text_are_survived() {
    let mut reader = Reader::new(10);
    reader.push(b"\x00\x01\xff\xfe\n\x00\x01\xff\xfe\n");
    for _ in 0..50 {
        reader.push(&[b'('; 1 << 16]);
    }
    reader.push(b"\nend\n");
    let told = reader.told();
    assert_eq!((told.len(), &told[0]), (4, &told[1]));
    assert!(told.iter().all(|template| template.len() <= 1000 && !template.contains('\0')));
}

/// Lines that are alike, and differ in some places.
fn line() -> impl Strategy<Value = String> {
    let word = prop_oneof![Just("ann"), Just("bob"), Just("cid"), Just("dan"), Just("eve"), Just("fay")];
    prop_oneof![
        (word.clone(), 0u32..99).prop_map(|(name, n)| format!("login of user {name} from 10.0.0.{n} accepted")),
        (word.clone(), word.clone()).prop_map(|(a, b)| format!("mail from {a} to {b} was sent at once")),
        (word, 0u32..9).prop_map(|(a, n)| format!("task {n} went to {a} (try {n})")),
        "[a-e ]{0,12}",
        "\\PC{0,30}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn parting_and_saving_change_no_group(
        lines in prop::collection::vec(line(), 0..60),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        saves in any::<u8>(),
        most in prop_oneof![Just(1usize), Just(5), Just(12), Just(1000)],
    ) {
        let text = (lines.join("\n") + "\n").into_bytes();
        let mut whole = Reader::new(most);
        whole.push(&text);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).chain([0, text.len()]).collect();
        cuts.sort_unstable();
        let mut parted = Reader::new(most);
        for (index, pair) in cuts.windows(2).enumerate() {
            parted.push(&text[pair[0]..pair[1]]);
            if saves & (1 << (index % 8)) != 0 {
                parted.save_and_restore();
            }
        }
        prop_assert_eq!(&parted.lines, &whole.lines);
        prop_assert_eq!(parted.told(), whole.told());
    }
}
