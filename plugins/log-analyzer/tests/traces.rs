//! Stack traces of each language, of which every line has a header that whatever collects the lines put there.

use autodevops_sdk::types::Issue;
use log_analyzer::Engine;

/// A trace as its program writes it, what it is of, and the file of its first frame; and how many frames are the project's own.
struct Trace {
    language: &'static str,
    text: &'static str,
    title: &'static str,
    files: &'static [&'static str],
}

const TRACES: &[Trace] = &[
    Trace {
        language: "Node",
        text: "TypeError: x is undefined\n    at total (/srv/app/lib/order.js:12:7)\n    at order (/srv/app/index.js:20:5)\n",
        title: "TypeError: x is undefined",
        files: &["/srv/app/lib/order.js", "/srv/app/index.js"],
    },
    Trace {
        language: "Python, one exception that came of another",
        text: "Traceback (most recent call last):\n  File \"/srv/app/db.py\", line 3, in find\n    return rows[0]\nIndexError: list index out of range\n\nThe above exception was the direct cause of the following exception:\n\nTraceback (most recent call last):\n  File \"/srv/app/shop.py\", line 12, in total\n    raise Refused(\"no cart\") from error\nshop.Refused: no cart\n",
        title: "IndexError: list index out of range",
        files: &["/srv/app/db.py"],
    },
    Trace {
        language: "Java",
        text: "java.lang.IllegalStateException: cart is empty\n\tat org.example.Orders.place(Orders.java:42)\n\t... 12 more\nCaused by: java.io.IOException: disk is full\n\tat org.example.Store.write(Store.java:7)\n",
        title: "java.io.IOException: disk is full",
        files: &["Store.java"],
    },
    Trace {
        language: "Go",
        text: "panic: runtime error: index out of range [5] with length 3\n\ngoroutine 1 [running]:\nmain.pay(0x1, {0xc000, 0x2})\n\t/srv/app/main.go:12 +0x1d\nmain.main()\n\t/srv/app/cmd.go:7 +0x20\n",
        title: "runtime error: index out of range",
        files: &["/srv/app/main.go", "/srv/app/cmd.go"],
    },
    Trace {
        language: "Rust",
        text: "thread 'main' panicked at src/cart.rs:5:10:\nindex out of bounds: the len is 3 but the index is 5\nstack backtrace:\n   0: rust_begin_unwind\n             at /rustc/9fc6b4312/library/std/src/panicking.rs:645:5\n   1: shop::cart::pay\n             at ./src/cart.rs:5:10\n",
        title: "index out of bounds",
        files: &["/rustc/9fc6b4312/library/std/src/panicking.rs", "./src/cart.rs"],
    },
    Trace {
        language: ".NET",
        text: "System.InvalidOperationException: cannot pay\n ---> System.IO.IOException: disk is full\n   at Shop.Store.Write() in /src/Store.cs:line 7\n   --- End of inner exception stack trace ---\n   at Shop.Cart.Pay(Int32 id) in /src/Cart.cs:line 42\n",
        title: "System.IO.IOException: disk is full",
        files: &["/src/Store.cs", "/src/Cart.cs"],
    },
    Trace {
        language: "PHP",
        text: "PHP Fatal error:  Uncaught RuntimeException: no cart in /srv/app/cart.php:12\nStack trace:\n#0 /srv/app/index.php(7): Cart->pay(7)\n#1 {main}\n  thrown in /srv/app/cart.php on line 12\n",
        title: "RuntimeException: no cart",
        files: &["/srv/app/cart.php", "/srv/app/index.php"],
    },
    Trace {
        language: "Ruby, with a cause",
        text: "app/cart.rb:12:in 'rescue in pay': no cart (Shop::Refused)\n\tfrom app/cart.rb:7:in 'total'\napp/db.rb:3:in 'find': no row (KeyError)\n\tfrom app/cart.rb:10:in 'pay'\n",
        title: "KeyError: no row",
        files: &["app/db.rb", "app/cart.rb"],
    },
];

/// What is put before each line, by the second; and before the lines of others.
type Header = fn(u32) -> String;

