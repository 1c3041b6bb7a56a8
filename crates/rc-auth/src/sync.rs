//! What a live grant is synchronised by.
//!
//! With `--cfg shuttle` (`cargo xtask interleave`) a scheduler decides at each of these who goes on, and tries one
//! interleaving after another.

#[cfg(not(shuttle))]
pub(crate) use std::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicU64, Ordering},
};

#[cfg(not(shuttle))]
pub(crate) use arc_swap::ArcSwapOption as Slot;
#[cfg(shuttle)]
pub(crate) use shuttle::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicU64, Ordering},
};

#[cfg(shuttle)]
pub(crate) use self::slot::Slot;

#[cfg(shuttle)]
pub(crate) mod slot {
    //! A slot whose reads and writes are moments of the scheduler.

    use std::sync::Arc;

    use shuttle::{
        sync::{
            Mutex,
            atomic::{AtomicBool, Ordering},
        },
        thread,
    };

    shuttle::lazy_static! {
        /// As if the fence between a write and the wake-up after it were gone: writes are seen some time later.
        pub(crate) static ref IS_LATE: AtomicBool = AtomicBool::new(false);
    }

    #[derive(Debug)]
    pub(crate) struct Slot<T>(Arc<Mutex<Option<Arc<T>>>>);

    impl<T: Send + Sync + 'static> Slot<T> {
        pub(crate) fn empty() -> Self {
            Self(Arc::new(Mutex::new(None)))
        }

        pub(crate) fn load_full(&self) -> Option<Arc<T>> {
            self.0.lock().expect("nobody panics with it").clone()
        }

        pub(crate) fn load(&self) -> Option<Arc<T>> {
            self.load_full()
        }

        pub(crate) fn store(&self, value: Option<Arc<T>>) {
            let slot = self.0.clone();
            let write = move || *slot.lock().expect("nobody panics with it") = value;
            if IS_LATE.load(Ordering::SeqCst) {
                thread::spawn(write);
            } else {
                write();
            }
        }
    }
}
