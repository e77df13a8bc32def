//! What a run waits for, as its journal is told.

use std::sync::Arc;

use crate::error::Result;
use crate::journal::record::{IntentRecord, IntentState, written};
use crate::journal::run_journal::{RunJournal, called};
use crate::journal::{Record, SlotKey, SlotKind};
use crate::tree::unpoisoned;

impl RunJournal {
    /// Says that a question is about to be written.
    pub(crate) fn begin_asking(&self, path: &str) {
        let mut queue = unpoisoned(&self.queue);
        queue.asking.push(path.to_owned());
        queue.carried.retain(|it| it != path);
    }

    /// Says that a question an earlier attempt waited for has its answer.
    pub(crate) fn is_answered(&self, path: &str) {
        unpoisoned(&self.queue).carried.retain(|it| it != path);
    }

    /// Says that a question is counted, or isn't asked after all.
    pub(crate) fn end_asking(&self, path: &str) {
        unpoisoned(&self.queue).asking.retain(|it| it != path);
    }

    /// Says that an effect with an intent closed as paused: when the run is resumed, it is entered
    /// again.
    pub(crate) fn pause_intent(&self, path: String, mut intent: IntentRecord) {
        intent.state = IntentState::Paused;
        let mut queue = unpoisoned(&self.queue);
        queue.paused.retain(|(it, _)| *it != path);
        queue.paused.push((path, intent));
    }

    /// Says that an effect is entered again, in this attempt.
    pub(crate) fn reenter_intent(&self, path: &str) {
        unpoisoned(&self.queue).paused.retain(|(it, _)| it != path);
    }

    /// Takes over the answers that were given while this attempt ran.
    pub(crate) async fn take_answers(&self, asked: &[String]) -> Result<()> {
        for path in asked {
            let key = SlotKey::new(SlotKind::Answer, path.clone());
            let answer = called("read", self.store.read(&self.lease.run, &key)).await??;
            if let Some(answer) = answer {
                unpoisoned(&self.known).put(Record {
                    key,
                    value: Arc::new(answer),
                });
            }
        }
        Ok(())
    }

    /// Takes over those answers, and begins the next attempt under the same lease.
    pub(crate) async fn next_attempt(&self, asked: &[String]) -> Result<()> {
        self.take_answers(asked).await?;
        let mut queue = unpoisoned(&self.queue);
        let paused = std::mem::take(&mut queue.paused);
        queue.attempt += 1;
        queue.carried = asked.to_vec();
        drop(queue);
        let mut known = unpoisoned(&self.known);
        for (path, intent) in paused {
            known.put(Record {
                key: SlotKey::new(SlotKind::Intent, path),
                value: Arc::new(written(&intent)?),
            });
        }
        Ok(())
    }
}
