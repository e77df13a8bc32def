//! OpenTelemetry spans, and a live tree on a terminal, from loomflow's events.
//!
//! Two observers, each of which is one line at the loom. [`OtelObserver`] turns every effect of
//! every run into a span of a tracer provider; [`ConsoleObserver`] writes a line for every span
//! that opens. Nothing here is told apart by who emitted it: agents and workflows look the same
//! from their events. What went in and what came out is never exported.
//!
//! ```
//! use loom_core::{Loom, Result};
//! use loom_otel::{ConsoleObserver, OtelObserver, provider_builder};
//!
//! async fn shout(text: String) -> Result<String> {
//!     Ok(text.to_uppercase())
//! }
//!
//! # futures::executor::block_on(async {
//! // Add exporters here, for example `.with_batch_exporter(..)`.
//! let provider = provider_builder().build();
//! let loom = Loom::builder()
//!     .observe(OtelObserver::new(&provider))
//!     .observe(ConsoleObserver::stderr())
//!     .build();
//! loom.session("alice").run(&shout, "hello").await?;
//! # Ok::<(), loom_core::Error>(())
//! # }).unwrap();
//! ```

mod otel_observer;
mod open_spans;
mod span_attributes;
mod span_events;
mod semconv;
mod entered;
mod id_generator;

mod console_observer;
mod printable;

mod answer;

pub use console_observer::ConsoleObserver;
pub use id_generator::{LoomIdGenerator, provider_builder};
pub use otel_observer::OtelObserver;
