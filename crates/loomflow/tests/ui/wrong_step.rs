use loomflow::{Result, Workflow};

async fn load(id: u64) -> Result<String> {
    Ok(format!("ticket {id}"))
}

async fn count(lines: Vec<String>) -> Result<usize> {
    Ok(lines.len())
}

fn main() {
    let _ = Workflow::chain("ticket").then(load).then(count).build();
}
