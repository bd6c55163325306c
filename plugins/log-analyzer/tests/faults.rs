//! What logs of services in trouble come to.

use autodevops_sdk::types::{Issue, IssueKind, Severity};
use log_analyzer::{Engine, Pattern, Settings};

fn analyze(text: &str) -> Vec<Issue> {
    let mut engine = Engine::default();
    engine.push("app.log", text.as_bytes());
    engine.issues()
}

fn only(text: &str) -> Issue {
    let mut issues = analyze(text);
    assert_eq!(issues.len(), 1, "{issues:#?}");
    issues.remove(0)
}

const NODE: &str = "\
2026-11-23T10:00:00.000Z INFO listening on port 8080
2026-11-23T10:00:01.123Z ERROR request failed: TypeError: Cannot read properties of undefined (reading 'name')
    at formatOrder (functions/index.js:12:34)
    at async handler (functions/index.js:40:5)
    at process.processTicksAndRejections (node:internal/process/task_queues:105:5)
2026-11-23T10:00:02.000Z INFO request done, 0 errors
";

#[test]
fn a_node_trace_is_one_issue_with_its_place_and_evidence() {
    let issue = only(NODE);
    assert_eq!(issue.exception.as_deref(), Some("TypeError"));
    assert_eq!(issue.title, "TypeError: Cannot read properties of undefined (reading 'name')");
    assert_eq!(issue.message, "Cannot read properties of undefined (reading 'name')");
    assert_eq!((issue.kind, issue.severity, issue.count), (IssueKind::Exception, Severity::Error, 1));
    let location = issue.location.unwrap();
    assert_eq!((location.path.as_str(), location.line, location.column), ("functions/index.js", 12, Some(34)));
    assert_eq!(issue.first_seen, Some(1_795_428_001_123_000_000));
    assert_eq!((issue.evidence[0].source.as_str(), issue.evidence[0].line), ("app.log", 2));
    assert_eq!(issue.stack.len(), 3);
    assert_eq!(issue.stack.iter().filter(|frame| frame.own_code).count(), 2);
    assert_eq!(issue.fingerprint.len(), 16);
    assert!(issue.fingerprint.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
}

#[test]
fn a_node_trace_keeps_its_fingerprint_over_line_shifts_folders_and_forms() {
    let plain = "TypeError: Cannot read properties of undefined (reading 'name')\n    at formatOrder (functions/index.js:99:1)\n    at async handler (functions/index.js:120:5)\n";
    let url = plain.replace("(functions/", "(file:///workspace/functions/");
    let folder = plain.replace("(functions/", "(/srv/app/functions/");
    let json = format!(
        r#"{{"level":50,"time":1795428000123,"msg":"request failed","err":{{"type":"TypeError","stack":{}}}}}"#,
        serde_json::to_string(plain).unwrap()
    );
    let uncaught = format!(
        "/srv/app/functions/index.js:99\n    return order.customer.name;\n                          ^\n\n{plain}\nNode.js v22.1.0\n"
    );
    let prefixed: String = plain.lines().map(|line| format!("2026-11-23T10:00:01Z {line}\n")).collect();
    let journal: String = plain.lines().map(|line| format!("Nov 23 10:00:01 web1 shop[812]: {line}\n")).collect();
    let container: String = plain.lines().map(|line| format!("2026-11-23T10:00:01.5Z stderr F {line}\n")).collect();
    let docker: String = plain
        .lines()
        .map(|line| format!("{{\"log\":\"{line}\\n\",\"stream\":\"stderr\",\"time\":\"2026-11-23T10:00:01Z\"}}\n"))
        .collect();
    let logfmt =
        format!("time=2026-11-23T10:00:01Z level=error msg=failed stack={}\n", serde_json::to_string(plain).unwrap());
    let crlf = plain.replace('\n', "\r\n");
    let expected = only(NODE).fingerprint;
    for text in [plain, &url, &folder, &json, &uncaught, &prefixed, &journal, &container, &docker, &logfmt, &crlf] {
        let issue = only(text);
        assert_eq!(issue.fingerprint, expected, "{text}\n{issue:#?}");
        assert_eq!(issue.location.unwrap().path, "functions/index.js", "{text}");
    }
}

#[test]
fn a_trace_of_a_sandboxed_function_has_its_place_in_the_repository() {
    for message in
        ["Cannot read properties of undefined (reading 'country')", "cannot read property 'country' of undefined"]
    {
        let text = format!(
            "2026-11-23T10:00:00.001Z INFO order 1 received\n2026-11-23T10:00:00.123Z ERROR order: TypeError: {message}\n    at vatRate (functions/lib/pricing.js:56:49)\n    at map (native)\n    at quote (functions/node_modules/prices/index.js:3:1)\n    at <anonymous> (functions/index.js:20:5)\n    at run (node:internal/x:1:1)\n2026-11-23T10:00:00.200Z WARN order 2 is late\n"
        );
        let issue = only(&text);
        assert_eq!((issue.exception.as_deref(), issue.message.as_str()), (Some("TypeError"), message));
        let location = issue.location.unwrap();
        assert_eq!(
            (location.path.as_str(), location.line, location.column),
            ("functions/lib/pricing.js", 56, Some(49))
        );
        assert_eq!(issue.stack[0].function.as_deref(), Some("vatRate"));
        assert_eq!(issue.stack.iter().map(|frame| frame.own_code).collect::<Vec<_>>(), [true, false, true, false]);
        assert_eq!(issue.evidence[0].line, 2);
    }
}

#[test]
fn a_python_trace_in_the_systems_log_is_one_issue() {
    let text: String = [
        "Traceback (most recent call last):",
        "  File \"/srv/app/shop.py\", line 12, in total",
        "    return prices[item]",
        "KeyError: 'tea'",
    ]
    .iter()
    .map(|line| format!("Nov 23 10:00:01 web1 shop[812]: {line}\n"))
    .collect();
    let issue = only(&text);
    assert_eq!(issue.exception.as_deref(), Some("KeyError"));
    assert_eq!(issue.location.as_ref().map(|place| (place.path.as_str(), place.line)), Some(("shop.py", 12)));
}

#[test]
fn a_module_that_is_missing_is_an_exception_in_the_projects_code() {
    let issue = only(
        "Error: Cannot find module 'express'\nRequire stack:\n- /srv/app/index.js\n    at Module._load (node:internal/modules/cjs/loader:1144:15)\n    at Object.<anonymous> (/srv/app/index.js:1:17) {\n  code: 'MODULE_NOT_FOUND',\n  requireStack: [ '/srv/app/index.js' ]\n}\n",
    );
    assert_eq!(issue.title, "Error: Cannot find module 'express'");
    assert_eq!(issue.location.as_ref().map(|place| (place.path.as_str(), place.line)), Some(("index.js", 1)));
}

#[test]
fn properties_that_are_missing_are_issues_of_their_own() {
    let names = ["a", "b", "c", "d", "e", "f"];
    let text: String =
        names.iter().map(|name| format!("TypeError: cannot read property '{name}' of undefined\n")).collect();
    assert_eq!(analyze(&text).len(), names.len());
}

#[test]
fn an_exception_without_a_stack_in_an_information_is_no_issue_unless_it_is_frequent_or_worse_elsewhere() {
    let line =
        |level: &str| format!("2026-11-23T10:00:00Z {level} report: Error: java.net.ConnectException: refused\n");
    assert_eq!(analyze(&line("INFO")), []);
    assert_eq!(only(&line("INFO").repeat(10)).severity, Severity::Warning);
    let issue = only(&(line("INFO") + &line("FATAL")));
    assert_eq!((issue.severity, issue.count), (Severity::Critical, 2));
    assert_eq!(issue.exception.as_deref(), Some("java.net.ConnectException"));
}

#[test]
fn the_thread_that_met_a_fault_does_not_tell_faults_apart() {
    let text: String = ["main", "pool worker", "http"]
        .iter()
        .map(|thread| format!("2026-11-23 10:00:00,123 ERROR [{thread}] org.shop.Orders: queue is full\n"))
        .collect();
    let issue = only(&text);
    assert_eq!((issue.title.as_str(), issue.count), ("org.shop.Orders: queue is full", 3));
}

#[test]
fn a_log_line_and_the_trace_below_it_are_one_issue() {
    let issue = only(
        "2026-11-23 10:00:00,123 ERROR [worker-1] shop.Orders: cannot handle order 17\nRangeError [ERR_OUT_OF_RANGE]: too big\n    at total (lib/order.js:3:1)\n    at Object.<anonymous> (/srv/app/node_modules/x/y.js:1:1) {\n  code: 'ERR_OUT_OF_RANGE'\n}\n",
    );
    assert_eq!(issue.exception.as_deref(), Some("RangeError"));
    assert_eq!(issue.count, 1);
}

#[test]
fn a_python_trace_ends_with_its_exception() {
    let issue = only(
        "2026-11-23 10:00:00,123 ERROR shop: request failed\nTraceback (most recent call last):\n  File \"/srv/app/shop/web.py\", line 10, in handle\n    return total(order)\n  File \"/srv/app/shop/order.py\", line 42, in total\n    raise OutOfStock(item)\n  File \"/usr/lib/python3.12/x.py\", line 1, in y\n    pass\nshop.errors.OutOfStock: none left of 17\n2026-11-23 10:00:01,000 INFO shop: next\n",
    );
    assert_eq!(issue.exception.as_deref(), Some("shop.errors.OutOfStock"));
    assert_eq!(issue.location.as_ref().map(|place| (place.path.as_str(), place.line)), Some(("shop/order.py", 42)));
    assert_eq!(issue.stack.len(), 3);
    assert_eq!(issue.stack[0].function.as_deref(), Some("y"));
}

#[test]
fn a_python_exception_tells_of_its_direct_cause() {
    let text = "Traceback (most recent call last):\n  File \"/app/a.py\", line 1, in low\n    x\nKeyError: 'id'\n\nThe above exception was the direct cause of the following exception:\n\nTraceback (most recent call last):\n  File \"/app/b.py\", line 2, in high\n    y\nRuntimeError: wrapped\n";
    assert_eq!(only(text).exception.as_deref(), Some("KeyError"));
    let handling = text.replace(
        "The above exception was the direct cause of the following exception:",
        "During handling of the above exception, another exception occurred:",
    );
    assert_eq!(only(&handling).exception.as_deref(), Some("RuntimeError"));
}

#[test]
fn a_jvm_trace_tells_of_its_cause() {
    let issue = only(
        "2026-11-23 10:00:00,123 ERROR [main] org.shop.Web: failed\njava.lang.RuntimeException: wrapped\n\tat org.shop.Web.handle(Web.java:12)\n\tat java.lang.Thread.run(Thread.java:745)\nCaused by: java.lang.IllegalStateException: no customer\n\tat org.shop.Order.total(Order.java:42)\n\t... 12 more\n",
    );
    assert_eq!(issue.exception.as_deref(), Some("java.lang.IllegalStateException"));
    assert_eq!(issue.stack[0].file, "Order.java");
}

#[test]
fn severity_follows_the_level_and_the_words() {
    for (line, severity) in [
        ("2026-11-23T10:00:00Z FATAL cannot start", Severity::Critical),
        ("2026-11-23T10:00:00Z ERROR cannot start", Severity::Error),
        ("FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory", Severity::Critical),
        ("Segmentation fault (core dumped)", Severity::Critical),
        ("panic: runtime error: index out of range [5] with length 3", Severity::Critical),
        ("thread 'main' panicked at src/main.rs:4:5:", Severity::Critical),
        (r#"{"severity":"CRITICAL","message":"disk is full"}"#, Severity::Critical),
        (r#"10.0.0.1 - - [10/Oct/2000:13:55:36 +0000] "GET /a HTTP/1.1" 502 12"#, Severity::Error),
        ("<3>error: disk sda1 is read-only", Severity::Error),
    ] {
        assert_eq!(only(line).severity, severity, "{line}");
    }
}

#[test]
fn what_goes_well_is_no_issue() {
    for line in [
        "2026-11-23T10:00:00Z INFO error=0 failed=0",
        "2026-11-23T10:00:00Z INFO finished with 0 errors",
        "2026-11-23T10:00:00Z INFO error handler installed",
        "2026-11-23T10:00:00Z DEBUG retry after error",
        "2026-11-23T10:00:00Z WARN slow request",
        r#"{"level":30,"msg":"0 errors"}"#,
        r#"{"level":"info","message":"error page rendered"}"#,
        r#"10.0.0.1 - - [10/Oct/2000:13:55:36 +0000] "GET /error HTTP/1.1" 200 512"#,
        r#"10.0.0.1 - - [10/Oct/2000:13:55:36 +0000] "GET /a HTTP/1.1" 404 512"#,
        "all good",
        "",
    ] {
        let issues = analyze(line);
        assert!(issues.is_empty(), "{line}\n{issues:#?}");
    }
}

#[test]
fn an_info_line_with_a_trace_is_an_issue() {
    let issue = only(
        "2026-11-23T10:00:00Z INFO retried: Error: no answer\n    at ask (src/ask.js:1:2)\n2026-11-23T10:00:00Z INFO x\n",
    );
    assert_eq!((issue.severity, issue.exception.as_deref()), (Severity::Error, Some("Error")));
}

#[test]
fn warnings_become_an_issue_when_they_are_frequent() {
    let text: String = (0..10).map(|n| format!("2026-11-23T10:00:0{n}Z WARN queue {n} is long\n")).collect();
    let issue = only(&text);
    assert_eq!((issue.severity, issue.count), (Severity::Warning, 10));
    assert_eq!(issue.evidence.len(), 10);
}

#[test]
fn records_that_differ_in_values_are_one_issue() {
    let text: String = (0..500)
        .map(|n| {
            format!("2026-11-23T10:00:00Z ERROR order {n} of 10.0.0.{} failed: 'x{n}' in /var/spool/{n}\n", n % 256)
        })
        .collect();
    assert_eq!(only(&text).count, 500);
}

#[test]
fn names_that_stand_in_one_place_are_one_issue() {
    let users = ["ann", "bob", "cid", "dan", "eve", "fay", "guy"];
    let text: String = (0..70).map(|n| format!("ERROR login of user {} was refused\n", users[n % 7])).collect();
    let issue = only(&text);
    assert_eq!((issue.count, issue.confidence), (70, 0.9));
    assert_eq!((issue.title.as_str(), issue.evidence[0].line), ("login of user ann was refused", 1));
    let issues = analyze(&text.lines().take(3).map(|line| format!("{line}\n")).collect::<String>());
    assert_eq!(issues.len(), 3);
}

#[test]
fn a_trace_whose_lines_come_from_two_sources_in_turns_is_not_mixed_up() {
    let mut engine = Engine::default();
    for line in NODE.split_inclusive('\n') {
        engine.push("a.log", line.as_bytes());
        engine.push("b.log", line.replace("formatOrder", "other").as_bytes());
    }
    let issues = engine.issues();
    assert_eq!(issues.len(), 2, "{issues:#?}");
    assert!(issues.iter().all(|issue| issue.stack.len() == 3 && issue.count == 1));
}

#[test]
fn settings_are_honoured() {
    let text = NODE.replace("(functions/", "(/data/shop/functions/");
    let issues = |settings: Settings, text: &str| {
        let mut engine = Engine::new(settings);
        engine.push("app.log", text.as_bytes());
        engine.issues()
    };
    assert_eq!(issues(Settings::default(), &text)[0].location, None);
    let settings = Settings { root: "/data/shop".into(), ..Settings::default() };
    assert_eq!(issues(settings, &text)[0].location.as_ref().unwrap().path, "functions/index.js");
    let settings =
        Settings { ignore: vec![Pattern::try_from("request failed".to_owned()).unwrap()], ..Settings::default() };
    assert_eq!(issues(settings, &text), []);
    let many: String = ('a'..='z').map(|c| format!("ERROR {c}{c}{c} broke\n")).collect();
    let settings = Settings { max_groups: 8, ..Settings::default() };
    let left = issues(settings, &many);
    assert!(left.len() <= 8 && left.iter().any(|issue| issue.title == "zzz broke"), "{left:#?}");
}

/// A log of `minutes` with so many errors in each, spread evenly.
fn log(minutes: u32, errors: impl Fn(u32) -> u32) -> String {
    let mut text = String::new();
    for minute in 0..minutes {
        let errors = errors(minute);
        for n in 0..errors {
            let second = n * 60 / errors;
            let (hour, minute) = (10 + minute / 60, minute % 60);
            text += &format!("2026-11-23T{hour}:{minute:02}:{second:02}Z ERROR processing of order {n} failed\n");
            text += &format!("2026-11-23T{hour}:{minute:02}:{second:02}Z INFO order {n} received\n");
        }
    }
    text
}

#[test]
fn fifteen_percent_more_processing_errors_are_a_rising_rate() {
    let issues = analyze(&log(60, |minute| if minute < 40 { 100 } else { 115 }));
    let rising: Vec<&Issue> = issues.iter().filter(|issue| issue.kind == IssueKind::ErrorBurst).collect();
    assert_eq!(rising.len(), 1, "{issues:#?}");
    let rate = rising[0].rate.unwrap();
    assert!((rate.current_per_minute / rate.baseline_per_minute - 1.15).abs() < 0.01, "{rate:?}");
    assert!(rate.window_seconds >= 19 * 60, "{rate:?}");
    assert!(rising[0].title.contains("15 %"), "{}", rising[0].title);
    assert!(rising[0].reason.contains("were to be expected") && rising[0].history.is_some(), "{issues:#?}");
}

#[test]
fn a_steady_rate_is_no_issue_of_its_own() {
    let issues = analyze(&log(60, |minute| 100 + minute % 3));
    assert!(issues.iter().all(|issue| issue.kind == IssueKind::Exception), "{issues:#?}");
}

#[test]
fn a_rise_of_server_errors_in_an_access_log_is_found() {
    let mut text = String::new();
    for minute in 0..60 {
        for n in 0..if minute < 30 { 40 } else { 80 } {
            let status = if n % 2 == 0 { 503 } else { 200 };
            text += &format!(
                "10.0.0.{n} - - [10/Oct/2000:13:{minute:02}:{:02} +0000] \"GET /api/{n} HTTP/1.1\" {status} 9\n",
                n / 2
            );
        }
    }
    let issues = analyze(&text);
    assert!(issues.iter().any(|issue| issue.kind == IssueKind::ErrorBurst), "{issues:#?}");
    assert_eq!(issues.iter().filter(|issue| issue.kind <= IssueKind::ErrorBurst).count(), 1);
}

#[test]
fn a_trace_of_any_of_these_languages_is_one_issue_with_its_place() {
    for (text, exception, path, line) in [
        (
            "panic: runtime error: index out of range [5] with length 3\n\ngoroutine 1 [running]:\nmain.pay(...)\n\t/srv/app/cart/main.go:12\nmain.main()\n\t/srv/app/cart/main.go:7 +0x1d\nexit status 2\n",
            None,
            "cart/main.go",
            12,
        ),
        (
            "thread 'main' panicked at src/main.rs:5:10:\nindex out of bounds\nstack backtrace:\n   0: rust_begin_unwind\n             at /rustc/0123/library/std/src/panicking.rs:645:5\n   1: shop::pay\n             at ./src/main.rs:5:10\n",
            None,
            "src/main.rs",
            5,
        ),
        (
            "2026-11-23 10:00:00 ERROR request failed: System.InvalidOperationException: no cart\n   at Shop.Cart.Pay(Int32 id) in /srv/app/Cart.cs:line 42\n   at Shop.Web.Post() in /srv/app/Web.cs:line 7\n",
            Some("System.InvalidOperationException"),
            "Cart.cs",
            42,
        ),
        (
            "PHP Fatal error:  Uncaught TypeError: pay() wants a number\n#0 /srv/app/cart.php(12): Cart->pay('x')\n#1 /srv/app/index.php(3): run()\n#2 {main}\n",
            Some("TypeError"),
            "cart.php",
            12,
        ),
        (
            "app/cart.rb:12:in 'pay': divided by 0 (ZeroDivisionError)\n\tfrom app/cart.rb:20:in 'total'\n\tfrom app/web.rb:3:in '<main>'\n",
            Some("ZeroDivisionError"),
            "app/cart.rb",
            12,
        ),
    ] {
        let issue = only(text);
        assert_eq!(issue.exception.as_deref(), exception, "{text}");
        let location = issue.location.unwrap_or_else(|| panic!("no place: {text}"));
        assert_eq!((location.path.as_str(), location.line), (path, line), "{text}");
    }
}

#[test]
fn a_ruby_trace_begins_where_its_head_says_whatever_stands_before_its_callers() {
    let issue = only(
        "app/cart.rb:12:in 'pay': undefined method 'price' for nil (NoMethodError)\n\n    item.price\n        ^^^^^^\n\tfrom app/cart.rb:20:in 'total'\n\tfrom app/web.rb:3:in '<main>'\n",
    );
    let frames: Vec<_> = issue.stack.iter().map(|frame| (frame.function.as_deref().unwrap(), frame.line)).collect();
    assert_eq!(frames, [("pay", 12), ("total", 20), ("<main>", 3)]);
}

/// Lines of several services, many of which tell of faults that differ in their numbers, and a few of which go on with them.
fn troubled(lines: u64) -> Vec<String> {
    let line = |n: u64| {
        let (second, value) = (n / 7, n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40);
        let time = format!("2026-11-23 10:{:02}:{:02}.{:03}", second / 60 % 60, second % 60, n % 7 * 100);
        let text = match value % 19 {
            0 | 1 => format!("WARN shop.Cart: {value} of 10.0.0.{}:80 is late", value % 256),
            2 => format!("ERROR shop.Cart: order {value} failed after {} ms", value % 900),
            3 => format!("ERROR shop.Pay: order {value} failed after {} ms", value % 900),
            4 => format!("WARN shop.Pay: {} failed, request_id=a{value}", value % 3),
            5 => format!("ERROR shop.Cart: no price for 'a{}'", value % 2),
            6 => format!("ERROR shop.Cart: PriceError: none for {value}"),
            7 => format!(
                "ERROR shop.Cart: PriceError: none for {value}\n    at price (/srv/shop/cart.js:{}:1)",
                value % 3
            ),
            8 => format!("ERROR shop.Cart: panicked at src/cart.rs:{}:1:\nno price for {value}", value % 9),
            9 => format!("WARN shop.Cart: {value} is late\n  since {value}"),
            10 => format!("WARN shop.Pay: {value}: shop::pay"),
            11 => format!("FATAL shop.Pay: out of memory after {value} orders"),
            12 => format!("WARN shop.{}: {value} is late", char::from(b'A' + (value % 26) as u8)),
            _ => format!("INFO shop.Cart: order {value} took {} ms", value % 900),
        };
        // Some have no header of their own.
        if value % 101 == 7 { format!("ERROR: {value} is wrong\n") } else { format!("{time} {text}\n") }
    };
    (0..lines).map(line).collect()
}

#[test]
fn faults_that_are_like_others_come_to_the_same_as_those_that_are_read_one_by_one() {
    let lines = troubled(4000);
    let state = |engine: &Engine| {
        let mut state: serde_json::Value = serde_json::from_slice(&engine.checkpoint().unwrap()).unwrap();
        // How it was parted.
        (state["pushes"], state["sources"]["app.log"]["used"]) = Default::default();
        state
    };
    for settings in [Settings::default(), Settings { max_groups: 6, ..Settings::default() }] {
        let [mut whole, mut parted] = [(); 2].map(|()| Engine::new(settings.clone()));
        for lines in lines.chunks(800) {
            whole.push("app.log", lines.concat().as_bytes());
            lines.iter().for_each(|line| parted.push("app.log", line.as_bytes()));
            assert_eq!(whole.issues(), parted.issues());
        }
        assert_eq!(state(&whole), state(&parted));
        assert!(state(&whole)["sources"]["app.log"]["count"].as_u64().unwrap() > 1000);
    }
}

#[test]
fn no_client_makes_a_fault_by_its_words_or_hides_one() {
    let mut log = String::new();
    for (request, status, agent) in [
        ("GET /segfault HTTP/1.1", 200, "curl"),
        ("GET /?x=fatal&level=error HTTP/1.1", 200, "TypeError: x"),
        ("GET /?q=panic: HTTP/1.1", 404, "FATAL: out of memory"),
        ("FATAL kernel panic", 400, "-"),
        ("GET /cart?level=info HTTP/1.1", 500, "curl"),
    ] {
        log += &format!("10.0.0.7 - - [23/Nov/2026:10:00:00 +0000] \"{request}\" {status} 5 \"-\" \"{agent}\"\n");
    }
    log += "2026-11-23T10:00:00Z GET /docs/segfault?level=fatal 200 3 ms\n";
    let issue = only(&log);
    assert!(issue.title.starts_with("HTTP 500: GET /cart"), "{}", issue.title);
}
