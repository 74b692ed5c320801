//! What the application and its operators are told, under the names they know.

use super::desired::Desired;
use super::found::Found;
use crate::error::Failure;
use serde::Serialize;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The outputs of a provisioned environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outputs {
    pub kms_key_id: String,
    pub kms_key_arn: String,
    /// The application's own alias.
    pub kms_key_alias: String,
    pub cloudtrail_arn: Option<String>,
    pub audit_logs_bucket: Option<String>,
    /// Lines of an `.env` file. Nothing in them is secret.
    pub environment_config: String,
}

/// Outputs of what is there; `None` without a master key.
pub fn of(desired: &Desired, found: &Found) -> Option<Outputs> {
    let key = &found.master.as_ref().ok()?.as_ref()?.about;
    let alias = desired.master.aliases[0].clone();
    let audit = desired.audit.as_ref();
    Some(Outputs {
        environment_config: format!(
            "AWS_KMS_KEY_ID={}\nAWS_KMS_KEY_ARN={}\nAWS_KMS_KEY_ALIAS={alias}\nAWS_KMS_REGION={}\n",
            key.key_id, key.arn, desired.region
        ),
        kms_key_id: key.key_id.clone(),
        kms_key_arn: key.arn.clone(),
        kms_key_alias: alias,
        cloudtrail_arn: audit.filter(|_| matches!(found.trail, Ok(Some(_)))).map(|audit| audit.trail_arn.clone()),
        audit_logs_bucket: audit.filter(|_| matches!(found.bucket, Ok(Some(_)))).map(|audit| audit.bucket.clone()),
    })
}

/// Names that an `.env` file of this verb holds.
const VARIABLES: [&str; 4] = ["AWS_KMS_KEY_ID", "AWS_KMS_KEY_ARN", "AWS_KMS_KEY_ALIAS", "AWS_KMS_REGION"];

/// Refuses a file that holds anything but what this verb writes: replacing it would lose that.
pub fn check_env_file(path: &Path) -> Result<(), Failure> {
    let text = match std::fs::read(path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            let text = format!("{} is there and cannot be read, so nobody knows what would be lost", path.display());
            return Err(Failure::conflict("env-file-unreadable", text).hint("name a file of its own").caused_by(error));
        }
    };
    let ours = |line: &str| line.is_empty() || line.split_once('=').is_some_and(|(name, _)| VARIABLES.contains(&name));
    if text.lines().all(|line| ours(line.trim())) {
        return Ok(());
    }
    let text = format!("{} holds other settings, which would be lost", path.display());
    Err(Failure::conflict("env-file-not-ours", text)
        .hint("name a file of its own, and include it from the application's"))
}

/// Writes an `.env` file whole or not at all, for its owner alone; one that is there is replaced.
pub fn write_env_file(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::usage("env-file-unwritable", format!("{} cannot be written", path.display()))
            .hint("what was made in AWS stays; the same lines are in the output, and the same command writes the file again")
            .caused_by(error)
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let private = std::fs::Permissions::from_mode(0o600);
    let mut file = tempfile::Builder::new().permissions(private).tempfile_in(folder).map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}
