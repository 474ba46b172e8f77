//! The pack over real sockets, and what it refuses to do.

mod caching;
mod common;
mod credentials;
mod egress;
mod faults;
mod import;
mod reach;
mod tls;
mod tools;
