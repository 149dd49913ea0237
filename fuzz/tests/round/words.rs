//! Words that mean something to a target: those of its dictionary for libFuzzer.

use std::fs;
use std::path::Path;

use sip_fw_fuzz::Target;

/// Numbers at which readers of binary input make mistakes; for targets without a dictionary, too.
const NUMBERS: [&[u8]; 6] = [&[0], &[0xff], &[0, 0], &[0xff, 0xff], &[0; 4], &[0xff; 4]];

/// All words of a target.
pub fn of(target: &Target) -> Vec<Vec<u8>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("dictionaries").join(target.name);
    let text = if file.exists() { fs::read_to_string(&file).unwrap() } else { String::new() };
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(word).chain(NUMBERS.map(<[u8]>::to_vec)).collect()
}

/// A line of a dictionary: a word in quotation marks, in which a backslash stands before a quotation mark, a backslash, or the
/// two digits of a byte (`\x0d`).
fn word(line: &str) -> Vec<u8> {
    let quoted = line.strip_prefix('"').and_then(|line| line.strip_suffix('"'));
    let mut rest = quoted.unwrap_or_else(|| panic!("{line}: allowed is a word in quotation marks"));
    let mut word = Vec::new();
    while let Some(at) = rest.find('\\') {
        word.extend(rest[..at].bytes());
        rest = &rest[at + 1..];
        let len = if rest.starts_with('x') { 3 } else { 1 };
        let escaped = rest.get(..len).unwrap_or_else(|| panic!("{line}: ends within a byte"));
        word.push(match len {
            3 => u8::from_str_radix(&escaped[1..], 16).unwrap_or_else(|_| panic!("{line}: \\{escaped} is no byte")),
            _ => escaped.as_bytes()[0],
        });
        rest = &rest[len..];
    }
    word.extend(rest.bytes());
    word
}

#[test]
fn a_word_is_read_as_libfuzzer_reads_it() {
    assert_eq!(word(r#""a\x0d\x0a\"b\\""#), b"a\r\n\"b\\");
    assert_eq!(word(r#""""#), b"");
}
