use loomflow::Loom;

struct Decide;

fn main() {
    let _ = Loom::builder().gate(Decide).build();
}
