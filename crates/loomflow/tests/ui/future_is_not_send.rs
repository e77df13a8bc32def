use std::rc::Rc;

use loomflow::{Result, Workflow};

async fn load(id: u64) -> Result<String> {
    let shared = Rc::new(id);
    std::future::ready(()).await;
    Ok(format!("ticket {shared}"))
}

fn main() {
    let _ = Workflow::chain("ticket").then(load).build();
}
