//! Whose a run is and which one it is: user, session and run ids.

use std::fmt;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::name::{defect, shortened};

macro_rules! text_id {
    ($(#[$doc:meta])* $id:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
        pub struct $id(Arc<str>);

        impl $id {
            /// Takes the id as it is given: it is compared byte for byte.
            ///
            /// # Errors
            /// `Invalid` for an empty id, one longer than 256 bytes or one with a control character.
            pub fn new(id: impl Into<Arc<str>>) -> Result<Self> {
                let id = id.into();
                match defect(&id) {
                    None => Ok(Self(id)),
                    Some(defect) => Err(Error::invalid(format!(
                        concat!("the ", $what, " {:?} {}; give 1 to 256 bytes without control characters"),
                        shortened(&id),
                        defect
                    ))),
                }
            }

            /// The id's text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id! {
    /// Whose partition a run works in. Inherited by everything nested in the run.
    ///
    /// ```
    /// use loom_core::UserId;
    ///
    /// assert_eq!(UserId::new("alice")?.as_str(), "alice");
    /// assert!(UserId::new("").is_err());
    /// # Ok::<(), loom_core::Error>(())
    /// ```
    UserId, "user id"
}

text_id! {
    /// Which conversation a run belongs to; one user has many.
    SessionId, "session id"
}

text_id! {
    /// Which agent or workflow run: a UUIDv7 for a root, `{root}.{12 hex of SHA-256(path)}` below it.
    RunId, "run id"
}

impl RunId {
    pub(crate) fn nested(root: &RunId, path: &str) -> Self {
        use sha2::Digest;

        let hash = sha2::Sha256::digest(path.as_bytes());
        Self(format!("{root}.{}", crate::hex::hex(&hash[..6])).into())
    }

    pub(crate) fn root(id: uuid::Uuid) -> Self {
        Self(text(id))
    }
}

impl SessionId {
    pub(crate) fn fresh(id: uuid::Uuid) -> Self {
        Self(text(id))
    }
}

/// The id as it is written, in one allocation.
fn text(id: uuid::Uuid) -> Arc<str> {
    let mut buffer = uuid::Uuid::encode_buffer();
    (&*id.hyphenated().encode_lower(&mut buffer)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f052_ids_are_distinct_or_refused_byte_for_byte() {
        let distinct = ["a", "a:b", "b:c", "c", "é", "e\u{301}", "A", " a"];
        for (i, left) in distinct.iter().enumerate() {
            for right in &distinct[i + 1..] {
                assert_ne!(UserId::new(*left).unwrap(), UserId::new(*right).unwrap());
            }
        }
        let refused: Vec<String> = ["", "a\nb", "a\0", "\u{85}"]
            .into_iter()
            .map(|id| UserId::new(id).unwrap_err().to_string())
            .collect();
        assert_eq!(
            refused,
            [
                r#"the user id "" is empty; give 1 to 256 bytes without control characters"#,
                r#"the user id "a\nb" has a control character; give 1 to 256 bytes without control characters"#,
                r#"the user id "a\0" has a control character; give 1 to 256 bytes without control characters"#,
                r#"the user id "\u{85}" has a control character; give 1 to 256 bytes without control characters"#,
            ]
        );
        assert!(UserId::new("x".repeat(256)).is_ok());
        assert!(UserId::new("x".repeat(257)).is_err());
    }

    #[test]
    fn a_nested_run_id_depends_on_the_root_and_the_path_alone() {
        let root = RunId::new("root").unwrap();
        let id = RunId::nested(&root, "gated_action/agent_node/agent");
        // echo -n gated_action/agent_node/agent | sha256sum
        assert_eq!(id.as_str(), "root.8c882420e6fc");
    }
}
