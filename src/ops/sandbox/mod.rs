//! The sandbox: a throwaway PostgreSQL, the embedded AWS endpoint and a clinic's data, on loopback alone.
//!
//! Nothing here touches a real account or database: every address is made by us, on a free port, with a password of its own.
//! `cluster` runs the PostgreSQL that is installed; it is also what the integration tests stand on.

pub mod cluster;
pub mod installed;
