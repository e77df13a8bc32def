//! The one table that spells every exported name.
//!
//! The names of spans alone are spelled by the core ([`EffectKind::span_name`]): they are the
//! project's own and records use them too. The `gen_ai.*` names are those of the GenAI semantic
//! conventions named by [`SCHEMA_URL`], which are still in development.

use loom_core::{EffectKind, key};
use opentelemetry::KeyValue;
use opentelemetry::trace::SpanKind;

/// The instrumentation scope all our spans belong to.
pub(crate) const SCOPE: &str = "loomflow";
/// The conventions that the names below are taken from, emitted with the scope.
///
/// Source: `model/manifest.yaml` of open-telemetry/semantic-conventions-genai, 2026-10.
pub(crate) const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/gen-ai-dev/1.42.0-dev";

// On every span.
pub(crate) const PATTERN: &str = "pattern";
pub(crate) const USER_ID: &str = "user_id";
/// Who asked for the run, on spans that act for somebody else: `user_id` is that one's. Empty for
/// the anonymous partition.
pub(crate) const BY: &str = "loom.by";
pub(crate) const SESSION_ID: &str = "session_id";
pub(crate) const RUN_ID: &str = "run_id";
pub(crate) const PATH: &str = "loom.path";
pub(crate) const SPAN: &str = "loom.span";
pub(crate) const CONVERSATION_ID: &str = "gen_ai.conversation.id";
pub(crate) const AGENT_NAME: &str = "gen_ai.agent.name";
pub(crate) const OPERATION_NAME: &str = "gen_ai.operation.name";

// On spans whose ids the provider made up itself.
pub(crate) const TRACE_ID: &str = "loom.trace_id";
pub(crate) const SPAN_ID: &str = "loom.span_id";

// How a span ended.
pub(crate) const ENDING: &str = "loom.ending";
pub(crate) const CANCEL_REASON: &str = "loom.cancel_reason";
pub(crate) const ERROR_TYPE: &str = "error.type";

/// On spans whose output an earlier attempt recorded, from their opening.
pub(crate) const REPLAYED: &str = "loom.replayed";

// On the root span of an audited run.
pub(crate) const AUDIT_LOG: &str = "loom.audit.log";
pub(crate) const AUDIT_SIZE: &str = "loom.audit.size";
pub(crate) const AUDIT_HEAD: &str = "loom.audit.head";

// Of one kind of effect.
const WORKFLOW_NAME: &str = "gen_ai.workflow.name";
const STEP: &str = "loom.step";
/// Which opening of the step's name below its parent, from 1.
pub(crate) const VISIT: &str = "loom.visit";
const PERMISSIONS: &str = "loom.permissions";
const TURN: &str = "loom.turn";
const TURNS: &str = "loom.turns";
const TURNS_MAX: &str = "loom.turns_max";
const PROVIDER_NAME: &str = "gen_ai.provider.name";
const REQUEST_MODEL: &str = "gen_ai.request.model";
const REQUEST_STREAM: &str = "gen_ai.request.stream";
const RESPONSE_ID: &str = "gen_ai.response.id";
const RESPONSE_MODEL: &str = "gen_ai.response.model";
const RESPONSE_FINISH_REASONS: &str = "gen_ai.response.finish_reasons";
/// In seconds, from the opening of the span to the first piece of text.
pub(crate) const RESPONSE_TIME_TO_FIRST_CHUNK: &str = "gen_ai.response.time_to_first_chunk";
const USAGE_INPUT_TOKENS: &str = "gen_ai.usage.input_tokens";
const USAGE_OUTPUT_TOKENS: &str = "gen_ai.usage.output_tokens";
const AGENT_DESCRIPTION: &str = "gen_ai.agent.description";
const TOOL_NAME: &str = "gen_ai.tool.name";
const TOOL_TYPE: &str = "gen_ai.tool.type";
const TOOL_CALL_ID: &str = "gen_ai.tool.call.id";
const TOOL_DESCRIPTION: &str = "gen_ai.tool.description";

// Span events. A user's own note keeps its name; so do notes of the core (`limit_reached`,
// `retry`, `fallback`, `acting_as`, `resumed`, `unfinished`).
pub(crate) const PERMISSION_DECIDED: &str = "permission_decided";
pub(crate) const GATE: &str = "loom.gate";
pub(crate) const VERDICT: &str = "loom.verdict";
pub(crate) const VERDICT_ALLOW: &str = "allow";
pub(crate) const VERDICT_ASK: &str = "ask";
pub(crate) const VERDICT_DENY: &str = "deny";
/// A gate wants to know whether the effect may happen.
pub(crate) const APPROVAL_ASKED: &str = "approval_asked";
/// What a gate's question came to; also a "no" to what the effect itself asked.
pub(crate) const APPROVAL_ANSWERED: &str = "approval_answered";
/// `allowed` or `refused`.
pub(crate) const APPROVAL: &str = "loom.approval";
/// The effect itself asks something (`cx.ask`); what is answered, unless it is "no", is content.
pub(crate) const QUESTION_ASKED: &str = "question_asked";
pub(crate) const QUESTION_ANSWERED: &str = "question_answered";
pub(crate) const QUESTION: &str = "loom.question";
/// On an approval that put other arguments in the place of those that were asked about.
pub(crate) const APPROVAL_CHANGED: &str = "loom.approval_changed";
/// What comes of doing an unfinished effect again: `not_idempotent` and so on.
pub(crate) const SAFETY: &str = "loom.safety";
pub(crate) const LIMIT: &str = "loom.limit";
pub(crate) const LIMIT_VALUE: &str = "loom.limit_value";
/// Which attempt begins: of a step that is retried, where `error.type` is what the one before ended
/// with, or of a run that is resumed.
pub(crate) const ATTEMPT: &str = "loom.attempt";
pub(crate) const WAIT_MS: &str = "loom.wait_ms";
/// That an effect acts for everybody; why is somebody's own words, and so content.
pub(crate) const ALL_USERS: &str = "loom.all_users";

