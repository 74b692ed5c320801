//! Wrapping and unwrapping DEKs: the KMS (or the application's `dev:` form), the key and the encryption context as one value.
//!
//! Plaintext keys leave only as `Dek`. A new DEK is handed out only after KMS has opened its wrapping again and the two
//! agree: nothing can be sealed under a key that cannot be got back. Decrypt always names the CMK, so a wrapping made under
//! somebody else's key is refused. Next: `ops::binding` says whether this is the right world at all.

use crate::app::App;
use crate::config::{Environment, Provider};
use crate::core::data_map::DataMap;
use crate::core::dek::Dek;
use crate::core::ids::OrgId;
use crate::core::kms::{Kms, KmsError, KmsErrorKind};
use crate::db::DekRow;
use crate::error::Failure;
use crate::exit::Exit;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::sync::{Arc, OnceLock};
use zeroize::Zeroizing;

/// The text before a bare key in the application's DEK table.
pub const DEV_PREFIX: &str = "dev:";

/// Who wraps this run's DEKs, under which key and context.
pub struct Vault {
    door: Door,
    map: DataMap,
}

enum Door {
    /// `arn` is what the first answer said `key` is: an alias moved meanwhile changes nothing any more.
    Kms {
        kms: Arc<dyn Kms>,
        key: String,
        arn: OnceLock<String>,
    },
    Dev,
}

/// Where an unwrapped DEK was learned. All empty for `dev:` DEKs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wrapped {
    pub key_arn: Option<String>,
    pub material_id: Option<String>,
    pub request_id: Option<String>,
}

/// A DEK nobody has used yet, proven to unwrap.
pub struct NewDek {
    pub dek: Dek,
    /// What goes into the DEK table. For provider `dev` this is the bare key: never print it.
    pub stored_text: Zeroizing<String>,
    pub key_arn: Option<String>,
    pub material_id: Option<String>,
    pub fingerprint: String,
    /// Request id of the call that made it.
    pub request_id: Option<String>,
}

impl Vault {
    /// The configured provider and key. Makes no KMS call.
    pub fn of(app: &App) -> Result<Vault, Failure> {
        let settings = &app.settings;
        let Some(provider) = &settings.provider else {
            return Err(Failure::usage("no-kms", "nothing says who wraps the DEKs: there is no default")
                .hint("give --kms aws, or SCRYBE_KMS"));
        };
        let map = settings.map.value.clone();
        if provider.value == Provider::Dev {
            if settings.environment.as_ref().is_some_and(|e| e.value == Environment::Production) {
                return Err(
                    Failure::conflict("wrong-world", "provider dev is refused in production").hint("give --kms aws")
                );
            }
            return Ok(Vault { door: Door::Dev, map });
        }
        let Some(key) = &settings.key else {
            return Err(Failure::usage("no-key", "nothing names the master key")
                .hint("give --key, AWS_KMS_KEY_ID, or --environment for its alias"));
        };
        Ok(Vault::of_kms(app.kms()?, &key.value, map))
    }

    /// A vault on this KMS and key (id, ARN or alias).
    pub fn of_kms(kms: Arc<dyn Kms>, key: &str, map: DataMap) -> Vault {
        Vault { door: Door::Kms { kms, key: key.to_owned(), arn: OnceLock::new() }, map }
    }

    /// The application's own form without KMS.
    pub fn of_dev(map: DataMap) -> Vault {
        Vault { door: Door::Dev, map }
    }

    /// Unwraps one DEK. One KMS call, none for `dev:`.
    pub fn unwrap(&self, row: &DekRow) -> Result<(Dek, Wrapped), Failure> {
        let bare = row.wrapped.strip_prefix(DEV_PREFIX);
        match (&self.door, bare) {
            (Door::Dev, Some(text)) => {
                let dek = Dek::parse(decode(row, text)?).map_err(|e| malformed(row).caused_by(e))?;
                Ok((dek, Wrapped::default()))
            }
            (Door::Dev, None) => Err(Failure::conflict(
                "wrong-world",
                format!("DEK row {} of {} is wrapped by a KMS, but the provider is dev", row.id, row.organization),
            )
            .hint("give the KMS that wrapped it: --kms aws")),
            (Door::Kms { .. }, Some(_)) => Err(Failure::conflict(
                "wrong-world",
                format!("DEK row {} of {} is a bare dev: key, which no KMS wraps", row.id, row.organization),
            )
            .hint("outside production such keys open with --kms dev; `scrybe-keys health` lists them all")),
            (Door::Kms { kms, key, arn }, None) => {
                let ciphertext = decode(row, &row.wrapped)?;
                let answer = kms
                    .decrypt(Some(arn.get().unwrap_or(key)), &ciphertext, &self.map.context_for(&row.organization))
                    .map_err(|e| refused(row, e))?;
                arn.get_or_init(|| answer.value.key_arn.clone());
                let facts = Wrapped {
                    key_arn: Some(answer.value.key_arn),
                    material_id: answer.value.material_id,
                    request_id: answer.request_id,
                };
                let dek = Dek::parse(answer.value.plaintext).map_err(|e| malformed(row).caused_by(e))?;
                Ok((dek, facts))
            }
        }
    }

