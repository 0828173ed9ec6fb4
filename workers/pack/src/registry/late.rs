//! Publications that come late: of what was put directly into the bucket, and of uploads that were
//! verified after the answer. Their messages come at least once and in any order; what they come to
//! depends on when the objects were put, or the uploads completed.

use types::{
    Channel, Sha1, Timestamp,
    pack::{ChangeKind, Earlier},
};

use super::{Author, NoSuchRelease, Previous, Registry};

impl Registry {
    /// Publishes what was put at `put_at`, unless something newer is published: then it is what was
    /// published before that. Of two that were put in the same second, the one with the greater
    /// hash is the newer one, whichever is told of first.
    pub fn publish_incoming(
        &mut self,
        channel: &Channel,
        sha1: &Sha1,
        put_at: Timestamp,
        author: &Author,
    ) -> Result<Previous, NoSuchRelease> {
        self.release(sha1).ok_or(NoSuchRelease)?;
        if let Some(pointer) = self.pack.channels.get(channel)
            && moment(put_at, sha1) <= moment(pointer.published_at, &pointer.sha1)
        {
            let previous = Previous(Some(pointer.sha1));
            self.publish_before(channel, sha1, put_at);
            return Ok(previous);
        }
        self.publish_at(channel, sha1, put_at, author)
    }

    /// Publishes what was asked to be published at `asked_at`, unless the channel was pointed
    /// elsewhere since: then it is what was published before that.
    pub fn publish_as_of(
        &mut self,
        channel: &Channel,
        sha1: &Sha1,
        asked_at: Timestamp,
        author: &Author,
    ) -> Result<Previous, NoSuchRelease> {
        self.release(sha1).ok_or(NoSuchRelease)?;
        match self.pack.channels.get(channel) {
            Some(pointer) if pointer.sha1 == *sha1 => Ok(Previous(Some(*sha1))),
            Some(pointer) if pointer.published_at > asked_at => {
                let previous = Previous(Some(pointer.sha1));
                self.publish_before(channel, sha1, asked_at);
                Ok(previous)
            }
            _ => self.publish_at(channel, sha1, asked_at, author),
        }
    }

    fn publish_at(
        &mut self,
        channel: &Channel,
        sha1: &Sha1,
        at: Timestamp,
        author: &Author,
    ) -> Result<Previous, NoSuchRelease> {
        let previous = self.publish(channel, sha1, author)?;
        if let Some(pointer) = self.pack.channels.get_mut(channel) {
            pointer.published_at = at;
        }
        Ok(previous)
    }

    /// Puts what would have been published before what is published now in its place among that;
    /// not if the channel was rolled back since, which would have taken it back.
    fn publish_before(&mut self, channel: &Channel, sha1: &Sha1, put_at: Timestamp) {
        let rolled_back = self.pack.history.iter().any(|change| {
            change.action == ChangeKind::Rollback
                && change.channel.as_ref() == Some(channel)
                && change.at >= put_at
        });
        let Some(pointer) = self.pack.channels.get_mut(channel) else {
            return;
        };
        let is_newer = |earlier: &Earlier| earlier.sha1 == *sha1 && earlier.published_at >= put_at;
        if rolled_back || pointer.sha1 == *sha1 || pointer.earlier.iter().any(is_newer) {
            return;
        }
        let earlier = &mut pointer.earlier;
        earlier.retain(|earlier| earlier.sha1 != *sha1);
        let own = moment(put_at, sha1);
        let later = |earlier: &Earlier| moment(earlier.published_at, &earlier.sha1) > own;
        let index = earlier.iter().position(later).unwrap_or(earlier.len());
        let published_at = put_at;
        let sha1 = *sha1;
        earlier.insert(index, Earlier { sha1, published_at });
    }
}

/// What orders publications.
fn moment(at: Timestamp, sha1: &Sha1) -> (Timestamp, &[u8; 20]) {
    (at, sha1.as_bytes())
}
