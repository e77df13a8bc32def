//! Nodes of a dag from which no way leads to its output.

use loom_core::Info;

/// What is wrong with each of them, in order. Places count the input as 0 and the nodes from 1.
pub(crate) fn nodes(parts: &[Info], takes: &[Vec<usize>], ends: &[usize]) -> Vec<String> {
    let mut leads = vec![false; parts.len() + 1];
    let mut is_taken = leads.clone();
    for place in ends {
        leads[*place] = true;
    }
    // A node takes only from those before it, so whoever takes from one was looked at already.
    for (node, places) in takes.iter().enumerate().rev() {
        for place in places {
            is_taken[*place] = true;
            leads[*place] |= leads[node + 1];
        }
    }
    let wrong = parts
        .iter()
        .enumerate()
        .filter(|(node, _)| !leads[node + 1]);
    wrong
        .map(|(node, part)| {
            let why = match is_taken[node + 1] {
                true => "whatever takes what it gives leads nowhere either",
                false => "nothing takes what it gives",
            };
            format!("the node {:?} leads nowhere: {why}", part.name)
        })
        .collect()
}
