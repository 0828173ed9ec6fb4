//! The ports in memory, for tests: a store that can fail at any call, before or after it took
//! effect, that lets others have their turn before each call, and into which others can reach at
//! any call.

mod ports;

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, HashSet, VecDeque},
};

use types::{
    Channel, PackName, Sha1,
    config::PublicUrl,
    pack::{Change, Record},
};
use uuid::Uuid;

use crate::{
    ports::{Place, StoreError, Stored},
    registry::Registry,
    uploads,
};

pub const SAMPLE: &[u8] = include_bytes!("../../../fixtures/packs/sample.zip");

/// Another valid pack: bytes before an archive are allowed.
pub fn variant(byte: u8) -> Vec<u8> {
    [&[byte], SAMPLE].concat()
}

pub fn url() -> PublicUrl {
    PublicUrl::try_from("https://rp.example.com".to_owned()).unwrap()
}

/// What a client sends.
#[derive(Debug, Clone)]
pub enum Body {
    Whole(Vec<u8>),
    /// The connection breaks.
    Cut,
}

impl From<&[u8]> for Body {
    fn from(bytes: &[u8]) -> Self {
        Self::Whole(bytes.to_vec())
    }
}

/// When a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Before,
    /// It took effect, and the answer got lost.
    After,
}

type Interruption = Box<dyn FnOnce(&Memory)>;
type Rival = Box<dyn Fn(&Memory)>;

#[derive(Default)]
pub struct Memory {
    /// By the key that R2 would have; the etag is the hash, as R2's is.
    objects: RefCell<BTreeMap<String, Vec<u8>>>,
    registries: RefCell<BTreeMap<PackName, (Registry, u32)>>,
    uploads: RefCell<BTreeMap<Uuid, (uploads::Record, u32)>>,
    announced: RefCell<BTreeMap<(PackName, Channel), Record>>,
    collecting: RefCell<HashSet<Sha1>>,
    /// The names of the calls so far.
    calls: RefCell<Vec<&'static str>>,
    fault: Cell<Option<(usize, Fault)>>,
    /// The name of the call that failed.
    broken: Cell<&'static str>,
    interruption: RefCell<Option<(usize, Interruption)>>,
    /// Who is faster at each call of this name.
    rival: RefCell<Option<(&'static str, Rival)>>,
    /// How many turns others get before each of the next calls; one before the rest.
    turns: RefCell<VecDeque<u8>>,
    /// Compare-and-swaps that somebody else had won, and waits.
    pub conflicts: Cell<u32>,
    pub waits: Cell<u32>,
    /// The time, in seconds, and how many of them each call takes.
    pub clock: Cell<i64>,
    pub tick: Cell<i64>,
    /// Whether somebody is told of publications, and what was followed up.
    pub listens: Cell<bool>,
    pub followed: RefCell<Vec<(u64, Change)>>,
    /// What was logged.
    pub failures: RefCell<Vec<String>>,
}

impl Memory {
    /// Fails at the call with this number, from 0.
    pub fn fail_at(&self, call: usize, fault: Fault) {
        self.fault.set(Some((self.calls().len() + call, fault)));
    }

    pub fn heal(&self) {
        self.fault.set(None);
    }

    /// Has somebody act just before the call with this number, from 0.
    pub fn interrupt(&self, call: usize, act: impl FnOnce(&Self) + 'static) {
        let call = self.calls().len() + call;
        *self.interruption.borrow_mut() = Some((call, Box::new(act)));
    }

    /// Has somebody act just before each call of this name.
    pub fn forestall(&self, call: &'static str, act: impl Fn(&Self) + 'static) {
        *self.rival.borrow_mut() = Some((call, Box::new(act)));
    }

    /// Whether what was to interrupt has not come to it.
    pub fn was_undisturbed(&self) -> bool {
        self.interruption.borrow_mut().take().is_some()
    }

    pub fn take_turns(&self, turns: impl IntoIterator<Item = u8>) {
        self.turns.borrow_mut().extend(turns);
    }

    pub fn calls(&self) -> Vec<&'static str> {
        self.calls.borrow().clone()
    }

