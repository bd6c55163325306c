//! `autodevops metrics`: the deployment record.

use std::{collections::BTreeSet, path::Path, process::ExitCode, time::Duration};

use anyhow::{Result, bail};
use autodevops_orchestrator::clock::now;
use autodevops_pipeline::Timestamp;
use autodevops_policy::strict_toml::nearest;
use autodevops_record::{Attempt, Change, Group, Question, Report, Satisfaction, Share, Spread, exposition, report};

use crate::{
    arguments::Metrics,
    draw::{greatest, percent, seconds, sparkline},
    moment::moment,
    output::{self, Format, Style, Usage},
    project,
    runs::day,
};

const DAY_SECONDS: f64 = 86_400.0;

/// `autodevops metrics`.
pub fn run(options: &Metrics, config: Option<&Path>, format: Format) -> Result<ExitCode> {
    let project = project::open(config)?;
    let now = now();
    let until = options.until.as_deref().map(|text| moment(text, now)).transpose()?.unwrap_or(now);
    let since = options.since.as_deref().map(|text| moment(text, now)).transpose()?;
    if since.is_some_and(|since| since >= until) {
        bail!(Usage("--since is not before --until; nothing lies between them".to_owned()));
    }
    if options.prometheus && format == Format::Json {
        bail!(Usage("--prometheus is a format of its own; leave out `--format json`".to_owned()));
    }
    let (attempts, complaints) = (project.records.attempts()?, project.records.complaints()?);
    if options.prometheus {
        output::text(&exposition(&attempts, &complaints))?;
        return Ok(ExitCode::SUCCESS);
    }
    let environments = project.config.environments.keys().map(String::as_str);
    one_of("environment", options.environment.as_deref(), environments, &attempts, |attempt| &attempt.environment)?;
    let services = project.config.services().iter().map(|service| service.name.as_str());
    one_of("service", options.service.as_deref(), services, &attempts, |attempt| &attempt.service)?;
    let question =
        Question { service: options.service.clone(), environment: options.environment.clone(), since, until };
    let report = report(&attempts, &complaints, &question);
    match format {
        Format::Json => output::json(&report)?,
        Format::Text if report.groups.is_empty() => output::text(&nothing(options))?,
        Format::Text => output::text(&text(&report, Style::stdout()))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Refuses a name that neither the configuration nor the record has: an empty answer would look like a quiet month.
fn one_of<'a>(
    what: &str,
    wanted: Option<&str>,
    configured: impl Iterator<Item = &'a str>,
    attempts: &'a [Attempt],
    of: fn(&Attempt) -> &String,
) -> Result<()> {
    let Some(wanted) = wanted else { return Ok(()) };
    let known: BTreeSet<&str> = configured.chain(attempts.iter().map(|attempt| of(attempt).as_str())).collect();
    if known.contains(wanted) {
        return Ok(());
    }
    let hint = match nearest(wanted, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known are {}", known.into_iter().collect::<Vec<_>>().join(", ")),
    };
    bail!(Usage(format!("there is no {what} `{wanted}`; {hint}")))
}

/// That there is nothing to tell of, with what to do about it by the times that were asked for.
fn nothing(options: &Metrics) -> String {
    let (when, way) = match (options.since.as_deref(), options.until.as_deref()) {
        (None, None) => (" yet".to_owned(), ""),
        (Some(since), None) => (format!(" since {since}"), "name an earlier --since, or "),
        (None, Some(until)) => (format!(" until {until}"), "name a later --until, or "),
        (Some(since), Some(until)) => {
            (format!(" from {since} to {until}"), "name an earlier --since or a later --until, or ")
        }
    };
    format!("no deploys{}; {way}see `autodevops runs`\n", output::cut(&when, 120))
}

fn text(report: &Report, style: Style) -> String {
    let span = format!("{} to {}", day(report.since), day(report.until));
    let length = Duration::from_nanos(u64::try_from(report.until.0.saturating_sub(report.since.0)).unwrap_or(0));
    let mut text = String::new();
    for group in &report.groups {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&format!("{}\n{span}\n\n", style.bold(&format!("{} in {}", group.service, group.environment))));
        for (name, value) in lines(group, length) {
            text.push_str(&format!("  {name:<22}{value}\n"));
        }
        text.push_str(&drawn(group, report.since, style));
    }
    text
}

