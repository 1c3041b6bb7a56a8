//! Where an owner is signed in.

use std::{fmt, sync::Arc};

use futures_util::{StreamExt as _, stream};
use rc_auth_core::{About, ChainId, GrantRecord, Person, Timestamp, Trouble};
use rc_store::RecordKey;

use super::{FoundIndex, is_under_way, read, write};
use crate::{
    error::GrantError,
    key::{GrantKey, owner_record_key},
    records::{Found, IndexEntry, ReadFailure, StoredRecord},
    state::ClientState,
};

/// How many records are read at once.
const AT_ONCE: usize = 8;

/// One place where an owner is signed in, from [`Client::sign_ins_of`](crate::Client::sign_ins_of) or
/// [`Grant::sign_ins`](crate::Grant::sign_ins). `Debug` leaves the label out, which may name a person's
/// device.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub struct SignInEntry {
    /// The grant's key: `client.grant(&entry.key).sign_out()` ends this sign-in. It opens the grant, so it
    /// is not for pages: number the entries there instead.
    pub key: GrantKey,
    /// When the user signed in. Unknown only for sign-ins of versions that wrote no time down.
    pub made_at: Option<Timestamp>,
    /// When the grant was last used, as far as that was written down: see
    /// [`RefreshPolicy::max_idle`](crate::RefreshPolicy::max_idle).
    pub last_used_at: Option<Timestamp>,
    /// What the application said of the browser or the device, by
    /// [`SignInOptions::label`](crate::SignInOptions::label).
    pub label: Option<String>,
    /// Who signed in, if the application has said so by [`Grant::remember`](crate::Grant::remember).
    pub person: Option<Person>,
    /// Whether this is the grant that [`Grant::sign_ins`](crate::Grant::sign_ins) was called on. Always `false` from
    /// [`Client::sign_ins_of`](crate::Client::sign_ins_of).
    pub is_this: bool,
}

impl fmt::Debug for SignInEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignInEntry")
            .field("made_at", &self.made_at)
            .field("last_used_at", &self.last_used_at)
            .field("is_this", &self.is_this)
            .finish_non_exhaustive()
    }
}

/// What stands behind an entry.
pub(super) enum Behind {
    /// Its grant.
    Standing(Box<GrantRecord>),
    /// Its grant, which is over.
    Over,
    /// Nothing, or the grant of another sign-in.
    Absent,
    /// A record that cannot be read.
    Unknown(ReadFailure),
}

/// An entry, and what stands behind it.
pub(super) struct Looked {
    pub(super) entry: IndexEntry,
    pub(super) record: RecordKey,
    pub(super) behind: Behind,
}

/// Reads the index of an owner and the record of each entry, and has what is over cleaned away.
pub(super) async fn look(
    client: &Arc<ClientState>,
    owner_id: &str,
) -> Result<Vec<Looked>, GrantError> {
    let key = owner_record_key(&client.platform.app, owner_id);
    let Some(FoundIndex { mut index, version }) = read(client, &key).await.map_err(unread)? else {
        return Ok(Vec::new());
    };
    let before = index.entries.len();
    let looks = std::mem::take(&mut index.entries).into_iter().map(|entry| {
        let client = client.clone();
        async move {
            let record = entry.record_key()?;
            let behind = behind(&client, &entry, &record).await;
            Some(Looked {
                entry,
                record,
                behind,
            })
        }
    });
    let looked = stream::iter(looks).buffered(AT_ONCE);
    let looked: Vec<Looked> = looked.filter_map(std::future::ready).collect().await;
    let now = client.environment.wall();
    let kept = looked.iter().filter(|looked| looked.stays(now));
    index.entries = kept.map(|looked| looked.entry.clone()).collect();
    if index.entries.len() < before {
        let state = client.clone();
        client.tasks.spawn("owner-index", async move {
            // A failure was logged; if somebody else has written it, the next reader cleans it.
            let _ = write(&state, &key, index, Some(version)).await;
        });
    }
    Ok(looked)
}

