//! A rollout in 80 columns: the candidate's share, and failed requests of the candidate and of the baseline.

use std::time::Duration;

use autodevops_model::Rate;
use autodevops_pipeline::{Baseline, Plan, Timestamp};
use autodevops_record::{Point, Rollout};

use crate::{
    draw::{greatest, percent, sparkline, time},
    output::{Style, cut},
    progress::clock,
};

/// Columns of what is drawn; labels take the others of 80.
const COLUMNS: usize = 62;
/// Columns of a label.
const LABEL: usize = 16;
/// Shares that are drawn, each a row.
const ROWS: usize = 8;

/// The rollout, with a line for each share that the plan has.
pub fn drawn(rollout: &Rollout, plan: &Plan, style: Style) -> String {
    let length = rollout.end.0.saturating_sub(rollout.begin.0).max(1);
    let at = |column: usize| {
        let part = i128::from(length) * column as i128 / COLUMNS as i128;
        Timestamp(rollout.begin.0.saturating_add(i64::try_from(part).unwrap_or(i64::MAX)))
    };
    let columns: Vec<(Timestamp, Timestamp)> = (0..COLUMNS).map(|column| (at(column), at(column + 1))).collect();
    let span = |nanoseconds: i64| time(Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(0)));
    let of = if rollout.service.is_empty() { String::new() } else { format!(" of {}", rollout.service) };
    let head = format!("traffic of {}{of}, a column is {}", plan.production, span(length / COLUMNS as i64));
    let mut text = format!("{}\n", style.bold(&head));
    let mut shares: Vec<u8> = rollout.shares.iter().map(|(_, share)| *share).filter(|share| *share > 0).collect();
    shares.extend(plan.steps.iter().map(|step| step.percent));
    shares.sort_unstable();
    shares.dedup();
    // Of many shares some stand for all; the greatest always.
    let every = shares.len().div_ceil(ROWS).max(1);
    for share in shares.iter().rev().step_by(every) {
        // A change within a column shows: the greatest share that it had.
        let had = |(from, to): &(Timestamp, Timestamp)| {
            let inside = rollout.shares.iter().filter(|(at, _)| from < at && at < to).map(|(_, share)| *share);
            inside.chain([rollout.share(*from)]).max().unwrap_or(0)
        };
        let bar: String = columns.iter().map(|column| if had(column) >= *share { '█' } else { ' ' }).collect();
        text.push_str(&row(&format!("{share} %"), &bar));
    }
    let rates = |of: fn(&Point) -> Option<&Rate>| -> Vec<Option<f64>> {
        let rate = |(from, to): &(Timestamp, Timestamp)| {
            let rate = rollout.seen(*from, *to).and_then(of).filter(|rate| rate.total > 0)?;
            Some(rate.events as f64 / rate.total as f64)
        };
        columns.iter().map(rate).collect()
    };
    let (candidate, baseline) = (rates(|point| point.candidate.as_ref()), rates(|point| point.baseline.as_ref()));
    let most = greatest(&candidate).max(greatest(&baseline));
    text.push_str(&row("candidate fails", &sparkline(&candidate, most)));
    text.push_str(&row("baseline fails", &sparkline(&baseline, most)));
    let (begin, end) = (clock(rollout.begin.0), clock(rollout.end.0));
    let gap = COLUMNS.saturating_sub(begin.len() + end.len());
    text.push_str(&row("", &format!("{begin}{}{end}", " ".repeat(gap))));
    let name = |what: &str, release: &str, rates: &[Option<f64>]| {
        let seen = if rates.iter().any(Option::is_some) {
            format!("at most {} of its requests failed", percent(greatest(rates)))
        } else {
            "no request of it was seen".to_owned()
        };
        format!("  {}\n", cut(&format!("{what} is {release}: {seen}"), 78))
    };
    if most > 0.0 {
        text.push_str(&format!("  a full block is {} of the requests\n", percent(most)));
    }
    text.push_str(&name("candidate", &rollout.candidate, &candidate));
    if let Some(release) = &rollout.stable {
        text.push_str(&name("baseline", release, &baseline));
    }
    if let Some(fresh) = &rollout.fresh {
        let most = Baseline::FRESH_UP_TO;
        text.push_str(&format!("  {}\n", cut(&format!("up to {most} % it was started anew as {fresh}"), 78)));
    }
    text
}

fn row(label: &str, bar: &str) -> String {
    let line = format!("  {label:<LABEL$}{bar}");
    format!("{}\n", line.trim_end())
}
