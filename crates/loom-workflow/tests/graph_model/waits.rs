//! The rule: when a node that something was delivered to may begin.

use crate::loops::{Loop, Loops, Nodes, target};
use crate::shape::{Place, Shape};

/// Who is active at some moment.
pub(crate) struct Active<'a> {
    pub(crate) running: Nodes,
    /// The edges by which something was delivered to each node that hasn't begun with it.
    pub(crate) delivered: &'a [Vec<usize>],
}

/// Whether a node begins its next pass: something reached it by an edge that leads back.
pub(crate) fn is_next_pass(loops: &Loops, delivered: &[usize]) -> bool {
    delivered.iter().any(|edge| loops.back.contains(edge))
}

/// Whether the node may begin: nothing else that is active can still reach it in this pass.
pub(crate) fn may_begin(shape: &Shape, loops: &Loops, active: &Active<'_>, node: usize) -> bool {
    let others = (0..shape.nodes.len()).filter(|other| *other != node);
    let mut active_others = others.filter(|other| {
        let delivered = &active.delivered[*other];
        let is_waiting = !delivered.is_empty() && !waits_around(loops, *other, delivered, node);
        active.running.contains(other) || is_waiting
    });
    let is_held_up = match loops.at(node) {
        Some(own) if is_next_pass(loops, &active.delivered[node]) => {
            active_others.any(|other| own.holds(other) || may_enter(shape, loops, other, own))
        }
        _ => {
            // What comes by a back edge of a loop around the node belongs to another pass.
            let back = loops.back_edges_around(shape, node);
            active_others.any(|other| shape.reaches(Place::Node(other), Place::Node(node), &back))
        }
    };
    !is_held_up && !active.running.contains(&node)
}

/// Whether what is active at this node may still enter the loop in this pass of those around it.
fn may_enter(shape: &Shape, loops: &Loops, node: usize, entered: &Loop) -> bool {
    let mut back = loops.back_edges_around(shape, entered.header);
    back.retain(|edge| target(shape, *edge) != entered.header);
    let mut body = entered.body.iter();
    body.any(|member| shape.reaches(Place::Node(node), Place::Node(*member), &back))
}

/// Whether the header waits for the next pass of a loop that holds the node: then it doesn't hold
/// the node up.
fn waits_around(loops: &Loops, header: usize, delivered: &[usize], node: usize) -> bool {
    is_next_pass(loops, delivered) && loops.at(header).is_some_and(|it| it.holds(node))
}
