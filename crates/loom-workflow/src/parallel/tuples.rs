//! Tuples of branches: each branch has a type of its own, and so has each output.

use loom_core::{Accepts, Branch, Data, Error, ErrorKind, IntoStep, Result, RunContext};

use crate::discard::discard;
use crate::node::StepNode;
use crate::parallel::settle::{Settle, Settled, Settling};
use crate::parallel::{Branches, Placed, Places};

/// The branches' nodes; `Settle` around them collects results.
#[doc(hidden)]
pub struct PlacedTuple<N>(N);

/// Each branch stores its own output, so that the branches have one type among themselves.
macro_rules! tuple {
    ($($S:ident $J:ident $M:ident $out:ident $i:tt),+) => {
        impl<T, $($S, $J, $M),+> Branches<T, ($(($J, $M),)+)> for ($($S,)+)
        where
            T: Clone + Send + Sync + 'static,
            $($J: Accepts<T> + Data, $M: 'static, $S: IntoStep<$J, $M>, $S::Out: Data,)+
        {
            type Out = ($($S::Out,)+);
            type Placed = PlacedTuple<($(StepNode<T, $J, $M, $S>,)+)>;

            fn place(self, places: &mut Places<'_>) -> Self::Placed {
                PlacedTuple(($(places.node(self.$i),)+))
            }
        }

        impl<T, $($S, $J, $M),+> Placed<T> for PlacedTuple<($(StepNode<T, $J, $M, $S>,)+)>
        where
            T: Clone + Send + Sync + 'static,
            $($J: Accepts<T> + Data, $M: 'static, $S: IntoStep<$J, $M>, $S::Out: Data,)+
        {
            type Out = ($($S::Out,)+);

            async fn run(&self, cx: &RunContext, input: T) -> Result<Self::Out> {
                $(let mut $out = None;)+
                let branches = [$({
                    let (node, input, out) = (&self.0.$i, input.clone(), &mut $out);
                    Branch::of_one_effect(move |cx| async move {
                        *out = Some(node.perform(&cx, input).await?);
                        Ok(())
                    })
                }),+];
                if let Err(error) = cx.join(usize::MAX, branches).await {
                    $(discard($out);)+
                    return Err(error);
                }
                Ok(($($out.ok_or_else(missing)?,)+))
            }
        }

        impl<T, $($S, $J, $M),+> Branches<T, ($(($J, $M),)+)> for Settle<($($S,)+)>
        where
            T: Clone + Send + Sync + 'static,
            $($J: Accepts<T> + Data, $M: 'static, $S: IntoStep<$J, $M>, $S::Out: Data,)+
        {
            type Out = ($(Settled<$S::Out>,)+);
            type Placed = Settle<PlacedTuple<($(StepNode<T, $J, $M, $S>,)+)>>;

            fn place(self, places: &mut Places<'_>) -> Self::Placed {
                let PlacedTuple(nodes) = self.0.place(places);
                places.outline.settle();
                Settle(PlacedTuple(($(nodes.$i.keeping_failure(),)+)))
            }
        }

        impl<T, $($S, $J, $M),+> Placed<T> for Settle<PlacedTuple<($(StepNode<T, $J, $M, $S>,)+)>>
        where
            T: Clone + Send + Sync + 'static,
            $($J: Accepts<T> + Data, $M: 'static, $S: IntoStep<$J, $M>, $S::Out: Data,)+
        {
            type Out = ($(Settled<$S::Out>,)+);

            async fn run(&self, cx: &RunContext, input: T) -> Result<Self::Out> {
                $(let mut $out = None;)+
                let branches = [$({
                    let (node, input, out) = (&(self.0).0.$i, input.clone(), &mut $out);
                    Branch::of_one_effect(move |cx| async move {
                        *out = Some(Settled::of(node.perform(&cx, input).await)?);
                        Ok(())
                    })
                }),+];
                if let Err(error) = cx.join(usize::MAX, branches).await {
                    $(discard($out);)+
                    return Err(error);
                }
                Ok(($($out.ok_or_else(missing)?,)+))
            }
        }

        impl<$($S),+> Settling for ($($S,)+) {
            fn settle(self) -> Settle<Self> {
                Settle(self)
            }
        }
    };
}

tuple!(A JA MA a 0, B JB MB b 1);
tuple!(A JA MA a 0, B JB MB b 1, C JC MC c 2);
tuple!(A JA MA a 0, B JB MB b 1, C JC MC c 2, D JD MD d 3);
tuple!(A JA MA a 0, B JB MB b 1, C JC MC c 2, D JD MD d 3, E JE ME e 4);
tuple!(A JA MA a 0, B JB MB b 1, C JC MC c 2, D JD MD d 3, E JE ME e 4, F JF MF f 5);
tuple!(A JA MA a 0, B JB MB b 1, C JC MC c 2, D JD MD d 3, E JE ME e 4, F JF MF f 5, G JG MG g 6);
tuple!(A JA MA a 0, B JB MB b 1, C JC MC c 2, D JD MD d 3, E JE ME e 4, F JF MF f 5, G JG MG g 6, H JH MH h 7);

/// `join` gives no outputs unless every branch gave its own.
fn missing() -> Error {
    Error::new(ErrorKind::Failed, "a branch ended without an output")
}
