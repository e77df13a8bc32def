//! The tests again, with twenty times the random cases (proptest's own default is 256), and a hundred
//! times the crashes.

use crate::cargo::tests_with;
use crate::failure::Outcome;
use crate::options::Options;
use crate::workspace::Workspace;

pub(crate) fn run(workspace: &Workspace, _: Options) -> Outcome {
    let cases = [("PROPTEST_CASES", "5120"), ("CRASH_CASES", "100000")];
    tests_with(workspace, &cases)
}
