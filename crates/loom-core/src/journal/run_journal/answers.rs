//! Which answer a question finds in the journal, and when it has to be asked again.

use serde_json::Value;

use crate::data::Data;
use crate::error::{Error, ErrorKind, Result};
use crate::journal::{AnswerRecord, RunJournal, Slot, Status};
use crate::question::Question;
use crate::tree::unpoisoned;

/// How often one question may be asked.
const ROUNDS_MAX: u32 = 1_000;

/// What the journal says of a question.
pub(crate) enum Answer {
    /// Nobody answered yet.
    None,
    /// This was answered.
    Given(Value),
    /// This, something else, was asked here when somebody answered.
    ToAnother(Value),
}

impl RunJournal {
    /// The answer to a question. One that was answered and whose answer is spent is asked again at
    /// a path of its own, which the question and its record are given.
    pub(crate) async fn answer_to(
        &self,
        question: &mut Question,
        asked: &mut Value,
    ) -> Result<Answer> {
        let first = question.path.clone();
        for round in 1..=ROUNDS_MAX {
            if round > 1 {
                question.path = format!("{first}#round:{round}");
                asked["path"] = question.path.clone().into();
            }
            let Some(record) = self.get(Slot::Answer(&question.path)).await? else {
                return Ok(Answer::None);
            };
            let record = AnswerRecord::from_value(record)?;
            if record.spent {
                continue;
            }
            // First: what it let happen was had, whatever is asked about now.
            if unpoisoned(&self.used).contains(&question.path) {
                self.spend(&question.path).await?;
                continue;
            }
            if record.question != *asked {
                return Ok(Answer::ToAnother(record.question));
            }
            self.waits_no_more_for(&question.path);
            self.write_record().await?;
            return Ok(Answer::Given(record.answer));
        }
        let message = format!("the question at {first:?} was asked {ROUNDS_MAX} times");
        Err(Error::new(ErrorKind::Interrupted, message))
    }

    /// Records that a question was asked: from now on the run waits for its answer, unless this
    /// attempt ends in another way than waiting.
    pub(crate) async fn ask(&self, question: &Question, asked: Value) -> Result<()> {
        self.put(Slot::Question(&question.path), asked).await?;
        if self.waits_for(question) {
            unpoisoned(&self.asked).push(question.path.clone());
        }
        self.write_record().await
    }

    /// Records that a question was asked again, since its answer was none: however this attempt
    /// ends, the run waits for another.
    pub(crate) async fn ask_again(&self, question: &Question, asked: Value) -> Result<()> {
        self.put(Slot::Question(&question.path), asked).await?;
        self.waits_for(question);
        self.write_record().await
    }

    /// Forgets what was asked in this attempt; what the run waited for before stays.
    pub(crate) fn waits_no_more_for_what_it_asked(&self) {
        let asked = std::mem::take(&mut *unpoisoned(&self.asked));
        for path in asked {
            self.waits_no_more_for(&path);
        }
    }

    /// Whether it didn't wait for this one already.
    fn waits_for(&self, question: &Question) -> bool {
        let mut record = unpoisoned(&self.record);
        let mut questions = match &mut record.status {
            Status::Paused(questions) => std::mem::take(questions),
            Status::Open | Status::Ended => Vec::new(),
        };
        let before = questions.len();
        questions.retain(|it| it.path != question.path);
        let is_new = questions.len() == before;
        questions.push(question.clone());
        record.status = Status::Paused(questions);
        is_new
    }

    /// Says that these approvals let something happen: in this attempt they do so no more.
    pub(crate) fn use_up(&self, approvals: Vec<String>) {
        unpoisoned(&self.pending).extend(approvals.iter().cloned());
        unpoisoned(&self.used).extend(approvals);
    }

    /// Says that what the approvals at paths that begin so let happen has come to an end, and that
    /// this is recorded.
    pub(crate) fn is_settled(&self, prefix: &str) {
        unpoisoned(&self.pending).retain(|it| !it.starts_with(prefix));
    }

    /// Says for all attempts that the approvals of what was begun in this one and given up are used
    /// up: it may have happened.
    pub(crate) async fn spend_given_up(&self) -> Result<()> {
        let given_up = std::mem::take(&mut *unpoisoned(&self.pending));
        for path in given_up {
            self.spend(&path).await?;
        }
        Ok(())
    }

    /// Says for all attempts that the approvals at paths that begin so are used up: what they let
    /// happen has come to an end.
    pub(crate) async fn spend_all(&self, prefix: &str) -> Result<()> {
        let used = |it: &&String| it.starts_with(prefix);
        let mut spent: Vec<_> = unpoisoned(&self.used)
            .iter()
            .filter(used)
            .cloned()
            .collect();
        spent.sort();
        for path in spent {
            self.spend(&path).await?;
        }
        Ok(())
    }

    /// Says that the answer at this path is no answer any more.
    pub(crate) async fn spend(&self, path: &str) -> Result<()> {
        let Some(record) = self.get(Slot::Answer(path)).await? else {
            return Ok(());
        };
        let record = AnswerRecord {
            spent: true,
            ..AnswerRecord::from_value(record)?
        };
        self.put(Slot::Answer(path), record.to_value()?).await
    }

    fn waits_no_more_for(&self, path: &str) {
        let mut record = unpoisoned(&self.record);
        if let Status::Paused(questions) = &mut record.status {
            questions.retain(|it| it.path != path);
            if questions.is_empty() {
                record.status = Status::Open;
            }
        }
    }
}
