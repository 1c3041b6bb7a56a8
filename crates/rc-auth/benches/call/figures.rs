//! What was measured, held against what it may be.

/// One figure.
struct Figure {
    name: String,
    value: f64,
    unit: &'static str,
    bound: Option<Bound>,
}

enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

#[derive(Default)]
pub(crate) struct Figures(Vec<Figure>);

impl Figures {
    /// For comparison, without a bound.
    pub(crate) fn add(&mut self, name: &str, value: f64, unit: &'static str) {
        self.push(name, value, unit, None);
    }

    pub(crate) fn at_most(&mut self, name: &str, value: f64, unit: &'static str, most: f64) {
        self.push(name, value, unit, Some(Bound::AtMost(most)));
    }

    pub(crate) fn at_least(&mut self, name: &str, value: f64, unit: &'static str, least: f64) {
        self.push(name, value, unit, Some(Bound::AtLeast(least)));
    }

    fn push(&mut self, name: &str, value: f64, unit: &'static str, bound: Option<Bound>) {
        let name = name.to_owned();
        self.0.push(Figure {
            name,
            value,
            unit,
            bound,
        });
    }

    /// Prints the table. `false`: a bound is broken.
    pub(crate) fn print(&self) -> bool {
        let mut good = true;
        for figure in &self.0 {
            let (bound, ok) = match figure.bound {
                None => (String::new(), true),
                Some(Bound::AtMost(most)) => (format!("at most {most}"), figure.value <= most),
                Some(Bound::AtLeast(least)) => (format!("at least {least}"), figure.value >= least),
            };
            good &= ok;
            let word = if ok { "" } else { "  FAILED" };
            let Figure {
                name, value, unit, ..
            } = figure;
            println!("{name:<52} {value:>9.2} {unit:<3} {bound}{word}");
        }
        good
    }
}

pub(crate) fn median(values: Vec<f64>) -> f64 {
    quantile(values, 0.5)
}

pub(crate) fn quantile(mut values: Vec<f64>, of: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = (values.len() as f64 * of) as usize;
    values
        .get(at.min(values.len().saturating_sub(1)))
        .copied()
        .unwrap_or_default()
}
