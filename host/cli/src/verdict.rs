//! `autodevops verdict`: how counts are judged, explained. They go the way that a rollout's measurements go.

use std::{collections::BTreeMap, fs, path::Path, process::ExitCode, str::FromStr};

use anyhow::Result;
use autodevops_config::Config;
use autodevops_model::{Measurement, Observation, Outcome, Rate, Window};
use autodevops_pipeline::{
    DESIGN_EFFECT, Decision, ERROR_RATE, Method, Plan, Round, Rule, Sample, Step, Trigger, Verdict, judge,
};
use autodevops_policy::strict_toml::nearest;
use serde::Serialize;

use crate::{
    arguments::{VerdictOptions, VerdictRule},
    exit,
    output::{self, Format, Style, Usage},
    project,
};

/// The step that sequential tests are explained at.
const SMALL_STEP: u8 = 5;

/// Metrics that are known without any configuration.
const METRICS: [&str; 2] = [ERROR_RATE, "latency"];

/// Events out of a total, as `7/120`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    events: u64,
    total: u64,
}

impl FromStr for Counts {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let count = |text: &str| text.trim().parse::<u64>().ok();
        let parts = text.split_once('/').and_then(|(events, total)| Some((count(events)?, count(total)?)));
        let Some((events, total)) = parts else {
            return Err(format!("{text:?} is no count; write how many of how many, such as 7/120"));
        };
        if events > total {
            return Err(format!(
                "{events} of {total} are more than there were; write how many of how many, such as 7/120"
            ));
        }
        Ok(Self { events, total })
    }
}

/// What is shown.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Explained<'a> {
    verdict: &'static str,
    rule: &'static str,
    metric: &'a str,
    what: &'a str,
    words: &'a str,
    numbers: BTreeMap<&'a str, f64>,
    in_a_rollout: &'a str,
}

/// Judges the counts and says why.
///
/// # Errors
/// Wrong usage.
pub fn run(options: &VerdictOptions, config: Option<&Path>, format: Format) -> Result<ExitCode> {
    let settings = known(&options.metric, config)?;
    let in_a_rollout = in_a_rollout(options, settings.as_ref().map(Config::plan).as_ref());
    let verdict = judged(options)?;
    let rule = verdict.method.map_or("none", Method::name);
    if format == Format::Json {
        let numbers = verdict.numbers.iter().map(|(name, number)| (name.as_str(), *number)).collect();
        let (metric, what, words) = (options.metric.as_str(), verdict.rule.as_str(), verdict.words.as_str());
        let (verdict, in_a_rollout) = (verdict.word(), in_a_rollout.as_str());
        output::json(&Explained { verdict, rule, metric, what, words, numbers, in_a_rollout })?;
    } else {
        output::text(&format!("{}{in_a_rollout}\n", shown(Style::stdout(), &verdict, rule)))?;
    }
    Ok(match verdict.outcome {
        Outcome::Failed if options.exit_code => ExitCode::FAILURE,
        Outcome::Inconclusive if options.exit_code => ExitCode::from(exit::WAITING),
        _ => ExitCode::SUCCESS,
    })
}

fn shown(style: Style, verdict: &Verdict, rule: &str) -> String {
    let word = match verdict.outcome {
        Outcome::Passed => style.good(verdict.word()),
        Outcome::Failed => style.bad(verdict.word()),
        Outcome::Inconclusive => style.bold(verdict.word()),
    };
    let mut text = format!("{word} by {rule}: {}\n{}\n", verdict.rule, verdict.words);
    for (name, number) in &verdict.numbers {
        // Counts are whole; what is small keeps the digits that count.
        let number = if number.fract() == 0.0 { format!("{number}") } else { format!("{number:.6}") };
        text.push_str(&format!("  {} {number}\n", style.dim(&format!("{name:<18}"))));
    }
    text
}

