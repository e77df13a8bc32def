use loomflow::Loom;

struct Keep;

fn main() {
    let _ = Loom::builder().journal(Keep).build();
}
