//! Every operation of the engine in every state a key of it can be in, against the matrix of `core::key_state`: an operation that forgot to
//! ask would show here.

use crate::support::kms_bench::{ELSEWHERE, REGION, open, serve};
use crate::support::kms_wire::kms_request_to;
use scrybe_keys::core::key_state::{Operation, Verdict, verdict};
use scrybe_keys::core::kms::{Context, KeyState, Kms, NewKey, NewReplica};
use scrybe_keys::local::InProcess;
use serde_json::json;

#[test]
fn kms_matrix_holds_for_every_operation_of_the_engine() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path());
    let kms = InProcess::new(engine.clone(), REGION);
    let serving = serve(engine.clone());
    let address = serving.address().to_string();
    let replica = NewReplica { region: ELSEWHERE.to_owned(), ..NewReplica::default() };
    let mut asked = 0;
    for state in [
        KeyState::Creating,
        KeyState::Enabled,
        KeyState::Disabled,
        KeyState::PendingReplicaDeletion,
        KeyState::PendingDeletion,
    ] {
        // A key is Creating in its replica's region only, for as long as the change is not seen there.
        let region = if state == KeyState::Creating { ELSEWHERE } else { REGION };
        let there = InProcess::new(engine.clone(), region);
        let other = there.create_key(&NewKey::default()).unwrap().value.key_id;
        for operation in Operation::ALL {
            let alias = format!("alias/{}", uuid::Uuid::new_v4());
            if body(*operation, "", &[], "", "").is_none() {
                continue;
            }
            // A fresh key each time: many of the calls change it.
            let key = kms.create_key(&NewKey { multi_region: true, ..NewKey::default() }).unwrap().value.key_id;
            let wrapped = kms.encrypt(&key, b"plain", &Context::new()).unwrap().value.wrapped;
            if matches!(operation, Operation::UpdateAlias | Operation::DeleteAlias) {
                there.create_alias(&alias, &other).unwrap();
            }
            let mut grant = String::new();
            if matches!(operation, Operation::RevokeGrant | Operation::RetireGrant) {
                if state == KeyState::Creating {
                    // Nobody can have made a grant on it yet.
                    continue;
                }
                let request = body(Operation::CreateGrant, &key, &[], "", "").expect("a body");
                let made = kms_request_to(&address, region, "CreateGrant", &request.to_string()).1;
                grant = made["GrantId"].as_str().unwrap().to_owned();
            }
            let replicated = [KeyState::Creating, KeyState::PendingReplicaDeletion].contains(&state);
            if replicated || (*operation == Operation::UpdatePrimaryRegion && state != KeyState::PendingDeletion) {
                engine.set_lag(u32::from(state == KeyState::Creating));
                kms.replicate_key(&key, &replica).unwrap();
            }
            match state {
                KeyState::Disabled => drop(kms.disable_key(&key).unwrap()),
                KeyState::PendingDeletion | KeyState::PendingReplicaDeletion => {
                    assert_eq!(kms.schedule_key_deletion(&key, 7).unwrap().value.state, state);
                }
                _ => {}
            }
            let body = body(*operation, &key, &wrapped, &alias, &grant).expect("asked above");
            let (status, answer) = kms_request_to(&address, region, operation.as_str(), &body.to_string());
            engine.set_lag(0);
            let found = answer["__type"].as_str();
            assert_eq!(found, verdict(*operation, state).code(), "{} while {state}: {answer}", operation.as_str());
            assert_eq!(
                status == 200,
                verdict(*operation, state) == Verdict::Allowed,
                "{}: {answer}",
                operation.as_str()
            );
            asked += 1;
        }
    }
    assert_eq!(asked, 5 * 33 - 2, "operations of the engine that the matrix knows");
}

/// A body that only the key's state can refuse; `None` for what this engine does not do.
fn body(operation: Operation, key: &str, wrapped: &[u8], alias: &str, grant: &str) -> Option<serde_json::Value> {
    use base64::Engine as _;
    let blob = base64::engine::general_purpose::STANDARD.encode(wrapped);
    let fresh = format!("alias/{}", uuid::Uuid::new_v4());
    Some(match operation {
        Operation::Encrypt => json!({"KeyId": key, "Plaintext": "AAAA"}),
        Operation::Decrypt => json!({"KeyId": key, "CiphertextBlob": blob}),
        Operation::GenerateDataKey | Operation::GenerateDataKeyWithoutPlaintext => {
            json!({"KeyId": key, "KeySpec": "AES_256"})
        }
        Operation::ReEncrypt => json!({"CiphertextBlob": blob, "DestinationKeyId": key}),
        Operation::CreateGrant => json!({
            "KeyId": key,
            "GranteePrincipal": "arn:aws:iam::111122223333:role/backup",
            "Operations": ["Decrypt"],
        }),
        Operation::RevokeGrant | Operation::RetireGrant => json!({"KeyId": key, "GrantId": grant}),
        Operation::ReplicateKey => json!({"KeyId": key, "ReplicaRegion": "ap-south-1"}),
        Operation::UpdatePrimaryRegion => json!({"KeyId": key, "PrimaryRegion": ELSEWHERE}),
        Operation::CreateAlias => json!({"AliasName": fresh, "TargetKeyId": key}),
        Operation::UpdateAlias => json!({"AliasName": alias, "TargetKeyId": key}),
        Operation::DeleteAlias => json!({"AliasName": alias}),
        Operation::TagResource => json!({"KeyId": key, "Tags": [{"TagKey": "a", "TagValue": "b"}]}),
        Operation::UntagResource => json!({"KeyId": key, "TagKeys": ["a"]}),
        Operation::UpdateKeyDescription => json!({"KeyId": key, "Description": "d"}),
        Operation::PutKeyPolicy => {
            let everyone = json!({"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"});
            json!({"KeyId": key, "PolicyName": "default", "Policy": json!({"Statement": [everyone]}).to_string()})
        }
        Operation::GetKeyPolicy
        | Operation::ListKeyPolicies
        | Operation::GetKeyLastUsage
        | Operation::ListGrants
        | Operation::RotateKeyOnDemand
        | Operation::ListKeyRotations
        | Operation::DescribeKey
        | Operation::ListResourceTags
        | Operation::ListAliases
        | Operation::EnableKey
        | Operation::DisableKey
        | Operation::ScheduleKeyDeletion
        | Operation::CancelKeyDeletion
        | Operation::EnableKeyRotation
        | Operation::DisableKeyRotation
        | Operation::GetKeyRotationStatus => json!({"KeyId": key}),
        _ => return None,
    })
}
