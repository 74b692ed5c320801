//! Grants: made, listed, revoked, retired. They are **listed, not evaluated**: the engine has no IAM, and whoever reaches it may do everything.
//!
//! A grant belongs to one key of one region; replicas have their own. It outlives every change of the key's policy. A grant token is opaque to callers: base64 of
//! `REGION/KEY ID/GRANT ID/random`; nothing is protected by it here.

use super::answer::{Answer, GrantEntry, Granted, Grants};
use super::call::{CreateGrant, GrantConstraints, ListGrants, ListRetirableGrants, RetireGrant, RevokeGrant};
use super::keys::{named, page};
use super::refusal::Refusal;
use super::world::{Key, Naming, World};
use crate::core::key_state::Operation;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Grants one key may have (AWS quotas).
const MAX_PER_KEY: usize = 50_000;
/// What a grant of a symmetric encryption key may allow (API: CreateGrant, Operations).
const OPERATIONS: &[&str] = &[
    "CreateGrant",
    "Decrypt",
    "DescribeKey",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
    "GenerateDataKeyWithoutPlaintext",
    "ReEncryptFrom",
    "ReEncryptTo",
    "RetireGrant",
];

/// Who may use a key beside its policy.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// 64 hexadecimal digits.
    pub id: String,
    pub name: Option<String>,
    pub principal: Option<String>,
    pub service: Option<String>,
    pub retiring: Option<String>,
    pub operations: Vec<String>,
    pub constraints: Option<GrantConstraints>,
    pub created_at: Timestamp,
}

/// The same name with the same parameters is the same grant, under a new token. Without a name every call makes a new one.
pub fn create(world: &mut World, region: &str, call: &CreateGrant, now: Timestamp) -> Result<Answer, Refusal> {
    check(call)?;
    let key = named(world, region, &call.key_id, Operation::CreateGrant)?;
    let mut grant = Grant {
        id: random_hex(32)?,
        name: call.name.clone(),
        principal: call.grantee_principal.clone(),
        service: call.grantee_service_principal.clone(),
        retiring: call.retiring_principal.clone(),
        operations: call.operations.clone(),
        constraints: call.constraints.clone(),
        created_at: now,
    };
    let same = key.grants.values().find(|known| {
        let Grant { id, created_at, .. } = *known;
        grant.name.is_some() && **known == Grant { id: id.clone(), created_at: *created_at, ..grant.clone() }
    });
    match same {
        Some(known) => grant.id.clone_from(&known.id),
        None if key.grants.len() >= MAX_PER_KEY => {
            return Err(Refusal::new("LimitExceededException", format!("a key has at most {MAX_PER_KEY} grants")));
        }
        None => {}
    }
    let token = STANDARD.encode(format!("{region}/{}/{}/{}", key.id, grant.id, random_hex(16)?));
    let grant_id = grant.id.clone();
    key.grants.entry(grant_id.clone()).or_insert(grant);
    Ok(Answer::Granted(Granted { grant_token: token, grant_id }))
}

pub fn list(world: &World, region: &str, call: &ListGrants) -> Result<Answer, Refusal> {
    if call.grantee_principal.is_some() && call.grantee_service_principal.is_some() {
        return Err(Refusal::validation("GranteePrincipal and GranteeServicePrincipal exclude each other"));
    }
    let id = world.key_id(region, &call.key_id, Naming::IdOrArn)?;
    let key = world.key(region, &id)?;
    key.allow(Operation::ListGrants)?;
    if let Some(id) = &call.grant_id {
        check_id(id)?;
    }
    let is_asked = |asked: &Option<String>, value: Option<&String>| asked.is_none() || asked.as_ref() == value;
    let all = key.grants.values().filter(|grant| {
        is_asked(&call.grant_id, Some(&grant.id))
            && is_asked(&call.grantee_principal, grant.principal.as_ref())
            && is_asked(&call.grantee_service_principal, grant.service.as_ref())
    });
    listed(world, all.map(|grant| (key, grant)), call.limit, call.marker.as_deref())
}

pub fn list_retirable(world: &World, region: &str, call: &ListRetirableGrants) -> Result<Answer, Refusal> {
    check_principal(&call.retiring_principal)?;
    let keys = world.regions.get(region).into_iter().flat_map(|r| r.keys.values());
    let all = keys
        .flat_map(|key| key.grants.values().map(move |grant| (key, grant)))
        .filter(|(_, grant)| grant.retiring.as_ref() == Some(&call.retiring_principal));
    listed(world, all, call.limit, call.marker.as_deref())
}

