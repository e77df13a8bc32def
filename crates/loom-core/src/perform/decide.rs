//! Whether an effect may happen: was it left unfinished, what do the gates say, then the people they
//! want asked, then the barriers.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::ask::{Asked, Asking, Sought};
use crate::attributes::{Attributes, key};
use crate::context::RunContext;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{EventKind, Note};
use crate::gate::{DynGate, NamedGate, Verdict};
use crate::journal::record::digest;
use crate::perform::record::{Left, Permit, Record};
use crate::poll::{caught, within};
use crate::question::{Approval, Origin, Question, Resolution};
use crate::safety::{IfUnfinished, Safety};

/// What was decided about an effect.
pub(super) enum Decision {
    /// It may happen.
    May(Permit),
    /// It happened in an earlier attempt, and this is what it returned.
    Happened(Value),
    /// Somebody has to answer first.
    Waits,
}

impl RunContext {
    /// Whether the gates let this effect happen, if that can be said without waiting for any.
    pub(super) fn is_allowed_at_once(&self) -> bool {
        let parts = &self.tree().parts;
        let mut concerned = None;
        for gates in [&parts.gates, &parts.barriers] {
            for gate in gates {
                if gate.concerns(self.effect()) != Ok(false) && concerned.replace(gate).is_some() {
                    return false;
                }
            }
        }
        let Some(only) = concerned else { return true };
        let verdict = only.gate.at_once(self.effect());
        let is_allowed = verdict == Some(Verdict::Allow);
        if is_allowed {
            self.emit(EventKind::Decided {
                gate: &only.name,
                verdict: &Verdict::Allow,
            });
        }
        is_allowed
    }

    /// Decides about an effect that was opened. What can't simply be done again is written down
    /// before it is done, and with it that the call was made: a resume counts it.
    pub(super) async fn decide(&self, record: Option<&mut Record>) -> Result<Decision> {
        let mut permit = match self.judge(record.as_deref()).await {
            Ok(Decision::May(permit)) => permit,
            Err(_) if record.is_some() && self.decide_to_wait() => return Ok(Decision::Waits),
            other => return other,
        };
        self.record_call();
        if let Some(record) = record
            && let Err(broken) = record.begin(&permit).await
        {
            self.refund_call();
            return Err(broken);
        }
        if let Some(arguments) = permit.arguments.take() {
            self.change_arguments(arguments);
        }
        Ok(Decision::May(permit))
    }

    /// What an earlier attempt left unfinished comes first, then all gates before anybody is
    /// bothered, people after that, and barriers last.
    async fn judge(&self, record: Option<&Record>) -> Result<Decision> {
        // Also when this is dropped while somebody is asked: the call was never made.
        let unmade = RefundCall(Some(self));
        let mut permit = Permit::default();
        if let Some(record) = record {
            match self.resolve_unfinished(record, &mut permit).await? {
                Decision::May(_) => (),
                other => return Ok(other),
            }
        }
        if !self.is_allowed_at_once() {
            let parts = &self.tree().parts;
            for gates in [&parts.gates, &parts.barriers] {
                let questions = self.verdicts(gates).await?;
                if !self.ask_all(questions, record, &mut permit).await? {
                    return Ok(Decision::Waits);
                }
            }
        }
        self.reserve_again().await?;
        unmade.it_is_made();
        Ok(Decision::May(permit))
    }

    /// What becomes of an effect whose intent a crash or a drop left open.
    async fn resolve_unfinished(&self, record: &Record, permit: &mut Permit) -> Result<Decision> {
        match record.left() {
            Left::Nothing => return Ok(Decision::May(Permit::default())),
            Left::Paused(held) => {
                permit.held.clone_from(held);
                return Ok(Decision::May(Permit::default()));
            }
            Left::Unfinished => (),
        }
        let effect = self.effect();
        let facts = Attributes::new().with(key::SAFETY, effect.safety().as_str());
        self.tell_note(&Note::Unfinished, &facts);
        let may_repeat = effect.safety() != Safety::NotIdempotent;
        match effect.if_unfinished() {
            IfUnfinished::Ask if may_repeat => return Ok(Decision::May(Permit::default())),
            IfUnfinished::RunAgain => return Ok(Decision::May(Permit::default())),
            IfUnfinished::Fail => return Err(given_up("its policy says so")),
            IfUnfinished::Ask => (),
        }
        let body = format!(
            "{effect} was begun and its end was never recorded. Did it happen? (\"ran\" with its output, \"run_again\", \"give_up\")"
        );
        let path = format!("{}#unfinished", self.path());
        let question = Question::new(Origin::Unfinished, path, "unfinished", body);
        let asking = Asking {
            binding: self.binding("unfinished", Some(record)),
            question: question.about(effect.input()),
            held: &[],
            accept: &|answer: &Value| Resolution::of(answer).ok(),
        };
        Ok(match self.answer_to(asking).await? {
            Asked::Waits => Decision::Waits,
            Asked::Answered(Resolution::Ran(output), _) => Decision::Happened(output),
            Asked::Answered(Resolution::GiveUp, _) => return Err(given_up("somebody decided so")),
            Asked::Answered(Resolution::RunAgain, path) => {
                permit.spends.extend(path);
                Decision::May(Permit::default())
            }
        })
    }

