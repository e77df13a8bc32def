//! `Handles`: what a node takes, as one handle, a tuple of them or a list.

use loom_core::Result;

use crate::dag::values::Values;
use crate::dag::var::{Place, Var};

/// What a node of a [`Dag`](crate::Dag) takes: a [`Var`], a tuple of two to eight, a list of
/// handles of one type (`Vec` or array, taken as a `Vec`), and these within each other.
///
/// Several nodes may take one value, so it must be `Clone`; the last to begin gets the value
/// itself.
///
/// ```
/// use loom_core::{Loom, Result};
/// use loom_workflow::Dag;
///
/// async fn double(n: u64) -> Result<u64> {
///     Ok(2 * n)
/// }
/// async fn sum((n, doubled): (u64, Vec<u64>)) -> Result<u64> {
///     Ok(n + doubled.iter().sum::<u64>())
/// }
///
/// # futures::executor::block_on(async {
/// let (mut dag, n) = Dag::<u64>::new("sum");
/// let doubled: Vec<_> = (1..=3).map(|i| dag.node(format!("double {i}"), n, double)).collect();
/// let sum = dag.node("sum", (n, doubled), sum);
/// let workflow = dag.output(sum)?;
/// assert_eq!(Loom::builder().build().session("alice").run(&workflow, 5u64).await?.output, 35);
/// # Ok::<(), loom_core::Error>(())
/// # }).unwrap();
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no handle on what a node takes",
    label = "not a handle, or one on a value that isn't `Clone`",
    note = "give a `Var`, a tuple of two to eight handles, or a `Vec` or array of handles of one type; what they stand for must be `Clone`, since several nodes may take it"
)]
pub trait Handles: Send + Sync + 'static {
    /// What the node gets.
    type Value: Send + 'static;

    /// Where its values stand, in order.
    #[doc(hidden)]
    fn places(&self, to: &mut Vec<Place>);

    /// Takes the values, each of which is there.
    #[doc(hidden)]
    fn take(&self, values: &mut Values) -> Result<Self::Value>;
}

impl<T: Clone + Send + 'static> Handles for Var<T> {
    type Value = T;

    fn places(&self, to: &mut Vec<Place>) {
        to.push(self.place());
    }

    fn take(&self, values: &mut Values) -> Result<T> {
        values.take(self.place().index)
    }
}

impl<V: Handles> Handles for Vec<V> {
    type Value = Vec<V::Value>;

    fn places(&self, to: &mut Vec<Place>) {
        self.iter().for_each(|it| it.places(to));
    }

    fn take(&self, values: &mut Values) -> Result<Vec<V::Value>> {
        self.iter().map(|it| it.take(values)).collect()
    }
}

impl<V: Handles, const N: usize> Handles for [V; N] {
    type Value = Vec<V::Value>;

    fn places(&self, to: &mut Vec<Place>) {
        self.iter().for_each(|it| it.places(to));
    }

    fn take(&self, values: &mut Values) -> Result<Vec<V::Value>> {
        self.iter().map(|it| it.take(values)).collect()
    }
}

macro_rules! tuple {
    ($($V:ident $i:tt),+) => {
        impl<$($V: Handles),+> Handles for ($($V,)+) {
            type Value = ($($V::Value,)+);

            fn places(&self, to: &mut Vec<Place>) {
                $(self.$i.places(to);)+
            }

            fn take(&self, values: &mut Values) -> Result<Self::Value> {
                Ok(($(self.$i.take(values)?,)+))
            }
        }
    };
}

tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);
tuple!(A 0, B 1, C 2, D 3, E 4);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