/// Names that say whose a span is and how it stands: the context alone says that, so a recorded
/// attribute that is called the same isn't exported.
const RESERVED: [&str; 19] = [
    PATTERN,
    USER_ID,
    BY,
    SESSION_ID,
    RUN_ID,
    PATH,
    SPAN,
    CONVERSATION_ID,
    AGENT_NAME,
    OPERATION_NAME,
    TRACE_ID,
    SPAN_ID,
    ENDING,
    CANCEL_REASON,
    ERROR_TYPE,
    REPLAYED,
    AUDIT_LOG,
    AUDIT_SIZE,
    AUDIT_HEAD,
];

/// What the conventions say of all spans of one kind of effect.
pub(crate) struct Convention {
    pub(crate) span_kind: SpanKind,
    /// The value of `gen_ai.operation.name`.
    pub(crate) operation: Option<&'static str>,
    /// The attribute that carries the effect's name, unless it is on the span already.
    pub(crate) label: Option<&'static str>,
    /// An attribute that is the same on all of them.
    pub(crate) fixed: Option<KeyValue>,
}

pub(crate) fn convention(effect: EffectKind) -> Convention {
    let (span_kind, operation, label) = match effect {
        EffectKind::Workflow => (
            SpanKind::Internal,
            Some("invoke_workflow"),
            Some(WORKFLOW_NAME),
        ),
        EffectKind::Step => (SpanKind::Internal, None, Some(STEP)),
        // An agent's name is on everything below it, so also on itself; a turn's is its number.
        EffectKind::Agent => (SpanKind::Internal, Some("invoke_agent"), None),
        EffectKind::Turn => (SpanKind::Internal, None, None),
        EffectKind::Model => (SpanKind::Client, Some("chat"), Some(REQUEST_MODEL)),
        EffectKind::Tool => (SpanKind::Internal, Some("execute_tool"), Some(TOOL_NAME)),
    };
    let fixed = match effect {
        EffectKind::Tool => Some(KeyValue::new(TOOL_TYPE, "function")),
        // A model is always streamed from.
        EffectKind::Model => Some(KeyValue::new(REQUEST_STREAM, true)),
        EffectKind::Workflow | EffectKind::Step | EffectKind::Agent | EffectKind::Turn => None,
    };
    Convention {
        span_kind,
        operation,
        label,
        fixed,
    }
}

/// The exported name of an attribute of an effect: the conventions' for a neutral one of the
/// core, else its own; `None` for a name that isn't given to attributes.
pub(crate) fn exported(effect: EffectKind, neutral: &'static str) -> Option<&'static str> {
    let name = match (neutral, effect) {
        (key::MODEL, EffectKind::Agent | EffectKind::Model) => REQUEST_MODEL,
        (key::PROVIDER, EffectKind::Agent | EffectKind::Model) => PROVIDER_NAME,
        (key::RESPONSE_MODEL, EffectKind::Model) => RESPONSE_MODEL,
        (key::RESPONSE_ID, EffectKind::Model) => RESPONSE_ID,
        (key::FINISH_REASONS, EffectKind::Model) => RESPONSE_FINISH_REASONS,
        (key::INPUT_TOKENS, EffectKind::Agent | EffectKind::Model) => USAGE_INPUT_TOKENS,
        (key::OUTPUT_TOKENS, EffectKind::Agent | EffectKind::Model) => USAGE_OUTPUT_TOKENS,
        (key::TURNS_MAX, EffectKind::Agent) => TURNS_MAX,
        (key::TURNS, EffectKind::Agent) => TURNS,
        (key::TURN, _) => TURN,
        (key::CALL_ID, EffectKind::Tool) => TOOL_CALL_ID,
        (key::DESCRIPTION, EffectKind::Tool) => TOOL_DESCRIPTION,
        (key::DESCRIPTION, EffectKind::Agent) => AGENT_DESCRIPTION,
        (key::VISIT, EffectKind::Step) => VISIT,
        (key::PERMISSIONS, EffectKind::Workflow | EffectKind::Agent) => PERMISSIONS,
        (own, _) => own,
    };
    (!RESERVED.contains(&name)).then_some(name)
}
