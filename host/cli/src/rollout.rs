//! `autodevops rollout plan`: rollouts of this configuration, rehearsed.

use std::{fmt, path::Path, process::ExitCode, str::FromStr, time::Duration};

use anyhow::Result;
use autodevops_config::Config;
use autodevops_pipeline::{ERROR_RATE, Plan, Rule};
use autodevops_policy::{Percent, Span, strict_toml::nearest};
use autodevops_rehearsal::{Behaviour, Clients, Ending, Rehearsal, Traffic, rehearse};
use rayon::prelude::*;
use serde::Serialize;

use crate::{
    arguments::RolloutPlan,
    output::{self, Format, Style, Usage},
    project,
};

/// How many times the first threshold bad releases fail, where none are named: near it, and far beyond.
const BAD: [f64; 4] = [1.6, 2.0, 4.0, 10.0];

/// The most requests a second of clients: each request is drawn by itself.
const MOST_OF_CLIENTS: f64 = 1000.0;

/// Requests a second, written `10/s`, `600/min` or `3600/h`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PerSecond(f64);

impl FromStr for PerSecond {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no rate of requests; write for example 10/s, 600/min or 3600/h");
        let (count, unit) = text.split_once('/').ok_or_else(wrong)?;
        let seconds = match unit.trim() {
            "s" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3600.0,
            _ => return Err(wrong()),
        };
        let count: f64 = count.trim().parse().map_err(|_| wrong())?;
        // Beyond this a rehearsal says nothing more: everything is decided at the first look.
        if !(0.0..=1e6).contains(&count) {
            return Err(wrong());
        }
        Ok(Self(count / seconds))
    }
}

impl fmt::Display for PerSecond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", (self.0 * 1000.0).round() / 1000.0)
    }
}

/// What is rehearsed in one line.
struct Scene {
    traffic: PerSecond,
    metric: String,
    share: f64,
    is_good: bool,
    candidate: Behaviour,
}

/// What came of all rehearsals of a scene.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Line {
    requests_per_second: f64,
    metric: String,
    share: f64,
    /// Whether the release is one that should be promoted.
    good: bool,
    promoted: f64,
    turned_back: f64,
    person_asked: f64,
    /// A good release that was turned back, or a bad one that was promoted.
    wrong: f64,
    /// The time of half of all rehearsals to the first verdict that passed, or to the failure that turned the release back or held it, for
    /// each step and the monitoring, in seconds; none where half had none.
    seconds_to_decide: Vec<Option<f64>>,
    /// Failed requests of the candidate before it was turned back: of half of all rehearsals, and of 95 in 100.
    failed_before_rollback: Option<[u64; 2]>,
    /// How long half of the rollouts took, in seconds.
    seconds: f64,
}

