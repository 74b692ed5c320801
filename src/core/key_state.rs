//! What a KMS key may do in which state: AWS's matrix as data.
//!
//! Source: AWS KMS Developer Guide, "Key states of AWS KMS keys", and the error lists of the API reference. `MATRIX` is the only
//! place that knows it; the embedded engine refuses by it and nothing else. Where AWS leaves a cell open
//! (it allows two errors for a key that is pending deletion) the row names the one it is known to give.

use super::kms::KeyState;

macro_rules! operations {
    ($($name:ident),+ $(,)?) => {
        /// A KMS call that touches one key, by AWS's name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Operation { $($name),+ }

        impl Operation {
            /// Every operation of the matrix.
            pub const ALL: &'static [Operation] = &[$(Operation::$name),+];

            /// AWS's spelling.
            pub fn as_str(self) -> &'static str {
                match self { $(Operation::$name => stringify!($name)),+ }
            }
        }
    };
}

operations! {
    Encrypt, Decrypt, ReEncrypt, GenerateDataKey, GenerateDataKeyWithoutPlaintext, GenerateDataKeyPair,
    GenerateMac, VerifyMac, Sign, Verify, GetPublicKey,
    CreateGrant, ReplicateKey, UpdatePrimaryRegion,
    EnableKeyRotation, DisableKeyRotation, RotateKeyOnDemand, GetKeyRotationStatus, ListKeyRotations,
    EnableKey, DisableKey, ScheduleKeyDeletion, CancelKeyDeletion,
    CreateAlias, UpdateAlias, TagResource, UntagResource, UpdateKeyDescription,
    DeleteAlias, PutKeyPolicy, GetKeyPolicy, ListKeyPolicies, DescribeKey, GetKeyLastUsage,
    ListGrants, RevokeGrant, RetireGrant, ListAliases, ListResourceTags,
}

/// What KMS says to a call on a key in some state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Allowed,
    /// `DisabledException`.
    Disabled,
    /// `KMSInvalidStateException`.
    InvalidState,
    /// `UnsupportedOperationException`.
    Unsupported,
}

impl Verdict {
    /// AWS's error code; `None` when the call is allowed.
    pub fn code(self) -> Option<&'static str> {
        match self {
            Verdict::Allowed => None,
            Verdict::Disabled => Some("DisabledException"),
            Verdict::InvalidState => Some("KMSInvalidStateException"),
            Verdict::Unsupported => Some("UnsupportedOperationException"),
        }
    }
}

const OK: Verdict = Verdict::Allowed;
const DIS: Verdict = Verdict::Disabled;
const INV: Verdict = Verdict::InvalidState;
const UNS: Verdict = Verdict::Unsupported;

use Operation as Op;

/// Columns in life order: Creating, PendingImport, Enabled, Updating, Disabled, Unavailable, PendingReplicaDeletion, PendingDeletion.
/// A state that a row's kind of key cannot be in is `Unsupported`.
#[rustfmt::skip]
const MATRIX: &[(&[Operation], [Verdict; 8])] = &[
    //                                                                              Creat Impor Enabl Updat Disab Unava Repli Pendi
    (&[Op::Encrypt, Op::Decrypt, Op::ReEncrypt, Op::GenerateDataKey,
       Op::GenerateDataKeyWithoutPlaintext, Op::GenerateDataKeyPair],              [INV,  INV,  OK,   OK,   DIS,  INV,  INV,  INV]),
    (&[Op::GenerateMac, Op::VerifyMac, Op::Sign, Op::Verify, Op::GetPublicKey],    [INV,  UNS,  OK,   OK,   DIS,  UNS,  INV,  INV]),
    (&[Op::CreateGrant],                                                           [INV,  INV,  OK,   OK,   DIS,  OK,   INV,  INV]),
    (&[Op::ReplicateKey],                                                          [INV,  INV,  OK,   INV,  DIS,  UNS,  INV,  INV]),
    (&[Op::UpdatePrimaryRegion],                                                   [INV,  INV,  OK,   OK,   DIS,  UNS,  INV,  INV]),
    (&[Op::EnableKeyRotation, Op::DisableKeyRotation],                             [INV,  UNS,  OK,   OK,   DIS,  UNS,  INV,  INV]),
    (&[Op::RotateKeyOnDemand],                                                     [INV,  UNS,  OK,   INV,  DIS,  UNS,  INV,  INV]),
    (&[Op::GetKeyRotationStatus, Op::ListKeyRotations],                            [OK,   UNS,  OK,   OK,   OK,   UNS,  OK,   OK ]),
    (&[Op::EnableKey, Op::DisableKey],                                             [INV,  INV,  OK,   INV,  OK,   OK,   INV,  INV]),
    (&[Op::ScheduleKeyDeletion],                                                   [OK,   OK,   OK,   INV,  OK,   OK,   INV,  INV]),
    (&[Op::CancelKeyDeletion],                                                     [INV,  INV,  INV,  INV,  INV,  INV,  OK,   OK ]),
    (&[Op::CreateAlias, Op::UpdateAlias, Op::TagResource, Op::UntagResource,
       Op::UpdateKeyDescription],                                                  [OK,   OK,   OK,   OK,   OK,   OK,   INV,  INV]),
    (&[Op::DeleteAlias, Op::PutKeyPolicy, Op::GetKeyPolicy, Op::ListKeyPolicies,
       Op::DescribeKey, Op::GetKeyLastUsage, Op::ListGrants, Op::RevokeGrant,
       Op::RetireGrant, Op::ListAliases, Op::ListResourceTags],                    [OK,   OK,   OK,   OK,   OK,   OK,   OK,   OK ]),
];

