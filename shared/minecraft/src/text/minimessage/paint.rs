//! Colours that change from character to character.
//!
//! The arithmetic is Adventure's, in its widths, so that a preview shows the colours of the game.

/// How the characters within a tag are coloured.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Paint {
    Gradient(Gradient),
    Rainbow(Rainbow),
}

impl Paint {
    /// The colour of the character `index` of `size`.
    pub(super) fn color(&self, index: u16, size: u16) -> [u8; 3] {
        match self {
            Self::Gradient(gradient) => gradient.color(index, size),
            Self::Rainbow(rainbow) => rainbow.color(index, size),
        }
    }
}

/// Evenly spread colours, at least one, moved on by a share of their whole length; at the end they begin anew.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Gradient {
    colors: Vec<[u8; 3]>,
    /// From 0 to 1.
    phase: f64,
}

impl Gradient {
    /// `phase` is from -1 to 1; a negative one goes the other way.
    pub(super) fn new(mut colors: Vec<[u8; 3]>, phase: f64) -> Self {
        if colors.is_empty() {
            colors = vec![[0xff; 3], [0; 3]];
        }
        if phase < 0.0 {
            colors.reverse();
        }
        let phase = if phase < 0.0 { 1.0 + phase } else { phase };
        Self { colors, phase }
    }

    /// The one colour that a transition has all over.
    pub(super) fn first(&self) -> [u8; 3] {
        self.color(0, 1)
    }

    fn color(&self, index: u16, size: u16) -> [u8; 3] {
        let stops = u32::try_from(self.colors.len()).unwrap_or(u32::MAX);
        let spaces = f64::from(stops.saturating_sub(1));
        let stride = match size {
            0 | 1 => 0.0,
            _ => spaces / f64::from(size - 1),
        };
        let position = f64::from(index) * stride + self.phase * spaces;
        let stop = |position: f64| self.colors[whole(position) % self.colors.len()];
        let (low, high) = (stop(position.floor()), stop(position.ceil()));
        #[expect(clippy::cast_possible_truncation, reason = "as wide as Adventure's")]
        let share = (position - position.floor()) as f32;
        [0, 1, 2].map(|i| {
            let (low, high) = (f32::from(low[i]), f32::from(high[i]));
            channel((low + share * (high - low)).round())
        })
    }
}

/// All hues, moved on by tenths of their circle.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rainbow {
    pub(super) reversed: bool,
    pub(super) phase: i32,
}

impl Rainbow {
    fn color(&self, index: u16, size: u16) -> [u8; 3] {
        let size = size.max(1);
        let index = if self.reversed {
            (size - 1).saturating_sub(index)
        } else {
            index
        };
        let turns = f64::from(f32::from(index) / f32::from(size)) + f64::from(self.phase) / 10.0;
        #[expect(clippy::cast_possible_truncation, reason = "as wide as Adventure's")]
        let hue = turns.rem_euclid(1.0) as f32 * 6.0;
        let rising = hue - hue.floor();
        let falling = channel((1.0 - rising) * 255.0);
        let rising = channel((1.0 - (1.0 - rising)) * 255.0);
        match whole(hue.into()) {
            0 => [255, rising, 0],
            1 => [falling, 255, 0],
            2 => [0, 255, rising],
            3 => [0, falling, 255],
            4 => [rising, 0, 255],
            _ => [255, 0, falling],
        }
    }
}

/// What is before the point of a number that is not negative.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "that is what it is for"
)]
fn whole(number: f64) -> usize {
    number as usize
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "from 0 to 255, of which Adventure drops the fraction"
)]
fn channel(value: f32) -> u8 {
    value as u8
}

#[cfg(test)]
#[path = "paint_tests.rs"]
mod tests;