    async fn call<T>(
        &self,
        name: &'static str,
        effect: impl FnOnce() -> T,
    ) -> Result<T, StoreError> {
        let turns = self.turns.borrow_mut().pop_front().unwrap_or(1);
        for _ in 0..turns {
            yield_once().await;
        }
        self.clock.set(self.clock.get() + self.tick.get());
        let number = self.calls.borrow().len();
        self.calls.borrow_mut().push(name);
        let due = |(at, _): &mut (usize, Interruption)| *at == number;
        let interruption = self.interruption.borrow_mut().take_if(due);
        if let Some((_, act)) = interruption {
            act(self);
        }
        if let Some((call, act)) = self.rival.borrow().as_ref()
            && *call == name
        {
            act(self);
        }
        let fault = self.fault.get();
        if fault.is_some_and(|(at, _)| at == number) {
            self.broken.set(name);
        }
        // An announcement is tried again at once, so KV that fails goes on failing.
        let lasts = name == "announce" && self.broken.get() == name;
        let fails = |when| {
            fault.is_some_and(|(at, own)| own == when && (at == number || lasts && at < number))
        };
        let failed = || StoreError(format!("{name}, call {number}, failed"));
        if fails(Fault::Before) {
            return Err(failed());
        }
        let value = effect();
        if fails(Fault::After) {
            return Err(failed());
        }
        Ok(value)
    }

    /// Stores what nothing verifies, over what there may be.
    pub fn put(&self, place: &Place, bytes: &[u8]) {
        let key = key(place, 1);
        self.objects.borrow_mut().insert(key, bytes.to_vec());
    }

    /// Puts an object there as S3 would, and tells where it lies.
    pub fn put_incoming(&self, key: &str, bytes: &[u8]) -> Place {
        let place = Place::Incoming {
            key: key.to_owned(),
            etag: etag(bytes),
        };
        self.put(&place, bytes);
        place
    }

    /// Puts the parts of an upload there, and tells where they lie.
    pub fn put_in_parts(&self, upload: Uuid, part_size: usize, bytes: &[u8]) -> Place {
        let parts = bytes.chunks(part_size).zip(1..);
        let mut place = Place::Parts {
            upload,
            part_size: part_size as u64,
            parts: 0,
        };
        for (bytes, number) in parts {
            let key = part_key(upload, number);
            self.objects.borrow_mut().insert(key, bytes.to_vec());
            if let Place::Parts { parts, .. } = &mut place {
                *parts = number;
            }
        }
        place
    }

    pub fn remove(&self, place: &Place) {
        for key in keys(place) {
            self.objects.borrow_mut().remove(&key);
        }
    }

    /// The keys of everything that is not a registry or the record of an upload.
    pub fn objects(&self) -> Vec<String> {
        self.objects.borrow().keys().cloned().collect()
    }

    pub fn has_blob(&self, sha1: &Sha1) -> bool {
        let key = key(&Place::Blob(*sha1), 1);
        self.objects.borrow().contains_key(&key)
    }

    pub fn registry(&self) -> Option<Registry> {
        let registries = self.registries.borrow();
        registries.get(&PackName::main()).map(|held| held.0.clone())
    }

    /// Changes the registry of the default pack as somebody else would.
    pub fn edit(&self, edit: impl FnOnce(&mut Registry)) {
        let mut registries = self.registries.borrow_mut();
        let new = || (Registry::new(PackName::main(), Uuid::from_u128(99)), 0);
        let held = registries.entry(PackName::main()).or_insert_with(new);
        edit(&mut held.0);
        held.1 += 1;
    }

    pub fn upload(&self, id: Uuid) -> Option<uploads::Record> {
        self.uploads.borrow().get(&id).map(|held| held.0.clone())
    }

    /// Changes the record of an upload as somebody else would.
    pub fn edit_upload(&self, id: Uuid, edit: impl FnOnce(&mut uploads::Record)) {
        if let Some((record, version)) = self.uploads.borrow_mut().get_mut(&id) {
            edit(record);
            *version += 1;
        }
    }

    /// What readers of a channel of the default pack get.
    pub fn announced(&self, channel: &Channel) -> Option<Record> {
        let key = (PackName::main(), channel.clone());
        self.announced.borrow().get(&key).cloned()
    }

    /// Says what is about to be deleted, as a collection does, or that it has ended.
    pub fn set_collecting(&self, blobs: impl IntoIterator<Item = Sha1>) {
        *self.collecting.borrow_mut() = blobs.into_iter().collect();
    }

