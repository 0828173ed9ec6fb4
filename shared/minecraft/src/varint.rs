//! `VarInt`: a 32-bit integer in one to five bytes, seven bits a byte, least significant first.
//!
//! Spec: "Minecraft Java protocol, Data types, VarInt and `VarLong`" (minecraft.wiki).

use std::fmt;

/// The most bytes a `VarInt` takes; negative numbers always take all five.
pub const MAX_LEN: usize = 5;

/// Why bytes are not a `VarInt`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VarIntError {
    /// More than five bytes, or more than 32 bits.
    TooLong,
    /// Padded with zero bits: a shorter encoding of the same number exists.
    Overlong,
}

impl fmt::Display for VarIntError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "a VarInt longer than 32 bits",
            Self::Overlong => "a VarInt padded beyond its shortest form",
        })
    }
}

impl std::error::Error for VarIntError {}

/// Reads a `VarInt` from the start of `input`: its value and how many bytes it took, or `None` while bytes are missing.
pub fn read(input: &[u8]) -> Result<Option<(i32, usize)>, VarIntError> {
    let mut value = 0_u32;
    for (i, &byte) in input.iter().take(MAX_LEN).enumerate() {
        let last = byte & 0x80 == 0;
        if i == MAX_LEN - 1 && byte > 0x0f {
            return Err(VarIntError::TooLong);
        }
        value |= u32::from(byte & 0x7f) << (7 * i);
        if last && byte == 0 && i > 0 {
            return Err(VarIntError::Overlong);
        }
        if last {
            return Ok(Some((value.cast_signed(), i + 1)));
        }
    }
    Ok(None)
}

/// Appends `value` in its shortest form.
pub fn write(value: i32, out: &mut Vec<u8>) {
    let mut rest = value.cast_unsigned();
    loop {
        let [low, ..] = rest.to_le_bytes();
        rest >>= 7;
        if rest == 0 {
            out.push(low & 0x7f);
            return;
        }
        out.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(value: i32) -> Vec<u8> {
        let mut out = Vec::new();
        write(value, &mut out);
        out
    }

    #[test]
    fn numbers_have_the_bytes_of_the_specification() {
        let table: [(i32, &[u8]); 12] = [
            (0, &[0x00]),
            (1, &[0x01]),
            (127, &[0x7f]),
            (128, &[0x80, 0x01]),
            (255, &[0xff, 0x01]),
            (256, &[0x80, 0x02]),
            (16_384, &[0x80, 0x80, 0x01]),
            (25_565, &[0xdd, 0xc7, 0x01]),
            (2_097_151, &[0xff, 0xff, 0x7f]),
            (i32::MAX, &[0xff, 0xff, 0xff, 0xff, 0x07]),
            (-1, &[0xff, 0xff, 0xff, 0xff, 0x0f]),
            (i32::MIN, &[0x80, 0x80, 0x80, 0x80, 0x08]),
        ];
        for (value, bytes) in table {
            assert_eq!(written(value), bytes, "{value}");
            assert_eq!(read(bytes), Ok(Some((value, bytes.len()))), "{value}");
        }
    }

    #[test]
    fn what_is_longer_than_32_bits_is_refused() {
        assert_eq!(read(&[0xff; 5]), Err(VarIntError::TooLong));
        assert_eq!(
            read(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x01]),
            Err(VarIntError::TooLong)
        );
        assert_eq!(
            read(&[0xff, 0xff, 0xff, 0xff, 0x10]),
            Err(VarIntError::TooLong)
        );
    }

    #[test]
    fn a_padded_number_is_refused() {
        assert_eq!(read(&[0x80, 0x00]), Err(VarIntError::Overlong));
        assert_eq!(read(&[0xff, 0x80, 0x80, 0x00]), Err(VarIntError::Overlong));
    }

    proptest! {
        #[test]
        fn every_number_reads_back_and_says_what_it_took(value: i32, tail: Vec<u8>) {
            let mut bytes = written(value);
            let len = bytes.len();
            prop_assert!(len <= MAX_LEN);
            bytes.extend(tail);
            prop_assert_eq!(read(&bytes), Ok(Some((value, len))));
        }

        #[test]
        fn every_cut_is_incomplete(value: i32) {
            let bytes = written(value);
            for end in 0..bytes.len() {
                prop_assert_eq!(read(&bytes[..end]), Ok(None));
            }
        }

        #[test]
        fn what_reads_is_what_would_be_written(bytes: Vec<u8>) {
            if let Ok(Some((value, len))) = read(&bytes) {
                prop_assert_eq!(written(value), &bytes[..len]);
            }
        }
    }
}
