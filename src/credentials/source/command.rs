//! Keys from a program of the operator's, which prints them as JSON.
//!
//! It prints one object with `SecretId` (or `TmpSecretId`, `secretId`), `SecretKey` (alike), perhaps `Token`, and perhaps
//! when they end: `ExpiredTime` in Unix seconds, as Tencent's services say it, or `Expiration` in RFC 3339.

use std::path::Path;
use std::process::Stdio;

use jiff::Timestamp;
use rustix::fs::{Access, AtFlags, CWD, accessat};
use rustix::process::{Pid, Signal, kill_process_group};
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt, copy, sink};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::environment::folders_of_programs;
use super::{Asked, CommandSettings, Issued, Source};
use crate::credentials::Keys;
use crate::domain::{Mistake, is_printable};

/// Keys and their token are a few kilobytes.
const LARGEST_ANSWER: u64 = 64 * 1024;
const LARGEST_COMPLAINT: u64 = 4 * 1024;
/// Of a program's complaint, in characters.
const LONGEST_ECHO: usize = 200;

/// A program as a source.
#[derive(Clone, Debug)]
pub(super) struct Program(pub(super) CommandSettings);

impl Source for Program {
    fn keys(&self) -> Asked<'_> {
        Box::pin(async {
            let answer = timeout(self.0.time, self.run()).await;
            let late = || {
                self.mistake(format!("was stopped after {:?}", self.0.time))
                    .hint("see what it waits for, or raise command_timeout")
            };
            let text = answer.map_err(|_elapsed| late())??;
            read(&text).map_err(|what| {
                self.mistake(what).hint("let it print {\"SecretId\": …, \"SecretKey\": …} and, for temporary keys, \"Token\" and \"Expiration\"")
            })
        })
    }
}

impl Program {
    /// What it prints, if it ends well. Whoever stops waiting stops it, and whatever it has started.
    async fn run(&self) -> Result<Zeroizing<Vec<u8>>, Mistake> {
        let mut child = self.start().map_err(|why| {
            self.mistake(format!("cannot be started: {why}"))
                .hint("write command = [\"program\", \"argument\"]; no shell reads it")
        })?;
        let group = Group::of(&child);
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let (answer, complaint) = tokio::join!(head(stdout, LARGEST_ANSWER), head(stderr, LARGEST_COMPLAINT));
        let (answer, too_long) = answer;
        let status = child.wait().await.map_err(|why| self.mistake(format!("cannot be waited for: {why}")))?;
        group.forget();
        if !status.success() {
            return Err(self.mistake(format!("failed ({status}): {}", first_line(&complaint.0))));
        }
        if too_long { Err(self.mistake(format!("printed more than {LARGEST_ANSWER} bytes"))) } else { Ok(answer) }
    }

    fn start(&self) -> std::io::Result<Child> {
        Command::new(&self.0.program)
            .args(&self.0.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
    }

    fn mistake(&self, what: impl Into<Box<str>>) -> Mistake {
        Mistake::new(format!("command `{}`", self.0.program.display()), what)
    }
}

/// Whether it could be started; nothing is.
///
/// # Errors
/// A [`Mistake`] that says what is wrong with the program.
pub(super) fn look(program: &Path) -> Result<(), Mistake> {
    let mistake = |what: &str| Mistake::new(format!("command `{}`", program.display()), what);
    if program.components().count() == 1 && !program.has_root() {
        let is_found = folders_of_programs().iter().any(|folder| may_run(&folder.join(program)).is_ok());
        let hint = "write its path in full, or see that the gateway's PATH names its folder";
        return if is_found { Ok(()) } else { Err(mistake("is in no folder of PATH").hint(hint)) };
    }
    let hint = "name a program that the gateway's user may run; relative paths begin at the configuration's folder";
    may_run(program).map_err(|why| mistake(&format!("cannot be started: {why}")).hint(hint))
}

fn may_run(program: &Path) -> std::io::Result<()> {
    if !std::fs::metadata(program)?.is_file() {
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, "it is no file"));
    }
    Ok(accessat(CWD, program, Access::EXEC_OK, AtFlags::EACCESS)?)
}

