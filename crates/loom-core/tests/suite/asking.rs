//! All gates decide before anybody is bothered; people answer before the barriers are asked.

use std::sync::{Arc, Mutex};

use futures::executor::block_on;
use loom_core::{
    Approval, Approver, Effect, EffectKind, EffectView, ErrorKind, Gate, Loom, Question, Verdict,
};

use crate::recorded::{recorded_by, story};
use crate::steps::echo;

/// Always says the same, and writes down that it was asked.
struct Says(&'static str, Verdict, Log);

type Log = Arc<Mutex<Vec<&'static str>>>;

impl Gate for Says {
    fn name(&self) -> &str {
        self.0
    }

    async fn check(&self, _cx: &EffectView, _effect: &Effect) -> Verdict {
        self.2.lock().unwrap().push(self.0);
        self.1.clone()
    }
}

/// Refuses what this gate asks, and grants all else.
struct Person(&'static str, Log);

impl Approver for Person {
    async fn approve(&self, _: &EffectView, _: &Effect, question: &Question) -> Approval {
        self.1.lock().unwrap().push("person");
        match question.name == self.0 {
            true => Approval::Refused("I'd rather not".into()),
            false => Approval::Granted,
        }
    }
}

fn ask() -> Verdict {
    Verdict::Ask("may it?".into())
}

#[test]
fn gates_then_people_then_barriers_and_those_whom_barriers_want_asked() {
    let log = Log::default();
    let says = |name, verdict| Says(name, verdict, log.clone());
    let loom = Loom::builder()
        .barrier(says("written", Verdict::Allow))
        .gate(says("first", ask()))
        .barrier(says("counted", ask()))
        .gate(says("second", Verdict::Allow))
        .gate(says("third", ask()))
        .approver(Person("nobody", log.clone()));
    let (recorder, session) = recorded_by(loom);
    block_on(session.run(&echo, "go")).unwrap();
    assert_eq!(
        story(&recorder),
        [
            "open echo",
            "gate echo first allows",
            "gate echo second allows",
            "gate echo third allows",
            "ask echo first",
            "answer echo first: yes",
            "ask echo third",
            "answer echo third: yes",
            "gate echo written allows",
            "gate echo counted allows",
            "ask echo counted",
            "answer echo counted: yes",
            "close echo completed",
            "settled echo",
        ]
    );
    assert_eq!(
        *log.lock().unwrap(),
        [
            "first", "second", "third", "person", "person", "written", "counted", "person"
        ]
    );
}

#[test]
fn nobody_is_bothered_with_what_a_later_gate_denies() {
    let log = Log::default();
    let says = |name, verdict| Says(name, verdict, log.clone());
    let loom = Loom::builder()
        .gate(says("first", ask()))
        .gate(says("strict", Verdict::deny("never")))
        .gate(says("late", Verdict::Allow))
        .barrier(says("written", Verdict::Allow))
        .approver(Person("nobody", log.clone()));
    let (recorder, session) = recorded_by(loom);
    let error = block_on(session.run(&echo, "go")).unwrap_err();
    assert_eq!(error.message(), "strict: never");
    assert_eq!(*log.lock().unwrap(), ["first", "strict"]);
    assert_eq!(
        story(&recorder),
        [
            "open echo",
            "gate echo first allows",
            "gate echo strict denies: never",
            "close echo denied",
            "settled echo",
        ]
    );
}

#[test]
fn the_first_refusal_ends_the_asking_and_no_barrier_is_asked() {
    let log = Log::default();
    let says = |name, verdict| Says(name, verdict, log.clone());
    let loom = Loom::builder()
        .gate(says("first", ask()))
        .gate(says("second", ask()))
        .barrier(says("written", Verdict::Allow))
        .approver(Person("first", log.clone()));
    let (recorder, session) = recorded_by(loom);
    let error = block_on(session.run(&echo, "go")).unwrap_err();
    assert_eq!(
        (error.error().kind(), error.message()),
        (ErrorKind::Denied, "first: I'd rather not")
    );
    assert_eq!(*log.lock().unwrap(), ["first", "second", "person"]);
    assert_eq!(
        story(&recorder)[3..],
        [
            "ask echo first",
            "answer echo first: no, I'd rather not",
            "close echo denied",
            "settled echo",
        ]
    );
}

#[test]
fn a_barrier_denies_what_people_granted() {
    let log = Log::default();
    let says = |name, verdict| Says(name, verdict, log.clone());
    let loom = Loom::builder()
        .gate(says("first", ask()))
        .barrier(says("written", Verdict::deny("the disk is full")))
        .approver(Person("nobody", log.clone()));
    let (recorder, session) = recorded_by(loom);
    let error = block_on(session.run(&echo, "go")).unwrap_err();
    assert_eq!(error.message(), "written: the disk is full");
    assert_eq!(
        story(&recorder)[3..5],
        [
            "answer echo first: yes",
            "gate echo written denies: the disk is full"
        ]
    );
}

#[test]
fn without_anybody_to_ask_the_question_is_decided_as_a_refusal_and_nobody_was_asked() {
    let log = Log::default();
    let (recorder, session) = recorded_by(Loom::builder().gate(Says("first", ask(), log)));
    let error = block_on(session.run(&echo, "go")).unwrap_err();
    assert_eq!(
        (error.error().kind(), error.message()),
        (
            ErrorKind::Denied,
            "first: may it? Nobody can be asked: there is no approver"
        )
    );
    assert_eq!(
        story(&recorder),
        [
            "open echo",
            "gate echo first allows",
            "gate echo first denies: may it? Nobody can be asked: there is no approver",
            "close echo denied",
            "settled echo"
        ]
    );
}

/// Is only concerned with tools, or panics when it is asked whether.
struct Concerned {
    panics: bool,
}

impl Gate for Concerned {
    fn name(&self) -> &str {
        "concerned"
    }

    fn concerns(&self, effect: &Effect) -> bool {
        assert!(!self.panics, "who knows");
        effect.kind() == EffectKind::Tool
    }

    async fn check(&self, _cx: &EffectView, _effect: &Effect) -> Verdict {
        Verdict::deny("no")
    }
}

#[test]
fn a_gate_is_asked_only_about_what_concerns_it_and_denies_when_it_can_not_tell() {
    let (recorder, session) = recorded_by(Loom::builder().gate(Concerned { panics: false }));
    block_on(session.run(&echo, "go")).unwrap();
    assert_eq!(
        story(&recorder),
        ["open echo", "close echo completed", "settled echo"]
    );
    let (recorder, session) = recorded_by(Loom::builder().gate(Concerned { panics: true }));
    let error = block_on(session.run(&echo, "go")).unwrap_err();
    assert_eq!(error.error().kind(), ErrorKind::Denied);
    assert_eq!(
        story(&recorder)[1],
        "gate echo concerned denies: it panicked: who knows"
    );
}
