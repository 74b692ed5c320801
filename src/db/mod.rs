//! Every line of SQL. Identifiers from the data map are quoted by `quote`; values are always parameters.

pub mod application;
mod connect;
mod deks;
mod error;
mod quote;

pub use connect::Session;
pub use deks::DekRow;
pub use error::{DbError, DbErrorKind};
pub use quote::{ident, table};
