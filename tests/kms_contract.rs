//! One table of checks over `&dyn Kms`, run on everything that claims to be a KMS.
//!
//! The engine in process and the engine through its endpoint (the real SDK) must pass all of them. moto and MiniStack are outside
//! cross-checks, so that the engine is not fitted to our own mistakes: each has a table of the checks it is known to fail, and a check
//! that no longer fails there fails the test, so that an upgrade is noticed.

use crate::kms_checks_crypto::*;
use crate::kms_checks_keys::*;
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
