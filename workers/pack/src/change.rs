//! One way to change a registry: read, edit, compare-and-swap, and then tell: the log and who listens
//! at once, readers by [`announce`].

use types::{
    Channel, PackName,
    config::PublicUrl,
    pack::{Record, Warning},
};
use uuid::Uuid;

use crate::{
    ports::{Loaded, Registries, StoreError},
    registry::Registry,
};

/// Attempts at a compare-and-swap, or at an announcement that somebody overtakes.
const ATTEMPTS: u32 = 16;
/// Attempts at one write of an announcement: KV takes one a second for each key.
const WRITES: u32 = 6;

/// Why a registry was not changed.
#[derive(Debug, Clone, PartialEq)]
pub enum ChangeError<E> {
    NoSuchPack,
    /// The change is not possible in the registry as it is.
    Refused(E),
    /// Others changed the same registry at every attempt.
    Busy,
    Store(StoreError),
}

impl<E> From<StoreError> for ChangeError<E> {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A change is saved, but it is not sure that readers were told: the store has logged why. The cron
/// tells them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadersLater;

/// For whoever must not make the change again.
impl From<ReadersLater> for Warning {
    fn from(_: ReadersLater) -> Self {
        Self {
            code: "readers-later".to_owned(),
            message: "it is done and need not be sent again, but readers may get the previous \
                      release for up to 5 minutes: until the cron tells them, or POST \
                      /api/packs/rebuild"
                .to_owned(),
        }
    }
}

/// The registry after a change, and what the change gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Changed<T> {
    pub registry: Registry,
    pub outcome: T,
}

/// Changes a registry. `edit` is called again on what others have made of it meanwhile. With `new`,
/// a pack that is not there comes to be, with this uuid. What `edit` leaves as it was is not
/// written.
pub async fn change<S: Registries, T, E>(
    store: &S,
    pack: &PackName,
    new: Option<Uuid>,
    mut edit: impl FnMut(&mut Registry) -> Result<T, E>,
) -> Result<Changed<T>, ChangeError<E>> {
    let mut outcome = None;
    let mut edit = |registry: &mut Registry| outcome.insert(edit(registry)).is_ok();
    let swapped = swap(store, pack, new, &mut edit).await;
    let registry = swapped.map_err(|stop| match stop {
        Stop::NoSuchPack => ChangeError::NoSuchPack,
        Stop::Busy => ChangeError::Busy,
        Stop::Store(error) => ChangeError::Store(error),
    })?;
    match outcome {
        Some(Ok(outcome)) => Ok(Changed { registry, outcome }),
        Some(Err(refusal)) => Err(ChangeError::Refused(refusal)),
        None => Err(ChangeError::Busy),
    }
}

enum Stop {
    NoSuchPack,
    Busy,
    Store(StoreError),
}

/// The loop of [`change`], once for all kinds of change: `edit` tells whether to go on.
async fn swap<S: Registries>(
    store: &S,
    pack: &PackName,
    new: Option<Uuid>,
    edit: &mut dyn FnMut(&mut Registry) -> bool,
) -> Result<Registry, Stop> {
    for attempt in 0..ATTEMPTS {
        let (mut registry, etag) = match (store.load(pack).await.map_err(Stop::Store)?, new) {
            (Some(Loaded { registry, etag }), _) => (registry, Some(etag)),
            (None, Some(uuid)) => (Registry::new(pack.clone(), uuid), None),
            (None, None) => return Err(Stop::NoSuchPack),
        };
        let unchanged = registry.clone();
        if !edit(&mut registry) || registry == unchanged {
            return Ok(registry);
        }
        if store.has_listener() {
            registry.owe(&unchanged);
        }
        let saved = store.save(&registry, etag.as_deref()).await;
        if saved.map_err(Stop::Store)? {
            let changes = registry.changes_since(&unchanged);
            store.follow_up(&registry, &changes).await;
            return Ok(registry);
        }
        store.back_off(attempt).await;
    }
    Err(Stop::Busy)
}

/// Tells readers of what a channel points to, and makes sure that what they are told in the end is
/// what the registry says: of two that announce at once, the one that wrote last may have
/// registered first.
pub async fn announce<S: Registries>(
    store: &S,
    record: Record,
    public_url: &PublicUrl,
) -> Result<(), ReadersLater> {
    let later = |error: StoreError| {
        store.log_failure(&error);
        ReadersLater
    };
    let mut record = record;
    for _ in 0..ATTEMPTS {
        tell(store, &record).await.map_err(later)?;
        let loaded = store.load(&record.pack).await.map_err(later)?;
        match loaded.and_then(|loaded| loaded.registry.current(&record.channel, public_url)) {
            Some(current) if current != record => record = current,
            _ => return Ok(()),
        }
    }
    let overtaken = format!(
        "{} in {} is published anew all the time",
        record.pack, record.channel
    );
    Err(later(StoreError(overtaken)))
}

async fn tell<S: Registries>(store: &S, record: &Record) -> Result<(), StoreError> {
    let mut attempt = 0;
    loop {
        match store.announce(record).await {
            Err(error) if attempt + 1 == WRITES => return Err(error),
            Err(_) => store.back_off(attempt).await,
            Ok(()) => return Ok(()),
        }
        attempt += 1;
    }
}

/// Tells readers of several channels; of all of them, also when it fails with one.
pub async fn announce_all<'a, S: Registries>(
    store: &S,
    registry: &Registry,
    channels: impl Iterator<Item = &'a Channel>,
    public_url: &PublicUrl,
) -> Result<(), ReadersLater> {
    let mut told = Ok(());
    for channel in channels {
        if let Some(record) = registry.current(channel, public_url) {
            told = announce(store, record, public_url).await.and(told);
        }
    }
    told
}

#[cfg(test)]
#[path = "change_tests.rs"]
mod tests;
