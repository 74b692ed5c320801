//! Ids are newtypes made only by `parse`, so that an organization is never taken for a DEK row.
//! The application's ids are TEXT; nothing here assumes that they are UUIDs.

use serde::Serialize;
use std::fmt;

/// Text that cannot be an id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} is empty or holds a control character")]
pub struct BadId {
    what: &'static str,
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes any non-empty text without control characters.
            pub fn parse(text: &str) -> Result<$name, BadId> {
                if text.is_empty() || text.chars().any(char::is_control) {
                    return Err(BadId { what: $what });
                }
                Ok($name(text.to_owned()))
            }

            /// The id as it stands in the database.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id!(
    /// An organization, as the DEK table and the rows name it.
    OrgId, "organization id"
);
text_id!(
    /// A row of the application's DEK table. Versions are not unique there; rows are.
    DekId, "DEK id"
);

/// A DEK version number: grows by one per rotation, per organization. Not unique (see `DekId`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct KeyVersion(pub i32);

impl fmt::Display for KeyVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