/// What KMS says to `operation` on a key in `state`. For UpdateAlias the state is the new target's.
pub fn verdict(operation: Operation, state: KeyState) -> Verdict {
    let row = MATRIX.iter().find(|(operations, _)| operations.contains(&operation));
    row.expect("every operation has a row; a test holds it").1[state as usize]
}

/// The state an allowed call leaves the key in. CancelKeyDeletion gives Disabled, whatever the key was before. A multi-Region primary
/// with replicas is PendingReplicaDeletion first: only its KMS knows that it has some.
pub fn after(operation: Operation, state: KeyState) -> KeyState {
    match operation {
        Op::EnableKey => KeyState::Enabled,
        Op::DisableKey | Op::CancelKeyDeletion => KeyState::Disabled,
        Op::ScheduleKeyDeletion => KeyState::PendingDeletion,
        _ => state,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_operation_stands_in_exactly_one_row() {
        for operation in Operation::ALL {
            let rows = MATRIX.iter().filter(|(operations, _)| operations.contains(operation)).count();
            assert_eq!(rows, 1, "{}", operation.as_str());
        }
    }

    #[test]
    fn a_revoked_key_neither_opens_nor_seals_but_can_still_be_looked_at_and_contained() {
        for state in [KeyState::Disabled, KeyState::PendingDeletion] {
            for operation in [Op::Decrypt, Op::Encrypt, Op::GenerateDataKey, Op::GenerateDataKeyWithoutPlaintext] {
                assert_ne!(verdict(operation, state), OK, "{} while {state}", operation.as_str());
            }
            for operation in [Op::DescribeKey, Op::PutKeyPolicy, Op::RevokeGrant, Op::DeleteAlias] {
                assert_eq!(verdict(operation, state), OK, "{} while {state}", operation.as_str());
            }
        }
        assert_eq!(verdict(Op::Decrypt, KeyState::Disabled).code(), Some("DisabledException"));
        assert_eq!(verdict(Op::Decrypt, KeyState::PendingDeletion).code(), Some("KMSInvalidStateException"));
        assert_eq!(
            verdict(Op::EnableKeyRotation, KeyState::PendingImport).code(),
            Some("UnsupportedOperationException")
        );
    }

    proptest! {
        /// Whatever is called in whatever order on an ordinary key: it is never in a state AWS has no way to, a running deletion ends
        /// only by cancelling, and what comes back from it does not work before someone enables it.
        #[test]
        fn random_moves_never_reach_a_forbidden_state(moves in prop::collection::vec(0..Operation::ALL.len(), 0..200)) {
            let mut state = KeyState::Enabled;
            for operation in moves.into_iter().map(|index| Operation::ALL[index]) {
                if verdict(operation, state) != OK {
                    continue;
                }
                let next = after(operation, state);
                prop_assert!(matches!(next, KeyState::Enabled | KeyState::Disabled | KeyState::PendingDeletion));
                if state == KeyState::PendingDeletion && next != state {
                    prop_assert_eq!(operation, Op::CancelKeyDeletion);
                    prop_assert_eq!(next, KeyState::Disabled);
                    prop_assert_ne!(verdict(Op::Decrypt, next), OK);
                }
                if verdict(Op::Decrypt, next) == OK {
                    prop_assert_eq!(next, KeyState::Enabled);
                }
                if next == KeyState::Enabled && state != next {
                    prop_assert_eq!(operation, Op::EnableKey);
                }
                state = next;
            }
        }
    }
}
