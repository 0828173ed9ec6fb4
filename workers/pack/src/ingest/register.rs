//! The last steps of an upload: the release is registered, its blob stays, and readers are told.

use std::convert::Infallible;

use types::{
    Channel,
    config::PublicUrl,
    pack::{Pack, Uploaded},
};

use super::{Accepted, IngestError, Publish, Target, promote};
use crate::{
    change,
    ports::{Blobs, Place, Registries, StoreError},
    registry::{Author, Previous, Registry, Verified},
};

/// How often it is looked whether a collection has ended.
const ATTEMPTS: u32 = 8;

/// What a registered release has become.
struct Registered {
    registry: Registry,
    /// The channel that the answer is about.
    channel: Channel,
    new: bool,
    previous: Previous,
}

/// Registers, makes sure that the blob stays, and tells readers. `from` is where else the bytes
/// lie.
pub async fn finish<S: Registries + Blobs>(
    store: &S,
    target: &Target,
    verified: &Verified,
    from: Option<&Place>,
    public_url: &PublicUrl,
) -> Result<Accepted, IngestError> {
    // Once before, so that nothing is registered while its blob is being deleted, and once after,
    // in case a collection has begun in between.
    keep_blob(store, target, verified, from).await?;
    let registered = register(store, target, verified).await?;
    keep_blob(store, target, verified, from).await?;
    let record = registered
        .registry
        .record(&registered.channel, &verified.sha1, public_url)
        .ok_or_else(|| StoreError("a registered release is not in its registry".to_owned()))?;
    let published = record.published_at.is_some();
    let readers = if published && !matches!(target.publish, Publish::No(_)) {
        change::announce(store, record.clone(), public_url).await
    } else {
        Ok(())
    };
    Ok(Accepted {
        uploaded: Uploaded {
            record,
            published,
            previous: registered.previous.0,
            warnings: verified.inspection.warnings.clone(),
            scheduled_at: None,
        },
        new: registered.new,
        readers,
    })
}

/// Registers the release, and publishes it if asked, in one compare-and-swap.
async fn register<S: Registries>(
    store: &S,
    target: &Target,
    verified: &Verified,
) -> Result<Registered, IngestError> {
    let sha1 = &verified.sha1;
    let changed = change::change(store, &target.pack, Some(target.id), |registry| {
        let author = &Author {
            name: target.by.clone(),
            at: store.now(),
        };
        let new = registry.add(verified, author);
        let pointed = |pack: &Pack, channel| {
            let pointer = pack.channels.get(channel);
            Previous(pointer.map(|pointer| pointer.sha1))
        };
        let incoming = registry.pack().incoming_channel.clone();
        let (channel, previous) = match (&target.publish, incoming) {
            (Publish::Now(channel), _) => {
                (channel.clone(), registry.publish(channel, sha1, author))
            }
            (Publish::AsOf(channel, asked_at), _) => {
                let previous = registry.publish_as_of(channel, sha1, *asked_at, author);
                (channel.clone(), previous)
            }
            (Publish::Incoming(put_at), Some(channel)) => {
                let previous = registry.publish_incoming(&channel, sha1, *put_at, author);
                (channel, previous)
            }
            (Publish::No(channel), _) => (channel.clone(), Ok(pointed(registry.pack(), channel))),
            (Publish::Incoming(_), None) => {
                let channel = Channel::stable();
                let previous = pointed(registry.pack(), &channel);
                (channel, Ok(previous))
            }
        };
        // It was added above, so it is there.
        let previous = previous.unwrap_or(Previous(None));
        Ok::<_, Infallible>((channel, new, previous))
    });
    let changed = changed.await?;
    let (channel, new, previous) = changed.outcome;
    Ok(Registered {
        registry: changed.registry,
        channel,
        new,
        previous,
    })
}

/// A collection that looked before the release was registered may delete its blob, should that
/// have lain there for long. Then it is copied once more.
async fn keep_blob<S: Registries + Blobs>(
    store: &S,
    target: &Target,
    verified: &Verified,
    from: Option<&Place>,
) -> Result<(), IngestError> {
    let Some(from) = from else {
        return Ok(()); // stored a moment ago, and so too young to be collected
    };
    for attempt in 0..ATTEMPTS {
        if !store.being_collected().await?.contains(&verified.sha1) {
            promote(store, target, from, verified.size, &verified.sha1, false).await?;
            return Ok(());
        }
        store.back_off(attempt).await;
    }
    Err(IngestError::Busy)
}
