//! What KMS would refuse, before anything is changed: one DryRun of each call for each pair of keys (AWS: DryRun).
//! A rehearsal judges the caller's rights and the keys' states. It says nothing of the application's rights: nobody can rehearse for another.

use super::Turns;
use super::looking::{Fate, Looker};
use super::plan::PlannedDek;
use super::{about, ciphertext};
use crate::core::kms::{Kms, KmsError, KmsErrorKind, ReEncrypt, Rehearsal};
use crate::error::Failure;
use crate::exit::Exit;
use std::collections::BTreeMap;

/// What KMS said of a call that it was asked to judge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Allowed,
    /// This endpoint makes such a call instead of judging it, or does not know it.
    NotJudged,
    Refused(String),
}

/// One call, judged for all DEKs under `source`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rehearsed {
    pub source: String,
    pub operation: &'static str,
    pub verdict: Verdict,
}

/// Rehearses for each source key with one of its wrappings; rows of a source that KMS would refuse become refused.
pub(super) fn rehearse(looker: &Looker<'_>, deks: &mut [PlannedDek]) -> Result<Vec<Rehearsed>, Failure> {
    let mut sources: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (at, dek) in deks.iter().enumerate() {
        if let (Fate::Rewrap, Some(known)) = (&dek.fate, &dek.known) {
            sources.entry(known.key_arn.clone()).or_default().push(at);
        }
    }
    let mut all = Vec::new();
    for (source, rows) in sources {
        for at in &rows {
            let dek = &deks[*at];
            match one(looker, &source, dek, &mut all)? {
                None => break,
                // One wrapping that does not open says nothing of its neighbours.
                Some(error) if error.kind == KmsErrorKind::InvalidCiphertext => {
                    deks[*at].fate = Fate::Refused(about(&deks[*at].row, "rehearsing the move of", error));
                }
                Some(error) => {
                    for at in &rows {
                        let row = &deks[*at].row;
                        deks[*at].fate = Fate::Refused(about(row, "KMS would refuse to rewrap", error.clone()));
                    }
                    break;
                }
            }
        }
    }
    Ok(all)
}

/// Every call that one row takes. The error of the first that KMS would refuse.
fn one(
    looker: &Looker<'_>,
    source: &str,
    dek: &PlannedDek,
    all: &mut Vec<Rehearsed>,
) -> Result<Option<KmsError>, Failure> {
    let (target, context) = (looker.target, looker.context(&dek.row));
    let wrapped = ciphertext(&dek.row)?;
    let here = target.source_here(source).ok_or_else(|| Failure::internal("a row that cannot be moved was planned"))?;
    let re_encrypt = ReEncrypt {
        source: Some(&here),
        source_context: &context,
        target: target.arn(),
        target_context: &context,
        wrapped: &wrapped,
    };
    let calls = [
        ("ReEncrypt", Rehearsal::ReEncrypt(re_encrypt)),
        ("Decrypt", Rehearsal::Decrypt { key: &here, wrapped: Some(&wrapped), context: &context }),
        ("Decrypt", Rehearsal::Decrypt { key: target.arn(), wrapped: None, context: &context }),
    ];
    for (at, (operation, call)) in calls.into_iter().enumerate() {
        let said = judge(looker.turns, target.kms.as_ref(), call)?;
        let verdict = match &said {
            Ok(true) => Verdict::Allowed,
            Ok(false) => Verdict::NotJudged,
            Err(error) => Verdict::Refused(error.to_string()),
        };
        // The proof needs Decrypt under both keys; where they are one it is said once.
        if at < 2 || here != target.arn() {
            let of = if at == 2 { target.arn() } else { source };
            all.push(Rehearsed { source: of.to_owned(), operation, verdict });
        }
        if let Err(error) = said {
            return Ok(Some(error));
        }
    }
    Ok(None)
}

/// `Ok(true)` when it would be allowed, `Ok(false)` when nobody judged it. Fails where KMS cannot be asked at all.
fn judge(turns: &Turns<'_>, kms: &dyn Kms, call: Rehearsal<'_>) -> Result<Result<bool, KmsError>, Failure> {
    turns.take()?;
    match kms.rehearse(call) {
        Ok(_) => Ok(Ok(true)),
        Err(error) if error.kind == KmsErrorKind::Unsupported => Ok(Ok(false)),
        Err(error) => {
            let failure = Failure::from(error.clone());
            if failure.exit == Exit::Unreachable
                || matches!(failure.code, "kms-no-credentials" | "kms-expired-credentials")
            {
                return Err(failure.during("rehearsing the move"));
            }
            Ok(Err(error))
        }
    }
}
