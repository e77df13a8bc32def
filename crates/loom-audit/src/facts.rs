//! Which facts the payload of each action holds.

use loom_core::{
    Attributes, Closed, Effect, EffectKind, EffectView, Error, Look, Origin, Question, UserId, key,
};
use ring::hmac;
use serde_json::{Map, Value};

use crate::action::Family;
use crate::detail::Detail;
use crate::entry::cut;
use crate::json::Content;
use crate::payload::{Payload, unpanicked};

/// How facts are written: how many, and under which key digests are made.
pub(crate) struct Facts {
    pub(crate) detail: Detail,
    pub(crate) digest_key: hmac::Key,
}

impl Facts {
    pub(crate) fn opened(
        &self,
        family: Family,
        cx: &EffectView,
        input: Option<&dyn Look>,
    ) -> Payload {
        let effect = cx.effect();
        let mut payload = Payload::new();
        if family == Family::Tool {
            self.tool_call(&mut payload, cx);
            return payload;
        }
        match effect.input() {
            Some(input) => payload.short("in", Content::Value(input).json_bytes()),
            None => payload.length("in", input),
        }
        if family == Family::Run {
            payload.name("model", effect.attributes().text(key::MODEL));
            payload.known("turns_max", effect.attributes().int(key::TURNS_MAX));
        }
        payload.known("permissions", are_permissions_off(cx).then_some("off"));
        if self.is_full() {
            match effect.input() {
                Some(input) => payload.long("input", Content::Value(input)),
                None => payload.looked("input", input),
            }
        }
        payload
    }

    fn tool_call(&self, payload: &mut Payload, cx: &EffectView) {
        let effect = cx.effect();
        payload.name("call", effect.attributes().text(key::CALL_ID));
        payload.known("turn", turn(cx));
        if let Some(args) = effect.input() {
            payload.long("args", Content::Value(&self.digests(args)));
            payload.short("bytes", Content::Value(args).json_bytes());
        }
        payload.short("destructive", effect.is_destructive());
        if let Some(args) = effect.input()
            && self.is_full()
        {
            payload.long("input", Content::Value(args));
        }
    }

    /// The arguments by name, each as a digest; of what is no object, the one digest.
    fn digests(&self, args: &Value) -> Value {
        let digest = |value| Value::String(Content::Value(value).digest(&self.digest_key));
        match args {
            Value::Object(args) => {
                let named = args
                    .iter()
                    .map(|(name, value)| (cut(name).into_owned(), digest(value)));
                Value::Object(named.collect::<Map<_, _>>())
            }
            other => digest(other),
        }
    }

    pub(crate) fn closed(&self, family: Family, effect: &Effect, closed: &Closed<'_>) -> Payload {
        let mut payload = Payload::new();
        result(&mut payload, closed);
        if family == Family::Run {
            payload.known("turns", closed.attributes.int(key::TURNS));
            tokens(&mut payload, closed);
        }
        if family == Family::Tool {
            payload.name("call", effect.attributes().text(key::CALL_ID));
        }
        self.contents(&mut payload, closed);
        payload
    }

    pub(crate) fn model_call(&self, cx: &EffectView, closed: &Closed<'_>) -> Payload {
        let effect = cx.effect();
        let fact = |name| {
            let known = closed.attributes.text(name);
            known.or_else(|| effect.attributes().text(name))
        };
        let mut payload = Payload::new();
        result(&mut payload, closed);
        payload.known("turn", turn(cx));
        payload.name("model", fact(key::MODEL));
        payload.name("provider", fact(key::PROVIDER));
        payload.name("response_model", fact(key::RESPONSE_MODEL));
        payload.name("response_id", fact(key::RESPONSE_ID));
        tokens(&mut payload, closed);
        self.contents(&mut payload, closed);
        payload
    }

    pub(crate) fn permission_denied(&self, gate: &str, why: &str) -> Payload {
        let mut payload = Payload::new();
        payload.name("gate", Some(gate));
        if self.is_full() {
            payload.long("reason", Content::Text(why));
        }
        payload
    }

