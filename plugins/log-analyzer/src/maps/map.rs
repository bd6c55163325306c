//! One source map (ECMA-426, version 3), looked up in without unfolding it.
//!
//! Libraries keep every segment as a record of 28 bytes or more: ten times what it takes in the file, which for the map of a large
//! application is more than an analyzer may use. Here the text of the mappings stays as it is, with a mark every few segments from which
//! reading goes on, so that a map takes about its own size, and a look-up a few hundred bytes of reading.

use std::borrow::Cow;

use serde::{Deserialize, de::IgnoredAny};

/// Segments between two marks.
const SEGMENTS_PER_MARK: usize = 64;
/// Most bits of a number that a mapping tells, its sign apart.
const MAX_BITS: u32 = 31;

/// A source map.
pub struct SourceMap {
    /// In order; those of a plain map begin at the first byte.
    sections: Vec<Section>,
}

/// A source that code was made of.
pub struct Source {
    /// Its path or address, as the map tells it: relative to the map's folder, unless it is absolute.
    pub name: String,
    /// Whether the map calls it somebody else's code.
    pub ignored: bool,
}

/// What a place in the made code was made of.
pub struct Original<'a> {
    /// The source.
    pub source: &'a Source,
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
    sources: Vec<Source>,
    names: Vec<String>,
    mappings: String,
    marks: Vec<Mark>,
}

/// Where in the mappings reading can begin.
struct Mark {
    line: u32,
    /// Column of the segment that comes next.
    column: u32,
    at: usize,
    /// What the numbers that follow are relative to.
    before: Fields,
}

#[derive(Clone, Copy, Default)]
struct Fields {
    column: i64,
    source: i64,
    original_line: i64,
    original_column: i64,
    name: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw<'a> {
    #[serde(default)]
    version: u32,
    #[serde(default)]
    source_root: Option<String>,
    #[serde(default)]
    sources: Vec<Option<String>>,
    #[serde(default)]
    names: Vec<String>,
    #[serde(default, borrow)]
    mappings: Cow<'a, str>,
    #[serde(default)]
    ignore_list: Vec<usize>,
    #[serde(default, rename = "x_google_ignoreList")]
    ignore_list_of_old: Vec<usize>,
    #[serde(default, borrow)]
    sections: Option<Vec<RawSection<'a>>>,
}

#[derive(Deserialize)]
struct RawSection<'a> {
    offset: Offset,
    #[serde(default)]
    url: Option<IgnoredAny>,
    #[serde(default, borrow)]
    map: Option<Box<Raw<'a>>>,
}

#[derive(Deserialize)]
struct Offset {
    line: u32,
    column: u32,
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
        let raw: Raw<'_> = serde_json::from_slice(bytes).map_err(|error| format!("is not one: {error}"))?;
        if raw.version != 3 {
            return Err(format!("is of version {}, and version 3 is read", raw.version));
        }
        let start = Offset { line: 0, column: 0 };
        let sections = match raw.sections {
            None => vec![Section::new(start, raw)?],
            Some(sections) => {
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
            let names: usize = section.names.iter().map(|name| name.len() + size_of::<String>()).sum();
            let sources: usize = section.sources.iter().map(|source| source.name.len() + size_of::<Source>()).sum();
            names + sources + section.mappings.len() + section.marks.len() * size_of::<Mark>()
        };
        self.sections.iter().map(of).sum()
    }
}

impl Section {
    fn new(offset: Offset, raw: Raw<'_>) -> Result<Self, String> {
        let root = raw.source_root.unwrap_or_default();
        let ignored: Vec<usize> = raw.ignore_list.into_iter().chain(raw.ignore_list_of_old).collect();
        let source = |(index, name): (usize, Option<String>)| {
            let name = name.unwrap_or_default();
            let name = if root.is_empty() || is_absolute(&name) {
                name
            } else {
                format!("{}/{name}", root.trim_end_matches('/'))
            };
            Source { name, ignored: ignored.contains(&index) }
        };
        let sources: Vec<Source> = raw.sources.into_iter().enumerate().map(source).collect();
        let (names, mappings) = (raw.names, raw.mappings.into_owned());
        let mut marks = Vec::new();
        let mut walk = Walk { text: mappings.as_bytes(), at: 0, line: 0, fields: Fields::default() };
        let mut count = 0_usize;
        loop {
            walk.pass_separators();
            let (at, before) = (walk.at, walk.fields);
            let Some(segment) = walk.next_segment()? else { break };
            if segment.source.is_some_and(|source| sources.get(source).is_none())
                || segment.name.is_some_and(|name| names.get(name).is_none())
            {
                return Err(format!("names a source or a name that it does not have, {at} bytes into its mappings"));
            }
            if count.is_multiple_of(SEGMENTS_PER_MARK) {
                marks.push(Mark { line: walk.line, column: segment.column, at, before });
            }
            count += 1;
        }
        Ok(Self { line: offset.line, column: offset.column, sources, names, mappings, marks })
    }