const HEADERS: &[(&str, Header)] = &[
    ("no header", |_| String::new()),
    ("Kubernetes CRI", |second| format!("2026-11-23T10:00:{second:02}.000000001Z stderr F ")),
    ("syslog", |second| format!("<14>Nov 23 10:00:{second:02} web-1 shop[71]: ")),
    ("syslog, with a bad priority", |second| format!("<11>1 2026-11-23T10:00:{second:02}Z web-1 shop 71 - - ")),
    ("a supervisor", |second| format!("2026-11-23T10:00:{second:02}.123Z ")),
];

fn issues(log: &str) -> Vec<Issue> {
    let mut whole = Engine::default();
    whole.push("app.log", log.as_bytes());
    let mut parts = Engine::default();
    for part in log.as_bytes().chunks(11) {
        parts.push("app.log", part);
        parts = Engine::restore(&parts.checkpoint().unwrap()).unwrap();
    }
    assert_eq!(parts.issues(), whole.issues());
    whole.issues()
}

#[test]
fn a_trace_is_one_issue_whatever_is_before_each_of_its_lines() {
    let mut wrong = Vec::new();
    for (around, header) in HEADERS {
        for Trace { language, text, title, files } in TRACES {
            // Those lines are no errors.
            let plain = |second| header(second).replace("<11>", "<14>");
            let mut log = format!("{}listening on 8080\n", plain(1));
            // What collects lines may leave out empty ones.
            let lines = text.lines().filter(|line| !(*around == "syslog" && line.is_empty()));
            for (number, line) in (0..).zip(lines) {
                // The clock goes on within a trace.
                log += &format!("{}{line}\n", header(2 + number / 6));
            }
            log += &format!("{}listening on 8080\n", plain(9));
            let found = issues(&log);
            let [issue] = found.as_slice() else {
                let titles: Vec<&String> = found.iter().map(|issue| &issue.title).collect();
                wrong.push(format!("{language}, {around}: {titles:?}"));
                continue;
            };
            let of: Vec<&str> = issue.stack.iter().map(|frame| frame.file.as_str()).collect();
            if !issue.title.contains(title) || of != *files {
                wrong.push(format!("{language}, {around}: {:?}, {of:?}", issue.title));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_fingerprint_of_a_trace_does_not_depend_on_what_is_before_its_lines() {
    for Trace { language, text, .. } in TRACES {
        let of = |header: Header| {
            let log: String = text.lines().map(|line| format!("{}{line}\n", header(3))).collect();
            issues(&log).first().map(|issue| issue.fingerprint.clone())
        };
        let (bare, cri) = (of(HEADERS[0].1), of(HEADERS[1].1));
        assert_eq!(bare, cri, "{language}");
    }
}

#[test]
fn records_of_other_writers_or_of_another_moment_are_no_part_of_a_trace() {
    let head = "2026-11-23T10:00:01Z stderr F panic: no cart\n2026-11-23T10:00:01Z stderr F \n";
    for other in [
        "2026-11-23T10:00:01Z stdout F goroutine 1 [running]:\n",
        "2026-11-23T10:00:09Z stderr F goroutine 1 [running]:\n",
        "2026-11-23T10:00:01Z stderr F shop.Cart(7)\n",
    ] {
        let mut engine = Engine::default();
        engine.push("a", head.as_bytes());
        engine.push("a", other.as_bytes());
        engine.push("a", b"2026-11-23T10:00:01Z stderr F \t/srv/app/main.go:12 +0x1d\n");
        let found = engine.issues();
        assert_eq!((found.len(), found[0].title.as_str()), (1, "no cart"), "{other}");
    }
}

#[test]
fn errors_of_the_same_second_stay_apart() {
    let log = "2026-11-23 10:00:01 ERROR cannot pay order 7\n2026-11-23 10:00:01 ERROR cannot ship shop.Cart(7)\n2026-11-23 10:00:01 ERROR no connection to the database:\n2026-11-23 10:00:01 ERROR queue is full\n";
    assert_eq!(issues(log).len(), 4);
}

#[test]
fn the_causes_that_anyhow_lists_are_of_the_error_above() {
    let text = "Error: cannot load the config\n\nCaused by:\n    0: cannot read shop.toml\n    1: No such file or directory (os error 2)\n";
    for (around, header) in HEADERS {
        let log: String = text.lines().map(|line| format!("{}{line}\n", header(3))).collect();
        let found = issues(&log);
        let titles: Vec<&String> = found.iter().map(|issue| &issue.title).collect();
        assert_eq!(titles.len(), 1, "{around}: {titles:?}");
    }
}
