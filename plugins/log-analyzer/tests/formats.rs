//! Every format of logs that is read, by a sample as its program writes it: what went wrong, how bad, when, and in which line.

use autodevops_sdk::types::{Issue, Severity};
use log_analyzer::Engine;

/// 2026-11-23T10:00:00Z.
const TEN: i64 = 1_795_428_000;

fn analyze(log: &[u8]) -> Vec<Issue> {
    let mut whole = Engine::default();
    whole.push("app.log", log);
    // Parts end anywhere.
    let mut parts = Engine::default();
    log.chunks(7).for_each(|part| parts.push("app.log", part));
    assert_eq!(parts.issues(), whole.issues());
    whole.issues()
}

/// What is to be found in a sample: one issue.
struct Sample {
    format: &'static str,
    log: &'static [u8],
    title: &'static str,
    severity: Severity,
    /// Seconds behind [`TEN`]; none where the format has no year.
    second: Option<i64>,
    line: u64,
}

const SAMPLES: &[Sample] = &[
    Sample {
        format: "JSON lines",
        log: br#"{"level":"info","ts":"2026-11-23T10:00:00Z","msg":"started"}
{"level":"error","ts":"2026-11-23T10:00:01Z","msg":"cannot charge order 17","order":17}
"#,
        title: "cannot charge order 17",
        severity: Severity::Error,
        second: Some(1),
        line: 2,
    },
    Sample {
        format: "pino",
        log: br#"{"level":30,"time":1795428000000,"pid":71,"hostname":"web-1","msg":"listening on 8080"}
{"level":50,"time":1795428002000,"pid":71,"hostname":"web-1","err":{"type":"TypeError","message":"x is undefined","stack":"TypeError: x is undefined\n    at total (/srv/app/lib/order.js:12:7)\n    at order (/srv/app/index.js:20:5)"},"msg":"request failed"}
"#,
        title: "TypeError: x is undefined",
        severity: Severity::Error,
        second: Some(2),
        line: 2,
    },
    Sample {
        format: "bunyan",
        log: br#"{"name":"shop","hostname":"web-1","pid":71,"level":30,"msg":"listening","time":"2026-11-23T10:00:00.000Z","v":0}
{"name":"shop","hostname":"web-1","pid":71,"level":60,"msg":"no database, giving up","time":"2026-11-23T10:00:03.000Z","v":0}
"#,
        title: "no database, giving up",
        severity: Severity::Critical,
        second: Some(3),
        line: 2,
    },
    Sample {
        format: "winston",
        log: br#"{"level":"info","message":"listening","timestamp":"2026-11-23T10:00:00.000Z","service":"shop"}
{"level":"error","message":"queue mail is full","timestamp":"2026-11-23T10:00:04.000Z","service":"shop"}
"#,
        title: "queue mail is full",
        severity: Severity::Error,
        second: Some(4),
        line: 2,
    },
    Sample {
        format: "Google Cloud Logging, text",
        log: br#"{"insertId":"a1","logName":"projects/p/logs/run.googleapis.com%2Fstderr","severity":"DEFAULT","textPayload":"listening","timestamp":"2026-11-23T10:00:00.000000Z"}
{"insertId":"a2","logName":"projects/p/logs/run.googleapis.com%2Fstderr","severity":"ERROR","textPayload":"cannot reach payments","timestamp":"2026-11-23T10:00:05.000000Z"}
"#,
        title: "cannot reach payments",
        severity: Severity::Error,
        second: Some(5),
        line: 2,
    },
    Sample {
        format: "Google Cloud Logging, structured",
        log: br#"{"insertId":"a3","jsonPayload":{"message":"cannot reach payments","order":17},"severity":"CRITICAL","timestamp":"2026-11-23T10:00:06.5Z"}
"#,
        title: "cannot reach payments",
        severity: Severity::Critical,
        second: Some(6),
        line: 1,
    },
    Sample {
        format: "Google Cloud Logging, a trace as text",
        log: br#"{"insertId":"a5","severity":"ERROR","textPayload":"TypeError: x is undefined\n    at total (/srv/app/lib/order.js:12:7)\n    at order (/srv/app/index.js:20:5)\n","timestamp":"2026-11-23T10:00:36Z","trace":"projects/p/traces/0af7651916cd43dd8448eb211c80319c"}
"#,
        title: "TypeError: x is undefined",
        severity: Severity::Error,
        second: Some(36),
        line: 1,
    },
    Sample {
        format: "Google Cloud Logging, a trace in a message",
        log: br#"{"insertId":"a6","severity":"ERROR","jsonPayload":{"message":"Traceback (most recent call last):\n  File \"/srv/app/shop.py\", line 12, in total\n    return a[x]\nKeyError: 'x'"},"timestamp":"2026-11-23T10:00:37Z"}
"#,
        title: "KeyError: 'x'",
        severity: Severity::Error,
        second: Some(37),
        line: 1,
    },
    Sample {
        format: "winston, a trace in the message",
        log: br#"{"level":"info","message":"two lines\nof no fault","timestamp":"2026-11-23T10:00:00.000Z","service":"shop"}
{"level":"error","message":"cannot pay: TypeError: x is undefined\n    at total (/srv/app/lib/order.js:12:7)","timestamp":"2026-11-23T10:00:38.000Z","service":"shop"}
"#,
        title: "TypeError: x is undefined",
        severity: Severity::Error,
        second: Some(38),
        line: 2,
    },
    Sample {
        format: "logfmt, a trace in the message",
        log: br#"time=2026-11-23T10:00:39Z level=error msg="panic: no route\n\ngoroutine 1 [running]:\nmain.pay(0x1)\n\t/srv/app/main.go:12 +0x1d" order=17
"#,
        title: "panic: no route",
        severity: Severity::Critical,
        second: Some(39),
        line: 1,
    },
    Sample {
        format: "PostgreSQL",
        log: b"2026-11-23 11:00:00.123 +01 [71] LOG:  database system is ready\n2026-11-23 10:00:40.123 UTC [72] ERROR:  relation \"cart\" does not exist at character 15\n",
        title: "relation",
        severity: Severity::Error,
        second: Some(40),
        line: 2,
    },
    Sample {
        format: "java.util.logging",
        log: b"Nov 23, 2026 10:00:41 AM org.example.Shop main\nINFO: listening\nNov 23, 2026 10:00:41 AM org.example.Cart pay\nSEVERE: cannot pay\n",
        title: "cannot pay",
        severity: Severity::Error,
        second: Some(41),
        line: 4,
    },
    Sample {
        format: "MySQL 5",
        log: b"261123 10:00:00 [Note] listening\n261123 10:00:42 [ERROR] cannot open table\n",
        title: "cannot open table",
        severity: Severity::Error,
        second: Some(42),
        line: 2,
    },
    Sample {
        format: "logfmt",
        log: br#"time=2026-11-23T10:00:00Z level=info msg=listening port=8080
time=2026-11-23T10:00:07Z level=error msg="cannot charge" err="no route to host" order=17
"#,
        title: "cannot charge: no route to host",
        severity: Severity::Error,
        second: Some(7),
        line: 2,
    },
    Sample {
        format: "syslog, RFC 3164",
        log: b"<30>Nov 23 10:00:00 web-1 shop[71]: listening\n<27>Nov 23 10:00:08 web-1 shop[71]: error: disk is full\n",
        title: "disk is full",
        severity: Severity::Error,
        second: None,
        line: 2,
    },
    Sample {
        format: "syslog, RFC 5424",
        log: b"<165>1 2026-11-23T10:00:00.003Z web-1 shop 71 ID47 - listening\n<163>1 2026-11-23T10:00:09.003Z web-1 shop 71 ID48 [meta seq=\"2\"] error: disk is full\n",
        title: "disk is full",
        severity: Severity::Error,
        second: Some(9),
        line: 2,
    },
    Sample {
        format: "Apache, combined",
        log: br#"10.0.0.7 - ann [23/Nov/2026:10:00:00 +0000] "GET /cart HTTP/1.1" 200 512 "https://shop.example/" "Mozilla/5.0"
10.0.0.7 - ann [23/Nov/2026:12:00:10 +0200] "POST /api/orders HTTP/1.1" 500 91 "https://shop.example/cart" "Mozilla/5.0"
"#,
        title: "HTTP 500: POST /api/orders",
        severity: Severity::Error,
        second: Some(10),
        line: 2,
    },
    Sample {
        format: "nginx, combined",
        log: br#"10.0.0.7 - - [23/Nov/2026:10:00:00 +0000] "GET / HTTP/2.0" 200 512 "-" "curl/8.5.0"
10.0.0.7 - - [23/Nov/2026:10:00:11 +0000] "GET /api/cart HTTP/2.0" 502 150 "-" "curl/8.5.0"
"#,
        title: "HTTP 502: GET /api/cart",
        severity: Severity::Error,
        second: Some(11),
        line: 2,
    },
    Sample {
        format: "nginx, error log",
        log: b"2026/11/23 10:00:00 [notice] 7#7: start worker processes\n2026/11/23 10:00:12 [error] 29#29: *1 connect() failed (111: Connection refused) while connecting to upstream, client: 10.0.0.7\n",
        title: "connect() failed (111: Connection refused)",
        severity: Severity::Error,
        second: Some(12),
        line: 2,
    },
    Sample {
        format: "glog",
        log: b"I1123 10:00:00.000123      7 server.cc:80] listening\nE1123 10:00:13.000123      7 store.cc:12] cannot write block 17\n",
        title: "cannot write block 17",
        severity: Severity::Error,
        second: None,
        line: 2,
    },
    Sample {
        format: "log4j",
        log: b"2026-11-23 10:00:00,000 INFO  [main] org.example.Shop - listening\n2026-11-23 10:00:14,120 ERROR [worker-3] org.example.Orders - cannot place order\njava.lang.IllegalStateException: cart is empty\n\tat org.example.Orders.place(Orders.java:42)\n\tat org.example.Shop.main(Shop.java:7)\n",
        title: "java.lang.IllegalStateException: cart is empty",
        severity: Severity::Error,
        second: Some(14),
        line: 2,
    },
    Sample {
        format: "Kubernetes CRI",
        log: b"2026-11-23T10:00:00.000000001Z stdout F listening\n2026-11-23T10:00:15.000000001Z stderr F ERROR cannot mount the volume\n",
        title: "cannot mount the volume",
        severity: Severity::Error,
        second: Some(15),
        line: 2,
    },
    Sample {
        format: "JSON in Kubernetes CRI",
        log: br#"2026-11-23T10:00:00.000000001Z stdout F {"level":"info","msg":"listening"}
2026-11-23T10:00:20.000000001Z stderr F {"level":"error","ts":"2026-11-23T10:00:19Z","msg":"cannot charge","error":"no route"}
"#,
        title: "cannot charge: no route",
        severity: Severity::Error,
        second: Some(20),
        line: 2,
    },
    Sample {
        format: "logfmt in Kubernetes CRI",
        log: b"2026-11-23T10:00:21.000000001Z stderr F time=2026-11-23T10:00:20Z level=fatal msg=\"no lease\"\n",
        title: "no lease",
        severity: Severity::Critical,
        second: Some(21),
        line: 1,
    },
    Sample {
        format: "klog in Kubernetes CRI",
        log: b"2026-11-23T10:00:00.1Z stderr F I1123 10:00:00.000123       7 server.go:80] listening\n2026-11-23T10:00:22.1Z stderr F E1123 10:00:22.000123       7 store.go:12] \"cannot sync\" pod=\"a/b\"\n",
        title: "cannot sync",
        severity: Severity::Error,
        second: Some(22),
        line: 2,
    },
    Sample {
        format: "Kubernetes CRI, in parts, with another stream between",
        log: br#"2026-11-23T10:00:23.0Z stderr P {"level":"error","ms
2026-11-23T10:00:23.1Z stdout F listening
2026-11-23T10:00:23.2Z stderr P g":"cannot reach the pay
2026-11-23T10:00:23.3Z stderr F ments"}
2026-11-23T10:00:23.4Z stdout P half a
"#,
        title: "cannot reach the payments",
        severity: Severity::Error,
        second: Some(23),
        line: 1,
    },
    Sample {
        format: "JSON in syslog",
        log: br#"<14>Nov 23 10:00:00 web-1 shop[71]: {"level":"info","msg":"listening"}
<14>Nov 23 10:00:24 web-1 shop[71]: {"level":"error","time":"2026-11-23T10:00:24Z","msg":"queue is full"}
"#,
        title: "queue is full",
        severity: Severity::Error,
        second: None,
        line: 2,
    },
    Sample {
        format: "logfmt in syslog, RFC 5424",
        log: b"<30>1 2026-11-23T10:00:25.003Z web-1 shop 71 - - level=error msg=\"queue is full\" queue=mail\n",
        title: "queue is full",
        severity: Severity::Error,
        second: Some(25),
        line: 1,
    },
    Sample {
        format: "Docker's json-file",
        log: br#"{"log":"2026-11-23 10:00:00 INFO listening\n","stream":"stdout","time":"2026-11-23T10:00:00.1Z"}
{"log":"2026-11-23 10:00:26 ERROR disk is full\n","stream":"stderr","time":"2026-11-23T10:00:26.1Z"}
"#,
        title: "disk is full",
        severity: Severity::Error,
        second: Some(26),
        line: 2,
    },
    Sample {
        format: "JSON in Docker's json-file",
        log: br#"{"log":"{\"level\":50,\"time\":1795428027000,\"msg\":\"request failed\",\"err\":{\"type\":\"TypeError\",\"message\":\"x is undefined\",\"stack\":\"TypeError: x is undefined\\n    at total (/srv/app/lib/order.js:12:7)\"}}\n","stream":"stdout","time":"2026-11-23T10:00:27.1Z"}
"#,
        title: "TypeError: x is undefined",
        severity: Severity::Error,
        second: Some(27),
        line: 1,
    },
    Sample {
        format: "JSON in journalctl -o json",
        log: br#"{"__REALTIME_TIMESTAMP":"1795428028000000","PRIORITY":"6","MESSAGE":"{\"level\":\"error\",\"msg\":\"queue is full\"}"}
"#,
        title: "queue is full",
        severity: Severity::Error,
        second: Some(28),
        line: 1,
    },
    Sample {
        format: "JSON in journalctl -o export",
        log: b"__CURSOR=s=1;i=2\n__REALTIME_TIMESTAMP=1795428029000000\nPRIORITY=6\nMESSAGE={\"level\":\"error\",\"msg\":\"queue is full\"}\n_PID=71\n\n",
        title: "queue is full",
        severity: Severity::Error,
        second: Some(29),
        line: 4,
    },
    Sample {
        format: "colours",
        log: b"\x1b[2m2026-11-23T10:00:00.0Z\x1b[0m \x1b[32m INFO\x1b[0m \x1b[2mshop\x1b[0m: listening\n\x1b[2m2026-11-23T10:00:30.0Z\x1b[0m \x1b[31mERROR\x1b[0m \x1b[2mshop::cart\x1b[0m: cannot \x1b[1mpay\x1b[0m\n",
        title: "cannot pay",
        severity: Severity::Error,
        second: Some(30),
        line: 2,
    },
    Sample {
        format: "the console of .NET",
        log: b"info: Shop.Host[14]\n      listening\nfail: Shop.Cart[0]\n      cannot pay\n      System.IO.IOException: disk is full\n         at Shop.Store.Write() in /src/Store.cs:line 7\n",
        title: "System.IO.IOException: disk is full",
        severity: Severity::Error,
        second: None,
        line: 3,
    },
    Sample {
        format: "PHP's error log",
        log: b"[23-Nov-2026 10:00:32 UTC] PHP Fatal error:  Uncaught RuntimeException: no cart in /srv/app/cart.php:12\nStack trace:\n#0 /srv/app/index.php(7): Cart->pay(7)\n#1 {main}\n  thrown in /srv/app/cart.php on line 12\n",
        title: "RuntimeException: no cart",
        severity: Severity::Critical,
        second: Some(32),
        line: 1,
    },
    Sample {
        format: "log4j, the time of the day alone",
        log: b"10:00:00.123 [main] INFO  org.example.Shop - listening\n10:00:01.123 [main] ERROR org.example.Shop - cannot place order\n",
        title: "cannot place order",
        severity: Severity::Error,
        second: None,
        line: 2,
    },
    Sample {
        format: "glog with a year",
        log: b"I20261123 10:00:00.000123      7 server.cc:80] listening\nE20261123 10:00:33.000123      7 store.cc:12] cannot write block 17\n",
        title: "cannot write block 17",
        severity: Severity::Error,
        second: Some(33),
        line: 2,
    },
    Sample {
        format: "Google Cloud Logging, a request",
        log: br#"{"insertId":"a4","httpRequest":{"requestMethod":"GET","requestUrl":"https://a.example/cart","status":500},"severity":"ERROR","timestamp":"2026-11-23T10:00:34Z"}
"#,
        title: "GET https://a.example/cart",
        severity: Severity::Error,
        second: Some(34),
        line: 1,
    },
    Sample {
        format: "OpenTelemetry",
        log: br#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1795428035000000000","severityNumber":17,"body":{"stringValue":"no route"}}]}]}]}
"#,
        title: "no route",
        severity: Severity::Error,
        second: Some(35),
        line: 1,
    },
    Sample {
        format: "a byte order mark",
        log: b"\xef\xbb\xbf2026-11-23T10:00:31Z ERROR disk is full\n",
        title: "disk is full",
        severity: Severity::Error,
        second: Some(31),
        line: 1,
    },
    Sample {
        format: "journalctl -o json",
        log: br#"{"__CURSOR":"s=1;i=1","__REALTIME_TIMESTAMP":"1795428000000000","PRIORITY":"6","SYSLOG_IDENTIFIER":"shop","_PID":"71","MESSAGE":"listening"}
{"__CURSOR":"s=1;i=2","__REALTIME_TIMESTAMP":"1795428016000000","PRIORITY":"3","SYSLOG_IDENTIFIER":"shop","_PID":"71","MESSAGE":"disk is full"}
"#,
        title: "disk is full",
        severity: Severity::Error,
        second: Some(16),
        line: 2,
    },
    Sample {
        format: "journalctl -o json, a message that is no text",
        log: br#"{"__REALTIME_TIMESTAMP":"1795428017000000","PRIORITY":"2","MESSAGE":[100,105,115,107,32,27,32,105,115,32,102,117,108,108]}
"#,
        title: "disk   is full",
        severity: Severity::Critical,
        second: Some(17),
        line: 1,
    },
    Sample {
        format: "journalctl -o export",
        log: b"__CURSOR=s=1;i=1\n__REALTIME_TIMESTAMP=1795428000000000\n__MONOTONIC_TIMESTAMP=17\n_BOOT_ID=b0\nPRIORITY=6\nSYSLOG_IDENTIFIER=shop\nMESSAGE=listening\n_PID=71\n\n__CURSOR=s=1;i=2\n__REALTIME_TIMESTAMP=1795428018000000\nPRIORITY=3\nMESSAGE=disk is full\n_PID=71\n\n",
        title: "disk is full",
        severity: Severity::Error,
        second: Some(18),
        line: 13,
    },
    Sample {
        format: "journalctl -o export, a message of several lines",
        log: b"__CURSOR=s=1;i=2\n__REALTIME_TIMESTAMP=1795428019000000\nPRIORITY=3\nMESSAGE\n\x60\0\0\0\0\0\0\0TypeError: x is undefined\n    at total (lib/order.js:12:7)\n    at order (/srv/app/index.js:20:5)\n_PID=71\n\n",
        title: "TypeError: x is undefined",
        severity: Severity::Error,
        second: Some(19),
        line: 4,
    },
];

