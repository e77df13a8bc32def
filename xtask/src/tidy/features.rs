//! Features of a dependency that must stay off everywhere.

use super::Problem;
use crate::workspace::Metadata;

/// Either changes what a JSON value *is* for the whole program, because features add up over all crates: the order
/// of keys, and so every digest of a value, or the type behind a number.
const REFUSED: &[&str] = &["preserve_order", "arbitrary_precision"];

pub(super) fn problems(metadata: &Metadata) -> Vec<Problem> {
    let Some(features) = metadata.features_of("serde_json") else {
        let what = "cargo metadata resolves no serde_json, whose features are looked at here";
        return vec![Problem::new("Cargo.toml", 1, what)];
    };
    let on = features
        .into_iter()
        .filter(|feature| REFUSED.contains(feature));
    on.map(|feature| {
        let what = format!(
            "serde_json's feature {feature} is on; find who asks with `cargo tree -e features -i serde_json`"
        );
        Problem::new("Cargo.toml", 1, what)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::workspace::Workspace;

    fn resolved(features: &[&str]) -> Metadata {
        let text = json!({
            "packages": [{"id": "j", "name": "serde_json", "manifest_path": "", "targets": [], "dependencies": []}],
            "workspace_members": [],
            "resolve": {"nodes": [{"id": "j", "features": features}, {"id": "k", "features": ["preserve_order"]}]},
        });
        Metadata::parse(&text.to_string()).unwrap()
    }

    #[test]
    fn a_refused_feature_is_told() {
        let problems = problems(&resolved(&["std", "preserve_order", "arbitrary_precision"]));
        assert_eq!(problems.len(), 2);
        assert!(
            problems[0]
                .what
                .starts_with("serde_json's feature preserve_order is on")
        );
    }

    #[test]
    fn metadata_without_serde_json_or_without_what_is_resolved_is_told() {
        let package = json!({"id": "j", "name": "serde_json", "manifest_path": "", "targets": [], "dependencies": []});
        for text in [
            json!({"packages": [package], "workspace_members": [], "resolve": null}),
            json!({"packages": [package], "workspace_members": [], "resolve": {"nodes": []}}),
            json!({"packages": [], "workspace_members": [], "resolve": {"nodes": []}}),
        ] {
            let problems = problems(&Metadata::parse(&text.to_string()).unwrap());
            assert_eq!(problems.len(), 1, "{text}");
        }
    }

    #[test]
    fn other_features_and_other_crates_pass() {
        assert_eq!(problems(&resolved(&["std", "raw_value"])), []);
    }

    #[test]
    fn this_workspace_passes() {
        assert_eq!(
            problems(&Workspace::here().unwrap().metadata().unwrap()),
            []
        );
    }
}
