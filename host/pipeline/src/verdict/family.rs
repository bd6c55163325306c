//! Many metrics, looked at often: each look is a chance to be wrong.

use autodevops_model::Outcome;
use autodevops_statistics::{bonferroni, holm};

use super::{
    Round,
    ruling::{chance, percent},
    trigger::Ruled,
};
use crate::Plan;

/// Takes back windows that failed by what may come by chance: over all metrics by Holm's rule, and over all looks at the whole rollout,
/// of all services and with its watches that begin anew, by sharing the chance among them.
pub(super) fn correct(plan: &Plan, round: &Round<'_>, ruled: &mut [Ruled<'_>]) {
    let alpha = plan.decision.window_alpha;
    if alpha >= 1.0 {
        return;
    }
    let looks = plan.looks().saturating_mul(round.chances.max(1));
    let each = bonferroni(alpha, looks);
    let chances: Vec<f64> = ruled.iter().map(|ruled| ruled.ruling.chance.unwrap_or(1.0)).collect();
    let small = holm(&chances, each);
    for (ruled, is_small) in ruled.iter_mut().zip(&small) {
        let Some(rare) = ruled.ruling.chance else { continue };
        // Those that are rarer were held against a part each, and are no more among those that share the rest.
        let rarer = chances.iter().zip(&small).filter(|(other, small)| **small && **other < rare).count();
        let metrics = (chances.len() - rarer).max(1) as u64;
        let metrics_words = if metrics == 1 { "1 metric".to_owned() } else { format!("{metrics} metrics") };
        let least = format!(
            "rarer than {}, {} shared among {metrics_words} and {looks} looks",
            chance(bonferroni(each, metrics)),
            percent(alpha)
        );
        let words = match is_small {
            true => format!("; {least}"),
            false => format!("; but it may come by chance ({}): it must be {least}; more must be seen", chance(rare)),
        };
        ruled.ruling = ruled.ruling.clone().and(&words);
        if !is_small {
            ruled.ruling.outcome = Outcome::Inconclusive;
        }
    }
}

/// Says of a rule that is crossed and does not turn back by itself whether it does together with others, or that a person is asked.
pub(super) fn weigh(plan: &Plan, ruled: &mut [Ruled<'_>]) {
    let decides = |ruled: &Ruled<'_>| ruled.ruling.outcome == Outcome::Failed && ruled.confirmed;
    let Some((_, others)) = ruled.split_first().filter(|(first, _)| decides(first) && !first.trigger.critical) else {
        return;
    };
    let (left, least) = (score(ruled, decides), plan.decision.min_score);
    let others: Vec<String> = others.iter().filter(|ruled| decides(ruled)).map(|ruled| ruled.trigger.name()).collect();
    let with = match others.as_slice() {
        [] => String::new(),
        [other] => format!(", nor is {other}, which is crossed too"),
        others => format!(", nor are {}, which are crossed too", others.join(" and ")),
    };
    let (than, follows) = if left < least { ("less", "it is turned back") } else { ("no less", "a person is asked") };
    let words = format!(
        "; not critical{with}: what is not crossed has {} of all triggers' weights, {than} than `min-score` ({}), so {follows}",
        percent(left),
        percent(least)
    );
    if let Some(first) = ruled.first_mut() {
        first.ruling = first.ruling.clone().and(&words).number("score", left);
    }
}

/// The share of the triggers' weights that do not fail, from 0 to 1, where these are what `failed`.
pub(super) fn score(ruled: &[Ruled<'_>], failed: impl Fn(&Ruled<'_>) -> bool) -> f64 {
    let all: f64 = ruled.iter().map(|ruled| ruled.trigger.weight).sum();
    let lost: f64 = ruled.iter().filter(|ruled| failed(ruled)).map(|ruled| ruled.trigger.weight).sum();
    if all > 0.0 { 1.0 - lost / all } else { 1.0 }
}