    async fn verdicts(&self, gates: &[NamedGate]) -> Result<Vec<Question>> {
        let mut questions = Vec::new();
        for gate in gates {
            let name = &gate.name;
            let verdict = match gate.concerns(self.effect()) {
                Ok(false) => continue,
                Ok(true) => self.verdict(&*gate.gate).await,
                Err(panic) => Verdict::Deny(format!("it panicked: {panic}")),
            };
            self.emit(EventKind::Decided {
                gate: name,
                verdict: &verdict,
            });
            match verdict {
                Verdict::Allow => (),
                Verdict::Deny(why) => return Err(denied(name, &why)),
                // `#` can't stand in a path's names, so this is no effect's path.
                Verdict::Ask(body) => {
                    let path = format!("{}#ask:{name}{}", self.path(), self.nth_of_its_name(gate));
                    let question = Question::new(Origin::Approval, path, name.as_str(), body);
                    questions.push(question.about(self.effect().input()));
                }
            }
        }
        Ok(questions)
    }

    /// `#2` for the second gate of a name, so that an answer to one is none to another.
    fn nth_of_its_name(&self, gate: &NamedGate) -> String {
        let parts = &self.tree().parts;
        let all = parts.gates.iter().chain(&parts.barriers);
        let before = all.take_while(|it| !std::ptr::eq(*it, gate));
        match before.filter(|it| it.name == gate.name).count() {
            0 => String::new(),
            before => format!("#{}", before + 1),
        }
    }

    async fn verdict(&self, gate: &dyn DynGate) -> Verdict {
        let answer = caught(async { within(gate.limit(), gate.check(self, self.effect())).await });
        match answer.await {
            Ok(Some(verdict)) => verdict,
            Ok(None) => Verdict::Deny("it didn't answer in time".into()),
            Err(panic) => Verdict::Deny(format!("it panicked: {panic}")),
        }
    }

    /// Asks the people that the gates want asked; false if somebody hasn't answered yet. No further question
    /// is opened once one was refused.
    async fn ask_all(
        &self,
        questions: Vec<Question>,
        record: Option<&Record>,
        permit: &mut Permit,
    ) -> Result<bool> {
        let parts = &self.tree().parts;
        let mut unasked = Vec::new();
        for question in questions {
            if parts.approver.is_none() && record.is_none() {
                let (name, body) = (question.name, question.body);
                let why = format!("{body} Nobody can be asked: there is no approver");
                let verdict = Verdict::Deny(why.clone());
                self.emit(EventKind::Decided {
                    gate: &name,
                    verdict: &verdict,
                });
                return Err(denied(&name, &why));
            }
            let gate = question.name.clone();
            let check = |answer: &Value| self.acceptable(answer);
            let asking = Asking {
                binding: self.binding(&gate, record),
                question,
                held: &permit.held,
                accept: &check,
            };
            match self.seek_answer(asking).await? {
                Sought::Nowhere(question) => unasked.push(*question),
                Sought::Found(Approval::Refused(why), _) => return Err(denied(&gate, &why)),
                Sought::Found(Approval::Granted, path) => permit.grant(path),
                Sought::Found(Approval::GrantedWith(arguments), path) => {
                    permit.grant(path);
                    permit.arguments = Some(Arc::new(arguments));
                }
            }
        }
        let all_answered = unasked.is_empty();
        for question in unasked {
            self.open_question(question).await?;
        }
        Ok(all_answered)
    }

    /// The answer as an approval; changed arguments that don't fit are asked about again.
    fn acceptable(&self, answer: &Value) -> Option<Approval> {
        let approval = Approval::of(answer).ok()?;
        match &approval {
            Approval::GrantedWith(arguments) => {
                let fits = self.effect().check_input(arguments);
                fits.is_ok().then_some(approval)
            }
            Approval::Granted | Approval::Refused(_) => Some(approval),
        }
    }

    /// What an answer about this effect is bound to: who asks, the effect, what goes in and for
    /// whom; never the question's wording.
    fn binding(&self, gate: &str, record: Option<&Record>) -> String {
        let effect = self.effect();
        let input = match record {
            Some(record) => record.input().map(str::to_owned),
            None => effect.input().map(digest),
        };
        let user = self.user().map_or("", |it| it.as_str());
        let kind = effect.kind().span_name();
        digest(&json!([gate, kind, effect.name().as_str(), input, user]))
    }
}

/// Refunds what was counted and reserved for a call, unless it is made.
struct RefundCall<'a>(Option<&'a RunContext>);

impl RefundCall<'_> {
    fn it_is_made(mut self) {
        self.0 = None;
    }
}

impl Drop for RefundCall<'_> {
    fn drop(&mut self) {
        if let Some(cx) = self.0 {
            cx.refund_call();
        }
    }
}

fn denied(gate: &str, why: &str) -> Error {
    Error::new(ErrorKind::Denied, format!("{gate}: {why}"))
}

fn given_up(why: &str) -> Error {
    let message = format!("it was begun in an earlier attempt and counts as failed: {why}");
    Error::new(ErrorKind::Failed, message).retryable(false)
}
