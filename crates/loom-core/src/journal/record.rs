//! What the journal's values are: the layout a stored run keeps from version to version.

use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::error::{Error, ErrorKind, Result};
use crate::hex::hex;
use crate::journal::{Record, SlotKey, SlotKind};
use crate::ledger::Spent;
use crate::limits::Limits;
use crate::question::Question;

/// The layout's version. A record of a later one is refused, not guessed at.
pub(crate) const VERSION: u32 = 3;

/// `Run` at the empty path: how a run began.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RunRecord {
    pub(crate) version: u32,
    /// The W3C trace id, in hex, and the first root span's id.
    pub(crate) trace: String,
    pub(crate) root_span: String,
    pub(crate) limits: Limits,
    /// Whether its root is an agent's run, not a workflow's.
    #[serde(default)]
    pub(crate) is_agent: bool,
    pub(crate) input: Value,
}

/// `Run` at the path `usage`: how far it came.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct UsageRecord {
    /// The number of the attempt that wrote this, the first being 1.
    pub(crate) attempt: u32,
    pub(crate) spent: Spent,
}

/// The path of a run's [`UsageRecord`].
pub(crate) const USAGE: &str = "usage";

impl RunRecord {
    /// The record of a run, unless it was written by another version of this crate.
    pub(crate) fn read(value: &Value) -> Result<Self> {
        let version = value
            .get("version")
            .and_then(Value::as_u64)
            .unwrap_or_default();
        if version != u64::from(VERSION) {
            let message = format!(
                "the journal's record has version {version}; this program reads version {VERSION}"
            );
            return Err(Error::new(ErrorKind::Failed, message));
        }
        read(value)
    }
}

/// A record as its type.
///
/// # Errors
/// `Failed` for one that can't be read: the store is broken.
pub(crate) fn read<'a, T: Deserialize<'a>>(value: &'a Value) -> Result<T> {
    T::deserialize(value).map_err(|e| {
        Error::with_source(
            ErrorKind::Failed,
            format!("a record of the journal can't be read: {e}"),
            e,
        )
    })
}

/// A record as JSON.
pub(crate) fn written(record: &impl Serialize) -> Result<Value> {
    serde_json::to_value(record)
        .map_err(|e| Error::with_source(ErrorKind::Failed, format!("can't write a record: {e}"), e))
}

/// The record of this kind at this path.
pub(crate) fn record(kind: SlotKind, path: &str, content: &impl Serialize) -> Result<Record> {
    Ok(record_of(kind, path, written(content)?))
}

/// The record of this kind at this path, whose content is JSON.
pub(crate) fn record_of(kind: SlotKind, path: &str, content: Value) -> Record {
    Record {
        key: SlotKey::new(kind, path),
        value: Arc::new(content),
    }
}

/// `Question`: what was asked, and what an answer to it is bound to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct QuestionRecord {
    pub(crate) question: Question,
    pub(crate) binding: String,
}

/// `Answer`: an answer and what it is bound to, so that it answers nothing else.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct AnswerRecord {
    pub(crate) answer: Value,
    pub(crate) binding: String,
    /// Whether it has let happen what it may: it counts for nothing else.
    #[serde(default)]
    pub(crate) spent: bool,
}

/// `Output`: what an effect returned, for whom, and a digest of what it was given.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct OutputRecord {
    /// Whose partition it worked in; absent for an anonymous run.
    pub(crate) user: Option<String>,
    /// SHA-256 of the input's JSON, in hex; absent where nothing was given.
    pub(crate) input: Option<String>,
    pub(crate) output: Value,
    /// Present where it failed and that was taken as a value; then there is no output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) failure: Option<FailureRecord>,
    /// Whether another child of its parent was under way while it ran.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) overlapped: bool,
}

/// `Intent`: an effect is about to happen that can't simply be done again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct IntentRecord {
    pub(crate) user: Option<String>,
    pub(crate) input: Option<String>,
    pub(crate) state: IntentState,
    /// The paths of the answers that are spent with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) approvals: Vec<String>,
    /// What goes in instead, where a person changed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) arguments: Option<Value>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) overlapped: bool,
}

/// How far an intent came. What was settled by an output has an `Output` record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum IntentState {
    /// Its body began. If nothing else is recorded, nobody knows whether it happened.
    Begun,
    /// It waits for an answer; a resume enters it again.
    Paused,
    /// It failed.
    Failed,
}

/// How an effect failed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FailureRecord {
    kind: String,
    message: String,
    path: String,
    retryable: bool,
}

impl FailureRecord {
    pub(crate) fn of(error: &Error) -> Self {
        Self {
            kind: error.kind().as_str().to_owned(),
            message: error.message().to_owned(),
            path: error.path().unwrap_or_default().to_owned(),
            retryable: error.is_retryable(),
        }
    }

    pub(crate) fn into_error(self) -> Error {
        let kind = ErrorKind::named(&self.kind).unwrap_or(ErrorKind::Failed);
        Error::new(kind, self.message)
            .retryable(self.retryable)
            .at(|| self.path)
    }
}

/// The digest of a value: of its JSON with the keys of every object in order, whatever order this
/// build of serde_json keeps them in.
pub(crate) fn digest(value: &Value) -> String {
    let mut hash = Sha256::new();
    // Neither a value nor a hash can fail to be written.
    let _ = serde_json::to_writer(&mut hash, &Ordered(value));
    hex(&hash.finalize())
}

struct Ordered<'a>(&'a Value);

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Array(items) => serializer.collect_seq(items.iter().map(Ordered)),
            Value::Object(fields) => {
                let mut fields: Vec<_> = fields.iter().collect();
                fields.sort_unstable_by_key(|(key, _)| *key);
                serializer.collect_map(fields.into_iter().map(|(key, it)| (key, Ordered(it))))
            }
            leaf => leaf.serialize(serializer),
        }
    }
}
