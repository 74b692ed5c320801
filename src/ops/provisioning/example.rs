//! The commented example of a `provision:` section that `init` writes: one for each environment. A test reads it without the comment signs.

/// The example, every line a comment. `account`: twelve digits.
pub fn example(account: &str) -> String {
    let role = |name: &str| format!("arn:aws:iam::{account}:role/{name}");
    let text = format!(
        "\
provision:
  development:                    # the least that works: key, rotation, aliases
    key:
      deletion-window-days: 7
  staging:
    roles:                        # IAM roles; `scrybe-keys create-cmk iam show` prints what each needs
      administrators: [{manage}]
      application: [{application}]
    audit:
      logs-role: {logs}
    alarms:
      subscribers: ['email:security@example.org']
  production:
    key:
      # description: master key of patient data, production
      # aliases: [alias/scrybe-phi-master-key-prod]   # default: all that the application and its infrastructure use
      # tags: {{Owner: security}}   # in clear in every log: no patient, no clinic
      deletion-window-days: 30    # shortest wait the key policy grants a destroyer, 7 to 30
      # multi-region: true        # fixed when the key is made
      # replica-regions: [us-east-2]
    roles:
      policy-administrators: [{pipeline}]   # replace key policies: who runs create-cmk; with none, whoever IAM lets
      administrators: [{manage}]   # manage, never use
      application: [{application}]   # GenerateDataKey, Decrypt, DescribeKey
      application-encrypts: false # true where the application's own health check calls Encrypt
      emergency: [{emergency}]   # disable, now
      recovery: [{recovery}]   # enable again
      destroyers: [{destroy}]   # schedule a deletion
      auditors: [{auditor}]   # look
      rewrap: [{rewrap}]   # ReEncrypt, and Decrypt for the proof
    audit:
      key: own                    # a key for the log alone; never the master key
      # trail: scrybe-keys-production
      # bucket: scrybe-audit-logs-production-{account}
      infrequent-days: 90
      archive-days: 365
      expire-days: 2557           # seven years with their leap days
      # object-lock: {{mode: governance, days: 365}}   # compliance cannot be undone by anybody
      log-retention-days: 400
      logs-role: {logs}
    alarms:
      subscribers: ['email:security@example.org']
",
        pipeline = role("KeyPolicyAdmin"),
        manage = role("KeyManagementAdmin"),
        application = role("clinic"),
        emergency = role("EmergencyKeyAdmin"),
        recovery = role("KeyRecoveryAdmin"),
        destroy = role("KeyDestroyer"),
        auditor = role("Auditor"),
        rewrap = role("Rewrap"),
        logs = role("CloudTrailToLogs"),
    );
    text.lines().map(|line| format!("# {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::provision::Provision;
    use std::collections::BTreeMap;

    #[derive(serde::Deserialize)]
    struct File {
        provision: BTreeMap<String, Provision>,
    }

    #[test]
    fn the_example_is_a_section_that_may_be_used_as_it_stands() {
        let text: String = example("123456789012").lines().map(|line| format!("{}\n", &line[2..])).collect();
        // What it leaves out can be put in as it stands, too.
        let whole = text.lines().map(|line| {
            format!("{}\n", line.replacen("      # ", "      ", usize::from(line.starts_with("      # "))))
        });
        let whole: String = whole.collect();
        for text in [text, whole] {
            let file: File = serde_yaml::from_str(&text).unwrap();
            let names: Vec<&str> = file.provision.keys().map(String::as_str).collect();
            assert_eq!(names, ["development", "production", "staging"]);
            for (name, section) in file.provision {
                assert_eq!(section.check(name == "production"), Ok(()), "{name}");
            }
        }
    }
}
