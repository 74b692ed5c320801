//! Faults on demand: the nth call of an operation fails in a chosen way. For tests and drills; gone when the process ends.

use serde::{Deserialize, Serialize};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// `ThrottlingException`; nothing was done.
    Throttled,
    /// `AccessDeniedException`; nothing was done.
    Denied,
    /// `KMSInternalException` with status 500; nothing was done.
    ServerError,
    /// No answer ever; nothing was done.
    Timeout,
    /// The call was done and the connection closed before the answer.
    ReplyLost,
}

/// One scripted fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// AWS's name of the operation, or `*`.
    pub operation: String,
    /// Which matching call fails first, counted from when the fault was set; 1 is the next one.
    #[serde(default = "one")]
    pub nth: u32,
    /// How many calls in a row fail.
    #[serde(default = "one")]
    pub times: u32,
    pub fault: FaultKind,
}

fn one() -> u32 {
    1
}

/// The faults still to come.
#[derive(Default)]
pub struct Script(Vec<Fault>);

impl Script {
    /// One more.
    pub fn add(&mut self, fault: Fault) {
        self.0.push(Fault { nth: fault.nth.max(1), ..fault });
    }

    /// None any more.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// What is still to come.
    pub fn pending(&self) -> Vec<Fault> {
        self.0.clone()
    }

    /// What happens to this call. Counts it for every fault that waits for its operation.
    pub fn strike(&mut self, operation: &str) -> Option<FaultKind> {
        let mut struck = None;
        for fault in self.0.iter_mut().filter(|f| f.operation == "*" || f.operation == operation) {
            if fault.nth > 1 {
                fault.nth -= 1;
            } else if struck.is_none() && fault.times > 0 {
                fault.times -= 1;
                struck = Some(fault.fault);
            }
        }
        self.0.retain(|f| f.times > 0);
        struck
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nth_call_fails_as_often_as_asked_and_no_other() {
        let mut script = Script::default();
        script.add(Fault { operation: "Decrypt".into(), nth: 2, times: 2, fault: FaultKind::Throttled });
        let struck: Vec<_> =
            ["Decrypt", "Encrypt", "Decrypt", "Encrypt", "Decrypt", "Decrypt"].map(|op| script.strike(op)).into();
        assert_eq!(struck, [None, None, Some(FaultKind::Throttled), None, Some(FaultKind::Throttled), None]);
        assert!(script.pending().is_empty());
    }
}
