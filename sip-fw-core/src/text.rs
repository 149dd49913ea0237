//! Text from packets, made safe for terminals and logs.

use sip_fw_common::abi::Text;

/// The text for people: invalid UTF-8 replaced, everything that steers a terminal escaped. None when empty.
#[must_use]
pub fn shown(text: &Text) -> Option<String> {
    let bytes = text.as_bytes();
    (!bytes.is_empty()).then(|| escape(&String::from_utf8_lossy(bytes)))
}

/// Escapes control characters, and those that reorder or hide the text around them.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || is_invisible(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Text of an operator, escaped and cut to a number of bytes.
#[must_use]
pub fn cut(text: &str, bytes_max: usize) -> String {
    let mut shown = escape(text);
    while shown.len() > bytes_max {
        shown.pop();
    }
    shown
}

/// Bytes as a [`Text`], cut where they are too long.
#[must_use]
pub fn pack(text: &str) -> Text {
    let mut packed = Text::EMPTY;
    for (to, from) in packed.bytes.iter_mut().zip(text.bytes()) {
        *to = from;
    }
    packed
}

const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_is_tamed() {
        let mut text = pack("a\r\n\x1b[2J\u{202e}é");
        assert_eq!(shown(&text).as_deref(), Some("a\\r\\n\\u{1b}[2J\\u{202e}é"));
        text.bytes[0] = 0xff;
        assert!(shown(&text).is_some_and(|shown| shown.starts_with('\u{fffd}')));
        assert_eq!(shown(&Text::EMPTY), None);
        assert_eq!(cut("ééé", 5), "éé");
    }
}