/// The program with all that it has started: they end together, unless it has ended by itself.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?)))
    }

    /// The number may soon be another's.
    fn forget(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // What has ended meanwhile needs no end.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// The first bytes of a stream, and whether there were more; these are read and forgotten, so that its writer can end.
async fn head(stream: Option<impl AsyncRead + Unpin>, largest: u64) -> (Zeroizing<Vec<u8>>, bool) {
    // One allocation of the final size: growing would leave copies of a secret behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(largest).unwrap_or_default() + 1));
    let Some(mut stream) = stream else { return (bytes, false) };
    // A pipe that breaks ends as one that is closed: the status tells.
    let _ = (&mut stream).take(largest).read_to_end(&mut bytes).await;
    let more = copy(&mut stream, &mut sink()).await.unwrap_or_default();
    (bytes, more > 0)
}

fn first_line(complaint: &[u8]) -> String {
    let text = String::from_utf8_lossy(complaint);
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or("it says nothing on standard error");
    line.chars().filter(|character| is_printable(*character)).take(LONGEST_ECHO).collect()
}

#[derive(Deserialize, Zeroize, ZeroizeOnDrop)]
struct Answer {
    #[serde(rename = "SecretId", alias = "TmpSecretId", alias = "secretId", alias = "secret_id")]
    secret_id: String,
    #[serde(rename = "SecretKey", alias = "TmpSecretKey", alias = "secretKey", alias = "secret_key")]
    secret_key: String,
    #[serde(rename = "Token", alias = "token", default)]
    token: Option<String>,
    #[serde(rename = "ExpiredTime", alias = "expiredTime", default)]
    expired_time: Option<i64>,
    #[serde(rename = "Expiration", alias = "expiration", default)]
    expiration: Option<String>,
}

/// The error says nothing of the text: serde's own message may quote it.
fn read(text: &[u8]) -> Result<Issued, String> {
    let answer: Answer = serde_json::from_slice(text)
        .map_err(|why| format!("printed no JSON of keys, at line {} column {}", why.line(), why.column()))?;
    let token = answer.token.as_deref().filter(|token| !token.is_empty());
    let keys = Keys::new(&answer.secret_id, &answer.secret_key, token)
        .map_err(|why| format!("printed keys that cannot be used: {why}"))?;
    Ok(Issued { keys, expires: answer.end()? })
}

impl Answer {
    fn end(&self) -> Result<Option<Timestamp>, String> {
        let wrong = |_| "printed an end of the keys that is no time".to_owned();
        match (self.expired_time, &self.expiration) {
            (Some(seconds), _) => Timestamp::from_second(seconds).map(Some).map_err(wrong),
            (None, Some(text)) => text.parse().map(Some).map_err(wrong),
            (None, None) => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

    use super::*;

    fn shell(script: &str, time: Duration) -> Program {
        let arguments = vec!["-c".to_owned(), script.to_owned()];
        Program(CommandSettings { program: "/bin/sh".into(), arguments, time })
    }

    async fn complaint(script: &str) -> String {
        shell(script, Duration::from_secs(20)).keys().await.unwrap_err().to_string()
    }

    #[tokio::test]
    async fn what_a_program_prints_becomes_keys_with_their_end() {
        let script =
            r#"echo '{"TmpSecretId": "id", "TmpSecretKey": "key", "Token": "token", "ExpiredTime": 1660033391}'"#;
        let issued = shell(script, Duration::from_secs(20)).keys().await.unwrap();
        assert_eq!((issued.keys.secret_id(), issued.keys.token()), ("id", Some("token")));
        assert_eq!(issued.expires, Some(Timestamp::from_second(1_660_033_391).unwrap()));
    }

    #[tokio::test]
    async fn arguments_are_passed_as_they_are_and_no_shell_reads_them() {
        let json = r#"{"SecretId": "$HOME;`id`", "SecretKey": "*"}"#;
        let arguments = vec!["%s".to_owned(), json.to_owned()];
        let printf = CommandSettings { program: "printf".into(), arguments, time: Duration::from_secs(20) };
        assert_eq!(Program(printf).keys().await.unwrap().keys.secret_id(), "$HOME;`id`");
    }

    #[tokio::test]
    async fn a_failure_is_told_by_its_status_and_first_line_and_never_by_what_was_printed() {
        let told = complaint("echo marker; echo; echo 'no\u{1b}[31m role' >&2; echo second >&2; exit 3").await;
        assert!(told.contains("exit status: 3") && told.contains("no[31m role"), "{told}");
        assert!(!told.contains("marker") && !told.contains("second") && !told.contains('\u{1b}'), "{told}");
        for script in [
            "echo marker",
            r#"echo '{"SecretId": "marker"}'"#,
            r#"echo '{"SecretId": "m arker", "SecretKey": "marker"}'"#,
        ] {
            let told = complaint(script).await;
            assert!(told.contains("command `/bin/sh`: printed") && !told.contains("arker"), "{told}");
        }
        let missing =
            CommandSettings { program: "/nowhere".into(), arguments: Vec::new(), time: Duration::from_secs(1) };
        assert!(Program(missing).keys().await.unwrap_err().to_string().contains("cannot be started"));
    }

    #[tokio::test]
    async fn an_answer_without_end_is_cut() {
        let told = complaint("head -c 70000 /dev/zero; head -c 1000000 /dev/zero >&2").await;
        assert!(told.contains("more than 65536 bytes"), "{told}");
    }

    #[tokio::test]
    async fn a_program_that_hangs_is_stopped_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("id");
        let script = format!("sleep 600 & echo $! > {}; wait", file.display());
        let began = Instant::now();
        let told = shell(&script, Duration::from_millis(500)).keys().await.unwrap_err().to_string();
        assert!(told.contains("stopped after 500ms") && began.elapsed() < Duration::from_secs(60), "{told}");
        let id: i32 = std::fs::read_to_string(file).unwrap().trim().parse().unwrap();
        let is_gone = || {
            let state = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
            state.is_empty() || state.contains(") Z")
        };
        while !is_gone() {
            assert!(began.elapsed() < Duration::from_secs(60), "what the program started still runs");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    #[test]
    fn every_way_to_say_the_end_is_read_and_a_wrong_one_refused() {
        let with = |end: &str| read(format!(r#"{{"secretId": "i", "secretKey": "k"{end}}}"#).as_bytes());
        let end = Timestamp::from_second(1_660_033_391).unwrap();
        for text in [r#", "Expiration": "2022-08-09T08:23:11Z""#, r#", "Expiration": "2022-08-09T16:23:11+08:00""#] {
            assert_eq!(with(text).unwrap().expires, Some(end), "{text}");
        }
        assert_eq!(with("").unwrap().expires, None);
        for text in
            [r#", "Expiration": "tomorrow""#, r#", "ExpiredTime": 9223372036854775807"#, r#", "ExpiredTime": "1""#]
        {
            assert!(with(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_answer_makes_the_reader_panic(text in any::<Vec<u8>>(), id in "\\PC{0,8}") {
            let _ = read(&text);
            let _ = read(format!(r#"{{"SecretId": "{id}", "SecretKey": "k", "ExpiredTime": {}}}"#, text.len()).as_bytes());
        }
    }

    #[test]
    fn a_program_that_cannot_be_started_is_found_without_a_start() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("keys.sh");
        std::fs::write(&program, "#!/bin/sh\nexit 1\n").unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o600)).unwrap();
        for (program, words) in [
            (program.as_path(), "ermission denied"),
            (folder.path(), "it is no file"),
            (&folder.path().join("none"), "No such file"),
            (Path::new("no-such-program-of-ours"), "in no folder of PATH"),
        ] {
            let why = look(program).unwrap_err();
            assert!(why.what().contains(words) && why.hint_text().is_some(), "{why}");
        }
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
        assert!(look(&program).is_ok() && look(Path::new("sh")).is_ok());
    }
}
