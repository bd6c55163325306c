//! JavaScript and TypeScript, in files of their own and in pages.

use std::{borrow::Cow, path::Path};

use oxc_allocator::Allocator;
use oxc_ast::ast::Program;
use oxc_parser::Parser;
use oxc_span::SourceType;

/// Files that hold scripts between `<script>` and `</script>`.
const PAGES: [&str; 4] = ["html", "htm", "vue", "svelte"];

/// Whether the file is JavaScript or TypeScript, or a page that holds some.
pub fn is_script(path: &str) -> bool {
    let extension = extension(path);
    matches!(extension.as_str(), "js" | "mjs" | "cjs" | "jsx" | "ts" | "mts" | "cts" | "tsx")
        || PAGES.contains(&extension.as_str())
}

/// Calls `look` with the file's syntax tree, whose places are those of `text`; none when it is no valid program.
pub fn with_program<R>(path: &str, text: &str, look: impl FnOnce(&Program<'_>) -> R) -> Option<R> {
    let is_page = PAGES.contains(&extension(path).as_str());
    let source = if is_page { Cow::Owned(scripts_of(text)) } else { Cow::Borrowed(text) };
    // A project's `.js` may be any of these; what its files say of themselves is in a manifest elsewhere.
    let types = if is_page {
        vec![SourceType::ts().with_jsx(false), SourceType::cjs()]
    } else {
        let named = SourceType::from_path(Path::new(path)).ok()?;
        vec![named, named.with_jsx(true), named.with_commonjs(true), named.with_script(true)]
    };
    for source_type in types {
        let allocator = Allocator::default();
        let parsed = Parser::new(&allocator, &source, source_type).parse();
        if !parsed.panicked && parsed.diagnostics.is_empty() {
            return Some(look(&parsed.program));
        }
    }
    None
}

fn extension(path: &str) -> String {
    path.rsplit('/')
        .next()
        .and_then(|name| name.rsplit_once('.'))
        .map_or_else(String::new, |(_, e)| e.to_ascii_lowercase())
}

/// The text with all that is no script blanked out, so that places stay as they are.
fn scripts_of(text: &str) -> String {
    let mut scripts: Vec<u8> = text.bytes().map(|byte| if byte == b'\n' { byte } else { b' ' }).collect();
    // ASCII only, so that the same offsets hold.
    let lower = text.to_ascii_lowercase();
    let mut from = 0;
    while let Some(open) = lower.get(from..).and_then(|rest| rest.find("<script")) {
        let Some(start) = lower.get(from + open..).and_then(|rest| rest.find('>')).map(|end| from + open + end + 1)
        else {
            break;
        };
        let end = lower.get(start..).and_then(|rest| rest.find("</script")).map_or(text.len(), |end| start + end);
        if let (Some(target), Some(source)) = (scripts.get_mut(start..end), text.as_bytes().get(start..end)) {
            target.copy_from_slice(source);
        }
        if let Some(separator) = scripts.get_mut(end) {
            *separator = b';';
        }
        from = end;
    }
    String::from_utf8(scripts).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parses(path: &str, text: &str) -> bool {
        with_program(path, text, |_| ()).is_some()
    }

    #[test]
    fn each_kind_of_script_is_parsed() {
        for (path, text) in [
            ("a.js", "import x from 'y'; export const z = await x();"),
            ("a.js", "const x = require('y'); module.exports = { x }; return;"),
            ("a.js", "const view = <div>{1}</div>;"),
            ("a.cjs", "with (a) { b }"),
            ("a.mjs", "export default 1;"),
            ("a.ts", "const x: number = <number>1; enum A { B }"),
            ("a.tsx", "const x: number = 1; const y = <a b={x} />;"),
            (
                "a.vue",
                "<template><p>{{ a }}</p></template>\n<script setup lang=\"ts\">\nconst a: number = 1\n</script>",
            ),
            ("a.html", "<p>a < b</p><script>let a = 1</script>é<script src=x></script><SCRIPT>let b = 2</SCRIPT>"),
        ] {
            assert!(is_script(path) && parses(path, text), "{path}: {text}");
        }
        assert!(!parses("a.js", "const = ;"));
        assert!(!is_script("a.json") && !is_script("js"));
    }

    #[test]
    fn places_in_a_page_are_those_of_the_page() {
        let text = "<p>é</p>\n<script>\n  call();\n</script>";
        let at = with_program("a.html", text, |program| program.body[0].span_start()).unwrap();
        assert_eq!(&text[at as usize..at as usize + 4], "call");
    }

    trait Start {
        fn span_start(&self) -> u32;
    }

    impl Start for oxc_ast::ast::Statement<'_> {
        fn span_start(&self) -> u32 {
            use oxc_span::GetSpan;
            self.span().start
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,60}|[a-z<>/(){};='\"` \n]{0,60}") {
            for path in ["a.js", "a.tsx", "a.html"] {
                let _ = parses(path, &text);
            }
        }
    }
}
