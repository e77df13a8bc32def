//! The tests again, with twenty times the random cases (proptest's own default is 256).

use crate::cargo::tests_with;
use crate::failure::Outcome;
use crate::options::Options;
use crate::workspace::Workspace;

pub(crate) fn run(workspace: &Workspace, _: Options) -> Outcome {
    tests_with(workspace, &[("PROPTEST_CASES", "5120")])
}
