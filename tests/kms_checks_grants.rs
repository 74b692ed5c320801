//! Checks of the KMS contract: grants and key policies. The tool makes no grant itself, so these are made by hand. `kms_contract` has the table.

use crate::support::kms_bench::{Bench, REGION};
use crate::support::kms_verdict::{Verdict, ensure, new_key, ok, refused, refused_as};
use scrybe_keys::core::kms::{KmsErrorKind as Kind, NewKey};
use serde_json::{Value, json};

const OTHER: &str = "arn:aws:iam::111122223333:role/other";
const GRANTEE: &str = "arn:aws:iam::111122223333:role/backup";

pub fn a_grant_is_listed_as_it_was_made(bench: &Bench) -> Verdict {
    let key = new_key(bench)?;
    ensure!(ok(bench.here.list_grants(&key.key_id))?.is_empty(), "a new key has grants");
    let id = made(bench, &request(&key.key_id, Some("nightly")))?.0;
    let all = ok(bench.here.list_grants(&key.arn))?;
    ensure!(all.len() == 1, "{all:?}");
    let grant = &all[0];
    ensure!(grant.id == id && grant.name.as_deref() == Some("nightly") && grant.grantee == GRANTEE, "{grant:?}");
    ensure!(grant.operations == ["Decrypt", "DescribeKey"], "{:?}", grant.operations);
    ensure!(grant.created_at.is_some(), "no creation date");
    let listed = raw(bench, "ListGrants", &json!({"KeyId": key.key_id}))?;
    let constraints = &listed["Grants"][0]["Constraints"];
    ensure!(*constraints == json!({"EncryptionContextSubset": {"tenantId": "a"}}), "{constraints}");
    Ok(())
}

pub fn a_named_grant_is_made_once(bench: &Bench) -> Verdict {
    let key = new_key(bench)?;
    let (first, token) = made(bench, &request(&key.key_id, Some("nightly")))?;
    let (again, other_token) = made(bench, &request(&key.key_id, Some("nightly")))?;
    ensure!(first == again && token != other_token, "{first} then {again}");
    let mut wider = request(&key.key_id, Some("nightly"));
    wider["Operations"] = json!(["Encrypt"]);
    ensure!(made(bench, &wider)?.0 != first, "other parameters, the same grant");
    let nameless = request(&key.key_id, None);
    ensure!(made(bench, &nameless)?.0 != made(bench, &nameless)?.0, "nameless grants are not the same");
    ensure!(ok(bench.here.list_grants(&key.key_id))?.len() == 4, "four were made");
    Ok(())
}

pub fn all_pages_of_grants_arrive(bench: &Bench) -> Verdict {
    let (key, other) = (new_key(bench)?, new_key(bench)?);
    made(bench, &request(&other.key_id, None))?;
    for n in 0..120 {
        made(bench, &request(&key.key_id, Some(&format!("grant-{n}"))))?;
    }
    let mut names: Vec<_> = ok(bench.here.list_grants(&key.key_id))?.into_iter().filter_map(|g| g.name).collect();
    names.sort();
    names.dedup();
    ensure!(names.len() == 120, "{} of 120 grants", names.len());
    let page = raw(bench, "ListGrants", &json!({"KeyId": key.key_id}))?;
    ensure!(page["Truncated"] == true && page["Grants"].as_array().is_some_and(|g| g.len() == 50), "one page of all");
    Ok(())
}

pub fn grants_are_filtered_by_grantee(bench: &Bench) -> Verdict {
    let key = new_key(bench)?;
    made(bench, &request(&key.key_id, None))?;
    let mut other = request(&key.key_id, None);
    other["GranteePrincipal"] = json!(OTHER);
    let id = made(bench, &other)?.0;
    let found = raw(bench, "ListGrants", &json!({"KeyId": key.key_id, "GranteePrincipal": OTHER}))?;
    let ids: Vec<_> = found["Grants"].as_array().into_iter().flatten().map(|g| g["GrantId"].clone()).collect();
    ensure!(ids == [json!(id)], "{ids:?}");
    Ok(())
}

pub fn a_revoked_grant_is_gone(bench: &Bench) -> Verdict {
    let key = new_key(bench)?;
    let (id, kept) = (made(bench, &request(&key.key_id, None))?.0, made(bench, &request(&key.key_id, None))?.0);
    ok(bench.here.revoke_grant(&key.key_id, &id))?;
    let left: Vec<_> = ok(bench.here.list_grants(&key.key_id))?.into_iter().map(|g| g.id).collect();
    ensure!(left == [kept], "{left:?}");
    refused(bench.here.revoke_grant(&key.key_id, &id), &[Kind::NotFound])
}

