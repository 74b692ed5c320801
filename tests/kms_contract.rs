//! One table of checks over `&dyn Kms`, run on everything that claims to be a KMS.
//!
//! The engine in process and the engine through its endpoint (the real SDK) must pass all of them. moto and MiniStack are outside
//! cross-checks, so that the engine is not fitted to our own mistakes: each has a table of the checks it is known to fail, and a check
//! that no longer fails there fails the test, so that an upgrade is noticed.

use crate::kms_checks_crypto::*;
use crate::kms_checks_grants::*;
use crate::kms_checks_keys::*;
use crate::kms_checks_relatives::*;
use crate::kms_checks_rewrap::*;
use crate::support::emulators::{Emulator, MINISTACK, MOTO};
use crate::support::kms_bench::Bench;
use crate::support::kms_verdict::Verdict;

type Check = (&'static str, fn(&Bench) -> Verdict);

const CHECKS: &[Check] = &[
    ("caller names its account", caller_names_its_account),
    ("a new key is enabled and described", a_new_key_is_enabled_and_described),
    ("a key names its material", a_key_names_its_material),
    ("a key is found by id, arn, alias and alias arn", a_key_is_found_by_every_name),
    ("what does not exist is not found", what_does_not_exist_is_not_found),
    ("an arn of another region is not found", an_arn_of_another_region_is_not_found),
    ("every answer has a request id", every_answer_has_a_request_id),
    ("a malformed policy is refused", a_malformed_policy_is_refused),
    ("a multi-region key is one, and opens", a_multi_region_key_is_one_and_opens),
    ("a data key opens to itself", a_data_key_opens_to_itself),
    ("a data key names its material", a_data_key_names_its_material),
    ("a withheld data key opens to 32 bytes", a_withheld_data_key_opens),
    ("encrypt takes 1 to 4096 bytes", encrypt_takes_up_to_4096_bytes),
    ("an empty plaintext is refused", an_empty_plaintext_is_refused),
    ("a longer plaintext is refused", a_longer_plaintext_is_refused),
    ("another context does not open", another_context_does_not_open),
    ("an altered ciphertext does not open", an_altered_ciphertext_does_not_open),
    ("garbage is an invalid ciphertext", garbage_is_an_invalid_ciphertext),
    ("a pin to the right key by alias opens", a_pin_by_alias_opens),
    ("a pin to another key is refused", a_pin_to_another_key_is_refused),
    ("regions are apart", regions_are_apart),
    ("a disabled key neither seals nor opens", a_disabled_key_neither_seals_nor_opens),
    ("an enabled key opens again", an_enabled_key_opens_again),
    ("a key is switched by arn", a_key_is_switched_by_arn),
    ("switching twice is no error", switching_twice_is_no_error),
    ("a disabled key takes no rotation", a_disabled_key_takes_no_rotation),
    ("deletion waits 7 to 30 days", deletion_waits_7_to_30_days),
    ("a deletion window out of range is refused", a_deletion_window_out_of_range_is_refused),
    ("a key pending deletion neither seals nor opens", a_pending_key_neither_seals_nor_opens),
    ("a key pending deletion is not switched", a_pending_key_is_not_switched),
    ("a running deletion is not scheduled again", a_running_deletion_is_not_scheduled_again),
    ("a key pending deletion takes no tag", a_pending_key_takes_no_tag),
    ("a key pending deletion takes no alias", a_pending_key_takes_no_alias),
    ("a cancelled deletion leaves the key disabled", a_cancelled_deletion_leaves_the_key_disabled),
    ("nothing to cancel is refused", nothing_to_cancel_is_refused),
    ("an alias is made, moved and removed", an_alias_is_made_moved_and_removed),
    ("an alias exists once", an_alias_exists_once),
    ("a malformed alias is refused", a_malformed_alias_is_refused),
    ("aws's own aliases are reserved", reserved_aliases_are_refused),
    ("a key is not switched by alias", a_key_is_not_switched_by_alias),
    ("all pages of aliases arrive", all_pages_of_aliases_arrive),
    ("tags are kept and replaced", tags_are_kept_and_replaced),
    ("rotation is on, off, and says when next", rotation_is_on_off_and_says_when_next),
    ("a rotation period out of range is refused", a_rotation_period_out_of_range_is_refused),
    ("a key pending deletion reports no rotation", a_pending_key_reports_no_rotation),
    ("tags are taken off", tags_are_taken_off),
    ("a key is described anew", a_key_is_described_anew),
    ("all pages of keys arrive", all_pages_of_keys_arrive),
    ("a policy is kept as it was put", a_policy_is_kept_as_it_was_put),
    ("a new key has the default policy", a_new_key_has_the_default_policy),
    ("a policy that locks the caller out is refused", a_policy_that_locks_out_is_refused),
    ("a policy without shape or measure is refused", a_policy_without_shape_or_measure_is_refused),
    ("a rewrapped key opens under the new key", a_rewrapped_key_opens_under_the_new_key),
    ("a rewrap goes by alias too", a_rewrap_goes_by_alias_too),
    ("a rewrap names both materials", a_rewrap_names_both_materials),
    ("a rewrap under the same key takes its newest material", a_rewrap_under_the_same_key_takes_its_newest_material),
    ("a rewrap pinned to another source is refused", a_rewrap_pinned_to_another_source_is_refused),
    ("a rewrap under another context is refused", a_rewrap_under_another_context_is_refused),
    ("a disabled key is no source and no target of a rewrap", a_disabled_key_is_no_source_and_no_target),
    ("a rewrap to nobody is not found", a_rewrap_to_nobody_is_not_found),
    ("what would succeed is rehearsed", what_would_succeed_is_rehearsed),
    ("a rehearsal is refused as the call would be", a_rehearsal_is_refused_as_the_call_would_be),
    ("no rehearsal gives plaintext", no_rehearsal_gives_plaintext),
    ("rotation on demand makes new material", rotation_on_demand_makes_new_material),
    ("a key is rotated on demand 25 times in its life", a_key_is_rotated_on_demand_25_times),
    ("an unusable key is not rotated on demand", an_unusable_key_is_not_rotated_on_demand),
    ("the last use of a key is told", the_last_use_of_a_key_is_told),
    ("only success is use", only_success_is_use),
    ("a grant is listed as it was made", a_grant_is_listed_as_it_was_made),
    ("a named grant is made once", a_named_grant_is_made_once),
    ("all pages of grants arrive", all_pages_of_grants_arrive),
    ("grants are filtered by grantee", grants_are_filtered_by_grantee),
    ("a revoked grant is gone", a_revoked_grant_is_gone),
    ("a grant is retired by token or id", a_grant_is_retired_by_token_or_id),
    ("retirable grants are listed across keys", retirable_grants_are_listed_across_keys),
    ("grants outlive policy and state", grants_outlive_policy_and_state),
    ("a grant for nobody or nothing is refused", a_grant_for_nobody_or_nothing_is_refused),
    ("grants are rehearsed", grants_are_rehearsed),
    ("a replica opens what its primary sealed", a_replica_opens_what_its_primary_sealed),
    ("relatives are described on every one", relatives_are_described_on_every_one),
    ("a replica has the material of its primary", a_replica_has_the_material_of_its_primary),
    ("rotation is set on the primary and shows on replicas", rotation_is_set_on_the_primary),
    ("a replica has its own names and policy", a_replica_has_its_own_names_and_policy),
    ("disabling a primary disables no replica", disabling_a_primary_disables_no_replica),
    ("a region has one of each key", a_region_has_one_of_each_key),
    ("only a multi-region primary is replicated", only_a_multi_region_primary_is_replicated),
    ("a region that is none is refused", a_region_that_is_none_is_refused),
    ("a primary waits for its replicas to go", a_primary_waits_for_its_replicas_to_go),
    ("the primary moves", the_primary_moves),
    ("a sibling is in its region", a_sibling_is_in_its_region),
];

#[test]
fn kms_contract_in_process() {
    gate(&Bench::in_process());
}

#[test]
fn kms_contract_through_the_endpoint() {
    gate(&Bench::endpoint());
}

#[test]
fn kms_contract_cross_check_moto() {
    let Some(emulator) = Emulator::start(&MOTO) else { return };
    cross_check(&Bench::emulator(emulator), MOTO_DEVIATIONS);
}

#[test]
fn kms_contract_cross_check_ministack() {
    let Some(emulator) = Emulator::start(&MINISTACK) else { return };
    cross_check(&Bench::emulator(emulator), MINISTACK_DEVIATIONS);
}

/// Check, and words of what happens there instead. moto ignores the state of a key altogether.
const MOTO_DEVIATIONS: &[(&str, &str)] = &[
    ("a key names its material", "material id ``"),
    ("an arn of another region is not found", "succeeded"),
    ("a malformed policy is refused", "succeeded"),
    ("a multi-region key is one, and opens", "kms Decrypt answered AccessDeniedException"),
    ("a data key names its material", "None"),
    ("garbage is an invalid ciphertext", "AccessDeniedException"),
    ("a pin to another key is refused", "AccessDeniedException"),
    ("a disabled key neither seals nor opens", "a crypto call succeeded"),
    ("a key is switched by arn", "DisableKey failed: status 500"),
    ("a disabled key takes no rotation", "succeeded"),
    ("a deletion window out of range is refused", "succeeded"),
    ("a key pending deletion neither seals nor opens", "a crypto call succeeded"),
    ("a key pending deletion is not switched", "succeeded"),
    ("a running deletion is not scheduled again", "succeeded"),
    ("a key pending deletion takes no tag", "succeeded"),
    ("a key pending deletion takes no alias", "succeeded"),
    ("nothing to cancel is refused", "succeeded"),
    ("aws's own aliases are reserved", "succeeded"),
    ("rotation is on, off, and says when next", "period_days: None"),
    ("a rotation period out of range is refused", "succeeded"),
    ("a key pending deletion reports no rotation", "on while pending deletion"),
    ("a key is described anew", "succeeded"),
    ("a policy that locks the caller out is refused", "succeeded"),
    ("a policy without shape or measure is refused", "succeeded"),
    ("a rewrap names both materials", "no source material"),
    ("a rewrap under the same key takes its newest material", "material None"),
    ("a rewrap pinned to another source is refused", "succeeded"),
    ("a disabled key is no source and no target of a rewrap", "a rewrap succeeded"),
    ("a rewrap to nobody is not found", "succeeded"),
    ("what would succeed is rehearsed", "made the call instead of judging it"),
    ("a rehearsal is refused as the call would be", "AccessDeniedException"),
    ("no rehearsal gives plaintext", "GenerateDataKey: succeeded"),
    ("rotation on demand makes new material", "[]"),
    ("a key is rotated on demand 25 times in its life", "succeeded"),
    ("an unusable key is not rotated on demand", "succeeded"),
    ("the last use of a key is told", "GetKeyLastUsage failed: status 500"),
    ("only success is use", "GetKeyLastUsage failed: status 500"),
    ("a grant is listed as it was made", "no creation date"),
    ("a named grant is made once", " then "),
    ("all pages of grants arrive", "one page of all"),
    ("grants are filtered by grantee", "String("),
    ("a grant is retired by token or id", "succeeded"),
    ("grants outlive policy and state", "succeeded"),
    ("a grant for nobody or nothing is refused", "\"Operations\":[]"),
    ("grants are rehearsed", "CreateGrant: succeeded"),
    ("a replica opens what its primary sealed", "kms Decrypt answered AccessDeniedException"),
    ("relatives are described on every one", "is_primary: false"),
    ("a replica has the material of its primary", "None"),
    ("rotation is set on the primary and shows on replicas", "enabled: false"),
    ("a replica has its own names and policy", "description ``"),
    ("disabling a primary disables no replica", "AccessDeniedException"),
    ("a region has one of each key", "succeeded"),
    ("only a multi-region primary is replicated", "ReplicateKey failed: status 500"),
    ("a region that is none is refused", "ReplicateKey failed: status 500"),
    ("a primary waits for its replicas to go", "state PendingDeletion"),
    ("the primary moves", "UpdatePrimaryRegion answered status 500"),
];

/// MiniStack refuses crypto calls by state, and little else; its ciphertext is not authenticated.
const MINISTACK_DEVIATIONS: &[(&str, &str)] = &[
    ("a malformed policy is refused", "succeeded"),
    ("an empty plaintext is refused", "succeeded"),
    ("a longer plaintext is refused", "succeeded"),
    ("an altered ciphertext does not open", "succeeded"),
    ("a pin to another key is refused", "succeeded"),
    ("a disabled key takes no rotation", "succeeded"),
    ("a key pending deletion is not switched", "succeeded"),
    ("a running deletion is not scheduled again", "succeeded"),
    ("a key pending deletion takes no tag", "succeeded"),
    ("a key pending deletion takes no alias", "succeeded"),
    ("nothing to cancel is refused", "succeeded"),
    ("a malformed alias is refused", "succeeded"),
    ("aws's own aliases are reserved", "succeeded"),
    ("a key is not switched by alias", "succeeded"),
    ("rotation is on, off, and says when next", "no next date"),
    ("a rotation period out of range is refused", "succeeded"),
    ("a key pending deletion reports no rotation", "on while pending deletion"),
    ("a key is described anew", "succeeded"),
    ("a policy that locks the caller out is refused", "succeeded"),
    ("a policy without shape or measure is refused", "succeeded"),
    ("a rewrapped key opens under the new key", "Unknown action: ReEncrypt"),
    ("a rewrap goes by alias too", "Unknown action: ReEncrypt"),
    ("a rewrap names both materials", "Unknown action: ReEncrypt"),
    ("a rewrap under the same key takes its newest material", "Unknown action: RotateKeyOnDemand"),
    ("a rewrap pinned to another source is refused", "Unknown action: ReEncrypt"),
    ("a rewrap under another context is refused", "Unknown action: ReEncrypt"),
    ("a disabled key is no source and no target of a rewrap", "Unknown action: ReEncrypt"),
    ("a rewrap to nobody is not found", "Unknown action: ReEncrypt"),
    ("what would succeed is rehearsed", "made the call instead of judging it"),
    ("a rehearsal is refused as the call would be", "made the call instead of judging it"),
    ("no rehearsal gives plaintext", "GenerateDataKey: succeeded"),
    ("rotation on demand makes new material", "Unknown action: ListKeyRotations"),
    ("a key is rotated on demand 25 times in its life", "Unknown action: RotateKeyOnDemand"),
    ("an unusable key is not rotated on demand", "Unknown action: RotateKeyOnDemand"),
    ("the last use of a key is told", "Unknown action: GetKeyLastUsage"),
    ("only success is use", "Unknown action: GetKeyLastUsage"),
    ("retirable grants are listed across keys", "ListRetirableGrants answered InvalidAction"),
    ("a grant for nobody or nothing is refused", "expected InvalidArnException"),
    ("a replica has the material of its primary", "Unknown action: RotateKeyOnDemand"),
    ("rotation is set on the primary and shows on replicas", "enabled: false"),
    ("only a multi-region primary is replicated", "succeeded"),
    ("a region that is none is refused", "succeeded"),
    ("a primary waits for its replicas to go", "a date"),
    ("the primary moves", "UpdatePrimaryRegion answered InvalidAction"),
];

fn gate(bench: &Bench) {
    let mut failed = Vec::new();
    for (name, found) in run(bench) {
        if let Err(why) = found {
            failed.push(format!("{name}: {why}"));
        }
    }
    assert!(failed.is_empty(), "{} of {} checks failed:\n{}", failed.len(), CHECKS.len(), failed.join("\n"));
}

/// The checks that fail must be exactly the expected ones, in the expected way.
fn cross_check(bench: &Bench, deviations: &[(&str, &str)]) {
    let mut surprises = Vec::new();
    for (name, _) in deviations.iter().filter(|(name, _)| !CHECKS.iter().any(|(check, _)| check == name)) {
        surprises.push(format!("no check is called: {name}"));
    }
    for (name, found) in run(bench) {
        let expected = deviations.iter().find(|(deviation, _)| *deviation == name);
        match (found, expected) {
            (Ok(()), None) => {}
            (Ok(()), Some(_)) => surprises.push(format!("no longer deviates: {name}")),
            (Err(why), Some((_, words))) if why.contains(words) => {}
            (Err(why), _) => surprises.push(format!("deviates in a new way: {name}: {why}")),
        }
    }
    assert!(surprises.is_empty(), "{}", surprises.join("\n"));
}

fn run(bench: &Bench) -> Vec<(&'static str, Verdict)> {
    CHECKS.iter().map(|(name, check)| (*name, check(bench))).collect()
}
