//! A picture of the table: two bars for each pair, the store's and the bare client's.

use std::fmt::Write as _;

use super::figures::{Line, Table, micros};

const WIDTH: f64 = 820.0;
const LABELS: f64 = 220.0;
const BARS: f64 = 480.0;
const ROW: f64 = 30.0;
const BAR: f64 = 11.0;
const TOP: f64 = 50.0;

/// SVG. The longest bar of each engine is as long as that of the others: engines differ by a thousand times.
pub(super) fn draw(table: &Table) -> String {
    let mut bars = String::new();
    let mut y = TOP;
    for (engine, lines) in &table.engines {
        let pairs = lines.iter().filter_map(pair);
        let longest = pairs.clone().map(|(_, store, bare)| store.max(bare));
        let longest = longest.fold(f64::MIN_POSITIVE, f64::max);
        for (name, store, bare) in pairs {
            let label = y + BAR + 3.0;
            // Writing to a string does not fail.
            let _ = writeln!(bars, "<text x=\"8\" y=\"{label}\">{engine}: {name}</text>");
            bar(&mut bars, y, store, longest, "#2b6cb0");
            bar(&mut bars, y + BAR, bare, longest, "#a0aec0");
            y += ROW;
        }
    }
    let height = y + 10.0;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"8\" y=\"18\" font-size=\"14\">Median times: store (blue) and bare client (grey)</text>\n\
         <text x=\"8\" y=\"34\">Each engine has a scale of its own.</text>\n{bars}</svg>\n"
    )
}

fn pair(line: &Line) -> Option<(String, f64, f64)> {
    let Line::Pair {
        name,
        records,
        store,
        bare,
    } = line
    else {
        return None;
    };
    let name = match records {
        1 => name.clone(),
        _ => format!("{name}, {records} records"),
    };
    Some((name, *store, *bare))
}

fn bar(svg: &mut String, y: f64, value: f64, longest: f64, colour: &str) {
    let width = BARS * value / longest;
    let _ = writeln!(
        svg,
        "<rect x=\"{LABELS}\" y=\"{y}\" width=\"{width:.1}\" height=\"{BAR}\" fill=\"{colour}\"/>\
         <text x=\"{:.1}\" y=\"{}\">{}</text>",
        LABELS + width + 4.0,
        y + BAR - 1.5,
        micros(value)
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_bar_fills_the_width_and_the_others_are_in_proportion() {
        let mut table = Table::default();
        let line = Line::parse("pair\tload\t1000\t80\t40").unwrap();
        table.add("sqlite", vec![line]);
        let svg = draw(&table);
        assert!(
            svg.contains("width=\"480.0\"") && svg.contains("width=\"240.0\""),
            "{svg}"
        );
        assert!(svg.contains("sqlite: load, 1000 records"), "{svg}");
    }
}
