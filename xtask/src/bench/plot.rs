//! A picture of a table: two bars for each pair, ours and what it is held against.

use std::fmt::Write as _;

const WIDTH: f64 = 820.0;
const LABELS: f64 = 220.0;
const BARS: f64 = 480.0;
const ROW: f64 = 30.0;
const BAR: f64 = 11.0;
const TOP: f64 = 50.0;

/// What is drawn.
pub(super) struct Chart {
    pub(super) title: &'static str,
    pub(super) groups: Vec<Group>,
}

/// Pairs on one scale.
pub(super) struct Group {
    pub(super) pairs: Vec<Pair>,
    pub(super) shown: fn(f64) -> String,
}

/// Two bars below each other.
pub(super) struct Pair {
    pub(super) name: String,
    /// The blue one.
    pub(super) ours: f64,
    /// The grey one.
    pub(super) other: f64,
}

/// SVG. The longest bar of each group is as long as that of the others: groups differ by a thousand times.
pub(super) fn draw(chart: &Chart) -> String {
    let mut bars = String::new();
    let mut y = TOP;
    for Group { pairs, shown } in &chart.groups {
        let longest = pairs.iter().map(|pair| pair.ours.max(pair.other));
        let longest = longest.fold(f64::MIN_POSITIVE, f64::max);
        for Pair { name, ours, other } in pairs {
            let label = y + BAR + 3.0;
            // Writing to a string does not fail.
            let _ = writeln!(bars, "<text x=\"8\" y=\"{label}\">{name}</text>");
            bar(&mut bars, y, ours / longest, &shown(*ours), "#2b6cb0");
            bar(
                &mut bars,
                y + BAR,
                other / longest,
                &shown(*other),
                "#a0aec0",
            );
            y += ROW;
        }
    }
    let height = y + 10.0;
    let title = chart.title;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"8\" y=\"18\" font-size=\"14\">{title}</text>\n\
         <text x=\"8\" y=\"34\">Each group has a scale of its own.</text>\n{bars}</svg>\n"
    )
}

/// A bar of this part of the full width.
fn bar(svg: &mut String, y: f64, part: f64, shown: &str, colour: &str) {
    let width = BARS * part;
    let _ = writeln!(
        svg,
        "<rect x=\"{LABELS}\" y=\"{y}\" width=\"{width:.1}\" height=\"{BAR}\" fill=\"{colour}\"/>\
         <text x=\"{:.1}\" y=\"{}\">{shown}</text>",
        LABELS + width + 4.0,
        y + BAR - 1.5,
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_bar_fills_the_width_and_the_others_are_in_proportion() {
        let pair = Pair {
            name: "sqlite: load".to_owned(),
            ours: 80.0,
            other: 40.0,
        };
        let group = Group {
            pairs: vec![pair],
            shown: |value| format!("{value} s"),
        };
        let svg = draw(&Chart {
            title: "Times",
            groups: vec![group],
        });
        assert!(
            svg.contains("width=\"480.0\"") && svg.contains("width=\"240.0\""),
            "{svg}"
        );
        assert!(
            svg.contains("sqlite: load") && svg.contains(">40 s<"),
            "{svg}"
        );
    }
}
