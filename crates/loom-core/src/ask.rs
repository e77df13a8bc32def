//! Asking: the one way to an answer, for gates, for programs and about unfinished effects.
use serde_json::{Value, json};

use crate::context::RunContext;
use crate::data::Data;
use crate::error::{Error, ErrorKind, Result};
use crate::event::EventKind;
use crate::journal::record::{AnswerRecord, QuestionRecord, digest, record};
use crate::journal::{Lost, RunJournal, SlotKind};
use crate::name::Name;
use crate::poll::caught;
use crate::question::{Approval, Origin, Question};

/// How often one question may be asked.
const MAX_ROUNDS: u32 = 1_000;

/// How often an approver is asked whose answer doesn't fit.
const MAX_ANSWERS: u32 = 3;

/// What came of a question.
pub(crate) enum Asked<T> {
    /// This was answered, at this path if the journal keeps it.
    Answered(T, Option<String>),
    /// It waits; whatever asked returns now.
    Waits,
}

/// Whether a question has an answer.
pub(crate) enum Sought<T> {
    /// It has, at this path if the journal keeps it.
    Found(T, Option<String>),
    /// It has to be asked.
    Nowhere(Box<QuestionRecord>),
}

/// A question with all that decides which answer is one.
pub(crate) struct Asking<'a, T> {
    pub(crate) question: Question,
    /// What an answer is bound to.
    pub(crate) binding: String,
    /// Answers that are spent, but on this very effect, which was paused.
    pub(crate) held: &'a [String],
    /// The answer as what it is; `None` for one that is asked for anew.
    pub(crate) accept: &'a (dyn Fn(&Value) -> Option<T> + Send + Sync),
}

impl RunContext {
    /// Asks people, and returns their answer once there is one. Until then the run waits: this
    /// returns a `Stopped` error, everything above closes as paused, and the run continues when it
    /// is resumed ([`Session::answer`](crate::Session::answer),
    /// [`Session::resume`](crate::Session::resume)). An answer of another type, or to another text,
    /// is asked for anew, at a path that ends in `#round:2`.
    ///
    /// Ask in a branch ([`RunContext::join`]) what is asked concurrently with other effects.
    ///
    /// # Errors
    /// `Stopped` without an answer; `Invalid` without a journal or an approver that answers, for a
    /// name that can't be one, for a name that is asked again where parts ran concurrently, and
    /// while another effect or question of this very context is under way.
    ///
    /// ```
    /// use loom_core::{Loom, MemoryJournal, Result, RunContext, RunErrorKind};
    ///
    /// async fn refund(cx: RunContext, cents: u64) -> Result<String> {
    ///     let sure: bool = cx.ask("sure", format!("Refund {cents} cents?")).await?;
    ///     Ok(if sure { "refunded" } else { "kept" }.to_owned())
    /// }
    ///
    /// # futures::executor::block_on(async {
    /// let session = Loom::builder().journal(MemoryJournal::default()).build().session("alice");
    /// let paused = session.run(&refund, 500u64).await.unwrap_err();
    /// assert_eq!(paused.kind(), RunErrorKind::Paused);
    ///
    /// let run_id = paused.report().unwrap().run_id.clone();
    /// session.answer(&run_id, &paused.questions()[0].path, true).await?;
    /// assert_eq!(session.resume(&run_id, &refund).await?.output, "refunded");
    /// # Ok::<(), loom_core::Error>(())
    /// # }).unwrap();
    /// ```
    pub async fn ask<T: Data>(
        &self,
        name: impl Into<Name>,
        question: impl Into<String>,
    ) -> Result<T> {
        let asked = Box::pin(self.ask_program(name.into(), question.into())).await;
        match asked {
            Ok(answer) => Ok(answer),
            Err(error) => Err(self.refused(error.at(|| self.path())).await),
        }
    }

    async fn ask_program<T: Data>(&self, name: Name, body: String) -> Result<T> {
        name.check()?;
        self.lives()?;
        if self.tree().journal.is_none() && self.tree().parts.approver.is_none() {
            return Err(Error::invalid(format!(
                "nobody can answer {name:?}: `ask` needs a journal, so that the run can wait, or an approver that answers"
            )));
        }
        let (path, nth) = self.path_below(&name);
        if self.has_under_way() {
            return Err(Error::invalid(format!(
                "{name:?} is asked while another effect or question of the same context is under way: ask in a branch (`cx.join`, `cx.branches`), with the context it is handed"
            )));
        }
        let journal = self.tree().journal.as_ref();
        let overlapped = journal.is_some_and(|it| it.overlapped(|| self.place_path()));
        self.begin_below(&format_args!("the question {name:?}"), nth, overlapped)?;
        let _under_way = UnderWay(self);
        self.alive()?;
        let user = self.user().map_or("", |it| it.as_str());
        let asking = Asking {
            binding: digest(&json!(["program", user, body])),
            question: Question::new(Origin::Program, path, name.as_str(), body),
            held: &[],
            accept: &|answer| T::from_value(answer.clone()).ok(),
        };
        match self.answer_to(asking).await? {
            Asked::Answered(answer, _) => Ok(answer),
            Asked::Waits => Err(Error::stopped("it waits for an answer")),
        }
    }

    /// The answer to a question: from the approver, else from the journal, else the question is
    /// open from now on.
    ///
    /// # Errors
    /// `Invalid` if nobody can answer; `Stopped` for a journal that can't go on.
    pub(crate) async fn answer_to<T: Send>(&self, asking: Asking<'_, T>) -> Result<Asked<T>> {
        match self.seek_answer(asking).await? {
            Sought::Found(answer, path) => Ok(Asked::Answered(answer, path)),
            Sought::Nowhere(unasked) => {
                self.open_question(*unasked).await?;
                Ok(Asked::Waits)
            }
        }
    }

