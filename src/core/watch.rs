//! What is watched: patterns over a trail's log group, each with a metric and an alarm of its own.
//!
//! KMS publishes no metric named DisableKey or ScheduleKeyDeletion; an alarm on one waits for data for ever. Events reach an alarm through
//! CloudTrail, a log group and a metric filter (CIS AWS Foundations 4.7). Compliance scanners compare that benchmark's pattern as text:
//! `KEY_DISABLED` stays verbatim. Events over 256 KB never reach a log group, and delivery takes minutes (AWS CloudTrail User Guide).

use super::surroundings::{Alarm, Filter};

/// One thing to be told about.
#[derive(Clone, Copy, Debug)]
pub struct Watch {
    /// Last part of the names of filter, metric and alarm.
    pub name: &'static str,
    /// CloudWatch Logs filter pattern, at most 1,024 characters.
    pub pattern: &'static str,
    /// What the alarm's text says.
    pub why: &'static str,
}

/// Namespace of the metrics.
pub const NAMESPACE: &str = "ScrybeKeys";

const KEY_DISABLED: &str =
    "{($.eventSource = kms.amazonaws.com) && (($.eventName=DisableKey)||($.eventName=ScheduleKeyDeletion))}";

/// Everything that is watched.
pub const WATCHES: &[Watch] = &[
    Watch {
        name: "key-disabled",
        pattern: KEY_DISABLED,
        why: "A KMS key was disabled or scheduled for deletion: what it wraps does not open any more, or soon never again.",
    },
    Watch {
        name: "key-policy-changed",
        pattern: "{($.eventSource = kms.amazonaws.com) && ($.eventName = PutKeyPolicy)}",
        why: "A key policy was replaced: whoever may do that can give themselves the use of the key.",
    },
    Watch {
        name: "grant-created",
        pattern: "{($.eventSource = kms.amazonaws.com) && ($.eventName = CreateGrant)}",
        why: "A grant was made: it lets somebody use a key beside its policy, and outlives changes of the policy.",
    },
    Watch {
        name: "key-changed",
        pattern: "{($.eventSource = kms.amazonaws.com) && (($.eventName = EnableKey) || ($.eventName = CancelKeyDeletion) || \
                  ($.eventName = RevokeGrant) || ($.eventName = UpdateAlias) || ($.eventName = DeleteAlias) || \
                  ($.eventName = DisableKeyRotation) || ($.eventName = ReplicateKey) || ($.eventName = UpdatePrimaryRegion) || \
                  ($.eventName = DeleteImportedKeyMaterial) || ($.eventName = TagResource) || ($.eventName = UntagResource))}",
        why: "A KMS key, its aliases, tags, rotation or replicas were changed.",
    },
    Watch {
        name: "kms-denied",
        pattern: "{($.eventSource = kms.amazonaws.com) && ($.errorCode = \"AccessDenied*\")}",
        why: "A KMS call was denied: a role has lost a right it needs, or somebody tries what they may not.",
    },
    Watch {
        name: "revoked-key-used",
        pattern: "{($.eventSource = kms.amazonaws.com) && (($.errorCode = \"DisabledException\") || \
                  ($.errorCode = \"KMSInvalidStateException\") || ($.errorMessage = \"*is disabled*\") || \
                  ($.errorMessage = \"*is pending deletion*\"))}",
        why: "A disabled key, or one that waits for its deletion, is still being used.",
    },
    Watch {
        name: "trail-stopped",
        pattern: "{($.eventSource = cloudtrail.amazonaws.com) && (($.eventName = StopLogging) || ($.eventName = DeleteTrail) || \
                  ($.eventName = UpdateTrail) || ($.eventName = PutEventSelectors))}",
        why: "A trail was stopped, deleted or changed: what happens to keys may go unrecorded.",
    },
];

impl Watch {
    /// The filter of this watch; all names begin with `prefix`.
    pub fn filter(&self, prefix: &str) -> Filter {
        let name = format!("{prefix}{}", self.name);
        Filter { pattern: self.pattern.to_owned(), namespace: NAMESPACE.to_owned(), metric: name.clone(), name }
    }

    /// Its alarm, which speaks through the topic.
    pub fn alarm(&self, prefix: &str, topic_arn: &str) -> Alarm {
        let name = format!("{prefix}{}", self.name);
        Alarm {
            namespace: NAMESPACE.to_owned(),
            metric: name.clone(),
            actions: vec![topic_arn.to_owned()],
            speaks: true,
            fires: true,
            name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_benchmarks_pattern_is_verbatim_and_none_is_too_long() {
        assert_eq!(
            WATCHES[0].pattern,
            "{($.eventSource = kms.amazonaws.com) && (($.eventName=DisableKey)||($.eventName=ScheduleKeyDeletion))}"
        );
        for watch in WATCHES {
            assert!(watch.pattern.len() <= 1024 && !watch.pattern.contains("  "), "{}", watch.pattern);
            let depth = watch.pattern.chars().try_fold(0i32, |depth, c| match c {
                '(' | '{' => Some(depth + 1),
                ')' | '}' => (depth > 0).then_some(depth - 1),
                _ => Some(depth),
            });
            assert_eq!(depth, Some(0), "{}", watch.pattern);
        }
    }
}
