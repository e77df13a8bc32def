use loomflow::Workflow;

async fn load(id: u64) -> String {
    format!("ticket {id}")
}

fn main() {
    let _ = Workflow::chain("ticket").then(load).build();
}
