//! A credential in a file that only its owner can read. It is read for every request: a changed one counts at once.

use std::{
    fs::OpenOptions,
    io::Read as _,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use autodevops_sandbox::Secret;
use zeroize::Zeroizing;

use crate::text::{Fault, of_bytes};

/// Largest file that is read.
const MAX_BYTES: u64 = 64 << 10;

/// Bits of a file's mode that let others than its owner at it.
const OTHERS: u32 = 0o077;

/// The credential in the file, without white space at its ends.
pub async fn secret(path: &Path) -> Result<Secret, Fault> {
    of_bytes(&read(path).await?)
}

/// The bytes of a file that holds a secret.
pub async fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let path = path.to_owned();
    let read = tokio::task::spawn_blocking(move || read_now(&path)).await;
    read.unwrap_or_else(|_| Err(Fault::new("which could not be read", "try again")))
}

fn read_now(path: &PathBuf) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let cannot = |error: std::io::Error| {
        Fault::new(format!("which cannot be read: {error}"), "name a file that is there and that this user may read")
    };
    // A pipe would otherwise be waited for.
    let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
    let mut file = OpenOptions::new().read(true).custom_flags(nonblocking).open(path).map_err(cannot)?;
    // Of what was opened, not of what may lie there by now.
    let metadata = file.metadata().map_err(cannot)?;
    if !metadata.is_file() {
        return Err(Fault::new("which is no regular file", "name the file that holds the credential"));
    }
    if metadata.mode() & OTHERS != 0 {
        let what = format!("which others than its owner can use (its mode is {:03o})", metadata.mode() & 0o777);
        return Err(Fault::new(what, format!("run `chmod 600 {}`", path.display())));
    }
    let mut bytes = Zeroizing::new(Vec::new());
    (&mut file).take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Fault::new(
            format!("which has more than {MAX_BYTES} bytes"),
            "name the file that holds the credential",
        ));
    }
    if bytes.is_empty() {
        return Err(Fault::new("which is empty", "put the credential there"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};

    use super::*;

    fn file(folder: &tempfile::TempDir, text: &str, mode: u32) -> PathBuf {
        let path = folder.path().join("token");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    #[tokio::test]
    async fn a_file_for_its_owner_alone_is_read_and_read_again_when_it_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = file(&folder, "a-credential\n", 0o600);
        assert_eq!(secret(&path).await.unwrap().reveal(), "a-credential");
        fs::write(&path, "another-credential").unwrap();
        assert_eq!(secret(&path).await.unwrap().reveal(), "another-credential");
    }

    #[tokio::test]
    async fn a_file_that_others_can_read_is_refused_with_the_command_that_mends_it() {
        let folder = tempfile::tempdir().unwrap();
        for mode in [0o644, 0o640, 0o604, 0o620] {
            let path = file(&folder, "a-credential", mode);
            let fault = secret(&path).await.unwrap_err();
            assert!(fault.what.contains(&format!("{mode:03o}")), "{fault:?}");
            assert_eq!(fault.remedy, format!("run `chmod 600 {}`", path.display()));
            fs::remove_file(&path).unwrap();
        }
    }

    #[tokio::test]
    async fn what_holds_no_credential_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let what = async |path: &Path| secret(path).await.unwrap_err().what;
        assert!(what(&folder.path().join("missing")).await.contains("No such file"));
        assert!(what(folder.path()).await.contains("no regular file"));
        assert!(what(&file(&folder, "", 0o600)).await.contains("empty"));
        assert!(what(&file(&folder, "  \n", 0o600)).await.contains("empty"));
        assert!(what(&file(&folder, &"x".repeat(65 << 10), 0o600)).await.contains("more than 65536 bytes"));
        let pipe = folder.path().join("pipe");
        assert!(Command::new("mkfifo").args(["-m", "600"]).arg(&pipe).status().unwrap().success());
        assert!(what(&pipe).await.contains("no regular file"));
    }
}
