use loomflow::{Result, Workflow};

fn load(id: u64) -> Result<String> {
    Ok(format!("ticket {id}"))
}

fn main() {
    let _ = Workflow::chain("ticket").then(load).build();
}
