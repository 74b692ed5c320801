//! Where a DEK row stands: under which CMK and material its wrapping is, and so what there is to do.
//!
//! Our record counts only when it was made of the very text that the row holds; otherwise KMS is asked by opening the wrapping, pinned to a
//! key that we know, so that a wrapping under somebody else's key is never taken for ours. Nothing is changed here.

use super::{Target, Turns, about, ciphertext, ends_the_run};
use crate::app::App;
use crate::core::dek::Dek;
use crate::core::ids::DekId;
use crate::core::kms::{Context, Decrypted, Kms, KmsErrorKind, Traced};
use crate::db::{DekFacts, DekRow, DekStatus};
use crate::error::Failure;
use crate::exit::Exit;
use crate::ops::material::{Newest, in_region_of};
use std::collections::HashMap;
use std::sync::Arc;

/// What is known of the wrapping that a row holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    pub key_arn: String,
    pub material_id: Option<String>,
    /// Absent when only our record was read, and it has none.
    pub fingerprint: Option<String>,
    /// KMS was asked now: our record did not speak of this text.
    pub asked: bool,
}

/// What there is to do with a row.
#[derive(Debug)]
pub enum Fate {
    Rewrap,
    /// Under the target and its newest material already.
    There,
    /// Left alone with `--old-material`: it is on the newest material of its own key.
    NotOld,
    /// A bare `dev:` key: no KMS wraps it.
    Bare,
    /// Its wrapping was destroyed.
    Destroyed,
    Refused(Failure),
}

/// Looks at rows toward one target.
pub(super) struct Looker<'a> {
    pub app: &'a App,
    pub target: &'a Target,
    /// Where the configured key lives.
    pub home: Arc<dyn Kms>,
    /// Keys that a wrapping without record may be under, likeliest first.
    pub candidates: Vec<String>,
    pub facts: HashMap<DekId, DekFacts>,
    pub old_material: bool,
    pub newest: Newest<'a>,
    pub turns: &'a Turns<'a>,
}

