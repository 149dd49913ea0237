//! One agent at a time: a lock that the kernel releases when its holder dies.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::control::protocol::Failure;
use crate::exit_code::ExitCode;

/// Held as long as the agent lives.
#[derive(Debug)]
pub struct Lock {
    _socket: File,
    _pins: File,
}

/// Takes the lock beside the control socket, and that of the folder of the pins: two agents may share neither.
///
/// # Errors
///
/// When another agent holds one of them; the message says which.
pub fn take(socket: &Path, pins: &Path) -> Result<Lock, Failure> {
    Ok(Lock { _socket: take_socket(socket)?, _pins: take_pins(pins)? })
}

fn take_pins(pins: &Path) -> Result<File, Failure> {
    let fail = |what: String| Failure::new(ExitCode::Failed, format!("{}: {what}", pins.display()));
    let folder = File::open(pins).map_err(|error| fail(error.to_string()))?;
    match folder.try_lock() {
        Ok(()) => Ok(folder),
        Err(TryLockError::WouldBlock) => {
            Err(fail("another agent, with another [paths] socket, uses these pins".into()))
        }
        Err(TryLockError::Error(error)) => Err(fail(error.to_string())),
    }
}

fn take_socket(socket: &Path) -> Result<File, Failure> {
    let path = path(socket);
    let fail = |error: io::Error| Failure::new(ExitCode::Failed, format!("{}: {error}", path.display()));
    if let Some(folder) = path.parent() {
        create(folder).map_err(fail)?;
    }
    let mut options = OpenOptions::new();
    // Whoever can open the file can lock it, and so keep the agent from starting.
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let mut file = options.open(&path).map_err(fail)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            let _ = (&mut file).take(20).read_to_string(&mut pid);
            let pid = pid.trim();
            let who = if pid.is_empty() { "another agent".to_owned() } else { format!("another agent (pid {pid})") };
            return Err(Failure::new(ExitCode::Failed, format!("{who} holds {}", path.display())));
        }
        Err(TryLockError::Error(error)) => return Err(fail(error)),
    }
    file.set_len(0).map_err(fail)?;
    writeln!(file, "{}", std::process::id()).map_err(fail)?;
    Ok(file)
}

/// One that is made here is open to the group of the socket, whatever the mask says: socket and lock have modes of their own.
fn create(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(folder)?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
}

fn path(socket: &Path) -> PathBuf {
    let mut path = socket.as_os_str().to_owned();
    path.push(".lock");
    path.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_agent_is_refused() {
        let folder = std::env::temp_dir().join(format!("sip-fw-lock-{}", std::process::id()));
        let socket = folder.join("control.sock");
        let pins = folder.join("pins");
        fs::create_dir_all(&pins).unwrap();
        let first = take(&socket, &pins).unwrap();
        let second = take(&socket, &pins).map(drop).unwrap_err();
        let expected = format!("another agent (pid {}) holds {}.lock", std::process::id(), socket.display());
        assert_eq!((second.exit, second.message), (ExitCode::Failed, expected));
        let other = take(&folder.join("other.sock"), &pins).map(drop).unwrap_err();
        assert!(other.message.ends_with("another agent, with another [paths] socket, uses these pins"), "{other}");
        drop(first);
        assert!(take(&socket, &pins).is_ok());
        fs::remove_dir_all(&folder).unwrap();
    }
}
