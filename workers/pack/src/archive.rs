//! What a zip archive says of itself: whether it is a resource pack that the game accepts.
//!
//! Reads only the end of the archive, its central directory and `pack.mcmeta`, never the whole:
//! [`inspect`] works on a [`Window`] of the bytes fetched so far and says which ones it needs next.
//! Format: APPNOTE.TXT 6.3.10. What `java.util.zip.ZipFile`, which the game uses, refuses is
//! refused; what is merely odd, as in protected packs, is a warning.

mod refusal;

use std::{cell::Cell, collections::HashSet, io};

use minecraft::{formats, pack_meta::PackMeta};
use rawzip::{
    CompressionMethod, ReaderAt, ZipArchive, ZipArchiveEntryWayfinder, ZipFileHeaderRecord,
};
use types::pack::{Formats, Versions, Warning};

use crate::unpacked::Unpacked;

pub use refusal::Refusal;

/// The name of the file that makes a zip a resource pack.
const META: &[u8] = b"pack.mcmeta";
/// The largest `pack.mcmeta` that is read, unpacked, in bytes.
const MAX_META: usize = 256 * 1024;
/// The end record (22 bytes) and the longest comment behind it.
const MAX_TAIL: u64 = 22 + 65_535;
/// The least that is fetched at once.
const PIECE: u64 = 128 * 1024;
/// All that is fetched of one archive: room for a directory of some 100,000 files. Since each fetch
/// that goes on where one ended doubles what is there, that takes ten of them.
const MAX_FETCHED: u64 = 16 * 1024 * 1024;

/// The largest pack that the game downloads since 1.18, in bytes; and the limits before.
pub const MAX_PACK: u64 = 262_144_000;
const MAX_PACK_1_17: u64 = 104_857_600;
const MAX_PACK_1_15: u64 = 52_428_800;

/// A valid pack, as far as it was looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Inspection {
    pub formats: Formats,
    pub minecraft: Option<Versions>,
    pub warnings: Vec<Warning>,
}

/// What [`inspect`] comes to.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Fetch these bytes, [`Window::add`] them and call again.
    Need {
        offset: u64,
        length: u64,
    },
    Done(Result<Inspection, Refusal>),
}

/// The bytes of an archive that were fetched so far.
#[derive(Debug)]
pub struct Window {
    size: u64,
    pieces: Vec<(u64, Vec<u8>)>,
    /// The offset of the first byte that was asked for and is not here.
    missing: Cell<Option<u64>>,
}

impl Window {
    /// An archive of `size` bytes of which none is known yet.
    pub fn new(size: u64) -> Self {
        Self {
            size,
            pieces: Vec::new(),
            missing: Cell::new(None),
        }
    }

    pub fn add(&mut self, offset: u64, bytes: Vec<u8>) {
        self.pieces.push((offset, bytes));
    }

    fn fetched(&self) -> u64 {
        self.pieces
            .iter()
            .map(|(_, bytes)| bytes.len() as u64)
            .sum()
    }

    /// How much to fetch from an offset that is missing. Each fetch is a call, and what is there is
    /// read from the start after each: so a directory that goes on comes in ever larger pieces.
    fn next_length(&self, offset: u64) -> u64 {
        let ends = |(start, bytes): &(u64, Vec<u8>)| start + bytes.len() as u64;
        let goes_on = self.pieces.iter().any(|piece| ends(piece) == offset);
        let wanted = if goes_on { self.fetched() } else { 0 };
        let starts = self.pieces.iter().map(|(start, _)| *start);
        let known_from = starts.filter(|start| *start > offset).min();
        let unknown = known_from.unwrap_or(self.size).saturating_sub(offset);
        let room = MAX_FETCHED.saturating_sub(self.fetched());
        wanted.max(PIECE).min(room).min(unknown)
    }

    /// The bytes from `offset` on, as far as one piece has them.
    fn from(&self, offset: u64) -> Option<&[u8]> {
        self.pieces.iter().find_map(|(start, bytes)| {
            let skip = usize::try_from(offset.checked_sub(*start)?).ok()?;
            bytes.get(skip..).filter(|rest| !rest.is_empty())
        })
    }
}

