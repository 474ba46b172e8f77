//! What servers do when what they depend on fails, and when clients behave as they should not: on real processes, over HTTP,
//! with a real PostgreSQL.
//!
//! Each test prints what it measured: `cargo xtask test -p towline-soak --test faults -- --nocapture`. docs/reliability.md
//! has the figures. With `TOWLINE_FAULTS_SCALE=10` the tests of memory send ten times as much.

mod clients;
mod crowd;
mod database;
mod drain;
mod flood;
mod load;
mod rest;
mod slow;
mod support;