    /// Makes a DEK for an organization and proves that its wrapping opens. Changes nothing but KMS's own log.
    pub fn new_dek(&self, organization: &OrgId) -> Result<NewDek, Failure> {
        match &self.door {
            Door::Dev => {
                let mut bytes = Zeroizing::new(vec![0u8; Dek::LEN]);
                getrandom::fill(&mut bytes)
                    .map_err(|e| Failure::internal("the operating system gave no random bytes").caused_by(e))?;
                // Reserved in full: growing would leave copies of the key behind.
                let mut stored_text = Zeroizing::new(String::with_capacity(64));
                stored_text.push_str(DEV_PREFIX);
                STANDARD.encode_string(&bytes[..], &mut stored_text);
                let dek = Dek::parse(bytes).expect("32 bytes were made");
                Ok(NewDek {
                    fingerprint: dek.fingerprint(),
                    dek,
                    stored_text,
                    key_arn: None,
                    material_id: None,
                    request_id: None,
                })
            }
            Door::Kms { kms, key, arn } => {
                let context = self.map.context_for(organization);
                let during = |e| Failure::from(e).during(format_args!("making a DEK for {organization}"));
                let made = kms.generate_data_key(arn.get().unwrap_or(key), &context).map_err(during)?;
                let fresh = made.value;
                let again = kms.decrypt(Some(&fresh.key_arn), &fresh.wrapped, &context).map_err(during)?;
                arn.get_or_init(|| fresh.key_arn.clone());
                let opened = Dek::parse(again.value.plaintext).map_err(|e| unproven(organization).caused_by(e))?;
                if opened != fresh.dek {
                    return Err(unproven(organization));
                }
                Ok(NewDek {
                    fingerprint: fresh.dek.fingerprint(),
                    dek: fresh.dek,
                    stored_text: Zeroizing::new(STANDARD.encode(&fresh.wrapped)),
                    key_arn: Some(fresh.key_arn),
                    material_id: fresh.material_id,
                    request_id: made.request_id,
                })
            }
        }
    }
}

/// A wrapping under another key is moved, or the move that was begun is ended: nothing here opens it under a key it was not asked for.
fn refused(row: &DekRow, error: KmsError) -> Failure {
    let elsewhere = error.kind == KmsErrorKind::WrongKey;
    let failure = Failure::from(error).during(format_args!("unwrapping DEK row {} of {}", row.id, row.organization));
    if !elsewhere {
        return failure;
    }
    let hints = vec![
        "where DEKs are moving to another key, end the move: `scrybe-keys rewrap --all --to KEY --bind --reason …`"
            .to_owned(),
        format!(
            "where it was left behind under an old key: `scrybe-keys rewrap --org {} --reason …`",
            row.organization
        ),
        "else check --key and --region with `scrybe-keys context`".to_owned(),
    ];
    Failure { hints, ..failure }
}

fn decode(row: &DekRow, text: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    // Reserved in full: growing would leave copies of a bare key behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    if text.is_empty() || STANDARD.decode_vec(text, &mut bytes).is_err() {
        return Err(malformed(row));
    }
    Ok(bytes)
}

/// The decoder's own words would show a byte of a bare key, so they are left out.
fn malformed(row: &DekRow) -> Failure {
    Failure::conflict(
        "malformed-dek",
        format!("DEK row {} of {} does not hold a wrapped key in standard padded base64", row.id, row.organization),
    )
    .hint(format!("restore that row from a backup; look at it with `scrybe-keys keys show {}`", row.organization))
}

fn unproven(organization: &OrgId) -> Failure {
    Failure::new(
        Exit::Integrity,
        "unproven-dek",
        format!("KMS opened the new wrapping for {organization} to a different key; it was not used"),
    )
    .hint("nothing was changed; do not trust this KMS endpoint before someone has explained it")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::ids::{DekId, KeyVersion};

    fn row(wrapped: &str) -> DekRow {
        DekRow {
            id: DekId::parse("row-1").unwrap(),
            organization: OrgId::parse("acme").unwrap(),
            wrapped: Zeroizing::new(wrapped.to_owned()),
            version: KeyVersion(1),
            active: true,
            created_at: None,
            rotated_at: None,
        }
    }

    fn refusal(wrapped: &str) -> Failure {
        Vault::of_dev(DataMap::clinic()).unwrap(&row(wrapped)).err().expect("refused")
    }

    #[test]
    fn a_dev_dek_is_stored_as_the_application_stores_it_and_unwraps_again() {
        let vault = Vault::of_dev(DataMap::clinic());
        let new = vault.new_dek(&OrgId::parse("acme").unwrap()).unwrap();
        assert!(new.stored_text.starts_with("dev:") && new.stored_text.len() == 4 + 44);
        let (dek, _) = vault.unwrap(&row(&new.stored_text)).unwrap();
        assert!(dek == new.dek);
        assert_eq!(dek.fingerprint(), new.fingerprint);
    }

    #[test]
    fn malformed_text_names_the_row_and_shows_nothing_of_it() {
        for text in ["dev:", "dev:????", "dev:AAAA", "dev:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
            let failure = refusal(text);
            assert_eq!((failure.exit, failure.code), (Exit::Conflict, "malformed-dek"), "{text}");
            assert!(failure.message.contains("row-1"));
            assert!(!failure.message.contains("AAA") && !failure.chain().join(" ").contains('?'));
        }
    }

    #[test]
    fn provider_dev_refuses_what_a_kms_wrapped() {
        let failure = refusal("QUJD");
        assert_eq!((failure.exit, failure.code), (Exit::Conflict, "wrong-world"));
    }
}
