//! What a push has to do: the folder beside what the last push left.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use types::site;

use super::folder::File;

/// What of a site is in the bucket, as the last push left it: `{"v":1,"files":{"index.html":"…"}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub v: u32,
    /// By path: the bytes' SHA-1, then the type and the `Cache-Control` that they have there; empty
    /// while it is not known which of two versions is there, or whether any is.
    files: BTreeMap<String, String>,
}

impl Default for Manifest {
    fn default() -> Self {
        Self {
            v: 1,
            files: BTreeMap::new(),
        }
    }
}

impl Manifest {
    /// What is about to be uploaded or deleted: should that break off, it is not taken for done, nor
    /// for not begun.
    pub fn unsettle<'p>(&mut self, paths: impl IntoIterator<Item = &'p String>) {
        let unsettled = paths.into_iter().map(|path| (path.clone(), String::new()));
        self.files.extend(unsettled);
    }

    pub fn forget(&mut self, paths: &[String]) {
        self.files.retain(|path, _| !paths.contains(path));
    }
}

/// Files that are uploaded in one go, since they have the same headers.
#[derive(Debug, PartialEq, Eq)]
pub struct Batch {
    pub content_type: &'static str,
    pub cache_control: &'static str,
    pub files: Vec<Upload>,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Upload {
    pub path: String,
    pub key: String,
    pub source: String,
    fresh: bool,
}

impl Upload {
    /// `+` for a new file, `~` for another version of one.
    pub fn sign(&self) -> char {
        if self.fresh { '+' } else { '~' }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub struct Plan {
    /// In this order.
    pub batches: Vec<Batch>,
    pub unchanged: usize,
    /// What the last push left and the folder has no more.
    pub gone: Vec<String>,
    files: BTreeMap<String, String>,
}

const ANY_BYTES: &str = "application/octet-stream";

fn media_type(path: &str) -> &'static str {
    site::media_type(path).unwrap_or(ANY_BYTES)
}

impl Plan {
    pub fn new(before: &Manifest, files: &[File], all: bool) -> Self {
        // Pages after everything that they may name.
        let mut batches: BTreeMap<(bool, &str, &str), Vec<Upload>> = BTreeMap::new();
        let mut now = BTreeMap::new();
        for file in files {
            let (kind, cache) = (media_type(&file.path), site::cache_control(&file.path));
            let entry = format!("{} {kind} {cache}", file.sha1);
            let known = before.files.get(&file.path);
            if all || known != Some(&entry) {
                let batch = batches.entry((site::is_page(&file.path), kind, cache));
                batch.or_default().push(Upload {
                    path: file.path.clone(),
                    key: file.key.clone(),
                    source: file.source.clone(),
                    fresh: known.is_none(),
                });
            }
            now.insert(file.path.clone(), entry);
        }
        let batches: Vec<Batch> = batches
            .into_iter()
            .map(|((_, content_type, cache_control), files)| Batch {
                content_type,
                cache_control,
                files,
            })
            .collect();
        let gone = before.files.keys().filter(|path| !now.contains_key(*path));
        let mut plan = Self {
            unchanged: 0,
            gone: gone.cloned().collect(),
            batches,
            files: now,
        };
        plan.unchanged = files.len() - plan.uploads();
        plan
    }

    /// The paths of what is uploaded.
    pub fn uploaded(&self) -> impl Iterator<Item = &String> {
        let files = self.batches.iter().flat_map(|batch| &batch.files);
        files.map(|file| &file.path)
    }

    pub fn uploads(&self) -> usize {
        self.batches.iter().map(|batch| batch.files.len()).sum()
    }

    /// What is there after the uploads: what has gone from the folder as well, until it is deleted.
    pub fn manifest(&self, before: &Manifest) -> Manifest {
        let mut files = before.files.clone();
        files.extend(self.files.clone());
        Manifest { v: 1, files }
    }
}

#[cfg(test)]
mod tests {
    use types::Sha1;

    use super::*;

    fn file(path: &str, content: &str) -> File {
        File {
            path: path.to_owned(),
            key: format!("sites/www/{path}"),
            source: format!("/site/{path}"),
            sha1: Sha1::of(content.as_bytes()),
        }
    }