fn listed<'a>(
    world: &World,
    all: impl Iterator<Item = (&'a Key, &'a Grant)>,
    limit: Option<i64>,
    marker: Option<&str>,
) -> Result<Answer, Refusal> {
    let mut all: Vec<_> = all.map(|(key, grant)| (grant.id.clone(), entry(world, key, grant))).collect();
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    let page = page(all, limit, 50, 100, marker)?;
    Ok(Answer::Grants(Grants { grants: page.items, truncated: page.next.is_some(), next_marker: page.next }))
}

fn entry(world: &World, key: &Key, grant: &Grant) -> GrantEntry {
    GrantEntry {
        key_id: key.arn.clone(),
        grant_id: grant.id.clone(),
        name: grant.name.clone(),
        creation_date: grant.created_at,
        grantee_principal: grant.principal.clone(),
        grantee_service_principal: grant.service.clone(),
        retiring_principal: grant.retiring.clone(),
        issuing_account: format!("arn:aws:iam::{}:root", world.account),
        operations: grant.operations.clone(),
        constraints: grant.constraints.clone(),
    }
}

pub fn revoke(world: &mut World, region: &str, call: &RevokeGrant) -> Result<Answer, Refusal> {
    let key = named(world, region, &call.key_id, Operation::RevokeGrant)?;
    remove(key, &call.grant_id)
}

/// By token, or by key and grant id; both at once AWS refuses.
pub fn retire(world: &mut World, region: &str, call: &RetireGrant) -> Result<Answer, Refusal> {
    let (key_id, grant_id) = match (&call.grant_token, &call.key_id, &call.grant_id) {
        (Some(token), None, None) => of_token(region, token)?,
        (None, Some(key), Some(grant)) => (key.clone(), grant.clone()),
        _ => return Err(Refusal::validation("either a GrantToken, or a KeyId and a GrantId")),
    };
    let key = named(world, region, &key_id, Operation::RetireGrant)?;
    remove(key, &grant_id)
}

fn remove(key: &mut Key, grant_id: &str) -> Result<Answer, Refusal> {
    check_id(grant_id)?;
    match key.grants.remove(grant_id) {
        Some(_) => Ok(Answer::Nothing),
        None => Err(Refusal::not_found(format!("Grant ID {grant_id} not found"))),
    }
}

fn of_token(region: &str, token: &str) -> Result<(String, String), Refusal> {
    let bad = || Refusal::new("InvalidGrantTokenException", "the grant token is not one of this region");
    let text = STANDARD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(bad)?;
    match text.split('/').collect::<Vec<_>>()[..] {
        [of, key, grant, _] if of == region => Ok((key.to_owned(), grant.to_owned())),
        _ => Err(bad()),
    }
}

fn check(call: &CreateGrant) -> Result<(), Refusal> {
    match (&call.grantee_principal, &call.grantee_service_principal) {
        (Some(principal), None) => check_principal(principal)?,
        (None, Some(service)) if service.ends_with(".amazonaws.com") => {}
        (None, Some(_)) => return Err(Refusal::validation("GranteeServicePrincipal is not a service of AWS")),
        _ => return Err(Refusal::validation("either a GranteePrincipal or a GranteeServicePrincipal")),
    }
    if let Some(principal) = &call.retiring_principal {
        check_principal(principal)?;
    }
    if let Some(unknown) = call.operations.iter().find(|name| !OPERATIONS.contains(&name.as_str())) {
        return Err(Refusal::validation(format!("a grant on this kind of key cannot allow '{unknown}'")));
    }
    let name_fits = |name: &String| {
        (1..=256).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || ":/_-".contains(c))
    };
    if call.operations.is_empty() || !call.name.as_ref().is_none_or(name_fits) {
        return Err(Refusal::validation(
            "a grant allows at least one operation; its name is ^[a-zA-Z0-9:/_-]+$, at most 256",
        ));
    }
    Ok(())
}

/// An account, user, role or session (API: CreateGrant, GranteePrincipal).
fn check_principal(arn: &str) -> Result<(), Refusal> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    match parts[..] {
        ["arn", _, "iam" | "sts", "", account, resource]
            if account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit()) && !resource.is_empty() =>
        {
            Ok(())
        }
        _ => Err(Refusal::new("InvalidArnException", "the ARN does not refer to a valid principal")),
    }
}

fn check_id(id: &str) -> Result<(), Refusal> {
    match id.len() == 64 && id.bytes().all(|b| b.is_ascii_hexdigit()) {
        true => Ok(()),
        false => Err(Refusal::new("InvalidGrantIdException", "a grant id has 64 hexadecimal digits")),
    }
}

fn random_hex(bytes: usize) -> Result<String, Refusal> {
    let mut random = vec![0u8; bytes];
    getrandom::fill(&mut random).map_err(|_| Refusal::internal("the operating system gave no randomness"))?;
    Ok(random.iter().map(|b| format!("{b:02x}")).collect())
}
