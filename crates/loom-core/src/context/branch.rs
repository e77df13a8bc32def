//! Contexts of branches: what runs concurrently below one effect has a place of its own.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::context::frame::{DECIDED, GIVEN_UP, OPENED, OVER, Place, REFUSED};
use crate::context::{EffectView, RunContext};
use crate::ending::CancelReason;
use crate::name::Name;
use crate::path::push_branch;

/// One branch of an effect: where its steps and questions are counted.
pub(super) struct BranchFrame {
    /// The context the branch was made in.
    pub(super) up: RunContext,
    /// How the branch stands in paths; a branch without one counts where it was made.
    segment: Option<Segment>,
    /// Which branch of that segment this is where it was made, counted from 1.
    nth: u32,
    /// Whether it opens one effect, in the poll in which it begins.
    is_of_one_effect: bool,
    pub(super) place: Place,
}

/// What tells a branch apart from its siblings in paths.
#[derive(Clone, Debug)]
pub(crate) enum Segment {
    /// `[index]`.
    Index(usize),
    Name(Name),
}

impl Segment {
    fn text(&self) -> Name {
        match self {
            Self::Index(index) => index.to_string().into(),
            Self::Name(name) => name.clone(),
        }
    }
}

impl RunContext {
    /// A context of this effect with a place of its own.
    pub(crate) fn branch(&self, segment: Option<Segment>) -> Self {
        self.branch_with(segment, false)
    }

    /// A context of this effect with a place of its own, for one effect that is distinguished by
    /// itself.
    pub(crate) fn branch_of_one_effect(&self) -> Self {
        self.branch_with(None, true)
    }

    fn branch_with(&self, segment: Option<Segment>, is_of_one_effect: bool) -> Self {
        let count = |segment: &Segment| {
            let text = segment.text();
            let place = self.counting_place();
            place.with_state(|state| state.siblings.count_branch(&text))
        };
        Self {
            view: EffectView(self.view.0.clone()),
            branch: Some(Arc::new(BranchFrame {
                up: self.clone(),
                nth: segment.as_ref().map_or(1, count),
                segment,
                is_of_one_effect,
                place: Place::default(),
            })),
        }
    }

    /// Ends this branch for this reason, after its future was dropped: what was taken from it to
    /// other tasks closes, and what it asked is withdrawn.
    pub(crate) fn end_branch(&self, why: CancelReason) {
        self.place().mark(OVER);
        self.close_strays(why);
        self.withdraw();
    }

    /// Says that this branch's future has returned; whether it waits for an answer.
    pub(crate) fn branch_returned(&self) -> bool {
        self.place().mark(OVER);
        self.waits()
    }

    /// Whether something below this place waits for an answer, or was refused for that.
    pub(crate) fn waits(&self) -> bool {
        let place = self.place();
        place.questions.load(Ordering::SeqCst) > 0 || place.is_marked(REFUSED)
    }

    pub(crate) fn is_given_up(&self) -> bool {
        self.place().is_marked(GIVEN_UP)
    }

    pub(super) fn is_branch_over(&self) -> bool {
        self.branches_around()
            .any(|branch| branch.place.is_marked(OVER))
    }

    pub(super) fn is_settled_above(&self) -> bool {
        let above = std::iter::successors(self.up(), |cx| cx.up());
        above
            .into_iter()
            .any(|cx| cx.place().is_marked(DECIDED | REFUSED))
    }

    /// Whether this context lies in that branch.
    pub(crate) fn is_within(&self, branch: &RunContext) -> bool {
        let Some(wanted) = &branch.branch else {
            return true;
        };
        self.branches_around().any(|it| std::ptr::eq(it, &**wanted))
    }

    /// The branches of this effect that this context lies in, the innermost first.
    fn branches_around(&self) -> impl Iterator<Item = &BranchFrame> {
        std::iter::successors(self.branch.as_deref(), |it| it.up.branch.as_deref())
    }

    /// What effects open below and questions are asked in: the effect, or its branch.
    pub(super) fn place(&self) -> &Place {
        match &self.branch {
            Some(branch) => &branch.place,
            None => &self.frame().place,
        }
    }

    /// The context around this place.
    pub(super) fn up(&self) -> Option<&RunContext> {
        match &self.branch {
            Some(branch) => Some(&branch.up),
            None => self.frame().parent.as_ref(),
        }
    }

    /// Where names are counted: a branch without a segment counts where it was made.
    pub(super) fn counting_place(&self) -> &Place {
        let mut branch = self.branch.as_deref();
        while let Some(it) = branch {
            if it.segment.is_some() {
                return &it.place;
            }
            branch = it.up.branch.as_deref();
        }
        &self.frame().place
    }

    /// Whether a branch of one effect opens it in the order in which branches began, which is once
    /// and before it waits; `None` in any other place.
    pub(super) fn opens_in_order(&self) -> Option<bool> {
        let own = self.branch.as_deref().filter(|it| it.is_of_one_effect)?;
        Some(!own.place.was_marked(OPENED))
    }

    /// Says that this branch waits; what it opens after that is counted whenever it does.
    pub(crate) fn branch_waits(&self) {
        if self.branch.as_deref().is_some_and(|it| it.is_of_one_effect) {
            self.place().mark(OPENED);
        }
    }

    /// Writes where this place stands: the effect's path, and the branch's segment.
    pub(super) fn push_place(&self, path: &mut String) {
        match &self.branch {
            None => self.push_path(path),
            Some(branch) => {
                branch.up.push_place(path);
                if let Some(segment) = &branch.segment {
                    push_branch(path, &segment.text(), branch.nth);
                }
            }
        }
    }

    /// Where this place stands.
    pub(crate) fn place_path(&self) -> String {
        let mut path = String::new();
        self.push_place(&mut path);
        path
    }
}
