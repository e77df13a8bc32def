//! Which of the running bodies ends next: an interleaving is a list of choices.

use crate::trace::Trace;

/// Chooses by a list, and the first one once the list is over.
pub(crate) fn by(choices: &[usize]) -> impl FnMut(usize) -> usize {
    let mut choices = choices.iter();
    move |running| choices.next().map_or(0, |it| it % running)
}

/// Traces of all interleavings, up to so many.
pub(crate) fn all(most: usize, mut trace: impl FnMut(&[usize]) -> Trace) -> Vec<Trace> {
    let mut traces = Vec::new();
    let mut choices = Vec::new();
    while traces.len() < most {
        let it = trace(&choices);
        choices.resize(it.running.len(), 0);
        let running = it.running.clone();
        traces.push(it);
        // The last choice that has another one after it is changed, and all after it begin anew.
        let last = (0..choices.len()).rfind(|i| choices[*i] + 1 < running[*i]);
        let Some(last) = last else { break };
        choices[last] += 1;
        choices.truncate(last + 1);
    }
    traces
}
