//! The operator's command that makes the application drop its cached keys, run when an organization has been moved.
//!
//! Online it is run after the last cell was moved (before, processes that cached the old key open more than those that did not); after an
//! atomic cutover right after the commit. A command that fails is a finding and stops nothing: cached keys run out by themselves.

use super::job::Runner;
use crate::core::ids::{KeyVersion, OrgId};
use crate::core::problem::{Problem, Severity};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long the command may take.
const PATIENCE: Duration = Duration::from_secs(60);

impl Runner<'_> {
    /// Runs the command, if there is one: `sh -c`, with SCRYBE_ORGANIZATION, SCRYBE_KEY_VERSION and SCRYBE_JOB set.
    pub(super) fn after_commit(&mut self, organization: &OrgId, version: KeyVersion) {
        let Some(command) = &self.request.after_commit else { return };
        self.control.phase(&*self.progress, &format!("{organization}: running the after-commit command"));
        let started = Command::new("/bin/sh")
            .args(["-c", command])
            .env("SCRYBE_ORGANIZATION", organization.as_str())
            .env("SCRYBE_KEY_VERSION", version.to_string())
            .env("SCRYBE_JOB", self.job.to_string())
            .stdin(Stdio::null())
            // Never among our answer; what it says on stderr is heard.
            .stdout(Stdio::null())
            .spawn();
        let trouble = match started {
            Err(error) => Some(format!("it could not be started: {error}")),
            Ok(mut child) => {
                let began = Instant::now();
                loop {
                    match child.try_wait() {
                        Ok(Some(status)) if status.success() => break None,
                        Ok(Some(status)) => break Some(status.to_string()),
                        Ok(None) if began.elapsed() > PATIENCE => {
                            // It is the operator's command: nobody else will end it.
                            let _ = child.kill();
                            let _ = child.wait();
                            break Some(format!("it was ended after {} s", PATIENCE.as_secs()));
                        }
                        Ok(None) => std::thread::sleep(Duration::from_millis(20)),
                        Err(error) => break Some(error.to_string()),
                    }
                }
            }
        };
        if let Some(trouble) = trouble {
            let message = format!(
                "the after-commit command failed ({trouble}): applications keep their cached keys until they run out"
            );
            self.app.ui.warn(&format!("{organization}: {message}"));
            let hint = "restart the application, or wait for the cache time";
            self.problems.push(Problem::new(
                Severity::Warning,
                "after-commit-failed",
                organization.as_str(),
                message,
                hint,
            ));
        }
    }
}