impl ReaderAt for Window {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        if offset >= self.size || buffer.is_empty() {
            return Ok(0);
        }
        let Some(bytes) = self.from(offset) else {
            self.missing.set(Some(offset));
            return Err(io::ErrorKind::WouldBlock.into());
        };
        let length = bytes.len().min(buffer.len());
        buffer[..length].copy_from_slice(&bytes[..length]);
        Ok(length)
    }
}

/// Looks at what is there of an archive.
pub fn inspect(window: &Window) -> Step {
    if window.size == 0 {
        return Step::Done(Err(Refusal::Empty));
    }
    if window.pieces.is_empty() {
        let length = window.size.min(MAX_TAIL);
        return Step::Need {
            offset: window.size - length,
            length,
        };
    }
    window.missing.set(None);
    let outcome = look(window);
    match window.missing.get() {
        // Whatever it came to, it came to it for want of bytes.
        Some(_) if window.fetched() >= MAX_FETCHED => Step::Done(Err(Refusal::HugeDirectory)),
        Some(offset) => Step::Need {
            offset,
            length: window.next_length(offset),
        },
        None => Step::Done(outcome),
    }
}

fn look(window: &Window) -> Result<Inspection, Refusal> {
    let mut buffer = vec![0; rawzip::MAX_CENTRAL_DIRECTORY_RECORD_SIZE];
    let archive = ZipArchive::with_max_search_space(MAX_TAIL)
        .locate_in_reader(window, &mut buffer, window.size)
        .map_err(|_| Refusal::NotAZip)?;
    let directory = read_directory(&archive, &mut buffer)?;
    let Some(meta) = directory.meta else {
        return Err(directory.elsewhere.unwrap_or(Refusal::NoMeta));
    };
    let meta = PackMeta::parse(&read_meta(&archive, &meta)?).map_err(Refusal::Meta)?;
    if directory.unpacked.is_a_bomb() {
        return Err(Refusal::Bomb(directory.unpacked.total));
    }
    let mut warnings = directory.oddities.warnings();
    if directory.unpacked.impossible {
        warnings.push(warning(
            "impossible-sizes",
            "some files claim sizes that their data cannot have; the game does not mind",
        ));
    }
    if archive.end_offset() < window.size {
        warnings.push(warning(
            "bytes-after-archive",
            "there are bytes behind the end of the zip",
        ));
    }
    if directory.starts_at > 0 {
        warnings.push(warning(
            "bytes-before-archive",
            "there are bytes before the start of the zip",
        ));
    }
    warnings.extend(size_warning(window.size));
    Ok(conclude(&meta, warnings))
}

fn conclude(meta: &PackMeta, mut warnings: Vec<Warning>) -> Inspection {
    let range = meta.formats;
    if range.min() > formats::newest() {
        let message = "this pack is for a format that is newer than any known here";
        warnings.push(warning("unknown-format", message));
    }
    let minecraft = formats::versions_of(range);
    Inspection {
        formats: Formats {
            min: range.min().to_string(),
            max: range.max().to_string(),
        },
        minecraft: minecraft.map(|(min, max)| Versions {
            min: min.to_owned(),
            max: max.to_owned(),
        }),
        warnings,
    }
}

/// What the central directory says that matters here.
#[derive(Default)]
struct Directory {
    meta: Option<Meta>,
    /// What is said of a `pack.mcmeta` that is not at the root.
    elsewhere: Option<Refusal>,
    /// Where the first file starts.
    starts_at: u64,
    oddities: Oddities,
    unpacked: Unpacked,
}

struct Meta {
    entry: ZipArchiveEntryWayfinder,
    method: CompressionMethod,
}

/// What is odd about names, each told once however often it is seen.
#[derive(Default)]
struct Oddities {
    duplicate: bool,
    outside: bool,
    backslash: bool,
}

impl Oddities {
    fn warnings(&self) -> Vec<Warning> {
        let duplicate = self.duplicate.then(|| {
            warning(
                "duplicate-names",
                "some file names are there twice; the game takes one of them",
            )
        });
        let outside = self.outside.then(|| {
            warning(
                "odd-names",
                "some file names are absolute or contain \"..\"; the game ignores them",
            )
        });
        let backslash = self.backslash.then(|| {
            warning(
                "backslash-names",
                "some file names have \\ where / belongs, so the game does not find these files; zip the pack again with a tool that writes /",
            )
        });
        let odd = duplicate.into_iter().chain(outside);
        odd.chain(backslash).collect()
    }
}