    fn paths(plan: &Plan) -> Vec<String> {
        let uploads = plan.batches.iter().flat_map(|batch| &batch.files);
        uploads
            .map(|file| format!("{} {}", file.sign(), file.path))
            .collect()
    }

    #[test]
    fn pages_come_last_and_files_of_one_kind_together() {
        let files = [
            file("a.css", ""),
            file("about/index.html", ""),
            file("app.8f3a2b1c.css", ""),
            file("b.css", ""),
            file("index.html", ""),
            file("z", ""),
        ];
        let plan = Plan::new(&Manifest::default(), &files, false);
        assert_eq!(
            paths(&plan),
            [
                "+ z",
                "+ app.8f3a2b1c.css",
                "+ a.css",
                "+ b.css",
                "+ about/index.html",
                "+ index.html"
            ]
        );
        let heads: Vec<_> = plan
            .batches
            .iter()
            .map(|batch| (batch.content_type, batch.cache_control))
            .collect();
        assert_eq!(
            heads,
            [
                (ANY_BYTES, site::FOR_AN_HOUR),
                ("text/css; charset=utf-8", site::NEVER_CHANGES),
                ("text/css; charset=utf-8", site::FOR_AN_HOUR),
                ("text/html; charset=utf-8", site::ASK_AGAIN),
            ]
        );
    }

    #[test]
    fn only_what_has_changed_is_uploaded_and_what_has_gone_stays_until_it_is_deleted() {
        let first = [
            file("index.html", "1"),
            file("a.css", "1"),
            file("old.js", "1"),
        ];
        let before = Plan::new(&Manifest::default(), &first, false).manifest(&Manifest::default());
        let second = [
            file("index.html", "2"),
            file("a.css", "1"),
            file("new.js", "1"),
        ];
        let plan = Plan::new(&before, &second, false);
        assert_eq!(paths(&plan), ["+ new.js", "~ index.html"]);
        assert_eq!(
            (plan.unchanged, plan.gone.clone()),
            (1, vec!["old.js".to_owned()])
        );
        let mut after = plan.manifest(&before);
        assert!(Plan::new(&after, &second, false).batches.is_empty());
        assert_eq!(Plan::new(&after, &second, false).gone, ["old.js"]);
        after.forget(&plan.gone);
        assert!(Plan::new(&after, &second, false).gone.is_empty());
        assert_eq!(Plan::new(&after, &second, true).uploads(), 3);
    }

    #[test]
    fn what_broke_off_is_neither_done_nor_unknown() {
        let first = [file("index.html", "1"), file("a.css", "1")];
        let before = Plan::new(&Manifest::default(), &first, false).manifest(&Manifest::default());
        let second = [
            file("index.html", "1"),
            file("a.css", "2"),
            file("new.js", "1"),
        ];
        let mut during = before.clone();
        during.unsettle(Plan::new(&before, &second, false).uploaded());
        // Back to what was there before: which version the bucket has is not known.
        let back = Plan::new(&during, &first, false);
        assert_eq!(paths(&back), ["~ a.css"]);
        assert_eq!(back.gone, ["new.js"]);
        // A deletion that broke off, and the file is wanted again.
        let mut deleting = before.clone();
        deleting.unsettle(&["a.css".to_owned()]);
        assert_eq!(paths(&Plan::new(&deleting, &first, false)), ["~ a.css"]);
    }

    #[test]
    fn the_manifest_is_pinned() {
        let plan = Plan::new(&Manifest::default(), &[file("index.html", "")], false);
        let text = serde_json::to_string(&plan.manifest(&Manifest::default())).unwrap();
        assert_eq!(
            text,
            r#"{"v":1,"files":{"index.html":"da39a3ee5e6b4b0d3255bfef95601890afd80709 text/html; charset=utf-8 no-cache"}}"#
        );
        assert_eq!(
            Manifest::read(&text).unwrap(),
            plan.manifest(&Manifest::default())
        );
        for bad in ["", "{}", r#"{"v":2,"files":{}}"#, r#"{"v":1,"files":[]}"#] {
            assert!(Manifest::read(bad).is_err(), "{bad}");
        }
    }
}
