//! `Accepts`: which outputs flow into which inputs.

/// An input type says here which outputs flow into it: every `T` into `T`, and whatever else the
/// type accepts (an agent's prompt accepts every value that can be written).
///
/// ```
/// use loom_core::Accepts;
///
/// struct Celsius(f64);
///
/// impl Accepts<f64> for Celsius {
///     fn accept(degrees: f64) -> Self {
///         Celsius(degrees)
///     }
/// }
///
/// assert_eq!(Celsius::accept(21.5).0, 21.5);
/// assert_eq!(String::accept("as it is".to_owned()), "as it is");
/// ```
#[diagnostic::on_unimplemented(
    message = "a step that takes `{Self}` can't follow a step that gives `{T}`",
    label = "this step takes `{Self}`, the step before it gives `{T}`",
    note = "put a step or `.map(|it| ..)` between them"
)]
pub trait Accepts<T>: Send + 'static {
    /// The input made from the output.
    fn accept(it: T) -> Self;
}

impl<T: Send + 'static> Accepts<T> for T {
    fn accept(it: T) -> T {
        it
    }
}