/// Each number by its name; `span`: of the time that is told of.
fn lines(group: &Group, span: Duration) -> Vec<(&'static str, String)> {
    let stopped = group.success.total.saturating_sub(group.success.of + group.rollback.of);
    let under_way = if group.under_way > 0 { format!("; {} under way", group.under_way) } else { String::new() };
    let mut lines = vec![
        (
            "attempts",
            format!(
                "{}: {} kept, {} rolled back, {stopped} stopped before they had traffic{under_way}",
                group.success.total, group.success.of, group.rollback.of
            ),
        ),
        ("success rate", share(group.success)),
        ("rollback rate", share(group.rollback)),
        ("time to deploy", spread(group.active, "active, from the beginning to all of the traffic")),
        ("  waiting", spread(group.waiting, "more, for people or another run")),
    ];
    match &group.performance {
        None => lines.push(("performance", "no release was seen beside the one before it".to_owned())),
        Some(impact) => {
            let latency =
                |change: Option<Change>| change.map_or("not measured".to_owned(), |change| changed(change, seconds));
            lines.push(("response time, median", latency(impact.p50)));
            lines.push(("               95 %", latency(impact.p95)));
            let rate = impact.error_rate.map_or("not measured".to_owned(), |change| changed(change, percent));
            lines.push(("failed requests", rate));
        }
    }
    if group.production {
        lines.push(("user satisfaction", satisfied(group.satisfaction.as_ref())));
    }
    if let Some(dora) = &group.dora {
        let frequency = frequency(dora.deployments_per_day, span);
        lines.extend([
            ("deployment frequency", frequency),
            ("lead time", spread(dora.lead_time, "from the commit to all of the traffic")),
            ("change failure rate", share(dora.change_failure)),
            ("time to restore", spread(dora.time_to_restore, "from the fault to its fix serving")),
            ("  by a rollback", spread(dora.time_to_roll_back, "of a bad release's traffic")),
        ]);
    }
    lines
}

/// How often a release came to serve, over a span of time. What is less than a day makes no rate of one.
fn frequency(a_day: f64, span: Duration) -> String {
    let span = span.as_secs_f64();
    if span < DAY_SECONDS {
        return format!("{:.0} in {}", a_day * span / DAY_SECONDS, seconds(span));
    }
    if a_day == 0.0 || a_day >= 1.0 { format!("{a_day:.1} a day") } else { format!("{:.1} a week", a_day * 7.0) }
}

fn share(share: Share) -> String {
    match share.ratio() {
        Some(ratio) => format!("{} ({} of {})", percent(ratio), share.of, share.total),
        None => "nothing is over yet".to_owned(),
    }
}

fn spread(spread: Option<Spread>, what: &str) -> String {
    match spread {
        None => "not known of any".to_owned(),
        Some(Spread { count: 1, median, .. }) => format!("{} {what}", seconds(median)),
        Some(Spread { count, median, p90, .. }) => {
            format!("half within {} {what}; 90 % within {} (of {count})", seconds(median), seconds(p90))
        }
    }
}

fn changed(change: Change, shown: fn(f64) -> String) -> String {
    format!("{} before, {} after", shown(change.before), shown(change.after))
}

fn satisfied(satisfaction: Option<&Satisfaction>) -> String {
    let Some(Satisfaction { before, after, taken_in }) = satisfaction else {
        return "no complaints were taken in".to_owned();
    };
    if before.requests.saturating_add(after.requests) == 0 {
        return format!(
            "{taken_in} complaints; of how many requests is not known, since no release was watched serving"
        );
    }
    let rate = |rate: Option<f64>| rate.map_or("none seen".to_owned(), |rate| format!("{rate:.2}"));
    // What came in while no release was watched is of neither.
    let is_more = *taken_in > before.complaints.max(after.complaints);
    let all = if is_more { format!("; {taken_in} were taken in in all") } else { String::new() };
    format!(
        "{} complaints per 1,000 requests before, {} after ({} and {} complaints){all}",
        rate(before.per_thousand),
        rate(after.per_thousand),
        before.complaints,
        after.complaints
    )
}

