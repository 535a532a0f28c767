//! Rows 1 to 3: what a client sees when the active director goes.

use std::time::Duration;

use crate::figure::{Figure, Series};
use crate::pair::{Outage, Pair, Suite};

/// Row 1: sudden death. The runs are spread over the second between two heartbeats, for both alike.
pub fn crash(runs: usize) -> Vec<Figure> {
    let [ours, peer] = [Suite::Ours, Suite::Keepalived].map(|suite| outages(suite, runs, Pair::crash));
    let series = |outages: &[Outage], of: fn(&Outage) -> f64| Series::new(outages.iter().map(of).collect());
    let (gap, beyond) = (|outage: &Outage| outage.gap, |outage: &Outage| outage.beyond_detection);
    vec![
        Figure::new(1, "outage after sudden death", "ms", series(&ours, gap))
            .bounded(Suite::Ours.detection().as_millis() as f64 + 20.0)
            .beside("keepalived", series(&peer, gap)),
        Figure::new(1, "of this, after the detection time", "ms", series(&ours, beyond))
            .bounded(20.0)
            .beside("keepalived", series(&peer, beyond))
            .at_most(None),
    ]
}

/// Row 2: a stop as for maintenance.
pub fn handover(runs: usize) -> Vec<Figure> {
    vec![compare(2, "outage in a planned handover", runs, Pair::stop).bounded(20.0)]
}

/// Row 3: death of the process that controls the rest.
pub fn kill(runs: usize) -> Vec<Figure> {
    vec![compare(3, "outage after kill -9 of the control process", runs, Pair::kill_control)]
}

fn compare(row: u8, what: &str, runs: usize, act: fn(&mut Pair)) -> Figure {
    let [ours, peer] = [Suite::Ours, Suite::Keepalived]
        .map(|suite| Series::new(outages(suite, runs, act).iter().map(|outage| outage.gap).collect()));
    Figure::new(row, what, "ms", ours).beside("keepalived", peer)
}

fn outages(suite: Suite, runs: usize, act: fn(&mut Pair)) -> Vec<Outage> {
    let run = |run: usize| {
        let mut pair = Pair::start(suite);
        let phase = Duration::from_millis(100) + Duration::from_millis(800) * run as u32 / runs as u32;
        let since = pair.wait_for_phase(phase);
        act(&mut pair);
        let outage = pair.verdict(since);
        eprintln!("  {suite:?}: {outage:?}");
        outage
    };
    (0..runs).map(run).collect()
}
