//! `AuditKey`: the secret that signs a log.

use std::fmt;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use loom_core::{Error, ErrorKind, Result};
use ring::rand::SecureRandom;
use ring::{hkdf, hmac};
use secrecy::{ExposeSecret, ExposeSecretMut, SecretSlice, SecretString};

use crate::hash::{push_hex, read_hex};

const KEY_BYTES_MIN: usize = 32;
const KEY_FILE_BYTES_MAX: usize = 4096;
const HOW_TO_MAKE_ONE: &str = "make one with `openssl rand -hex 32`";

/// The key that signs a log's entries, and that [`verify`](crate::verify) needs to check them.
///
/// At least 32 random bytes. In files and environment variables it stands as hex digits. Nothing
/// prints it; clones share one copy, which is wiped when the last is dropped.
///
/// ```
/// use loom_audit::AuditKey;
///
/// let key = AuditKey::generate()?;
/// assert_eq!(key.id().len(), 16);
/// assert_eq!(
///     AuditKey::from_bytes(b"short").unwrap_err().to_string(),
///     "the audit key has 5 bytes; give at least 32 random ones",
/// );
/// # Ok::<(), loom_core::Error>(())
/// ```
#[derive(Clone)]
pub struct AuditKey(Arc<SecretSlice<u8>>);

impl AuditKey {
    /// A new random key. It can't be read back: a log that is to be checked after this process is
    /// gone needs a key from elsewhere.
    ///
    /// # Errors
    /// `Failed` if the operating system gives no random numbers.
    pub fn generate() -> Result<Self> {
        Self::from_bytes(&random_bytes::<KEY_BYTES_MIN>()?)
    }