impl Looked {
    fn stays(&self, now: Timestamp) -> bool {
        match self.behind {
            Behind::Standing(_) | Behind::Unknown(_) => true,
            Behind::Over => false,
            Behind::Absent => is_under_way(&self.entry, now),
        }
    }
}

async fn behind(client: &ClientState, entry: &IndexEntry, record: &RecordKey) -> Behind {
    match client.records.read(record).await {
        Ok(Some(Found {
            record: StoredRecord::Grant(grant),
            ..
        })) if grant.chain == entry.chain => match grant.pair() {
            Some(_) => Behind::Standing(Box::new(grant)),
            None => Behind::Over,
        },
        Ok(_) => Behind::Absent,
        Err(failure) => Behind::Unknown(failure),
    }
}

/// The sign-ins of an owner whose grants stand, the latest last.
pub(crate) async fn list(
    client: &Arc<ClientState>,
    owner_id: &str,
) -> Result<Vec<SignInEntry>, GrantError> {
    let mut listed = Vec::new();
    for looked in look(client, owner_id).await? {
        match looked.behind {
            Behind::Standing(grant) => listed.push(shown(looked.entry, grant.about)),
            Behind::Unknown(ReadFailure::Unavailable) => {
                return Err(unread(ReadFailure::Unavailable));
            }
            // Logged; nobody can use such a grant.
            Behind::Unknown(ReadFailure::Unreadable) | Behind::Over | Behind::Absent => {}
        }
    }
    Ok(listed)
}

fn shown(entry: IndexEntry, about: About) -> SignInEntry {
    SignInEntry {
        key: GrantKey::new(entry.key),
        made_at: Some(entry.made_at),
        last_used_at: about.last_used_at,
        label: entry.label,
        person: about.person,
        is_this: false,
    }
}

/// A grant that lists the sign-ins of its owner.
pub(crate) struct This {
    pub(crate) key: GrantKey,
    pub(crate) record: RecordKey,
    pub(crate) chain: ChainId,
    pub(crate) owner_id: Option<String>,
    pub(crate) made_at: Option<Timestamp>,
    pub(crate) last_used_at: Option<Timestamp>,
    pub(crate) person: Option<Person>,
}

/// The sign-ins of a grant's owner, itself among them. One that stands in no index, from before there were
/// any, is entered.
pub(crate) async fn list_beside(
    client: &Arc<ClientState>,
    this: This,
) -> Result<Vec<SignInEntry>, GrantError> {
    let Some(owner_id) = &this.owner_id else {
        return Ok(vec![alone(this)]);
    };
    let mut listed = list(client, owner_id).await?;
    match listed.iter_mut().find(|entry| entry.key == this.key) {
        Some(own) => own.is_this = true,
        None => {
            if listed.len() < super::MOST {
                enter_later(client, owner_id, &this);
            }
            listed.push(alone(this));
        }
    }
    Ok(listed)
}

fn enter_later(client: &Arc<ClientState>, owner_id: &str, this: &This) {
    let made_at = this.made_at.unwrap_or_else(|| client.environment.wall());
    let entry = super::entry(&this.record, &this.key, this.chain, made_at, None);
    let (state, owner_id) = (client.clone(), owner_id.to_owned());
    client.tasks.spawn("owner-index", async move {
        super::enter(&state, &owner_id, entry).await;
    });
}

fn alone(this: This) -> SignInEntry {
    SignInEntry {
        key: this.key,
        made_at: this.made_at,
        last_used_at: this.last_used_at,
        label: None,
        person: this.person,
        is_this: true,
    }
}

fn unread(failure: ReadFailure) -> GrantError {
    let trouble = match failure {
        ReadFailure::Unavailable => Trouble::Store,
        ReadFailure::Unreadable => Trouble::Record,
    };
    GrantError::Unavailable {
        retry_at: None,
        trouble: Some(Box::new(trouble)),
    }
}
