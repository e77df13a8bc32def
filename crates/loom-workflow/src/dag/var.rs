//! `Var`: a handle on what a node of a dag will give.

use std::fmt;
use std::marker::PhantomData;

/// A handle on a value that a [`Dag`](crate::Dag) will have while it runs: its input, or what one
/// of its nodes gives. Given to further nodes, as often as wanted.
///
/// ```
/// use loom_core::Result;
/// use loom_workflow::{Dag, Var};
///
/// async fn double(n: u64) -> Result<u64> {
///     Ok(2 * n)
/// }
/// async fn add((one, other): (u64, u64)) -> Result<u64> {
///     Ok(one + other)
/// }
///
/// let (mut dag, n) = Dag::<u64>::new("triple");
/// let doubled: Var<u64> = dag.node("double", n, double);
/// let sum = dag.node("add", (n, doubled), add);
/// assert!(dag.output(sum).is_ok());
/// ```
#[must_use = "a node whose output nothing takes is an error of `Dag::output`"]
pub struct Var<T> {
    place: Place,
    types: PhantomData<fn() -> T>,
}

/// Where a value stands: in which dag, and which of its values it is.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub(crate) dag: u64,
    /// 0 is the dag's input, the others are its nodes from 1 on.
    pub(crate) index: usize,
}

impl<T> Var<T> {
    pub(crate) fn at(place: Place) -> Self {
        Self {
            place,
            types: PhantomData,
        }
    }

    pub(crate) fn place(self) -> Place {
        self.place
    }
}

impl<T> Clone for Var<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Var<T> {}

impl<T> fmt::Debug for Var<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Var({})", self.place.index)
    }
}
