//! Words: cutting a line at blanks outside quotes, and the value of a word (quotes, escapes, `$NAME`).

use super::ChangeError;

/// Cuts at blanks that are neither quoted nor escaped. Quotes and backslashes stay in the words.
pub(super) fn split(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote: Option<char> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' if quote != Some('\'') => {
                word.push(c);
                word.extend(chars.next());
            }
            _ if quote == Some(c) => {
                quote = None;
                word.push(c);
            }
            '"' | '\'' if quote.is_none() => {
                quote = Some(c);
                word.push(c);
            }
            c if c.is_whitespace() && quote.is_none() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            c => word.push(c),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// The value of a word: quotes removed, escapes undone, variables replaced from `env` (`NAME=value`).
pub(super) fn value(word: &str, env: &[String]) -> Result<String, ChangeError> {
    let mut reader = Reader { chars: word.chars().peekable(), word, env };
    reader.until(None)
}

struct Reader<'a> {
    chars: std::iter::Peekable<std::str::Chars<'a>>,
    word: &'a str,
    env: &'a [String],
}

impl Reader<'_> {
    fn error(&self, reason: &str) -> ChangeError {
        ChangeError::Value(format!("failed to process {:?}: {reason}", self.word))
    }

    /// Reads up to an unquoted `stop`, or to the end.
    fn until(&mut self, stop: Option<char>) -> Result<String, ChangeError> {
        let mut out = String::new();
        while let Some(c) = self.chars.next() {
            match c {
                c if Some(c) == stop => return Ok(out),
                '\'' => loop {
                    match self.chars.next() {
                        Some('\'') => break,
                        Some(c) => out.push(c),
                        None => {
                            return Err(self.error(
                                "unexpected end of statement while looking for matching single-quote",
                            ));
                        }
                    }
                },
                '"' => self.double_quoted(&mut out)?,
                '$' => out.push_str(&self.variable()?),
                '\\' => match self.chars.next() {
                    Some(c) => out.push(c),
                    None => out.push('\\'),
                },
                c => out.push(c),
            }
        }
        match stop {
            None => Ok(out),
            Some(_) => Err(self.error("syntax error: missing '}'")),
        }
    }

    fn double_quoted(&mut self, out: &mut String) -> Result<(), ChangeError> {
        loop {
            match self.chars.next() {
                Some('"') => return Ok(()),
                Some('$') => out.push_str(&self.variable()?),
                // Within quotes a backslash only escapes what would otherwise be special.
                Some('\\') => match self.chars.next() {
                    Some(c @ ('"' | '$' | '\\')) => out.push(c),
                    Some(c) => out.extend(['\\', c]),
                    None => {}
                },
                Some(c) => out.push(c),
                None => {
                    return Err(
                        self.error("unexpected end of statement while looking for matching double-quote")
                    );
                }
            }
        }
    }

    /// What follows a `$`.
    fn variable(&mut self) -> Result<String, ChangeError> {
        if self.chars.next_if_eq(&'{').is_none() {
            let name = self.name();
            return Ok(if name.is_empty() { "$".to_owned() } else { self.get(&name).unwrap_or_default() });
        }
        let name = self.name();
        if name.is_empty() {
            return Err(self.error("syntax error: bad substitution"));
        }
        let set = self.get(&name);
        let (colon, operator) = match self.chars.next() {
            Some('}') => return Ok(set.unwrap_or_default()),
            Some(':') => (true, self.chars.next()),
            None => return Err(self.error("missing ':' in substitution")),
            other => (false, other),
        };
        let alternative = self.until(Some('}'))?;
        let present = set.filter(|value| !(colon && value.is_empty()));
        match operator {
            Some('-') => Ok(present.unwrap_or(alternative)),
            Some('+') => Ok(present.map_or_else(String::new, |_| alternative)),
            Some('?') => match present {
                Some(value) => Ok(value),
                None if alternative.is_empty() => {
                    Err(self.error(&format!("{name}: is not allowed to be unset")))
                }
                None => Err(self.error(&format!("{name}: {alternative}"))),
            },
            Some(other) => Err(self.error(&format!("unsupported modifier ({other}) in substitution"))),
            None => Err(self.error("missing ':' in substitution")),
        }
    }

    fn name(&mut self) -> String {
        let mut name = String::new();
        // Positional and special parameters have one character, and no value here.
        if let Some(special) = self.chars.next_if(|c| c.is_ascii_digit() || "@*#?-$!".contains(*c)) {
            name.push(special);
            return name;
        }
        while let Some(c) = self.chars.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
            name.push(c);
        }
        name
    }

    fn get(&self, name: &str) -> Option<String> {
        self.env.iter().find_map(|entry| {
            let (key, value) = entry.split_once('=').unwrap_or((entry, ""));
            (key == name).then(|| value.to_owned())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_cut_outside_quotes() {
        assert_eq!(split(r#"a="x y" b='p q' c=r\ s  d"#), [r#"a="x y""#, "b='p q'", r"c=r\ s", "d"]);
        assert!(split("  ").is_empty());
    }

    #[test]
    fn quotes_escapes_and_variables_are_resolved() {
        let env = ["A=1".to_owned(), "EMPTY=".to_owned()];
        let cases = [
            (r#""x y""#, "x y"),
            (r"r\ s", "r s"),
            (r#"'$A'"$A"$A"#, "$A11"),
            ("${A}b$Ab", "1b"),
            ("${EMPTY:-d}${EMPTY-d}${NONE-d}${A:-d}", "dd1"),
            ("${A:+set}${EMPTY:+set}${EMPTY+set}", "setset"),
            ("${NONE:-${A}x}", "1x"),
            (r"\$A", "$A"),
            (r#""\n\"\$""#, r#"\n"$"#),
            ("$", "$"),
            ("$1", ""),
            ("$$x", "x"),
        ];
        for (word, want) in cases {
            assert_eq!(value(word, &env).unwrap(), want, "{word}");
        }
        for bad in ["'a", "\"a", "${A", "${", "${A:x}", "${NONE:?gone}", "${}"] {
            assert!(value(bad, &env).is_err(), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_makes_it_panic(word in "[a$\\\\{}:'\" =?+-]{0,24}") {
            drop(value(&word, &["a=1".to_owned()]));
            drop(split(&word));
        }
    }
}
