//! What changes a definition, what doesn't, and how a difference is told.

use super::*;

fn part(name: &'static str) -> Info {
    Info::new(name, Kind::Function)
}

/// Two parts into one, which takes both together or not.
fn merge(joins: bool, links: [Link; 5]) -> Info {
    Info::new("merge", Kind::Workflow)
        .with_parts([part("a"), part("b"), part("c").joining(joins)])
        .with_links(links)
}

fn links(first: usize, second: usize) -> [Link; 5] {
    [
        Link::entry(0),
        Link::entry(1),
        Link::new(first, 2),
        Link::new(second, 2),
        Link::exit(2),
    ]
}

#[test]
fn the_order_of_links_means_something_only_where_they_are_joined() {
    let hash = |joins, a, b| merge(joins, links(a, b)).definition_hash();
    assert_eq!(hash(false, 0, 1), hash(false, 1, 0));
    assert_ne!(hash(true, 0, 1), hash(true, 1, 0));
    assert_eq!(
        merge(true, links(1, 0)).difference_from(&merge(true, links(0, 1))),
        Some(r#"the order "a", "b" at "c" is gone; the order "b", "a" at "c" is new"#.to_owned())
    );
}

#[test]
fn every_difference_is_named_up_to_five() {
    let before = merge(false, links(0, 1));
    let mut now = merge(true, links(0, 0));
    now.detail = "twice".into();
    assert_eq!(
        now.difference_from(&before).unwrap(),
        r#"the link "b" -> "c" is gone; the detail "twice" of the whole is new; the join at "c" is new; the order "a", "a" at "c" is new"#
    );
    let bare = Info::new("merge", Kind::Agent);
    assert_eq!(
        bare.difference_from(&before).unwrap(),
        r#"being of kind workflow is gone; the function "a" is gone; the function "b" is gone; the function "c" is gone; the link "a" -> "c" is gone; and 5 more"#
    );
}

#[test]
fn what_is_picked_by_a_word_is_not_what_is_picked_otherwise() {
    let whole = |link: Link| {
        let parts = [part("a"), part("b")];
        Info::new("it", Kind::Workflow)
            .with_parts(parts)
            .with_links([link])
    };
    let word = whole(Link::new(0, 1).labelled("(otherwise)"));
    let otherwise = whole(Link::new(0, 1).picked_otherwise());
    assert_eq!(
        otherwise.difference_from(&word).unwrap(),
        r#"the link "a" -> "b" by "(otherwise)" is gone; the link "a" -> "b" otherwise is new"#
    );
}

#[test]
fn a_change_deep_inside_is_named_with_its_path() {
    let outer = |inner: Info| {
        Info::new("outer", Kind::Workflow).with_parts([part("node").with_parts([inner])])
    };
    let before = outer(merge(false, links(0, 1)));
    let mut changed = links(0, 1);
    changed[2] = Link::new(0, 2).labelled("yes").backward(true);
    assert_eq!(
        outer(merge(false, changed))
            .difference_from(&before)
            .unwrap(),
        r#"the link "a" -> "c" in "node"/"merge" is gone; the link "a" -> "c" by "yes" (back) in "node"/"merge" is new"#
    );
    assert_ne!(
        before.definition_hash(),
        outer(merge(false, links(0, 0))).definition_hash()
    );
}

#[test]
fn parts_of_one_name_are_told_apart_from_those_that_are_called_so() {
    let parts = |second: &'static str| {
        let parts = [part("a"), part("a").with_detail(second), part("a#2")];
        Info::new("it", Kind::Workflow).with_parts(parts)
    };
    assert_eq!(
        parts("now").difference_from(&parts("then")).unwrap(),
        r##"the detail "then" of "a"#2 is gone; the detail "now" of "a"#2 is new"##
    );
}

#[test]
fn a_wrapper_around_a_part_changes_nothing() {
    let whole = |part: Info| Info::new("it", Kind::Workflow).with_parts([part]);
    let plain = whole(part("a"));
    let wrapped = whole(part("a").wrapped().wrapped());
    assert_eq!(wrapped.difference_from(&plain), None);
    assert_eq!(wrapped.definition_hash(), plain.definition_hash());
    let agent = Info::new("", Kind::Agent);
    assert_eq!(
        whole(agent.clone().wrapped()).difference_from(&whole(agent)),
        None
    );
}

#[test]
fn however_deep_it_is_a_definition_can_be_recorded_and_a_change_is_seen() {
    let deep = |innermost: &'static str| {
        (0..200).fold(part(innermost), |inner, _| {
            Info::new("it", Kind::Workflow).with_parts([inner])
        })
    };
    let definition = Definition::of(&deep("a"));
    let value = Definition::of(&deep("a")).into_value();
    assert_eq!(Definition::deserialize(value).unwrap(), definition);
    assert_ne!(definition, Definition::of(&deep("b")));
    assert_eq!(definition, Definition::of(&deep("a")));
}

#[test]
fn a_definition_survives_being_recorded() {
    let whole = merge(true, links(0, 1));
    let value = Definition::of(&whole).into_value();
    let recorded = Definition::deserialize(value).unwrap();
    assert_eq!(recorded, Definition::of(&whole));
}
