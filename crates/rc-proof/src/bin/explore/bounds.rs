//! What a search may do at most, and how it reads that from the command line.

use crate::defects::Defect;

/// How much of everything may happen. The default is what one core looks at in half a minute.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) processes: u8,
    pub(crate) left: Left,
    /// Seconds after which the search gives up; its result is not complete then.
    pub(crate) seconds: u64,
    /// Failed tries make pauses that are written down.
    pub(crate) pauses: bool,
    /// The platform takes each refresh token once, and everybody knows.
    pub(crate) strict: bool,
    /// Depth first: for searches that would not fit into memory otherwise.
    pub(crate) deep: bool,
    pub(crate) defect: Defect,
}

/// What may still happen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Left {
    /// How often an access token ends.
    pub(crate) rotations: u8,
    pub(crate) crashes: u8,
    /// Failures of the store and the network.
    pub(crate) faults: u8,
    pub(crate) sign_outs: u8,
    pub(crate) sign_ins: u8,
    /// Access tokens that a resource refuses.
    pub(crate) refusals: u8,
    /// How often the limit of token requests has none left.
    pub(crate) closings: u8,
    /// Answers that leave out the refresh token.
    pub(crate) omissions: u8,
    /// Steps of the clock while a call or a request is under way; 255: any number.
    pub(crate) slow: u8,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            processes: 2,
            left: Left {
                rotations: 2,
                crashes: 1,
                faults: 0,
                sign_outs: 0,
                sign_ins: 0,
                refusals: 0,
                closings: 0,
                omissions: 0,
                slow: 3,
            },
            seconds: 1200,
            pauses: false,
            strict: false,
            deep: false,
            defect: Defect::None,
        }
    }
}

impl Bounds {
    /// Two processes and one rotation, with a defect.
    pub(crate) fn small(defect: Defect) -> Self {
        let default = Self::default();
        Self {
            left: Left {
                rotations: 1,
                crashes: 0,
                slow: 4,
                ..default.left
            },
            seconds: 300,
            defect,
            ..default
        }
    }

    /// Reads `--name number` pairs.
    pub(crate) fn parse(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut bounds = Self::default();
        while let Some(name) = args.next() {
            let value = args.next().ok_or(format!("{name} wants a number"))?;
            let number: u16 = value
                .parse()
                .map_err(|_| format!("{name} wants a number, not {value}"))?;
            bounds.set(&name, number)?;
        }
        if !(1..=6).contains(&bounds.processes) {
            return Err("--processes wants 1 to 6".to_owned());
        }
        if bounds.left.sign_ins > 3 || bounds.left.rotations > 9 {
            return Err("at most 3 sign-ins and 9 rotations".to_owned());
        }
        Ok(bounds)
    }

    fn set(&mut self, name: &str, number: u16) -> Result<(), String> {
        let small = u8::try_from(number).unwrap_or(u8::MAX);
        let left = &mut self.left;
        match name {
            "--processes" => self.processes = small,
            "--rotations" => left.rotations = small,
            "--crashes" => left.crashes = small,
            "--faults" => left.faults = small,
            "--sign-outs" => left.sign_outs = small,
            "--sign-ins" => left.sign_ins = small,
            "--refusals" => left.refusals = small,
            "--closings" => left.closings = small,
            "--omissions" => left.omissions = small,
            "--slow" => left.slow = small,
            "--seconds" => self.seconds = u64::from(number),
            "--pauses" => self.pauses = number > 0,
            "--strict" => self.strict = number > 0,
            "--deep" => self.deep = number > 0,
            _ => return Err(format!("{name} is not known")),
        }
        Ok(())
    }
}
