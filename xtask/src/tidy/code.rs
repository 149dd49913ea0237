//! Rust source without its comments and literals, so that rules look at code only.

/// The source with comments, strings and characters blanked out; line breaks stay where they are.
pub fn without_comments_and_literals(source: &str) -> String {
    let text: Vec<char> = source.chars().collect();
    let mut code = String::with_capacity(source.len());
    let mut at = 0;
    while let Some(&here) = text.get(at) {
        let length = skipped_length(&text, at);
        if length == 0 {
            code.push(here);
            at += 1;
        } else {
            let end = (at + length).min(text.len());
            code.extend(text[at..end].iter().map(|&character| if character == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    code
}

/// Each identifier or keyword with its line number, from 1.
pub fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    code.lines().enumerate().flat_map(|(index, line)| {
        line.split(|character: char| !is_word(character))
            .filter(|word| !word.is_empty())
            .map(move |word| (index + 1, word))
    })
}

/// How many characters from here belong to one comment or literal; none if code begins here.
fn skipped_length(text: &[char], at: usize) -> usize {
    let ahead = |offset: usize| text.get(at + offset).copied().unwrap_or('\0');
    match (ahead(0), ahead(1)) {
        ('/', '/') => text[at..].iter().take_while(|&&character| character != '\n').count(),
        ('/', '*') => block_comment_length(&text[at..]),
        ('"', _) => string_length(&text[at..]),
        ('\'', '\\') => 3 + text[at + 3..].iter().take_while(|&&character| character != '\'').count() + 1,
        // 'x' is a character, 'x without a closing quote a lifetime.
        ('\'', _) if ahead(2) == '\'' => 3,
        ('r', '"' | '#') if at == 0 || !is_word(text[at - 1]) || "bc".contains(text[at - 1]) => {
            raw_string_length(&text[at..])
        }
        _ => 0,
    }
}

fn block_comment_length(text: &[char]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        match (text[at], text.get(at + 1)) {
            ('/', Some('*')) => {
                depth += 1;
                at += 2;
            }
            ('*', Some('/')) => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    at
}

fn string_length(text: &[char]) -> usize {
    let mut at = 1;
    while at < text.len() {
        match text[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    at
}

/// `r#name` is a raw identifier, not a string: then 0.
fn raw_string_length(text: &[char]) -> usize {
    let hashes = text[1..].iter().take_while(|&&character| character == '#').count();
    if text.get(1 + hashes) != Some(&'"') {
        return 0;
    }
    let mut at = hashes + 2;
    while at < text.len() {
        let closes =
            text[at] == '"' && text[at + 1..].iter().take(hashes).filter(|&&hash| hash == '#').count() == hashes;
        if closes {
            return at + 1 + hashes;
        }
        at += 1;
    }
    at
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(source: &str) -> Vec<(usize, String)> {
        let code = without_comments_and_literals(source);
        words(&code).map(|(line, word)| (line, word.to_owned())).collect()
    }

    #[test]
    fn comments_and_literals_vanish_and_lines_stay() {
        let source = "// unsafe\nlet a = \"unsafe \\\" unsafe\"; /* unsafe /* nested */ unsafe */ b\n\
                      r#\"unsafe \" unsafe\"# br\"unsafe\" '\"' '\\'' 'x' end\n";
        let names = names(source);
        let expected = [(2, "let"), (2, "a"), (2, "b"), (3, "b"), (3, "end")];
        assert_eq!(names, expected.map(|(line, word)| (line, word.to_owned())));
    }

    #[test]
    fn lifetimes_and_raw_identifiers_are_code() {
        let words: Vec<String> =
            names("fn f<'a>(r#type: &'a str) { unsafe {} }").into_iter().map(|(_, word)| word).collect();
        assert_eq!(words, ["fn", "f", "a", "r", "type", "a", "str", "unsafe"]);
    }
}
