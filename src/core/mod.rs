//! The pure room: formats, keys, states, rules. No I/O, no clock, no terminal, no async.
//! Whatever depends on time takes `now`. Nobody outside is known here; everybody outside may use it.

pub mod cell;
pub mod chain;
pub mod data_map;
pub mod database_url;
pub mod dek;
pub mod duration;
pub mod envelope;
pub mod ids;
pub mod key_state;
pub mod keyring;
pub mod kms;
pub mod nearest;
pub mod passfile;
pub mod permissions;
pub mod policy;
pub mod problem;
pub mod provision;
pub mod seal;
pub mod surroundings;
pub mod throttle;
pub mod watch;
