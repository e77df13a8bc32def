//! Step 5 at the door: the gates, then whoever they want asked, then the barriers.

use serde_json::Value;

use crate::context::RunContext;
use crate::data::Data;
use crate::error::{Error, ErrorKind, Result};
use crate::event::EventKind;
use crate::gate::{DynGate, NamedGate, Verdict};
use crate::journal::{Answer, RunJournal};
use crate::poll::{caught, within};
use crate::question::{Approval, DynApprover, Question};

impl RunContext {
    /// Whether the gates let this effect happen, if that can be said without waiting for any.
    pub(super) fn decided_at_once(&self) -> bool {
        let parts = &self.tree().parts;
        let mut concerned = parts
            .gates
            .iter()
            .chain(&parts.barriers)
            .filter(|it| it.concerns(self.effect()));
        match (concerned.next(), concerned.next()) {
            (None, _) => true,
            (Some(only), None) if only.gate.at_once(self.effect()) == Some(Verdict::Allow) => {
                self.emit(EventKind::Decided {
                    gate: &only.name,
                    verdict: &Verdict::Allow,
                });
                true
            }
            _ => false,
        }
    }

    /// Asks all gates before anybody is bothered, people after that, and barriers last.
    ///
    /// `given` is the digest of what goes in, where a journal keeps approvals.
    pub(super) async fn ask_gates(&self, given: Option<&str>) -> Result<()> {
        // Also when this is dropped while somebody is asked: the call was never made.
        let unmade = GiveBack(Some(self));
        let parts = &self.tree().parts;
        let mut approvals = Vec::new();
        for gates in [&parts.gates, &parts.barriers] {
            let mut unanswered = Vec::new();
            for mut question in self.verdicts(gates).await? {
                match self.settle_question(&mut question, given).await? {
                    None => approvals.push(question.path),
                    Some(asked) => unanswered.push((question, asked)),
                }
            }
            self.ask_all(unanswered).await?;
        }
        if let Some(journal) = &self.tree().journal {
            journal.use_up(approvals);
        }
        unmade.it_is_made();
        Ok(())
    }

    async fn verdicts(&self, gates: &[NamedGate]) -> Result<Vec<Question>> {
        let mut questions = Vec::new();
        for gate in gates.iter().filter(|it| it.concerns(self.effect())) {
            let (name, verdict) = (&gate.name, self.verdict(&*gate.gate).await);
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
                    let question = Question::new(path, name.as_str(), body);
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

    /// Gets an answer: from the approver, else from the journal, else there is none to be had. Gives
    /// the record to ask with where the journal has no answer yet.
    async fn settle_question(
        &self,
        question: &mut Question,
        given: Option<&str>,
    ) -> Result<Option<Value>> {
        let approval = match (&self.tree().parts.approver, &self.tree().journal) {
            (Some(approver), _) => self.ask_approver(&**approver, question).await,
            (None, Some(journal)) => match self.look_up(journal, question, given).await? {
                Ok(approval) => approval,
                Err(asked) => return Ok(Some(asked)),
            },
            (None, None) => {
                let why = format!(
                    "{} Nobody can be asked: there is no approver",
                    question.body
                );
                let verdict = Verdict::Deny(why.clone());
                self.emit(EventKind::Decided {
                    gate: &question.name,
                    verdict: &verdict,
                });
                return Err(denied(&question.name, &why));
            }
        };
        let refused = match &approval {
            Approval::Granted => None,
            Approval::Refused(why) => Some(why.as_str()),
        };
        self.emit(EventKind::Answered { question, refused });
        match refused {
            None => Ok(None),
            Some(why) => Err(denied(&question.name, why)),
        }
    }

    async fn ask_approver(&self, approver: &dyn DynApprover, question: &Question) -> Approval {
        self.emit(EventKind::Asked { question });
        let asked = caught(async { approver.approve(self, self.effect(), question).await });
        asked
            .await
            .unwrap_or_else(|panic| Approval::Refused(format!("the approver panicked: {panic}")))
    }

    /// The answer that the journal keeps, or the record to ask for one with. An answer holds for
    /// this user and what goes in here, and for nothing else.
    async fn look_up(
        &self,
        journal: &RunJournal,
        question: &mut Question,
        given: Option<&str>,
    ) -> Result<std::result::Result<Approval, Value>> {
        let mut asked = question.to_value()?;
        asked["user"] = self.user().map(ToString::to_string).into();
        asked["about"] = given.into();
        Ok(match journal.answer_to(question, &mut asked).await? {
            Answer::Given(Value::Bool(true)) => Ok(Approval::Granted),
            Answer::Given(_) => Ok(Approval::Refused("it was refused".to_owned())),
            Answer::ToAnother(_) => Ok(Approval::Refused(
                "the approval was given for other arguments".to_owned(),
            )),
            Answer::None => Err(asked),
        })
    }

    /// Asks all at once what nobody answered yet, and pauses; only after none was refused, so that
    /// nobody is bothered in vain.
    async fn ask_all(&self, unanswered: Vec<(Question, Value)>) -> Result<()> {
        let Some(journal) = &self.tree().journal else {
            return Ok(());
        };
        let mut questions = Vec::new();
        for (question, asked) in unanswered {
            journal.ask(&question, asked).await?;
            self.emit(EventKind::Asked {
                question: &question,
            });
            questions.push(question);
        }
        match questions.is_empty() {
            true => Ok(()),
            false => Err(Error::paused(questions)),
        }
    }
}

/// Takes back what was counted and reserved for a call, unless it is made.
struct GiveBack<'a>(Option<&'a RunContext>);

impl GiveBack<'_> {
    fn it_is_made(mut self) {
        self.0 = None;
    }
}

impl Drop for GiveBack<'_> {
    fn drop(&mut self) {
        if let Some(cx) = self.0 {
            cx.give_back();
        }
    }
}

fn denied(gate: &str, why: &str) -> Error {
    Error::new(ErrorKind::Denied, format!("{gate}: {why}"))
}
