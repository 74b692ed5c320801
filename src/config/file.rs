//! The YAML file. The only place that reads it.

use super::{Env, Environment, Flags, Policy, Provider, Sourced};
use crate::core::data_map::DataMap;
use crate::error::Failure;
use std::path::PathBuf;

/// What the file says, each value with its line.
#[derive(Default)]
pub(super) struct File {
    pub path: Option<Sourced<PathBuf>>,
    pub environment: Option<Sourced<Environment>>,
    pub kms: Option<Sourced<Provider>>,
    pub region: Option<Sourced<String>>,
    pub key: Option<Sourced<String>>,
    pub database_url_file: Option<Sourced<PathBuf>>,
    pub map: Option<Sourced<DataMap>>,
    pub policy: Option<Policy>,
    pub local_store: Option<Sourced<PathBuf>>,
}

impl File {
    /// The file that applies, read and checked; an empty one when there is none.
    pub(super) fn find(
        _flags: &Flags,
        _env: &Env,
        _environment: Option<Environment>,
        _notes: &mut Vec<String>,
    ) -> Result<File, Failure> {
        Ok(File::default())
    }
}
