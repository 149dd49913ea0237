//! Every crate we build with must come under a licence that deny.toml allows. What cargo-deny checks too, without it.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::workspace::{Package, Workspace};

/// The part of deny.toml that is read here.
#[derive(Deserialize)]
struct Deny {
    licenses: Licenses,
}

#[derive(Deserialize)]
struct Licenses {
    allow: BTreeSet<String>,
}

/// Checks all packages, of all platforms.
pub fn run(workspace: &Workspace) -> Result<()> {
    let path = workspace.root.join("deny.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let allowed = toml::from_str::<Deny>(&text).context("deny.toml")?.licenses.allow;
    let faults = faults(&workspace.metadata(&[])?.packages, &allowed);
    if !faults.is_empty() {
        bail!(
            "licences:\n  {}\n  Use another crate, or allow the licence in deny.toml if it suits",
            faults.join("\n  ")
        );
    }
    Ok(())
}

fn faults(packages: &[Package], allowed: &BTreeSet<String>) -> Vec<String> {
    packages
        .iter()
        .filter_map(|package| {
            let Package { name, version, license, .. } = package;
            match license {
                Some(expression) if is_allowed(expression, allowed) => None,
                Some(expression) => Some(format!("{name} {version}: {expression} is not allowed by deny.toml")),
                None => Some(format!("{name} {version} names no licence")),
            }
        })
        .collect()
}

/// Evaluates an SPDX expression: AND binds tighter than OR, and the old `A/B` means `A OR B`.
fn is_allowed(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    any_of(&mut rest, allowed).unwrap_or(false) && rest.is_empty()
}

fn any_of(words: &mut &[&str], allowed: &BTreeSet<String>) -> Option<bool> {
    let mut value = all_of(words, allowed)?;
    while take(words, "OR") {
        value |= all_of(words, allowed)?;
    }
    Some(value)
}

fn all_of(words: &mut &[&str], allowed: &BTreeSet<String>) -> Option<bool> {
    let mut value = one(words, allowed)?;
    while take(words, "AND") {
        value &= one(words, allowed)?;
    }
    Some(value)
}

fn one(words: &mut &[&str], allowed: &BTreeSet<String>) -> Option<bool> {
    if take(words, "(") {
        let value = any_of(words, allowed)?;
        return take(words, ")").then_some(value);
    }
    let (first, rest) = words.split_first()?;
    *words = rest;
    if take(words, "WITH") {
        let (exception, rest) = words.split_first()?;
        *words = rest;
        // An exception only ever grants more than the licence it stands with.
        return Some(allowed.contains(*first) || allowed.contains(&format!("{first} WITH {exception}")));
    }
    Some(allowed.contains(*first))
}

fn take(words: &mut &[&str], word: &str) -> bool {
    match words.split_first() {
        Some((first, rest)) if *first == word => {
            *words = rest;
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(expression: &str) -> bool {
        is_allowed(expression, &["MIT", "Apache-2.0", "Unicode-3.0"].map(str::to_owned).into())
    }

    #[test]
    fn expressions_are_evaluated() {
        for good in [
            "MIT",
            "GPL-3.0 OR MIT",
            "MIT/GPL-2.0",
            "(MIT OR GPL-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR GPL-2.0",
        ] {
            assert!(allowed(good), "{good}");
        }
        for bad in ["GPL-3.0", "MIT AND GPL-3.0", "GPL-2.0 OR MIT AND GPL-3.0", "(MIT", "MIT MIT", ""] {
            assert!(!allowed(bad), "{bad}");
        }
    }
}