    fn original(&self, line: u32, column: u32) -> Option<Original<'_>> {
        let behind = self.marks.partition_point(|mark| (mark.line, mark.column) <= (line, column));
        let mark = self.marks.get(behind.checked_sub(1)?)?;
        let mut walk = Walk { text: self.mappings.as_bytes(), at: mark.at, line: mark.line, fields: mark.before };
        let mut last = None;
        loop {
            walk.pass_separators();
            // All was gone through when it was read.
            let Ok(Some(segment)) = walk.next_segment() else { break };
            if (walk.line, segment.column) > (line, column) {
                break;
            }
            last = (walk.line == line).then_some(segment);
        }
        let segment = last?;
        let source = self.sources.get(segment.source?)?;
        let name = segment.name.and_then(|name| self.names.get(name)).map(String::as_str);
        Some(Original { source, line: segment.line + 1, column: segment.original_column + 1, name })
    }
}

/// Whether a source's name stands for itself.
pub fn is_absolute(name: &str) -> bool {
    name.starts_with('/') || name.split_once("://").is_some_and(|(scheme, _)| !scheme.contains('/'))
}

/// One segment: from this column on, the code was made of that place.
struct Segment {
    column: u32,
    source: Option<usize>,
    line: u32,
    original_column: u32,
    name: Option<usize>,
}

/// Goes through mappings: Base64 VLQ numbers, each relative to the one before of its kind.
struct Walk<'a> {
    text: &'a [u8],
    at: usize,
    line: u32,
    fields: Fields,
}

impl Walk<'_> {
    fn pass_separators(&mut self) {
        loop {
            match self.text.get(self.at) {
                Some(b';') => {
                    self.line = self.line.saturating_add(1);
                    self.fields.column = 0;
                }
                Some(b',') => {}
                _ => return,
            }
            self.at += 1;
        }
    }

    fn next_segment(&mut self) -> Result<Option<Segment>, String> {
        if self.at >= self.text.len() {
            return Ok(None);
        }
        let begin = self.at;
        let wrong = |what: &str| format!("cannot be followed, {begin} bytes into its mappings: {what}");
        let mut numbers = [0_i64; 5];
        let mut count = 0;
        while !matches!(self.text.get(self.at), None | Some(b',' | b';')) {
            let number = self.number().map_err(&wrong)?;
            *numbers.get_mut(count).ok_or_else(|| wrong("a segment of more than five numbers"))? = number;
            count += 1;
        }
        let [column, source, original_line, original_column, name] = numbers;
        let fields = &mut self.fields;
        fields.column += column;
        fields.source += source;
        fields.original_line += original_line;
        fields.original_column += original_column;
        fields.name += name;
        let of = |number: i64| u32::try_from(number).map_err(|_| wrong("a number out of range"));
        let index = |number: i64| usize::try_from(number).map_err(|_| wrong("a number out of range"));
        let segment = Segment {
            column: of(fields.column)?,
            source: if count > 1 { Some(index(fields.source)?) } else { None },
            line: of(fields.original_line)?,
            original_column: of(fields.original_column)?,
            name: if count > 4 { Some(index(fields.name)?) } else { None },
        };
        if matches!(count, 1 | 4 | 5) { Ok(Some(segment)) } else { Err(wrong("a segment of two or three numbers")) }
    }

    fn number(&mut self) -> Result<i64, &'static str> {
        let (mut value, mut bits) = (0_i64, 0);
        loop {
            let digit = match self.text.get(self.at) {
                Some(byte @ b'A'..=b'Z') => byte - b'A',
                Some(byte @ b'a'..=b'z') => byte - b'a' + 26,
                Some(byte @ b'0'..=b'9') => byte - b'0' + 52,
                Some(b'+') => 62,
                Some(b'/') => 63,
                Some(b',' | b';') | None => return Err("a number without its end"),
                Some(_) => return Err("what is no digit"),
            };
            self.at += 1;
            if bits > MAX_BITS {
                return Err("a number of too many digits");
            }
            value |= i64::from(digit & 31) << bits;
            bits += 5;
            if digit & 32 == 0 {
                let magnitude = value >> 1;
                return Ok(if value & 1 == 1 { -magnitude } else { magnitude });
            }
        }
    }
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
            map.original(line, column).map(|original| (original.source.name.clone(), original.line, original.column))
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
            ("", "is not one: EOF"),
            ("<html>", "is not one: expected value"),
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
    fn what_a_map_calls_anothers_code_is_so_by_either_name_of_the_list() {
        for list in ["ignoreList", "x_google_ignoreList"] {
            let text = format!(
                ")]}}'\n{{\"version\":3,\"sourceRoot\":\"/src/\",\"sources\":[\"a.js\",\"/b.js\"],\"mappings\":\"AAAA,KCAA\",\"{list}\":[1]}}"
            );
            let map = SourceMap::read(text.as_bytes()).unwrap();
            let source = |column| map.original(1, column).unwrap().source;
            assert_eq!((source(1).name.as_str(), source(1).ignored), ("/src/a.js", false), "{list}");
            assert_eq!((source(6).name.as_str(), source(6).ignored), ("/b.js", true), "{list}");
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
