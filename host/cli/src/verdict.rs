//! `autodevops verdict`: how counts are judged, explained. They go the way that a rollout's measurements go.

use std::{collections::BTreeMap, fs, path::Path, process::ExitCode, str::FromStr};

use anyhow::Result;
use autodevops_config::Config;
use autodevops_model::{Measurement, Observation, Outcome, Rate, Window};
use autodevops_pipeline::{
    DESIGN_EFFECT, Decision, ERROR_RATE, HardTrip, LATENCY, Method, Plan, Round, Rule, Sample, Step, Trigger, Verdict,
    judge,
};
use autodevops_policy::{Percent, strict_toml::nearest};
use clap::ValueEnum as _;
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
const METRICS: [&str; 2] = [ERROR_RATE, LATENCY];

/// How much worse than the baseline is allowed where nothing is said: as by the defaults of a rollout.
const WORSE_BY: f64 = 0.2;

/// A number that is not 0 and below this is shown by its digits that count and a power of ten.
const SMALL: f64 = 0.00001;

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
    let plan = known(metric(options), config)?.as_ref().map(Config::plan);
    let verdict = judged(options, plan.as_ref().map(|plan| plan.hard_trip).unwrap_or_default())?;
    let in_a_rollout = in_a_rollout(options, &verdict, plan.as_ref());
    let rule = verdict.method.map_or("none", Method::name);
    if format == Format::Json {
        let numbers = verdict.numbers.iter().map(|(name, number)| (name.as_str(), *number)).collect();
        let (metric, what, words) = (metric(options), verdict.rule.as_str(), verdict.words.as_str());
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
        let number = match number {
            whole if whole.fract() == 0.0 => format!("{whole}"),
            small if small.abs() < SMALL => format!("{small:.5e}"),
            number => format!("{number:.6}"),
        };
        text.push_str(&format!("  {} {number}\n", style.dim(&format!("{name:<18}"))));
    }
    text
}

/// The metric that is named, or that is meant by what was given.
fn metric(options: &VerdictOptions) -> &str {
    let meant = if options.values.is_some() { LATENCY } else { ERROR_RATE };
    options.metric.as_deref().unwrap_or(meant)
}

/// What a rollout asks for beyond what one look at one metric does: one of this project, or one by the defaults where there is none.
fn in_a_rollout(options: &VerdictOptions, verdict: &Verdict, project: Option<&Plan>) -> String {
    let defaults = Plan::defaults("");
    let (plan, whose) = project.map_or((&defaults, "by the defaults"), |plan| (plan, "of this project"));
    if verdict.method == Some(Method::HardTrip) {
        let HardTrip { rate, min_samples } = plan.hard_trip;
        return format!(
            "This needs no second look. A rollout {whose} is turned back at once where {:.1} % or more of at least {min_samples} requests \
             failed.",
            rate * 100.0
        );
    }
    let (tests, decision) = (plan.sequential_tests(), plan.decision);
    if options.rule == VerdictRule::Sprt {
        return match options.tests.unwrap_or(1) == tests {
            true => format!("This is one of the {tests} tests of a rollout {whose}."),
            false => format!(
                "This is one look at one metric. A rollout {whose} shares alpha among {tests} tests: --tests {tests}."
            ),
        };
    }
    let metrics = plan.triggers.iter().filter(|trigger| !trigger.dry_run).count();
    let chance = match decision.window_alpha {
        all if all < 1.0 => format!(
            ", each rarer than {} % shared among {} and {} looks",
            all * 100.0,
            if metrics == 1 { "1 metric".to_owned() } else { format!("up to {metrics} metrics") },
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

/// The verdict, where a rollout would have this hard trip.
fn judged(options: &VerdictOptions, hard_trip: HardTrip) -> Result<Verdict> {
    looked_at(options)?;
    let (rule, decision, percent) = rule(options)?;
    let trigger = Trigger { min_samples: options.min_samples, ..Trigger::new(metric(options), rule) };
    let mut plan = Plan { hard_trip, ..Plan::defaults("") };
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
        metric: metric(options).to_owned(),
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
        chances: options.tests.unwrap_or(1),
    };
    let verdict = judge(&plan, &round).verdicts.into_iter().next();
    Ok(verdict.ok_or_else(|| Usage("nothing was judged; give counts such as 7/120".to_owned()))?)
}

/// Refuses options that the rule does not look at: whoever gives one would take it for regarded.
fn looked_at(options: &VerdictOptions) -> Result<()> {
    use VerdictRule::{MannWhitney, Sprt, TwoProportions, Wilson};
    let given: [(&str, bool, &[VerdictRule]); 5] = [
        ("--threshold", options.threshold.is_some(), &[Wilson, Sprt]),
        ("--worse-by", options.worse_by.is_some(), &[TwoProportions, MannWhitney]),
        ("--alpha", options.alpha.is_some(), &[Sprt]),
        ("--beta", options.beta.is_some(), &[Sprt]),
        ("--tests", options.tests.is_some(), &[Sprt]),
    ];
    let astray = given.into_iter().find(|(_, given, rules)| *given && !rules.contains(&options.rule));
    if let Some((option, _, rules)) = astray {
        let rules: Vec<String> = rules.iter().map(|rule| format!("--rule {}", name(*rule))).collect();
        let rule = name(options.rule);
        let message = format!("{option} is for {}, and `{rule}` does not look at it; leave it out", rules.join(" or "));
        return Err(Usage(message).into());
    }
    if options.values.is_some() && metric(options) == ERROR_RATE {
        let message = format!("`{ERROR_RATE}` is a share, and --values are times; leave --metric out");
        return Err(Usage(message).into());
    }
    Ok(())
}

fn name(rule: VerdictRule) -> String {
    rule.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

/// The rule, how it is decided, and at which step.
fn rule(options: &VerdictOptions) -> Result<(Rule, Decision, u8)> {
    let usage = |message: String| Err(Usage(message).into());
    let worse_by = Rule::WorseBy { ratio: options.worse_by.map_or(WORSE_BY, Percent::ratio), quantile: None };
    let latency = options.values.is_some();
    match options.rule {
        VerdictRule::MannWhitney if !latency => {
            usage("`mann-whitney` compares latencies; give them with --values FILE --baseline-values FILE".to_owned())
        }
        VerdictRule::Wilson | VerdictRule::Sprt | VerdictRule::TwoProportions if latency => {
            usage("--values are latencies; judge them with --rule mann-whitney".to_owned())
        }
        _ if metric(options) == LATENCY && !latency => usage(
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
                let Some(chance) = chance else { continue };
                if chance.value() <= 0.0 || chance.value() >= 50.0 {
                    return usage(format!("{key} {chance} is no chance to be wrong; give more than 0 % and less than 50 %"));
                }
            }
            // One small step and one metric: its share of the chance is what the round gives it.
            let single = Decision::single();
            let decision = Decision {
                sequential_up_to: SMALL_STEP,
                alpha: options.alpha.map_or(single.alpha, Percent::ratio),
                beta: options.beta.map_or(single.beta, Percent::ratio),
                ..single
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
        let metric = metric(options);
        if metric != ERROR_RATE {
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
mod tests;
