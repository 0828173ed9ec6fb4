//! Colours and decorations.
//!
//! Spec: "Formatting codes" (minecraft.wiki).

use std::fmt;

/// How a run looks. The default is what the client shows without any style.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    pub color: Option<Color>,
    decorations: u8,
}

impl Style {
    pub fn has(self, decoration: Decoration) -> bool {
        self.decorations & decoration.bit() != 0
    }

    /// This style with one decoration switched on or off.
    #[must_use]
    pub fn with(self, decoration: Decoration, on: bool) -> Self {
        let bit = decoration.bit();
        Self {
            decorations: if on {
                self.decorations | bit
            } else {
                self.decorations & !bit
            },
            ..self
        }
    }

    /// This style in a colour, its decorations kept.
    #[must_use]
    pub fn colored(self, color: Color) -> Self {
        Self {
            color: Some(color),
            ..self
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    Named(NamedColor),
    /// Red, green, blue; clients since 1.16.
    Rgb([u8; 3]),
}

impl Color {
    /// A colour as text components write it: a name or `#rrggbb`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix('#') {
            Some(hex) => Self::from_hex(hex),
            None => NamedColor::from_name(text).map(Self::Named),
        }
    }

    /// Six hexadecimal digits.
    pub fn from_hex(hex: &str) -> Option<Self> {
        if hex.len() != 6 || !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        let [_, r, g, b] = u32::from_str_radix(hex, 16).ok()?.to_be_bytes();
        Some(Self::Rgb([r, g, b]))
    }

    pub fn rgb(self) -> [u8; 3] {
        match self {
            Self::Named(named) => named.rgb(),
            Self::Rgb(rgb) => rgb,
        }
    }

    /// The colour for clients that know only the sixteen.
    pub fn nearest(self) -> NamedColor {
        match self {
            Self::Named(named) => named,
            Self::Rgb(rgb) => NamedColor::nearest(rgb),
        }
    }
}

/// As [`Color::parse`] reads it: the name, or `#rrggbb` in lower case.
impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(named) => f.write_str(named.name()),
            Self::Rgb([r, g, b]) => write!(f, "#{r:02x}{g:02x}{b:02x}"),
        }
    }
}

/// The sixteen colours that every client knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedColor {
    Black,
    DarkBlue,
    DarkGreen,
    DarkAqua,
    DarkRed,
    DarkPurple,
    Gold,
    Gray,
    DarkGray,
    Blue,
    Green,
    Aqua,
    Red,
    LightPurple,
    Yellow,
    White,
}

impl NamedColor {
    /// In the order of their codes, `0` to `f`.
    pub const ALL: [Self; 16] = [
        Self::Black,
        Self::DarkBlue,
        Self::DarkGreen,
        Self::DarkAqua,
        Self::DarkRed,
        Self::DarkPurple,
        Self::Gold,
        Self::Gray,
        Self::DarkGray,
        Self::Blue,
        Self::Green,
        Self::Aqua,
        Self::Red,
        Self::LightPurple,
        Self::Yellow,
        Self::White,
    ];

    /// The character after `§`, the name in a component, and red, green, blue.
    const fn row(self) -> (char, &'static str, [u8; 3]) {
        match self {
            Self::Black => ('0', "black", [0x00, 0x00, 0x00]),
            Self::DarkBlue => ('1', "dark_blue", [0x00, 0x00, 0xaa]),
            Self::DarkGreen => ('2', "dark_green", [0x00, 0xaa, 0x00]),
            Self::DarkAqua => ('3', "dark_aqua", [0x00, 0xaa, 0xaa]),
            Self::DarkRed => ('4', "dark_red", [0xaa, 0x00, 0x00]),
            Self::DarkPurple => ('5', "dark_purple", [0xaa, 0x00, 0xaa]),
            Self::Gold => ('6', "gold", [0xff, 0xaa, 0x00]),
            Self::Gray => ('7', "gray", [0xaa, 0xaa, 0xaa]),
            Self::DarkGray => ('8', "dark_gray", [0x55, 0x55, 0x55]),
            Self::Blue => ('9', "blue", [0x55, 0x55, 0xff]),
            Self::Green => ('a', "green", [0x55, 0xff, 0x55]),
            Self::Aqua => ('b', "aqua", [0x55, 0xff, 0xff]),
            Self::Red => ('c', "red", [0xff, 0x55, 0x55]),
            Self::LightPurple => ('d', "light_purple", [0xff, 0x55, 0xff]),
            Self::Yellow => ('e', "yellow", [0xff, 0xff, 0x55]),
            Self::White => ('f', "white", [0xff, 0xff, 0xff]),
        }
    }

