//! Dockerfile instructions as `import` and `commit` take them: the ones that only change the configuration.
//!
//! A change is a line (or several, joined by a trailing backslash) such as `CMD ["sh"]` or `ENV A=1 B=$A`. All lines
//! are read before any is applied.

mod apply;
mod duration;
mod lines;
mod ports;
mod signals;
mod words;

#[cfg(test)]
mod tests;

use crate::config::ContainerConfig;

/// Why a change was refused. The wording follows Docker's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// The text does not have the instruction's form.
    #[error("{reason}")]
    Parse {
        /// Number of the line, from 1, over all changes. Docker's message does not show it.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// The instruction is none, or not one that can be applied without building.
    #[error("{0} is not a valid change command")]
    NotAChange(String),
    /// There are only comments.
    #[error("file with no instructions")]
    Empty,
    /// The instruction's form is right but a value is not.
    #[error("{0}")]
    Value(String),
}

/// Applies Dockerfile instructions to a configuration, in order. On error the configuration is unchanged.
pub fn apply_changes<S: AsRef<str>>(config: &mut ContainerConfig, changes: &[S]) -> Result<(), ChangeError> {
    let text: Vec<&str> = changes.iter().map(AsRef::as_ref).collect();
    let text = text.join("\n");
    if text.is_empty() {
        return Ok(());
    }
    let lines = lines::instructions(&text)?;
    let mut instructions = Vec::with_capacity(lines.len());
    for line in &lines {
        instructions.push(apply::Instruction::parse(line)?);
    }
    let mut changed = config.clone();
    let mut cmd_given = false;
    for instruction in instructions {
        instruction.apply(&mut changed, &mut cmd_given)?;
    }
    *config = changed;
    Ok(())
}
