use proptest::prelude::*;

use super::*;

fn scan_file(path: &str, before: &str, after: &str) -> Vec<(&'static str, Severity, u32)> {
    let lines = Lines::between(before, after);
    change::with_program(path, after, |program| scan(program, after, &lines))
        .unwrap_or_else(|| panic!("does not parse: {after}"))
        .into_iter()
        .map(|found| (found.rule, found.severity, found.line))
        .collect()
}

fn found(after: &str) -> Vec<(&'static str, Severity)> {
    scan_file("a.tsx", "", after).into_iter().map(|(rule, severity, _)| (rule, severity)).collect()
}

#[test]
fn dangerous_calls_are_found_by_what_they_are() {
    use Severity::{Error, Info, Warning};
    let cases: &[(&str, &[(&str, Severity)])] = &[
        ("const total = eval(req.body.formula);", &[("code-from-text", Error)]),
        ("window.eval(code);", &[("code-from-text", Error)]),
        ("const f = new Function('a', 'return a + ' + x);", &[("code-from-text", Error)]),
        ("const f = Function('return this')();", &[("code-from-text", Error)]),
        ("setTimeout('refresh()', 500);", &[("code-from-text", Error)]),
        ("setInterval(`tick(${id})`, 500);", &[("code-from-text", Error)]),
        ("setTimeout('poll(' + id + ')', 500);", &[("code-from-text", Error)]),
        ("vm.runInNewContext(body, sandbox);", &[("code-from-text", Error)]),
        (
            "const { exec } = require('child_process');\nexec(`convert ${name} out.png`, () => {});",
            &[("child-process", Warning), ("shell-command", Error)],
        ),
        (
            "import { execSync as run } from 'node:child_process';\nrun('ls ' + dir);",
            &[("child-process", Warning), ("shell-command", Error)],
        ),
        (
            "import * as cp from 'child_process';\ncp.spawn('git', args);",
            &[("child-process", Warning), ("child-process", Warning)],
        ),
        (
            "import cp from 'child_process';\ncp.spawn(cmd, { shell: true });",
            &[("child-process", Warning), ("shell-command", Error)],
        ),
        ("require('child_process').exec(cmd);", &[("shell-command", Error), ("child-process", Warning)]),
        (
            "const cp = require('child_process'); const run = promisify(cp.exec);\nasync function f(c) { await run(c); }",
            &[("child-process", Warning), ("shell-command", Error)],
        ),
        (
            "const { execFile } = await import('node:child_process');\nexecFile('git', ['status']);",
            &[("child-process", Warning), ("child-process", Warning)],
        ),
        ("el.innerHTML = `<b>${name}</b>`;", &[("unsafe-html", Error)]),
        ("el.innerHTML += row;", &[("unsafe-html", Error)]),
        ("el['outerHTML'] = html;", &[("unsafe-html", Error)]),
        ("el.innerHTML = '';", &[("unsafe-html", Info)]),
        ("document.write(location.hash);", &[("unsafe-html", Error)]),
        ("list.insertAdjacentHTML('beforeend', item.html);", &[("unsafe-html", Error)]),
        ("const v = <div dangerouslySetInnerHTML={{ __html: post.body }} />;", &[("unsafe-html", Error)]),
        ("const v = <div dangerouslySetInnerHTML={markup} />;", &[("unsafe-html", Error)]),
        ("const v = <style dangerouslySetInnerHTML={{ __html: 'p{}' }} />;", &[("unsafe-html", Info)]),
        ("h('div', { dangerouslySetInnerHTML: { __html: x } });", &[("unsafe-html", Error)]),
        ("target.__proto__ = source;", &[("prototype-pollution", Error)]),
        ("target['__proto__'].admin = true;", &[("prototype-pollution", Warning)]),
        ("const o = { '__proto__': base };", &[("prototype-pollution", Warning)]),
        ("await fetch('http://api.example.com/orders');", &[("insecure-http", Warning)]),
        ("axios.get(`http://api.example.com/orders/${id}`);", &[("insecure-http", Warning)]),
        ("new WebSocket('ws://live.example.com');", &[("insecure-http", Warning)]),
        ("xhr.open('GET', 'http://api.example.com');", &[("insecure-http", Warning)]),
        ("const agent = new https.Agent({ rejectUnauthorized: false });", &[("tls-not-verified", Error)]),
        ("process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';", &[("tls-not-verified", Error)]),
        ("process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = 0;", &[("tls-not-verified", Error)]),
    ];
    for (text, expected) in cases {
        assert_eq!(found(text), *expected, "{text}");
    }
}

#[test]
fn what_only_speaks_of_danger_is_left_alone() {
    for text in [
        "// eval(x) would be wrong here",
        "const message = 'never use eval() or innerHTML = x';",
        "const s = `document.write(${'x'})`;",
        "parser.eval(node); const evaluate = 1; evaluate;",
        "setTimeout(() => refresh(), 500); setTimeout(refresh, 500);",
        "const m = /x/.exec(text); regex.exec(line);",
        "db.exec('select 1'); query.exec(sql + where);",
        "const html = el.innerHTML; if (el.innerHTML === '') {}",
        "stream.write(chunk); response.write(body);",
        "if (key === '__proto__' || key === 'constructor') continue_();",
        "fetch('https://api.example.com'); fetch('/orders');",
        "fetch('http://localhost:8080/x'); fetch('http://127.0.0.1/x'); fetch(`http://${host}/x`);",
        "const ns = 'http://www.w3.org/2000/svg'; document.createElementNS(ns, 'g');",
        "cache.get('key'); map.delete('http');",
        "new Agent({ rejectUnauthorized: true });",
        "const isTest = process.env.NODE_TLS_REJECT_UNAUTHORIZED === '0';",
        "import type { ChildProcess } from 'child_process';",
        "el.textContent = name; el.innerText = name;",
        "class Function2 {} new Function2('a');",
    ] {
        assert_eq!(found(text), [], "{text}");
    }
}

#[test]
fn only_what_the_change_added_is_told() {
    let before = "const a = eval(x);\nconst b = 1;\nexec(cmd, () => {\n  log(1);\n});\n";
    let before = format!("const {{ exec }} = require('child_process');\n{before}");
    let after = before.replace("log(1)", "log(2)").replace("const b = 1", "const b = eval(y)");
    assert_eq!(scan_file("a.js", &before, &after), [("code-from-text", Severity::Error, 3)]);
}

#[test]
fn scripts_in_pages_are_looked_at_in_place() {
    let page = "<p>eval(x)</p>\n<script>\n  out.innerHTML = location.hash;\n</script>\n";
    assert_eq!(scan_file("index.html", "", page), [("unsafe-html", Severity::Error, 3)]);
}

proptest! {
    #[test]
    fn no_program_makes_the_scan_panic(parts in prop::collection::vec(prop::sample::select(vec![
        "eval", "(", ")", "x", ".", "__proto__", "=", "'http://a.b'", ";", "{", "}", "new ", "Function", "exec", ",", "`${", "}`",
        "require('child_process')", "const ", "innerHTML", "[", "]", "=>", "await ", "\n", "é",
    ]), 0..25)) {
        let text = parts.concat();
        let lines = Lines::between("", &text);
        let _ = change::with_program("a.js", &text, |program| scan(program, &text, &lines));
    }
}
