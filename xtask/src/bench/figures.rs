//! What the measuring program says, held against what it may be.

use super::plot::{Chart, Group, Pair};
use crate::{Fallible, Outcome};

/// How many times as long as the bare client a store may take for the same statement.
const MOST_RATIO: f64 = 1.5;

/// The same for sealing, against the bare cipher.
const MOST_SEAL_RATIO: f64 = 1.3;

/// How many times as much as the bare client's a store's time may grow with the number of records.
const MOST_GROWTH: f64 = 1.25;

/// `due`, in microseconds.
const MOST_DUE: f64 = 5_000.0;

/// A change reaches another handle, in microseconds. SQLite is asked four times a second.
const MOST_HINT: f64 = 50_000.0;
const MOST_SQLITE_HINT: f64 = 300_000.0;

/// A sealed load of SQLite, in microseconds.
const MOST_SEALED_LOAD: f64 = 110.0;

/// Records that a rotation seals anew in a second.
const LEAST_ROTATED: f64 = 1_500.0;

/// One line of the measuring program.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Line {
    /// The same work by the store and by its bare client, in microseconds.
    Pair {
        name: String,
        records: u64,
        store: f64,
        bare: f64,
    },
    /// The same, in operations per second.
    Rate {
        name: String,
        store: f64,
        bare: f64,
    },
    /// Microseconds.
    Time {
        name: String,
        value: f64,
    },
    Count {
        name: String,
        value: f64,
    },
    /// A word in place of a figure.
    Note {
        name: String,
        text: String,
    },
}

impl Line {
    pub(super) fn parse(line: &str) -> Fallible<Self> {
        let parsed = match line.split('\t').collect::<Vec<_>>().as_slice() {
            ["pair", name, records, store, bare] => records.parse().ok().and_then(|records| {
                Some(Self::Pair {
                    name: (*name).to_owned(),
                    records,
                    store: store.parse().ok()?,
                    bare: bare.parse().ok()?,
                })
            }),
            ["rate", name, store, bare] => store.parse().ok().and_then(|store| {
                Some(Self::Rate {
                    name: (*name).to_owned(),
                    store,
                    bare: bare.parse().ok()?,
                })
            }),
            ["time", name, value] => value.parse().ok().map(|value| Self::Time {
                name: (*name).to_owned(),
                value,
            }),
            ["count", name, value] => value.parse().ok().map(|value| Self::Count {
                name: (*name).to_owned(),
                value,
            }),
            ["note", name, text] => Some(Self::Note {
                name: (*name).to_owned(),
                text: (*text).to_owned(),
            }),
            _ => None,
        };
        parsed.ok_or_else(|| format!("store-lab said {line:?}, which is no figure"))
    }
}

/// All figures of all engines.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) engines: Vec<(&'static str, Vec<Line>)>,
}

/// A figure as it is printed.
struct Row {
    name: String,
    store: String,
    bare: String,
    bounded: Option<Bounded>,
}

/// A value and what it may be, both as text.
struct Bounded {
    value: String,
    bound: String,
    holds: bool,
}

impl Table {
    pub(super) fn add(&mut self, engine: &'static str, lines: Vec<Line>) {
        self.engines.push((engine, lines));
    }

    /// Fails when a bound is broken, and names each.
    pub(super) fn verdict(&self) -> Outcome {
        let broken = self.rows().filter_map(|(engine, row)| {
            let bounded = row.bounded.filter(|bounded| !bounded.holds)?;
            let Bounded { value, bound, .. } = bounded;
            Some(format!("\n  {engine}: {}: {value}, not {bound}", row.name))
        });
        match broken.collect::<String>() {
            broken if broken.is_empty() => Ok(()),
            broken => Err(format!("bounds broken:{broken}")),
        }
    }

    /// The pairs, those of each engine on a scale of its own.
    pub(super) fn chart(&self) -> Chart {
        let group = |(engine, lines): &(&'static str, Vec<Line>)| Group {
            pairs: lines.iter().filter_map(|line| pair(engine, line)).collect(),
            shown: micros,
        };
        Chart {
            title: "Median times: store (blue) and bare client (grey)",
            groups: self.engines.iter().map(group).collect(),
        }
    }

    fn rows(&self) -> impl Iterator<Item = (&'static str, Row)> {
        let rows = |(engine, lines): &'_ (&'static str, Vec<Line>)| {
            let engine = *engine;
            rows(engine, lines)
                .into_iter()
                .map(move |row| (engine, row))
        };
        self.engines.iter().flat_map(rows)
    }
}

fn pair(engine: &str, line: &Line) -> Option<Pair> {
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
        1 => format!("{engine}: {name}"),
        _ => format!("{engine}: {name}, {records} records"),
    };
    Some(Pair {
        name,
        ours: *store,
        other: *bare,
    })
}

