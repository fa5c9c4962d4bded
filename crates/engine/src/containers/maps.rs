//! The map of a container's user namespace: which IDs exist inside, and where they are on the host.
//!
//! Inside there are always the IDs 0–65535. Files and users beyond that exist in some images; the blocks of 65,536
//! IDs that hold the largest owner of each layer and the requested user are mapped as well, each to a range of the
//! container's lease.

use std::collections::BTreeSet;

use super::record::Record;
use crate::ids::{Lease, RANGE};
use crate::images::ImageView;
use crate::spec::oci::IdMapping;

/// Numbers of the blocks of IDs that have to exist inside, in order; block 0 always.
pub fn blocks(images: &ImageView, record: &Record) -> Vec<u32> {
    let definition = &record.definition;
    let owners = definition
        .layers
        .iter()
        .filter_map(|key| images.layer_with_key(key))
        .flat_map(|layer| [layer.max_uid, layer.max_gid]);
    // Names are looked up inside, where they lead to IDs that own files and are covered by those.
    let asked = definition
        .config
        .user
        .split(':')
        .chain(definition.host_config.group_add.iter().flatten().map(String::as_str));
    let asked = asked.filter_map(|name| name.parse().ok());
    let blocks: BTreeSet<u32> = [0].into_iter().chain(owners).chain(asked).map(|id| id / RANGE).collect();
    blocks.into_iter().collect()
}

/// The extents that map `blocks` to a lease of as many ranges.
pub fn extents(blocks: &[u32], lease: Lease) -> Vec<IdMapping> {
    let host = (0..).map(|n: u32| lease.first + n * RANGE);
    blocks
        .iter()
        .zip(host)
        .map(|(block, host_id)| IdMapping { container_id: block * RANGE, host_id, size: RANGE })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_block_has_its_own_range() {
        let extents = extents(&[0, 1, 18], Lease { first: 0x7000_0000, size: 3 * RANGE });
        let plain: Vec<_> = extents.iter().map(|e| (e.container_id, e.host_id, e.size)).collect();
        assert_eq!(
            plain,
            [(0, 0x7000_0000, RANGE), (65_536, 0x7001_0000, RANGE), (18 * RANGE, 0x7002_0000, RANGE),]
        );
    }
}
