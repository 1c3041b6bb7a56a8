//! Explores every order of events around the machine of a grant: processes, store, platform, crashes.

mod apply;
mod bounds;
mod defects;
mod drive;
mod events;
mod invariants;
mod key;
mod platform;
mod search;
mod store;
#[cfg(test)]
mod tests;
mod told;
mod world;

use std::process::ExitCode;

use bounds::Bounds;

fn main() -> ExitCode {
    if std::env::args().skip(1).eq(["--spoiled"]) {
        return match defects::find_all() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        };
    }
    let searched = Bounds::parse(std::env::args().skip(1)).and_then(|bounds| {
        let found = search::explore(&bounds)?;
        told::tell(&bounds, &found)?;
        Ok(found)
    });
    match searched {
        Ok(found) if found.broken.is_some() => ExitCode::FAILURE,
        Ok(found) if found.gave_up => ExitCode::from(2),
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}
