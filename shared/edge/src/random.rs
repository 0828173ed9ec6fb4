//! Random bytes of the platform's cryptographic generator.

use crate::Failure;

/// `N` random bytes. The error is that of a platform without a generator.
pub fn random_bytes<const N: usize>() -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::internal(format!("random bytes: {error}")))?;
    Ok(bytes)
}
