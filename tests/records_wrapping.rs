//! Wrapping on the real engine: who may unwrap what, and a KMS that lies is caught before anything is sealed.

use crate::support::endpoint::Endpoint;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use scrybe_keys::core::data_map::DataMap;
use scrybe_keys::core::dek::Dek;
use scrybe_keys::core::ids::{DekId, KeyVersion, OrgId};
use scrybe_keys::core::kms::*;
use scrybe_keys::db::DekRow;
use scrybe_keys::exit::Exit;
use scrybe_keys::local::InProcess;
use scrybe_keys::ops::wrapping::{NewDek, Vault};
use std::collections::BTreeMap;
use std::sync::Arc;
use zeroize::Zeroizing;

fn org(name: &str) -> OrgId {
    OrgId::parse(name).unwrap()
}

fn row(organization: &str, wrapped: &str) -> DekRow {
    DekRow {
        id: DekId::parse("row-1").unwrap(),
        organization: org(organization),
        wrapped: Zeroizing::new(wrapped.to_owned()),
        version: KeyVersion(1),
        active: true,
        created_at: None,
        rotated_at: None,
    }
}

/// A map whose DEKs are bound to their organization.
fn bound_map() -> DataMap {
    let mut map = DataMap::clinic();
    map.encryption_context.insert("tenantId".into(), "{organization}".into());
    map
}

fn engine() -> (Endpoint, Arc<InProcess>, KeyDescription) {
    let endpoint = Endpoint::start();
    let kms = Arc::new(endpoint.direct("us-west-2"));
    let key = kms.create_key(&NewKey::default()).unwrap().value;
    (endpoint, kms, key)
}

fn made(vault: &Vault, organization: &str) -> NewDek {
    vault.new_dek(&org(organization)).unwrap()
}

#[test]
fn a_new_dek_unwraps_under_its_own_organization_alone() {
    let (_endpoint, kms, key) = engine();
    let vault = Vault::of_kms(kms, &key.arn, bound_map());
    let new = made(&vault, "acme");
    let (dek, facts) = vault.unwrap(&row("acme", &new.stored_text)).unwrap();
    assert!(dek == new.dek);
    assert_eq!((facts.key_arn.as_deref(), &facts.material_id), (Some(key.arn.as_str()), &new.material_id));
    assert!(facts.request_id.is_some() && new.request_id.is_some() && facts.request_id != new.request_id);
    let other = vault.unwrap(&row("zenith", &new.stored_text)).err().expect("the encryption context was ignored");
    assert_eq!(other.code, "kms-invalid-ciphertext");
    assert!(other.message.contains("row-1") && other.message.contains("zenith"));
}

#[test]
fn a_wrapping_under_another_key_is_refused() {
    let (_endpoint, kms, key) = engine();
    let foreign = kms.create_key(&NewKey::default()).unwrap().value;
    let theirs = made(&Vault::of_kms(kms.clone(), &foreign.arn, DataMap::clinic()), "acme");
    let refused =
        Vault::of_kms(kms, &key.arn, DataMap::clinic()).unwrap(&row("acme", &theirs.stored_text)).err().unwrap();
    assert_eq!((refused.exit, refused.code), (Exit::Conflict, "kms-wrong-key"));
}

#[test]
fn an_alias_is_followed_once() {
    let (_endpoint, kms, key) = engine();
    let next = kms.create_key(&NewKey::default()).unwrap().value;
    kms.create_alias("alias/master", &key.key_id).unwrap();
    let vault = Vault::of_kms(kms.clone(), "alias/master", DataMap::clinic());
    let first = made(&vault, "acme");
    kms.update_alias("alias/master", &next.key_id).unwrap();
    // This run goes on with the key it began with; a new run sees the alias's new key.
    assert!(vault.unwrap(&row("acme", &first.stored_text)).is_ok());
    assert_eq!(made(&vault, "acme").key_arn.as_deref(), Some(key.arn.as_str()));
    let later = Vault::of_kms(kms, "alias/master", DataMap::clinic());
    assert_eq!(later.unwrap(&row("acme", &first.stored_text)).err().unwrap().code, "kms-wrong-key");
}

#[test]
fn a_bare_key_is_refused_by_a_kms_and_a_flipped_bit_by_everybody() {
    let (_endpoint, kms, key) = engine();
    let vault = Vault::of_kms(kms, &key.arn, DataMap::clinic());
    let bare = format!("dev:{}", STANDARD.encode([7u8; 32]));
    assert_eq!(vault.unwrap(&row("acme", &bare)).err().unwrap().code, "wrong-world");
    let new = made(&vault, "acme");
    let mut bytes = STANDARD.decode(new.stored_text.as_bytes()).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    let refused = vault.unwrap(&row("acme", &STANDARD.encode(bytes))).err().unwrap();
    assert_eq!(refused.code, "kms-invalid-ciphertext");
    let unpadded = new.stored_text.trim_end_matches('=').to_owned() + "=A";
    assert_eq!(vault.unwrap(&row("acme", &unpadded)).err().unwrap().code, "malformed-dek");
}

#[test]
fn a_kms_that_opens_a_new_wrapping_to_another_key_is_not_believed() {
    let (_endpoint, kms, key) = engine();
    for lie in [Lie::OtherKey, Lie::ShortKey] {
        let vault = Vault::of_kms(Arc::new(Liar { inner: kms.clone(), lie }), &key.arn, DataMap::clinic());
        let refused = vault.new_dek(&org("acme")).err().expect("a DEK was handed out that cannot be got back");
        assert_eq!((refused.exit, refused.code), (Exit::Integrity, "unproven-dek"));
    }
}

