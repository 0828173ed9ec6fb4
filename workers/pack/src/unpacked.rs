//! How much an archive unpacks to: a small zip can hold far more than a client's disk or memory.
//!
//! Sizes are what the central directory says, as far as that can be: deflate makes at most 1,032
//! bytes of one (zlib's technical notes), and protected packs claim sizes that no data of theirs
//! has. Entries that share the same data count each, since each is unpacked.

/// The most that a pack may unpack to, in bytes: 2 GiB. Real packs stay far below, the largest that
/// the game downloads has 250 MiB.
pub const MAX_UNPACKED: u64 = 2 * 1024 * 1024 * 1024;

/// What deflate makes of one byte at most.
const DEFLATE: u64 = 1032;

/// The sum over the entries of an archive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unpacked {
    /// Bytes.
    pub total: u64,
    /// Whether an entry claims a size that its data cannot have.
    pub impossible: bool,
}

impl Unpacked {
    /// Counts an entry by its sizes in the directory, in bytes.
    pub fn add(&mut self, packed: u64, claimed: u64, is_stored: bool) {
        let most = if is_stored {
            packed
        } else {
            packed.saturating_mul(DEFLATE)
        };
        self.impossible |= claimed > most;
        self.total = self.total.saturating_add(claimed.min(most));
    }

    pub fn is_a_bomb(&self) -> bool {
        self.total > MAX_UNPACKED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(entries: &[(u64, u64, bool)]) -> Unpacked {
        let mut unpacked = Unpacked::default();
        for (packed, claimed, is_stored) in entries {
            unpacked.add(*packed, *claimed, *is_stored);
        }
        unpacked
    }

    #[test]
    fn many_entries_that_share_their_data_are_a_bomb() {
        let shared = vec![(10_000_000, 200_000_000, false); 20];
        assert!(of(&shared).is_a_bomb());
        assert!(!of(&shared[..2]).is_a_bomb());
    }

    #[test]
    fn a_size_that_the_data_cannot_have_is_odd_and_not_believed() {
        let lie = of(&[(100, u64::MAX, false), (100, 101, true)]);
        assert!(lie.impossible && !lie.is_a_bomb());
        assert_eq!(lie.total, 103_200 + 100);
        assert!(!of(&[(100, 103_200, false), (100, 100, true), (2, 0, false)]).impossible);
    }

    #[test]
    fn sums_never_overflow() {
        assert!(of(&[(u64::MAX, u64::MAX, false), (u64::MAX, u64::MAX, true)]).is_a_bomb());
    }
}
