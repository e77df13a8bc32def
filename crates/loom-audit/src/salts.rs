//! Where the salts of payload hashes come from.

use loom_core::Result;
use ring::hmac;

use crate::hash::Hex;
use crate::key::random_bytes;

/// Gives a fresh salt for each entry.
pub(crate) type Salts = Box<dyn FnMut() -> [u8; 16] + Send>;

/// Salts that nobody can guess, made from one random seed that is never stored: drawing each from
/// the operating system would cost a system call an entry, and that call could fail.
pub(crate) fn seeded() -> Result<Salts> {
    let seed = hmac::Key::new(hmac::HMAC_SHA256, &random_bytes::<32>()?);
    let mut count: u64 = 0;
    Ok(Box::new(move || {
        count += 1;
        let tag = hmac::sign(&seed, &count.to_be_bytes());
        let mut salt = Hex::default();
        salt.0.copy_from_slice(&tag.as_ref()[..16]);
        salt.0
    }))
}
