//! A chart of the ratios: one bar for each comparison, on a logarithmic scale.

use std::fmt::Write;

use crate::figure::{number, Figure, Peer};

const WIDTH: f64 = 760.0;
const LEFT: f64 = 300.0;
const LINE: f64 = 20.0;
const TOP: f64 = 34.0;
/// Ratios beyond these stop at the edge; the number beside the bar is exact.
const LEAST: f64 = 0.001;
const MOST: f64 = 4.0;

/// The chart as SVG; readable on light and dark ground.
pub fn svg(figures: &[Figure]) -> String {
    let compared: Vec<(&Figure, &Peer)> = figures.iter().filter_map(main_peer).collect();
    let height = TOP + LINE * compared.len() as f64 + 10.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<style>text{{fill:#57606a}}@media(prefers-color-scheme:dark){{text{{fill:#c9d1d9}}}}\
         </style>\n<text x=\"{LEFT}\" y=\"14\">ours / peer, logarithmic; left of the line is better</text>\n"
    );
    for (index, (figure, peer)) in compared.iter().enumerate() {
        bar(&mut svg, TOP + LINE * index as f64, figure, peer);
    }
    let one = position(1.0);
    let _ = writeln!(
        svg,
        "<line x1=\"{one:.1}\" y1=\"20\" x2=\"{one:.1}\" y2=\"{:.1}\" stroke=\"#57606a\"/>\n</svg>",
        height - 6.0
    );
    svg
}

/// The peer that comes closest, if there is a goal to beat it.
fn main_peer(figure: &Figure) -> Option<(&Figure, &Peer)> {
    figure.at_most?;
    let closest =
        figure.peers.iter().max_by(|one, other| figure.ratio(one).total_cmp(&figure.ratio(other)))?;
    Some((figure, closest))
}

fn bar(svg: &mut String, y: f64, figure: &Figure, peer: &Peer) {
    let (ratio, one) = (figure.ratio(peer), position(1.0));
    let end = position(ratio);
    let (x, width) = (end.min(one), (end - one).abs().max(1.0));
    let colour = if figure.reached() { "#2da44e" } else { "#cf222e" };
    let _ = writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\
         <rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"14\" fill=\"{colour}\"/>\
         <text x=\"{:.1}\" y=\"{:.1}\">{} {}, {} {}</text>",
        LEFT - 8.0,
        y + 11.0,
        figure.what,
        one + 30.0_f64.max(end - one + 6.0),
        y + 11.0,
        number(figure.ours.median()),
        figure.unit,
        peer.name,
        number(peer.series.median()),
    );
}

fn position(ratio: f64) -> f64 {
    let share = (ratio.clamp(LEAST, MOST) / LEAST).ln() / (MOST / LEAST).ln();
    LEFT + share * 230.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::Series;

    fn figure(ours: f64, peer: f64) -> Figure {
        Figure::new(2, "outage", "ms", Series::once(ours)).beside("keepalived", Series::once(peer))
    }

    #[test]
    fn better_is_left_of_the_line_and_green() {
        assert!(position(0.5) < position(1.0) && position(1.0) < position(2.0));
        assert_eq!(position(0.0), position(LEAST));
        for (ours, colour) in [(10.0, "#2da44e"), (1000.0, "#cf222e")] {
            let svg = svg(&[figure(ours, 600.0)]);
            assert!(svg.contains(colour) && svg.contains("keepalived 600"), "{svg}");
        }
    }

    #[test]
    fn what_is_compared_for_information_has_no_bar() {
        let svg = svg(&[figure(1.0, 2.0).at_most(None), Figure::new(9, "speed", "MB/s", Series::once(1.0))]);
        assert!(!svg.contains("<rect"), "{svg}");
    }
}
