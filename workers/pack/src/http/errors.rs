//! The domain's errors as HTTP has them.

use edge::{Failure, not_found};
use types::Code;

use crate::{
    change::{ChangeError, ReadersLater},
    ingest::IngestError,
    ports::StoreError,
    registry::{DeleteError, NoSuchRelease, NothingBefore},
    uploads::{Refused, State, flow::UploadError},
};

fn busy() -> Failure {
    let detail = "others are changing this pack at the same time; send it again";
    Failure::new(Code::Unavailable, detail).with_header("Retry-After", "2")
}

/// Of calls that can be sent again without harm; others answer with a warning.
impl From<ReadersLater> for Failure {
    fn from(_: ReadersLater) -> Self {
        let detail = "it is done, but readers may get the previous release; send it again";
        Self::new(Code::Unavailable, detail).with_header("Retry-After", "2")
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::internal(error.0)
    }
}

impl From<IngestError> for Failure {
    fn from(error: IngestError) -> Self {
        let code = match &error {
            IngestError::TooLarge(_) => Code::TooLarge,
            _ => Code::Unprocessable,
        };
        if let Some(reason) = error.reason() {
            return Self::new(code, reason);
        }
        match error {
            IngestError::CutOff => Self::new(
                Code::BadRequest,
                "the connection broke before the whole body had come; nothing was stored, send it again",
            ),
            IngestError::Gone => Self::new(
                Code::Conflict,
                "what was uploaded changed while it was verified; complete it again",
            ),
            IngestError::ReadersLater => ReadersLater.into(),
            IngestError::Store(error) => error.into(),
            _ => busy(),
        }
    }
}

/// Of a change that cannot be refused, or says itself why.
impl<E: Into<Self>> From<ChangeError<E>> for Failure {
    fn from(error: ChangeError<E>) -> Self {
        match error {
            ChangeError::NoSuchPack => not_found("such pack"),
            ChangeError::Refused(refusal) => refusal.into(),
            ChangeError::Busy => busy(),
            ChangeError::Store(error) => error.into(),
        }
    }
}

impl From<NoSuchRelease> for Failure {
    fn from(_: NoSuchRelease) -> Self {
        not_found("release of this pack with this SHA-1")
    }
}

impl From<NothingBefore> for Failure {
    fn from(_: NothingBefore) -> Self {
        Self::new(
            Code::Conflict,
            "nothing was published in this channel before what it points to now",
        )
    }
}

impl From<DeleteError> for Failure {
    fn from(error: DeleteError) -> Self {
        match error {
            DeleteError::NoSuchRelease => NoSuchRelease.into(),
            DeleteError::Referenced(by) => {
                let detail = format!("{} points to this release", by.join(" and "));
                Self::new(Code::Conflict, detail)
            }
        }
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::NoSuchUpload => not_found("such upload, or it has expired"),
            Refused::Empty => Self::new(Code::BadRequest, "size: a pack has more than 0 bytes"),
            Refused::TooLarge(size) => IngestError::TooLarge(size).into(),
            Refused::NoSuchPart(parts) => {
                not_found(&format!("such part: they are numbered from 1 to {parts}"))
            }
            Refused::PartLength(length) => Self::new(
                Code::BadRequest,
                format!("this part has {length} bytes, no more and no less"),
            ),
            Refused::Over(state) => {
                let what = match state {
                    State::Uploading => "is still being uploaded",
                    State::Verifying => "is being verified",
                    State::Ready => "is complete",
                    State::Rejected => "was rejected",
                };
                Self::new(Code::Conflict, format!("this upload {what}"))
            }
            Refused::Missing(parts) => {
                let shown: Vec<String> = parts.iter().map(ToString::to_string).collect();
                let detail = format!("these parts have not come yet: {}", shown.join(", "));
                Self::new(Code::Conflict, detail)
            }
        }
    }
}

impl From<UploadError> for Failure {
    fn from(error: UploadError) -> Self {
        match error {
            UploadError::Refused(refused) => refused.into(),
            UploadError::CutOff => Self::new(
                Code::BadRequest,
                "the connection broke before the whole part had come; send it again",
            ),
            UploadError::Busy => busy(),
            UploadError::Store(error) => error.into(),
        }
    }
}
