//! Benchmarks of Towline beside bare hyper, bare tokio-postgres and other implementations of the protocol.
//!
//! `cargo bench -p towline-bench` runs them all and prints one table; `-- --quick` takes about a minute.
//!
//! Every contender serves the same tools in a process of its own, and the figure that counts is the CPU time which
//! that process spends on one call. Contenders take turns in short rounds, and each round is compared with the bare
//! server of the same round, so that what else the machine does falls on all of them alike.
//!
//! `--bench layers` measures what each layer adds to a call, within one process, beside the layers of others.

pub mod cost;
pub mod load;
pub mod measure;
pub mod postgres;
pub mod process;
pub mod report;
pub mod server;
pub mod service;
pub mod workload;

/// Any error: what goes wrong ends the benchmark.
pub type Error = Box<dyn std::error::Error + Send + Sync>;