pub fn a_grant_is_retired_by_token_or_id(bench: &Bench) -> Verdict {
    let key = new_key(bench)?;
    let (_, token) = made(bench, &request(&key.key_id, None))?;
    let (id, _) = made(bench, &request(&key.key_id, None))?;
    raw(bench, "RetireGrant", &json!({"GrantToken": token}))?;
    ensure!(ok(bench.here.list_grants(&key.key_id))?.len() == 1, "not retired by its token");
    raw(bench, "RetireGrant", &json!({"KeyId": key.arn, "GrantId": id}))?;
    ensure!(ok(bench.here.list_grants(&key.key_id))?.is_empty(), "not retired by its id");
    refused_as(bench.raw(REGION, "RetireGrant", &json!({"KeyId": key.arn, "GrantId": id})), "NotFoundException")
}

pub fn retirable_grants_are_listed_across_keys(bench: &Bench) -> Verdict {
    let retiring = format!("arn:aws:iam::111122223333:role/retiring-{}", uuid::Uuid::new_v4().simple());
    let mut ids = Vec::new();
    for _ in 0..2 {
        let key = new_key(bench)?;
        made(bench, &request(&key.key_id, None))?;
        let mut grant = request(&key.key_id, None);
        grant["RetiringPrincipal"] = json!(retiring);
        ids.push(made(bench, &grant)?.0);
    }
    ids.sort();
    let found = raw(bench, "ListRetirableGrants", &json!({"RetiringPrincipal": retiring}))?;
    let mut found: Vec<_> =
        found["Grants"].as_array().into_iter().flatten().filter_map(|g| g["GrantId"].as_str()).collect();
    found.sort_unstable();
    ensure!(found == ids, "{found:?}");
    Ok(())
}

pub fn grants_outlive_policy_and_state(bench: &Bench) -> Verdict {
    let key = new_key(bench)?;
    let (first, second) = (made(bench, &request(&key.key_id, None))?.0, made(bench, &request(&key.key_id, None))?.0);
    ok(bench.here.put_key_policy(&key.key_id, &policy(bench, "Deny")?))?;
    ok(bench.here.disable_key(&key.key_id))?;
    ensure!(ok(bench.here.list_grants(&key.key_id))?.len() == 2, "lost with the policy");
    refused_as(bench.raw(REGION, "CreateGrant", &request(&key.key_id, None)), "DisabledException")?;
    ok(bench.here.revoke_grant(&key.key_id, &first))?;
    ok(bench.here.schedule_key_deletion(&key.key_id, 7))?;
    ok(bench.here.revoke_grant(&key.key_id, &second))?;
    Ok(())
}

pub fn a_grant_for_nobody_or_nothing_is_refused(bench: &Bench) -> Verdict {
    let key = new_key(bench)?;
    let mut nothing = request(&key.key_id, None);
    nothing["Operations"] = json!([]);
    let mut unheard_of = request(&key.key_id, None);
    unheard_of["Operations"] = json!(["Sign"]);
    let mut nobody = request(&key.key_id, None);
    nobody["GranteePrincipal"] = Value::Null;
    let mut no_arn = request(&key.key_id, None);
    no_arn["GranteePrincipal"] = json!("backup");
    for (body, code) in [
        (nothing, "ValidationException"),
        (unheard_of, "ValidationException"),
        (nobody, "ValidationException"),
        (no_arn, "InvalidArnException"),
    ] {
        refused_as(bench.raw(REGION, "CreateGrant", &body), code).map_err(|why| format!("{body}: {why}"))?;
    }
    refused(bench.here.revoke_grant(&key.key_id, "not-a-grant-id"), &[Kind::Invalid])?;
    ensure!(ok(bench.here.list_grants(&key.key_id))?.is_empty(), "a refused grant was made");
    Ok(())
}

pub fn grants_are_rehearsed(bench: &Bench) -> Verdict {
    let key = new_key(bench)?;
    let id = made(bench, &request(&key.key_id, None))?.0;
    let mut fresh = request(&key.key_id, None);
    fresh["DryRun"] = json!(true);
    let known = json!({"KeyId": key.arn, "GrantId": id, "DryRun": true});
    for (operation, body) in [("CreateGrant", &fresh), ("RevokeGrant", &known), ("RetireGrant", &known)] {
        refused_as(bench.raw(REGION, operation, body), "DryRunOperationException")
            .map_err(|why| format!("{operation}: {why}"))?;
    }
    let left: Vec<_> = ok(bench.here.list_grants(&key.key_id))?.into_iter().map(|g| g.id).collect();
    ensure!(left == [id], "a rehearsal changed something: {left:?}");
    Ok(())
}

