use clap::Parser;

use super::*;
use crate::arguments::{Arguments, Verb};

fn options(arguments: &[&str]) -> Result<VerdictOptions, String> {
    let all = ["autodevops", "verdict"].iter().chain(arguments);
    match Arguments::try_parse_from(all).map_err(|error| error.to_string())?.verb {
        Verb::Verdict(options) => Ok(options),
        _ => panic!("another verb"),
    }
}

fn judged_by_default(options: &VerdictOptions) -> Result<Verdict> {
    judged(options, HardTrip::default())
}

fn word(arguments: &[&str]) -> (&'static str, Method) {
    let verdict = judged_by_default(&options(arguments).unwrap()).unwrap();
    (verdict.word(), verdict.method.unwrap())
}

#[test]
fn counts_are_judged_as_a_rollout_judges_them() {
    let table = [
        ("11/100", "fail", Method::Wilson),
        ("10/100", "inconclusive", Method::Wilson),
        ("37/500", "fail", Method::Wilson),
        ("36/500", "inconclusive", Method::Wilson),
        ("4/20", "fail", Method::Wilson),
        ("0/500", "pass", Method::Wilson),
        ("3/5", "inconclusive", Method::MinSamples),
        ("0/0", "inconclusive", Method::MinSamples),
        ("6/10", "fail", Method::HardTrip),
    ];
    for (counts, expected, method) in table {
        assert_eq!(word(&["--threshold", "5 %", counts]), (expected, method), "{counts}");
    }
    assert_eq!(word(&["--threshold", "5%", "--rule", "sprt", "0/48"]), ("pass", Method::Sprt));
    assert_eq!(word(&["--threshold", "5%", "--rule", "sprt", "6/24"]), ("fail", Method::Sprt));
    assert_eq!(word(&["--threshold", "5%", "--rule", "sprt", "--tests", "16", "6/24"]).0, "inconclusive");
    assert_eq!(word(&["--threshold", "5%", "7/120", "--baseline", "3/1000"]), ("inconclusive", Method::Wilson));
    assert_eq!(word(&["--threshold", "60 %", "550/1000"]), ("pass", Method::Wilson), "so many are allowed");
    let compared = ["--rule", "two-proportions", "7/120", "--baseline", "3/1000"];
    assert_eq!(word(&compared), ("fail", Method::TwoProportions));
    let broken = ["--threshold", "5%", "60/500", "--baseline", "150/500"];
    assert_eq!(word(&broken), ("pass", Method::TwoProportions));
}

