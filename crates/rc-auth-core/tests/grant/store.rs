//! One record under compare-and-swap, with faults.

use std::{collections::VecDeque, time::Duration};

use rc_auth_core::{
    GrantRecord, Held, LoadFailure, Loaded, RecordState, RecordVersion, SaveFailure, Timestamp,
};

/// What happens to the next save instead of an honest answer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SaveFault {
    /// Written, and the answer is lost.
    WrittenUnknown,
    /// Not written, and the answer is lost.
    LostUnknown,
}

#[derive(Debug, Default)]
pub(crate) struct Store {
    pub(crate) record: Option<GrantRecord>,
    pub(crate) due: Option<Timestamp>,
    pub(crate) save_faults: VecDeque<SaveFault>,
    pub(crate) load_faults: VecDeque<LoadFailure>,
    /// Everything that was ever written.
    pub(crate) log: Vec<GrantRecord>,
    /// How often the record was read.
    pub(crate) loads: u32,
    version: u128,
}

impl Store {
    /// Writes without asking what is there, as a sign-in or sign-out does after its own swap.
    pub(crate) fn put(&mut self, record: GrantRecord) {
        self.version += 1;
        self.log.push(record.clone());
        self.record = Some(record);
    }

    pub(crate) fn remove(&mut self) {
        self.version += 1;
        self.record = None;
    }

    pub(crate) fn load(&mut self) -> Result<Loaded, LoadFailure> {
        self.loads += 1;
        if let Some(fault) = self.load_faults.pop_front() {
            return Err(fault);
        }
        let held = self.record.clone().map(|record| {
            Box::new(Held {
                record,
                version: self.version(),
            })
        });
        Ok(Loaded {
            held,
            silent_for: Duration::ZERO,
        })
    }

    pub(crate) fn save(
        &mut self,
        record: GrantRecord,
        due: Timestamp,
        expect: RecordVersion,
    ) -> Result<RecordVersion, SaveFailure> {
        let fault = self.save_faults.pop_front();
        if let Some(SaveFault::LostUnknown) = fault {
            return Err(SaveFailure::OutcomeUnknown);
        }
        let fits = self.record.is_some() && expect == self.version();
        if fits {
            self.put(record);
            self.due = Some(due);
        }
        match fault {
            Some(SaveFault::WrittenUnknown | SaveFault::LostUnknown) => {
                Err(SaveFailure::OutcomeUnknown)
            }
            None if fits => Ok(self.version()),
            None => Err(SaveFailure::Conflict),
        }
    }

    /// Whether a pair with this access token was ever written.
    pub(crate) fn has_held(&self, access_token: Option<&str>) -> bool {
        self.log.iter().any(|record| {
            let pair = record.pair();
            pair.is_some_and(|pair| pair.access_token().map(|token| token.expose()) == access_token)
        })
    }

    pub(crate) fn state(&self) -> &RecordState {
        &self.record.as_ref().expect("there is a record").state
    }

    /// The version of what is there.
    pub(crate) fn version(&self) -> RecordVersion {
        RecordVersion::new(self.version.to_be_bytes())
    }
}
