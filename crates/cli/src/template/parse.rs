//! Tokens to tree.

use std::collections::BTreeMap;

use super::lex::{Token, TokenKind};
use super::tree::{Branch, Command, Kind, Node, Pipe, Word};
use super::{SyntaxError, funcs, number};

/// Deepest nesting of blocks and parentheses; far beyond anything a person writes.
const MAX_DEPTH: usize = 100;

type Named = BTreeMap<String, Vec<Node>>;

/// Parses a token stream into the main template and the ones it defines.
pub fn parse(tokens: Vec<Token>) -> Result<(Vec<Node>, Named), SyntaxError> {
    let mut parser =
        Parser { tokens, next: 0, variables: vec!["$".into()], named: Named::new(), depth: 0, loops: 0 };
    let (root, end) = parser.list()?;
    match end {
        None => Ok((root, parser.named)),
        Some((at, word)) => Err(SyntaxError::new(at, format!("unexpected {{{{{word}}}}}"))),
    }
}

struct Parser {
    tokens: Vec<Token>,
    next: usize,
    variables: Vec<String>,
    named: Named,
    depth: usize,
    loops: usize,
}

/// What ended a list: `end` or `else`, and where.
type End = Option<(usize, &'static str)>;

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next)
    }

    fn take(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.next).cloned();
        self.next += 1;
        token
    }

    /// The offset of the next token, or of the end.
    fn here(&self) -> usize {
        self.peek().or(self.tokens.last()).map_or(0, |token| token.at)
    }

    fn enter(&mut self) -> Result<(), SyntaxError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            Err(SyntaxError::new(self.here(), "template is nested too deeply"))
        } else {
            Ok(())
        }
    }

    /// Nodes up to `{{end}}`, `{{else}}` (its opening already consumed) or the end of input.
    fn list(&mut self) -> Result<(Vec<Node>, End), SyntaxError> {
        self.enter()?;
        let mut nodes = Vec::new();
        while let Some(token) = self.take() {
            match token.kind {
                TokenKind::Text(text) => nodes.push(Node::Text(text)),
                TokenKind::Open => {
                    let word = match self.peek() {
                        Some(Token { kind: TokenKind::Word(word), .. }) => word.clone(),
                        _ => String::new(),
                    };
                    match word.as_str() {
                        "end" => {
                            self.next += 1;
                            self.close("end")?;
                            self.depth -= 1;
                            return Ok((nodes, Some((token.at, "end"))));
                        }
                        "else" => {
                            self.next += 1;
                            self.depth -= 1;
                            return Ok((nodes, Some((token.at, "else"))));
                        }
                        _ => {
                            if let Some(node) = self.action(&word)? {
                                nodes.push(node);
                            }
                        }
                    }
                }
                _ => return Err(SyntaxError::new(token.at, "unexpected token in input")),
            }
        }
        self.depth -= 1;
        Ok((nodes, None))
    }

    fn close(&mut self, context: &str) -> Result<(), SyntaxError> {
        match self.take() {
            Some(Token { kind: TokenKind::Close, .. }) => Ok(()),
            Some(token) => Err(unexpected(&token, context)),
            None => Err(SyntaxError::new(self.here(), "unexpected EOF")),
        }
    }

    fn action(&mut self, word: &str) -> Result<Option<Node>, SyntaxError> {
        let at = self.here();
        if matches!(word, "if" | "with" | "range" | "template" | "define" | "block" | "break" | "continue") {
            self.next += 1;
        }
        let scope = self.variables.len();
        let node = match word {
            "if" => Node::If(self.branch("if")?),
            "with" => Node::With(self.branch("with")?),
            "range" => Node::Range(self.branch("range")?),
            "template" | "block" => {
                let (at, name) = self.name(word)?;
                let data = match self.peek() {
                    Some(Token { kind: TokenKind::Close, .. }) => None,
                    _ => Some(self.pipe(word)?),
                };
                self.close(&format!("{word} clause"))?;
                if word == "block" {
                    self.definition(name.clone())?;
                }
                return Ok(Some(Node::Template { at, name, data }));
            }
            "define" => {
                let (_, name) = self.name("define clause")?;
                self.close("define clause")?;
                self.definition(name)?;
                return Ok(None);
            }
            "break" | "continue" => {
                if self.loops == 0 {
                    return Err(SyntaxError::new(at, format!("{{{{{word}}}}} outside {{{{range}}}}")));
                }
                self.close(word)?;
                return Ok(Some(if word == "break" { Node::Break } else { Node::Continue }));
            }
            _ => {
                let pipe = self.pipe("command")?;
                self.close("command")?;
                // Variables of an action live on, unlike those of a block.
                return Ok(Some(Node::Action(pipe)));
            }
        };
        self.variables.truncate(scope);
        Ok(Some(node))
    }

    fn name(&mut self, context: &str) -> Result<(usize, String), SyntaxError> {
        match self.take() {
            Some(Token { at, kind: TokenKind::String(name, _), .. }) => Ok((at, name)),
            Some(token) => Err(unexpected(&token, context)),
            None => Err(SyntaxError::new(self.here(), "unexpected EOF")),
        }
    }

    fn definition(&mut self, name: String) -> Result<(), SyntaxError> {
        let outer = std::mem::replace(&mut self.variables, vec!["$".into()]);
        let (body, end) = self.list()?;
        self.variables = outer;
        match end {
            Some((_, "end")) => {
                self.named.insert(name, body);
                Ok(())
            }
            Some((at, word)) => {
                Err(SyntaxError::new(at, format!("unexpected {{{{{word}}}}} in define clause")))
            }
            None => Err(SyntaxError::new(self.here(), "unexpected EOF")),
        }
    }

    fn branch(&mut self, word: &'static str) -> Result<Branch, SyntaxError> {
        let scope = self.variables.len();
        let pipe = self.pipe(word)?;
        self.close(word)?;
        self.loops += usize::from(word == "range");
        let (then, end) = self.list()?;
        self.loops -= usize::from(word == "range");
        let otherwise = match end {
            None => return Err(SyntaxError::new(self.here(), "unexpected EOF")),
            Some((_, "end")) => Vec::new(),
            Some(_) => self.otherwise(word)?,
        };
        self.variables.truncate(scope);
        Ok(Branch { pipe, then, otherwise })
    }

    /// After `{{else`: either `}}…{{end}}`, or `if …`/`with …` that shares our `{{end}}`.
    fn otherwise(&mut self, word: &'static str) -> Result<Vec<Node>, SyntaxError> {
        if let Some(Token { kind: TokenKind::Word(next), .. }) = self.peek() {
            let nested = match (word, next.as_str()) {
                ("if", "if") | ("with", "with") => word,
                _ => return Err(SyntaxError::new(self.here(), format!("unexpected <{next}> in else"))),
            };
            self.next += 1;
            self.enter()?;
            let branch = self.branch(nested)?;
            self.depth -= 1;
            return Ok(vec![if nested == "if" { Node::If(branch) } else { Node::With(branch) }]);
        }
        self.close("else")?;
        match self.list()? {
            (nodes, Some((_, "end"))) => Ok(nodes),
            (_, Some((at, _))) => Err(SyntaxError::new(at, "expected end; found {{else}}")),
            (_, None) => Err(SyntaxError::new(self.here(), "unexpected EOF")),
        }
    }

    /// A pipeline up to, not including, `}}` or `)`.
    fn pipe(&mut self, context: &str) -> Result<Pipe, SyntaxError> {
        let at = self.here();
        let mut pipe = Pipe { at, variables: Vec::new(), assigns: false, commands: Vec::new() };
        self.declaration(&mut pipe, context)?;
        loop {
            match self.peek().map(|token| token.kind.clone()) {
                None => return Err(SyntaxError::new(self.here(), "unexpected EOF")),
                Some(TokenKind::Close | TokenKind::Right) => break,
                Some(TokenKind::Pipe | TokenKind::Comma | TokenKind::Assign | TokenKind::Declare) => {
                    let token = self.take();
                    return Err(token.map_or_else(
                        || SyntaxError::new(at, "unexpected EOF"),
                        |t| unexpected(&t, context),
                    ));
                }
                Some(_) => {
                    let command = self.command()?;
                    pipe.commands.push(command);
                }
            }
        }
        if pipe.commands.is_empty() {
            return Err(SyntaxError::new(at, format!("missing value for {context}")));
        }
        for (index, command) in pipe.commands.iter().enumerate().skip(1) {
            let literal = command.words.first().is_some_and(|word| {
                matches!(
                    word.kind,
                    Kind::Bool(_) | Kind::Dot | Kind::Nil | Kind::Int(..) | Kind::Float(..) | Kind::Text(..)
                )
            });
            if literal {
                return Err(SyntaxError::new(
                    at,
                    format!("non executable command in pipeline stage {}", index + 1),
                ));
            }
        }
        self.variables.extend(pipe.variables.iter().filter(|_| !pipe.assigns).cloned());
        Ok(pipe)
    }

    /// `$x :=`, `$x =` and, in a range, `$i, $e :=`.
    fn declaration(&mut self, pipe: &mut Pipe, context: &str) -> Result<(), SyntaxError> {
        let kind =
            |parser: &Self, ahead: usize| parser.tokens.get(parser.next + ahead).map(|t| t.kind.clone());
        let mut ahead = 0;
        let mut names = Vec::new();
        while let Some(TokenKind::Variable(name)) = kind(self, ahead) {
            names.push(name);
            match kind(self, ahead + 1) {
                Some(TokenKind::Comma) if context == "range" && names.len() < 2 => ahead += 2,
                Some(TokenKind::Comma) => {
                    return Err(SyntaxError::new(self.here(), format!("too many declarations in {context}")));
                }
                Some(assign @ (TokenKind::Declare | TokenKind::Assign)) => {
                    pipe.assigns = assign == TokenKind::Assign;
                    if pipe.assigns {
                        for name in &names {
                            self.known(name)?;
                        }
                    }
                    pipe.variables = names;
                    self.next += ahead + 2;
                    return Ok(());
                }
                _ => return Ok(()),
            }
        }
        Ok(())
    }

    fn known(&self, name: &str) -> Result<(), SyntaxError> {
        if self.variables.iter().any(|known| known == name) {
            Ok(())
        } else {
            Err(SyntaxError::new(self.here(), format!("undefined variable {name:?}")))
        }
    }

    fn command(&mut self) -> Result<Command, SyntaxError> {
        let mut command = Command { at: self.here(), words: Vec::new() };
        loop {
            command.words.push(self.operand()?);
            match self.peek() {
                None => return Err(SyntaxError::new(self.here(), "unexpected EOF")),
                Some(token) => match token.kind {
                    TokenKind::Close | TokenKind::Right => return Ok(command),
                    TokenKind::Pipe => {
                        self.next += 1;
                        return Ok(command);
                    }
                    _ if token.spaced => {}
                    _ => return Err(unexpected(token, "operand")),
                },
            }
        }
    }

    /// One word with the fields chained to it.
    fn operand(&mut self) -> Result<Word, SyntaxError> {
        let Some(token) = self.take() else {
            return Err(SyntaxError::new(self.here(), "unexpected EOF"));
        };
        let at = token.at;
        let kind = match token.kind.clone() {
            TokenKind::Word(word) => match word.as_str() {
                "true" | "false" => Kind::Bool(word == "true"),
                "nil" => Kind::Nil,
                "if" | "else" | "end" | "range" | "with" | "template" | "define" | "block" => {
                    return Err(SyntaxError::new(at, format!("unexpected <{word}> in operand")));
                }
                _ if funcs::exists(&word) => Kind::Function(word),
                _ => return Err(SyntaxError::new(at, format!("function {word:?} not defined"))),
            },
            TokenKind::Dot => Kind::Dot,
            TokenKind::Field(name) => Kind::Field(vec![name]),
            TokenKind::Variable(name) => {
                self.known(&name)?;
                Kind::Variable(vec![name])
            }
            TokenKind::String(value, raw) => Kind::Text(value, raw),
            TokenKind::Char(c, raw) => Kind::Int(i64::from(u32::from(c)), raw),
            TokenKind::Number(text) => number::parse(&text)
                .ok_or_else(|| SyntaxError::new(at, format!("bad number syntax: {text:?}")))?,
            TokenKind::Left => {
                self.enter()?;
                let pipe = self.pipe("parenthesized pipeline")?;
                self.depth -= 1;
                match self.take() {
                    Some(Token { kind: TokenKind::Right, .. }) => Kind::Pipe(Box::new(pipe)),
                    _ => return Err(SyntaxError::new(at, "unclosed left paren")),
                }
            }
            _ => return Err(unexpected(&token, "operand")),
        };
        self.chain(Word { at, kind })
    }

    fn chain(&mut self, word: Word) -> Result<Word, SyntaxError> {
        let mut fields = Vec::new();
        let mut at = word.at;
        while let Some(Token { kind: TokenKind::Field(name), spaced: false, at: here }) = self.peek() {
            if fields.is_empty() {
                at = *here;
            }
            fields.push(name.clone());
            self.next += 1;
        }
        if fields.is_empty() {
            return Ok(word);
        }
        let kind = match word.kind {
            Kind::Field(mut names) => {
                names.append(&mut fields);
                Kind::Field(names)
            }
            Kind::Variable(mut names) => {
                names.append(&mut fields);
                Kind::Variable(names)
            }
            Kind::Pipe(_) | Kind::Function(_) => Kind::Chain(Box::new(word), fields),
            _ => return Err(SyntaxError::new(word.at, format!("unexpected . after term \"{word}\""))),
        };
        Ok(Word { at, kind })
    }
}

fn unexpected(token: &Token, context: &str) -> SyntaxError {
    let text = match &token.kind {
        TokenKind::Close => "\"}}\"".to_owned(),
        TokenKind::Pipe => "\"|\"".to_owned(),
        TokenKind::Comma => "\",\"".to_owned(),
        TokenKind::Right => "\")\"".to_owned(),
        TokenKind::Left => "\"(\"".to_owned(),
        TokenKind::Declare => "\":=\"".to_owned(),
        TokenKind::Assign => "\"=\"".to_owned(),
        TokenKind::Dot => "<.>".to_owned(),
        TokenKind::Word(word) => format!("<{word}>"),
        TokenKind::Field(name) => format!("<.{name}>"),
        TokenKind::Variable(name) => format!("{name:?}"),
        TokenKind::String(_, raw) | TokenKind::Char(_, raw) => format!("{raw:?}"),
        TokenKind::Number(text) => format!("{text:?}"),
        TokenKind::Text(_) | TokenKind::Open => "\"{{\"".to_owned(),
    };
    SyntaxError::new(token.at, format!("unexpected {text} in {context}"))
}
