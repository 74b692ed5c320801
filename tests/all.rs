//! The one integration binary: linking the AWS SDK many times is the slowest thing we could choose.
//! `architecture` fails when a file under `tests/` is not listed here.

// A test may read its environment, say what it skips and fail on the spot.
#![allow(clippy::disallowed_methods, clippy::print_stderr, clippy::print_stdout, clippy::unwrap_used)]

mod support;

mod architecture;
mod audit_chain;
mod demo;
mod deploy;
mod golden;
mod health_checks;
mod health_formats;
mod help;
mod live_drill;
mod permissions;
mod policy_lint;
mod policy_verbs;
mod provision_account;
mod provision_kills;
mod provision_refusals;
mod records_init;
mod records_keys;
mod records_wrapping;
mod sandbox_application;
mod sandbox_clinic;
mod sandbox_cluster;
mod sandbox_verbs;
mod settings;
mod settings_database;
mod settings_process;

mod control_budget;
mod control_orders;
mod control_throttle;
mod faults_cells;
mod faults_database;
mod faults_keys;
mod faults_late_writes;
mod faults_sessions;
mod joined_stalled;
mod joined_work;
mod kills_joined;
mod kills_random;
mod kills_steps;
mod pty_rotate;
mod rewrap_beside;
mod rewrap_kills;
mod rewrap_lost;
mod rewrap_moves;
mod rewrap_proof;
mod rotate_cmk;
mod rotation_atomic;
mod rotation_beside;
mod rotation_foreign;
mod rotation_signals;
mod secrecy;
mod soak;
mod tables_columns;
mod tables_keys;
mod tables_partitions;
mod tables_rewritten;

mod kms_checks_crypto;
mod kms_checks_grants;
mod kms_checks_keys;
mod kms_checks_relatives;
mod kms_checks_rewrap;
mod kms_contract;
mod kms_engine;
mod kms_faults;
mod kms_faults_once;
mod kms_lag;
mod kms_matrix;
mod kms_replies;
mod kms_time;