/// What a rollout asks for beyond what one look at one metric does: one of this project, or one by the defaults where there is none.
fn in_a_rollout(options: &VerdictOptions, project: Option<&Plan>) -> String {
    let defaults = Plan::defaults("");
    let (plan, whose) = project.map_or((&defaults, "by the defaults"), |plan| (plan, "of this project"));
    let (tests, decision) = (plan.sequential_tests(), plan.decision);
    if options.rule == VerdictRule::Sprt {
        return match options.tests == tests {
            true => format!("This is one of the {tests} tests of a rollout {whose}."),
            false => format!(
                "This is one look at one metric. A rollout {whose} shares alpha among {tests} tests: --tests {tests}."
            ),
        };
    }
    let metrics = plan.triggers.iter().filter(|trigger| !trigger.dry_run).count();
    let chance = match decision.window_alpha {
        all if all < 1.0 => format!(
            ", each rarer than {} % shared among up to {metrics} metrics and {} looks",
            all * 100.0,
            plan.looks()
        ),
        _ => String::new(),
    };
    format!(
        "This is one look at one metric. A rollout {whose} is turned back by {} bad windows in a row{chance}.",
        decision.bad_windows
    )
}

/// Refuses a metric that is misspelt, as far as that can be known: by the project's configuration, where there is one, which is returned.
fn known(metric: &str, config: Option<&Path>) -> Result<Option<Config>> {
    let named = config.is_some();
    let settings = project::file(config).and_then(|file| Ok(Config::load(&file)?));
    let settings = if named { Some(settings?) } else { settings.ok() };
    let custom = settings.iter().flat_map(|settings| &settings.rollout.custom_metrics).map(String::as_str);
    let known: Vec<&str> = METRICS.into_iter().chain(custom).collect();
    if known.contains(&metric) {
        return Ok(settings);
    }
    let near = nearest(metric, known.iter().copied());
    let hint = match (near, &settings) {
        (Some(near), _) => format!("did you mean `{near}`?"),
        (None, Some(_)) => format!("known are {}; name others in [rollout] `custom-metrics`", known.join(", ")),
        // Without a configuration any other name is as good as another.
        (None, None) => return Ok(None),
    };
    Err(Usage(format!("unknown metric `{metric}`; {hint}")).into())
}

fn judged(options: &VerdictOptions) -> Result<Verdict> {
    let (rule, decision, percent) = rule(options)?;
    let trigger = Trigger { min_samples: options.min_samples, ..Trigger::new(options.metric.clone(), rule) };
    let mut plan = Plan::defaults("");
    plan.steps = [SMALL_STEP, 100].map(|percent| Step { percent, duration: trigger.window }).to_vec();
    if matches!(trigger.rule, Rule::RateAbove(limit) if limit >= plan.hard_trip.rate) {
        // A rollout that allows so many has its hard trip above that.
        plan.hard_trip.min_samples = u64::MAX;
    }
    // One look has no window before it.
    (plan.triggers, plan.decision) = (vec![trigger], Decision { bad_windows: 0, ..decision });
    let whole = Window { start: 0, end: 1 };
    let (candidate, baseline) = observed(options)?;
    let measurement = |release: &str, observation| Measurement {
        metric: options.metric.clone(),
        unit: "seconds".to_owned(),
        release: release.to_owned(),
        observation,
        window: whole.clone(),
    };
    let has_baseline = baseline.is_some();
    let effects = design_effects(options)?.into_iter().map(|(release, effect)| Measurement {
        metric: DESIGN_EFFECT.to_owned(),
        ..measurement(release, Observation::Samples(vec![effect]))
    });
    let measurements = std::iter::once(measurement("candidate", candidate))
        .chain(baseline.map(|baseline| measurement("baseline", baseline)))
        .chain(effects)
        .collect();
    let samples = [Sample {
        service: String::new(),
        source: "the command line".to_owned(),
        origin: autodevops_pipeline::Origin::default(),
        observed_by_host: true,
        window: whole.clone(),
        measurements,
    }];
    let round = Round {
        samples: &samples,
        candidate: "candidate",
        baseline: has_baseline.then_some("baseline"),
        fresh: false,
        before: &[],
        strikes: &[],
        whole: &whole,
        independent: true,
        percent,
        chances: options.tests,
    };
    let verdict = judge(&plan, &round).verdicts.into_iter().next();
    Ok(verdict.ok_or_else(|| Usage("nothing was judged; give counts such as 7/120".to_owned()))?)
}

