//! A small chance, shared among many questions.

/// The share of `alpha` that each of so many questions has, so that any of them is answered wrongly with the chance `alpha` at most,
/// however they hang together (C. E. Bonferroni, 1936).
pub fn bonferroni(alpha: f64, questions: u64) -> f64 {
    alpha / questions.max(1) as f64
}

/// Which of the chances are too small to be chance, any of them wrongly so with the chance `alpha` at most: the smallest is held
/// against `alpha` shared among all, the next against `alpha` shared among the rest, and so on until one is not small enough
/// (S. Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Stat. 6, 1979).
pub fn holm(chances: &[f64], alpha: f64) -> Vec<bool> {
    let mut order: Vec<(usize, f64)> = chances.iter().copied().enumerate().collect();
    order.sort_by(|(_, one), (_, other)| one.total_cmp(other));
    let mut small = vec![false; chances.len()];
    for (left, (index, chance)) in (1..=order.len() as u64).rev().zip(order) {
        // What is no number is no small one.
        let is_small = chance <= bonferroni(alpha, left);
        if !is_small {
            break;
        }
        if let Some(small) = small.get_mut(index) {
            *small = true;
        }
    }
    small
}
