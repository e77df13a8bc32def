use loomflow::Loom;

struct Watch;

fn main() {
    let _ = Loom::builder().observe(Watch).build();
}
