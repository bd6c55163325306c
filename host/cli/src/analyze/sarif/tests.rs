use autodevops_model::{Evidence, IssueKind, Location};
use autodevops_orchestrator::{analysis::SourceRead, input::Amiss};

use super::*;

/// What may be the value of a property.
enum Kind {
    Text,
    Boolean,
    Integer(i64),
    Number(f64, f64),
    OneOf(&'static [&'static str]),
    Texts,
    Object(&'static str),
    Objects(&'static str),
}

use Kind::{Boolean, Integer, Number, Object, Objects, OneOf, Text, Texts};

const LEVELS: Kind = OneOf(&["none", "note", "warning", "error"]);

/// An object's name, what it must have (one of the names, where there are several), and what it may have.
type Rule = (&'static str, &'static [&'static str], &'static [(&'static str, Kind)]);

/// The standard's schema, <https://docs.oasis-open.org/sarif/sarif/v2.1.0/>, of what is written here. No object may have any other
/// property, as there.
const SCHEMA: &[Rule] = &[
    ("log", &["version"], &[("$schema", Text), ("version", OneOf(&["2.1.0"])), ("runs", Objects("run"))]),
    (
        "run",
        &["tool"],
        &[
            ("tool", Object("tool")),
            ("columnKind", OneOf(&["utf16CodeUnits", "unicodeCodePoints"])),
            ("invocations", Objects("invocation")),
            ("results", Objects("result")),
        ],
    ),
    ("tool", &["driver"], &[("driver", Object("driver"))]),
    ("driver", &["name"], &[("name", Text), ("semanticVersion", Text), ("rules", Objects("rule"))]),
    ("rule", &["id"], &[("id", Text), ("shortDescription", Object("message"))]),
    ("message", &["text"], &[("text", Text)]),
    (
        "invocation",
        &["executionSuccessful"],
        &[("executionSuccessful", Boolean), ("toolExecutionNotifications", Objects("notification"))],
    ),
    (
        "notification",
        &["message"],
        &[("level", LEVELS), ("message", Object("message")), ("locations", Objects("location"))],
    ),
    (
        "result",
        &["message"],
        &[
            ("ruleId", Text),
            ("ruleIndex", Integer(-1)),
            ("level", LEVELS),
            ("message", Object("message")),
            ("partialFingerprints", Texts),
            ("occurrenceCount", Integer(1)),
            ("rank", Number(-1.0, 100.0)),
            ("locations", Objects("location")),
            ("relatedLocations", Objects("location")),
        ],
    ),
    (
        "location",
        &[],
        &[("id", Integer(-1)), ("message", Object("message")), ("physicalLocation", Object("physicalLocation"))],
    ),
    (
        "physicalLocation",
        &["artifactLocation"],
        &[("artifactLocation", Object("artifactLocation")), ("region", Object("region"))],
    ),
    ("artifactLocation", &[], &[("uri", Text)]),
    ("region", &[], &[("startLine", Integer(1)), ("startColumn", Integer(1))]),
];

fn check_all(name: &str, value: &Value) {
    for item in value.as_array().unwrap_or_else(|| panic!("{name}s: {value}")) {
        check(name, item);
    }
}

fn check(name: &str, value: &Value) {
    let (_, required, properties) = SCHEMA.iter().find(|(of, ..)| *of == name).unwrap();
    let object = value.as_object().unwrap_or_else(|| panic!("{name}: {value}"));
    for required in *required {
        assert!(object.contains_key(*required), "{name} has no {required}: {value}");
    }
    for (key, value) in object {
        let known = properties.iter().find(|(property, _)| property == key);
        let (_, kind) = known.unwrap_or_else(|| panic!("{name} may have no {key}"));
        let fits = match kind {
            Text => value.is_string(),
            Boolean => value.is_boolean(),
            Integer(least) => value.as_i64().is_some_and(|number| number >= *least),
            Number(least, most) => value.as_f64().is_some_and(|number| (*least..=*most).contains(&number)),
            OneOf(names) => value.as_str().is_some_and(|text| names.contains(&text)),
            Texts => value.as_object().is_some_and(|object| object.values().all(Value::is_string)),
            Object(of) => {
                check(of, value);
                true
            }
            Objects(of) => {
                check_all(of, value);
                true
            }
        };
        assert!(fits, "{name} has {key}: {value}");
    }
}

fn analysis(issues: Vec<Issue>, skipped: Vec<Skipped>) -> Analysis {
    Analysis { issues, sources: vec![SourceRead { source: "app.log".into(), bytes: 99 }], skipped }
}

fn skipped(trouble: Option<&str>) -> Skipped {
    Skipped {
        source: "my app.log".into(),
        amiss: Amiss { cut_lines: 1, ..Amiss::default() },
        trouble: trouble.map(str::to_owned),
    }
}

fn issue(kind: IssueKind) -> Issue {
    Issue {
        location: Some(Location { path: "lib/my file.js".into(), line: 3, column: Some(0) }),
        evidence: vec![Evidence { source: "app.log".into(), line: 0, text: "x".into() }],
        ..Issue::new("ab", kind, Severity::Critical, "boom")
    }
}

#[test]
fn the_log_is_as_the_standard_wants_it() {
    let bare = Issue { count: 0, confidence: 7.0, ..Issue::new("cd", IssueKind::Anomaly, Severity::Info, "odd") };
    let issues = vec![issue(IssueKind::NewPattern), issue(IssueKind::Exception), bare];
    let log = log(&analysis(issues, vec![skipped(None), skipped(Some("its end is missing"))]));
    check("log", &log);
    check("log", &super::log(&analysis(Vec::new(), Vec::new())));
    let run = &log["runs"][0];
    for result in run["results"].as_array().unwrap() {
        let rule = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(run["tool"]["driver"]["rules"][rule]["id"], result["ruleId"]);
    }
    let place = &run["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "lib/my%20file.js");
    assert_eq!(place["region"], json!({ "startLine": 3 }));
    assert!(run["results"][0]["relatedLocations"][0]["physicalLocation"].get("region").is_none());
}

#[test]
fn what_was_skipped_is_a_notification() {
    let invocation = |skipped| log(&analysis(Vec::new(), skipped))["runs"][0]["invocations"][0].clone();
    let some = invocation(vec![skipped(None)]);
    assert_eq!(some["executionSuccessful"], true);
    let notification = &some["toolExecutionNotifications"][0];
    assert_eq!(
        (&notification["level"], &notification["message"]["text"]),
        (&json!("warning"), &json!("1 lines cut at 64 KiB"))
    );
    assert_eq!(notification["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "my%20app.log");
    let partial = invocation(vec![skipped(Some("its end is missing"))]);
    assert_eq!(partial["executionSuccessful"], false);
    assert_eq!(partial["toolExecutionNotifications"][0]["level"], "error");
}
