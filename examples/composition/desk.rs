//! A refund desk: the steps, and an agent whose model is a function.

use loomflow::{Agent, Error, ErrorKind, FnModel, Prompt, Reply, Request, Result, Tokens, Tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// What the gate makes of a customer's words.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Inquiry {
    text: String,
    /// `INV-` and two numbers, if the text names one.
    invoice: Option<String>,
}

/// What the inner workflow is asked to do.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Refund {
    /// The invoice to pay back, for example INV-2026-0042.
    invoice: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Authorization {
    invoice: String,
    code: String,
}

/// Reads the request, or refuses it before any model is asked.
pub(crate) async fn gate(text: String) -> Result<Inquiry> {
    let mut invoices = invoices(&text);
    invoices.sort_unstable();
    invoices.dedup();
    match invoices.as_slice() {
        [] => Ok(Inquiry {
            text,
            invoice: None,
        }),
        [invoice] => Ok(Inquiry {
            invoice: Some(invoice.clone()),
            text,
        }),
        several => Err(Error::invalid(format!(
            "one invoice at a time, please: {}",
            several.join(", ")
        ))),
    }
}

/// All `INV-<year>-<number>` in a text, with or without a `#` before them.
fn invoices(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    let is_number = |part: Option<&str>| {
        part.is_some_and(|it| !it.is_empty() && it.bytes().all(|b| b.is_ascii_digit()))
    };
    let is_invoice = |word: &String| {
        let mut parts = word.split('-');
        parts.next() == Some("INV")
            && is_number(parts.next())
            && is_number(parts.next())
            && parts.next().is_none()
    };
    words
        .map(|word| word.trim_matches('-').to_ascii_uppercase())
        .filter(is_invoice)
        .collect()
}

pub(crate) async fn authorize(refund: Refund) -> Result<Authorization> {
    let code = format!("RF-{}", refund.invoice.trim_start_matches("INV-"));
    Ok(Authorization {
        invoice: refund.invoice,
        code,
    })
}

pub(crate) async fn execute(authorization: Authorization) -> Result<String> {
    Ok(format!(
        "refunded invoice {} under {}",
        authorization.invoice, authorization.code
    ))
}

pub(crate) async fn log_completion(answer: String) -> Result<String> {
    Ok(answer)
}

/// The agent at the desk: it may call the refund workflow.
pub(crate) fn desk(refund: Tool) -> Result<Agent> {
    Agent::builder(
        "You are a support agent. Refund an invoice with `action` when the customer asks for it.",
    )
    .model(FnModel::new("refund-desk", decide))
    .tool(refund.described("Refunds an invoice."))
    .build()
}

/// Stands in for a language model: reads the request and what the tools said, and replies.
fn decide(request: &Request<'_>) -> Result<Reply> {
    let prompt = request.prompt().map(Prompt::text).unwrap_or_default();
    let inquiry: Inquiry = serde_json::from_str(&prompt).map_err(|error| {
        Error::with_source(ErrorKind::Upstream, "the request is no inquiry", error)
    })?;
    let reply = match (request.tool_results().first(), &inquiry.invoice) {
        (Some(result), _) if result.is_error => {
            Reply::text(format!("I'm sorry, that didn't work: {}", result.text))
        }
        (Some(result), _) => Reply::text(format!("It is done: {}.", result.text)),
        (None, Some(invoice)) if wants_refund(&inquiry.text) => {
            Reply::call("action", json!({ "invoice": invoice }))
        }
        (None, Some(invoice)) => Reply::text(format!(
            "What can I do about invoice {invoice}? I can refund it."
        )),
        (None, None) => Reply::text(
            "I'm sorry, I can't act without an invoice number. It looks like INV-2026-0042; please send it along.",
        ),
    };
    let (read, written) = (
        prompt.split_whitespace().count(),
        reply.text.split_whitespace().count(),
    );
    Ok(reply.with_tokens(Tokens::new(read as u64, written as u64)))
}

fn wants_refund(text: &str) -> bool {
    let text = text.to_lowercase();
    [
        "refund",
        "money back",
        "charged twice",
        "reimburse",
        "pay back",
    ]
    .iter()
    .any(|wish| text.contains(wish))
}
