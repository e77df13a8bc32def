//! Where keys come from, and which are refused.

use loom_audit::{Audit, AuditKey};

#[test]
fn f036_an_empty_or_short_key_is_refused() {
    let refused = |bytes: &[u8]| AuditKey::from_bytes(bytes).unwrap_err().to_string();
    assert_eq!(
        refused(&[]),
        "the audit key has 0 bytes; give at least 32 random ones"
    );
    assert_eq!(
        refused(&[1; 31]),
        "the audit key has 31 bytes; give at least 32 random ones"
    );
    assert!(AuditKey::from_bytes(&[1; 32]).is_ok());
}

#[test]
fn nothing_prints_a_key() {
    let key = AuditKey::from_bytes(&[0xab; 32]).unwrap();
    let audit = Audit::in_memory(key.clone()).build().unwrap();
    let printed = format!("{key:?} {audit:?}");
    assert!(
        printed.starts_with(&format!("AuditKey({})", key.id())),
        "{printed}"
    );
    assert!(
        !printed.contains("171") && !printed.contains("abab"),
        "{printed}"
    );
}

#[test]
fn two_generated_keys_differ() {
    let (left, right) = (AuditKey::generate().unwrap(), AuditKey::generate().unwrap());
    assert_ne!(left.id(), right.id());
}

#[cfg(unix)]
mod files {
    use std::fs::{Permissions, remove_file, set_permissions, write};
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;
    use std::process::Command;

    use loom_audit::AuditKey;

    use crate::composed::{KEY_HEX, fixed_key};

    fn key_file(name: &str, text: &str, mode: u32) -> PathBuf {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        write(&path, text).unwrap();
        set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        path
    }

    /// The error without the machine's path.
    fn refused(path: &PathBuf) -> String {
        let error = AuditKey::from_file(path).unwrap_err().to_string();
        error.replace(path.to_str().unwrap(), "FILE")
    }

    #[test]
    fn a_key_file_that_only_its_owner_reads_is_taken() {
        let path = key_file("own.key", &format!("{KEY_HEX}\n"), 0o600);
        assert_eq!(AuditKey::from_file(&path).unwrap().id(), fixed_key().id());
        set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
        assert!(AuditKey::from_file(&path).is_ok());
    }

    #[test]
    fn f037_a_key_file_that_others_can_read_is_refused_saying_how_to_mend_it() {
        let path = key_file("shared.key", KEY_HEX, 0o644);
        for mode in [0o640, 0o604, 0o620, 0o644, 0o666] {
            set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert_eq!(
                refused(&path),
                format!(
                    "the key file FILE is open to its group or to others (mode {mode:03o}); run `chmod 600 FILE`"
                )
            );
        }
    }

    #[test]
    fn f036_a_key_file_without_a_whole_key_is_refused() {
        let words = "the key file FILE doesn't hold hex digits in lower case; make one with `openssl rand -hex 32`";
        let short = "the audit key has 0 bytes; give at least 32 random ones";
        assert_eq!(refused(&key_file("empty.key", "", 0o600)), short);
        assert_eq!(refused(&key_file("words.key", "my secret", 0o600)), words);
        assert_eq!(refused(&key_file("odd.key", "abc", 0o600)), words);
        let long = key_file("long.key", &"a".repeat(4097), 0o600);
        assert_eq!(
            refused(&long),
            "the key file FILE has more than 4096 bytes; make one with `openssl rand -hex 32`"
        );
        let none = key_file("none.key", "", 0o600);
        remove_file(&none).unwrap();
        assert!(refused(&none).starts_with("can't read the key file FILE: "));
    }

    #[test]
    fn what_is_no_regular_file_is_refused_without_waiting_for_it() {
        let pipe = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("pipe.key");
        let _ = remove_file(&pipe);
        let made = Command::new("mkfifo")
            .args(["-m", "600"])
            .arg(&pipe)
            .status();
        assert!(made.unwrap().success());
        let irregular = "the key file FILE is no regular file";
        assert_eq!(refused(&pipe), irregular);
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        assert_eq!(refused(&directory), irregular);
    }
}
