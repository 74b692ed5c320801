//! Every operation of the engine in every state a key of it can be in, against the matrix of `core::key_state`: an operation that forgot to
//! ask would show here.

use crate::support::kms_bench::{REGION, open, serve};
use crate::support::kms_wire::kms_request;
use scrybe_keys::core::key_state::{Operation, Verdict, verdict};
use scrybe_keys::core::kms::{Context, KeyState, Kms, NewKey};
use scrybe_keys::local::InProcess;
use serde_json::json;

#[test]
fn kms_matrix_holds_for_every_operation_of_the_engine() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path());
    let kms = InProcess::new(engine.clone(), REGION);
    let serving = serve(engine);
    let other = kms.create_key(&NewKey::default()).unwrap().value.key_id;
    let mut asked = 0;
    for state in [KeyState::Enabled, KeyState::Disabled, KeyState::PendingDeletion] {
        for operation in Operation::ALL {
            let alias = format!("alias/{}", uuid::Uuid::new_v4());
            if body(*operation, "", &[], "").is_none() {
                continue;
            }
            // A fresh key each time: many of the calls change it.
            let key = kms.create_key(&NewKey::default()).unwrap().value.key_id;
            let wrapped = kms.encrypt(&key, b"plain", &Context::new()).unwrap().value.wrapped;
            if matches!(operation, Operation::UpdateAlias | Operation::DeleteAlias) {
                kms.create_alias(&alias, &other).unwrap();
            }
            match state {
                KeyState::Disabled => drop(kms.disable_key(&key).unwrap()),
                KeyState::PendingDeletion => drop(kms.schedule_key_deletion(&key, 7).unwrap()),
                _ => {}
            }
            let body = body(*operation, &key, &wrapped, &alias).expect("asked above");
            let (status, answer) = kms_request(&serving, operation.as_str(), &body.to_string());
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
    assert_eq!(asked, 3 * 22, "operations of the engine that the matrix knows");
}

/// A body that only the key's state can refuse; `None` for what this engine does not do.
fn body(operation: Operation, key: &str, wrapped: &[u8], alias: &str) -> Option<serde_json::Value> {
    use base64::Engine as _;
    let blob = base64::engine::general_purpose::STANDARD.encode(wrapped);
    let fresh = format!("alias/{}", uuid::Uuid::new_v4());
    Some(match operation {
        Operation::Encrypt => json!({"KeyId": key, "Plaintext": "AAAA"}),
        Operation::Decrypt => json!({"KeyId": key, "CiphertextBlob": blob}),
        Operation::GenerateDataKey | Operation::GenerateDataKeyWithoutPlaintext => {
            json!({"KeyId": key, "KeySpec": "AES_256"})
        }
        Operation::CreateAlias => json!({"AliasName": fresh, "TargetKeyId": key}),
        Operation::UpdateAlias => json!({"AliasName": alias, "TargetKeyId": key}),
        Operation::DeleteAlias => json!({"AliasName": alias}),
        Operation::TagResource => json!({"KeyId": key, "Tags": [{"TagKey": "a", "TagValue": "b"}]}),
        Operation::UntagResource => json!({"KeyId": key, "TagKeys": ["a"]}),
        Operation::UpdateKeyDescription => json!({"KeyId": key, "Description": "d"}),
        Operation::PutKeyPolicy => json!({"KeyId": key, "PolicyName": "default", "Policy": "{\"Statement\":[]}"}),
        Operation::GetKeyPolicy
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