/// The rule, how it is decided, and at which step.
fn rule(options: &VerdictOptions) -> Result<(Rule, Decision, u8)> {
    let usage = |message: String| Err(Usage(message).into());
    let worse_by = Rule::WorseBy { ratio: options.worse_by.ratio(), quantile: None };
    let latency = options.values.is_some();
    match options.rule {
        VerdictRule::MannWhitney if !latency => {
            usage("`mann-whitney` compares latencies; give them with --values FILE --baseline-values FILE".to_owned())
        }
        VerdictRule::Wilson | VerdictRule::Sprt | VerdictRule::TwoProportions if latency => {
            usage("--values are latencies; judge them with --rule mann-whitney".to_owned())
        }
        _ if options.metric == "latency" && !latency => usage(
            "`latency` is a time, no count; give latencies with --values FILE --baseline-values FILE --rule mann-whitney"
                .to_owned(),
        ),
        VerdictRule::MannWhitney => Ok((worse_by, Decision::single(), 100)),
        VerdictRule::TwoProportions if options.baseline.is_none() => {
            usage("`two-proportions` compares with a baseline; give it with --baseline, such as --baseline 3/1000".to_owned())
        }
        VerdictRule::TwoProportions => Ok((worse_by, Decision::single(), 100)),
        VerdictRule::Wilson | VerdictRule::Sprt => {
            let Some(threshold) = options.threshold else {
                return usage("what must it not be above? Give it with --threshold, such as --threshold \"5 %\"".to_owned());
            };
            if threshold.value() <= 0.0 || threshold.value() >= 100.0 {
                return usage(format!("a threshold of {threshold} decides nothing; give one between 0 % and 100 %"));
            }
            let rule = Rule::RateAbove(threshold.ratio());
            if options.rule == VerdictRule::Wilson {
                return Ok((rule, Decision::single(), 100));
            }
            for (key, chance) in [("--alpha", options.alpha), ("--beta", options.beta)] {
                if chance.value() <= 0.0 || chance.value() >= 50.0 {
                    return usage(format!("{key} {chance} is no chance to be wrong; give more than 0 % and less than 50 %"));
                }
            }
            // One small step and one metric: its share of the chance is what the round gives it.
            let decision = Decision {
                sequential_up_to: SMALL_STEP,
                alpha: options.alpha.ratio(),
                beta: options.beta.ratio(),
                ..Decision::single()
            };
            Ok((rule, decision, SMALL_STEP))
        }
    }
}

/// What was seen of the candidate, and of the baseline.
fn observed(options: &VerdictOptions) -> Result<(Observation, Option<Observation>)> {
    if let (Some(values), Some(baseline)) = (&options.values, &options.baseline_values) {
        return Ok((latencies(values)?, Some(latencies(baseline)?)));
    }
    let rate = |Counts { events, total }| Observation::Rate(Rate { events, total });
    let seen = options.seen.ok_or_else(|| Usage("give what was seen, such as 7/120".to_owned()))?;
    Ok((rate(seen), options.baseline.map(rate)))
}

