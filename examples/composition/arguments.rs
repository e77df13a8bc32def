//! What the program was asked, checked before anything runs.

use std::io::Read;

use loomflow::UserId;

const USAGE: &str = "usage: composition [--user NAME] [--json] [--] [TEXT | -]";

pub(crate) struct Arguments {
    pub(crate) user: UserId,
    pub(crate) json: bool,
    pub(crate) request: String,
}

impl Arguments {
    /// The program's arguments; an error says what is wrong with them.
    pub(crate) fn read() -> Result<Self, String> {
        let (mut user, mut json, mut text, mut only_text) =
            ("alice".to_owned(), false, None, false);
        let mut given = std::env::args_os().skip(1);
        while let Some(argument) = given.next() {
            let argument = argument
                .into_string()
                .map_err(|it| format!("{} isn't UTF-8", it.display()))?;
            match argument.as_str() {
                "--" if !only_text => only_text = true,
                "--user" if !only_text => {
                    let name = given
                        .next()
                        .ok_or(format!("--user needs a name; {USAGE}"))?;
                    user = name
                        .into_string()
                        .map_err(|it| format!("the user {} isn't UTF-8", it.display()))?;
                    // An option where the name was forgotten.
                    if user.starts_with('-') {
                        return Err(format!("--user needs a name, not {user:?}; {USAGE}"));
                    }
                }
                "--json" if !only_text => json = true,
                unknown if unknown.starts_with('-') && unknown != "-" && !only_text => {
                    return Err(format!(
                        "there is no option {unknown:?}, only --user and --json; after -- all is text; {USAGE}"
                    ));
                }
                _ if text.is_some() => {
                    return Err(format!("more than one text: put it in quotes; {USAGE}"));
                }
                _ => text = Some(argument),
            }
        }
        let request = match text.as_deref() {
            None => "I want a refund for invoice #INV-2026-0042.".to_owned(),
            Some("-") => standard_input()?,
            Some(text) => text.to_owned(),
        };
        if request.trim().is_empty() {
            return Err(format!("the text is empty: say what you want; {USAGE}"));
        }
        let user = UserId::new(user).map_err(|error| error.to_string())?;
        Ok(Self {
            user,
            json,
            request: request.trim().to_owned(),
        })
    }
}

fn standard_input() -> Result<String, String> {
    let mut text = String::new();
    match std::io::stdin().lock().read_to_string(&mut text) {
        Ok(_) => Ok(text),
        Err(error) => Err(format!("can't read the text from standard input: {error}")),
    }
}
