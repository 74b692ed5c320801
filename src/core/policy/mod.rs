//! Policy documents as typed values: read, written, compared, built, judged. Pure: nothing here has ever spoken to AWS.
//!
//! `document` is the value and `reading` its parser, `compare` says whether two mean the same, `key_policy` and `audit_policy` build what the master
//! key and the audit key get, `roles` what people apply in IAM, `lint` finds the traps, `actions` and `arn`
//! are the words. A document somebody wrote by hand is never changed by being read: what is not understood is kept.

mod actions;
mod arn;
mod audit_policy;
mod compare;
mod document;
mod key_policy;
mod lint;
mod reading;
pub mod roles;

pub use actions::{is_known_action, matches_pattern};
pub use arn::{Who, is_account};
pub use audit_policy::{AuditReaders, for_audit_key};
pub use compare::differences;
pub use document::{Condition, Document, Effect, Principal, Statement, Words};
pub use key_policy::{BuildError, Principals, for_master_key};
pub use lint::{KeyKind, LintContext, lint};
pub use reading::Malformed;

/// Bytes of a key policy at most (KMS resource quotas: 32 KB), counted on the compact JSON that is sent.
pub const LARGEST: usize = 32 * 1024;
