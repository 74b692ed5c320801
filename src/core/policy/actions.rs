//! KMS's action names, sorted by what they let somebody do, and how a pattern (`kms:Get*`) covers them.
//! Source: the KMS service model (operations) and the service authorization reference (ReEncryptFrom, ReEncryptTo, SynchronizeMultiRegionKey).

/// Turns ciphertext into keys or keys into ciphertext.
pub(super) const USE: [&str; 15] = [
    "Decapsulate",
    "Decrypt",
    "DeriveSharedSecret",
    "Encapsulate",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
    "GenerateDataKeyWithoutPlaintext",
    "GenerateMac",
    "ReEncryptFrom",
    "ReEncryptTo",
    "Sign",
    "Verify",
    "VerifyMac",
];

/// Everyday keeping of a key. Tags and rotation's being on are left out: more than one role has them.
pub(super) const MANAGE: [&str; 14] = [
    "ConnectCustomKeyStore",
    "CreateAlias",
    "CreateCustomKeyStore",
    "CreateKey",
    "DeleteAlias",
    "DeleteCustomKeyStore",
    "DisableKeyRotation",
    "DisconnectCustomKeyStore",
    "GetParametersForImport",
    "ImportKeyMaterial",
    "RotateKeyOnDemand",
    "UpdateAlias",
    "UpdateKeyDescription",
    "UpdatePrimaryRegion",
];

/// Stops a key being used.
pub(super) const STOP: [&str; 2] = ["DisableKey", "RevokeGrant"];
/// Brings it back.
pub(super) const RECOVER: [&str; 2] = ["CancelKeyDeletion", "EnableKey"];
/// Ends it.
pub(super) const DESTROY: [&str; 2] = ["DeleteImportedKeyMaterial", "ScheduleKeyDeletion"];

/// Decides who may do what with the key's material: its own policy, and that of a replica, which whoever makes it chooses (API ReplicateKey).
pub(super) const POLICY: [&str; 2] = ["PutKeyPolicy", "ReplicateKey"];

/// Everything else: questions, tags, grants.
const OTHERS: [&str; 21] = [
    "CreateGrant",
    "DescribeCustomKeyStores",
    "DescribeKey",
    "EnableKeyRotation",
    "GenerateRandom",
    "GetKeyLastUsage",
    "GetKeyPolicy",
    "GetKeyRotationStatus",
    "GetPublicKey",
    "ListAliases",
    "ListGrants",
    "ListKeyPolicies",
    "ListKeyRotations",
    "ListKeys",
    "ListResourceTags",
    "ListRetirableGrants",
    "RetireGrant",
    "SynchronizeMultiRegionKey",
    "TagResource",
    "UntagResource",
    "UpdateCustomKeyStore",
];

/// Every action name of KMS, without its `kms:`.
pub(super) fn known() -> impl Iterator<Item = &'static str> {
    [&USE[..], &MANAGE, &STOP, &RECOVER, &DESTROY, &POLICY, &OTHERS].into_iter().flatten().copied()
}

/// True when an action or pattern of a policy (`kms:Get*`, `*`) covers at least one action of KMS.
pub fn is_known_action(pattern: &str) -> bool {
    known().any(|name| matches_pattern(pattern, &format!("kms:{name}")))
}

/// AWS's wildcards, without case: `*` any text, `?` any one character.
pub fn matches_pattern(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (lower(pattern), lower(text));
    // The last star seen, and where the text stood then: enough to go back to.
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((at, from)) = star else { return false };
                star = Some((at, from + 1));
                p = at + 1;
                t = from + 1;
            }
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

fn lower(text: &str) -> Vec<char> {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// An action as KMS spells it, where it is one; else in lower case. Two spellings of one action become one.
pub(super) fn canonical(action: &str) -> String {
    let same = known().map(|name| format!("kms:{name}")).find(|name| name.eq_ignore_ascii_case(action));
    same.unwrap_or_else(
        || if action.eq_ignore_ascii_case("kms:*") { "kms:*".to_owned() } else { action.to_lowercase() },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_action_stands_in_one_class() {
        let all: Vec<&str> = known().collect();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        assert_eq!(all.len(), 58);
    }

    #[test]
    fn patterns_cover_what_aws_lets_them() {
        for (pattern, text, covers) in [
            ("*", "kms:Decrypt", true),
            ("kms:*", "kms:Decrypt", true),
            ("KMS:generatedatakey*", "kms:GenerateDataKeyWithoutPlaintext", true),
            ("kms:ReEncrypt?o", "kms:ReEncryptTo", true),
            ("kms:*Key*Plain*", "kms:GenerateDataKeyPairWithoutPlaintext", true),
            ("kms:Decrypt", "kms:Decrypts", false),
            ("kms:De*x", "kms:Decrypt", false),
            ("", "kms:Decrypt", false),
        ] {
            assert_eq!(matches_pattern(pattern, text), covers, "{pattern} {text}");
        }
        assert!(is_known_action("kms:describe*") && !is_known_action("kms:ReEncrypt") && !is_known_action("s3:Get*"));
        assert_eq!(canonical("kms:decrypt"), "kms:Decrypt");
    }
}
