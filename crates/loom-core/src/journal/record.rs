//! What the journal's values are: the layout a stored run keeps from version to version.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::Digest;

use crate::budget::Used;
use crate::data::Data;
use crate::error::{Error, ErrorKind, Result};
use crate::hex::hex;
use crate::limits::Limits;
use crate::question::Question;
use crate::usage::Tally;

/// The layout's version. A record of a later one is refused, not guessed at.
const VERSION: u32 = 1;

/// [`Slot::Run`](crate::Slot::Run): a run's beginning and how far it came.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RunRecord {
    pub(crate) version: u32,
    /// The W3C trace id, in hex, and the first root span's id.
    pub(crate) trace: String,
    pub(crate) root_span: String,
    /// What it is a run of, by name.
    pub(crate) of: String,
    pub(crate) input: Value,
    pub(crate) limits: Limits,
    pub(crate) status: Status,
    pub(crate) used: Used,
    pub(crate) tally: Tally,
}

/// How far a run came.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    /// It runs, it failed or was cancelled, or its process died: it can be gone on with.
    Open,
    /// It waits for answers.
    Paused(Vec<Question>),
    /// It gave its output.
    Ended,
}

impl RunRecord {
    pub(crate) fn new(
        trace: String,
        root_span: String,
        of: String,
        input: Value,
        limits: Limits,
    ) -> Self {
        Self {
            version: VERSION,
            trace,
            root_span,
            of,
            input,
            limits,
            status: Status::Open,
            used: Used::default(),
            tally: Tally::default(),
        }
    }

    pub(crate) fn read(value: Value) -> Result<Self> {
        let version = value
            .get("version")
            .and_then(Value::as_u64)
            .unwrap_or_default();
        if version != u64::from(VERSION) {
            let message = format!(
                "the journal's record has version {version}; this program reads version {VERSION}"
            );
            return Err(Error::new(ErrorKind::Internal, message));
        }
        Self::from_value(value).map_err(|e| {
            Error::with_source(
                ErrorKind::Internal,
                "the journal's record of the run can't be read",
                e,
            )
        })
    }
}

/// [`Slot::Answer`](crate::Slot::Answer): an answer, and the question as it stood when it was
/// answered, so that it answers no other.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct AnswerRecord {
    pub(crate) question: Value,
    pub(crate) answer: Value,
    /// Whether it can't be used any more: whoever comes here next asks anew.
    #[serde(default)]
    pub(crate) spent: bool,
}

/// [`Slot::Output`](crate::Slot::Output): what an effect gave, for whom, and a digest of what it
/// was given.
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

impl OutputRecord {
    /// The digest of an input: of its JSON with the keys of every object in order, whatever order
    /// this build of serde_json keeps them in.
    pub(crate) fn digest(input: &Value) -> String {
        let mut hash = sha2::Sha256::new();
        hash_ordered(input, &mut hash);
        hex(&hash.finalize())
    }
}

fn hash_ordered(value: &Value, hash: &mut sha2::Sha256) {
    match value {
        Value::Array(items) => {
            hash.update(b"[");
            for item in items {
                hash_ordered(item, hash);
                hash.update(b",");
            }
            hash.update(b"]");
        }
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_unstable_by_key(|(key, _)| *key);
            hash.update(b"{");
            for (key, item) in fields {
                hash.update(Value::String(key.clone()).to_string());
                hash.update(b":");
                hash_ordered(item, hash);
                hash.update(b",");
            }
            hash.update(b"}");
        }
        leaf => hash.update(leaf.to_string()),
    }
}
