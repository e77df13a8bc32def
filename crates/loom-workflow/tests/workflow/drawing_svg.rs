//! Drawings as SVG: well-formed, the same each time, nothing outside of the image.

use std::collections::BTreeSet;

use loom_core::{Info, Kind};
use loom_workflow::{Drawing, Progress};
use proptest::prelude::*;
use roxmltree::{Document, Node};

use crate::drawn::{redrafting, support};
use crate::hostile::{figures, info};
use crate::recorded::recorded;

/// A number that an element carries.
fn number(node: Node, name: &str) -> f64 {
    node.attribute(name).unwrap().parse().unwrap()
}

fn texts(image: &Document) -> Vec<String> {
    let texts = image.descendants().filter(|it| it.has_tag_name("text"));
    texts
        .map(|it| it.text().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn every_name_note_and_label_is_written_once() {
    let image = support().drawing().svg();
    let mut texts = texts(&Document::parse(&image).unwrap());
    texts.sort();
    assert_eq!(
        texts,
        [
            "END",
            "END",
            "START",
            "START",
            "agent",
            "agent, helper",
            "authorize",
            "billing",
            "classify",
            "execute",
            "refund",
            "route_billing",
            "route_tech",
            "support",
            "tech",
            "tech",
            "tool, workflow",
            "workflow",
        ]
    );
}

#[test]
fn links_back_are_dashed() {
    let image = Drawing::of(&redrafting()).svg();
    let image = Document::parse(&image).unwrap();
    let dashed = |it: &Node| it.attribute("stroke-dasharray").is_some();
    assert_eq!(image.descendants().filter(dashed).count(), 2);
}

#[test]
fn the_same_drawing_is_the_same_image() {
    assert_eq!(support().drawing().svg(), support().drawing().svg());
}

#[tokio::test]
async fn a_run_colours_the_image() {
    let (recorder, session) = recorded();
    session.run(&support(), "it broke").await.unwrap();
    let image = support()
        .drawing()
        .coloured_by(&Progress::of(&recorder.events()))
        .svg();
    let image = Document::parse(&image).unwrap();
    let ends_in = |it: &Node, id: &str| {
        let whole = it.attribute("id").and_then(|it| it.split_once('-'));
        whole.is_some_and(|(_, rest)| rest == id)
    };
    let fill = |id: &str| {
        let mut all = image.descendants();
        let node = all.find(|it| ends_in(it, id)).unwrap();
        node.attribute("fill").unwrap().to_owned()
    };
    assert_eq!(
        ["n0", "n1", "n2", "n_in"].map(fill),
        ["#d8f0d8", "#f9f9f9", "#d8f0d8", "#ffffff"]
    );
}

#[tokio::test]
async fn images_of_one_page_share_no_ids_and_each_uses_its_own() {
    let (recorder, session) = recorded();
    session.run(&support(), "it broke").await.unwrap();
    let coloured = support()
        .drawing()
        .coloured_by(&Progress::of(&recorder.events()));
    let images = [support().drawing(), coloured, Drawing::of(&redrafting())];
    let mut all = BTreeSet::new();
    for image in images.map(|it| it.svg()) {
        let image = Document::parse(&image).unwrap();
        let values = |name: &str| -> BTreeSet<String> {
            let nodes = image.descendants();
            let values = nodes.filter_map(|it| it.attribute(name));
            values.map(str::to_owned).collect()
        };
        let (ids, markers) = (values("id"), values("marker-end"));
        let marker = ids.iter().find(|it| it.ends_with("-arrow")).unwrap();
        assert_eq!(markers, BTreeSet::from([format!("url(#{marker})")]));
        for id in ids {
            assert!(all.insert(id.clone()), "{id} is there twice");
        }
    }
}

#[test]
fn names_are_escaped_for_svg() {
    let image = Drawing::of(&Info::new("<b> & ]]> \"c\"", Kind::Function)).svg();
    let image = Document::parse(&image).unwrap();
    assert_eq!(texts(&image), ["<b> & ]]> \"c\""]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_image_is_well_formed_and_holds_all(info in info()) {
        let image = Drawing::of(&info).svg();
        let image = Document::parse(&image).unwrap();
        let root = image.root_element();
        let (width, height) = (number(root, "width"), number(root, "height"));
        let rects: Vec<Node> = image
            .descendants()
            .filter(|it| it.has_tag_name("rect") && it.has_attribute("id"))
            .collect();
        let ids: BTreeSet<_> = rects.iter().map(|it| it.attribute("id")).collect();
        prop_assert_eq!((rects.len(), ids.len()), (figures(&info), figures(&info)));
        for rect in rects {
            let (x, y) = (number(rect, "x"), number(rect, "y"));
            prop_assert!(x >= 0.0 && x + number(rect, "width") <= width, "{:?}", rect);
            prop_assert!(y >= 0.0 && y + number(rect, "height") <= height, "{:?}", rect);
        }
    }
}
