//! Search over all orders of events: breadth first, so that the first violation has the shortest path, or depth first,
//! which keeps few states beside the names of those that were seen.

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    time::{Duration, Instant},
};

use crate::{
    bounds::Bounds,
    events::{Delivery, Event, Outcome},
    invariants::Broken,
    world::World,
};

/// What a search has found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) states: usize,
    pub(crate) transitions: u64,
    pub(crate) depth: u32,
    /// States in which nothing is left to happen by itself.
    pub(crate) at_rest: u64,
    /// Those of them in which nobody can know whether the grant lives.
    pub(crate) indeterminate: u64,
    pub(crate) taken: BTreeMap<&'static str, u64>,
    pub(crate) time: Duration,
    /// The search was given up before its end.
    pub(crate) gave_up: bool,
    pub(crate) broken: Option<(Broken, Vec<Event>)>,
}

/// How a state was reached first.
struct Step {
    parent: u32,
    event: Event,
}

struct Search {
    seen: HashSet<u128>,
    steps: Vec<Step>,
    queue: VecDeque<(World, u32, u32)>,
    found: Found,
}

/// Looks at everything that can happen within the bounds.
pub(crate) fn explore(bounds: &Bounds) -> Result<Found, String> {
    let began = Instant::now();
    let limit = Duration::from_secs(bounds.seconds);
    let first = World::new(bounds)?;
    let mut search = Search {
        seen: HashSet::from([first.key()]),
        steps: vec![Step {
            parent: 0,
            event: Event::Jump,
        }],
        queue: VecDeque::from([(first, 0, 0)]),
        found: Found::default(),
    };
    while let Some((world, place, depth)) = search.next(bounds.deep) {
        search.found.depth = depth.max(search.found.depth);
        if let Err((broken, last)) = search.expand(&world, place, depth) {
            let path = search.path(place, last);
            search.found.broken = Some((broken, path));
            break;
        }
        if began.elapsed() > limit {
            search.found.gave_up = true;
            break;
        }
    }
    search.found.states = search.seen.len();
    search.found.time = began.elapsed();
    Ok(search.found)
}

impl Search {
    fn next(&mut self, deep: bool) -> Option<(World, u32, u32)> {
        if deep {
            self.queue.pop_back()
        } else {
            self.queue.pop_front()
        }
    }

    fn expand(
        &mut self,
        world: &World,
        place: u32,
        depth: u32,
    ) -> Result<(), (Broken, Option<Event>)> {
        let events = world.events();
        if !events.iter().any(|event| event.goes_on()) {
            self.found.at_rest += 1;
            self.found.indeterminate += u64::from(world.is_indeterminate());
            world.check_rest().map_err(|broken| (broken, None))?;
        }
        for event in events {
            let mut next = world.clone();
            next.apply(event).map_err(|broken| (broken, Some(event)))?;
            self.found.transitions += 1;
            *self.found.taken.entry(event.kind()).or_default() += 1;
            if self.seen.insert(next.key()) {
                let here = u32::try_from(self.steps.len()).unwrap_or(u32::MAX);
                self.steps.push(Step {
                    parent: place,
                    event,
                });
                self.queue.push_back((next, here, depth + 1));
            }
        }
        Ok(())
    }

    fn path(&self, mut place: u32, last: Option<Event>) -> Vec<Event> {
        let mut path: Vec<Event> = last.into_iter().collect();
        while let Some(step) = self.steps.get(place as usize).filter(|_| place > 0) {
            path.push(step.event);
            place = step.parent;
        }
        path.reverse();
        path
    }
}

impl Event {
    /// Whether it happens by itself sooner or later.
    const fn goes_on(self) -> bool {
        match self {
            Self::Store(_, Outcome::Done)
            | Self::HearStore(_)
            | Self::OpenGate(_)
            | Self::Platform(_, Delivery::Answered)
            | Self::HearPlatform(_)
            | Self::HearNews(_)
            | Self::Timer(_)
            | Self::Sweep(_)
            | Self::Jump
            | Self::Finish
            | Self::Revoke(_) => true,
            Self::Want(_)
            | Self::FallAsleep(_)
            | Self::Store(..)
            | Self::CloseGate(_)
            | Self::Platform(..)
            | Self::Crash(_)
            | Self::SignOut(_)
            | Self::SignIn(_)
            | Self::Use(_)
            | Self::Refuse(_)
            | Self::RefuseOlder(_)
            // What nobody waits for may as well be lost.
            | Self::Stray(_)
            | Self::Expire => false,
        }
    }
}
