//! ID maps of user namespaces: lists of extents, one line each in `/proc/PID/uid_map`.

use std::fmt::Write;
use std::fs;

use crate::{Error, Result};

/// One extent: `count` IDs, from `container` inside and from `host` outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// First ID inside the namespace.
    pub container: u32,
    /// The ID it stands for outside.
    pub host: u32,
    /// How many follow one another.
    pub count: u32,
}

/// The ID outside for an ID inside, or `None` where it is not mapped.
pub fn to_host(map: &[Extent], container: u32) -> Option<u32> {
    map.iter().find_map(|extent| {
        let offset = container.checked_sub(extent.container)?;
        (offset < extent.count).then(|| extent.host.checked_add(offset)).flatten()
    })
}

/// The text of a map file.
fn text(map: &[Extent]) -> String {
    let mut text = String::new();
    for extent in map {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{} {} {}", extent.container, extent.host, extent.count);
    }
    text
}

/// Writes the maps of the user namespace that process `pid` is in; possible once per namespace.
///
/// # Errors
/// `EPERM`: they were written before; `EINVAL`: extents overlap or there are more than 340.
pub fn write(pid: i32, uids: &[Extent], gids: &[Extent]) -> Result<()> {
    for (name, map) in [("uid_map", uids), ("gid_map", gids)] {
        let path = format!("/proc/{pid}/{name}");
        fs::write(&path, text(map)).map_err(|error| Error::path("write", path, error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: [Extent; 2] = [
        Extent { container: 0, host: 200_000, count: 65_536 },
        Extent { container: 1_000_000, host: 300_000, count: 1 },
    ];

    #[test]
    fn ids_are_found_in_the_extent_that_holds_them() {
        assert_eq!(to_host(&MAP, 0), Some(200_000));
        assert_eq!(to_host(&MAP, 65_535), Some(265_535));
        assert_eq!(to_host(&MAP, 65_536), None);
        assert_eq!(to_host(&MAP, 1_000_000), Some(300_000));
        assert_eq!(to_host(&[], 0), None);
    }

    #[test]
    fn a_map_file_has_one_line_per_extent() {
        assert_eq!(text(&MAP), "0 200000 65536\n1000000 300000 1\n");
    }
}
