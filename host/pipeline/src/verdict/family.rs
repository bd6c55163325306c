//! Many metrics, looked at often: each look is a chance to be wrong.

use autodevops_model::Outcome;
use autodevops_statistics::{bonferroni, holm};

use super::{Round, ruling::chance, trigger::Ruled};
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
    for (ruled, small) in ruled.iter_mut().zip(holm(&chances, each)) {
        let Some(rare) = ruled.ruling.chance.filter(|_| !small) else { continue };
        let doubt = format!(
            "; but over {} metrics and {looks} looks it may come by chance ({}): more must be seen",
            chances.len(),
            chance(rare)
        );
        ruled.ruling = ruled.ruling.clone().and(&doubt);
        ruled.ruling.outcome = Outcome::Inconclusive;
    }
}

/// The share of the triggers' weights that do not fail, from 0 to 1, where these are what `failed`.
pub(super) fn score(ruled: &[Ruled<'_>], failed: impl Fn(&Ruled<'_>) -> bool) -> f64 {
    let all: f64 = ruled.iter().map(|ruled| ruled.trigger.weight).sum();
    let lost: f64 = ruled.iter().filter(|ruled| failed(ruled)).map(|ruled| ruled.trigger.weight).sum();
    if all > 0.0 { 1.0 - lost / all } else { 1.0 }
}
