//! The group whose members may use the control socket. Its name may have to be asked for far away, so this may take its time.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;

use nix::unistd::{Group, User, getegid, geteuid};

use crate::config::ControlRules;

/// Others pass a folder with this bit, members of its group with the other.
const OTHERS_PASS: u32 = 0o001;
const GROUP_PASSES: u32 = 0o010;

/// Gives the socket to the group, or back to this process's own where there is no such group.
///
/// # Errors
///
/// Why the members of a group that the configuration names cannot reach it.
pub fn give(socket: &Path, rules: &ControlRules) -> Result<(), String> {
    let ControlRules { group, is_explicit, .. } = rules;
    let found = Group::from_name(group).ok().flatten().map(|group| group.gid.as_raw());
    let gid = found.unwrap_or_else(|| getegid().as_raw());
    chown(socket, None, Some(gid))
        .map_err(|error| format!("the control socket cannot be given to the group {group}: {error}"))?;
    match found {
        _ if !is_explicit => Ok(()),
        Some(gid) => reachable(socket, group, gid),
        None => Err(format!(
            "[control] group: there is no group \"{group}\", so the control socket is root's alone; \
             make it (groupadd --system {group}) and reload"
        )),
    }
}

fn reachable(socket: &Path, group: &str, gid: u32) -> Result<(), String> {
    let closed = |folder: &&Path| {
        let Ok(found) = folder.metadata() else { return false };
        let passes = if found.gid() == gid { GROUP_PASSES } else { OTHERS_PASS };
        found.mode() & passes == 0
    };
    match socket.ancestors().skip(1).find(closed) {
        None => Ok(()),
        Some(folder) => Err(format!(
            "the members of {group} cannot reach {}: {} is closed to them; open it (chmod o+x), or set [paths] socket",
            socket.display(),
            folder.display()
        )),
    }
}

/// What to do for whoever may not connect to the socket.
#[must_use]
pub fn advice(socket: &Path) -> String {
    let group = fs::metadata(socket).ok().filter(|found| found.gid() != 0);
    let group = group.and_then(|found| Group::from_gid(found.gid().into()).ok().flatten());
    let user = User::from_uid(geteuid()).ok().flatten();
    match (group, user) {
        (Some(Group { name: group, .. }), Some(User { name: user, .. })) => format!(
            "you are not in the group {group}: run this as root, or have root let you in (usermod --append --groups {group} {user})"
        ),
        _ => "run this as root".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn rules(group: &str, is_explicit: bool) -> ControlRules {
        ControlRules { group: group.to_owned(), is_explicit, group_may_change: false }
    }

    #[test]
    fn a_group_that_is_missing_is_said_if_somebody_named_it() {
        let socket = std::env::temp_dir().join(format!("sip-fw-group-{}", std::process::id()));
        fs::write(&socket, "").unwrap();
        assert_eq!(give(&socket, &rules("no-such-group", false)), Ok(()));
        let said = give(&socket, &rules("no-such-group", true)).unwrap_err();
        assert!(said.contains("there is no group \"no-such-group\""), "{said}");
        assert_eq!(fs::metadata(&socket).unwrap().gid(), getegid().as_raw());
        fs::remove_file(&socket).unwrap();
    }

    #[test]
    fn a_closed_folder_is_said() {
        let folder = std::env::temp_dir().join(format!("sip-fw-closed-{}", std::process::id()));
        let socket = folder.join("control.sock");
        fs::create_dir_all(&folder).unwrap();
        let own = fs::metadata(&folder).unwrap().gid();
        let said = |mode, gid| {
            fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
            reachable(&socket, "voice", gid)
        };
        assert_eq!((said(0o755, own + 1), said(0o710, own)), (Ok(()), Ok(())));
        let closed = said(0o750, own + 1).unwrap_err();
        assert!(closed.contains(&format!("{} is closed to them", folder.display())), "{closed}");
        assert!(said(0o701, own).is_err(), "the group's own bits count for it");
        fs::remove_dir_all(&folder).unwrap();
    }
}
