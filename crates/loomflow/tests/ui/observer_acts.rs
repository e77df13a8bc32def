//! An observer that wants to act in the run that it watches.

use loomflow::{Attributes, Event, Observer};

struct Meddles;

impl Observer for Meddles {
    fn on_event(&self, event: &Event<'_>) {
        event.cx.note("seen", &Attributes::new());
        event.cx.handle().cancel();
    }
}

fn main() {}
