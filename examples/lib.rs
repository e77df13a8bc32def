//! Programs that show loomflow at work; run one with `cargo run --example NAME`.