fn read_directory(archive: &ZipArchive<&Window>, buffer: &mut [u8]) -> Result<Directory, Refusal> {
    let mut directory = Directory::default();
    let mut names = HashSet::new();
    let mut starts_at = u64::MAX;
    let mut entries = archive.entries(buffer);
    while let Some(entry) = entries.next_entry().map_err(|_| Refusal::BrokenDirectory)? {
        let path = entry.file_path();
        let name = path.as_bytes();
        check_readable(&entry, name)?;
        starts_at = starts_at.min(entry.local_header_offset());
        directory.unpacked.add(
            entry.compressed_size_hint(),
            entry.uncompressed_size_hint(),
            entry.compression_method() == CompressionMethod::STORE,
        );
        directory.oddities.duplicate |= !names.insert(name.to_vec());
        directory.oddities.outside |=
            name.starts_with(b"/") || name.split(|byte| *byte == b'/').any(|part| part == b"..");
        directory.oddities.backslash |= name.contains(&b'\\');
        if name == META {
            directory.meta = Some(Meta {
                entry: entry.wayfinder(),
                method: entry.compression_method(),
            });
        } else if let Some(elsewhere) = meta_elsewhere(name) {
            directory.elsewhere.get_or_insert(elsewhere);
        }
    }
    if starts_at < u64::MAX {
        directory.starts_at = starts_at;
    }
    Ok(directory)
}

/// What to say of a `pack.mcmeta` that is not at the root. Some tools write `\` where `/` belongs: to
/// people a folder, to the game a part of the name.
fn meta_elsewhere(name: &[u8]) -> Option<Refusal> {
    match name.strip_suffix(META)?.split_last()? {
        (b'/', folder) => Some(Refusal::MetaInFolder(shown(folder))),
        (b'\\', folder) => Some(Refusal::Backslash(shown(folder))),
        _ => None,
    }
}

/// `java.util.zip.ZipFile` refuses the whole archive for one such entry.
fn check_readable(entry: &ZipFileHeaderRecord<'_>, name: &[u8]) -> Result<(), Refusal> {
    if entry.flags().is_encrypted() {
        return Err(Refusal::Encrypted(shown(name)));
    }
    match entry.compression_method() {
        CompressionMethod::STORE | CompressionMethod::DEFLATE => Ok(()),
        other => Err(Refusal::Method(shown(name), other.as_u16())),
    }
}

fn read_meta(archive: &ZipArchive<&Window>, meta: &Meta) -> Result<Vec<u8>, Refusal> {
    let entry = archive
        .get_entry(meta.entry)
        .map_err(|_| Refusal::MetaUnreadable)?;
    let (start, end) = entry.compressed_data_range();
    let length = usize::try_from(end.saturating_sub(start)).unwrap_or(usize::MAX);
    if length > MAX_META {
        return Err(Refusal::MetaUnreadable);
    }
    let mut packed = vec![0; length];
    let window: &Window = archive.get_ref();
    window
        .read_exact_at(&mut packed, start)
        .map_err(|_| Refusal::MetaUnreadable)?;
    if meta.method == CompressionMethod::STORE {
        return Ok(packed);
    }
    miniz_oxide::inflate::decompress_to_vec_with_limit(&packed, MAX_META)
        .map_err(|_| Refusal::MetaUnreadable)
}

fn size_warning(size: u64) -> Option<Warning> {
    let message = match size {
        _ if size > MAX_PACK_1_17 => "above 100 MiB, clients up to 1.17 do not load it",
        _ if size > MAX_PACK_1_15 => "above 50 MiB, clients up to 1.15 do not load it",
        _ => return None,
    };
    Some(warning("too-large-for-older-clients", message))
}

fn warning(code: &str, message: &str) -> Warning {
    Warning {
        code: code.to_owned(),
        message: message.to_owned(),
    }
}

/// A bounded piece of a name from the archive, for a message.
fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name).chars().take(80).collect()
}

#[cfg(test)]
#[path = "archive_tests.rs"]
mod tests;
