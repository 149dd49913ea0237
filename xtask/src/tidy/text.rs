//! Rules for all text files: length, trailing whitespace, registry host names.

use super::Fault;

const LINES_MAX: usize = 600;

/// Endings of the files that people write. Data (SIP messages, captures) may end its lines as it likes.
const WRITTEN: [&str; 9] = [".rs", ".toml", ".md", ".sh", ".yml", ".yaml", ".service", ".gitignore", ".ci/run"];

/// Hosts of package registries and distribution archives, in two pieces each so that this list names none.
const REGISTRY_HOSTS: [(&str, &str); 10] = [
    ("crates", "io"),
    ("deb.debian", "org"),
    ("security.debian", "org"),
    ("archive.ubuntu", "com"),
    ("pypi", "org"),
    ("pythonhosted", "org"),
    ("npmjs", "org"),
    ("npmjs", "com"),
    ("proxy.golang", "org"),
    ("static.rust-lang", "org"),
];

/// Checks one file.
pub fn check(path: &str, content: &str) -> Vec<Fault> {
    let mut faults = Vec::new();
    // Cargo writes its lock file: neither its length nor the registry's address in it is ours.
    if path.ends_with("Cargo.lock") {
        return faults;
    }
    let hosts = REGISTRY_HOSTS.map(|(name, end)| format!("{name}.{end}"));
    let written = WRITTEN.iter().any(|end| path.ends_with(end));
    for (index, line) in content.lines().enumerate() {
        if written && line.ends_with([' ', '\t']) {
            faults.push(Fault::at(path, index + 1, "trailing whitespace: remove it"));
        }
        if let Some(host) = hosts.iter().find(|host| line.contains(host.as_str())) {
            let what =
                format!("names the registry host {host}: say what is installed and by which client, not from where");
            faults.push(Fault::at(path, index + 1, what));
        }
    }
    let lines = content.lines().count();
    if written && lines > LINES_MAX {
        faults.push(Fault::new(path, format!("{lines} lines, at most {LINES_MAX}: split it by subject")));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailing_whitespace_is_a_fault_where_people_write() {
        assert_eq!(check("a.md", "good\nbad \n")[0].place, "a.md:2");
        assert_eq!(check("tests/data/invite.sip", "Via: x \r\n"), []);
    }

    #[test]
    fn long_files_are_a_fault() {
        assert_eq!(check("a.rs", &"x\n".repeat(600)), []);
        assert_eq!(check("a.rs", &"x\n".repeat(601)).len(), 1);
        assert_eq!(check("Cargo.lock", &"x\n".repeat(601)), []);
    }

    #[test]
    fn registry_hosts_are_a_fault_everywhere() {
        let line = format!("see https://{}.{}/crates/aya\n", "crates", "io");
        assert_eq!(check("docs/a.txt", &line).len(), 1);
        assert_eq!(check("docs/a.txt", "cargo install bpf-linker\n"), []);
    }
}