enum Lie {
    OtherKey,
    ShortKey,
}

/// A KMS whose Decrypt answers something else than was wrapped.
struct Liar {
    inner: Arc<InProcess>,
    lie: Lie,
}

type Answer<T> = Result<Traced<T>, KmsError>;

impl Kms for Liar {
    fn decrypt(&self, key: Option<&str>, ciphertext: &[u8], context: &Context) -> Answer<Decrypted> {
        let mut answer = self.inner.decrypt(key, ciphertext, context)?;
        match self.lie {
            Lie::OtherKey => answer.value.plaintext[0] ^= 1,
            Lie::ShortKey => answer.value.plaintext.truncate(Dek::LEN - 1),
        }
        Ok(answer)
    }
    fn generate_data_key(&self, key: &str, context: &Context) -> Answer<DataKey> {
        self.inner.generate_data_key(key, context)
    }
    fn caller(&self) -> Answer<Caller> {
        self.inner.caller()
    }
    fn region(&self) -> String {
        self.inner.region()
    }
    fn create_key(&self, new: &NewKey) -> Answer<KeyDescription> {
        self.inner.create_key(new)
    }
    fn describe_key(&self, key: &str) -> Answer<KeyDescription> {
        self.inner.describe_key(key)
    }
    fn list_aliases(&self) -> Answer<Vec<Alias>> {
        self.inner.list_aliases()
    }
    fn create_alias(&self, alias: &str, key_id: &str) -> Answer<()> {
        self.inner.create_alias(alias, key_id)
    }
    fn update_alias(&self, alias: &str, key_id: &str) -> Answer<()> {
        self.inner.update_alias(alias, key_id)
    }
    fn delete_alias(&self, alias: &str) -> Answer<()> {
        self.inner.delete_alias(alias)
    }
    fn tag_key(&self, key_id: &str, tags: &BTreeMap<String, String>) -> Answer<()> {
        self.inner.tag_key(key_id, tags)
    }
    fn key_tags(&self, key_id: &str) -> Answer<BTreeMap<String, String>> {
        self.inner.key_tags(key_id)
    }
    fn generate_data_key_without_plaintext(&self, key: &str, context: &Context) -> Answer<WrappedKey> {
        self.inner.generate_data_key_without_plaintext(key, context)
    }
    fn encrypt(&self, key: &str, plaintext: &[u8], context: &Context) -> Answer<WrappedKey> {
        self.inner.encrypt(key, plaintext, context)
    }
    fn enable_key(&self, key_id: &str) -> Answer<()> {
        self.inner.enable_key(key_id)
    }
    fn disable_key(&self, key_id: &str) -> Answer<()> {
        self.inner.disable_key(key_id)
    }
    fn schedule_key_deletion(&self, key_id: &str, days: u32) -> Answer<KeyDescription> {
        self.inner.schedule_key_deletion(key_id, days)
    }
    fn cancel_key_deletion(&self, key_id: &str) -> Answer<()> {
        self.inner.cancel_key_deletion(key_id)
    }
    fn enable_key_rotation(&self, key_id: &str, days: u32) -> Answer<()> {
        self.inner.enable_key_rotation(key_id, days)
    }
    fn disable_key_rotation(&self, key_id: &str) -> Answer<()> {
        self.inner.disable_key_rotation(key_id)
    }
    fn key_rotation_status(&self, key_id: &str) -> Answer<RotationStatus> {
        self.inner.key_rotation_status(key_id)
    }
    fn list_keys(&self) -> Answer<Vec<String>> {
        self.inner.list_keys()
    }
    fn key_policy(&self, key_id: &str) -> Answer<String> {
        self.inner.key_policy(key_id)
    }
    fn put_key_policy(&self, key_id: &str, policy: &str) -> Answer<()> {
        self.inner.put_key_policy(key_id, policy)
    }
    fn untag_key(&self, key_id: &str, names: &[String]) -> Answer<()> {
        self.inner.untag_key(key_id, names)
    }
    fn describe_as(&self, key_id: &str, description: &str) -> Answer<()> {
        self.inner.describe_as(key_id, description)
    }
    fn re_encrypt(&self, what: ReEncrypt<'_>) -> Answer<ReWrapped> {
        self.inner.re_encrypt(what)
    }
    fn rehearse(&self, call: Rehearsal<'_>) -> Answer<()> {
        self.inner.rehearse(call)
    }
    fn list_grants(&self, key_id: &str) -> Answer<Vec<Grant>> {
        self.inner.list_grants(key_id)
    }
    fn revoke_grant(&self, key_id: &str, grant_id: &str) -> Answer<()> {
        self.inner.revoke_grant(key_id, grant_id)
    }
    fn key_last_use(&self, key_id: &str) -> Answer<KeyUse> {
        self.inner.key_last_use(key_id)
    }
    fn rotate_on_demand(&self, key_id: &str) -> Answer<()> {
        self.inner.rotate_on_demand(key_id)
    }
    fn key_materials(&self, key_id: &str) -> Answer<Vec<MaterialRotation>> {
        self.inner.key_materials(key_id)
    }
    fn replicate_key(&self, key_id: &str, new: &NewReplica) -> Answer<KeyDescription> {
        self.inner.replicate_key(key_id, new)
    }
    fn in_region(&self, region: &str) -> Result<Arc<dyn Kms>, KmsError> {
        self.inner.in_region(region)
    }
}
