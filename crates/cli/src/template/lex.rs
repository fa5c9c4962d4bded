//! Splitting a template into text and the tokens inside `{{ }}`.

use super::SyntaxError;

/// A token and where it starts.
#[derive(Debug, Clone)]
pub struct Token {
    pub at: usize,
    pub kind: TokenKind,
    /// White space stood before it: `.A .B` is two operands, `.A.B` one.
    pub spaced: bool,
}

/// The kinds of token.
#[derive(Debug, Clone, PartialEq)]
pub enum TokenKind {
    Text(String),
    Open,
    Close,
    Word(String),
    Field(String),
    Variable(String),
    /// Value and the source with its quotes.
    String(String, String),
    Char(char, String),
    Number(String),
    Dot,
    Pipe,
    Comma,
    Left,
    Right,
    Declare,
    Assign,
}

/// Tokenizes a whole template.
pub fn lex(text: &str) -> Result<Vec<Token>, SyntaxError> {
    let mut lexer = Lexer { text, at: 0, tokens: Vec::new(), depth: Vec::new() };
    let mut trim_next = false;
    while lexer.at < text.len() {
        let rest = lexer.rest();
        let open = rest.find("{{");
        let mut literal = rest.split_at(open.unwrap_or(rest.len())).0;
        let start = lexer.at;
        lexer.at += literal.len();
        if trim_next {
            literal = literal.trim_start();
        }
        let trims_left = open.is_some() && {
            let after = lexer.rest().get(2..).unwrap_or_default();
            after.starts_with('-') && after.get(1..).is_some_and(|s| s.starts_with(char::is_whitespace))
        };
        if trims_left {
            literal = literal.trim_end();
        }
        if !literal.is_empty() {
            lexer.push(start, TokenKind::Text(literal.to_owned()), false);
        }
        if open.is_none() {
            break;
        }
        trim_next = lexer.action(trims_left)?;
    }
    Ok(lexer.tokens)
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    tokens: Vec<Token>,
    depth: Vec<usize>,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn push(&mut self, at: usize, kind: TokenKind, spaced: bool) {
        self.tokens.push(Token { at, kind, spaced });
    }

    fn skip_space(&mut self) -> bool {
        let rest = self.rest();
        let trimmed = rest.trim_start();
        self.at += rest.len() - trimmed.len();
        trimmed.len() != rest.len()
    }

    /// One `{{…}}`. Returns whether it ends in `-}}`.
    fn action(&mut self, trims_left: bool) -> Result<bool, SyntaxError> {
        let open = self.at;
        self.at += if trims_left { 3 } else { 2 };
        if self.rest().trim_start().starts_with("/*") {
            return self.comment(open);
        }
        self.push(open, TokenKind::Open, false);
        loop {
            let spaced = self.skip_space();
            let rest = self.rest();
            let start = self.at;
            if rest.is_empty() {
                return Err(SyntaxError::new(open, "unclosed action"));
            }
            for (close, trims) in [("-}}", true), ("}}", false)] {
                if rest.starts_with(close) && (!trims || spaced) {
                    if !self.depth.is_empty() {
                        return Err(SyntaxError::new(start, "unclosed left paren"));
                    }
                    self.at += close.len();
                    self.push(start, TokenKind::Close, spaced);
                    return Ok(trims);
                }
            }
            self.token(spaced)?;
        }
    }

    fn comment(&mut self, open: usize) -> Result<bool, SyntaxError> {
        let rest = self.rest();
        let end = rest.find("*/").ok_or_else(|| SyntaxError::new(open, "unclosed comment"))?;
        self.at += end + 2;
        let spaced = self.skip_space();
        for (close, trims) in [("-}}", true), ("}}", false)] {
            if self.rest().starts_with(close) && (!trims || spaced) {
                self.at += close.len();
                return Ok(trims);
            }
        }
        Err(SyntaxError::new(open, "comment ends before closing delimiter"))
    }

    fn token(&mut self, spaced: bool) -> Result<(), SyntaxError> {
        let start = self.at;
        let rest = self.rest();
        let mut chars = rest.chars();
        let first = chars.next().unwrap_or_default();
        let second = chars.next().unwrap_or_default();
        let (length, kind) = match first {
            ':' if second == '=' => (2, TokenKind::Declare),
            ':' => return Err(SyntaxError::new(start, "expected :=")),
            '=' => (1, TokenKind::Assign),
            '|' => (1, TokenKind::Pipe),
            ',' => (1, TokenKind::Comma),
            '(' => {
                self.depth.push(start);
                (1, TokenKind::Left)
            }
            ')' => {
                if self.depth.pop().is_none() {
                    return Err(SyntaxError::new(start, "unexpected right paren"));
                }
                (1, TokenKind::Right)
            }
            '"' | '`' | '\'' => self.quoted(first)?,
            '$' => {
                let name = name_of(rest.get(1..).unwrap_or_default());
                (1 + name.len(), TokenKind::Variable(format!("${name}")))
            }
            '.' if !second.is_ascii_digit() => {
                let name = name_of(rest.get(1..).unwrap_or_default());
                if name.is_empty() {
                    (1, TokenKind::Dot)
                } else {
                    (1 + name.len(), TokenKind::Field(name.to_owned()))
                }
            }
            '+' | '-' | '.' | '0'..='9' => {
                let length = number_length(rest);
                (length, TokenKind::Number(rest.get(..length).unwrap_or_default().to_owned()))
            }
            c if c == '_' || c.is_alphabetic() => {
                let name = name_of(rest);
                (name.len(), TokenKind::Word(name.to_owned()))
            }
            c => {
                return Err(SyntaxError::new(
                    start,
                    format!("unrecognized character in action: U+{:04X} '{c}'", c as u32),
                ));
            }
        };
        self.at += length;
        self.push(start, kind.clone(), spaced);
        let tail = self.rest();
        let ends = tail.chars().next().is_none_or(|c| c.is_whitespace() || ".,|:=()".contains(c))
            || tail.starts_with("}}");
        match kind {
            TokenKind::Dot | TokenKind::Word(_) | TokenKind::Field(_) | TokenKind::Variable(_) if !ends => {
                let c = tail.chars().next().unwrap_or_default();
                Err(SyntaxError::new(self.at, format!("bad character U+{:04X} '{c}'", c as u32)))
            }
            _ => Ok(()),
        }
    }

    fn quoted(&self, quote: char) -> Result<(usize, TokenKind), SyntaxError> {
        let rest = self.rest();
        let what = match quote {
            '"' => "unterminated quoted string",
            '`' => "unterminated raw quoted string",
            _ => "unterminated character constant",
        };
        let unterminated = || SyntaxError::new(self.at, what);
        let body = rest.get(1..).unwrap_or_default();
        let mut escaped = false;
        for (offset, c) in body.char_indices() {
            if quote != '`' && c == '\n' {
                return Err(unterminated());
            }
            if c == quote && !escaped {
                let raw = rest.get(..offset + 2).unwrap_or_default().to_owned();
                let inner = body.get(..offset).unwrap_or_default();
                let bad = || SyntaxError::new(self.at, format!("invalid syntax: {raw}"));
                let value = if quote == '`' { inner.to_owned() } else { unescape(inner).ok_or_else(bad)? };
                let kind = if quote == '\'' {
                    let mut chars = value.chars();
                    match (chars.next(), chars.next()) {
                        (Some(c), None) => TokenKind::Char(c, raw.clone()),
                        _ => {
                            return Err(SyntaxError::new(
                                self.at,
                                format!("malformed character constant: {raw}"),
                            ));
                        }
                    }
                } else {
                    TokenKind::String(value, raw.clone())
                };
                return Ok((raw.len(), kind));
            }
            escaped = quote != '`' && c == '\\' && !escaped;
        }
        Err(unterminated())
    }
}

fn name_of(text: &str) -> &str {
    let end = text.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(text.len());
    text.split_at(end).0
}

/// A number token runs to the next separator; whether it is a number is decided later. A sign may follow an
/// exponent's `e`.
fn number_length(text: &str) -> usize {
    let mut previous = '\0';
    for (offset, c) in text.char_indices() {
        let sign = matches!(c, '+' | '-') && (offset == 0 || matches!(previous, 'e' | 'E'));
        if !(sign || c == '.' || c == '_' || c.is_alphanumeric()) {
            return offset;
        }
        previous = c;
    }
    text.len()
}

/// Resolves Go's backslash escapes.
fn unescape(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut chars = text.chars();
    let hex = |chars: &mut std::str::Chars, digits: usize| -> Option<char> {
        let code: String = chars.by_ref().take(digits).collect();
        if code.len() < digits { None } else { char::from_u32(u32::from_str_radix(&code, 16).ok()?) }
    };
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        out.push(match chars.next()? {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'v' => '\u{b}',
            'x' => hex(&mut chars, 2)?,
            'u' => hex(&mut chars, 4)?,
            'U' => hex(&mut chars, 8)?,
            c @ ('\\' | '"' | '\'') => c,
            _ => return None,
        });
    }
    Some(out)
}
