//! ChainIDs: the identity of a stack of layers.
//!
//! A DiffID names one layer's content; the ChainID names a layer together with everything below it
//! (OCI image specification, "Layer ChainID").

use crate::digest::Digest;

/// The ChainID of each prefix of the stack, lowest layer first; as many as there are DiffIDs.
pub fn chain_ids(diff_ids: &[Digest]) -> Vec<Digest> {
    let mut below: Option<Digest> = None;
    diff_ids
        .iter()
        .map(|diff_id| {
            let id = match below {
                None => *diff_id,
                Some(chain) => Digest::of(format!("{chain} {diff_id}")),
            };
            below = Some(id);
            id
        })
        .collect()
}

/// The ChainID of the whole stack; none for an image without layers.
pub fn chain_id(diff_ids: &[Digest]) -> Option<Digest> {
    chain_ids(diff_ids).last().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_chain_id_is_the_diff_id_itself() {
        let a = Digest::of("a");
        assert_eq!(chain_ids(&[a]), vec![a]);
        assert_eq!(chain_id(&[]), None);
    }

    #[test]
    fn a_chain_id_hashes_the_text_of_what_is_below_and_the_layer() {
        let (a, b, c) = (Digest::of("a"), Digest::of("b"), Digest::of("c"));
        let ab = Digest::of(format!("sha256:{} sha256:{}", a.hex(), b.hex()));
        let abc = Digest::of(format!("{ab} {c}"));
        assert_eq!(chain_ids(&[a, b, c]), vec![a, ab, abc]);
        assert_eq!(chain_id(&[a, b, c]), Some(abc));
    }
}