/// What happened over time.
fn drawn(group: &Group, since: Timestamp, style: Style) -> String {
    let series = &group.series;
    let counts = |counts: &[u32]| counts.iter().map(|count| Some(f64::from(*count))).collect::<Vec<_>>();
    let (kept, failed) = (counts(&series.kept), counts(&series.failed));
    let most = greatest(&kept).max(greatest(&failed));
    let longest = greatest(&series.time_to_deploy);
    let rows = [
        ("kept", sparkline(&kept, most), format!("at most {most:.0}")),
        ("not kept", sparkline(&failed, most), format!("at most {:.0}", greatest(&failed))),
        ("time to deploy", sparkline(&series.time_to_deploy, longest), format!("at most {}", seconds(longest))),
    ];
    let part = seconds(series.part_seconds);
    let mut text = format!("\n  {}\n", style.dim(&format!("from {}, a column is {part}", day(since))));
    for (name, line, scale) in rows {
        text.push_str(&format!("  {name:<22}{line}  {}\n", style.dim(&scale)));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::fs;

    use autodevops_record::{
        Complaint, Entry, PerThousand, of_run, settled,
        testing::{BEGIN, Story},
    };

    use super::*;

    fn shown(environment: &str, complaints: &[Complaint]) -> String {
        let later = Story {
            run: "b-1".into(),
            at: BEGIN.after(Duration::from_secs(86_400)),
            candidate_errors: 120,
            ..Story::default()
        };
        let attempts = [Story::healed(), later.events()].into_iter().flat_map(|events| of_run(&events).unwrap());
        let attempts = settled(attempts.map(|attempt| Entry::Attempt(Box::new(attempt))));
        let until = BEGIN.after(Duration::from_secs(2 * 86_400));
        let question = Question { service: None, environment: Some(environment.into()), since: Some(BEGIN), until };
        text(&report(&attempts, complaints, &question), Style::plain())
    }

    #[test]
    fn the_record_reads_as_a_page() {
        let text = shown("production", &[]);
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/metrics/production.txt");
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            fs::write(&file, &text).unwrap();
        }
        let expected = fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(text, expected);
    }

    #[test]
    fn complaints_are_told_in_relation_to_requests_and_only_where_people_are_served() {
        let complaint = Complaint { service: "shop".into(), at: BEGIN };
        assert!(shown("production", std::slice::from_ref(&complaint)).contains("complaints per 1,000 requests before"));
        let staging = shown("staging", &[complaint]);
        assert!(!staging.contains("satisfaction") && !staging.contains("lead time"), "{staging}");
    }

    #[test]
    fn complaints_of_releases_that_were_not_watched_are_told_as_that() {
        let satisfaction = Satisfaction { taken_in: 12, ..Satisfaction::default() };
        let told = satisfied(Some(&satisfaction));
        assert_eq!(told, "12 complaints; of how many requests is not known, since no release was watched serving");
    }

    #[test]
    fn complaints_of_no_watched_release_are_told_beside_the_others() {
        let side = |complaints| PerThousand { complaints, requests: 1000, per_thousand: Some(complaints as f64) };
        let told = |taken_in| satisfied(Some(&Satisfaction { before: side(0), after: side(3), taken_in }));
        assert_eq!(
            told(3),
            "0.00 complaints per 1,000 requests before, 3.00 after (0 and 3 complaints)",
            "there are no others"
        );
        assert!(told(10).ends_with(" (0 and 3 complaints); 10 were taken in in all"), "{}", told(10));
    }

    #[test]
    fn the_middle_of_several_is_told_as_that() {
        let times = |seconds: &[u64]| spread(Spread::of(seconds.iter().map(|n| Duration::from_secs(*n))), "to serve");
        assert_eq!(times(&[60]), "1m to serve");
        assert_eq!(times(&[60, 120, 180]), "half within 2m to serve; 90 % within 3m (of 3)");
    }

    #[test]
    fn where_there_is_nothing_the_time_that_was_asked_for_is_told() {
        let told = |since: Option<&str>, until: Option<&str>| {
            let [since, until] = [since, until].map(|time| time.map(str::to_owned));
            nothing(&Metrics { service: None, environment: None, since, until, prometheus: false })
        };
        let see = "see `autodevops runs`\n";
        assert_eq!(told(None, None), format!("no deploys yet; {see}"));
        assert_eq!(told(Some("1h"), None), format!("no deploys since 1h; name an earlier --since, or {see}"));
        assert_eq!(
            told(None, Some("2020-01-01")),
            format!("no deploys until 2020-01-01; name a later --until, or {see}")
        );
        assert!(
            told(Some("a"), Some("b")).contains(" from a to b; name an earlier --since or a later --until, or see")
        );
    }

    #[test]
    fn what_is_less_than_a_day_makes_no_rate_of_one() {
        let minutes = |count: u64| Duration::from_secs(60 * count);
        assert_eq!(frequency(720.0, minutes(2)), "1 in 2m");
        assert_eq!(frequency(0.0, minutes(2)), "0 in 2m");
        assert_eq!(frequency(2.0, minutes(24 * 60)), "2.0 a day");
        assert_eq!(frequency(0.5, minutes(48 * 60)), "3.5 a week");
    }

    #[test]
    fn a_name_that_nobody_knows_is_refused_with_the_nearest() {
        let refused = |wanted| {
            let known = ["production", "staging"].into_iter();
            one_of("environment", Some(wanted), known, &[], |attempt| &attempt.environment).unwrap_err().to_string()
        };
        assert_eq!(refused("produktion"), "there is no environment `produktion`; did you mean `production`?");
        assert_eq!(refused("x"), "there is no environment `x`; known are production, staging");
    }
}
