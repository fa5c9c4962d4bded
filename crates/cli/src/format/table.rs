//! Columns aligned with spaces.

/// Narrowest column, padding included.
const MIN_WIDTH: usize = 10;
/// Spaces between columns.
const PADDING: usize = 3;

/// Aligns lines of tab-separated cells. A run of adjacent lines that have a cell in a column share its width; the
/// text after a line's last tab belongs to no column.
pub fn align(text: &str) -> String {
    let lines: Vec<Vec<&str>> = text.split('\n').map(|line| line.split('\t').collect()).collect();
    let mut widths: Vec<Vec<usize>> =
        lines.iter().map(|cells| vec![0; cells.len().saturating_sub(1)]).collect();
    let columns = widths.iter().map(Vec::len).max().unwrap_or(0);
    for column in 0..columns {
        let mut start = 0;
        while start < lines.len() {
            let block = widths.iter().skip(start).take_while(|w| w.len() > column).count();
            let wide = lines
                .iter()
                .skip(start)
                .take(block)
                .filter_map(|cells| cells.get(column))
                .map(|cell| cell.chars().count() + PADDING)
                .fold(MIN_WIDTH, usize::max);
            for width in widths.iter_mut().skip(start).take(block).filter_map(|w| w.get_mut(column)) {
                *width = wide;
            }
            start += block.max(1);
        }
    }
    let mut out = String::with_capacity(text.len() * 2);
    for (index, (cells, widths)) in lines.iter().zip(&widths).enumerate() {
        if index > 0 {
            out.push('\n');
        }
        for (column, cell) in cells.iter().enumerate() {
            out.push_str(cell);
            if let Some(width) = widths.get(column) {
                out.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.chars().count())));
            }
        }
    }
    out
}

/// Cuts text to `width` characters, the last one an ellipsis if anything was lost.
pub fn ellipsis(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(width.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_at_least_ten_wide_and_three_apart() {
        assert_eq!(align("ID\tNAME\nabc\ta-long-name\n"), "ID        NAME\nabc       a-long-name\n");
        assert_eq!(
            align("CONTAINER ID\tX\tY\n1\t2\t3"),
            "CONTAINER ID   X         Y\n1              2         3"
        );
        assert_eq!(align("a\tb\nplain\nlonger-than-ten\tc"), "a         b\nplain\nlonger-than-ten   c");
    }

    #[test]
    fn long_text_ends_in_an_ellipsis() {
        assert_eq!(ellipsis("abcdef", 6), "abcdef");
        assert_eq!(ellipsis("abcdefg", 6), "abcde…");
    }
}
