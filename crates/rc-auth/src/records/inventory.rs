//! What stands in the store, for operators.

use rc_auth_core::{EndReason, GrantRecord, Person, RecordState, Timestamp};
use rc_store::{RecordKey, StoreError};

use super::{
    Records,
    format::{self, StoredRecord},
};

/// How many records are looked at in one go.
const PAGE: usize = 100;

/// A grant as it stands in the store, without its tokens.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ListedGrant {
    /// The record that keeps it: names it for [`Client::sign_out_record`](crate::Client::sign_out_record).
    pub record: RecordKey,
    /// What is going on.
    pub state: ListedState,
    /// When the user signed in, unless an old version wrote the record.
    pub made_at: Option<Timestamp>,
    /// When it was last used, as far as that was written down.
    pub last_used_at: Option<Timestamp>,
    /// Who signed in, if the application has found out.
    pub person: Option<Person>,
}

/// What is going on with a [`ListedGrant`].
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ListedState {
    /// It is good.
    SignedIn {
        /// When the access token ends.
        access_expires_at: Timestamp,
        /// When the refresh token ends, if the server said so.
        refresh_expires_at: Option<Timestamp>,
    },
    /// Some process is refreshing it, or has died over that.
    Refreshing,
    /// It is over; the platform is still to be told.
    BeingRevoked,
    /// It is over.
    Over(EndReason),
    /// The record cannot be read: why. No payload is in the text.
    Unreadable(String),
}

/// A part of the inventory, from [`Client::list_grants`](crate::Client::list_grants).
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct GrantPage {
    /// The grants, in the order of their records. There may be none although more follow.
    pub grants: Vec<ListedGrant>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<RecordKey>,
}

pub(crate) async fn list(
    records: &Records,
    after: Option<RecordKey>,
) -> Result<GrantPage, StoreError> {
    let page = records.store().scan(after, PAGE).await?;
    let next = page.last().map(|listed| listed.key);
    let grants = page.into_iter().filter_map(|listed| {
        let grant = match listed.stored {
            Ok(stored) => format::decode(&stored.payload).map_err(|error| error.to_string()),
            Err(error) => Err(with_cause(&error)),
        };
        match grant {
            Ok(StoredRecord::Grant(grant)) => Some(of_record(listed.key, grant)),
            Ok(_) => None,
            Err(why) => Some(ListedGrant {
                record: listed.key,
                state: ListedState::Unreadable(why),
                made_at: None,
                last_used_at: None,
                person: None,
            }),
        }
    });
    Ok(GrantPage {
        grants: grants.collect(),
        next,
    })
}

fn of_record(key: RecordKey, grant: GrantRecord) -> ListedGrant {
    ListedGrant {
        record: key,
        state: state(&grant.state),
        made_at: grant.about.made_at,
        last_used_at: grant.about.last_used_at,
        person: grant.about.person,
    }
}

fn state(state: &RecordState) -> ListedState {
    match state {
        RecordState::Idle { pair, .. } => ListedState::SignedIn {
            access_expires_at: pair.access_expires_at(),
            refresh_expires_at: pair.refresh_expires_at(),
        },
        RecordState::Refreshing { .. } => ListedState::Refreshing,
        RecordState::SignedOut { .. } => ListedState::BeingRevoked,
        RecordState::Ended { reason } => ListedState::Over(*reason),
    }
}

fn with_cause(error: &StoreError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
