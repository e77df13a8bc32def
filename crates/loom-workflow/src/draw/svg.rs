//! A drawing as a static SVG image.

mod layout;

use std::fmt::{self, Display, Write};

use loom_core::Kind;

use super::figure::{Arrow, Edge, Figure};
use super::label::{label, lines, one_line};
use super::state::State;
use layout::{Frame, Layout, Route};

/// How high a line of text is.
const LINE_PX: f64 = 18.0;
/// How much of its box a text leaves free to the left and to the right.
const PADDING_X_PX: f64 = 12.0;
/// How much of its box a text leaves free above and below.
const PADDING_Y_PX: f64 = 8.0;
/// How wide a character of a monospaced font is at 13 px; others than ASCII may take two places.
const CHAR_PX: f64 = 7.9;

pub(super) fn text(root: &Figure) -> String {
    let edges = root.edges();
    let layout = Layout::of(root, &edges);
    let mut image = Image::new(root, &layout);
    image.clusters(root);
    for (edge, route) in edges.iter().zip(&layout.routes) {
        image.edge(edge, route);
    }
    image.nodes(root);
    // On top, since a line may pass below a label.
    for (edge, route) in edges.iter().zip(&layout.routes) {
        image.edge_label(edge, route);
    }
    image.text + "</svg>\n"
}

/// How much room these lines of text need, with the padding around them.
fn room(lines: &[String]) -> (f64, f64) {
    let columns = |line: &String| -> f64 {
        let of_char = |c: char| if c.is_ascii() { 1.0 } else { 2.0 };
        line.chars().map(of_char).sum()
    };
    let widest = lines.iter().map(columns).fold(0.0, f64::max);
    let height = lines.iter().map(|_| LINE_PX).sum::<f64>();
    (
        widest * CHAR_PX + 2.0 * PADDING_X_PX,
        height + 2.0 * PADDING_Y_PX,
    )
}

/// What all ids of the image begin with: other than in another image of the same page, unless
/// that shows the same.
fn id_prefix(root: &Figure) -> String {
    // FNV-1a, which is the same everywhere and always.
    let hash = format!("{root:?}")
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    format!("d{hash:016x}-")
}

struct Image<'a> {
    layout: &'a Layout,
    id_prefix: String,
    text: String,
}

