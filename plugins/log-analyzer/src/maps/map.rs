//! One source map (ECMA-426, version 3), looked up in without unfolding it.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, de::IgnoredAny};

use super::{
    bounded::{self, Texts},
    mappings::Mappings,
};

/// Most sources of a map, or of one of its sections, and as many entries of its list of those that are another's code.
const MAX_SOURCES: usize = 100_000;
/// Most names of the same.
const MAX_NAMES: usize = 1_000_000;
/// Most sections: some bundlers write one for each module.
const MAX_SECTIONS: usize = 50_000;

/// A source map.
pub struct SourceMap {
    /// In order; those of a plain map begin at the first byte.
    sections: Vec<Section>,
}

/// A source that code was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source<'a> {
    /// Its path or address, as the map tells it: relative to the map's folder, unless it is absolute.
    pub name: Cow<'a, str>,
    /// Whether the map calls it somebody else's code.
    pub ignored: bool,
}

/// What a place in the made code was made of.
pub struct Original<'a> {
    /// The source.
    pub source: Source<'a>,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
    /// What the source calls there what has another name in the code.
    pub name: Option<&'a str>,
}

struct Section {
    line: u32,
    column: u32,
    /// What the sources' names are relative to, if not empty.
    root: String,
    sources: Texts,
    /// Whether each source is another's code.
    ignored: Vec<bool>,
    names: Texts,
    mappings: Mappings,
}

/// A map, with sections of this kind.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "S: Deserialize<'de>"))]
struct Raw<'a, S> {
    #[serde(default)]
    version: u32,
    #[serde(default)]
    source_root: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "sources")]
    sources: Texts,
    #[serde(default, deserialize_with = "names")]
    names: Texts,
    #[serde(default, borrow)]
    mappings: Cow<'a, str>,
    #[serde(default, deserialize_with = "ignore_list")]
    ignore_list: Vec<u32>,
    #[serde(default, deserialize_with = "ignore_list", rename = "x_google_ignoreList")]
    ignore_list_of_old: Vec<u32>,
    #[serde(default)]
    sections: Option<S>,
}

#[derive(Deserialize)]
struct Sections<'a>(#[serde(borrow, deserialize_with = "sections")] Vec<RawSection<'a>>);

#[derive(Deserialize)]
struct RawSection<'a> {
    offset: Offset,
    #[serde(default)]
    url: Option<IgnoredAny>,
    /// A section has none itself.
    #[serde(default, borrow)]
    map: Option<Box<Raw<'a, IgnoredAny>>>,
}

#[derive(Deserialize)]
struct Offset {
    line: u32,
    column: u32,
}

fn sources<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Texts, D::Error> {
    bounded::texts(deserializer, MAX_SOURCES, "sources")
}

fn names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Texts, D::Error> {
    bounded::texts(deserializer, MAX_NAMES, "names")
}

fn ignore_list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u32>, D::Error> {
    bounded::list(deserializer, MAX_SOURCES, "entries of the ignore list")
}

fn sections<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<RawSection<'de>>, D::Error> {
    bounded::list(deserializer, MAX_SECTIONS, "sections")
}

