//! The container's log: output bytes in, Docker's `json-file` lines on disk.
//!
//! Nothing here may stop the container or end the supervisor: a full disk loses lines, never more.

mod encode;
mod file;
mod lines;

use crate::clock;
use crate::report::LogPlan;
use file::RotatingFile;
use lines::Splitter;

/// Which stream bytes came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output, or the terminal.
    Out,
    /// Standard error.
    Err,
}

impl Stream {
    fn name(self) -> &'static str {
        match self {
            Stream::Out => "stdout",
            Stream::Err => "stderr",
        }
    }
}

/// The log of one container.
#[derive(Debug)]
pub struct Log {
    file: Option<RotatingFile>,
    attrs: Option<String>,
    out: Splitter,
    err: Splitter,
    /// The line being encoded; kept to save allocations.
    line: Vec<u8>,
}

impl Log {
    /// Opens the log.
    pub fn open(plan: LogPlan) -> std::io::Result<Log> {
        let (file, attrs) = match plan {
            LogPlan::JsonFile { path, max_size, max_file, attrs } => {
                (Some(RotatingFile::open(path, max_size, max_file)?), attrs)
            }
            LogPlan::None => (None, None),
        };
        Ok(Log { file, attrs, out: Splitter::default(), err: Splitter::default(), line: Vec::new() })
    }

    /// Takes bytes as they were read from the container.
    pub fn write(&mut self, stream: Stream, bytes: &[u8]) {
        self.take(stream, |splitter, now, emit| splitter.feed(bytes, now, emit));
    }

    /// Takes the end of a stream: what came without a newline is a line too.
    pub fn end(&mut self, stream: Stream) {
        self.take(stream, |splitter, _, emit| splitter.end(emit));
    }

    fn take(
        &mut self,
        stream: Stream,
        work: impl FnOnce(&mut Splitter, i64, &mut dyn FnMut(lines::Line<'_>)),
    ) {
        let Log { file: Some(file), attrs, out, err, line } = self else { return };
        let splitter = if stream == Stream::Out { out } else { err };
        work(splitter, clock::now(), &mut |piece| {
            line.clear();
            encode::append(line, piece.bytes, piece.complete, stream.name(), attrs.as_deref(), piece.at);
            file.append(line);
        });
        file.flush();
        // One giant line must not be held in memory for the rest of the container's life.
        line.shrink_to(4096);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_becomes_lines_on_disk_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x-json.log");
        let attrs = Some(r#"{"a":"b"}"#.to_owned());
        let plan = LogPlan::JsonFile { path: path.clone(), max_size: None, max_file: 1, attrs };
        let mut log = Log::open(plan).unwrap();
        log.write(Stream::Out, b"one\ntw");
        log.write(Stream::Err, b"oops\n");
        log.write(Stream::Out, b"o\nend");
        log.end(Stream::Out);
        log.end(Stream::Err);
        let text = std::fs::read_to_string(path).unwrap();
        let lines: Vec<serde_json::Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        let logs: Vec<_> =
            lines.iter().map(|l| (l["log"].as_str().unwrap(), l["stream"].as_str().unwrap())).collect();
        assert_eq!(logs, [("one\n", "stdout"), ("oops\n", "stderr"), ("two\n", "stdout"), ("end", "stdout")]);
        assert_eq!(lines[0]["attrs"]["a"], "b");
    }

    #[test]
    fn without_a_file_output_is_swallowed() {
        let mut log = Log::open(LogPlan::None).unwrap();
        log.write(Stream::Out, b"gone\n");
        log.end(Stream::Out);
    }
}