    pub const fn code(self) -> char {
        self.row().0
    }

    pub const fn name(self) -> &'static str {
        self.row().1
    }

    pub const fn rgb(self) -> [u8; 3] {
        self.row().2
    }

    /// By the character after `§`, in lower case.
    pub fn from_code(code: char) -> Option<Self> {
        Self::ALL.into_iter().find(|color| color.code() == code)
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|color| color.name() == name)
    }

    /// The closest by the distance between the two points in RGB.
    pub fn nearest(rgb: [u8; 3]) -> Self {
        let distance = |color: &Self| -> u32 {
            color
                .rgb()
                .iter()
                .zip(rgb)
                .map(|(&a, b)| u32::from(a.abs_diff(b)).pow(2))
                .sum()
        };
        Self::ALL
            .into_iter()
            .min_by_key(distance)
            .unwrap_or(Self::White)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoration {
    Obfuscated,
    Bold,
    Strikethrough,
    Underlined,
    Italic,
}

impl Decoration {
    /// In the order of their codes, `k` to `o`.
    pub const ALL: [Self; 5] = [
        Self::Obfuscated,
        Self::Bold,
        Self::Strikethrough,
        Self::Underlined,
        Self::Italic,
    ];

    const fn bit(self) -> u8 {
        1 << self as u8
    }

    /// The character after `§`.
    pub const fn code(self) -> char {
        match self {
            Self::Obfuscated => 'k',
            Self::Bold => 'l',
            Self::Strikethrough => 'm',
            Self::Underlined => 'n',
            Self::Italic => 'o',
        }
    }

    /// The key in a component.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Obfuscated => "obfuscated",
            Self::Bold => "bold",
            Self::Strikethrough => "strikethrough",
            Self::Underlined => "underlined",
            Self::Italic => "italic",
        }
    }

    /// By the character after `§`, in lower case.
    pub fn from_code(code: char) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|decoration| decoration.code() == code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_and_six_digits_are_colours() {
        assert_eq!(
            Color::parse("dark_aqua"),
            Some(Color::Named(NamedColor::DarkAqua))
        );
        assert_eq!(
            Color::parse("#B23a48"),
            Some(Color::Rgb([0xb2, 0x3a, 0x48]))
        );
        for junk in [
            "",
            "#",
            "#fff",
            "#+12345",
            "#1234567",
            "#12345\u{e9}",
            "reset",
            "red;background:url(x)",
        ] {
            assert_eq!(Color::parse(junk), None, "{junk}");
        }
    }

    #[test]
    fn every_named_colour_is_its_own_nearest() {
        for color in NamedColor::ALL {
            assert_eq!(NamedColor::nearest(color.rgb()), color);
            assert_eq!(NamedColor::from_code(color.code()), Some(color));
            assert_eq!(NamedColor::from_name(color.name()), Some(color));
        }
        assert_eq!(NamedColor::nearest([0xb2, 0x3a, 0x48]), NamedColor::Red);
        assert_eq!(NamedColor::nearest([0xfe, 0xfe, 0xfe]), NamedColor::White);
    }

    #[test]
    fn decorations_switch_independently() {
        for on in Decoration::ALL {
            let style = Style::default().with(on, true);
            assert!(
                Decoration::ALL
                    .into_iter()
                    .all(|other| style.has(other) == (other == on))
            );
            assert_eq!(style.with(on, false), Style::default());
        }
    }
}
