use std::io::Write as _;

use proptest::prelude::*;
use rawzip::{ZipArchiveWriter, path::EntryPath};

use super::*;

const META_1_21: &str =
    r#"{"pack":{"pack_format":34,"supported_formats":[34,64],"description":"x"}}"#;

/// One file of an archive under construction.
struct File<'a> {
    name: &'a [u8],
    data: Vec<u8>,
    method: CompressionMethod,
    encrypted: bool,
}

fn stored(name: &str, data: impl Into<Vec<u8>>) -> File<'_> {
    File {
        name: name.as_bytes(),
        data: data.into(),
        method: CompressionMethod::STORE,
        encrypted: false,
    }
}

fn zip(files: &[File<'_>]) -> Vec<u8> {
    let mut archive = ZipArchiveWriter::new(Vec::new());
    for file in files {
        let path = EntryPath::verbatim(file.name.to_vec());
        let builder = archive
            .new_file(path)
            .compression_method(file.method)
            .encrypted(file.encrypted);
        let (mut entry, config) = builder.start().unwrap();
        let mut writer = config.wrap(&mut entry);
        writer.write_all(&file.data).unwrap();
        let (_, output) = writer.finish().unwrap();
        entry.finish(output).unwrap();
    }
    archive.finish().unwrap()
}

/// Inspects as a store would serve it, and tells how many bytes and fetches that took.
fn inspect_all(bytes: &[u8]) -> (Result<Inspection, Refusal>, u64, usize) {
    let mut window = Window::new(bytes.len() as u64);
    loop {
        match inspect(&window) {
            Step::Done(outcome) => return (outcome, window.fetched(), window.pieces.len()),
            Step::Need { offset, length } => {
                assert!(length > 0);
                let start = usize::try_from(offset).unwrap();
                let end = start + usize::try_from(length).unwrap();
                window.add(offset, bytes[start..end].to_vec());
            }
        }
    }
}

fn outcome(bytes: &[u8]) -> Result<Inspection, Refusal> {
    inspect_all(bytes).0
}

fn warnings(bytes: &[u8]) -> Vec<String> {
    let inspection = outcome(bytes).unwrap();
    inspection
        .warnings
        .into_iter()
        .map(|warning| warning.code)
        .collect()
}

#[test]
fn the_sample_pack_is_accepted_with_its_formats_and_versions() {
    let sample = include_bytes!("../../../fixtures/packs/sample.zip");
    let inspection = outcome(sample).unwrap();
    assert_eq!(
        (
            inspection.formats.min.as_str(),
            inspection.formats.max.as_str()
        ),
        ("34", "64")
    );
    let versions = inspection.minecraft.unwrap();
    assert_eq!(
        (versions.min.as_str(), versions.max.as_str()),
        ("1.21", "1.21.8")
    );
    assert_eq!(inspection.warnings, []);
}

#[test]
fn a_large_pack_is_judged_by_its_ends_alone() {
    let body = stored("assets/big.bin", vec![7; 3_000_000]);
    let bytes = zip(&[stored("pack.mcmeta", META_1_21), body]);
    let (outcome, fetched, _) = inspect_all(&bytes);
    assert!(outcome.is_ok());
    assert!(fetched < 300_000, "{fetched}");
}

/// A pack of this many empty files, with names of `length` bytes, beside its `pack.mcmeta`.
fn pack_of(count: usize, length: usize) -> Vec<u8> {
    let names: Vec<String> = (0..count).map(|n| format!("{n:0length$}")).collect();
    let mut files: Vec<_> = names.iter().map(|name| stored(name, "")).collect();
    files.insert(0, stored("pack.mcmeta", META_1_21));
    zip(&files)
}

#[test]
fn a_directory_of_many_files_is_read_to_its_end_in_few_fetches() {
    for (count, most) in [(9000, 6), (100_000, 10)] {
        let (outcome, fetched, steps) = inspect_all(&pack_of(count, 90));
        assert!(outcome.is_ok(), "{count}: {outcome:?}");
        assert!(steps <= most, "{count}: {steps}");
        let directory = count as u64 * (46 + 90);
        assert!(
            fetched < directory + MAX_TAIL + 2 * PIECE,
            "{count}: {fetched}"
        );
    }
}

#[test]
fn a_directory_that_is_larger_than_any_pack_has_is_refused() {
    let (outcome, fetched, _) = inspect_all(&pack_of(1000, 20_000));
    assert_eq!(outcome, Err(Refusal::HugeDirectory));
    assert_eq!(fetched, MAX_FETCHED);
}

#[test]
fn what_is_not_a_zip_is_refused() {
    let whole = zip(&[stored("pack.mcmeta", META_1_21)]);
    assert_eq!(outcome(b""), Err(Refusal::Empty));
    assert_eq!(outcome(b"x"), Err(Refusal::NotAZip));
    assert_eq!(outcome(&vec![0; 200_000]), Err(Refusal::NotAZip));
    assert_eq!(outcome(&whole[..whole.len() / 2]), Err(Refusal::NotAZip));
    assert_eq!(outcome(b"<html>not found</html>"), Err(Refusal::NotAZip));
}

#[test]
fn a_pack_without_meta_at_its_root_is_told_where_it_is() {
    assert_eq!(outcome(&zip(&[stored("a.txt", "a")])), Err(Refusal::NoMeta));
    assert_eq!(outcome(&zip(&[])), Err(Refusal::NoMeta));
    let nested = outcome(&zip(&[stored("my pack/pack.mcmeta", META_1_21)])).unwrap_err();
    assert_eq!(nested, Refusal::MetaInFolder("my pack".to_owned()));
    assert!(nested.to_string().contains("not the folder itself"));
    let windows = outcome(&zip(&[stored(r"my pack\pack.mcmeta", META_1_21)])).unwrap_err();
    assert_eq!(windows, Refusal::Backslash("my pack".to_owned()));
    assert!(windows.to_string().contains("with a tool that writes /"));
    assert_eq!(
        outcome(&zip(&[stored("x.pack.mcmeta", META_1_21)])),
        Err(Refusal::NoMeta)
    );
}

#[test]
fn what_is_said_of_a_refused_pack_names_the_fix() {
    let name = || "x".to_owned();
    for (refusal, fix) in [
        (Refusal::Empty, "send the zip"),
        (Refusal::NotAZip, "send the .zip itself"),
        (Refusal::BrokenDirectory, "zip the pack again"),
        (Refusal::HugeDirectory, "leave out"),
        (Refusal::Bomb(u64::MAX), "leave out"),
        (Refusal::NoMeta, "put it there"),
        (Refusal::MetaInFolder(name()), "zip what is in the folder"),
        (Refusal::Backslash(name()), "zip what is in the folder"),
        (Refusal::MetaUnreadable, "zip the pack again"),
        (Refusal::Encrypted(name()), "without a password"),
        (Refusal::Method(name(), 93), "use deflate or store"),
    ] {
        let words = refusal.to_string();
        assert!(words.contains(fix), "{words}");
    }
}

#[test]
fn a_meta_that_the_game_refuses_is_refused() {
    for meta in ["", "{}", "[]", r#"{"pack":{"pack_format":34}}"#, "\u{0}"] {
        let refusal = outcome(&zip(&[stored("pack.mcmeta", meta)])).unwrap_err();
        assert!(matches!(refusal, Refusal::Meta(_)), "{meta}: {refusal:?}");
    }
}

#[test]
fn a_meta_that_unpacks_to_too_much_is_refused() {
    let large = "x".repeat(MAX_META + 1);
    assert_eq!(
        outcome(&zip(&[stored("pack.mcmeta", large.clone())])),
        Err(Refusal::MetaUnreadable)
    );
    let bomb = File {
        method: CompressionMethod::DEFLATE,
        ..stored("pack.mcmeta", deflated(&large))
    };
    assert_eq!(outcome(&zip(&[bomb])), Err(Refusal::MetaUnreadable));
}

/// The simplest valid deflate stream (RFC 1951, section 3.2.4): stored blocks.
fn deflated(text: &str) -> Vec<u8> {
    let chunks: Vec<&[u8]> = text.as_bytes().chunks(0xffff).collect();
    let mut out = Vec::new();
    for (index, chunk) in chunks.iter().enumerate() {
        let length = u16::try_from(chunk.len()).unwrap();
        out.push(u8::from(index + 1 == chunks.len()));
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend(*chunk);
    }
    out
}

#[test]
fn a_deflated_meta_is_unpacked() {
    let meta = File {
        method: CompressionMethod::DEFLATE,
        ..stored("pack.mcmeta", deflated(META_1_21))
    };
    assert!(outcome(&zip(&[meta])).is_ok());
}

#[test]
fn what_java_refuses_is_refused() {
    let meta = || stored("pack.mcmeta", META_1_21);
    let encrypted = File {
        encrypted: true,
        ..stored("secret.txt", "x")
    };
    assert_eq!(
        outcome(&zip(&[meta(), encrypted])),
        Err(Refusal::Encrypted("secret.txt".to_owned()))
    );
    let zstd = File {
        method: CompressionMethod::ZSTD,
        ..stored("new.bin", "x")
    };
    assert_eq!(
        outcome(&zip(&[meta(), zstd])),
        Err(Refusal::Method("new.bin".to_owned(), 93))
    );
}

#[test]
fn odd_zips_are_accepted_with_warnings() {
    let meta = || stored("pack.mcmeta", META_1_21);
    assert_eq!(
        warnings(&zip(&[meta(), stored("../x", ""), stored("/y", "")])),
        ["odd-names"]
    );
    assert_eq!(
        warnings(&zip(&[meta(), stored("x", ""), stored("x", "")])),
        ["duplicate-names"]
    );
    assert_eq!(
        warnings(&zip(&[meta(), stored(r"assets\x.png", "")])),
        ["backslash-names"]
    );
    let mut behind = zip(&[meta()]);
    behind.extend(b"trailing bytes");
    assert_eq!(warnings(&behind), ["bytes-after-archive"]);
    let mut before = b"#!/bin/sh\n".to_vec();
    before.extend(zip(&[meta()]));
    assert_eq!(warnings(&before), ["bytes-before-archive"]);
}

/// The same archive, whose directory claims other sizes for its last file: packed, unpacked.
fn claiming(mut archive: Vec<u8>, packed: u32, unpacked: u32) -> Vec<u8> {
    let header = archive.windows(4).rposition(|bytes| bytes == b"PK\x01\x02");
    let sizes = header.unwrap() + 20;
    archive[sizes..sizes + 4].copy_from_slice(&packed.to_le_bytes());
    archive[sizes + 4..sizes + 8].copy_from_slice(&unpacked.to_le_bytes());
    archive
}

#[test]
fn a_zip_that_unpacks_to_too_much_is_refused_and_lies_about_sizes_are_only_odd() {
    let meta = || stored("pack.mcmeta", META_1_21);
    let deflated = File {
        method: CompressionMethod::DEFLATE,
        ..stored("big.bin", deflated("x"))
    };
    let archive = zip(&[meta(), deflated]);
    let bomb = claiming(archive.clone(), 100_000_000, 3_000_000_000);
    assert_eq!(
        outcome(&bomb),
        Err(Refusal::Bomb(3_000_000_000 + META_1_21.len() as u64))
    );
    assert_eq!(
        warnings(&claiming(archive, 3, u32::MAX - 1)),
        ["impossible-sizes"]
    );
}

#[test]
fn a_pack_for_a_format_from_the_future_is_accepted_with_a_warning() {
    let meta = r#"{"pack":{"min_format":9000,"max_format":9001,"description":"x"}}"#;
    let inspection = outcome(&zip(&[stored("pack.mcmeta", meta)])).unwrap();
    assert_eq!(inspection.warnings[0].code, "unknown-format");
    assert_eq!(inspection.minecraft, None);
}

#[test]
fn size_limits_of_older_clients_are_warned_about() {
    assert_eq!(size_warning(52_428_800), None);
    assert!(size_warning(52_428_801).unwrap().message.contains("1.15"));
    assert!(size_warning(104_857_601).unwrap().message.contains("1.17"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn bytes_of_any_kind_never_panic_and_end(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = outcome(&bytes);
    }

    #[test]
    fn a_damaged_pack_never_panics_and_ends(at in any::<prop::sample::Index>(), byte: u8, cut in any::<prop::sample::Index>()) {
        let mut bytes = zip(&[stored("pack.mcmeta", META_1_21), stored("a/b.txt", "hello")]);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = outcome(&bytes);
        bytes.truncate(cut.index(bytes.len()));
        let _ = outcome(&bytes);
    }
}