/// Rehearses rollouts and shows what came of them.
///
/// # Errors
/// Wrong usage or configuration.
pub fn plan(options: &RolloutPlan, config: Option<&Path>, format: Format) -> Result<ExitCode> {
    if !(options.slowness > 0.0 && options.slowness <= 1000.0) {
        return Err(
            Usage(format!("--slowness {} is no factor; give one above 0, such as 1.5", options.slowness)).into()
        );
    }
    if let Some(traffic) = options.traffic.iter().find(|rate| options.clients.is_some() && rate.0 > MOST_OF_CLIENTS) {
        let message =
            format!("--traffic {traffic} is too much to rehearse by --clients; give {MOST_OF_CLIENTS}/s at most");
        return Err(Usage(message).into());
    }
    let config = Config::load(&project::file(config)?)?;
    let plan = rehearsed(&config);
    let mut lines = Vec::new();
    for scene in scenes(options, &plan)? {
        lines.push(line(&plan, &scene, options)?);
    }
    if format == Format::Json {
        output::json(&lines)?;
    } else {
        let elsewhere = (!config.stages.has_front_door()).then_some(config.stages.deploy_target.as_str());
        output::text(&table(Style::stdout(), &plan, &lines, options, elsewhere))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The plan as it can be kept: without a front door there is nothing to glance at.
fn rehearsed(config: &Config) -> Plan {
    let mut plan = config.plan();
    if !config.stages.has_front_door() {
        plan.glance = Duration::ZERO;
    }
    plan
}

/// The rates that have a threshold.
fn limits(plan: &Plan) -> Vec<(&str, f64)> {
    let limit = |trigger: &autodevops_pipeline::Trigger| match trigger.rule {
        Rule::RateAbove(limit) => Some(limit),
        _ => None,
    };
    let deciding = plan.triggers.iter().filter(|trigger| !trigger.dry_run);
    deciding.filter_map(|trigger| Some((trigger.metric.as_str(), limit(trigger)?))).collect()
}

fn scenes(options: &RolloutPlan, plan: &Plan) -> Result<Vec<Scene>> {
    let good = Behaviour { slowness: options.slowness, ..Behaviour::good(plan) };
    let limits = limits(plan);
    let mut releases: Vec<(String, f64, bool)> = Vec::new();
    for named in &options.metric_rate {
        let (metric, share) = named_rate(named, &good)?;
        let limit = limits.iter().find(|(name, _)| *name == metric).map_or(1.0, |(_, limit)| *limit);
        releases.push((metric, share, share <= limit));
    }
    if releases.is_empty() {
        match limits.first() {
            Some((metric, limit)) => {
                releases.push(((*metric).to_owned(), 0.4 * limit, true));
                releases.extend(BAD.iter().map(|factor| ((*metric).to_owned(), (factor * limit).min(1.0), false)));
            }
            None => releases.push(("latency".to_owned(), 0.0, true)),
        }
    }
    let scene = |traffic: &PerSecond, (metric, share, is_good): &(String, f64, bool)| Scene {
        traffic: *traffic,
        metric: metric.clone(),
        share: *share,
        is_good: *is_good && good.is_quick_enough(plan),
        candidate: good.clone().with(metric, *share),
    };
    let scenes: Vec<Scene> = options
        .traffic
        .iter()
        .flat_map(|traffic| releases.iter().map(move |release| scene(traffic, release)))
        .collect();
    let stable = Behaviour::good(plan);
    fits("the stable release's", &stable, options)?;
    scenes.iter().try_for_each(|scene| fits("the true", &scene.candidate, options))?;
    Ok(scenes)
}

fn named_rate(named: &str, good: &Behaviour) -> Result<(String, f64)> {
    let wrong = |why: &str| Usage(format!("--metric-rate {named:?}: {why}; write for example \"error-rate=10 %\""));
    let (metric, share) = named.split_once('=').ok_or_else(|| wrong("there is no `=`"))?;
    let share: Percent = share.parse().map_err(|error: autodevops_policy::QuantityError| wrong(&error.to_string()))?;
    if !good.rates.contains_key(metric) {
        let known = good.rates.keys().map(String::as_str);
        let hint = match nearest(metric, known.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known are {}", known.collect::<Vec<_>>().join(", ")),
        };
        return Err(Usage(format!("no trigger holds a rate `{metric}` against a threshold; {hint}")).into());
    }
    Ok((metric.to_owned(), share.ratio()))
}

fn line(plan: &Plan, scene: &Scene, options: &RolloutPlan) -> Result<Line> {
    let failing = failing(options);
    let (candidate, stable) = (beside(failing, scene.candidate.clone()), beside(failing, Behaviour::good(plan)));
    let slow = options.slow_clients.map_or(0.0, Percent::ratio);
    let clients = options.clients.map(|number| Clients { number: number as usize, failing, slow });
    let traffic = Traffic { per_second: scene.traffic.0, candidate, stable, clients };
    let seeds = (0..options.rehearsals).into_par_iter().map(|n| options.seed.wrapping_add(u64::from(n)));
    let rehearsals: Vec<Rehearsal> = seeds.map(|seed| rehearse(plan, &traffic, seed)).collect::<Result<_, _>>()?;
    let share = |wanted: fn(&Ending) -> bool| {
        let count = rehearsals.iter().filter(|rehearsal| wanted(&rehearsal.ending)).count();
        count as f64 / rehearsals.len().max(1) as f64
    };
    let promoted = share(|ending| *ending == Ending::Promoted);
    let turned_back = share(|ending| matches!(ending, Ending::TurnedBack { .. }));
    let watches = plan.steps.len() + 1;
    let decide = |index: usize| {
        let all = rehearsals.iter().filter_map(|rehearsal| rehearsal.steps.get(index));
        let decided: Vec<Option<Duration>> = all.map(|step| step.decided).collect();
        let mut seconds: Vec<f64> =
            decided.iter().map(|decided| decided.map_or(f64::INFINITY, |decided| decided.as_secs_f64())).collect();
        nth(&mut seconds, 0.5).filter(|seconds| seconds.is_finite())
    };
    let back = rehearsals.iter().filter(|rehearsal| matches!(rehearsal.ending, Ending::TurnedBack { .. }));
    let mut failed: Vec<f64> = back.map(|rehearsal| rehearsal.failed as f64).collect();
    let failed_before_rollback =
        nth(&mut failed, 0.5).zip(nth(&mut failed, 0.95)).map(|(half, most)| [half as u64, most as u64]);
    let mut lasted: Vec<f64> = rehearsals.iter().map(|rehearsal| rehearsal.lasted.as_secs_f64()).collect();
    Ok(Line {
        requests_per_second: scene.traffic.0,
        metric: scene.metric.clone(),
        share: scene.share,
        good: scene.is_good,
        promoted,
        turned_back,
        person_asked: share(|ending| matches!(ending, Ending::Held { .. })),
        wrong: if scene.is_good { turned_back } else { promoted },
        seconds_to_decide: (0..watches).map(decide).collect(),
        failed_before_rollback,
        seconds: nth(&mut lasted, 0.5).unwrap_or(0.0),
    })
}

/// The share of clients who see nothing but errors.
fn failing(options: &RolloutPlan) -> f64 {
    options.failing_clients.map_or(0.0, Percent::ratio)
}

/// Refuses more clients who see nothing but errors than a release's rate of errors leaves room for: they are a part of it.
fn fits(whose: &str, release: &Behaviour, options: &RolloutPlan) -> Result<()> {
    let share = release.rates.get(ERROR_RATE).copied().unwrap_or(1.0);
    match options.failing_clients {
        // A threshold's 0.4 is not exact.
        Some(failing) if failing.ratio() > share + 1e-9 => Err(Usage(format!(
            "--failing-clients {failing} are more than {whose} error-rate of {:.1} %, of which they are a part; give at most that",
            share * 100.0
        ))
        .into()),
        _ => Ok(()),
    }
}

/// How a release behaves to all but the clients who see nothing but errors, of which its rate of errors has those, too.
fn beside(failing: f64, release: Behaviour) -> Behaviour {
    match release.rates.get(ERROR_RATE) {
        Some(share) if failing > 0.0 => {
            let others = ((share - failing) / (1.0 - failing)).max(0.0);
            release.with(ERROR_RATE, others)
        }
        _ => release,
    }
}

/// The value that a share of all is at most; sorts them.
fn nth(values: &mut [f64], share: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let index = (values.len() as f64 * share) as usize;
    values.get(index.min(values.len().saturating_sub(1))).copied()
}

fn table(style: Style, plan: &Plan, lines: &[Line], options: &RolloutPlan, elsewhere: Option<&str>) -> String {
    let steps: Vec<String> = plan.steps.iter().map(|step| format!("{} %", step.percent)).collect();
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let span = |seconds: f64| Span(Duration::from_secs(seconds.round() as u64)).to_string();
    let together = match plan.services.as_slice() {
        [_] => String::new(),
        services => {
            let names: Vec<&str> = services.iter().map(|service| service.name.as_str()).collect();
            let (first, all) = (names.first().copied().unwrap_or_default(), names.join(", "));
            format!(
                "; {all} are promoted together, each with traffic of its own: the rate is {first}'s, the others are good"
            )
        }
    };
    let clients = options.clients.map(|clients| format!("; {clients} clients, who stay with a release"));
    let failing = options.failing_clients.map(|share| format!(", {share} of whom see nothing but errors"));
    let slow = options.slow_clients.map(|share| format!(", {share} of whom wait three seconds each time"));
    let clients: String = [clients, failing, slow].into_iter().flatten().collect();
    let glances = match (elsewhere, plan.glance) {
        (Some(target), _) => {
            format!(
                "no glances: `{target}` has no front door of this host; health checks are taken to measure all there is"
            )
        }
        (None, Duration::ZERO) => "no glances".to_owned(),
        (None, glance) => format!("glances every {}", Span(glance)),
    };
    let mut text = format!(
        "{} rehearsals a line, seed {}; the stable release is good: each rate at 0.4 of its threshold{together}{clients}; {glances}\n\n",
        options.rehearsals, options.seed,
    );
    let mut head = format!(
        "{:>9}  {:<22} {:>8} {:>11} {:>8} {:>8} ",
        "traffic", "true rate", "promoted", "turned back", "a person", "wrong"
    );
    for step in steps.iter().map(String::as_str).chain(["monitor"]) {
        head.push_str(&format!(" {step:>7}"));
    }
    text.push_str(&style.bold(&format!("{head}  failed requests\n")));
    for line in lines {
        let rate = format!("{} {}", output::cut(&line.metric, 14), percent(line.share));
        text.push_str(&format!(
            "{:>9}  {rate:<22} {:>8} {:>11} {:>8} {:>8} ",
            PerSecond(line.requests_per_second).to_string(),
            percent(line.promoted),
            percent(line.turned_back),
            percent(line.person_asked),
            percent(line.wrong),
        ));
        for decided in &line.seconds_to_decide {
            text.push_str(&format!(" {:>7}", decided.map_or_else(|| "–".to_owned(), span)));
        }
        let seen =
            line.failed_before_rollback.map_or_else(|| "–".to_owned(), |[half, most]| format!("{half} ({most})"));
        text.push_str(&format!("  {seen}\n"));
    }
    text.push_str(
        "\npromoted, turned back, a person: how many rollouts ended so. wrong: a good release that was turned back, or a bad one that \
         was promoted.\nUnder each step and the monitoring: how long half of the rollouts took to decide it (it holds its time all the same). failed \
         requests:\nthose of the candidate before it was turned back, of half of the rollouts (and of 95 in 100). So many clients saw one at \
         most.\n",
    );
    // The rule of three (Hanley & Lippman-Hand, JAMA 1983).
    let at_most = percent((3.0 / options.rehearsals as f64).min(1.0));
    text.push_str(&format!(
        "Of {} rehearsals, 0.0 % is {at_most} at most, with 95 % confidence; more `--rehearsals` tell more.\n",
        options.rehearsals
    ));
    text
}

#[cfg(test)]
mod tests {
    use autodevops_pipeline::Trigger;

    use super::*;

    #[test]
    fn rates_of_requests_have_a_unit() {
        let per_second = |text: &str| text.parse::<PerSecond>().map(|rate| rate.0);
        assert_eq!((per_second("10/s"), per_second("600/min"), per_second("36/h")), (Ok(10.0), Ok(10.0), Ok(0.01)));
        for wrong in ["10", "10/y", "x/s", "-1/s", "NaN/s", "1e9/s"] {
            assert!(per_second(wrong).unwrap_err().contains("10/s"), "{wrong}");
        }
    }

    fn options(rates: &[&str]) -> RolloutPlan {
        RolloutPlan {
            traffic: vec![PerSecond(20.0)],
            metric_rate: rates.iter().map(|rate| (*rate).to_owned()).collect(),
            slowness: 1.0,
            clients: None,
            failing_clients: None,
            slow_clients: None,
            rehearsals: 20,
            seed: 7,
        }
    }

    #[test]
    fn a_good_release_is_promoted_and_a_bad_one_is_not_and_the_table_says_so() {
        let plan = Plan::defaults("shop");
        let options = options(&["error-rate=2 %", "error-rate=20 %"]);
        let scenes = scenes(&options, &plan).unwrap();
        let lines: Vec<Line> = scenes.iter().map(|scene| line(&plan, scene, &options).unwrap()).collect();
        let [good, bad] = lines.as_slice() else { panic!() };
        assert!(good.good && good.promoted == 1.0 && good.wrong == 0.0 && good.failed_before_rollback.is_none());
        assert!(!bad.good && bad.turned_back == 1.0 && bad.wrong == 0.0);
        assert!(bad.failed_before_rollback.unwrap()[0] > 0 && bad.seconds_to_decide[1].is_none());
        let text = table(Style::stdout(), &plan, &lines, &options, None);
        assert!(
            text.contains(" monitor  failed requests\n") && text.contains("So many clients saw one at most."),
            "{text}"
        );
        assert!(text.contains("error-rate 20.0 %") && text.contains("100.0 %"), "{text}");
        assert!(text.ends_with(
            "Of 20 rehearsals, 0.0 % is 15.0 % at most, with 95 % confidence; more `--rehearsals` tell more.\n"
        ));
    }

    #[test]
    fn clients_of_whom_some_see_nothing_but_errors_are_part_of_the_true_rate() {
        let plan = Plan::defaults("shop");
        let mut options = options(&["error-rate=2 %", "error-rate=20 %"]);
        options.clients = Some(200);
        options.failing_clients = Some("2 %".parse().unwrap());
        options.slow_clients = Some("1 %".parse().unwrap());
        let scenes = scenes(&options, &plan).unwrap();
        let lines: Vec<Line> = scenes.iter().map(|scene| line(&plan, scene, &options).unwrap()).collect();
        assert!(lines[0].wrong == 0.0 && lines[1].turned_back == 1.0);
        let text = table(Style::stdout(), &plan, &lines, &options, None);
        let (first, _) = text.split_once('\n').unwrap();
        assert!(
            first.contains(
                "; 200 clients, who stay with a release, 2 % of whom see nothing but errors, 1 % of whom wait three seconds each time; "
            ),
            "{first}"
        );
        let rate = |share: f64, failing: f64| {
            beside(failing, Behaviour::good(&plan).with(ERROR_RATE, share)).rates[ERROR_RATE]
        };
        assert_eq!((rate(0.02, 0.0), rate(0.02, 0.02)), (0.02, 0.0));
        assert!((rate(0.2, 0.02) * 0.98 + 0.02 - 0.2).abs() < 1e-12);
    }

    #[test]
    fn more_failing_clients_than_the_true_rate_has_room_for_are_refused() {
        let plan = Plan::defaults("shop");
        let refused = |rates: &[&str], share: &str| {
            let failing_clients = Some(share.parse().unwrap());
            let options = RolloutPlan { clients: Some(50), failing_clients, ..options(rates) };
            scenes(&options, &plan).err().map(|error| error.to_string())
        };
        assert_eq!(refused(&["error-rate=8 %"], "2 %"), None);
        assert_eq!(
            refused(&["error-rate=1 %"], "2 %").unwrap(),
            "--failing-clients 2 % are more than the true error-rate of 1.0 %, of which they are a part; give at most that"
        );
        assert!(refused(&[], "50 %").unwrap().contains("more than the stable release's error-rate of 2.0 %"));
    }

    #[test]
    fn a_release_is_as_good_as_the_triggers_of_latency_that_decide_allow() {
        let good = |slowness: f64, plan: &Plan| {
            let options = RolloutPlan { slowness, ..options(&["error-rate=2 %"]) };
            scenes(&options, plan).unwrap()[0].is_good
        };
        let mut plan = Plan::defaults("shop");
        // By the defaults by a fifth.
        assert!(good(1.1, &plan) && good(1.2, &plan) && !good(1.3, &plan));
        for trigger in &mut plan.triggers {
            trigger.dry_run = matches!(trigger.rule, Rule::WorseBy { .. });
        }
        assert!(good(5.0, &plan), "slowness is no fault where nothing decides by it");
        plan.triggers.push(Trigger::new("latency", Rule::QuantileAbove { quantile: 0.95, seconds: 1.0 }));
        assert!(good(2.0, &plan) && !good(5.0, &plan));
    }

    #[test]
    fn without_named_rates_good_and_bad_ones_are_rehearsed() {
        let scenes = scenes(&options(&[]), &Plan::defaults("shop")).unwrap();
        let shares: Vec<_> = scenes.iter().map(|scene| ((scene.share * 1000.0).round(), scene.is_good)).collect();
        assert_eq!(shares, [(20.0, true), (80.0, false), (100.0, false), (200.0, false), (500.0, false)]);
    }

    #[test]
    fn a_rate_that_no_trigger_knows_is_refused() {
        let wrong = |rate: &str| scenes(&options(&[rate]), &Plan::defaults("shop")).err().unwrap().to_string();
        assert!(wrong("eror-rate=2 %").contains("did you mean `error-rate`?"));
        assert!(wrong("error-rate").contains("no `=`"));
        assert!(wrong("error-rate=2").contains("no unit"));
    }
}
