//! What the simulated platform costs: `cargo bench -p rc-sim`, or `cargo xtask bench sim`.
//!
//! Prints a line for each figure with its bound, and fails when one is broken.

mod figures;
mod pure;
mod served;
mod wire;

use figures::Figures;

fn main() {
    let mut figures = Figures::default();
    pure::measure(&mut figures);
    served::measure(&mut figures);
    std::process::exit(i32::from(!figures.print()));
}
