//! `create-cmk` killed after every single AWS call: the next run finishes what was begun, and nothing is made twice.

use crate::support::account::{Account, SECTION};
use crate::support::cli::{binary, start};
use nix::sys::signal::Signal;
use serde_json::json;
use std::os::unix::process::ExitStatusExt;

/// Every `stride`-th call from `first` on, until there are no more.
fn killed_after(first: usize, stride: usize) {
    let Some(mut account) = Account::empty(SECTION) else { return };
    let mut call = first;
    loop {
        let point = format!("provision-call:{call}");
        let killed = account.run_with("SCRYBE_KEYS_CRASH_AT", &point, &["create-cmk", "--yes"]);
        if killed.status.signal() != Some(9) {
            killed.expect(0);
            assert!(call > 30, "there are more than thirty calls, not {call}");
            return;
        }
        let finished = account.create(&["--yes", "--json"]).expect(0).json();
        assert_eq!(finished["data"]["plan"]["calls"], 0, "after call {call}: {finished:#}");
        assert_eq!(account.keys(), 2, "after call {call}");
        account.create(&["--dry-run"]).expect(0);
        let alarms =
            account.foreign("cloudwatch", "DescribeAlarms", json!({}))["MetricAlarms"].as_array().unwrap().len();
        assert_eq!(alarms, 7, "after call {call}");
        account = account.emptied();
        call += stride;
    }
}

#[test]
fn killed_after_every_third_call_from_the_first() {
    killed_after(1, 3);
}

#[test]
fn killed_after_every_third_call_from_the_second() {
    killed_after(2, 3);
}

#[test]
fn killed_after_every_third_call_from_the_third() {
    killed_after(3, 3);
}

#[test]
fn interrupted_it_ends_between_two_calls_and_the_same_command_goes_on() {
    let Some(account) = Account::empty(SECTION) else { return };
    let running = start(binary(&["create-cmk", "--yes", "--json"], &account.environment));
    while account.keys() == 0 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    running.signal(Signal::SIGINT);
    let ended = running.finish().expect(7);
    assert_eq!((ended.json()["changed"].clone(), ended.problem_codes()), (json!(true), vec!["interrupted".to_owned()]));
    let done = ended.json()["data"]["done"].as_array().unwrap().len();
    assert!((1..34).contains(&done), "{done} calls were made");
    account.create(&["--yes"]).expect(0);
    assert_eq!(account.keys(), 2);
    account.create(&["--dry-run"]).expect(0);
}

#[test]
fn killed_right_after_a_key_was_made_that_kms_does_not_show_yet() {
    let Some(account) = Account::empty("") else { return };
    account.kms.engine.set_lag(1);
    let killed = account.run_with("SCRYBE_KEYS_CRASH_AT", "provision-call:1", &["create-cmk", "--yes"]);
    assert_eq!(killed.status.signal(), Some(9), "{killed:?}");
    account.create(&["--yes"]).expect(0);
    account.kms.engine.set_lag(0);
    assert_eq!(account.keys(), 1);
    account.create(&[]).expect(0).says("Nothing to do");
}
