//! Why an archive is refused, in words that name the fix: they are the answer to an upload, the
//! reason of a rejected one, and in the webhook.

use std::fmt;

use minecraft::pack_meta::MetaError;

use crate::unpacked::MAX_UNPACKED;

/// Why a pack is refused; what it says names the fix.
#[derive(Debug, Clone, PartialEq)]
pub enum Refusal {
    Empty,
    NotAZip,
    /// The directory at the end does not hold together.
    BrokenDirectory,
    /// More directory than any pack has.
    HugeDirectory,
    /// It unpacks to more than any pack does: bytes.
    Bomb(u64),
    NoMeta,
    /// `pack.mcmeta` sits in this folder.
    MetaInFolder(String),
    /// `pack.mcmeta` sits in this folder, which is written with `\` and so is none to the game.
    Backslash(String),
    MetaUnreadable,
    Meta(MetaError),
    /// This entry is encrypted.
    Encrypted(String),
    /// This entry is packed by a method that Java does not know: its number.
    Method(String, u16),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => {
                f.write_str("the body is empty; send the zip itself, as in curl -T pack.zip")
            }
            Self::NotAZip => f.write_str(
                "this is not a zip archive, or its end was cut off; send the .zip itself, and all of it",
            ),
            Self::BrokenDirectory => {
                f.write_str("the zip's central directory is broken; zip the pack again")
            }
            Self::HugeDirectory => f.write_str(
                "the zip's central directory is larger than 16 MiB, room for some 100,000 files; leave out files that the pack does not use",
            ),
            Self::Bomb(size) => write!(
                f,
                "the zip unpacks to {size} bytes, {MAX_UNPACKED} are the limit: it would fill the players' memory; leave out its largest files, or make them smaller"
            ),
            Self::NoMeta => f.write_str(
                "there is no pack.mcmeta at the root of the zip; put it there, beside the folder assets",
            ),
            Self::MetaInFolder(folder) => write!(
                f,
                "pack.mcmeta is inside the folder {folder:?}, not at the root of the zip: zip what is in the folder, not the folder itself"
            ),
            Self::Backslash(folder) => write!(
                f,
                "pack.mcmeta is inside the folder {folder:?}, not at the root of the zip, and names have \\ where / belongs: zip what is in the folder, not the folder itself, with a tool that writes /"
            ),
            Self::MetaUnreadable => f.write_str(
                "pack.mcmeta cannot be unpacked, or is larger than 256 KiB; zip the pack again, with pack.mcmeta as a small text file",
            ),
            Self::Meta(error) => write!(f, "pack.mcmeta: {error}"),
            Self::Encrypted(name) => write!(
                f,
                "{name:?} is encrypted, so the game cannot open the zip; zip the pack again without a password"
            ),
            Self::Method(name, method) => write!(
                f,
                "{name:?} is packed by method {method}, which the game cannot read; use deflate or store"
            ),
        }
    }
}
