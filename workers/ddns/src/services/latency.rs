//! How long answers took, counted in buckets: counts of any spans can be added up, and percentiles of
//! the sum are still right within their bucket. Averages of percentiles would not be.

use serde::{Deserialize, Serialize};

/// The upper bounds of the buckets, in milliseconds. What took longer is in one more.
pub const BOUNDS_MS: [u32; 19] = [
    5, 10, 20, 35, 50, 75, 100, 150, 200, 300, 500, 750, 1000, 1500, 2000, 3000, 5000, 7500, 10_000,
];

/// Counts by bucket, without the zeros at the end. Stored as a JSON array.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Buckets(Vec<u32>);

impl Buckets {
    pub fn add(&mut self, latency_ms: u32) {
        let bucket = BOUNDS_MS.partition_point(|bound| *bound < latency_ms);
        if self.0.len() <= bucket {
            self.0.resize(bucket + 1, 0);
        }
        if let Some(count) = self.0.get_mut(bucket) {
            *count = count.saturating_add(1);
        }
    }

    pub fn add_all(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (count, more) in self.0.iter_mut().zip(&other.0) {
            *count = count.saturating_add(*more);
        }
    }

    /// How many answers are counted.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|count| u64::from(*count)).sum()
    }

    /// The latency that so many hundredths of the answers did not exceed: within the bucket that it
    /// is in, as if those in there were spread evenly. `most` is the longest of all, which ends the
    /// last bucket. `None` without any.
    pub fn percentile(&self, hundredths: u32, most: u32) -> Option<u32> {
        let all = self.count();
        if all == 0 {
            return None;
        }
        // The rank that is looked for, in hundredths of an answer.
        let rank = (all * u64::from(hundredths)).max(1);
        let mut before = 0;
        for (bucket, count) in self.0.iter().enumerate() {
            let count = u64::from(*count);
            if count == 0 || (before + count) * 100 < rank {
                before += count;
                continue;
            }
            let lower = bucket.checked_sub(1).and_then(|below| BOUNDS_MS.get(below));
            let lower = u64::from(lower.copied().unwrap_or(0));
            let upper = BOUNDS_MS.get(bucket).copied().unwrap_or(most);
            let upper = u64::from(upper.min(most)).max(lower);
            let within = (rank - before * 100).div_ceil(count).min(100);
            let value = lower + (upper - lower) * within / 100;
            return Some(u32::try_from(value).unwrap_or(u32::MAX));
        }
        Some(most)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(values: &[u32]) -> Buckets {
        let mut buckets = Buckets::default();
        for value in values {
            buckets.add(*value);
        }
        buckets
    }

    #[test]
    fn the_stored_form_is_pinned() {
        let json = serde_json::to_string(&of(&[0, 5, 6, 40])).unwrap();
        assert_eq!(json, "[2,1,0,0,1]");
        assert_eq!(serde_json::to_string(&Buckets::default()).unwrap(), "[]");
    }

    #[test]
    fn percentiles_lie_in_the_bucket_of_the_answer() {
        let buckets = of(&[30; 99]);
        assert_eq!(buckets.percentile(50, 30), Some(25));
        assert_eq!(buckets.percentile(99, 30), Some(29));
        let mut slow = buckets.clone();
        slow.add(9000);
        assert_eq!(slow.percentile(100, 9000), Some(9000));
        assert!(slow.percentile(99, 9000).unwrap() <= 35);
        assert_eq!(Buckets::default().percentile(50, 0), None);
        assert_eq!(of(&[60_000]).percentile(50, 60_000), Some(35_000));
    }

    proptest! {
        #[test]
        fn a_percentile_is_in_the_same_bucket_as_the_true_one(
            mut values in prop::collection::vec(0_u32..20_000, 1..200),
            hundredths in 1_u32..=100,
        ) {
            let buckets = of(&values);
            values.sort_unstable();
            let most = *values.last().unwrap();
            let rank = (values.len() * hundredths as usize).div_ceil(100).max(1);
            let exact = values[rank - 1];
            let found = buckets.percentile(hundredths, most).unwrap();
            let bucket = |value: u32| BOUNDS_MS.partition_point(|bound| *bound < value);
            // A lower bound itself is counted in the bucket below.
            prop_assert!(bucket(found) == bucket(exact) || bucket(found) + 1 == bucket(exact), "{found} for {exact}");
            prop_assert!(found <= most);
        }

        #[test]
        fn parts_add_up_to_the_whole(one in prop::collection::vec(0_u32..20_000, 0..50), other in prop::collection::vec(0_u32..20_000, 0..50)) {
            let mut sum = of(&one);
            sum.add_all(&of(&other));
            prop_assert_eq!(sum, of(&[one, other].concat()));
        }
    }
}