impl SourceMap {
    /// Reads a map, and goes through all of its mappings once.
    ///
    /// # Errors
    /// What is wrong with it, in words that go on from "the map".
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        // Servers put a line before it that keeps it from being run as a script.
        let bytes = match bytes {
            [b')', b']', b'}', ..] => bytes.splitn(2, |byte| *byte == b'\n').nth(1).unwrap_or_default(),
            bytes => bytes,
        };
        let raw: Raw<'_, Sections<'_>> =
            serde_json::from_slice(bytes).map_err(|error| format!("is not one that can be read: {error}"))?;
        if raw.version != 3 {
            return Err(format!("is of version {}, and version 3 is read", raw.version));
        }
        let start = Offset { line: 0, column: 0 };
        let sections = match raw.sections {
            None => vec![Section::new(start, raw)?],
            Some(Sections(sections)) => {
                let mut all = Vec::new();
                for RawSection { offset, url, map } in sections {
                    match map {
                        Some(map) if map.sections.is_none() => all.push(Section::new(offset, *map)?),
                        Some(_) => return Err("has sections in a section".to_owned()),
                        None if url.is_some() => return Err("names maps elsewhere, which are not fetched".to_owned()),
                        None => return Err("has a section without a map".to_owned()),
                    }
                }
                all.sort_by_key(|section| (section.line, section.column));
                all
            }
        };
        Ok(Self { sections })
    }

    /// What the place was made of; line and column from 1, a column in UTF-16 units as engines count.
    pub fn original(&self, line: u32, column: u32) -> Option<Original<'_>> {
        let (line, column) = (line.checked_sub(1)?, column.checked_sub(1)?);
        let behind = self.sections.partition_point(|section| (section.line, section.column) <= (line, column));
        let section = self.sections.get(behind.checked_sub(1)?)?;
        // Only the section's first line begins within one.
        let first = line == section.line;
        section.original(line - section.line, if first { column - section.column } else { column })
    }

    /// About as many bytes as it takes.
    pub fn bytes(&self) -> usize {
        let of = |section: &Section| {
            let texts = section.names.bytes() + section.sources.bytes() + section.root.len() + section.ignored.len();
            size_of::<Section>() + texts + section.mappings.bytes()
        };
        self.sections.iter().map(of).sum()
    }
}

impl Section {
    fn new<S>(offset: Offset, raw: Raw<'_, S>) -> Result<Self, String> {
        let Raw { source_root, sources, names, mappings, ignore_list, ignore_list_of_old, .. } = raw;
        let root = bounded::shorten(source_root.as_deref().unwrap_or_default()).to_owned();
        let mut ignored = vec![false; if ignore_list.len() + ignore_list_of_old.len() > 0 { sources.len() } else { 0 }];
        for index in ignore_list.into_iter().chain(ignore_list_of_old) {
            if let Some(ignored) = usize::try_from(index).ok().and_then(|index| ignored.get_mut(index)) {
                *ignored = true;
            }
        }
        let mappings = Mappings::read(mappings.into_owned(), sources.len(), names.len())?;
        Ok(Self { line: offset.line, column: offset.column, root, sources, ignored, names, mappings })
    }

    fn original(&self, line: u32, column: u32) -> Option<Original<'_>> {
        let segment = self.mappings.segment(line, column)?;
        let source = self.source(segment.source?)?;
        let name = segment.name.and_then(|name| self.names.get(name)).filter(|name| !name.is_empty());
        let (line, column) = (segment.line.saturating_add(1), segment.original_column.saturating_add(1));
        Some(Original { source, line, column, name })
    }

    fn source(&self, index: usize) -> Option<Source<'_>> {
        let name = self.sources.get(index)?;
        let name = if self.root.is_empty() || is_absolute(name) {
            Cow::Borrowed(name)
        } else {
            Cow::Owned(format!("{}/{name}", self.root.trim_end_matches('/')))
        };
        Some(Source { name, ignored: self.ignored.get(index).copied().unwrap_or_default() })
    }
}

