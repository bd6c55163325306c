//! Logs that are broken, endless or hostile, and logs that come in parts.

use autodevops_sdk::types::Issue;
use log_analyzer::{Engine, Settings};
use proptest::prelude::*;

const MAX_CHECKPOINT_BYTES: usize = 16 << 20;

fn analyze(parts: &[&[u8]]) -> Vec<Issue> {
    let mut engine = Engine::default();
    for part in parts {
        engine.push("app.log", part);
    }
    engine.issues()
}

#[test]
fn an_empty_log_has_no_issues() {
    assert_eq!(analyze(&[]), []);
    assert_eq!(analyze(&[b"", b"\n", b"\r\n\r\n"]), []);
}

#[test]
fn fingerprints_do_not_depend_on_the_process_the_file_the_time_or_what_stands_around() {
    let log = |day: u32, shift: u32| {
        format!(
            "2026-11-{day}T10:00:00Z INFO started\n2026-11-{day}T10:00:01Z ERROR order {shift}: TypeError: x is undefined\n    at total (lib/order.js:{}:7)\n    at order (index.js:{}:5)\n2026-11-{day}T10:00:02Z ERROR queue {shift} of 10.0.0.{shift} is full\n",
            10 + shift,
            20 + shift
        )
    };
    let fingerprints = |source: &str, text: String| {
        let mut engine = Engine::default();
        engine.push(source, text.as_bytes());
        engine.issues().into_iter().map(|issue| issue.fingerprint).collect::<Vec<_>>()
    };
    let first = fingerprints("app.log", log(23, 1));
    assert_eq!(first.len(), 2);
    assert_eq!(fingerprints("app.log.1", log(24, 40)), first);
    assert_eq!(fingerprints("app.log", log(23, 1) + "2026-11-23T11:00:00Z INFO done\n" + &log(25, 7)), first);
}

#[test]
fn an_unfinished_last_line_counts_and_goes_on() {
    let mut engine = Engine::default();
    engine.push("a", b"2026-11-23T10:00:00Z ERROR dis");
    assert_eq!(engine.issues()[0].title, "dis");
    engine.push("a", b"k is full\n");
    assert_eq!(engine.issues()[0].title, "disk is full");
    assert_eq!(engine.issues()[0].count, 1);
}

#[test]
fn binary_noise_is_survived_and_never_reaches_a_person() {
    let mut noise: Vec<u8> = (0..200_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    noise.extend(b"\nERROR bad \x00\x1b[31m\xff\xfe bytes\n");
    let issues = analyze(&[&noise]);
    let issue = issues.iter().find(|issue| issue.title.starts_with("bad")).unwrap();
    for text in [&issue.title, &issue.message, &issue.evidence[0].text] {
        assert!(!text.chars().any(char::is_control), "{text:?}");
    }
}

#[test]
fn a_line_of_fifty_megabytes_is_one_line() {
    let part = vec![b'x'; 1 << 20];
    let mut engine = Engine::default();
    engine.push("a", b"2026-11-23T10:00:00Z ERROR ");
    for _ in 0..50 {
        engine.push("a", &part);
    }
    engine.push("a", b"\nERROR next\n");
    let issues = engine.issues();
    assert_eq!(issues.len(), 2);
    assert!(issues.iter().all(|issue| issue.evidence[0].text.len() <= 2000 && issue.message.len() <= 4000));
    assert!(issues.iter().any(|issue| issue.evidence[0].line == 2));
}

#[test]
fn an_endless_log_of_unique_errors_stays_within_its_bounds() {
    let mut engine = Engine::default();
    let letters = |mut n: u32| -> String {
        let mut text = String::new();
        for _ in 0..6 {
            text.push(char::from(b'a' + (n % 26) as u8));
            n /= 26;
        }
        text
    };
    let filler = "\\\"".repeat(700);
    // Twice as many as there is room for.
    for n in 0..2500u32 {
        engine.push("a", format!("ERROR {} {} {filler}\n", letters(n), letters(n.wrapping_mul(77_777))).as_bytes());
    }
    assert!(engine.checkpoint().unwrap().len() <= MAX_CHECKPOINT_BYTES);
    let issues = engine.issues();
    assert!(!issues.is_empty() && issues.len() <= 1500, "{}", issues.len());
}

#[test]
fn thousands_of_unfinished_lines_fit_into_a_checkpoint() {
    let mut engine = Engine::default();
    let part = vec![b'\\'; 64 << 10];
    for source in 0..300 {
        engine.push(&format!("{source}.log"), &part);
    }
    let checkpoint = engine.checkpoint().unwrap();
    assert!(checkpoint.len() <= MAX_CHECKPOINT_BYTES, "{}", checkpoint.len());
    assert_eq!(Engine::restore(&checkpoint).unwrap().issues(), []);
}

#[test]
fn many_access_logs_with_many_routes_fit_into_a_checkpoint() {
    let mut engine = Engine::default();
    for source in 0..1000 {
        let mut log = String::new();
        for minute in (0..300_u32).step_by(23) {
            for (route, status) in [("cart", 200), ("pay", 503), ("orders", 502), ("me", 500)] {
                let (hour, minute) = (minute / 60, minute % 60);
                log += &format!(
                    "10.0.0.7 - - [23/Nov/2026:1{hour}:{minute:02}:00 +0000] \"GET /{route}/{source} HTTP/1.1\" {status} 512 \"-\" \"{}\"\n",
                    "\\".repeat(20)
                );
            }
        }
        engine.push(&format!("{source}.log"), log.as_bytes());
    }
    let checkpoint = engine.checkpoint().unwrap();
    assert!(checkpoint.len() <= MAX_CHECKPOINT_BYTES, "{}", checkpoint.len());
    // Not by leaving all out.
    assert!(checkpoint.len() > MAX_CHECKPOINT_BYTES / 2, "{}", checkpoint.len());
    assert!(Engine::restore(&checkpoint).is_ok());
}

#[test]
fn thousands_of_unfinished_records_fit_into_a_checkpoint() {
    let mut engine = Engine::default();
    let frame = format!("    at f ({}.js:1:1)\n", "x".repeat(1900));
    let record = format!("TypeError: x\n{}", frame.repeat(32));
    for source in 0..1500 {
        engine.push(&format!("{source}.log"), record.as_bytes());
    }
    let checkpoint = engine.checkpoint().unwrap();
    assert!(checkpoint.len() <= MAX_CHECKPOINT_BYTES, "{}", checkpoint.len());
    // Those that are followed no longer are finished, and the others are not.
    let issues = Engine::restore(&checkpoint).unwrap().issues();
    assert_eq!(issues.iter().map(|issue| issue.count).sum::<u64>(), 1500);
}

#[test]
fn a_log_with_durations_and_a_time_without_any_goes_on_from_its_checkpoint() {
    let mut engine = Engine::default();
    for minute in (0..20).chain(35..59) {
        for second in 0..6 {
            let took = 10 + (minute + second) % 7;
            let line = format!("2026-11-23T10:{minute:02}:{second:02}Z INFO query on order took {took} ms\n");
            engine.push("app.log", line.as_bytes());
        }
    }
    let restored = Engine::restore(&engine.checkpoint().unwrap()).unwrap();
    assert_eq!(restored.issues(), engine.issues());
}

#[test]
fn thousands_of_kinds_of_lines_with_durations_and_values_fit_into_a_checkpoint() {
    let mut engine = Engine::default();
    let name = |n: u32| {
        let letter = |n: u32| char::from(b'a' + (n % 26) as u8);
        [n / 676, n / 26, n, n / 7].map(letter).iter().collect::<String>()
    };
    let filler = "\\\"".repeat(150);
    let mut random = 1_u32;
    // Each kind comes in each minute, with durations from microseconds to hours.
    for minute in 0..2 {
        let mut text = String::new();
        for kind in 0..3000 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let took = f64::from(random >> 8) / f64::from(1_u32 << (random % 24));
            text += &format!(
                "2026-11-23T10:{minute:02}:{:02}Z INFO {} of the {}{} took {took:.3} ms, queue depth {}/90000 {filler}\n",
                kind / 50,
                name(kind),
                name(kind / 9),
                name(kind * 5),
                random % 90_000,
            );
        }
        engine.push("app.log", text.as_bytes());
    }
    assert!(engine.groups().len() > 1000, "{}", engine.groups().len());
    let checkpoint = engine.checkpoint().unwrap();
    assert!(checkpoint.len() <= MAX_CHECKPOINT_BYTES, "{}", checkpoint.len());
    // Not by leaving all out.
    assert!(checkpoint.len() > MAX_CHECKPOINT_BYTES / 3, "{}", checkpoint.len());
    assert!(Engine::restore(&checkpoint).is_ok());
}

