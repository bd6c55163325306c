//! How modules are made ready.

use super::*;

fn module(source: &str, format: Format, changed: &[u32]) -> Module {
    let marks = Marks::unused_in(std::iter::empty());
    prepare(source, format, &marks, &changed.iter().copied().collect(), 0).unwrap()
}

/// The text of a module without what was put into it to watch it.
fn plain(source: &str, format: Format) -> String {
    let mut text = module(source, format, &[]).edited.text;
    while let Some(start) = text.find("/*__ad<*/") {
        let end = text[start..].find("/*__ad>*/").unwrap() + start + "/*__ad>*/".len();
        text.replace_range(start..end, "");
    }
    text
}

#[test]
fn what_is_put_in_can_be_taken_out_again() {
    let source =
        "'use strict'\nfunction f(a) { 'x'; while (a) a = g(a); return () => f(a) }\nfor (const x of y) {}\nf();";
    let text = plain(source, Format::Script);
    assert_eq!(text, format!("function(exports,require,module,__filename,__dirname){{{source}\n}}"));
}

#[test]
fn lines_stay_where_they_are() {
    let source = "import {\n  a,\n} from './a.js';\nexport default\n  a(1);\nexport const b = 2;\n";
    let text = plain(source, Format::Module);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[3], "const __adV={default:(");
    assert_eq!(lines[4], "(0,__ad0[\"a\"])(1))}.default;;");
    assert_eq!(lines[5], "const b = 2;");
    assert!(
        lines[0]
            .contains(r#"__adE({__proto__:null,"default":()=>__adV,"b":()=>b});const __ad0=__adI("./a.js",["a"]);"#),
        "{}",
        lines[0]
    );
}

#[test]
fn imported_names_are_live_and_shadowed_ones_are_left_alone() {
    let source = "import d, * as n from 'x';\nimport { a as b } from 'y';\nuse({ b, c: d }, n.z);\nfunction f(b) { return b; }\nb()\nb().c\n";
    let text = plain(source, Format::Module);
    assert!(text.contains(r#"use({ b:__ad1["a"], c: __ad0["default"] }, __ad0.z)"#), "{text}");
    assert!(text.contains("function f(b) { return b; }"), "{text}");
    assert!(text.contains("\n;(0,__ad1[\"a\"])().c"), "{text}");
}

#[test]
fn every_form_of_export_is_a_getter() {
    let source = "export { a, b as c };\nexport * from 'x';\nexport * as ns from 'y';\nexport { p as q } from 'z';\nexport function f() {}\nexport class K {}\nexport let { m, n: [o] } = v;\nlet a, b;";
    let text = plain(source, Format::Module);
    let head = text.lines().next().unwrap();
    for part in [
        r#""a":()=>a"#,
        r#""c":()=>b"#,
        r#""ns":()=>__ad1"#,
        r#""q":()=>__ad2["p"]"#,
        r#""f":()=>f"#,
        r#""K":()=>K"#,
        r#""m":()=>m"#,
        r#""o":()=>o"#,
        "__adS(__ad0)",
    ] {
        assert!(head.contains(part), "{part} in {head}");
    }
}

#[test]
fn names_that_are_asked_for_are_found_unless_they_are_the_codes_own() {
    let source = "require('./a'); require(`b`); require.resolve('c'); require(x); import('d');\nfunction f(require) { require('e') }";
    let names: Vec<String> = module(source, Format::Script, &[]).requests.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["./a", "b", "c", "d"]);
}

#[test]
fn changed_lines_are_marked_where_they_can_be_executed() {
    let source = "// note\nfunction f(a) {\n  if (a) return 1;\n  const o = {\n    k: 2,\n  };\n  return o;\n}\n";
    let lines = module(source, Format::Script, &[1, 2, 3, 4, 5, 6, 7, 8]).lines;
    assert_eq!(lines.keys().copied().collect::<Vec<_>>(), [3, 4, 5, 7]);
    assert_eq!(lines[&4], lines[&5]);
    assert_eq!(lines[&3].len(), 2);
}

#[test]
fn a_function_beside_a_variable_of_its_name_gets_no_block_around_it() {
    let twice = module("function f() { var g; function g() {} g() }", Format::Script, &[]).edited.text;
    assert!(!twice.contains("try{"), "{twice}");
    let once = module("function f() { function g() {} g() }", Format::Script, &[]).edited.text;
    assert!(once.contains("try{"), "{once}");
}

#[test]
fn the_syntax_tells_what_a_file_is_and_what_is_wrong_with_it() {
    let marks = Marks::unused_in(std::iter::empty());
    let prepared = |source| prepare(source, Format::BySyntax, &marks, &BTreeSet::new(), 0);
    assert!(prepared("export const a = 1").unwrap().is_module);
    assert!(!prepared("const await = 1; return").unwrap().is_module);
    assert!(prepared("await x; import 'y'").unwrap().awaits);
    assert!(matches!(prepared("let a = ;\n"), Err(Unfit::Syntax { line: 1, column: 9, .. })));
    assert_eq!(prepared("const a = <b/>;").unwrap_err(), Unfit::Foreign("JSX"));
}
