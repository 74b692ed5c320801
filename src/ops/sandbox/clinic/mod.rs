//! A clinic's data, invented: the same for the same seed number, but for ids of keys, IVs and the keys themselves.
//!
//! `dice` is the seeded randomness, `chart` what people write, `load` the rows and the workers that COPY them in.
//! Nobody in here exists; nothing is taken from a real record.

mod chart;
mod dice;
pub mod load;
mod rows;

pub use load::LoadedOrganization;
pub use rows::Spec;
