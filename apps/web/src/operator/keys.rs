//! Which key has sealed what, and sealing it anew.

use rc_auth::store::{KeyUsage, Rotation, Sealed, TokenStore};

use super::{OperatorError, progress::Progress};
use crate::output;

type Store = Sealed<Box<dyn TokenStore>>;

pub(super) async fn usage(store: &Store) -> Result<(), OperatorError> {
    let usage = shown(&store.key_usage().await?, &store.key_ring());
    Ok(output::print(&usage)?)
}

pub(super) async fn rotate(store: &Store) -> Result<(), OperatorError> {
    let before = store.key_usage().await?;
    let total = before.by_key.values().sum::<u64>() + before.unsealed;
    let mut progress = Progress::new("Sealed", total);
    let rotation = store.rotate(None, |now| progress.at(now.seen)).await?;
    drop(progress);
    output::print(&format!(
        "Sealed {} records anew; {} had the key `{}` already.\n{}",
        rotation.resealed,
        rotation.current,
        store.key_ring().active_id(),
        shown(&store.key_usage().await?, &store.key_ring())
    ))?;
    if rotation.is_complete() {
        return Ok(());
    }
    Err(OperatorError::Said(left(&rotation)))
}

/// What could not be sealed anew, and what to do.
fn left(rotation: &Rotation) -> String {
    let mut lines = Vec::new();
    for (id, count) in &rotation.missing {
        lines.push(format!(
            "{count} records are sealed with the key `{id}`, which RC_ENCRYPTION_KEYS does not have: add it \
             behind the others and run this again"
        ));
    }
    if rotation.unreadable > 0 {
        lines.push(format!(
            "{} records are damaged; `rc-web store list` names them",
            rotation.unreadable
        ));
    }
    if rotation.left > 0 {
        lines.push(format!(
            "{} records were written by others all the time: run this again",
            rotation.left
        ));
    }
    lines.join("\n")
}

fn shown(usage: &KeyUsage, ring: &rc_auth::store::KeyRing) -> String {
    let mut text = String::new();
    let known: Vec<&str> = ring.ids().collect();
    let unused = known.iter().filter(|id| !usage.by_key.contains_key(**id));
    let unused = unused.map(|id| ((*id).to_owned(), 0));
    let used = usage.by_key.iter().map(|(id, count)| (id.clone(), *count));
    for (id, count) in used.chain(unused) {
        let note = if id == ring.active_id() {
            "  active"
        } else if known.iter().all(|known| **known != id) {
            "  missing from RC_ENCRYPTION_KEYS"
        } else if count == 0 {
            "  unused: may be taken away"
        } else {
            ""
        };
        text.push_str(&format!("{id:<32} {count:>10} records{note}\n"));
    }
    if usage.unsealed > 0 {
        text.push_str(&format!(
            "{:<32} {:>10} records\n",
            "(not sealed, or damaged)", usage.unsealed
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_key_is_named_with_its_records_and_an_unused_one_may_go() {
        let key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        let ring = format!("new:{key},old:{key}").parse().unwrap();
        let mut usage = KeyUsage::default();
        usage.by_key.insert("new".to_owned(), 12);
        usage.by_key.insert("lost".to_owned(), 3);
        let text = shown(&usage, &ring);
        let expected = [
            ("lost", "3 records  missing from RC_ENCRYPTION_KEYS"),
            ("new", "12 records  active"),
            ("old", "0 records  unused: may be taken away"),
        ];
        for (line, (id, said)) in text.lines().zip(expected) {
            assert!(line.starts_with(id) && line.ends_with(said), "{line}");
        }
        assert_eq!(text.lines().count(), expected.len());
    }
}
