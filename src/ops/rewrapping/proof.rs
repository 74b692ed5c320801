//! The proof before a wrapping is replaced: the new one opens, under the target, to the very key that the old one opens to.
//!
//! Bytes are compared, not only fingerprints; where our record has a fingerprint it must be this key's. Then a live cell: an organization
//! whose cells open under none of its DEKs is refused. Keys live for the length of one function here and are wiped when it returns.

use super::looking::{Known, Looker, not_a_dek, open};
use super::plan::{PlannedDek, kms_of};
use super::{about, ciphertext, ends_the_run};
use crate::core::cell::{Class, Judge};
use crate::core::data_map::ColumnKind;
use crate::core::dek::Dek;
use crate::core::ids::OrgId;
use crate::core::keyring::{Entry, Keyring};
use crate::core::kms::{Context, ReEncrypt};
use crate::core::seal::Cipher;
use crate::db::catalog::Catalog;
use crate::db::{DekRow, Session};
use crate::error::Failure;
use crate::exit::Exit;
use crate::ops::wrapping::Vault;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Rows read of each table: enough to meet a cell of the version in use.
const SAMPLE: i64 = 20;

/// A wrapping that may replace the one in its row.
pub(super) struct Proven {
    pub wrapped: String,
    pub key_arn: String,
    pub material_id: Option<String>,
    pub previous_arn: String,
    pub previous_material: Option<String>,
    pub fingerprint: String,
    /// A live cell opened under this DEK.
    pub opened_a_cell: bool,
    pub request_id: Option<String>,
    /// The row is under the target's newest material already: nothing to replace.
    pub is_there: bool,
}

/// Sealed cells of one organization, as they lie in its tables; nothing that is not sealed.
pub(super) struct LiveCells(Vec<(ColumnKind, String)>);

impl LiveCells {
    pub(super) fn of(session: &mut Session, catalog: &Catalog, organization: &OrgId) -> Result<LiveCells, Failure> {
        let nobody = Keyring::new(Vec::new());
        let mut judge = Judge::new(&nobody);
        let mut cells = Vec::new();
        for live in &catalog.tables {
            for row in session.sample_rows(live, organization, SAMPLE)? {
                for (column, value) in live.columns.iter().zip(row) {
                    let Some(raw) = value else { continue };
                    // Under no key at all whatever is sealed does not open.
                    if matches!(judge.classify(column.kind, &raw), Class::Unopenable(_)) {
                        cells.push((column.kind, raw));
                    }
                }
            }
        }
        Ok(LiveCells(cells))
    }

    /// True when one of them opens under this DEK.
    fn open_under(&self, row: &DekRow, dek: &Dek) -> bool {
        let entry = Entry { id: row.id.clone(), version: row.version, active: row.active, cipher: Cipher::new(dek) };
        let ring = Keyring::new(vec![entry]);
        let mut judge = Judge::new(&ring);
        self.0.iter().any(|(kind, raw)| matches!(judge.classify(*kind, raw), Class::Sealed(_) | Class::Nested { .. }))
    }
}

/// Rewraps inside KMS and proves the result. Nothing is stored.
pub(super) fn prove(looker: &Looker<'_>, cells: &LiveCells, dek: &PlannedDek) -> Result<Proven, Failure> {
    let (row, target) = (&dek.row, looker.target);
    let known = dek.known.as_ref().ok_or_else(|| Failure::internal("a row that nobody looked at was planned"))?;
    let context = looker.context(row);
    let old = ciphertext(row)?;
    let here = target
        .source_here(&known.key_arn)
        .ok_or_else(|| Failure::internal("a row that cannot be moved was planned"))?;
    let call = ReEncrypt {
        source: Some(&here),
        source_context: &context,
        target: target.arn(),
        target_context: &context,
        wrapped: &old,
    };
    looker.turns.take()?;
    let answer = target.kms.re_encrypt(call).map_err(|e| about(row, "rewrapping", e))?;
    let new = answer.value;
    if new.key_arn != target.arn() || new.wrapped.is_empty() {
        return Err(untrue(row, &format!("KMS wrapped under {} instead of {}", new.key_arn, target.arn())));
    }
    let before = opened(looker, row, &here, &old, &context)?;
    let after = opened(looker, row, target.arn(), &new.wrapped, &context)?;
    if before.dek != after.dek {
        return Err(untrue(row, "the new wrapping opens to another key than the old one"));
    }
    let fingerprint = after.dek.fingerprint();
    if let Some(recorded) = recorded_fingerprint(looker, row, known)
        && recorded != fingerprint
    {
        return Err(untrue(
            row,
            &format!("it opens to a key with fingerprint {fingerprint}, our record says {recorded}"),
        ));
    }
    let material_id = new.material_id.or(after.material_id);
    let source_material = new.source_material_id.or(before.material_id);
    let is_there =
        here == target.arn() && known.key_arn == here && material_id.is_some() && material_id == source_material;
    Ok(Proven {
        wrapped: STANDARD.encode(&new.wrapped),
        key_arn: new.key_arn,
        material_id,
        previous_arn: known.key_arn.clone(),
        previous_material: source_material,
        opened_a_cell: cells.open_under(row, &after.dek),
        fingerprint,
        request_id: answer.request_id,
        is_there,
    })
}

