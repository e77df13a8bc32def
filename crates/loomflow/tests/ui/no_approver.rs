use loomflow::Loom;

struct Desk;

fn main() {
    let _ = Loom::builder().approver(Desk).build();
}
