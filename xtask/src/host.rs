//! What kind of machine this is, and what we may do on it.

use std::fs;
use std::os::unix::fs::MetadataExt;

/// As far as installing is concerned, there are two kinds of host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// Debian, Ubuntu and what derives from them: apt-get and dpkg-query work.
    Debian(Release),
    /// Anything else, by name: xtask only says what to install.
    Unknown(String),
}

/// What `/etc/os-release` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Release {
    /// "debian", "ubuntu" …
    pub id: String,
    /// What it derives from.
    pub id_like: Vec<String>,
    /// For people.
    pub pretty_name: String,
}

impl Host {
    /// This machine.
    pub fn detect() -> Self {
        let text = fs::read_to_string("/etc/os-release").or_else(|_| fs::read_to_string("/usr/lib/os-release"));
        Self::from_release(Release::parse(&text.unwrap_or_default()))
    }

    fn from_release(release: Release) -> Self {
        let is = |name: &str| release.id == name || release.id_like.iter().any(|like| like == name);
        if is("debian") || is("ubuntu") {
            Self::Debian(release)
        } else if release.pretty_name.is_empty() {
            Self::Unknown("a host without /etc/os-release".to_owned())
        } else {
            Self::Unknown(release.pretty_name)
        }
    }
}

impl Release {
    /// Reads the format of os-release(5).
    pub fn parse(text: &str) -> Self {
        let mut release = Self::default();
        for (key, value) in text.lines().filter_map(|line| line.trim().split_once('=')) {
            let value = value.trim().trim_matches(['"', '\'']);
            match key {
                "ID" => release.id = value.to_owned(),
                "ID_LIKE" => release.id_like = value.split_whitespace().map(str::to_owned).collect(),
                "PRETTY_NAME" => release.pretty_name = value.to_owned(),
                _ => {}
            }
        }
        release
    }
}

/// Are we root? /proc/self belongs to the effective user.
pub fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}

/// Is a file system of this type mounted right there?
pub fn is_mounted(mounts: &str, place: &str, kind: &str) -> bool {
    mounts.lines().any(|line| {
        let mut fields = line.split(' ').skip(1);
        fields.next() == Some(place) && fields.next() == Some(kind)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debian_and_its_children_are_known() {
        let debian = Release::parse("PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\n");
        assert_eq!(debian.pretty_name, "Debian GNU/Linux 12 (bookworm)");
        assert_eq!(Host::from_release(debian.clone()), Host::Debian(debian));
        let mint = Release::parse("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n");
        assert!(matches!(Host::from_release(mint), Host::Debian(_)));
    }

    #[test]
    fn others_are_named_for_the_message() {
        let fedora = Release::parse("# comment\nID=fedora\nPRETTY_NAME='Fedora Linux 42'\n");
        assert_eq!(Host::from_release(fedora), Host::Unknown("Fedora Linux 42".to_owned()));
        assert!(matches!(Host::from_release(Release::parse("")), Host::Unknown(_)));
    }

    #[test]
    fn mounts_are_matched_by_place_and_type() {
        let mounts = "proc /proc proc rw 0 0\nbpf /sys/fs/bpf bpf rw,nosuid 0 0\n";
        assert!(is_mounted(mounts, "/sys/fs/bpf", "bpf"));
        assert!(!is_mounted(mounts, "/sys/fs", "bpf"));
        assert!(!is_mounted(mounts, "/proc", "bpf"));
    }
}