    /// The answer to a question, if there is one already.
    pub(crate) async fn seek_answer<T: Send>(&self, asking: Asking<'_, T>) -> Result<Sought<T>> {
        let Asking {
            mut question,
            binding,
            held,
            accept,
        } = asking;
        for _ in 0..MAX_ANSWERS {
            let Some(value) = self.approver_says(&question).await else {
                break;
            };
            self.tell_answered(&question, &value);
            if let Some(answer) = accept(&value) {
                return Ok(Sought::Found(answer, None));
            }
        }
        let Some(journal) = &self.tree().journal else {
            let message = format!(
                "{}: there was no answer that fits, and without a journal the run can't wait",
                question.name
            );
            return Err(Error::new(ErrorKind::Denied, message));
        };
        let first = question.path.clone();
        for round in 1..=MAX_ROUNDS {
            if round > 1 {
                question.path = format!("{first}#round:{round}");
            }
            let record = journal.read(SlotKind::Answer, &question.path);
            let record: Option<AnswerRecord> = record.map_err(|e| self.broken(e))?;
            let Some(record) = record else {
                return Ok(Sought::Nowhere(Box::new(QuestionRecord {
                    question,
                    binding,
                })));
            };
            journal.stop_expecting(&question.path);
            if record.spent && !held.contains(&question.path) {
                continue;
            }
            if record.binding != binding {
                match question.origin {
                    // Whatever was approved, it wasn't this.
                    Origin::Approval => {
                        let message = format!(
                            "{}: the approval was given for other arguments",
                            question.name
                        );
                        return Err(Error::new(ErrorKind::Denied, message));
                    }
                    Origin::Program | Origin::Unfinished => continue,
                }
            }
            if let Some(answer) = accept(&record.answer) {
                self.tell_answered(&question, &record.answer);
                return Ok(Sought::Found(answer, Some(question.path)));
            }
        }
        let message = format!("the question at {first:?} was asked {MAX_ROUNDS} times");
        Err(Error::new(ErrorKind::LimitReached, message))
    }

    /// Writes a question unless it was, and counts it: from then on it is open, and whatever asked
    /// returns.
    pub(crate) async fn open_question(&self, unasked: QuestionRecord) -> Result<()> {
        let Some(journal) = &self.tree().journal else {
            return Err(Error::invalid("without a journal the run can't wait"));
        };
        let asked = record(SlotKind::Question, &unasked.question.path, &unasked);
        let asked = asked.map_err(|e| self.broken(e))?;
        let question = unasked.question;
        journal.expect(&question.path);
        let asking = EndAsking(journal, &question.path);
        let known = journal.get(SlotKind::Question, &question.path);
        let is_new = known.is_none_or(|before| before != asked.value);
        // One that is known may still wait to be written: it is written before it is counted.
        let unwritten = if is_new { vec![asked] } else { Vec::new() };
        journal.write(self, unwritten).await?;
        // No await from here on.
        if let Some(reservation) = self.take_reservation() {
            reservation.release();
        }
        let counted = self.count_question(&question);
        drop(asking);
        if !counted {
            return Err(Error::stopped("what asked is over"));
        }
        self.emit(EventKind::Asked {
            question: &question,
        });
        Ok(())
    }

    /// What the approver says at once, as an answer's JSON.
    async fn approver_says(&self, question: &Question) -> Option<Value> {
        let approver = self.tree().parts.approver.as_ref()?;
        if question.origin == Origin::Approval {
            // It may take long: others have it meanwhile, and the door reserves anew.
            if let Some(reservation) = self.take_reservation() {
                reservation.release();
            }
            self.emit(EventKind::Asked { question });
            let asked = caught(async { approver.approve(self, self.effect(), question).await });
            let approval = asked.await.unwrap_or_else(|panic| {
                Approval::Refused(format!("the approver panicked: {panic}"))
            });
            return serde_json::to_value(approval).ok();
        }
        let answer = caught(async { approver.answer(self, question).await });
        let answer = answer.await.ok().flatten();
        if answer.is_some() {
            self.emit(EventKind::Asked { question });
        }
        answer
    }

    fn tell_answered(&self, question: &Question, answer: &Value) {
        let approval = match question.origin {
            Origin::Approval => Approval::of(answer).ok(),
            Origin::Program | Origin::Unfinished => None,
        };
        let (refused, changed) = match &approval {
            Some(Approval::Refused(why)) => (Some(why.as_str()), None),
            Some(Approval::GrantedWith(arguments)) => (None, Some(arguments)),
            Some(Approval::Granted) => (None, None),
            None => ((*answer == false).then_some("the answer was no"), None),
        };
        self.emit(EventKind::Answered {
            question,
            refused,
            changed,
        });
    }

    /// A record that can't be read: the run ends.
    pub(crate) fn broken(&self, error: Error) -> Error {
        match &self.tree().journal {
            Some(journal) => journal.stop(self, Lost::Store(error)),
            None => error,
        }
    }
}

/// Something directly below a context that is under way.
struct UnderWay<'a>(&'a RunContext);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.end_below();
    }
}

struct EndAsking<'a>(&'a RunJournal, &'a str);

impl Drop for EndAsking<'_> {
    fn drop(&mut self) {
        self.0.stop_expecting(self.1);
    }
}
