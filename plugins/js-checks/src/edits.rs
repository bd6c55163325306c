//! Text edits that keep every line in its place, and the way back from an edited position to the original one.
//!
//! Printing a syntax tree anew would move lines; what a failing test says must point into the file that people have.

/// Where an edit stands among others at the same offset: closing what ends there comes before opening what starts there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Close,
    Open,
    Wrap,
    Replace,
}

#[derive(Clone, Debug)]
struct Edit {
    start: usize,
    end: usize,
    phase: Phase,
    text: String,
}

/// Edits of one text, collected in any order.
#[derive(Clone, Debug, Default)]
pub struct Edits(Vec<Edit>);

impl Edits {
    /// Puts text before what starts at the offset. Of several at one offset, the first that was added stands outermost.
    pub fn open(&mut self, at: u32, text: impl Into<String>) {
        self.insert(at, Phase::Open, text.into());
    }

    /// Puts text after what ends at the offset. Of several at one offset, the first that was added stands innermost.
    pub fn close(&mut self, at: u32, text: impl Into<String>) {
        self.insert(at, Phase::Close, text.into());
    }

    /// Puts text before what starts at the offset, inside of all that opens there.
    pub fn wrap(&mut self, at: u32, text: impl Into<String>) {
        self.insert(at, Phase::Wrap, text.into());
    }

    fn insert(&mut self, at: u32, phase: Phase, text: String) {
        self.0.push(Edit { start: at as usize, end: at as usize, phase, text });
    }

    /// Puts text in the place of a part.
    pub fn replace(&mut self, start: u32, end: u32, text: impl Into<String>) {
        self.0.push(Edit { start: start as usize, end: end as usize, phase: Phase::Replace, text: text.into() });
    }

    /// Takes a part out, but for its line breaks.
    pub fn blank(&mut self, source: &str, start: u32, end: u32) {
        let part = source.get(start as usize..end as usize).unwrap_or_default();
        let breaks = part.chars().filter(|c| is_line_break(*c)).collect::<String>();
        self.replace(start, end, breaks);
    }

    /// The edited text. An edit inside of a part that another one replaced is left out.
    pub fn apply(mut self, source: &str) -> Edited {
        self.0.sort_by_key(|edit| (edit.start, edit.phase));
        let mut text = String::with_capacity(source.len() + source.len() / 4);
        let mut kept = Vec::new();
        let mut at = 0;
        for edit in self.0 {
            let Some(unchanged) = source.get(at..edit.start) else { continue };
            kept.push(Kept { edited: text.len(), original: at, bytes: unchanged.len() });
            text.push_str(unchanged);
            text.push_str(&edit.text);
            at = edit.end;
        }
        let rest = source.get(at..).unwrap_or_default();
        kept.push(Kept { edited: text.len(), original: at, bytes: rest.len() });
        text.push_str(rest);
        Edited { text, kept }
    }
}

/// Whether JavaScript ends a line there.
pub fn is_line_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{2028}' | '\u{2029}')
}

/// A part of the original that stands unchanged in the edited text.
#[derive(Clone, Copy, Debug)]
struct Kept {
    edited: usize,
    original: usize,
    bytes: usize,
}

/// An edited text that knows where its parts came from.
#[derive(Clone, Debug)]
pub struct Edited {
    /// The text. Its line `n` is made from the original's line `n`.
    pub text: String,
    kept: Vec<Kept>,
}

impl Edited {
    /// Puts text before all of it, on its first line.
    pub fn put_before(&mut self, text: &str) {
        self.text.insert_str(0, text);
        for part in &mut self.kept {
            part.edited += text.len();
        }
    }

    /// Has a module wait for its imports, some of which wait.
    pub fn wait_for_imports(&mut self, prefix: &str) {
        let first_line = self.text.find('\n').unwrap_or(self.text.len());
        let head = self.text.get(..first_line).unwrap_or_default();
        let waiting = format!("async {}", head.replace(&format!("={prefix}I("), &format!("=await {prefix}I(")));
        let longer = waiting.len() - head.len();
        self.text.replace_range(..first_line, &waiting);
        for part in &mut self.kept {
            part.edited += longer;
        }
    }

    /// The original's column for a column of the edited text, in the same line. Lines and columns count from 1, columns in
    /// characters, as the engine counts them.
    pub fn original_column(&self, source: &str, line: u32, column: u32) -> u32 {
        let Some(start) = line_start(&self.text, line) else { return column };
        let rest = self.text.get(start..).unwrap_or_default();
        let offset = start + rest.chars().take(column.saturating_sub(1) as usize).map(char::len_utf8).sum::<usize>();
        let index = self.kept.partition_point(|part| part.edited <= offset).saturating_sub(1);
        let Some(part) = self.kept.get(index) else { return column };
        let original = part.original + (offset - part.edited.min(offset)).min(part.bytes);
        let Some(line_start) = line_start(source, line).filter(|start| *start <= original) else { return 1 };
        let before = source.get(line_start..original).unwrap_or_default();
        u32::try_from(before.chars().count()).unwrap_or(u32::MAX).saturating_add(1)
    }
}

fn line_start(text: &str, line: u32) -> Option<usize> {
    match line {
        0 => None,
        1 => Some(0),
        _ => text.match_indices('\n').nth(line as usize - 2).map(|(at, _)| at + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_opens_first_stands_outermost_and_what_closes_first_innermost() {
        let mut edits = Edits::default();
        edits.open(0, "(");
        edits.open(0, "[");
        edits.close(1, "]");
        edits.close(1, ")");
        edits.open(1, "+");
        assert_eq!(edits.apply("ab").text, "([a])+b");
    }

    #[test]
    fn a_blanked_part_keeps_its_line_breaks() {
        let source = "import {\n a,\n} from 'x';\nb";
        let mut edits = Edits::default();
        edits.blank(source, 0, 24);
        assert_eq!(edits.apply(source).text, "\n\n\nb");
    }

    #[test]
    fn a_column_leads_back_to_the_original_one() {
        let source = "one\nfoo(bar)";
        let mut edits = Edits::default();
        edits.open(4, "C[1]=1;");
        edits.replace(8, 11, "ns.bar");
        let edited = edits.apply(source);
        assert_eq!(edited.text, "one\nC[1]=1;foo(ns.bar)");
        assert_eq!(edited.original_column(source, 2, 8), 1);
        assert_eq!(edited.original_column(source, 2, 12), 5);
        assert_eq!(edited.original_column(source, 2, 18), 8);
    }
}
