//! `Install`: a part that takes several seats at once.

use crate::loom::LoomBuilder;

/// A part that needs more than one seat, for example one that watches and decides.
///
/// It takes its seats in one call, so that it can't be wired by half: it implements neither
/// [`Observer`](crate::Observer) nor [`Gate`](crate::Gate) in public.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicBool, Ordering};
/// use loom_core::{Effect, EffectView, Event, Gate, Install, Loom, LoomBuilder, Observer, Verdict};
///
/// /// Lets nothing happen any more once anything was closed.
/// #[derive(Clone, Default)]
/// pub struct OneShot(Arc<AtomicBool>);
///
/// struct Watch(OneShot);
/// impl Observer for Watch {
///     fn on_event(&self, event: &Event<'_>) {
///         if let loom_core::EventKind::Closed(_) = event.kind {
///             self.0.0.store(true, Ordering::Relaxed);
///         }
///     }
/// }
///
/// struct Decide(OneShot);
/// impl Gate for Decide {
///     fn name(&self) -> &str {
///         "one_shot"
///     }
///     async fn check(&self, _view: &EffectView, _effect: &Effect) -> Verdict {
///         match self.0.0.load(Ordering::Relaxed) {
///             true => Verdict::deny("the shot is fired"),
///             false => Verdict::Allow,
///         }
///     }
/// }
///
/// impl Install for OneShot {
///     fn install(self, loom: LoomBuilder) -> LoomBuilder {
///         loom.observe(Watch(self.clone())).gate(Decide(self))
///     }
/// }
///
/// let loom = Loom::builder().install(OneShot::default()).build();
/// # let _ = loom;
/// ```
pub trait Install {
    /// Takes the part's seats.
    fn install(self, loom: LoomBuilder) -> LoomBuilder;
}
