//! A file for node_exporter's textfile collector: replaced whole or not at all, readable by everybody.
//! It is written beside its place, synced and renamed; the collector reads `*.prom` alone, so a piece left by a crash is never read.

use super::prometheus;
use crate::error::Failure;
use std::fs::{File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Replaces the file. What stood there stays when this fails.
pub(super) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::usage("textfile-unwritable", format!("{} cannot be written", path.display()))
            .hint("its directory must be there and take new files from this user: the file is renamed into place")
            .caused_by(error)
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file =
        tempfile::Builder::new().prefix(".scrybe-keys-").suffix(".tmp").tempfile_in(folder).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    // Set, not asked for when it is made: the umask has no say in it.
    file.as_file().set_permissions(Permissions::from_mode(0o644)).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    // The rename itself is durable once the directory is. Some file systems cannot sync one.
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}

/// Says that a run failed before it had anything to say: `scrybe_keys_up` is 0, and the time is now.
pub fn leave_word(path: &Path) -> Result<(), Failure> {
    write(path, &prometheus::failed_at(jiff::Timestamp::now()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_whole_readable_and_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("scrybe.prom");
        write(&path, "one 1\n").unwrap();
        write(&path, "two 2\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two 2\n");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn what_stood_there_stays_when_it_cannot_be_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("taken.prom");
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join("inside"), "x").unwrap();
        let failure = write(&path, "one 1\n").unwrap_err();
        assert_eq!(failure.code, "textfile-unwritable");
        assert!(path.join("inside").exists());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "the piece is gone");
        assert_eq!(write(Path::new("/does/not/exist/a.prom"), "").unwrap_err().code, "textfile-unwritable");
    }
}
