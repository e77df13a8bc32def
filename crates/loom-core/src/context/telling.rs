//! What observers learn of an effect.

use crate::attributes::{AttrValue, Attributes};
use crate::context::RunContext;
use crate::context::frame::Pending;
use crate::event::{Event, EventKind, Note};

impl RunContext {
    /// Notes something of this effect's span; names are static, details go into the attributes.
    pub fn note(&self, name: &'static str, attributes: &Attributes) {
        if self.is_open() {
            self.tell_note(&Note::Custom { name }, attributes);
        }
    }

    pub(crate) fn tell_note(&self, note: &Note, attributes: &Attributes) {
        self.emit(EventKind::Noted { note, attributes });
    }

    /// Records attributes that this effect closes with.
    pub fn record(&self, attributes: Attributes) {
        if self.is_watched() {
            self.frame()
                .place
                .with_state(|state| state.recorded.extend(attributes));
        }
    }

    /// Records one attribute that this effect closes with.
    pub fn record_one(&self, name: &'static str, value: impl Into<AttrValue>) {
        if self.is_watched() {
            self.frame()
                .place
                .with_state(|state| state.recorded.set(name, value));
        }
    }

    /// Hands a piece of a streamed reply to observers.
    pub fn delta(&self, text: &str) {
        if !text.is_empty() && self.is_open() {
            self.emit(EventKind::Delta { text });
        }
    }

    pub(crate) fn take_recorded(&self) -> Attributes {
        let taken = self
            .frame()
            .place
            .if_state(|state| std::mem::take(&mut state.recorded));
        taken.unwrap_or_default()
    }

    pub(crate) fn set_pending(&self, pending: Pending) {
        self.frame()
            .place
            .with_state(|state| state.pending = Some(Box::new(pending)));
    }

    pub(crate) fn take_pending(&self) -> Option<Pending> {
        let taken = self.frame().place.if_state(|state| state.pending.take());
        taken.flatten().map(|boxed| *boxed)
    }

    pub(crate) fn is_watched(&self) -> bool {
        self.frame().tree.is_watched()
    }

    /// Tells observers of something that happens to this effect, unless it has closed.
    pub(crate) fn emit(&self, kind: EventKind<'_>) {
        if self.is_watched() && self.life().hold() {
            self.tell(kind);
            self.let_go();
            self.tree().wake_reader();
        }
    }

    /// The same of an effect whose closing the caller holds back. The caller wakes the
    /// stream's reader afterwards.
    pub(crate) fn tell(&self, kind: EventKind<'_>) {
        if self.is_watched() {
            let event = Event {
                cx: self,
                at: self.frame().tree.now(),
                kind,
            };
            self.frame().tree.tell(&event);
        }
    }
}
