//! Kinds of records of one line: what became of one becomes of all that differ from it in their numbers alone.
//!
//! It holds nothing that cannot be found again, so it is not saved, and a kind may be forgotten at any time.

use autodevops_sdk::types::Severity;

use crate::{
    bytes::is_same,
    event::{Alone, Event},
    grouping::Form,
    record::Level,
    trace,
};

/// Places for kinds, each of which is kept in the one that its form and its level give it: the newer stays.
const PLACES: usize = 256;
/// Bytes of what a record says at most: as much as is surely looked at of each of its kind.
const MAX_BYTES: usize = 400;
/// What makes another record of the line behind it, where that is not told of by its numbers.
const PANICKED: &str = "panicked at ";

/// The kinds that were seen.
#[derive(Default)]
pub struct Alike(Vec<Option<Kind>>);

struct Kind {
    form: Form,
    level: Level,
    component: Vec<u8>,
    severity: Severity,
    /// The key of the group; none where numbers may tell what such a record comes to.
    group: Option<String>,
}

impl Alike {
    fn place(form: Form, level: Level) -> usize {
        (form.0 as usize).wrapping_mul(5).wrapping_add(level as usize) % PLACES
    }

    #[inline]
    fn kind(&self, form: Form, level: Level, component: &[u8]) -> Option<&Kind> {
        let kind = self.0.get(Self::place(form, level))?.as_ref()?;
        (kind.form == form && kind.level == level && is_same(component, &kind.component)).then_some(kind)
    }

    /// The key of the group that such records are of, and how much they matter: each is one by itself, whatever comes before it or behind
    /// it with a header of its own.
    #[inline]
    pub fn group(&self, form: Form, level: Level, component: &[u8]) -> Option<(&str, Severity)> {
        let kind = self.kind(form, level, component)?;
        Some((kind.group.as_deref()?, kind.severity))
    }

    /// Remembers what became of a record.
    pub fn learn(&mut self, alone: Alone, event: &Event, severity: Severity, group: &str) {
        let Alone { form, component } = alone;
        let Some(level) = event.level.filter(|level| self.kind(form, *level, &component).is_none()) else { return };
        if self.0.is_empty() {
            self.0.resize_with(PLACES, || None);
        }
        if let Some(place) = self.0.get_mut(Self::place(form, level)) {
            let group = is_told_by_its_form(event, &component).then(|| group.to_owned());
            *place = Some(Kind { form, level, component, severity, group });
        }
    }

    /// Forgets all, since groups have changed.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

/// Whether records that say the same but for their numbers are of one group, and none of them is a part of another.
fn is_told_by_its_form(event: &Event, component: &[u8]) -> bool {
    let content = if component.is_empty() { Some(&*event.content) } else { event.content.get(component.len() + 2..) };
    let Some(content) = content.map(str::trim).filter(|content| !content.is_empty()) else { return false };
    // What is quoted may stay of a message, and has another meaning where it is long.
    if event.content.len() > MAX_BYTES || event.content.contains(['"', '\'', '`']) || content.contains(PANICKED) {
        return false;
    }
    // A number is read where it is not too large; its words are told by the form.
    let small = with_small_numbers(content);
    let is_part = |indented| trace::part(&small, indented).is_some();
    event.exception.is_none()
        && event.stack.is_empty()
        && event.status.is_none()
        && trace::head(&small).is_none()
        && !is_part(true)
        && !is_part(false)
}

/// The text with the digits of each number as one, and with one dot where the number has any.
fn with_small_numbers(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut digits, mut dotted) = (false, false);
    for (at, c) in text.char_indices() {
        let is_dot = c == '.' && digits && text.as_bytes().get(at + 1).is_some_and(u8::is_ascii_digit);
        if is_dot && !dotted {
            out.push_str(".1");
        } else if !(is_dot || c.is_ascii_digit() && digits) {
            out.push(if c.is_ascii_digit() { '1' } else { c });
        }
        dotted = is_dot || dotted && c.is_ascii_digit();
        digits = is_dot || c.is_ascii_digit();
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        grouping::Grouping,
        line::Line,
        pending::{Pending, told},
        record::Words,
        template::template,
    };

