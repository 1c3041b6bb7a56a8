//! The kit on the stores of this crate.

use std::sync::Arc;

use rc_store::{KeyRing, MemoryStore, Sealed, TokenStore};

fn ring() -> KeyRing {
    KeyRing::generate("test").expect("a ring")
}

mod memory {
    use super::*;

    fn new_place() -> Arc<MemoryStore> {
        Arc::default()
    }

    async fn open(place: &Arc<MemoryStore>) -> Arc<MemoryStore> {
        Arc::clone(place)
    }

    rc_store::token_store_tests!(open, at = new_place);
}

mod sealed {
    use super::*;

    async fn open() -> Sealed<MemoryStore> {
        Sealed::new(MemoryStore::new(), ring())
    }

    rc_store::token_store_tests!(open);
}

mod boxed {
    use super::*;

    async fn open() -> Box<dyn TokenStore> {
        Box::new(MemoryStore::new())
    }

    rc_store::token_store_tests!(open);
}

mod sealed_shared {
    use super::*;

    type Place = (Arc<dyn TokenStore>, KeyRing);

    fn new_place() -> Place {
        (Arc::new(MemoryStore::new()), ring())
    }

    async fn open((store, ring): &Place) -> Sealed<Arc<dyn TokenStore>> {
        Sealed::new(store.clone(), ring.clone())
    }

    rc_store::token_store_tests!(open, at = new_place);
}
