//! Text without any style.

use super::{Run, Text};

impl Text {
    /// The characters alone.
    pub fn to_plain(&self) -> String {
        self.runs().iter().map(Run::text).collect()
    }
}
