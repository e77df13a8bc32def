//! The spans that this thread is inside of: while one is polled, its context is the current one.

use std::cell::RefCell;

use loom_core::SpanId;
use opentelemetry::{Context, ContextGuard};

struct Entered {
    span: SpanId,
    /// Makes the span's context the current one; absent for a span nobody knows.
    _current: Option<ContextGuard>,
}

thread_local! {
    static ENTERED: RefCell<Vec<Entered>> = const { RefCell::new(Vec::new()) };
}

/// Makes this context the current one until [`exit`].
pub(crate) fn enter(span: SpanId, context: Option<Context>) {
    let entered = Entered {
        span,
        _current: context.map(Context::attach),
    };
    // On a thread that is being torn down there is no stack any more, and nothing to nest.
    let _ = ENTERED.try_with(|stack| stack.borrow_mut().push(entered));
}

/// Leaves the span that was entered last by this id, also when it isn't the innermost one.
pub(crate) fn exit(span: SpanId) {
    let left = ENTERED.try_with(|stack| {
        let mut stack = stack.borrow_mut();
        let at = stack.iter().rposition(|it| it.span == span)?;
        Some(stack.remove(at))
    });
    // Dropped without the borrow: it may be the last hold on a span, whose end runs others' code.
    drop(left);
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{SpanContext, TraceContextExt, TraceFlags, TraceState};

    use super::*;

    fn in_span(n: u64) -> Context {
        Context::new().with_remote_span_context(SpanContext::new(
            1.into(),
            n.into(),
            TraceFlags::SAMPLED,
            false,
            TraceState::NONE,
        ))
    }

    fn current() -> u64 {
        let id = Context::map_current(|it| it.span().span_context().span_id());
        u64::from_be_bytes(id.to_bytes())
    }

    fn id(n: u64) -> SpanId {
        SpanId::new(n).unwrap()
    }

    #[test]
    fn spans_are_left_in_any_order_without_a_panic() {
        enter(id(1), Some(in_span(1)));
        enter(id(2), Some(in_span(2)));
        enter(id(3), None);
        assert_eq!(current(), 2);
        exit(id(1));
        assert_eq!(current(), 2);
        exit(id(9));
        exit(id(2));
        exit(id(3));
        exit(id(3));
        assert_eq!(current(), 0);
    }

    #[test]
    fn a_span_that_two_observers_entered_is_left_twice() {
        enter(id(1), Some(in_span(1)));
        enter(id(1), Some(in_span(4)));
        assert_eq!(current(), 4);
        exit(id(1));
        assert_eq!(current(), 1);
        exit(id(1));
        assert_eq!(current(), 0);
    }
}
