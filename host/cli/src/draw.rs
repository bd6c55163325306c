//! Numbers as people see them: lines of blocks, times, shares.

use std::time::Duration;

use autodevops_policy::Span;

/// From nothing to all.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A block for each value, the full one for `max`; a space where there is none. A value above nothing is never drawn as nothing.
pub fn sparkline(values: &[Option<f64>], max: f64) -> String {
    let block = |value: f64| {
        let share = if max > 0.0 { (value / max).clamp(0.0, 1.0) } else { 0.0 };
        let index = (share * (BLOCKS.len() - 1) as f64).round() as usize;
        let index = if value > 0.0 { index.max(1) } else { 0 };
        BLOCKS.get(index).copied().unwrap_or(' ')
    };
    values.iter().map(|value| value.map_or(' ', block)).collect()
}

/// The greatest of the values; nothing where there are none.
pub fn greatest(values: &[Option<f64>]) -> f64 {
    values.iter().flatten().copied().fold(0.0, f64::max)
}

/// A time in its two greatest units, such as `2d 3h`; milliseconds only below a second.
pub fn time(time: Duration) -> String {
    let whole =
        if time < Duration::from_secs(1) { time } else { Duration::from_secs(time.as_secs_f64().round() as u64) };
    Span(whole).to_string().split(' ').take(2).collect::<Vec<_>>().join(" ")
}

/// A time of so many seconds.
pub fn seconds(seconds: f64) -> String {
    time(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

/// A share from 0 to 1, as `4.2 %`.
pub fn percent(ratio: f64) -> String {
    format!("{:.1} %", ratio * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_blocks_tells_nothing_little_and_absent_apart() {
        let values = [Some(0.0), Some(0.01), None, Some(5.0), Some(10.0), Some(12.0)];
        assert_eq!(sparkline(&values, 10.0), "▁▂ ▅██");
        assert_eq!(greatest(&values), 12.0);
        assert_eq!(sparkline(&[Some(0.0), None], greatest(&[])), "▁ ");
    }

    #[test]
    fn times_have_two_units_at_most() {
        for (millis, text) in [(0, "0s"), (12, "12ms"), (1_499, "1s"), (90_000, "1m 30s"), (183_723_000, "2d 3h")] {
            assert_eq!(time(Duration::from_millis(millis)), text);
        }
    }
}