#[test]
fn counts_that_come_in_clumps_are_judged_by_the_design_effect_that_is_given() {
    let clumped = ["--threshold", "5 %", "--design-effect", "30", "90/900"];
    assert_eq!(word(&["--threshold", "5 %", "90/900"]), ("fail", Method::Wilson));
    assert_eq!(word(&clumped), ("inconclusive", Method::Wilson));
    let words = judged_by_default(&options(&clumped).unwrap()).unwrap().words;
    assert!(words.starts_with("90 of 900 requests failed, in clumps by client (design effect 30.00)"), "{words}");
    let compared = ["--rule", "two-proportions", "60/1000", "--baseline", "20/1000"];
    assert_eq!(word(&compared).0, "fail");
    let of_baseline: Vec<_> = compared.into_iter().chain(["--baseline-design-effect", "30"]).collect();
    assert_eq!(word(&of_baseline).0, "inconclusive");
    for (wrong, why) in [
        (&["--threshold", "5 %", "--design-effect", "0.9", "7/120"][..], "give 1 or more"),
        (&["--threshold", "5 %", "--design-effect", "NaN", "7/120"], "give 1 or more"),
        (&["--metric", "carts-lost", "--threshold", "5 %", "--design-effect", "3", "7/120"], "of `error-rate` alone"),
    ] {
        let error = judged_by_default(&options(wrong).unwrap()).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
    assert!(options(&["--threshold", "5 %", "--baseline-design-effect", "3", "7/120"]).is_err());
}

#[test]
fn what_a_rollout_asks_for_beyond_one_look_is_told() {
    let said = |arguments: &[&str], plan: Option<&Plan>| {
        let options = options(arguments).unwrap();
        in_a_rollout(&options, &judged_by_default(&options).unwrap(), plan)
    };
    assert_eq!(
        said(&["--threshold", "5%", "11/100"], None),
        "This is one look at one metric. A rollout by the defaults is turned back by 2 bad windows in a row, each rarer than 0.1 % shared \
         among up to 3 metrics and 2480 looks."
    );
    let sprt = ["--threshold", "5%", "--rule", "sprt", "6/24"];
    assert_eq!(
        said(&sprt, None),
        "This is one look at one metric. A rollout by the defaults shares alpha among 4 tests: --tests 4."
    );
    let mut plan = Plan::defaults("shop");
    plan.triggers.truncate(1);
    plan.decision.window_alpha = 1.0;
    plan.decision.bad_windows = 3;
    assert_eq!(
        said(&["--threshold", "5%", "11/100"], Some(&plan)),
        "This is one look at one metric. A rollout of this project is turned back by 3 bad windows in a row."
    );
    let two = [&["--tests", "2"][..], &sprt].concat();
    assert_eq!(said(&two, Some(&plan)), "This is one of the 2 tests of a rollout of this project.");
    // What it says to repeat is what a rollout decides by.
    let verdict = judged_by_default(&options(&two).unwrap()).unwrap();
    assert!(verdict.words.ends_with("at or above 6.86 = ln(95.0 %/(0.20 %/2)): it fails"), "{}", verdict.words);
    assert!(!verdict.words.contains("bad window"));
}

#[test]
fn a_hard_trip_is_the_projects_and_needs_no_second_look() {
    let half = options(&["--threshold", "5 %", "5/10"]).unwrap();
    let by_default = judged_by_default(&half).unwrap();
    assert_eq!(by_default.method, Some(Method::HardTrip));
    let needs_none = "This needs no second look. A rollout by the defaults is turned back at once where 50.0 % or more of at least 10 requests \
                      failed.";
    assert_eq!(in_a_rollout(&half, &by_default, None), needs_none);
    let sequential = options(&["--threshold", "5 %", "--rule", "sprt", "5/10"]).unwrap();
    assert_eq!(in_a_rollout(&sequential, &judged_by_default(&sequential).unwrap(), None), needs_none);
    // A project that trips at nearly all.
    let plan = Plan { hard_trip: HardTrip { rate: 0.95, min_samples: 25 }, ..Plan::defaults("shop") };
    let of_project = judged(&half, plan.hard_trip).unwrap();
    assert_eq!((of_project.word(), of_project.method), ("inconclusive", Some(Method::MinSamples)));
    assert!(in_a_rollout(&half, &of_project, Some(&plan)).starts_with("This is one look at one metric. "));
    let all = options(&["--threshold", "5 %", "30/30"]).unwrap();
    let told = in_a_rollout(&all, &judged(&all, plan.hard_trip).unwrap(), Some(&plan));
    assert!(
        told.ends_with("of this project is turned back at once where 95.0 % or more of at least 25 requests failed."),
        "{told}"
    );
}

#[test]
fn an_option_that_the_rule_does_not_look_at_is_refused_by_name() {
    let table: [(&[&str], &str); 6] = [
        (
            &["--rule", "two-proportions", "--threshold", "5 %", "--baseline", "3/1000", "12/120"],
            "--threshold is for --rule wilson or --rule sprt, and `two-proportions` does not look at it; leave it out",
        ),
        (
            &["--threshold", "5 %", "--worse-by", "20 %", "7/120"],
            "--worse-by is for --rule two-proportions or --rule mann-whitney",
        ),
        (&["--threshold", "5 %", "--alpha", "0.2 %", "7/120"], "--alpha is for --rule sprt, and `wilson`"),
        (&["--threshold", "5 %", "--beta", "5 %", "7/120"], "--beta is for --rule sprt"),
        (&["--threshold", "5 %", "--tests", "4", "7/120"], "--tests is for --rule sprt"),
        (
            &["--metric", "error-rate", "--rule", "mann-whitney", "--values", "a", "--baseline-values", "b"],
            "--values are times; leave --metric out",
        ),
    ];
    for (arguments, words) in table {
        let error = judged_by_default(&options(arguments).unwrap()).unwrap_err();
        assert!(error.is::<Usage>() && error.to_string().contains(words), "{error}");
    }
}

#[test]
fn small_rates_and_numbers_keep_the_digits_that_count() {
    let verdict = judged_by_default(&options(&["--threshold", "0.0001 %", "1/1000000"]).unwrap()).unwrap();
    assert_eq!(verdict.rule, "error-rate above 0.000100 %");
    assert!(
        verdict.words.starts_with("0.000100 % of 1000000 requests failed, threshold 0.000100 %"),
        "{}",
        verdict.words
    );
    let text = shown(Style::plain(), &verdict, "wilson");
    assert!(
        text.contains("  threshold          1.00000e-6\n") && text.contains("  requests           1000000\n"),
        "{text}"
    );
}

#[test]
fn what_is_no_count_is_told() {
    for (text, words) in [("7", "no count"), ("7/", "no count"), ("-1/5", "no count"), ("7/5", "more than there were")]
    {
        assert!(text.parse::<Counts>().unwrap_err().contains(words), "{text}");
    }
}

#[test]
fn what_does_not_fit_is_told_with_the_remedy() {
    let table: [(&[&str], &str); 6] = [
        (&["7/120"], "--threshold"),
        (&["--threshold", "0 %", "7/120"], "decides nothing"),
        (&["--rule", "two-proportions", "7/120"], "--baseline 3/1000"),
        (&["--rule", "mann-whitney", "7/120"], "--values FILE"),
        (&["--metric", "latency", "--threshold", "5 %", "7/120"], "no count"),
        (&["--rule", "sprt", "--alpha", "0 %", "--threshold", "5 %", "7/120"], "no chance to be wrong"),
    ];
    for (arguments, words) in table {
        let error = judged_by_default(&options(arguments).unwrap()).unwrap_err();
        assert!(error.is::<Usage>() && error.to_string().contains(words), "{error}");
    }
    assert!(options(&["--threshold", "5", "7/120"]).is_err(), "a share has its unit");
    assert!(options(&[]).is_err());
}

#[test]
fn a_misspelt_metric_is_refused() {
    let error = known("eror-rate", None).unwrap_err();
    assert_eq!(error.to_string(), "unknown metric `eror-rate`; did you mean `error-rate`?");
    known("latency", None).unwrap();
}

#[test]
fn latencies_of_files_are_compared_by_ranks() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, scale: f64| {
        let lines = (0..200).map(|n| format!("{}\n", scale * (1.0 + f64::from(n * 37 % 200) / 200.0)));
        let path = folder.path().join(name);
        fs::write(&path, lines.collect::<String>()).unwrap();
        path.display().to_string()
    };
    let (slow, quick) = (write("slow", 0.2), write("quick", 0.1));
    let arguments = |values, baseline| ["--rule", "mann-whitney", "--values", values, "--baseline-values", baseline];
    assert_eq!(word(&arguments(&slow, &quick)), ("fail", Method::MannWhitney));
    let verdict = judged_by_default(&options(&arguments(&slow, &quick)).unwrap()).unwrap();
    assert_eq!(verdict.rule, "latency worse than the baseline by 20.0 %");
    assert_eq!(word(&arguments(&quick, &slow)).0, "pass");
    fs::write(folder.path().join("bad"), "0.1\nquick\n").unwrap();
    let bad = folder.path().join("bad").display().to_string();
    let error = judged_by_default(&options(&arguments(&bad, &quick)).unwrap()).unwrap_err().to_string();
    assert!(error.contains("bad:2: \"quick\" is no time"), "{error}");
}