impl Looker<'_> {
    /// What is known of a row and what there is to do. Fails only where every other row would fail too.
    pub(super) fn look(&mut self, row: &DekRow) -> Result<(Option<Known>, Fate), Failure> {
        if self.facts.get(&row.id).is_some_and(|f| f.status == DekStatus::Destroyed) {
            return Ok((None, Fate::Destroyed));
        }
        if row.is_dev() {
            return Ok((None, Fate::Bare));
        }
        let known = match self.of_record(row).map_or_else(|| self.of_kms(row), Ok) {
            Ok(known) => known,
            // A right that is missing on one key says nothing of the others.
            Err(failure) if ends_the_run(&failure) && failure.code != "kms-denied" => return Err(failure),
            Err(failure) => return Ok((None, Fate::Refused(failure))),
        };
        let fate = self.fate(row, &known);
        Ok((Some(known), fate))
    }

    fn fate(&mut self, row: &DekRow, known: &Known) -> Fate {
        let target = &self.target.key;
        let same_key = known.key_arn == target.arn;
        if same_key && (target.material_id.is_none() || known.material_id == target.material_id) {
            return Fate::There;
        }
        if self.target.source_here(&known.key_arn).is_none() {
            let message = format!(
                "DEK row {} of {} is under {}: KMS rewraps within one region, and {} is no relative of that key",
                row.id, row.organization, known.key_arn, target.arn
            );
            return Fate::Refused(
                Failure::conflict("another-region", message)
                    .hint("name a key of the same region, or a multi-Region replica of the key it is under, with --to"),
            );
        }
        if self.old_material && !same_key {
            match (self.newest.of_key(&known.key_arn), &known.material_id) {
                (Ok(Some(newest)), Some(mine)) if newest == *mine => return Fate::NotOld,
                (Ok(Some(_)), Some(_)) => {}
                _ => {
                    let message = format!(
                        "whether DEK row {} of {} is on old material of {} cannot be told",
                        row.id, row.organization, known.key_arn
                    );
                    return Fate::Refused(
                        Failure::conflict("material-unknown", message)
                            .hint("leave --old-material out to move it anyway"),
                    );
                }
            }
        }
        Fate::Rewrap
    }

    /// Our record, where it was made of this very text and says all that is needed.
    fn of_record(&self, row: &DekRow) -> Option<Known> {
        let facts = self.facts.get(&row.id).filter(|facts| facts.speaks_of(row))?;
        let key_arn = facts.key_arn.clone()?;
        if facts.material_id.is_none() && key_arn == self.target.arn() && self.target.key.material_id.is_some() {
            return None;
        }
        Some(Known {
            key_arn,
            material_id: facts.material_id.clone(),
            fingerprint: facts.fingerprint.clone(),
            asked: false,
        })
    }

    /// Opens the wrapping to learn whose it is.
    fn of_kms(&self, row: &DekRow) -> Result<Known, Failure> {
        let recorded = self.facts.get(&row.id).and_then(|facts| facts.key_arn.as_ref());
        let mut telling: Option<(u8, Failure)> = None;
        for key in recorded.into_iter().chain(self.candidates.iter().filter(|key| Some(*key) != recorded)) {
            let failure = match self.open(row, key) {
                Ok(opened) => {
                    let dek = Dek::parse(opened.value.plaintext).map_err(|e| not_a_dek(row).caused_by(e))?;
                    return Ok(Known {
                        key_arn: opened.value.key_arn,
                        material_id: opened.value.material_id,
                        fingerprint: Some(dek.fingerprint()),
                        asked: true,
                    });
                }
                Err(failure) => failure,
            };
            match weight(&failure) {
                Some(weight) if telling.as_ref().is_some_and(|(most, _)| *most >= weight) => {}
                Some(weight) => telling = Some((weight, failure)),
                None => return Err(failure),
            }
        }
        match telling {
            Some((0, failure)) => Err(unknown_key(row, failure)),
            Some((_, failure)) => Err(failure),
            None => Err(Failure::internal("no key to open a wrapping with")),
        }
    }

    fn open(&self, row: &DekRow, key: &str) -> Result<Traced<Decrypted>, Failure> {
        let context = self.context(row);
        let kms = in_region_of(&self.home, key).map_err(|e| about(row, "opening", e))?;
        open(self.turns, kms.as_ref(), row, key, &ciphertext(row)?, &context)
    }

    pub(super) fn context(&self, row: &DekRow) -> Context {
        self.app.settings.map.value.context_for(&row.organization)
    }
}

/// How much an answer under one key says about a wrapping that may be under another; `None` when the others are not tried.
fn weight(failure: &Failure) -> Option<u8> {
    match failure.code {
        "kms-wrong-key" => Some(0),
        "kms-not-found" => Some(1),
        "kms-denied" => Some(2),
        "kms-key-unusable" => Some(3),
        // It is this key's, and damaged or under another context.
        "kms-invalid-ciphertext" => Some(4),
        _ => None,
    }
}

/// Said of a wrapping that every known key disowns.
fn unknown_key(row: &DekRow, failure: Failure) -> Failure {
    let hint = format!(
        "it is under none of the keys that are known here: `scrybe-keys rewrap --org {} --to KEY --reason …` with the key it is under makes that one known",
        row.organization
    );
    Failure { hints: vec![hint], ..failure }
}

/// Decrypt, pinned to a key, in its turn.
pub(super) fn open(
    turns: &Turns<'_>,
    kms: &dyn Kms,
    row: &DekRow,
    key: &str,
    wrapped: &[u8],
    context: &Context,
) -> Result<Traced<Decrypted>, Failure> {
    turns.take()?;
    kms.decrypt(Some(key), wrapped, context).map_err(|error| {
        let stopped = error.kind == KmsErrorKind::Throttled && error.code.is_none();
        let failure = about(row, "opening", error);
        if stopped { Failure { exit: Exit::Incomplete, ..failure } } else { failure }
    })
}

/// Said of a wrapping that opens to something else than 32 bytes.
pub(super) fn not_a_dek(row: &DekRow) -> Failure {
    Failure::conflict("malformed-dek", format!("DEK row {} of {} does not hold a DEK", row.id, row.organization))
        .hint(format!("restore that row from a backup; look at it with `scrybe-keys keys show {}`", row.organization))
}
