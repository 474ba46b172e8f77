//! OpenAPI documents as tools, through the public API.

mod bodies;
mod documents;
mod generate;
mod parameters;
mod properties;
mod reading;
mod support;
mod tools;
