//! What surrounds a guest's module in its component: the engine's built-in functions for what runs beside each other, and further
//! components. The tools that wrap a module know the built-ins by canonical names for some types only; here they are written
//! as text, and the module reaches them by a table that is filled when all else is there.

use std::fmt::Write as _;

/// Text that is added to a component, and core functions of it that its module calls.
#[derive(Clone, Default)]
pub struct Around {
    text: String,
    functions: Vec<Function>,
}

/// A core function that the module calls.
#[derive(Clone)]
struct Function {
    name: String,
    /// Its parameters and results as core WebAssembly text.
    signature: String,
    /// What it is, as component text.
    is: String,
}

impl Around {
    /// Adds text, and functions: `NAME SIGNATURE`, and what each is.
    pub fn add(&mut self, text: &str, functions: &[(&str, &str)]) {
        self.text.push_str(text);
        self.text.push('\n');
        self.functions.extend(functions.iter().map(|(named, is)| {
            let (name, signature) = named.split_once(' ').unwrap_or((named, ""));
            Function { name: name.to_owned(), signature: signature.to_owned(), is: (*is).to_owned() }
        }));
    }

    /// The module's side: the table, and a function for each of its places.
    pub fn module_fields(&self) -> String {
        let mut text = String::new();
        if self.functions.is_empty() {
            return text;
        }
        writeln!(text, "(table $around (export \"around\") {} funcref)", self.functions.len()).expect("text grows");
        for (place, Function { name, signature, .. }) in self.functions.iter().enumerate() {
            let arguments: String = (0..parameters(signature)).map(|index| format!("(local.get {index})")).collect();
            writeln!(
                text,
                "(func ${name} {signature} (call_indirect $around {signature} {arguments} (i32.const {place})))"
            )
            .expect("text grows");
        }
        text
    }

    /// The component with all that surrounds its module. The module's memory is `$memory` there.
    pub fn surround(&self, component: Vec<u8>) -> Vec<u8> {
        if self.text.is_empty() && self.functions.is_empty() {
            return component;
        }
        let printed = wasmprinter::print_bytes(&component).expect("the component can be written as text");
        assert!(printed.contains("(core instance $main "), "the module's instance has another name than `$main`");
        let mut text = printed.trim_end().strip_suffix(')').expect("a component ends so").to_owned();
        // By its own name: the tools may have named another one `$memory`.
        writeln!(text, "(alias core export $main \"memory\" (core memory $main-memory))").expect("text grows");
        text.push_str(&self.text.replace("$memory", "$main-memory"));
        let (mut imports, mut places, mut exports) = (String::new(), String::new(), String::new());
        for (place, Function { name, signature, is }) in self.functions.iter().enumerate() {
            let is = is.replace("$memory", "$main-memory");
            writeln!(text, "(core func $around-{place} {is})").expect("text grows");
            write!(imports, "(import \"around\" \"{place}\" (func ${name} {signature}))").expect("text grows");
            write!(places, " ${name}").expect("text grows");
            write!(exports, "(export \"{place}\" (func $around-{place}))").expect("text grows");
        }
        if !self.functions.is_empty() {
            writeln!(
                text,
                "(core module $filling (import \"main\" \"around\" (table $around {} funcref)) {imports}
                    (elem (table $around) (i32.const 0) func{places}))
                 (core instance (instantiate $filling
                    (with \"main\" (instance $main)) (with \"around\" (instance {exports}))))",
                self.functions.len()
            )
            .expect("text grows");
        }
        text.push(')');
        wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}"))
    }
}

/// A component in which a guest stands beside other parts, whose functions it imports: `(IMPORT, FUNCTION)`, the function as
/// the parts' text names it. What the guest imports of the host it is handed on, and what it exports is the whole's. (A component
/// that has parts inside may not call them: only siblings call each other.)
pub fn beside(guest: &[u8], exports: &str, parts: &str, functions: &[(String, String)]) -> Vec<u8> {
    let printed = wasmprinter::print_bytes(guest).expect("the guest can be written as text");
    let inner = printed.trim_end().strip_prefix("(component").expect("a component begins so");
    // What stands before the first module: the types of what it imports, and the imports.
    let (head, _) = inner.split_once("\n  (core module").expect("a guest has a module");
    let names = head.lines().filter_map(|line| line.strip_prefix("  (import \"")?.split('"').next());
    let mut with: String =
        names.enumerate().map(|(index, name)| format!("(with \"{name}\" (instance {index}))")).collect();
    for (import, function) in functions {
        write!(with, "(with \"{import}\" (func ${function}))").expect("text grows");
    }
    let text = format!(
        "(component {head} {parts} (component $guest {inner}
            (instance $beside (instantiate $guest {with}))
            (alias export $beside \"{exports}\" (instance $exported))
            (export \"{exports}\" (instance $exported)))"
    );
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}"))
}

/// How many parameters a signature has.
fn parameters(signature: &str) -> usize {
    let list = signature.split("(param ").nth(1).and_then(|rest| rest.split(')').next());
    list.map_or(0, |list| list.split_whitespace().count())
}