    /// A key of these bytes.
    ///
    /// # Errors
    /// `Invalid` for fewer than 32 bytes.
    ///
    /// ```
    /// use loom_audit::AuditKey;
    ///
    /// assert!(AuditKey::from_bytes(&[7; 32]).is_ok());
    /// assert!(AuditKey::from_bytes(&[]).is_err());
    /// ```
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        if bytes.len() < KEY_BYTES_MIN {
            let message = format!(
                "the audit key has {} bytes; give at least {KEY_BYTES_MIN} random ones",
                bytes.len()
            );
            return Err(Error::invalid(message));
        }
        Ok(Self(Arc::new(bytes.to_vec().into())))
    }

    /// The key whose hex digits an environment variable holds. Child processes inherit such a
    /// variable, so that a tool that starts programs hands them the key; a file doesn't do that.
    ///
    /// # Errors
    /// `Invalid` if the variable isn't set, holds something else than hex digits, or too few.
    ///
    /// ```
    /// use loom_audit::AuditKey;
    ///
    /// let error = AuditKey::from_env("NOBODY_SETS_THIS").unwrap_err();
    /// assert!(error.to_string().starts_with("the environment variable NOBODY_SETS_THIS isn't set"));
    /// ```
    pub fn from_env(variable: &str) -> Result<Self> {
        match std::env::var(variable) {
            Ok(text) => Self::from_hex(
                SecretString::from(text).expose_secret().as_bytes(),
                &format!("the environment variable {variable}"),
            ),
            Err(std::env::VarError::NotPresent) => Err(Error::invalid(format!(
                "the environment variable {variable} isn't set; set it to the audit key in hex ({HOW_TO_MAKE_ONE})"
            ))),
            Err(std::env::VarError::NotUnicode(_)) => Err(Error::invalid(format!(
                "the environment variable {variable} doesn't hold hex digits; {HOW_TO_MAKE_ONE}"
            ))),
        }
    }

    /// The key whose hex digits a file holds.
    ///
    /// # Errors
    /// `Invalid` if the file can't be read, is no regular file, can be read by its group or by
    /// others, holds something else than hex digits, or too few.
    ///
    /// ```no_run
    /// use loom_audit::AuditKey;
    ///
    /// let key = AuditKey::from_file("audit.key")?;
    /// # let _ = key;
    /// # Ok::<(), loom_core::Error>(())
    /// ```
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let unreadable = |e: std::io::Error| {
            let message = format!("can't read the key file {}: {e}", path.display());
            Error::with_source(ErrorKind::Invalid, message, e)
        };
        // Opening a pipe would wait for somebody who writes to it.
        refuse_if_irregular(&std::fs::metadata(path).map_err(unreadable)?, path)?;
        let mut file = std::fs::File::open(path).map_err(unreadable)?;
        // Asked of the opened file again: the path could be another file's by now.
        let metadata = file.metadata().map_err(unreadable)?;
        refuse_if_irregular(&metadata, path)?;
        refuse_if_shared(&metadata, path)?;
        // Never grows, since what a buffer leaves behind when it moves isn't wiped.
        let mut text = SecretSlice::from(vec![0; KEY_FILE_BYTES_MAX + 1]);
        let bytes = fill(&mut file, text.expose_secret_mut()).map_err(unreadable)?;
        if bytes > KEY_FILE_BYTES_MAX {
            return Err(Error::invalid(format!(
                "the key file {} has more than {KEY_FILE_BYTES_MAX} bytes; {HOW_TO_MAKE_ONE}",
                path.display()
            )));
        }
        Self::from_hex(
            &text.expose_secret()[..bytes],
            &format!("the key file {}", path.display()),
        )
    }

    fn from_hex(text: &[u8], whence: &str) -> Result<Self> {
        let digits = text.trim_ascii();
        let mut bytes = SecretSlice::from(vec![0; digits.len() / 2]);
        match read_hex(digits, bytes.expose_secret_mut()) {
            Some(()) => Self::from_bytes(bytes.expose_secret()),
            None => Err(Error::invalid(format!(
                "{whence} doesn't hold hex digits in lower case; {HOW_TO_MAKE_ONE}"
            ))),
        }
    }

    /// The key's public name: 16 hex digits that say which key it is and nothing about it.
    pub fn id(&self) -> String {
        let tag = hmac::sign(&self.mac_key(), b"kid");
        let mut id = String::with_capacity(16);
        push_hex(&mut id, &tag.as_ref()[..8]);
        id
    }

    pub(crate) fn mac_key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, self.0.expose_secret())
    }

    /// The key of digests of values, apart from the signing key so that neither helps with the
    /// other.
    pub(crate) fn digest_key(&self) -> Result<hmac::Key> {
        hkdf::Salt::new(hkdf::HKDF_SHA256, &[])
            .extract(self.0.expose_secret())
            .expand(&[b"loom-audit/1 digest"], hmac::HMAC_SHA256)
            .map(hmac::Key::from)
            .map_err(|_| Error::new(ErrorKind::Failed, "can't derive the key of digests"))
    }
}

impl fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuditKey({})", self.id())
    }
}

pub(crate) fn random_bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    match ring::rand::SystemRandom::new().fill(&mut bytes) {
        Ok(()) => Ok(bytes),
        Err(_) => Err(Error::new(
            ErrorKind::Failed,
            "the operating system gives no random numbers",
        )),
    }
}

/// Reads until the buffer is full or there is no more; gives how many bytes that were.
fn fill(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(bytes) => filled += bytes,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => (),
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}

fn refuse_if_irregular(metadata: &std::fs::Metadata, path: &Path) -> Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "the key file {} is no regular file",
        path.display()
    )))
}

#[cfg(unix)]
fn refuse_if_shared(metadata: &std::fs::Metadata, path: &Path) -> Result<()> {
    use std::os::unix::fs::MetadataExt;

    let mode = metadata.mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "the key file {path} is open to its group or to others (mode {mode:03o}); run `chmod 600 {path}`",
        path = path.display()
    )))
}

/// Elsewhere there are no such modes to ask for.
#[cfg(not(unix))]
fn refuse_if_shared(_: &std::fs::Metadata, _: &Path) -> Result<()> {
    Ok(())
}
