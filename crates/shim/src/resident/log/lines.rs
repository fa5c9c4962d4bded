//! Cutting a stream of bytes into log lines.

/// Longest piece; a longer line is cut into several, as Docker does.
const MAX_PIECE: usize = 16 << 10;

/// A line, or a piece of a long one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// Its text, without the newline.
    pub bytes: &'a [u8],
    /// A newline followed.
    pub complete: bool,
    /// When it was read; all pieces of one line have the time of the first.
    pub at: i64,
}

/// The beginning of a line whose end has not arrived.
#[derive(Debug, Default)]
pub struct Splitter {
    kept: Vec<u8>,
    /// The time of the first piece, once a line had to be cut.
    cut_at: Option<i64>,
}

impl Splitter {
    /// Takes bytes read at `now` and gives out every piece they complete.
    pub fn feed(&mut self, mut bytes: &[u8], now: i64, emit: &mut dyn FnMut(Line<'_>)) {
        while !bytes.is_empty() {
            let room = MAX_PIECE - self.kept.len();
            let (window, _) = bytes.split_at(room.min(bytes.len()));
            match window.iter().position(|byte| *byte == b'\n') {
                Some(end) => {
                    let (line, rest) = bytes.split_at(end);
                    self.emit(line, true, now, emit);
                    self.cut_at = None;
                    bytes = rest.get(1..).unwrap_or_default();
                }
                None if window.len() == room => {
                    self.emit(window, false, now, emit);
                    self.cut_at = self.cut_at.or(Some(now));
                    bytes = bytes.get(room..).unwrap_or_default();
                }
                None => {
                    self.kept.extend_from_slice(window);
                    bytes = &[];
                }
            }
        }
    }

    /// Gives out what is left at the end of the stream.
    pub fn end(&mut self, emit: &mut dyn FnMut(Line<'_>)) {
        if !self.kept.is_empty() {
            let now = crate::clock::now();
            self.emit(&[], false, now, emit);
        }
        self.cut_at = None;
    }

    fn emit(&mut self, bytes: &[u8], complete: bool, now: i64, emit: &mut dyn FnMut(Line<'_>)) {
        let at = self.cut_at.unwrap_or(now);
        if self.kept.is_empty() {
            emit(Line { bytes, complete, at });
        } else {
            self.kept.extend_from_slice(bytes);
            emit(Line { bytes: &self.kept, complete, at });
            // Give the memory back: most containers write short lines, whole.
            self.kept = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything given out for pieces fed at times 1, 2, 3, …
    fn split(pieces: &[&[u8]]) -> Vec<(Vec<u8>, bool, i64)> {
        let mut found = Vec::new();
        let mut splitter = Splitter::default();
        let mut emit = |line: Line<'_>| found.push((line.bytes.to_vec(), line.complete, line.at));
        for (piece, now) in pieces.iter().zip(1..) {
            splitter.feed(piece, now, &mut emit);
        }
        let mut last = Vec::new();
        splitter.end(&mut |line: Line<'_>| last.push((line.bytes.to_vec(), line.complete, 0)));
        found.extend(last);
        found
    }

    #[test]
    fn lines_may_arrive_in_any_pieces() {
        let found = split(&[b"a\nb", b"b\n\n", b"end"]);
        let expected = [(&b"a"[..], true, 1), (b"bb", true, 2), (b"", true, 2), (b"end", false, 0)];
        assert_eq!(found, expected.map(|(bytes, complete, at)| (bytes.to_vec(), complete, at)));
    }

    #[test]
    fn a_long_line_is_cut_into_pieces_with_one_time() {
        let long = vec![b'x'; MAX_PIECE + 10];
        let found = split(&[&long, b"\n", b"next\n"]);
        let shape: Vec<_> = found.iter().map(|(bytes, complete, at)| (bytes.len(), *complete, *at)).collect();
        assert_eq!(shape, [(MAX_PIECE, false, 1), (10, true, 1), (4, true, 3)]);
    }

    #[test]
    fn a_line_of_exactly_the_limit_is_followed_by_its_newline() {
        let mut exact = vec![b'x'; MAX_PIECE];
        exact.push(b'\n');
        let shape: Vec<_> = split(&[&exact]).iter().map(|(b, complete, _)| (b.len(), *complete)).collect();
        assert_eq!(shape, [(MAX_PIECE, false), (0, true)]);
    }

    #[test]
    fn an_endless_line_keeps_memory_bounded() {
        let mut splitter = Splitter::default();
        for now in 0..1000 {
            splitter.feed(&[b'x'; 1000], now, &mut |line| assert!(line.bytes.len() <= MAX_PIECE));
            assert!(splitter.kept.capacity() <= 2 * MAX_PIECE);
        }
    }
}
