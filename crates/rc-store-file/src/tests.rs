//! What needs a look at the files.
