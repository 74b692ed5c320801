//! Every line of SQL. Identifiers from the data map are quoted by `quote`; values are always parameters.

pub mod application;
mod audit;
mod binding;
pub mod catalog;
pub mod cells;
pub mod census;
mod connect;
mod deks;
mod error;
pub mod flip;
pub mod jobs;
pub mod leases;
mod meta;
mod migrate;
mod parts;
mod privileges;
mod quote;
mod throttle;
mod tls;
mod wrappings;

pub use audit::{Entry, Filter};
pub use binding::Binding;
pub use connect::{Cancel, ServerFacts, Session};
pub use deks::DekRow;
pub use error::{DbError, DbErrorKind};
pub use meta::{DekFacts, DekStatus};
pub use migrate::{Installed, SCHEMA, SchemaError, SchemaState, known_version};
pub use privileges::{Grant, Need};
pub use quote::{ident, table};
pub use wrappings::{OpenReplacement, Rebinding, Replaced, Replacement, Unbound};
