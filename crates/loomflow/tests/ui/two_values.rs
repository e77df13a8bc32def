use loomflow::{Result, Workflow};

async fn load(id: u64, name: String) -> Result<String> {
    Ok(format!("ticket {id} of {name}"))
}

fn main() {
    let _ = Workflow::chain("ticket").then(load).build();
}