#[test]
fn what_is_wrong_is_found_in_every_format() {
    let mut wrong = Vec::new();
    for Sample { format, log, title, severity, second, line } in SAMPLES {
        let issues = analyze(log);
        let [issue] = issues.as_slice() else {
            wrong.push(format!(
                "{format}: {} issues: {:?}",
                issues.len(),
                issues.iter().map(|issue| &issue.title).collect::<Vec<_>>()
            ));
            continue;
        };
        let seen = issue.first_seen.map(|at| at.div_euclid(1_000_000_000) - TEN);
        let of = issue.evidence.first().map(|evidence| evidence.line);
        if !issue.title.contains(title) || issue.severity != *severity || seen != *second || of != Some(*line) {
            wrong.push(format!("{format}: {:?} {:?} at {seen:?} in line {of:?}", issue.title, issue.severity));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_stack_of_an_exported_message_is_read_and_its_evidence_is_the_message() {
    let sample = SAMPLES.last().unwrap();
    let issues = analyze(sample.log);
    assert_eq!(issues[0].stack.len(), 2);
    assert_eq!(issues[0].stack[0].file, "lib/order.js");
    assert!(issues[0].evidence[0].text.starts_with("TypeError: x is undefined"), "{:?}", issues[0].evidence);
}

#[test]
fn a_trace_in_a_message_is_the_fault_that_it_is_on_the_console() {
    let console = b"2026-11-23T10:00:00Z ERROR TypeError: x is undefined\n    at total (/srv/app/lib/order.js:12:7)\n";
    let json = br#"{"severity":"ERROR","timestamp":"2026-11-23T10:00:00Z","textPayload":"TypeError: x is undefined\n    at total (/srv/app/lib/order.js:12:7)"}
"#;
    let [console, json] = [analyze(console), analyze(json)];
    assert_eq!((console.len(), json.len()), (1, 1));
    assert_eq!(json[0].fingerprint, console[0].fingerprint);
    assert_eq!((&json[0].stack, &json[0].location), (&console[0].stack, &console[0].location));
    assert_eq!(json[0].stack.len(), 1);
}

#[test]
fn a_fault_is_the_same_in_the_systems_log_and_in_each_form_of_the_journal() {
    let faults = [
        &b"<27>Nov 23 10:00:08 web-1 shop[71]: disk is full\n"[..],
        b"2026-11-23T10:00:08.123456+00:00 web-1 shop: ERROR disk is full\n",
        br#"{"__REALTIME_TIMESTAMP":"1795428016000000","PRIORITY":"3","SYSLOG_IDENTIFIER":"shop","MESSAGE":"disk is full"}
"#,
        b"__CURSOR=s=1;i=2\n__REALTIME_TIMESTAMP=1795428018000000\nPRIORITY=3\n_COMM=sh\nSYSLOG_IDENTIFIER=shop\nMESSAGE=disk is full\n\n",
    ];
    let fingerprints = faults.map(|log| analyze(log).iter().map(|issue| issue.fingerprint.clone()).collect::<Vec<_>>());
    assert_eq!(fingerprints[0].len(), 1);
    fingerprints.iter().for_each(|of| assert_eq!(*of, fingerprints[0]));
}
