//! From text to instructions: comments, continued lines, the instruction's name and its flags.

use super::ChangeError;

/// One instruction, not yet interpreted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// Number of its first line, from 1.
    pub(super) number: usize,
    /// Lower-case name.
    pub(super) name: String,
    /// `--name=value` words in front of the arguments.
    pub(super) flags: Vec<String>,
    /// The arguments.
    pub(super) rest: String,
    /// The whole instruction as it was written, continued lines joined.
    pub(super) original: String,
}

impl Line {
    /// An error about this line.
    pub(super) fn error(&self, reason: impl Into<String>) -> ChangeError {
        ChangeError::Parse { line: self.number, reason: reason.into() }
    }

    /// Splits one joined line.
    pub(super) fn parse(number: usize, text: &str) -> Self {
        let text = text.trim();
        let (name, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let mut rest = rest.trim();
        let mut flags = Vec::new();
        // Flags stand directly after the name and belong to the instruction, not to its command.
        if name.eq_ignore_ascii_case("healthcheck") {
            while rest.starts_with("--") && rest != "--" {
                let (flag, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
                flags.push(flag.to_owned());
                rest = after.trim_start();
            }
        }
        Self { number, name: name.to_lowercase(), flags, rest: rest.to_owned(), original: text.to_owned() }
    }
}

/// All instructions of a text.
pub(super) fn instructions(text: &str) -> Result<Vec<Line>, ChangeError> {
    let mut lines = Vec::new();
    let mut joined = String::new();
    let mut start = 0;
    for (i, line) in text.lines().enumerate() {
        // Comments may stand between continued lines; so may empty lines.
        if line.trim_start().starts_with('#') || (line.trim().is_empty() && !joined.is_empty()) {
            continue;
        }
        if joined.is_empty() {
            start = i + 1;
        }
        // What indents a continued line belongs to it.
        if let Some(continued) = line.trim_end().strip_suffix('\\') {
            joined.push_str(continued);
            continue;
        }
        joined.push_str(line);
        if !joined.trim().is_empty() {
            lines.push(Line::parse(start, &joined));
        }
        joined.clear();
    }
    if !joined.trim().is_empty() {
        lines.push(Line::parse(start, &joined));
    }
    if lines.is_empty() { Err(ChangeError::Empty) } else { Ok(lines) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_joined_and_comments_dropped() {
        let lines = instructions("# c\nENV A=1 \\\n# inside\n  B=2\n\ncmd [\"a\"]\nUSER x \\").unwrap();
        let got: Vec<_> = lines.iter().map(|l| (l.number, l.name.as_str(), l.rest.as_str())).collect();
        assert_eq!(got, [(2, "env", "A=1   B=2"), (6, "cmd", "[\"a\"]"), (7, "user", "x")]);
        assert_eq!(instructions("# only\n"), Err(ChangeError::Empty));
    }

    #[test]
    fn flags_belong_to_the_health_check_alone() {
        let line = Line::parse(1, "HEALTHCHECK --interval=5s --retries=2 CMD x --y");
        assert_eq!(line.flags, ["--interval=5s", "--retries=2"]);
        assert_eq!(line.rest, "CMD x --y");
        assert_eq!(Line::parse(1, "CMD --x").rest, "--x");
    }
}
