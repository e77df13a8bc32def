//! Models that need no network: for tests, examples and dry runs.

mod scripted;
mod echo;
mod function;

pub use echo::EchoModel;
pub use function::FnModel;
pub use scripted::ScriptedModel;