pub(super) fn print_head() {
    println!(
        "{:<9} {:<40} {:>12} {:>12} {:>10} {:<10}",
        "engine", "figure", "store", "bare", "is", "may be"
    );
}

/// The figures of one engine, each with its verdict.
pub(super) fn print(engine: &str, lines: &[Line]) {
    for row in rows(engine, lines) {
        let Row {
            name, store, bare, ..
        } = &row;
        print!("{engine:<9} {name:<40} {store:>12} {bare:>12}");
        if let Some(Bounded {
            value,
            bound,
            holds,
        }) = &row.bounded
        {
            let verdict = if *holds { "ok" } else { "BROKEN" };
            print!(" {value:>10} {bound:<10} {verdict}");
        }
        println!();
    }
}

fn rows(engine: &str, lines: &[Line]) -> Vec<Row> {
    let rows = lines.iter().map(|line| row(engine, line));
    rows.chain(growth(lines)).collect()
}

fn row(engine: &str, line: &Line) -> Row {
    match line {
        Line::Pair {
            name,
            records,
            store,
            bare,
        } => {
            let most = if engine == "seal" {
                MOST_SEAL_RATIO
            } else {
                MOST_RATIO
            };
            let shown = match engine {
                "seal" => format!("{name}, p50"),
                _ => format!("{name}, {records} records, p50"),
            };
            Row {
                name: shown,
                store: micros(*store),
                bare: micros(*bare),
                bounded: Some(at_most(store / bare, most, |value| format!("{value:.2}x"))),
            }
        }
        Line::Rate { name, store, bare } => Row {
            name: name.clone(),
            store: format!("{store:.0}/s"),
            bare: format!("{bare:.0}/s"),
            bounded: None,
        },
        Line::Time { name, value } => {
            let most = most_time(engine, name);
            alone(
                name,
                &micros(*value),
                most.map(|most| at_most(*value, most, micros)),
            )
        }
        Line::Count { name, value } => alone(name, &value.to_string(), count(name, *value)),
        Line::Note { name, text } => alone(name, text, None),
    }
}

fn alone(name: &str, store: &str, bounded: Option<Bounded>) -> Row {
    Row {
        name: name.to_owned(),
        store: store.to_owned(),
        bare: String::new(),
        bounded,
    }
}

fn most_time(engine: &str, name: &str) -> Option<f64> {
    match name.split(',').next()? {
        "due" => Some(MOST_DUE),
        "change to other handle" if engine == "sqlite" => Some(MOST_SQLITE_HINT),
        "change to other handle" => Some(MOST_HINT),
        "load" => Some(MOST_SEALED_LOAD),
        _ => None,
    }
}

fn count(name: &str, value: f64) -> Option<Bounded> {
    let (bound, holds) = match name {
        "rotation, records/s" => (format!(">= {LEAST_ROTATED}"), value >= LEAST_ROTATED),
        "rotation, failed reads" | "rotation, records left on the old key" => {
            ("= 0".to_owned(), value == 0.0)
        }
        // Without a reader the failed reads mean nothing.
        "rotation, reads meanwhile" => (">= 1".to_owned(), value >= 1.0),
        _ => return None,
    };
    Some(Bounded {
        value: value.to_string(),
        bound,
        holds,
    })
}

fn at_most(value: f64, most: f64, shown: impl Fn(f64) -> String) -> Bounded {
    Bounded {
        value: shown(value),
        bound: format!("<= {}", shown(most)),
        // A figure that is no number holds nothing.
        holds: value <= most,
    }
}

/// From the fewest records to the most, for each name that was measured at several numbers.
fn growth(lines: &[Line]) -> Vec<Row> {
    let mut rows = Vec::new();
    for (place, first) in lines.iter().enumerate() {
        let Line::Pair {
            name,
            records,
            store,
            bare,
        } = first
        else {
            continue;
        };
        let same = |line: &&Line| matches!(line, Line::Pair { name: other, .. } if other == name);
        if lines[..place].iter().any(|line| same(&line)) {
            continue;
        }
        if let Some(Line::Pair {
            records: most,
            store: last,
            bare: bare_last,
            ..
        }) = lines[place + 1..].iter().rfind(same)
        {
            let (ours, theirs) = (last / store, bare_last / bare);
            let times = |value| format!("{value:.2}x");
            rows.push(Row {
                name: format!("{name}, growth {records} to {most}"),
                store: times(ours),
                bare: times(theirs),
                bounded: Some(at_most(ours / theirs, MOST_GROWTH, times)),
            });
        }
    }
    rows
}

pub(super) fn micros(value: f64) -> String {
    if value < 1000.0 {
        format!("{value:.1} µs")
    } else {
        format!("{:.2} ms", value / 1000.0)
    }
}

#[cfg(test)]
mod tests;
