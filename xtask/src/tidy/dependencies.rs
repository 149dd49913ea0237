//! Dependencies point one way: agent → core → common ← ebpf; and some crates never enter some packages.

use std::collections::BTreeSet;

use anyhow::Result;

use super::Fault;
use crate::process;
use crate::workspace::{Metadata, Package, Workspace};

/// Each package and the packages of ours that it may depend on.
const MAY_DEPEND_ON: &[(&str, &[&str])] = &[
    ("sip-fw-common", &[]),
    ("sip-fw-ebpf", &["sip-fw-common"]),
    ("sip-fw-core", &["sip-fw-common"]),
    ("sip-fw-agent", &["sip-fw-common", "sip-fw-core"]),
    ("sip-fw-e2e", &["sip-fw-common", "sip-fw-core", "sip-fw-agent"]),
    ("sip-fw-bench", &["sip-fw-common", "sip-fw-core", "sip-fw-agent", "sip-fw-e2e"]),
    ("sip-fw-fuzz", &["sip-fw-common", "sip-fw-core", "sip-fw-agent", "sip-fw-e2e"]),
    ("sip-fw-pages", &["sip-fw-core", "sip-fw-agent"]),
    ("xtask", &[]),
];

/// Crates that bring a clock, a socket or the kernel: not in the pure control logic, not even through others.
const NOT_IN_CORE: &[&str] = &["tokio", "mio", "nix", "aya", "aya-obj", "aya-log", "sip-fw-agent"];

/// Checks the manifests of all members and the whole tree of sip-fw-core.
pub fn check(workspace: &Workspace) -> Result<Vec<Fault>> {
    let mut faults = check_manifests(&workspace.metadata(&["--no-deps"])?);
    // Not from `cargo metadata`, which adds up the features that all members ask for.
    let arguments =
        ["tree", "--package", "sip-fw-core", "--edges", "normal,build", "--prefix", "none", "--format", "{p}"];
    faults.extend(check_core_tree(&process::stdout_of(&mut workspace.cargo(&arguments))?));
    Ok(faults)
}

fn check_manifests(metadata: &Metadata) -> Vec<Fault> {
    let members: Vec<&Package> = metadata.members().collect();
    let names: BTreeSet<&str> = members.iter().map(|package| package.name.as_str()).collect();
    let mut faults = Vec::new();
    for package in members {
        let Some((_, allowed)) = MAY_DEPEND_ON.iter().find(|(name, _)| *name == package.name) else {
            faults.push(Fault::new(
                &package.name,
                "a new package: say in xtask/src/tidy/dependencies.rs what it may use",
            ));
            continue;
        };
        let ours =
            package.dependencies.iter().map(|dependency| dependency.name.as_str()).filter(|name| names.contains(name));
        faults.extend(
            ours.filter(|name| !allowed.contains(name)).map(|name| Fault::new(&package.name, against_the_arrow(name))),
        );
        if package.name == "sip-fw-common" {
            faults.extend(check_common(package));
        }
    }
    faults
}

/// The package that the kernel programs share depends on nothing, but for what its feature `user` adds in user space.
fn check_common(package: &Package) -> Vec<Fault> {
    let mut faults = Vec::new();
    for dependency in package.dependencies.iter().filter(|dependency| dependency.kind.is_none() && !dependency.optional)
    {
        let what =
            format!("depends on {} without the feature `user`: the kernel programs would link it", dependency.name);
        faults.push(Fault::new(&package.name, what));
    }
    for (feature, switched_on) in package.features.iter().filter(|(feature, _)| *feature != "user") {
        if switched_on.iter().any(|name| name.starts_with("dep:") || name == "user") {
            let what = format!("the feature `{feature}` adds dependencies: only `user` may");
            faults.push(Fault::new(&package.name, what));
        }
    }
    faults
}

fn check_core_tree(tree: &str) -> Vec<Fault> {
    let names: BTreeSet<&str> = tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    NOT_IN_CORE
        .iter()
        .filter(|name| names.contains(*name))
        .map(|name| {
            Fault::new(
                "sip-fw-core",
                format!("{name} is in its tree: `cargo tree -p sip-fw-core -i {name}` shows the way"),
            )
        })
        .collect()
}

fn against_the_arrow(name: &str) -> String {
    format!("depends on {name}, but dependencies point agent → core → common ← ebpf: move what is shared down")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(packages: &[(&str, &str, &str)]) -> Metadata {
        let list: Vec<String> = packages
            .iter()
            .map(|(name, dependencies, features)| {
                format!(
                    r#"{{"name":"{name}","version":"0.1.0","id":"{name}","license":null,
                        "dependencies":[{dependencies}],"features":{{{features}}}}}"#
                )
            })
            .collect();
        let ids: Vec<String> = packages.iter().map(|(name, _, _)| format!("\"{name}\"")).collect();
        let json = format!(
            r#"{{"packages":[{}],"workspace_members":[{}],"target_directory":"/t"}}"#,
            list.join(","),
            ids.join(",")
        );
        serde_json::from_str(&json).unwrap()
    }

    fn normal(name: &str) -> String {
        format!(r#"{{"name":"{name}","kind":null,"optional":false}}"#)
    }

    #[test]
    fn the_arrow_is_enforced() {
        let common = ("sip-fw-common", "", "");
        let good = metadata(&[common, ("sip-fw-core", &normal("sip-fw-common"), ""), ("xtask", &normal("anyhow"), "")]);
        assert_eq!(check_manifests(&good), []);
        let bad = metadata(&[common, ("sip-fw-core", "", ""), ("xtask", &normal("sip-fw-core"), "")]);
        assert_eq!(check_manifests(&bad)[0].place, "xtask");
        let dev = r#"{"name":"sip-fw-core","kind":"dev","optional":false}"#;
        assert_eq!(check_manifests(&metadata(&[("sip-fw-common", dev, ""), ("sip-fw-core", "", "")])).len(), 1);
    }

    #[test]
    fn common_depends_on_nothing_but_for_user_space() {
        let optional = r#"{"name":"aya","kind":null,"optional":true}"#;
        let good = metadata(&[("sip-fw-common", optional, r#""user":["dep:aya"],"default":[]"#)]);
        assert_eq!(check_manifests(&good), []);
        let by_default = metadata(&[("sip-fw-common", optional, r#""user":["dep:aya"],"default":["user"]"#)]);
        assert_eq!(check_manifests(&by_default).len(), 1);
        let always = metadata(&[("sip-fw-common", &normal("aya"), "")]);
        assert_eq!(check_manifests(&always).len(), 1);
    }

    #[test]
    fn core_stays_pure() {
        assert_eq!(check_core_tree("sip-fw-core v0.1.0 (/x)\nserde v1.0.0\nsip-fw-common v0.1.0 (/y)\n"), []);
        assert_eq!(check_core_tree("sip-fw-core v0.1.0 (/x)\ntokio v1.54.0\ntokio v1.54.0 (*)\n").len(), 1);
    }

    #[test]
    fn a_package_nobody_thought_of_is_a_fault() {
        assert_eq!(check_manifests(&metadata(&[("sip-fw-new", "", "")])).len(), 1);
    }
}
