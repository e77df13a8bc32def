//! `discard`: drops what nobody gets.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Drops a value of a user's own type where something else has decided how the run continues. A
/// destructor that panics changes nothing of that.
pub(crate) fn discard<T>(value: T) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
        // Dropping it could panic again, out here.
        std::mem::forget(panic);
    }
}