    fn is_named(&self, sha1: &Sha1) -> bool {
        let registries = self.registries.borrow();
        let named = |held: &(Registry, u32)| held.0.release(sha1).is_some();
        registries.values().any(named)
    }

    /// A collection of blobs that are old and unnamed, in the steps of `collect`.
    pub async fn collect(&self, old: &[Sha1]) {
        let unnamed = |sha1: &&Sha1| !self.is_named(sha1);
        let doomed: Vec<Sha1> = old.iter().filter(unnamed).copied().collect();
        self.step().await;
        self.set_collecting(doomed.iter().copied());
        self.step().await;
        let doomed: Vec<Sha1> = doomed.iter().filter(unnamed).copied().collect();
        self.step().await;
        for sha1 in doomed {
            self.remove(&Place::Blob(sha1));
        }
        self.step().await;
        self.set_collecting([]);
    }

    async fn step(&self) {
        let turns = self.turns.borrow_mut().pop_front().unwrap_or(1);
        for _ in 0..turns {
            yield_once().await;
        }
    }

    /// What must hold after anything at all.
    pub fn check(&self) {
        for (key, bytes) in self.objects.borrow().iter() {
            if let Some(name) = key.strip_prefix("packs/") {
                let hash = Sha1::of(bytes).to_string();
                assert_eq!(name, hash, "a blob is not what its name says");
            }
        }
        for (registry, _) in self.registries.borrow().values() {
            for release in &registry.pack().releases {
                let there = self.has_blob(&release.sha1);
                assert!(there, "release {} has no blob", release.release);
            }
        }
        for record in self.announced.borrow().values() {
            assert!(self.has_blob(&record.sha1), "readers are told of nothing");
        }
    }

    /// What must hold in the end: readers are told what the registry says.
    pub fn check_readers(&self) {
        self.check();
        let registries = self.registries.borrow();
        for ((pack, channel), record) in self.announced.borrow().iter() {
            let current = registries[pack].0.current(channel, &url());
            assert_eq!(current.as_ref(), Some(record), "readers are told otherwise");
        }
    }

    /// The bytes that lie in a place; `None` if one of its objects is gone or another.
    fn bytes(&self, place: &Place) -> Option<Vec<u8>> {
        let objects = self.objects.borrow();
        let parts: Option<Vec<&[u8]>> = keys(place)
            .iter()
            .map(|key| objects.get(key).map(Vec::as_slice))
            .collect();
        let bytes = parts?.concat();
        match place {
            Place::Incoming { etag: own, .. } if *own != etag(&bytes) => None,
            _ => Some(bytes),
        }
    }

    fn create(&self, place: &Place, bytes: Vec<u8>) -> Stored {
        let sha1 = Sha1::of(&bytes);
        let mut objects = self.objects.borrow_mut();
        match objects.entry(key(place, 1)) {
            std::collections::btree_map::Entry::Occupied(_) => Stored::Exists,
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(bytes);
                Stored::Yes(sha1)
            }
        }
    }

    fn create_blob(&self, sha1: &Sha1, bytes: Vec<u8>) -> Stored {
        let place = Place::Blob(*sha1);
        // Nothing is verified of a body that is not read.
        if self.has_blob(sha1) {
            return Stored::Exists;
        }
        if Sha1::of(&bytes) != *sha1 {
            return Stored::WrongHash;
        }
        self.create(&place, bytes)
    }
}

fn part_key(upload: Uuid, part: u32) -> String {
    format!("incoming/_uploads/{upload}/part-{part:05}")
}

fn key(place: &Place, part: u32) -> String {
    match place {
        Place::Blob(sha1) => format!("packs/{sha1}"),
        Place::Staged(id) => format!("incoming/_staging/{id}"),
        Place::Parts { upload, .. } => part_key(*upload, part),
        Place::Incoming { key, .. } => key.clone(),
    }
}

fn keys(place: &Place) -> Vec<String> {
    let parts = match place {
        Place::Parts { parts, .. } => *parts,
        _ => 1,
    };
    (1..=parts).map(|part| key(place, part)).collect()
}

pub fn etag(bytes: &[u8]) -> String {
    Sha1::of(bytes).to_string()
}

pub async fn yield_once() {
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
