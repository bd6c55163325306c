//! The mappings of a source map: what each place in the code was made of.
//!
//! Libraries keep every segment as a record of 28 bytes or more: ten times what it takes in the file, which for the map of a large
//! application is more than an analyzer may use. Here the text of the mappings stays as it is, with a mark every few segments from which
//! reading goes on, so that a map takes about its own size, and a look-up a few hundred bytes of reading, and never more than some
//! thousand, whatever stands between segments.

/// Segments between two marks.
const SEGMENTS_PER_MARK: usize = 64;
/// Bytes of mappings from a mark's first segment to its last, at most.
const BYTES_PER_MARK: usize = 2 << 10;
/// Most bits of a number that a mapping tells, its sign apart.
const MAX_BITS: u32 = 31;

/// The mappings.
pub struct Mappings {
    text: String,
    marks: Vec<Mark>,
}

/// Where in the mappings reading can begin.
struct Mark {
    line: u32,
    /// Column of the segment that comes next.
    column: u32,
    at: usize,
    /// Where the last segment ends before the next mark.
    end: usize,
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

impl Mappings {
    /// Goes through all of them once; they may name so many sources and names.
    ///
    /// # Errors
    /// What is wrong with them, in words that go on from "the map".
    pub fn read(text: String, sources: usize, names: usize) -> Result<Self, String> {
        let mut marks: Vec<Mark> = Vec::new();
        let mut walk = Walk { text: text.as_bytes(), at: 0, line: 0, fields: Fields::default() };
        let mut count = 0_usize;
        loop {
            walk.pass_separators();
            let (at, before) = (walk.at, walk.fields);
            let Some(segment) = walk.next_segment()? else { break };
            if segment.source.is_some_and(|source| source >= sources) || segment.name.is_some_and(|name| name >= names)
            {
                return Err(format!("names a source or a name that it does not have, {at} bytes into its mappings"));
            }
            match marks.last_mut() {
                Some(mark) if count < SEGMENTS_PER_MARK && at - mark.at < BYTES_PER_MARK => mark.end = walk.at,
                _ => {
                    marks.push(Mark { line: walk.line, column: segment.column, at, end: walk.at, before });
                    count = 0;
                }
            }
            count += 1;
        }
        Ok(Self { text, marks })
    }

    /// The segment that a place in the code is of; line and column from 0.
    pub fn segment(&self, line: u32, column: u32) -> Option<Segment> {
        let behind = self.marks.partition_point(|mark| (mark.line, mark.column) <= (line, column));
        let mark = self.marks.get(behind.checked_sub(1)?)?;
        let text = self.text.as_bytes().get(..mark.end)?;
        let mut walk = Walk { text, at: mark.at, line: mark.line, fields: mark.before };
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
        last
    }

    /// About as many bytes as they take.
    pub const fn bytes(&self) -> usize {
        self.text.len() + self.marks.len() * size_of::<Mark>()
    }
}

/// One segment: from this column on, the code was made of that place. All are counted from 0.
pub struct Segment {
    /// Where it begins in the code.
    pub column: u32,
    /// The source, where it was made of one.
    pub source: Option<usize>,
    /// The source's line.
    pub line: u32,
    /// The line's column.
    pub original_column: u32,
    /// What the source calls it, where it says so.
    pub name: Option<usize>,
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
    use super::*;

    #[test]
    fn a_look_up_reads_little_however_much_stands_between_segments() {
        let wide = 3 << 20;
        for between in [",", ";"] {
            let text = format!("AAAA{}KAAK,{}KAAK", between.repeat(wide), ",".repeat(wide));
            let mappings = Mappings::read(text, 1, 0).unwrap();
            assert!(mappings.marks.len() > 1);
            assert!(mappings.marks.iter().all(|mark| mark.end - mark.at < BYTES_PER_MARK + 100));
            let at = |line, column| mappings.segment(line, column).map(|segment| segment.original_column);
            let last = if between == "," { 0 } else { u32::try_from(wide).unwrap() };
            let found = [at(0, 0), at(0, 4), at(last, 5), at(last, 9), at(last, 10)];
            assert_eq!(found, [0, 0, 5, 5, 10].map(Some), "{between}");
            assert_eq!(at(1, 0), None, "{between}");
        }
    }

    #[test]
    fn many_segments_of_no_length_are_looked_up_in_as_little() {
        let mappings = Mappings::read("AAAA,".repeat(100_000), 1, 0).unwrap();
        assert!(mappings.marks.iter().all(|mark| mark.end - mark.at <= SEGMENTS_PER_MARK * 5));
        assert!(mappings.segment(0, 7).is_some() && mappings.segment(1, 0).is_none());
    }
}
