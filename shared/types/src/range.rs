//! The range of a chart: `?range=` of the histories.

const DAY: i64 = 24 * 60 * 60;

/// How far back a chart goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Range {
    Day,
    Week,
    Month,
    Quarter,
}

impl Range {
    pub const ALL: [Self; 4] = [Self::Day, Self::Week, Self::Month, Self::Quarter];

    /// The value of `range`; without one it is a day.
    pub fn from_query(value: Option<&str>) -> Option<Self> {
        let named = |value| Self::ALL.into_iter().find(|range| range.as_str() == value);
        value.map_or(Some(Self::Day), named)
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "24h",
            Self::Week => "7d",
            Self::Month => "30d",
            Self::Quarter => "90d",
        }
    }

    pub const fn seconds(self) -> i64 {
        match self {
            Self::Day => DAY,
            Self::Week => 7 * DAY,
            Self::Month => 30 * DAY,
            Self::Quarter => 90 * DAY,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_named_and_without_a_name_it_is_a_day() {
        for range in Range::ALL {
            assert_eq!(Range::from_query(Some(range.as_str())), Some(range));
        }
        assert_eq!(Range::from_query(None), Some(Range::Day));
        for other in ["", "1d", "24H", "7d "] {
            assert_eq!(Range::from_query(Some(other)), None, "{other:?}");
        }
    }
}