#[test]
fn a_checkpoint_that_is_none_is_refused() {
    assert!(Engine::restore(b"{\"sources\":").is_err());
    assert!(Engine::restore(b"").is_err());
}

/// Lines that logs are made of, in any order.
fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("2026-11-23T10:00:01.123Z ERROR request failed: TypeError: Cannot read x".to_owned()),
        Just("    at formatOrder (functions/index.js:12:34)".to_owned()),
        Just("    at node:internal/x:1:2".to_owned()),
        Just("Traceback (most recent call last):".to_owned()),
        Just("  File \"/srv/app/a.py\", line 3, in f".to_owned()),
        Just("    x = y".to_owned()),
        Just("KeyError: 'ä€😀'".to_owned()),
        Just("Caused by: java.lang.Exception: why".to_owned()),
        Just("The above exception was the direct cause of the following exception:".to_owned()),
        Just(String::new()),
        Just("2026-11-23T10:05:00Z INFO fine\r".to_owned()),
        Just(
            r#"{"level":50,"time":1795428000123,"msg":"m","err":{"stack":"Error: e\n    at a (b.js:1:2)"}}"#.to_owned()
        ),
        (0u32..60, 0u32..9).prop_map(|(minute, n)| format!("2026-11-23 10:{minute:02}:00 WARN queue {n}")),
        "[A-Za-z]{1,8}".prop_map(|word| format!("ERROR {word} broke")),
        "\\PC{0,40}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn parting_and_saving_change_nothing(
        lines in prop::collection::vec(line(), 0..60),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        saves in any::<u8>(),
    ) {
        let text = lines.join("\n").into_bytes();
        let settings = Settings { max_groups: 5, ..Settings::default() };
        let mut whole = Engine::new(settings.clone());
        whole.push("app.log", &text);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).chain([0, text.len()]).collect();
        cuts.sort_unstable();
        let mut parted = Engine::new(settings.clone());
        for (index, pair) in cuts.windows(2).enumerate() {
            parted.push("app.log", &text[pair[0]..pair[1]]);
            if saves & (1 << (index % 8)) != 0 {
                parted = Engine::restore(&parted.checkpoint().unwrap()).unwrap().with(settings.clone());
            }
        }
        prop_assert_eq!(parted.issues(), whole.issues());
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        for issue in analyze(&[&bytes]) {
            prop_assert!(issue.evidence.len() <= 10 && issue.confidence <= 1.0 && issue.count > 0);
        }
    }
}
