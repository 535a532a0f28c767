//! What a row of the benchmark found: our figure, the peers' and whether the goal is met.

use serde::{Deserialize, Serialize};

/// The outcomes of some runs of the same measurement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Series(Vec<f64>);

impl Series {
    /// Of these outcomes.
    pub fn new(mut outcomes: Vec<f64>) -> Series {
        outcomes.sort_by(f64::total_cmp);
        Series(outcomes)
    }

    /// Of a measurement that was made once.
    pub fn once(outcome: f64) -> Series {
        Series(vec![outcome])
    }

    /// The middle one; the mean of the two in the middle of an even number. 0 of none.
    pub fn median(&self) -> f64 {
        let half = self.0.len() / 2;
        match self.0.len() {
            0 => 0.0,
            count if count % 2 == 1 => self.0[half],
            _ => (self.0[half - 1] + self.0[half]) / 2.0,
        }
    }

    /// The smallest and the largest outcome.
    pub fn range(&self) -> (f64, f64) {
        (self.0.first().copied().unwrap_or_default(), self.0.last().copied().unwrap_or_default())
    }

    /// How many runs there were.
    pub fn runs(&self) -> usize {
        self.0.len()
    }
}

/// What somebody else needs for the same job, in the same run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Peer {
    /// The program, or what else it is compared with.
    pub name: String,
    /// What it needed.
    pub series: Series,
}

/// One line of the table. Less is better, unless `more_is_better`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// The row of the benchmark to which it belongs.
    pub row: u8,
    /// What was measured.
    pub what: String,
    /// The unit of all numbers.
    pub unit: String,
    /// Whether a larger number is the better one.
    pub more_is_better: bool,
    /// Our outcome.
    pub ours: Series,
    /// The peers' outcomes.
    pub peers: Vec<Peer>,
    /// The largest ratio to any peer that still counts as reached; 1 for "at or below". None: peers are shown
    /// for comparison only.
    pub at_most: Option<f64>,
    /// Our median may not be more than this (not less, if more is better).
    pub bound: Option<f64>,
}

impl Figure {
    /// A figure without peers and without a bound.
    pub fn new(row: u8, what: impl Into<String>, unit: &str, ours: Series) -> Figure {
        let (what, unit) = (what.into(), unit.to_owned());
        Figure {
            row,
            what,
            unit,
            more_is_better: false,
            ours,
            peers: Vec::new(),
            at_most: Some(1.0),
            bound: None,
        }
    }

    /// The same beside a peer.
    pub fn beside(mut self, name: &str, series: Series) -> Figure {
        self.peers.push(Peer { name: name.to_owned(), series });
        self
    }

    /// The same with this largest ratio to a peer; None for no goal at all.
    pub fn at_most(self, at_most: Option<f64>) -> Figure {
        Figure { at_most, ..self }
    }

    /// The same with an absolute goal.
    pub fn bounded(mut self, bound: f64) -> Figure {
        self.bound = Some(bound);
        self
    }

    /// Our median divided by a peer's.
    pub fn ratio(&self, peer: &Peer) -> f64 {
        self.ours.median() / peer.series.median()
    }

    /// Whether our median keeps the bound and stands up to every peer.
    pub fn reached(&self) -> bool {
        let ours = self.ours.median();
        let keeps_bound = self.bound.is_none_or(|bound| match self.more_is_better {
            true => ours >= bound,
            false => ours <= bound,
        });
        let stands_up = |peer: &Peer| match (self.at_most, self.more_is_better) {
            (None, _) => true,
            (Some(most), true) => self.ratio(peer) >= 1.0 / most,
            (Some(most), false) => self.ratio(peer) <= most,
        };
        keeps_bound && self.peers.iter().all(stands_up)
    }

    /// The goal in words.
    pub fn goal(&self) -> String {
        let sign = if self.more_is_better { "≥" } else { "≤" };
        let bound = self.bound.map(|bound| format!("{sign} {} {}", number(bound), self.unit));
        let peers = self.at_most.filter(|_| !self.peers.is_empty()).map(|times| match times {
            1.0 => format!("{sign} peer"),
            _ => format!("{sign} {times} × peer"),
        });
        bound.into_iter().chain(peers).collect::<Vec<_>>().join(", ")
    }
}

/// Three significant digits or whole numbers.
pub fn number(value: f64) -> String {
    match value.abs() {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        1.0.. => format!("{value:.2}"),
        0.0 => "0".to_owned(),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_one_in_the_middle() {
        for (outcomes, median) in
            [(vec![], 0.0), (vec![3.0], 3.0), (vec![9.0, 1.0, 2.0], 2.0), (vec![4.0, 1.0, 2.0, 3.0], 2.5)]
        {
            assert_eq!(Series::new(outcomes.clone()).median(), median, "{outcomes:?}");
        }
    }

    #[test]
    fn a_goal_is_reached_by_bound_and_by_every_peer() {
        let figure = |ours| {
            Figure::new(1, "outage", "ms", Series::once(ours))
                .bounded(20.0)
                .beside("peer", Series::once(15.0))
        };
        for (ours, reached) in [(14.0, true), (15.0, true), (16.0, false), (21.0, false)] {
            assert_eq!(figure(ours).reached(), reached, "{ours}");
        }
        assert_eq!(figure(15.0).goal(), "≤ 20.0 ms, ≤ peer");
        let lenient = Figure { bound: None, ..figure(30.0) }.at_most(Some(2.0));
        assert!(lenient.reached());
        let speed = Figure {
            more_is_better: true,
            ..Figure::new(9, "speed", "MB/s", Series::once(90.0)).bounded(100.0)
        };
        assert!(!speed.reached());
    }

    #[test]
    fn numbers_have_three_digits() {
        let texts = [1234.5, 99.94, 1.234, 0.0123, 0.0].map(number);
        assert_eq!(texts, ["1234", "99.9", "1.23", "0.012", "0"]);
    }
}
