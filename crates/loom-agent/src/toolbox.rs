//! `Toolbox`: an agent's tools, with arguments checked before anything runs.

use std::sync::Arc;

use loom_core::{
    Branch, Effect, Error, ErrorKind, Info, Name, Result, RunContext, Tool, ToolOutput,
};

use serde_json::Value;

use crate::message::{ToolCall, ToolResult};
use crate::model::ToolSpec;

/// How many tools of one turn run at the same time.
const CONCURRENCY_MAX: usize = 8;
/// How many calls of one reply are accepted; the model is told that the rest were not.
const CALLS_MAX: usize = 128;
/// How many errors of one call's arguments the model is told, and how much of each.
const ARGUMENT_ERRORS_MAX: usize = 8;
const ARGUMENT_ERROR_CHARS_MAX: usize = 300;
/// How much of a name that a model made up is said back to it.
const NAME_CHARS_MAX: usize = 60;

pub(crate) struct Toolbox {
    tools: Vec<Checked>,
    specs: Vec<ToolSpec>,
}

struct Checked {
    tool: Tool,
    schema: Arc<jsonschema::Validator>,
}

impl Toolbox {
    /// The tools that are right; what is wrong with the others is added to `wrong`.
    pub(crate) fn new(tools: Vec<Tool>, wrong: &mut Vec<String>) -> Self {
        let mut toolbox = Self {
            tools: Vec::new(),
            specs: Vec::new(),
        };
        for tool in tools {
            if let Err(error) = tool.name().check() {
                wrong.push(format!("a tool: {}", error.message()));
            }
            let fault = tool.info().fault;
            if !fault.is_empty() {
                wrong.push(format!("the tool {:?}: {fault}", tool.name()));
            }
            if toolbox.names().any(|name| name == tool.name()) {
                wrong.push(format!(
                    "two tools are named {:?}: rename one with `.named(..)`",
                    tool.name()
                ));
            }
            let schema = tool.schema();
            match jsonschema::validator_for(&schema) {
                Ok(validator) => {
                    let spec =
                        ToolSpec::new(tool.name().clone(), tool.description().to_owned(), schema);
                    toolbox.specs.push(spec);
                    let schema = Arc::new(validator);
                    let (name, person) = (tool.name().clone(), schema.clone());
                    // Arguments that a person changed have to fit like a model's.
                    let tool =
                        tool.checking(move |arguments| match misfits(&person, &name, arguments) {
                            None => Ok(()),
                            Some(misfits) => Err(Error::invalid(misfits)),
                        });
                    toolbox.tools.push(Checked { tool, schema });
                }
                Err(error) => wrong.push(format!(
                    "the schema of the tool {:?} is no schema: {error}",
                    tool.name()
                )),
            }
        }
        toolbox
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &Name> {
        self.specs.iter().map(|spec| &spec.name)
    }

    pub(crate) fn infos(&self) -> impl Iterator<Item = Info> {
        self.tools.iter().map(|it| it.tool.info())
    }

    pub(crate) fn specs(&self) -> &[ToolSpec] {
        &self.specs
    }

    /// Calls the tools a reply asks for, several at a time; the results are in the order of the
    /// calls. Any error is a result, but that the run ends or waits.
    pub(crate) async fn call_all(
        &self,
        cx: &RunContext,
        calls: &[ToolCall],
    ) -> Result<Vec<ToolResult>> {
        let (accepted, surplus) = calls.split_at(calls.len().min(CALLS_MAX));
        let branches = accepted.iter().map(|call| {
            let branch = Branch::of_one_effect(move |cx| async move { self.call(&cx, call).await });
            branch.alone(self.is_sequential(call))
        });
        let mut results = cx.join(CONCURRENCY_MAX, branches).await?;
        for call in surplus {
            results.push(self.refuse_surplus(cx, call).await?);
        }
        Ok(results)
    }

    async fn call(&self, cx: &RunContext, call: &ToolCall) -> Result<ToolResult> {
        let Some(checked) = self.tools.iter().find(|it| *it.tool.name() == call.name) else {
            let effect =
                Effect::tool(call.name.clone(), call.id.clone()).with_input(call.arguments.clone());
            return told(
                call,
                cx.refuse(effect, Error::invalid(self.unknown(&call.name)))
                    .await,
            );
        };
        let tool = &checked.tool;
        if let Some(misfits) = misfits(&checked.schema, &call.name, &call.arguments) {
            let effect = tool.effect(call.id.clone(), call.arguments.clone());
            return told(call, cx.refuse(effect, Error::invalid(misfits)).await);
        }
        told_of(
            call,
            tool.call(cx, call.id.clone(), call.arguments.clone()).await,
        )
    }

    async fn refuse_surplus(&self, cx: &RunContext, call: &ToolCall) -> Result<ToolResult> {
        let message = format!(
            "too many tool calls in one reply: only the first {CALLS_MAX} were made; call it again"
        );
        let effect =
            Effect::tool(call.name.clone(), call.id.clone()).with_input(call.arguments.clone());
        told(call, cx.refuse(effect, Error::invalid(message)).await)
    }

    fn is_sequential(&self, call: &ToolCall) -> bool {
        self.tools
            .iter()
            .any(|it| *it.tool.name() == call.name && it.tool.is_sequential())
    }

    /// What a model is told that calls a tool which isn't there.
    fn unknown(&self, name: &str) -> String {
        let name = &cut(name, NAME_CHARS_MAX);
        let closest = self.names().max_by(|a, b| {
            let (a, b) = (strsim::jaro_winkler(a, name), strsim::jaro_winkler(b, name));
            a.total_cmp(&b)
        });
        let hint = match closest {
            Some(tool) if strsim::jaro_winkler(tool, name) > 0.8 => {
                format!("did you mean {tool:?}? ")
            }
            _ => String::new(),
        };
        let names: Vec<&Name> = self.names().collect();
        format!("there is no tool {name:?}; {hint}the tools are {names:?}")
    }
}

/// What is wrong with a call's arguments, field by field.
fn misfits(schema: &jsonschema::Validator, tool: &Name, arguments: &Value) -> Option<String> {
    // Nearly all calls fit, and to see that costs less than to look for errors.
    if schema.is_valid(arguments) {
        return None;
    }
    let errors = schema.iter_errors(arguments);
    let fields: Vec<String> = errors
        .take(ARGUMENT_ERRORS_MAX)
        .map(|error| {
            // The message repeats the value, which may be of any length.
            let message = cut(&error.to_string(), ARGUMENT_ERROR_CHARS_MAX);
            match error.instance_path().to_string() {
                root if root.is_empty() => message,
                field => format!("{field}: {message}"),
            }
        })
        .collect();
    if fields.is_empty() {
        return None;
    }
    Some(format!(
        "the arguments of {tool:?} don't fit its schema: {}",
        fields.join("; ")
    ))
}

/// At most this many characters of the text.
fn cut(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// What a call gave, as the model's result.
fn told_of(call: &ToolCall, given: Result<ToolOutput>) -> Result<ToolResult> {
    match given {
        Ok(output) => Ok(result(call, output.into_text(), false)),
        Err(error) => told(call, error),
    }
}

/// The error as the model's result, unless it is one that no model is told.
fn told(call: &ToolCall, error: Error) -> Result<ToolResult> {
    let text = match error.kind() {
        ErrorKind::Stopped => return Err(error),
        ErrorKind::Denied => format!("denied: {}", error.message()),
        ErrorKind::LimitReached => format!("stopped by a limit: {}", error.message()),
        _ => format!("error: {}", error.message()),
    };
    Ok(result(call, text, true))
}

fn result(call: &ToolCall, text: String, is_error: bool) -> ToolResult {
    ToolResult {
        call_id: call.id.clone(),
        name: call.name.clone(),
        text,
        is_error,
    }
}
