//! The files of a folder, as a site has them.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use types::{Sha1, SiteName, site};

/// What wrangler uploads in one piece.
const LARGEST: u64 = 300 * 1024 * 1024;

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Folder {
    /// By path.
    pub files: Vec<File>,
    /// What begins with a dot.
    pub skipped: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// From the root of the site: `assets/app.js`.
    pub path: String,
    /// The key in the bucket.
    pub key: String,
    /// On this machine.
    pub source: String,
    pub sha1: Sha1,
}

/// Reads a folder; refuses one that is no site, whole.
pub fn read(root: &Path, name: &SiteName) -> Result<Folder> {
    let root = fs::canonicalize(root).context("there is no such folder")?;
    ensure!(root.is_dir(), "it is not a folder");
    let mut folder = Folder::default();
    walk(&root, &root, "", name, &mut folder)?;
    folder.files.sort_by(|a, b| a.path.cmp(&b.path));
    folder.skipped.sort();
    ensure!(
        folder.files.iter().any(|file| file.path == "index.html"),
        "it has no index.html, so it is no site"
    );
    Ok(folder)
}

fn walk(root: &Path, at: &Path, prefix: &str, site: &SiteName, folder: &mut Folder) -> Result<()> {
    for entry in fs::read_dir(at).with_context(|| format!("cannot read {prefix}"))? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else {
            bail!("{prefix}{} is not UTF-8", name.display());
        };
        let path = format!("{prefix}{name}");
        if !site::is_segment(name) {
            ensure!(
                name.starts_with('.'),
                "{path:?} cannot be asked for: rename it"
            );
            folder.skipped.push(path);
            continue;
        }
        let kind = entry.file_type()?;
        let source =
            fs::canonicalize(entry.path()).with_context(|| format!("{path} leads nowhere"))?;
        ensure!(
            source.starts_with(root),
            "{path} is a link that leads out of the folder"
        );
        if kind.is_dir() {
            walk(root, &entry.path(), &format!("{path}/"), site, folder)?;
            continue;
        }
        ensure!(
            !source.is_dir(),
            "{path} is a link to a folder; put the folder itself there"
        );
        ensure!(source.is_file(), "{path} is no file");
        folder.files.push(file(&source, path, site)?);
    }
    Ok(())
}

fn file(source: &Path, path: String, site: &SiteName) -> Result<File> {
    let length = fs::metadata(source)?.len();
    ensure!(
        length <= LARGEST,
        "{path} has {length} bytes, more than the {LARGEST} (300 MiB) that wrangler uploads"
    );
    let key = format!("{}{site}/{path}", site::PREFIX);
    ensure!(
        key.len() <= site::LONGEST_KEY,
        "{path}: its name is too long for R2 ({} bytes of {})",
        key.len(),
        site::LONGEST_KEY
    );
    let bytes = fs::read(source).with_context(|| format!("cannot read {path}"))?;
    let Some(source) = source.to_str() else {
        bail!("{path}: its place is not UTF-8");
    };
    Ok(File {
        sha1: Sha1::of(&bytes),
        source: source.to_owned(),
        path,
        key,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    use super::*;

    /// A folder of its own for one test, gone with it.
    struct Place(PathBuf);

    impl Place {
        fn new(name: &str, files: &[&str]) -> Self {
            let root =
                std::env::temp_dir().join(format!("genkan-site-{name}-{}", std::process::id()));
            let place = Self(root);
            for file in files {
                let path = place.0.join(file);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, file).unwrap();
            }
            place
        }

        fn read(&self) -> Result<Folder> {
            read(&self.0, &"www".parse().unwrap())
        }

        #[track_caller]
        fn refused(&self, words: &str) {
            let error = format!("{:#}", self.read().unwrap_err());
            assert!(error.contains(words), "{error}");
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn files_have_their_keys_and_hidden_ones_are_left_out() {
        let files = [
            "index.html",
            "a b/日本.css",
            ".env",
            ".git/config",
            "x/.DS_Store",
            ".well-known/security.txt",
        ];
        let folder = Place::new("good", &files).read().unwrap();
        let keys: Vec<_> = folder.files.iter().map(|file| file.key.as_str()).collect();
        assert_eq!(
            keys,
            [
                "sites/www/.well-known/security.txt",
                "sites/www/a b/日本.css",
                "sites/www/index.html"
            ]
        );
        assert_eq!(folder.files[2].sha1, Sha1::of(b"index.html"));
        assert_eq!(folder.skipped, [".env", ".git", "x/.DS_Store"]);
    }

    #[test]
    fn a_folder_that_is_no_site_is_refused() {
        Place::new("no-index", &["a/index.html"]).refused("no index.html");
        Place::new("odd", &["index.html", "a\\b"]).refused("cannot be asked for");
        Place::new("gone", &[]).refused("no such folder");
        let file = Place::new("file", &["index.html"]);
        let error = read(&file.0.join("index.html"), &"www".parse().unwrap()).unwrap_err();
        assert!(error.to_string().contains("not a folder"));
    }

    #[test]
    fn links_stay_inside() {
        let place = Place::new("links", &["index.html", "a/x.css"]);
        symlink("a/x.css", place.0.join("y.css")).unwrap();
        assert_eq!(place.read().unwrap().files.len(), 3);
        symlink("/etc/hostname", place.0.join("z")).unwrap();
        place.refused("z is a link that leads out");
        fs::remove_file(place.0.join("z")).unwrap();
        symlink("a", place.0.join("b")).unwrap();
        place.refused("b is a link to a folder");
        fs::remove_file(place.0.join("b")).unwrap();
        symlink("nowhere", place.0.join("c")).unwrap();
        place.refused("c leads nowhere");
    }

    #[test]
    fn a_file_that_is_too_large_is_refused_before_it_is_read() {
        let place = Place::new("large", &["index.html", "big.bin"]);
        let file = fs::File::options()
            .write(true)
            .open(place.0.join("big.bin"))
            .unwrap();
        file.set_len(LARGEST + 1).unwrap();
        place.refused("big.bin has 314572801 bytes");
    }
}
