//! The materials of master keys: which one wraps now, and (`rotation`) a new one on demand.
//!
//! A rotation changes nothing that is wrapped already: old material unwraps for ever, and DEKs stay under it until `ops::rewrapping` moves them.
//! KMS is asked once for each key of a run, and not at all when nobody needs to know.

mod rotation;

pub use rotation::{ON_DEMAND_LIMIT, Plan, Rotated, plan, refuse_a_second, rotate, settle_earlier};

use crate::app::App;
use crate::core::kms::{Kms, KmsError, KmsErrorKind};
use crate::ops::binding::arn_part;
use std::collections::HashMap;
use std::sync::Arc;

/// The newest material of each master key, asked for once: one DescribeKey a key.
pub struct Newest<'a> {
    app: &'a App,
    known: HashMap<String, Result<Option<String>, String>>,
    /// Why nobody can be asked: the next key would wait as long for the same answer.
    silent: Option<String>,
}

impl<'a> Newest<'a> {
    /// Knows nothing yet, and has asked nobody.
    pub fn of(app: &'a App) -> Newest<'a> {
        Newest { app, known: HashMap::new(), silent: None }
    }

    /// The newest material of a key, by ARN; `None` where the service does not say. An error is why nobody could be asked.
    pub fn of_key(&mut self, arn: &str) -> Result<Option<String>, String> {
        if let Some(known) = self.known.get(arn) {
            return known.clone();
        }
        let asked = match &self.silent {
            Some(why) => Err(why.clone()),
            None => self.ask(arn),
        };
        self.known.insert(arn.to_owned(), asked.clone());
        asked
    }

    fn ask(&mut self, arn: &str) -> Result<Option<String>, String> {
        let home = match self.app.kms() {
            Ok(home) => home,
            Err(failure) => {
                self.silent = Some(failure.message.clone());
                return Err(failure.message);
            }
        };
        let answer = in_region_of(&home, arn).and_then(|kms| kms.describe_key(arn));
        answer.map(|answer| answer.value.material_id).map_err(|error| {
            let about_one_key = matches!(error.kind, KmsErrorKind::Denied | KmsErrorKind::NotFound);
            self.silent = (!about_one_key).then(|| error.to_string());
            error.to_string()
        })
    }

    /// The first reason why a key's material could not be told.
    pub fn unanswered(&self) -> Option<&str> {
        self.known.values().find_map(|answer| answer.as_ref().err()).map(String::as_str)
    }
}

/// The KMS of the region that an ARN names; the configured one for anything else.
pub fn in_region_of(home: &Arc<dyn Kms>, named: &str) -> Result<Arc<dyn Kms>, KmsError> {
    match arn_part(named, 3).filter(|_| named.starts_with("arn:")) {
        Some(region) if region != home.region() => home.in_region(&region),
        _ => Ok(home.clone()),
    }
}