/// Whether a source's name stands for itself.
pub fn is_absolute(name: &str) -> bool {
    name.starts_with('/') || name.split_once("://").is_some_and(|(scheme, _)| !scheme.contains('/'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What Node's own `SourceMap.findEntry` says of every column, where it is another than of the one before.
    #[test]
    fn every_place_is_found_as_node_finds_it() {
        for build in ["one", "two"] {
            let folder = format!("{}/tests/maps/{build}/dist", env!("CARGO_MANIFEST_DIR"));
            let read = |name: &str| std::fs::read_to_string(format!("{folder}/{name}")).unwrap();
            let map = SourceMap::read(read("main.min.js.map").as_bytes()).unwrap();
            let code = read("main.min.js");
            let mut told = String::new();
            for (number, line) in (1..).zip(code.lines().filter(|line| !line.starts_with("//#"))) {
                let mut last = String::new();
                for column in 1..=u32::try_from(line.encode_utf16().count()).unwrap() {
                    let text = map.original(number, column).map_or("-".to_owned(), |original| {
                        let Original { source, line, column, name } = original;
                        format!("{} {line}:{column} {}", source.name, name.unwrap_or("-"))
                    });
                    if text != last {
                        told.push_str(&format!("{number}:{column} {text}\n"));
                    }
                    last = text;
                }
            }
            // Node leaves the map's root away, and gives a last segment that has no name that of the one before.
            let as_node = |text: &str| {
                let text = text.replace(" ../src", " src");
                text.trim_end().rsplit_once(' ').map(|(all, _)| all.to_owned()).unwrap()
            };
            assert_eq!(as_node(&told), as_node(&read("main.min.js.entries")), "{build}");
        }
    }

    #[test]
    fn a_map_of_sections_is_looked_up_in_the_section_of_the_place() {
        let map = |name: &str| format!(r#"{{"version":3,"sources":["{name}"],"mappings":"AAAA,KAAK;AACA"}}"#);
        let text = format!(
            r#"{{"version":3,"sections":[{{"offset":{{"line":2,"column":10}},"map":{}}},{{"offset":{{"line":0,"column":0}},"map":{}}}]}}"#,
            map("b.js"),
            map("a.js")
        );
        let map = SourceMap::read(text.as_bytes()).unwrap();
        let at = |line, column| {
            map.original(line, column).map(|original| (original.source.name, original.line, original.column))
        };
        assert_eq!(at(1, 1), Some(("a.js".into(), 1, 1)));
        assert_eq!(at(1, 9), Some(("a.js".into(), 1, 6)));
        assert_eq!(at(3, 10), None);
        assert_eq!(at(3, 11), Some(("b.js".into(), 1, 1)));
        assert_eq!(at(3, 16), Some(("b.js".into(), 1, 6)));
        assert_eq!(at(4, 3), Some(("b.js".into(), 2, 6)));
    }

    #[test]
    fn what_is_no_map_is_told_of() {
        for (text, told) in [
            ("", "is not one that can be read: EOF"),
            ("<html>", "is not one that can be read: expected value"),
            (r#"{"version":2,"mappings":""}"#, "is of version 2"),
            (r#"{"version":3,"sources":["a"],"mappings":"AACA,A!"}"#, "what is no digit"),
            (r#"{"version":3,"sources":["a"],"mappings":"AAg"}"#, "a number without its end"),
            (r#"{"version":3,"sources":["a"],"mappings":"gggggggggggA"}"#, "a number of too many digits"),
            (r#"{"version":3,"sources":["a"],"mappings":"AA"}"#, "a segment of two or three numbers"),
            (r#"{"version":3,"sources":["a"],"mappings":"AAAAAA"}"#, "a segment of more than five numbers"),
            (r#"{"version":3,"sources":["a"],"mappings":"ADAA"}"#, "a number out of range"),
            (
                r#"{"version":3,"sources":[],"mappings":"AAAA"}"#,
                "names a source or a name that it does not have, 0 bytes",
            ),
            (r#"{"version":3,"sections":[{"offset":{"line":0,"column":0},"url":"a.map"}]}"#, "names maps elsewhere"),
        ] {
            let error = SourceMap::read(text.as_bytes()).err().unwrap();
            assert!(error.contains(told), "{text}: {error}");
        }
    }

    #[test]
    fn a_map_of_more_than_is_kept_is_told_of() {
        let empty = |count: usize| vec!["\"\""; count].join(",");
        let section = r#"{"offset":{"line":0,"column":0},"map":{"version":3}}"#;
        for (text, told) in [
            (format!(r#"{{"version":3,"sources":[{}]}}"#, empty(MAX_SOURCES + 1)), "more than 100000 sources"),
            (format!(r#"{{"version":3,"names":[{}]}}"#, empty(MAX_NAMES + 1)), "more than 1000000 names"),
            (
                format!(r#"{{"version":3,"ignoreList":[{}]}}"#, vec!["1"; MAX_SOURCES + 1].join(",")),
                "more than 100000 entries of the ignore list",
            ),
            (
                format!(r#"{{"version":3,"sections":[{}]}}"#, vec![section; MAX_SECTIONS + 1].join(",")),
                "more than 50000 sections",
            ),
            (
                r#"{"version":3,"sections":[{"offset":{"line":0,"column":0},"map":{"version":3,"sections":[]}}]}"#
                    .to_owned(),
                "has sections in a section",
            ),
        ] {
            let error = SourceMap::read(text.as_bytes()).err().unwrap();
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn a_map_of_empty_names_takes_about_its_own_size() {
        let names = vec!["\"\""; 100_000].join(",");
        let section = format!(r#"{{"offset":{{"line":0,"column":0}},"map":{{"version":3,"names":[{names}]}}}}"#);
        let text = format!(r#"{{"version":3,"sections":[{}]}}"#, vec![section; 20].join(","));
        let map = SourceMap::read(text.as_bytes()).unwrap();
        assert!(map.bytes() < 2 * text.len(), "{} of {}", map.bytes(), text.len());
        let long = format!(
            r#"{{"version":3,"sourceRoot":"{0}","sources":["{0}","b"],"mappings":"AAAA"}}"#,
            "x".repeat(1 << 20)
        );
        let map = SourceMap::read(long.as_bytes()).unwrap();
        assert!(map.bytes() < 4096 && map.original(1, 1).unwrap().source.name.len() == 2049, "{}", map.bytes());
    }

    #[test]
    fn the_last_line_and_column_that_there_can_be_are_found() {
        // 2^32 - 1, and one more as people count.
        let text = r#"{"version":3,"sources":["a"],"mappings":"AA+/////H+/////H"}"#;
        let map = SourceMap::read(text.as_bytes()).unwrap();
        let place = map.original(1, 1).map(|original| (original.line, original.column));
        assert_eq!(place, Some((u32::MAX, u32::MAX)));
    }

    #[test]
    fn what_a_map_calls_anothers_code_is_so_by_either_name_of_the_list() {
        for list in ["ignoreList", "x_google_ignoreList"] {
            let text = format!(
                ")]}}'\n{{\"version\":3,\"sourceRoot\":\"/src/\",\"sources\":[\"a.js\",\"/b.js\"],\"mappings\":\"AAAA,KCAA\",\"{list}\":[1]}}"
            );
            let map = SourceMap::read(text.as_bytes()).unwrap();
            let source = |column| map.original(1, column).unwrap().source;
            let expected = |name: &'static str, ignored| Source { name: name.into(), ignored };
            assert_eq!([source(1), source(6)], [expected("/src/a.js", false), expected("/b.js", true)], "{list}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_map_or_none_and_any_place_is_found_or_not(
            mappings in "[A-Za-z0-9+/,;]{0,200}", line in 0_u32..6, column in 0_u32..200
        ) {
            let text = format!(r#"{{"version":3,"sources":["a","b"],"names":["n"],"mappings":"{mappings}"}}"#);
            if let Ok(map) = SourceMap::read(text.as_bytes()) {
                let _found = map.original(line, column);
            }
        }

        #[test]
        fn a_place_is_found_from_whatever_mark(steps in proptest::collection::vec((1_u32..9, 0_i64..5), 1..400)) {
            // A segment of each step, written by hand: column and original line grow.
            let digit = |value: i64| char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef"[usize::try_from(value << 1).unwrap()]);
            let text: String = steps.iter().map(|(by, line)| format!("{}A{}A,", digit(i64::from(*by)), digit(*line))).collect();
            let map = SourceMap::read(
                format!(r#"{{"version":3,"sources":["a"],"mappings":"{text}"}}"#).as_bytes()
            ).unwrap();
            let (mut column, mut line) = (0, 0);
            for (by, lines) in steps {
                column += by;
                line += u32::try_from(lines).unwrap();
                prop_assert_eq!(map.original(1, column + 1).map(|original| original.line), Some(line + 1));
            }
        }
    }
}
