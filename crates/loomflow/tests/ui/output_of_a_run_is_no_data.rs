use loomflow::{Loom, Result};

pub struct Ticket {
    pub id: u64,
}

async fn load(id: u64) -> Result<Ticket> {
    Ok(Ticket { id })
}

fn main() {
    let _ = Loom::builder().build().session("alice").run(&load, 7u64);
}