/// Refuses an organization whose sealed cells open under none of its DEKs: this KMS, these rows and this data do not belong together.
/// `others` are the rows that are not rewrapped, `refused` those among them that nobody may or can open; they are opened only when no
/// rewrapped one opened a cell. Where one does not open, the cells may be its own: then nothing is proven, and nothing is known to be wrong.
pub(super) fn prove_live_cell(
    looker: &Looker<'_>,
    organization: &OrgId,
    cells: &LiveCells,
    opened_one: bool,
    others: &[&PlannedDek],
    refused: usize,
) -> Result<bool, Failure> {
    let sealed = cells.0.len();
    if opened_one || sealed == 0 {
        return Ok(opened_one);
    }
    let mut closed = refused;
    for dek in others {
        match key_of(looker, dek) {
            Ok(key) if cells.open_under(&dek.row, &key) => return Ok(true),
            Ok(_) => {}
            Err(failure) if ends_the_run(&failure) && failure.code != "kms-denied" => return Err(failure),
            Err(_) => closed += 1,
        }
    }
    if closed > 0 {
        let message = format!(
            "none of {sealed} sealed cells tried of organization {organization} opens under its DEKs, {closed} of which cannot be opened: nothing is \
             proven, and nothing was replaced"
        );
        return Err(Failure::conflict("not-proven", message).hint(format!(
            "`scrybe-keys keys show {organization} --deep` says why a DEK does not open; then run the same command again"
        )));
    }
    let message = format!("none of {sealed} sealed cells tried of organization {organization} opens under its DEKs");
    Err(Failure::new(Exit::Integrity, "no-live-cell-opens", message)
        .hint("is this the right --kms, --region, --key and database? `scrybe-keys context` shows all four")
        .hint(format!("`scrybe-keys census --org {organization} --list-unopenable` names the cells")))
}

/// The key of a row that is not rewrapped. A bare one is read as the application reads it; no KMS is asked.
fn key_of(looker: &Looker<'_>, dek: &PlannedDek) -> Result<Dek, Failure> {
    let row = &dek.row;
    if row.is_dev() {
        return Ok(Vault::of_dev(looker.app.settings.map.value.clone()).unwrap(row)?.0);
    }
    let Some(known) = &dek.known else {
        return Err(Failure::conflict("dek-refused", format!("DEK row {} does not open", row.id)));
    };
    let kms = kms_of(looker.app, &known.key_arn)?;
    let answer = open(looker.turns, kms.as_ref(), row, &known.key_arn, &ciphertext(row)?, &looker.context(row))?;
    Dek::parse(answer.value.plaintext).map_err(|e| not_a_dek(row).caused_by(e))
}

struct Opened {
    dek: Dek,
    material_id: Option<String>,
}

fn opened(looker: &Looker<'_>, row: &DekRow, key: &str, wrapped: &[u8], context: &Context) -> Result<Opened, Failure> {
    let answer = open(looker.turns, looker.target.kms.as_ref(), row, key, wrapped, context)?;
    let dek = Dek::parse(answer.value.plaintext).map_err(|e| not_a_dek(row).caused_by(e))?;
    Ok(Opened { dek, material_id: answer.value.material_id })
}

/// What our record says of the DEK itself, whatever wrapping it was of: a DEK never changes.
fn recorded_fingerprint(looker: &Looker<'_>, row: &DekRow, known: &Known) -> Option<String> {
    looker.facts.get(&row.id).and_then(|facts| facts.fingerprint.clone()).or_else(|| known.fingerprint.clone())
}

fn untrue(row: &DekRow, why: &str) -> Failure {
    let message = format!("the new wrapping of DEK row {} of {} is not proven: {why}", row.id, row.organization);
    Failure::new(Exit::Integrity, "unproven-wrapping", message)
        .hint("the old wrapping stays; do not trust this KMS endpoint before someone has explained it")
        .hint(format!("`scrybe-keys keys show {} --deep` opens what is stored", row.organization))
}