    /// What was asked and by whom, and why the answer was no, if it was.
    pub(crate) fn question(
        &self,
        question: &Question,
        refused: Option<&str>,
        changed: Option<&Value>,
    ) -> Payload {
        let mut payload = Payload::new();
        payload.name("question", Some(&question.name));
        payload.short("of", asker(question));
        if let Some(arguments) = changed {
            payload.long("changed", Content::Value(&self.digests(arguments)));
        }
        if self.is_full() {
            payload.long("body", Content::Text(&question.body));
            if let Some(why) = refused {
                payload.long("reason", Content::Text(why));
            }
            if let Some(arguments) = changed {
                payload.long("input", Content::Value(arguments));
            }
        }
        payload
    }

    pub(crate) fn retry(attempt: u32, attributes: &Attributes) -> Payload {
        let mut payload = Payload::new();
        payload.short("attempt", attempt);
        payload.name("error_kind", attributes.text(key::ERROR_KIND));
        payload.known("wait_ms", attributes.int(key::WAIT_MS));
        payload
    }

    /// For whom; `*` is for all.
    pub(crate) fn acting_as(&self, user: Option<&UserId>, attributes: &Attributes) -> Payload {
        let mut payload = Payload::new();
        payload.name("as", Some(user.map_or("*", UserId::as_str)));
        if let Some(why) = attributes.text(key::REASON)
            && self.is_full()
        {
            payload.long("reason", Content::Text(why));
        }
        payload
    }

    /// Which attempt begins.
    pub(crate) fn resumed(attempt: u32) -> Payload {
        let mut payload = Payload::new();
        payload.short("attempt", attempt);
        payload
    }

    /// An intent whose effect was cut off.
    pub(crate) fn unfinished(attributes: &Attributes) -> Payload {
        let mut payload = Payload::new();
        payload.name("safety", attributes.text(key::SAFETY));
        payload
    }

    pub(crate) fn limit_reached(limit: &'static str, value: u64) -> Payload {
        let mut payload = Payload::new();
        payload.name("limit", Some(limit));
        payload.short("value", value);
        payload
    }

    /// What an effect gave or failed with, in full.
    fn contents(&self, payload: &mut Payload, closed: &Closed<'_>) {
        if self.is_full() {
            payload.looked("output", closed.output);
            if let Some(error) = closed.error {
                payload.long("error", Content::Text(&chain(error)));
            }
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.detail == Detail::Full
    }
}

/// Who asked: without this any answer but "no" to a step's own question would look like a gate's
/// grant.
fn asker(question: &Question) -> &'static str {
    match question.origin {
        Origin::Approval => "gate",
        Origin::Unfinished => "journal",
        _ => "step",
    }
}

/// How many sources of an error are written; one could be its own source.
const MAX_SOURCES: usize = 64;

/// An error's message and those of all its sources, a line each. One that says the same as the
/// line before adds nothing: an error made of a foreign one has its words.
fn chain(error: &Error) -> String {
    let mut lines = vec![error.message().to_owned()];
    let mut source = std::error::Error::source(error);
    for _ in 0..MAX_SOURCES {
        let Some(error) = source else { break };
        // Users write how their errors are displayed, and what their sources are.
        let line = unpanicked(|| Ok(error.to_string())).unwrap_or_else(|panicked| panicked);
        if lines.last() != Some(&line) {
            lines.push(line);
        }
        source = unpanicked(|| Ok(error.source())).unwrap_or_default();
    }
    lines.join("\n")
}

/// Whether this is a root that runs without the default permissions; below one the attribute is
/// only somebody's word.
fn are_permissions_off(cx: &EffectView) -> bool {
    let permissions = cx.effect().attributes().text(key::PERMISSIONS);
    cx.parent().is_none() && permissions == Some("off")
}

/// How much an effect gave, or as what it failed.
fn result(payload: &mut Payload, closed: &Closed<'_>) {
    payload.length("out", closed.output);
    payload.known("kind", closed.error.map(|e| e.kind().as_str()));
}

fn tokens(payload: &mut Payload, closed: &Closed<'_>) {
    payload.known("tokens_in", closed.attributes.int(key::INPUT_TOKENS));
    payload.known("tokens_out", closed.attributes.int(key::OUTPUT_TOKENS));
}

/// The turn of the nearest enclosing agent run, if this is part of one.
fn turn(cx: &EffectView) -> Option<i64> {
    std::iter::successors(cx.parent(), |cx| cx.parent())
        .map(EffectView::effect)
        .take_while(|effect| !effect.kind().is_run())
        .find(|effect| effect.kind() == EffectKind::Turn)
        .and_then(|turn| turn.attributes().int(key::TURN))
}
