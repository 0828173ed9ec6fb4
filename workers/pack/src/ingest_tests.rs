//! The order of an upload, on a store in memory that can fail at any call and that others use at
//! the same time.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
};

use futures::{executor::block_on, future::join};

use super::*;

const SAMPLE: &[u8] = include_bytes!("../../../fixtures/packs/sample.zip");

/// The ports in memory.
#[derive(Default)]
struct Memory {
    objects: RefCell<HashMap<Place, Vec<u8>>>,
    registries: RefCell<HashMap<PackName, (Registry, u32)>>,
    announced: RefCell<HashMap<Channel, Record>>,
    /// The call that fails, counted from 0, and how many there were.
    fail_at: Cell<Option<u32>>,
    calls: Cell<u32>,
    conflicts: Cell<u32>,
}

impl Memory {
    fn call(&self) -> Result<(), StoreError> {
        let call = self.calls.replace(self.calls.get() + 1);
        if self.fail_at.get() == Some(call) {
            return Err(StoreError(format!("call {call} failed")));
        }
        Ok(())
    }

    fn put(&self, place: Place, body: Vec<u8>) -> Stored {
        let sha1 = Sha1::of(&body);
        if self.objects.borrow().contains_key(&place) {
            return Stored::Exists;
        }
        self.objects.borrow_mut().insert(place, body);
        Stored::Yes(sha1)
    }

    fn registry(&self) -> Option<Registry> {
        self.registries
            .borrow()
            .get(&PackName::main())
            .map(|(registry, _)| registry.clone())
    }

    /// What must hold after anything at all.
    fn check(&self) {
        for (place, bytes) in self.objects.borrow().iter() {
            if let Place::Blob(sha1) = place {
                assert_eq!(*sha1, Sha1::of(bytes), "a blob is not what its name says");
            }
        }
        for (registry, _) in self.registries.borrow().values() {
            for release in &registry.pack().releases {
                let blob = Place::Blob(release.sha1);
                assert!(
                    self.objects.borrow().contains_key(&blob),
                    "a release without its blob"
                );
            }
        }
        for record in self.announced.borrow().values() {
            let registry = self.registry().unwrap();
            assert!(
                registry.release(&record.sha1).is_some(),
                "readers are told of no release"
            );
        }
    }
}

impl Store for Memory {
    type Body = Vec<u8>;

    async fn put_blob(
        &self,
        sha1: &Sha1,
        _: &PackName,
        body: Vec<u8>,
    ) -> Result<Stored, StoreError> {
        self.call()?;
        if Sha1::of(&body) != *sha1 {
            return Ok(Stored::WrongHash);
        }
        Ok(self.put(Place::Blob(*sha1), body))
    }

    async fn stage(
        &self,
        name: &str,
        body: Vec<u8>,
        length: u64,
        declared: Option<&Sha1>,
    ) -> Result<Stored, StoreError> {
        self.call()?;
        if body.len() as u64 != length {
            return Ok(Stored::CutOff);
        }
        if declared.is_some_and(|declared| *declared != Sha1::of(&body)) {
            return Ok(Stored::WrongHash);
        }
        Ok(self.put(Place::Staged(name.to_owned()), body))
    }

    async fn promote(
        &self,
        name: &str,
        sha1: &Sha1,
        pack: &PackName,
    ) -> Result<Stored, StoreError> {
        let body = self.objects.borrow()[&Place::Staged(name.to_owned())].clone();
        self.put_blob(sha1, pack, body).await
    }

    async fn size(&self, place: &Place) -> Result<Option<u64>, StoreError> {
        self.call()?;
        Ok(self
            .objects
            .borrow()
            .get(place)
            .map(|body| body.len() as u64))
    }

    async fn read(&self, place: &Place, offset: u64, length: u64) -> Result<Vec<u8>, StoreError> {
        self.call()?;
        let start = usize::try_from(offset).unwrap();
        let length = usize::try_from(length).unwrap();
        Ok(self.objects.borrow()[place][start..start + length].to_vec())
    }

    async fn discard(&self, place: &Place) -> Result<(), StoreError> {
        self.call()?;
        self.objects.borrow_mut().remove(place);
        Ok(())
    }

    async fn load(&self, pack: &PackName) -> Result<Option<Loaded>, StoreError> {
        self.call()?;
        let registries = self.registries.borrow();
        let loaded = registries.get(pack).map(|(registry, version)| Loaded {
            registry: registry.clone(),
            etag: version.to_string(),
        });
        Ok(loaded)
    }

    async fn save(&self, registry: &Registry, etag: Option<&str>) -> Result<bool, StoreError> {
        self.call()?;
        // Others get their turn between the reading and the writing.
        yield_once().await;
        let mut registries = self.registries.borrow_mut();
        let held = registries
            .get(&registry.pack().pack)
            .map(|(_, version)| *version);
        if held.map(|version| version.to_string()).as_deref() != etag {
            self.conflicts.set(self.conflicts.get() + 1);
            return Ok(false);
        }
        let next = held.unwrap_or(0) + 1;
        registries.insert(registry.pack().pack.clone(), (registry.clone(), next));
        Ok(true)
    }

    async fn announce(&self, record: &Record) -> Result<(), StoreError> {
        self.call()?;
        yield_once().await;
        self.announced
            .borrow_mut()
            .insert(record.channel.clone(), record.clone());
        Ok(())
    }

    async fn back_off(&self, _: u32) {
        yield_once().await;
    }
}

