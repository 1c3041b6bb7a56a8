//! What is printed of a search.

use crate::{bounds::Bounds, events::Event, search::Found, world::World};

/// Prints figures, and the shortest path to a violation if there is one.
pub(crate) fn tell(bounds: &Bounds, found: &Found) -> Result<(), String> {
    println!(
        "{} processes, {:?}, pauses written down: {}, each refresh token taken once: {}",
        bounds.processes, bounds.left, bounds.pauses, bounds.strict
    );
    println!(
        "{} states, {} transitions, depth {}, {} states at rest, {} of them indeterminate, {:.1} s",
        found.states,
        found.transitions,
        found.depth,
        found.at_rest,
        found.indeterminate,
        found.time.as_secs_f64()
    );
    for (kind, times) in &found.taken {
        println!("{times:>12}  {kind}");
    }
    if let Some((broken, path)) = &found.broken {
        println!("broken: {}: {}", broken.invariant, broken.detail);
        return tell_path(bounds, path);
    }
    if found.gave_up {
        println!("no invariant broken so far; not all states were seen");
    } else {
        println!("no invariant broken");
    }
    Ok(())
}

/// The path as a numbered list, with the record after every step.
fn tell_path(bounds: &Bounds, path: &[Event]) -> Result<(), String> {
    let mut world = World::new(bounds)?;
    for (number, event) in (1..).zip(path) {
        let end = world.apply(*event);
        println!("{number:>4}. {event}");
        println!("        {}", world.told());
        if let Err(broken) = end {
            println!("        broken: {}", broken.detail);
        }
    }
    Ok(())
}

impl World {
    /// Record, platform and processes in one line.
    fn told(&self) -> String {
        let record = self.record.as_ref().map_or("none".to_owned(), |record| {
            let state = format!("{:?}", record.state);
            let name: String = state.chars().take_while(|c| c.is_alphanumeric()).collect();
            let by = record.chain.as_bytes()[0];
            format!("{name} of chain {by}, generation {}", record.generation)
        });
        let calls = self.processes.iter().map(|process| {
            let view = process.machine.view(self.now);
            format!(
                "{:?} {:?} {:?}",
                view.phase,
                process.call.is_some(),
                process.request
            )
        });
        let calls: Vec<String> = calls.collect();
        format!(
            "store: {record}; platform: {:?}; processes: {}",
            self.chains,
            calls.join(" | ")
        )
    }
}
