//! The application on a real port, against the simulated platform, with SQLite on disk.

mod sign_in;
mod stage;
mod standing;