pub fn a_policy_is_kept_as_it_was_put(bench: &Bench) -> Verdict {
    let new = NewKey { policy: Some(policy(bench, "Allow")?), ..NewKey::default() };
    let key = ok(bench.here.create_key(&new))?;
    ensure!(ok(bench.here.key_policy(&key.key_id))? == policy(bench, "Allow")?, "not as created");
    ok(bench.here.put_key_policy(&key.arn, &policy(bench, "Deny")?))?;
    ensure!(ok(bench.here.key_policy(&key.arn))? == policy(bench, "Deny")?, "not as put");
    let names = raw(bench, "ListKeyPolicies", &json!({"KeyId": key.key_id}))?;
    ensure!(names["PolicyNames"] == json!(["default"]), "{names}");
    Ok(())
}

pub fn a_new_key_has_the_default_policy(bench: &Bench) -> Verdict {
    let key = new_key(bench)?;
    let text = ok(bench.here.key_policy(&key.key_id))?;
    let policy: Value = serde_json::from_str(&text).map_err(|e| e.to_string())?;
    let root = format!("arn:aws:iam::{}:root", ok(bench.here.caller())?.account);
    ensure!(policy["Statement"][0]["Principal"]["AWS"] == root, "{policy}");
    ensure!(policy["Statement"][0]["Action"] == "kms:*", "{policy}");
    Ok(())
}

pub fn a_policy_that_locks_out_is_refused(bench: &Bench) -> Verdict {
    let other = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": OTHER}, "Action": "kms:*", "Resource": "*"},
    ]})
    .to_string();
    let key = new_key(bench)?;
    let before = ok(bench.here.key_policy(&key.key_id))?;
    for answer in [
        bench.here.put_key_policy(&key.key_id, &other).err(),
        bench.here.create_key(&NewKey { policy: Some(other.clone()), ..NewKey::default() }).err(),
    ] {
        let error = answer.ok_or("succeeded")?;
        ensure!(error.kind == Kind::Invalid, "{:?} ({error})", error.kind);
        ensure!(error.code.as_deref() == Some("MalformedPolicyDocumentException"), "{error}");
    }
    ensure!(ok(bench.here.key_policy(&key.key_id))? == before, "the policy changed");
    Ok(())
}

pub fn a_policy_without_shape_or_measure_is_refused(bench: &Bench) -> Verdict {
    let key = new_key(bench)?;
    for text in ["{not json", "[]", "{\"Version\": \"2012-10-17\"}"] {
        refused(bench.here.put_key_policy(&key.key_id, text), &[Kind::Invalid])?;
    }
    let mut huge: Value = serde_json::from_str(&policy(bench, "Allow")?).map_err(|e| e.to_string())?;
    huge["Id"] = json!("x".repeat(33_000));
    refused(bench.here.put_key_policy(&key.key_id, &huge.to_string()), &[Kind::LimitExceeded])
}

/// The account's root may do everything; somebody else may, or may not, decrypt.
fn policy(bench: &Bench, effect: &str) -> Result<String, String> {
    let root = format!("arn:aws:iam::{}:root", ok(bench.here.caller())?.account);
    Ok(json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": root}, "Action": "kms:*", "Resource": "*"},
        {"Effect": effect, "Principal": {"AWS": OTHER}, "Action": "kms:Decrypt", "Resource": "*"},
    ]})
    .to_string())
}

fn request(key_id: &str, name: Option<&str>) -> Value {
    let mut request = json!({
        "KeyId": key_id,
        "GranteePrincipal": GRANTEE,
        "Operations": ["Decrypt", "DescribeKey"],
        "Constraints": {"EncryptionContextSubset": {"tenantId": "a"}},
    });
    if let Some(name) = name {
        request["Name"] = json!(name);
    }
    request
}

fn made(bench: &Bench, request: &Value) -> Result<(String, String), String> {
    let grant = raw(bench, "CreateGrant", request)?;
    let text = |name: &str| grant[name].as_str().map(str::to_owned).ok_or(format!("no {name}"));
    Ok((text("GrantId")?, text("GrantToken")?))
}

fn raw(bench: &Bench, operation: &str, body: &Value) -> Result<Value, String> {
    bench.raw(REGION, operation, body).map_err(|code| format!("{operation} answered {code}"))
}
