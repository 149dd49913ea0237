//! Man pages and completions are well-formed for those who read them: man and the shells.

use std::fs;
use std::path::{Path, PathBuf};

use sip_fw_e2e::require;
use sip_fw_e2e::require::find_program;
use tempfile::TempDir;

use crate::site::{find_package, on_host};

#[test]
fn man_has_nothing_to_complain_of() {
    let Some(folder) = unpacked() else { return };
    if !require("man") {
        return;
    }
    let pages: Vec<PathBuf> = ["man1", "man5"]
        .map(|section| folder.path().join("usr/share/man").join(section))
        .iter()
        .flat_map(|section| fs::read_dir(section).unwrap())
        .map(|entry| entry.unwrap().path())
        .collect();
    assert!(pages.len() > 10, "{pages:?}");
    for page in pages {
        let arguments = ["--warnings", "--encoding=UTF-8", "--local-file", "--troff-device=utf8", "--ditroff"];
        let said = on_host("man", &arguments, &[&page]).stderr();
        assert_eq!(said, "", "{}", page.display());
    }
}

#[test]
fn every_shell_understands_its_completions() {
    let Some(folder) = unpacked() else { return };
    let completions = [
        ("bash", "-n", "usr/share/bash-completion/completions/sip-fw"),
        ("zsh", "-n", "usr/share/zsh/vendor-completions/_sip-fw"),
        ("fish", "--no-execute", "usr/share/fish/vendor_completions.d/sip-fw.fish"),
    ];
    let mut asked = 0;
    for (shell, only_read, file) in completions {
        let file = folder.path().join(file);
        assert!(file.is_file(), "{}", file.display());
        // Bash is everywhere, the others where somebody uses them.
        if find_program(shell).is_some() {
            on_host(shell, &[only_read], &[&file]);
            asked += 1;
        }
    }
    assert!(asked > 0);
    let verbs =
        "source \"$1\"; COMP_WORDS=(sip-fw st); COMP_CWORD=1; _sip__fw sip-fw st sip-fw; echo \"${COMPREPLY[@]}\"";
    let file = folder.path().join(completions[0].2);
    let completed = on_host("bash", &["-c", verbs, "bash"], &[&file]).stdout();
    assert_eq!(completed.trim(), "status");
}

fn unpacked() -> Option<TempDir> {
    let package = find_package()?;
    let folder = TempDir::new().unwrap();
    on_host("dpkg-deb", &["--extract"], &[&package, folder.path() as &Path]);
    Some(folder)
}
