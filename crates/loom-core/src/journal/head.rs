//! `RunHead`: what a journal knows of a run without reading its records.

use std::time::SystemTime;

use serde::{Deserialize, Deserializer, Serialize, de};

use crate::ids::RunId;

/// How far a run has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RunStatus {
    /// It is being worked on, or its worker is gone.
    Open,
    /// It waits for answers or a timer.
    Paused,
    /// It returned its output.
    Ended,
    /// It failed; its caller may resume it.
    Failed,
    /// It was cancelled; its caller may resume it.
    Cancelled,
}

impl RunStatus {
    /// Returns the status's name, as serde writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Paused => "paused",
            Self::Ended => "ended",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing happens to the run any more unless its caller resumes it.
    pub(crate) fn is_finished(self) -> bool {
        match self {
            Self::Ended | Self::Failed | Self::Cancelled => true,
            Self::Open | Self::Paused => false,
        }
    }
}

/// A run at a glance: enough to list it and to decide whether to resume it.
///
/// The run's worker writes a head with each batch. Two of its fields are the store's own,
/// `lease_until` and `cancel_requested`: what a batch says of them is ignored.
///
/// A head of a layout that this program doesn't know can't be deserialized.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RunHead {
    /// The layout's version.
    #[serde(deserialize_with = "known_version")]
    pub version: u32,
    /// The root run's id.
    #[serde(deserialize_with = "run_id")]
    pub run: RunId,
    /// What it is a run of, by name.
    pub of: String,
    /// How far it has come.
    pub status: RunStatus,
    /// The paths of the questions it waits for. A store removes those that are answered.
    pub waiting: Vec<String>,
    /// When its next timer is due.
    pub due: Option<SystemTime>,
    /// When the head was written, by the worker's clock.
    pub updated: SystemTime,
    /// Rises with every head the run's workers write.
    pub revision: u64,
    /// Until when a worker holds the run; `None` once it was released. In the past if the worker
    /// is gone. Kept by the store.
    pub lease_until: Option<SystemTime>,
    /// Whether it was requested that the run be cancelled. Kept by the store.
    #[serde(default)]
    pub cancel_requested: bool,
}

impl RunHead {
    /// The layout this program writes.
    pub const VERSION: u32 = 1;

    /// The head of a run that has just begun.
    pub fn new(run: RunId, of: impl Into<String>, updated: SystemTime) -> Self {
        Self {
            version: Self::VERSION,
            run,
            of: of.into(),
            status: RunStatus::Open,
            waiting: Vec::new(),
            due: None,
            updated,
            revision: 0,
            lease_until: None,
            cancel_requested: false,
        }
    }
}

fn known_version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    match u32::deserialize(deserializer)? {
        RunHead::VERSION => Ok(RunHead::VERSION),
        other => Err(de::Error::custom(format!(
            "the head of the run has version {other}; this program reads version {}",
            RunHead::VERSION
        ))),
    }
}

fn run_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<RunId, D::Error> {
    RunId::new(String::deserialize(deserializer)?).map_err(de::Error::custom)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    fn head() -> RunHead {
        let updated = SystemTime::UNIX_EPOCH + Duration::new(1_767_225_600, 123_456_789);
        RunHead::new(RunId::new("r").unwrap(), "refund", updated)
    }

    #[test]
    fn a_head_keeps_its_layout() {
        let head = head();
        let stored = json!({
            "version": 1,
            "run": "r",
            "of": "refund",
            "status": "open",
            "waiting": [],
            "due": null,
            "updated": {"secs_since_epoch": 1_767_225_600, "nanos_since_epoch": 123_456_789},
            "revision": 0,
            "lease_until": null,
            "cancel_requested": false,
        });
        assert_eq!(serde_json::to_value(&head).unwrap(), stored);
        assert_eq!(serde_json::from_value::<RunHead>(stored).unwrap(), head);
    }

    #[test]
    fn a_head_of_another_version_or_with_an_invalid_id_is_refused() {
        let refused = [("version", json!(2)), ("run", json!(""))].map(|(field, value)| {
            let mut stored = serde_json::to_value(head()).unwrap();
            stored[field] = value;
            let error = serde_json::from_value::<RunHead>(stored).unwrap_err();
            error.to_string()
        });
        assert_eq!(
            refused,
            [
                "the head of the run has version 2; this program reads version 1",
                "the run id \"\" is empty; give 1 to 256 bytes without control characters",
            ]
        );
    }

    #[test]
    fn a_status_is_named_as_serde_writes_it() {
        for status in [
            RunStatus::Open,
            RunStatus::Paused,
            RunStatus::Ended,
            RunStatus::Failed,
            RunStatus::Cancelled,
        ] {
            let written = serde_json::to_value(status).unwrap();
            assert_eq!(written, json!(status.as_str()));
        }
    }
}
