//! Slow start, and weights that follow the load.

/// The largest weight that ipvsadm accepts, hence the largest that the load may lead to.
const LARGEST: u32 = 65_535;

/// The weight with which a server of weight `configured` starts: a 32nd of it, at least 1. A server of weight
/// 0, which is meant to drain, starts with 0. (The original gave it 1, and so new connections.)
pub fn start_weight(configured: u32) -> u32 {
    match configured {
        0 => 0,
        weight => (weight >> 5).max(1),
    }
}

/// The next weight on the way up to `configured`: twice the current one.
pub(crate) fn ramped_weight(current: u32, configured: u32) -> u32 {
    current.saturating_mul(2).clamp(1, configured.max(1))
}

/// The weight that suits a load average of `load`, a server of weight `configured` having `current` now.
///
/// Below a load of 1 the weight rises, by at most half of `configured` a step and up to `scale` times it;
/// above 1 it falls, down to `configured`. Nothing if the change would be less than a quarter of `configured`.
pub fn loaded_weight(current: u32, configured: u32, load: f64, scale: u32) -> Option<u32> {
    let (c, w) = (f64::from(current), f64::from(configured));
    let wanted = if load < 1.0 {
        let highest = configured.saturating_mul(scale).min(configured.max(LARGEST));
        (c + w / 2.0 * (1.0 - load).cbrt()).trunc().min(f64::from(highest))
    } else if load > 1.0 {
        (c - w / 2.0 * (load - 1.0).cbrt()).trunc().max(w)
    } else {
        c
    };
    let worth_it = wanted != c && (wanted - c).abs() >= w / 4.0;
    // In range: between 0 and a u32, without a fraction.
    worth_it.then_some(wanted as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_start() {
        for (configured, expected) in [(0, 0), (1, 1), (63, 1), (64, 2), (100, 3), (65_535, 2047)] {
            assert_eq!(start_weight(configured), expected);
        }
        assert_eq!(ramped_weight(3, 100), 6);
        assert_eq!(ramped_weight(96, 100), 100);
    }

    #[test]
    fn load_moves_the_weight() {
        let cases = [
            (4, 4, 0.5, Some(5)),
            (5, 4, 0.9, None),
            (5, 4, 3.0, Some(4)),
            (4, 4, 9.0, None),
            (4, 4, 1.0, None),
            (4, 4, 0.0, Some(6)),
            (39, 4, 0.0, Some(40)),
            (40, 4, 0.0, None),
            (1, 1, 0.0, None),
            (0, 0, 0.0, None),
            (60_000, 60_000, 0.0, None),
            (10_000, 10_000, 0.0, Some(15_000)),
            (65_000, 10_000, 0.0, None),
        ];
        for (current, configured, load, expected) in cases {
            let new = loaded_weight(current, configured, load, 10);
            assert_eq!(new, expected, "{current} of {configured} at load {load}");
        }
    }
}
