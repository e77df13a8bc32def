use loomflow::{Result, Workflow};

pub struct Ticket {
    pub id: u64,
}

async fn load(id: u64) -> Result<Ticket> {
    Ok(Ticket { id })
}

fn main() {
    let _ = Workflow::chain("ticket").then(load).build();
}
