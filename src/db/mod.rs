//! Every line of SQL. Identifiers from the data map are quoted by `quote`; values are always parameters.

pub mod application;
pub mod catalog;
pub mod cells;
pub mod census;
mod connect;
mod deks;
mod error;
pub mod flip;
pub mod jobs;
mod quote;

pub use connect::Session;
pub use deks::DekRow;
pub use error::{DbError, DbErrorKind};
pub use quote::{ident, table};
