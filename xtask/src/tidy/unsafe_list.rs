//! The list of `unsafe` in user space, with reasons: docs/fuzzing.md names every file that says it, and how often.

use std::collections::BTreeMap;

use super::{Fault, code};

/// Where the list is: rows that begin with the file between backticks and the number of places.
pub const LIST: &str = "docs/fuzzing.md";

/// How often each file of user space says `unsafe`.
#[derive(Debug, Default)]
pub struct Places(BTreeMap<String, usize>);

impl Places {
    /// Counts those of a file.
    pub fn add(&mut self, path: &str, source: &str) {
        let code = code::without_comments_and_literals(source).replace("#[unsafe(", "#[placed(");
        let count = code::words(&code).filter(|(_, word)| *word == "unsafe").count();
        if count > 0 && !path.starts_with("sip-fw-ebpf/") {
            self.0.insert(path.to_owned(), count);
        }
    }

    /// Compares them with the list.
    pub fn check(&self, list: &str) -> Vec<Fault> {
        let listed: BTreeMap<&str, &str> = list.lines().filter_map(row).collect();
        let missing = self.0.iter().filter(|(path, count)| listed.get(path.as_str()) != Some(&&*count.to_string()));
        let missing = missing.map(|(path, count)| {
            Fault::new(path, format!("says `unsafe` {count} times: {LIST} must say so, and why, in a row of its table"))
        });
        let stale = listed.keys().filter(|path| !self.0.contains_key(**path));
        let stale = stale.map(|path| Fault::new(LIST, format!("lists {path}, which says no `unsafe`: remove the row")));
        missing.chain(stale).collect()
    }
}

/// The file and the number in a row of the table.
fn row(line: &str) -> Option<(&str, &str)> {
    let mut cells = line.strip_prefix("| `")?.split('|').map(str::trim);
    let path = cells.next()?.strip_suffix('`').filter(|path| path.ends_with(".rs"))?;
    Some((path, cells.next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(list: &str) -> Vec<String> {
        let mut places = Places::default();
        places.add("a/src/b.rs", "//! Says.\n// unsafe\n#[unsafe(no_mangle)]\nfn f() { unsafe {} unsafe {} }\n");
        places.add("a/src/c.rs", "//! Says.\n");
        places.add("sip-fw-ebpf/src/d.rs", "fn f() { unsafe {} }\n");
        places.check(list).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_list_names_each_file_with_its_count() {
        assert_eq!(faults("text\n| `a/src/b.rs` | 2 | why | how |\n| `head` | 3 | no file |\n"), [""; 0]);
        assert_eq!(faults("| `a/src/b.rs` | 1 | why | how |").len(), 1);
        assert_eq!(faults("").len(), 1);
        let stale = faults("| `a/src/b.rs` | 2 | why |\n| `a/src/c.rs` | 1 | why |\n");
        assert_eq!(stale, ["docs/fuzzing.md: lists a/src/c.rs, which says no `unsafe`: remove the row"]);
    }
}