impl<'a> Image<'a> {
    fn new(root: &Figure, layout: &'a Layout) -> Self {
        let (width, height) = (Px(layout.width), Px(layout.height));
        let title = Escaped(&one_line(&root.name)).to_string();
        let id_prefix = id_prefix(root);
        let text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" font-family=\"monospace\" font-size=\"13\" \
             text-anchor=\"middle\" fill=\"#222222\">\n\
             <title>{title}</title>\n\
             <defs><marker id=\"{id_prefix}arrow\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" \
             markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\">\
             <path d=\"M0,0 L10,5 L0,10 z\" fill=\"#555555\"/></marker></defs>\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
        );
        Self {
            layout,
            id_prefix,
            text,
        }
    }

    /// The clusters, outer ones first, so that inner ones lie on top.
    fn clusters(&mut self, figure: &Figure) {
        if figure.parts.is_empty() {
            return;
        }
        self.shape(figure, 6.0);
        let title = self.layout.frame(&layout::title_id(figure));
        self.words(&lines(figure), title);
        for part in &figure.parts {
            self.clusters(part);
        }
    }

    fn nodes(&mut self, figure: &Figure) {
        if figure.parts.is_empty() {
            self.shape(figure, corner(figure.kind));
            return self.words(&lines(figure), self.layout.frame(&figure.id));
        }
        if figure.is_linked() {
            self.plain(&figure.start_id(), "START", LINE_PX);
            self.plain(&figure.end_id(), "END", LINE_PX);
        } else {
            let kind = figure.kind;
            self.plain(&figure.own_id(), kind.as_str(), corner(kind));
        }
        for part in &figure.parts {
            self.nodes(part);
        }
    }

    /// A node that isn't coloured.
    fn plain(&mut self, id: &str, label: &str, corner: f64) {
        self.rect(id, corner, "fill=\"#ffffff\" stroke=\"#555555\"");
        self.words(&[label.to_owned()], self.layout.frame(id));
    }

    fn shape(&mut self, figure: &Figure, corner: f64) {
        let state = figure.seen.map(|it| it.state);
        let fill = if figure.parts.is_empty() {
            state.map_or("#ffffff", State::fill)
        } else {
            state.map_or("#f9f9f9", State::fill_around)
        };
        let stroke = state.map_or("#555555", State::stroke);
        let look = format!("fill=\"{fill}\" stroke=\"{stroke}\"");
        self.rect(&figure.id, corner, &look);
    }

    fn rect(&mut self, id: &str, corner: f64, look: &str) {
        let frame = self.layout.frame(id);
        let (x, y) = (
            Px(frame.x - frame.width / 2.0),
            Px(frame.y - frame.height / 2.0),
        );
        let (width, height, corner) = (Px(frame.width), Px(frame.height), Px(corner));
        let prefix = self.id_prefix.clone();
        self.push(format_args!(
            "<rect id=\"{prefix}{id}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" \
             rx=\"{corner}\" {look}/>\n"
        ));
    }

    /// Lines of text around the middle of a frame; the first one is the name, the others are grey.
    fn words(&mut self, lines: &[String], frame: Frame) {
        let below_first = lines.iter().skip(1).map(|_| LINE_PX).sum::<f64>();
        // A text stands on its base line, a third of its size below its middle.
        let mut y = frame.y - below_first / 2.0 + 4.5;
        for (i, line) in lines.iter().enumerate() {
            let grey = if i == 0 { "" } else { " fill=\"#666666\"" };
            let (x, at, line) = (Px(frame.x), Px(y), Escaped(line));
            self.push(format_args!(
                "<text x=\"{x}\" y=\"{at}\"{grey} xml:space=\"preserve\">{line}</text>\n"
            ));
            y += LINE_PX;
        }
    }

    fn edge(&mut self, edge: &Edge, route: &Route) {
        let marker = format!(" marker-end=\"url(#{}arrow)\"", self.id_prefix);
        let look = match edge.arrow {
            Arrow::Forward => marker,
            Arrow::Back => marker + " stroke-dasharray=\"5 4\"",
            Arrow::Holds => String::new(),
        };
        let curve = curve(&route.points);
        self.push(format_args!(
            "<path d=\"{curve}\" fill=\"none\" stroke=\"#555555\"{look}/>\n"
        ));
    }

    fn edge_label(&mut self, edge: &Edge, route: &Route) {
        let Some(frame) = route.label else { return };
        let (x, y) = (
            Px(frame.x - frame.width / 2.0),
            Px(frame.y - frame.height / 2.0),
        );
        let (width, height) = (Px(frame.width), Px(frame.height));
        self.push(format_args!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"#ffffff\" \
             fill-opacity=\"0.8\"/>\n"
        ));
        self.words(&[label(&edge.label)], frame);
    }

    fn push(&mut self, text: fmt::Arguments<'_>) {
        // Writing to a String can't fail.
        let _ = self.text.write_fmt(text);
    }
}

fn corner(kind: Kind) -> f64 {
    match kind {
        Kind::Agent => 12.0,
        _ => 0.0,
    }
}

/// A line through the points, its corners rounded: it bends between the middles of its pieces.
fn curve(points: &[(f64, f64)]) -> String {
    let mut curve = String::new();
    let at = |(x, y): (f64, f64)| format!("{},{}", Px(x), Px(y));
    for (i, point) in points.iter().enumerate() {
        let middle = points
            .get(i + 1)
            .map(|next| ((point.0 + next.0) / 2.0, (point.1 + next.1) / 2.0));
        let piece = match (i, middle) {
            (0, Some(middle)) => format!("M{} L{}", at(*point), at(middle)),
            (_, Some(middle)) => format!(" Q{} {}", at(*point), at(middle)),
            (_, None) => format!(" L{}", at(*point)),
        };
        curve.push_str(&piece);
    }
    curve
}

/// A length with at most one place after the point: more can't be seen.
struct Px(f64);

impl Display for Px {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", (self.0 * 10.0).round() / 10.0)
    }
}

/// A text as it may stand between two tags.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}