/// The design effects that were given, each with whose it is.
fn design_effects(options: &VerdictOptions) -> Result<Vec<(&'static str, f64)>> {
    let given = [
        ("candidate", "--design-effect", options.design_effect),
        ("baseline", "--baseline-design-effect", options.baseline_design_effect),
    ];
    let mut effects = Vec::new();
    for (release, option, effect) in given {
        let Some(effect) = effect else { continue };
        if options.metric != ERROR_RATE {
            let metric = &options.metric;
            return Err(Usage(format!(
                "{option} is of `{ERROR_RATE}` alone; nobody knows whose the requests of `{metric}` are"
            ))
            .into());
        }
        if !(effect.is_finite() && effect >= 1.0) {
            return Err(Usage(format!("{option} {effect} is no design effect; give 1 or more, such as 3.1")).into());
        }
        effects.push((release, effect));
    }
    Ok(effects)
}

fn latencies(file: &Path) -> Result<Observation> {
    let text = fs::read_to_string(file)
        .map_err(|error| Usage(format!("{} cannot be read: {error}; name a file with numbers", file.display())))?;
    let mut values = Vec::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let value = line.trim().parse::<f64>().ok().filter(|value| value.is_finite() && *value >= 0.0);
        values.push(value.ok_or_else(|| {
            let (file, line) = (file.display(), output::cut(line, 40));
            Usage(format!(
                "{file}:{}: {line:?} is no time in seconds; write one number a line, such as 0.25",
                index + 1
            ))
        })?);
    }
    Ok(Observation::Samples(values))
}

#[cfg(test)]
mod tests {
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

    fn word(arguments: &[&str]) -> (&'static str, Method) {
        let verdict = judged(&options(arguments).unwrap()).unwrap();
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
        let words = judged(&options(&clumped).unwrap()).unwrap().words;
        assert!(words.starts_with("90 of 900 requests failed, in clumps by client (design effect 30.00)"), "{words}");
        let compared = ["--rule", "two-proportions", "60/1000", "--baseline", "20/1000"];
        assert_eq!(word(&compared).0, "fail");
        let of_baseline: Vec<_> = compared.into_iter().chain(["--baseline-design-effect", "30"]).collect();
        assert_eq!(word(&of_baseline).0, "inconclusive");
        for (wrong, why) in [
            (&["--threshold", "5 %", "--design-effect", "0.9", "7/120"][..], "give 1 or more"),
            (&["--threshold", "5 %", "--design-effect", "NaN", "7/120"], "give 1 or more"),
            (
                &["--metric", "carts-lost", "--threshold", "5 %", "--design-effect", "3", "7/120"],
                "of `error-rate` alone",
            ),
        ] {
            let error = judged(&options(wrong).unwrap()).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
        assert!(options(&["--threshold", "5 %", "--baseline-design-effect", "3", "7/120"]).is_err());
    }

    #[test]
    fn what_a_rollout_asks_for_beyond_one_look_is_told() {
        let said = |arguments: &[&str], plan: Option<&Plan>| in_a_rollout(&options(arguments).unwrap(), plan);
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
        let verdict = judged(&options(&two).unwrap()).unwrap();
        assert!(verdict.words.ends_with("at or above 6.86 = ln(95.0 %/(0.20 %/2)): it fails"), "{}", verdict.words);
        assert!(!verdict.words.contains("bad window"));
    }

    #[test]
    fn what_is_no_count_is_told() {
        for (text, words) in
            [("7", "no count"), ("7/", "no count"), ("-1/5", "no count"), ("7/5", "more than there were")]
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
            let error = judged(&options(arguments).unwrap()).unwrap_err();
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
        let arguments = |values, baseline| {
            ["--metric", "latency", "--rule", "mann-whitney", "--values", values, "--baseline-values", baseline]
        };
        assert_eq!(word(&arguments(&slow, &quick)), ("fail", Method::MannWhitney));
        assert_eq!(word(&arguments(&quick, &slow)).0, "pass");
        fs::write(folder.path().join("bad"), "0.1\nquick\n").unwrap();
        let bad = folder.path().join("bad").display().to_string();
        let error = judged(&options(&arguments(&bad, &quick)).unwrap()).unwrap_err().to_string();
        assert!(error.contains("bad:2: \"quick\" is no time"), "{error}");
    }
}