    fn event(text: &str, words: &Words) -> Event {
        let line = Line { level: Some(Level::Warning), plain: false, ..Line::of(text) };
        Pending::new(&line, told(&line, words)).finish().unwrap()
    }

    #[test]
    fn numbers_are_made_small() {
        for (text, expected) in [
            ("order 4711 failed", "order 1 failed"),
            ("10.0.0.1:80 is down 3 times", "1.1:1 is down 1 times"),
            ("v1.25 1..2 3. .4", "v1.1 1..1 1. .1"),
        ] {
            assert_eq!(with_small_numbers(text), expected);
        }
    }

    #[test]
    fn what_numbers_may_change_is_not_told_by_its_form() {
        let words = Words::default();
        for (text, expected) in [
            ("10.251.1.2:50010:Got exception while serving blk_12 to /10.251.1.3:", true),
            ("order 12 failed: 7 of 9", true),
            ("0 failed", true),
            ("cannot read 'a12' of 7", false),
            ("failed: Http2Error: 12", false),
            ("  ", false),
            ("4: shop::pay", false),
            ("#1 /srv/cart.php(12): pay()", false),
            ("thread main panicked at src/main.rs:5:10:", false),
            (&"late ".repeat(100), false),
        ] {
            assert_eq!(is_told_by_its_form(&event(text, &words), b""), expected, "{text}");
        }
    }

    #[test]
    fn only_the_kind_that_was_seen_is_known_and_a_copy_knows_none() {
        let words = Words::default();
        let mut alike = crate::uncopied::Uncopied::<Alike>::default();
        let learn = |alike: &mut Alike, form| {
            let alone = Alone { form: Form(form), component: Vec::new() };
            alike.learn(alone, &event("order 17 is late", &words), Severity::Warning, "key");
        };
        learn(&mut alike, 3);
        assert_eq!(alike.group(Form(3), Level::Warning, b""), Some(("key", Severity::Warning)));
        assert_eq!(alike.group(Form(3), Level::Error, b""), None);
        assert_eq!(alike.group(Form(3), Level::Warning, b"shop"), None);
        assert_eq!(alike.group(Form(4), Level::Warning, b""), None);
        assert_eq!(alike.clone().group(Form(3), Level::Warning, b""), None);
        (0..10_000).for_each(|form| learn(&mut alike, form));
        assert_eq!(alike.0.len(), PLACES);
        alike.clear();
        assert_eq!(alike.group(Form(9_999), Level::Warning, b""), None);
    }

    /// Texts of one form with several numbers in the place of each.
    fn alike() -> impl Strategy<Value = (String, String)> {
        let words = prop_oneof![
            2 => "[a-eX:./=?&@$,_ -]{1,4}",
            3 => prop::sample::select(vec![
                " failed", "Error", "Error: ", " error: ", " errors=", " x", ": ", "/srv/", "at ", " (", ")", "Http", "#", ".go:", "no ", " ",
            ])
            .prop_map(str::to_owned),
        ];
        let number =
            || prop_oneof![1 => Just("0".to_owned()), 2 => "[0-9]{1,12}", 1 => "[0-9]{1,4}(\\.[0-9]{1,3}){1,3}"];
        prop::collection::vec((words, number(), number()), 1..7).prop_map(|parts| {
            let text = |of: fn(&(String, String, String)) -> &String| {
                parts.iter().flat_map(|part| [part.0.as_str(), of(part)]).collect::<String>()
            };
            (text(|part| &part.1), text(|part| &part.2))
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]
        #[test]
        fn records_of_one_form_come_to_the_same((one, other) in alike()) {
            let words = Words::default();
            let mut grouping = Grouping::default();
            let forms = [&one, &other].map(|text| grouping.group(text.as_bytes(), 100, |_| true).2);
            let (one, other) = (event(&one, &words), event(&other, &words));
            if forms[0].is_some() && forms[0] == forms[1] && is_told_by_its_form(&one, b"") {
                prop_assert_eq!(one.told, other.told);
                prop_assert_eq!(&other.exception, &None);
                prop_assert_eq!(template(&one.content), template(&other.content));
                prop_assert!([true, false].iter().all(|indented| trace::part(&other.content, *indented).is_none()));
            }
        }
    }
}
