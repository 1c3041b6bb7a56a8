//! Figures and their bounds.

/// What was measured so far.
#[derive(Default)]
pub(crate) struct Figures(Vec<Figure>);

struct Figure {
    name: String,
    value: f64,
    unit: &'static str,
    bound: Bound,
}

#[derive(Clone, Copy)]
pub(crate) enum Bound {
    AtMost(f64),
    AtLeast(f64),
    None,
}

impl Figures {
    pub(crate) fn add(
        &mut self,
        name: impl Into<String>,
        value: f64,
        unit: &'static str,
        bound: Bound,
    ) {
        let name = name.into();
        eprintln!("{name}: {value:.2} {unit}");
        self.0.push(Figure {
            name,
            value,
            unit,
            bound,
        });
    }

    /// Prints all; returns whether every bound is held.
    pub(crate) fn print(&self) -> bool {
        println!("\n{:<58} {:>14} {:>12}", "figure", "measured", "bound");
        let mut held = true;
        for figure in &self.0 {
            let (bound, is_held) = match figure.bound {
                Bound::AtMost(most) => (format!("<= {most}"), figure.value <= most),
                Bound::AtLeast(least) => (format!(">= {least}"), figure.value >= least),
                Bound::None => (String::new(), true),
            };
            held &= is_held;
            let verdict = if is_held { "" } else { "  BROKEN" };
            println!(
                "{:<58} {:>9.2} {:<4} {bound:>12}{verdict}",
                figure.name, figure.value, figure.unit
            );
        }
        held
    }
}

/// The middle one.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
