//! Host names (RFC 1123).

const NAME_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

/// Whether this is a host name. Its last label has a letter: a mistyped address is none.
pub(super) fn is_host_name(name: &str) -> bool {
    let label = |label: &str| {
        (1..=LABEL_BYTES_MAX).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    name.len() <= NAME_BYTES_MAX && name.split('.').all(label) && last.bytes().any(|b| b.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let (longest_label, longest) = ("a".repeat(63), format!("{}b", "abcdefghi.".repeat(25)));
        for name in ["a", "pbx", "sip.example.com", "3cx.example", "xn--p1ai", "a1.b2", &longest_label, &longest] {
            assert!(is_host_name(name), "{name}");
        }
        let (label, long) = ("a".repeat(64), format!("{}abcd", "abcdefghi.".repeat(25)));
        for wrong in
            ["", ".", "a.", ".a", "a..b", "-a", "a-", "a.-b", "a_b", "a b", "é", "1.2.3.4", "a.5", "*.a", &label, &long]
        {
            assert!(!is_host_name(wrong), "{wrong}");
        }
    }
}
