//! An AWS account that begins empty: the embedded KMS where keys must behave, MiniStack for what stands around them (bucket, trail, logs,
//! alarms, topic), and botocore as somebody else's hands.

use super::cli::{self, Ran};
use super::emulators::{Emulator, MINISTACK};
use super::endpoint::Endpoint;
use scrybe_keys::core::kms::Kms;
use scrybe_keys::local::InProcess;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

/// Where everything is.
pub const REGION: &str = "us-west-2";
/// Of the embedded KMS, and MiniStack is told the same.
pub const ACCOUNT: &str = "111122223333";

/// A section with every part, for environment `staging`.
pub const SECTION: &str = "
provision:
  staging:
    key:
      tags: {Owner: security}
      deletion-window-days: 30
    roles:
      administrators: [arn:aws:iam::111122223333:role/KeyManagementAdmin]
      application: [arn:aws:iam::111122223333:role/clinic]
      emergency: [arn:aws:iam::111122223333:role/EmergencyKeyAdmin]
      recovery: [arn:aws:iam::111122223333:role/KeyRecoveryAdmin]
      destroyers: [arn:aws:iam::111122223333:role/KeyDestroyer]
      auditors: [arn:aws:iam::111122223333:role/Auditor]
      rewrap: [arn:aws:iam::111122223333:role/Rewrap]
    audit:
      logs-role: arn:aws:iam::111122223333:role/CloudTrailToLogs
    alarms:
      subscribers: ['email:security@clinic.example']
";

/// One test's account. Dropped, nothing is left of it.
pub struct Account {
    pub kms: Endpoint,
    pub around: Emulator,
    pub environment: BTreeMap<String, String>,
    dir: tempfile::TempDir,
}

impl Account {
    /// An empty account and `section` in the configuration. `None` (said on stderr) where MiniStack cannot be installed.
    pub fn empty(section: &str) -> Option<Account> {
        let around = Emulator::start_with(&MINISTACK, &[("MINISTACK_ACCOUNT_ID", ACCOUNT)])?;
        Some(Account::on(around, section))
    }

    fn on(around: Emulator, section: &str) -> Account {
        let (kms, dir) = (Endpoint::start(), tempfile::tempdir().unwrap());
        let config = dir.path().join("config.yaml");
        std::fs::write(&config, format!("environment: staging\nkms: aws\n{section}")).unwrap();
        let around_url = around.url();
        let environment = [
            ("PATH", "/usr/bin:/bin"),
            ("HOME", dir.path().to_str().unwrap()),
            ("TZ", "UTC"),
            ("SCRYBE_KEYS_CONFIG", config.to_str().unwrap()),
            ("AWS_ENDPOINT_URL", around_url.as_str()),
            ("AWS_ENDPOINT_URL_KMS", kms.url.as_str()),
            ("AWS_ENDPOINT_URL_STS", kms.url.as_str()),
            ("AWS_REGION", REGION),
            ("AWS_ACCESS_KEY_ID", "AKIATESTTESTTEST"),
            ("AWS_SECRET_ACCESS_KEY", "not-a-secret"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("AWS_CONFIG_FILE", "/dev/null"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
            ("AWS_MAX_ATTEMPTS", "1"),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Account { kms, around, environment, dir }
    }

    /// The same MiniStack emptied, and a new KMS.
    pub fn emptied(self) -> Account {
        self.around.reset();
        let section = std::fs::read_to_string(self.dir.path().join("config.yaml")).unwrap();
        let section = section.split_once("kms: aws\n").map(|(_, section)| section.to_owned()).unwrap_or_default();
        Account::on(self.around, &section)
    }

    /// `create-cmk` with these arguments.
    pub fn create(&self, arguments: &[&str]) -> Ran {
        self.run(&[&["create-cmk"], arguments].concat())
    }

    /// The binary to its end.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        cli::start(cli::binary(arguments, &self.environment)).finish()
    }

    /// The binary with one more variable.
    pub fn run_with(&self, variable: &str, value: &str, arguments: &[&str]) -> Ran {
        let mut command = cli::binary(arguments, &self.environment);
        command.env(variable, value);
        cli::start(command).finish()
    }

    /// The embedded KMS without the wire.
    pub fn direct(&self) -> InProcess {
        self.kms.direct(REGION)
    }

    /// One call by botocore to what stands around the key.
    pub fn foreign(&self, service: &str, operation: &str, parameters: Value) -> Value {
        foreign(&self.around.url(), service, operation, parameters)
    }

    /// Keys of the KMS, whoever made them.
    pub fn keys(&self) -> usize {
        self.direct().list_keys().unwrap().value.len()
    }

    /// A file of this account's operator.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

/// One call by botocore.
pub fn foreign(url: &str, service: &str, operation: &str, parameters: Value) -> Value {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/foreign/aws.py");
    let output = Command::new(super::emulators::python(&MINISTACK))
        .args(["-B", script, &format!("{service}={url}"), REGION, operation, &parameters.to_string()])
        .env_clear()
        .output()
        .unwrap();
    assert!(output.status.success(), "{service} {operation}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}
