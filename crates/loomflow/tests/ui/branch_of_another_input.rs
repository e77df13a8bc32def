use loomflow::{Result, Workflow};

async fn upper(text: String) -> Result<String> {
    Ok(text.to_uppercase())
}

async fn double(n: u64) -> Result<u64> {
    Ok(2 * n)
}

fn main() {
    let _ = Workflow::chain("both").parallel((upper, double)).build();
}