async fn yield_once() {
    let mut yielded = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return std::task::Poll::Ready(());
        }
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

fn url() -> PublicUrl {
    PublicUrl::try_from("https://rp.example.com".to_owned()).unwrap()
}

fn request(length: usize, declared: Option<Sha1>, id: u128) -> Upload {
    Upload {
        pack: PackName::main(),
        channel: Channel::stable(),
        publish: true,
        declared,
        length: length as u64,
        author: Author {
            name: "ci".to_owned(),
            at: types::Timestamp::from_seconds(0),
        },
        id: Uuid::from_u128(id),
    }
}

/// Another valid pack: bytes before an archive are allowed.
fn variant(byte: u8) -> Vec<u8> {
    let mut bytes = vec![byte];
    bytes.extend(SAMPLE);
    bytes
}

fn send(store: &Memory, body: &[u8], declared: Option<Sha1>) -> Result<Accepted, IngestError> {
    let upload = request(body.len(), declared, u128::from(store.calls.get()) + 1);
    let result = block_on(super::upload(store, &upload, Some(body.to_vec()), &url()));
    store.check();
    result
}

#[test]
fn a_declared_and_an_undeclared_upload_come_to_the_same() {
    let sha1 = Sha1::of(SAMPLE);
    for declared in [Some(sha1), None] {
        let store = Memory::default();
        let first = send(&store, SAMPLE, declared).unwrap();
        assert!(first.new && first.uploaded.published);
        assert_eq!(
            (first.uploaded.record.sha1, first.uploaded.previous),
            (sha1, None)
        );
        assert_eq!(
            store.announced.borrow()[&Channel::stable()],
            first.uploaded.record
        );
        let again = send(&store, SAMPLE, declared).unwrap();
        assert!(!again.new && again.uploaded.published);
        assert_eq!(store.registry().unwrap().pack().history.len(), 1);
        assert_eq!(store.objects.borrow().len(), 1, "something was left behind");
    }
}

#[test]
fn a_wrong_hash_is_refused_whether_the_blob_exists_or_not() {
    let store = Memory::default();
    let declared = Sha1::of(SAMPLE);
    let other = variant(1);
    assert_eq!(
        send(&store, &other, Some(declared)),
        Err(IngestError::WrongHash { declared })
    );
    assert!(store.objects.borrow().is_empty() && store.registry().is_none());
    send(&store, SAMPLE, Some(declared)).unwrap();
    assert_eq!(
        send(&store, &other, Some(declared)),
        Err(IngestError::WrongHash { declared })
    );
    assert_eq!(store.objects.borrow().len(), 1);
}

#[test]
fn what_is_refused_leaves_nothing_behind() {
    for declared in [true, false] {
        let store = Memory::default();
        let declared = declared.then(|| Sha1::of(b"not a zip"));
        assert_eq!(
            send(&store, b"not a zip", declared),
            Err(IngestError::Refused(Refusal::NotAZip))
        );
        assert_eq!(
            send(&store, b"", declared),
            Err(IngestError::Refused(Refusal::Empty))
        );
        assert!(store.objects.borrow().is_empty() && store.registry().is_none());
    }
}

#[test]
fn an_upload_that_is_not_published_moves_nothing() {
    let store = Memory::default();
    send(&store, SAMPLE, None).unwrap();
    let body = variant(1);
    let upload = Upload {
        publish: false,
        ..request(body.len(), None, 9)
    };
    let accepted = block_on(super::upload(&store, &upload, Some(body), &url())).unwrap();
    assert!(accepted.new && !accepted.uploaded.published);
    assert_eq!(accepted.uploaded.previous, Some(Sha1::of(SAMPLE)));
    assert_eq!(
        store.announced.borrow()[&Channel::stable()].sha1,
        Sha1::of(SAMPLE)
    );
}

#[test]
fn two_at_once_both_end_in_the_history_and_readers_are_told_of_the_last() {
    let store = Memory::default();
    let (one, two) = (variant(1), variant(2));
    let (first, second) = (request(one.len(), None, 1), request(two.len(), None, 2));
    let url = url();
    let (first, second) = block_on(join(
        super::upload(&store, &first, Some(one), &url),
        super::upload(&store, &second, Some(two), &url),
    ));
    assert!(first.is_ok() && second.is_ok());
    assert!(store.conflicts.get() > 0, "they did not meet");
    let registry = store.registry().unwrap();
    assert_eq!(
        (
            registry.pack().releases.len(),
            registry.pack().history.len()
        ),
        (2, 2)
    );
    let current = registry.current(&Channel::stable(), &url).unwrap();
    assert_eq!(store.announced.borrow()[&Channel::stable()], current);
}

#[test]
fn a_failure_at_any_call_leaves_nothing_broken_and_the_same_again_succeeds() {
    for declared in [Some(Sha1::of(SAMPLE)), None] {
        for fail_at in 0.. {
            let store = Memory::default();
            store.fail_at.set(Some(fail_at));
            let result = send(&store, SAMPLE, declared);
            if store.calls.get() <= fail_at {
                assert!(result.is_ok() && fail_at > 5);
                break;
            }
            assert!(result.is_err(), "call {fail_at} failed and nobody was told");
            store.fail_at.set(None);
            let again = send(&store, SAMPLE, declared).unwrap();
            assert!(again.uploaded.published);
            assert_eq!(
                store.announced.borrow()[&Channel::stable()],
                again.uploaded.record
            );
            assert_eq!(store.registry().unwrap().pack().history.len(), 1);
        }
    }
}
