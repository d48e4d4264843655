//! Files that change under a running gateway: it notices by itself, reads what is whole, and keeps what is good.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustix::process::Signal;

use crate::support::process::{Cloud, Folder, Served, until};

const SUCCESS: &str = "config_last_reload_success";
const FAILED: &str = "config_reloads_total{result=\"failed\"}";
const GENERATION: &str = "config_generation";

/// A gateway whose files are looked at all the time.
fn watched(cloud: &Cloud) -> (Folder, Served) {
    let folder = Folder::of(cloud);
    folder.is_watched();
    let served = Served::from(&folder);
    (folder, served)
}

#[track_caller]
fn await_generation(served: &Served, generation: i64) {
    until("no new generation", || (served.metric(GENERATION) == generation).then_some(()));
}

#[track_caller]
fn await_failures(served: &Served, failures: i64) {
    until("no failed reload", || (served.metric(FAILED) == failures).then_some(()));
}

/// Returns after some looks at what is there now, which change nothing.
fn a_few_looks() {
    std::thread::sleep(std::time::Duration::from_millis(600));
}

#[test]
fn a_policy_that_is_renamed_over_written_in_place_or_touched_is_seen_for_what_it_is() {
    let cloud = Cloud::start();
    let (folder, served) = watched(&cloud);
    let (alice, bob) = (folder.token("alice"), folder.token("bob"));
    served.enable(&alice).expect(200);

    folder.change("policy.toml", "user:alice", "user:bob");
    await_generation(&served, 2);
    served.enable(&alice).expect(403);
    served.enable(&bob).expect(200);

    let text = folder.read("policy.toml").replace("user:bob", "user:alice");
    fs::write(folder.path("policy.toml"), &text).unwrap();
    await_generation(&served, 3);
    served.enable(&alice).expect(200);

    fs::write(folder.path("policy.toml"), &text).unwrap();
    folder.write("policy.toml", &text);
    a_few_looks();
    assert_eq!(served.metric(GENERATION), 3, "nothing is to be read where nothing has changed");
    let shown = served.admin_get("/config").expect(200).json();
    assert_eq!(shown["in_force"]["generation"], 3);
    assert!(shown["in_force"]["since"].as_str().unwrap().ends_with('Z'), "{shown}");
}

/// Files by their names.
type Files = [(&'static str, String); 2];

/// What the kubelet does with a ConfigMap: the files are links through `..data`, which is a link to a folder with a
/// time for its name, and is swapped by renaming another link over it.
struct ConfigMap<'a> {
    folder: &'a Path,
    published: u32,
}

impl<'a> ConfigMap<'a> {
    fn mount(folder: &'a Path, files: &Files) -> Self {
        fs::create_dir(folder).unwrap();
        let mut map = Self { folder, published: 0 };
        map.publish(files);
        for (name, _) in files {
            symlink(Path::new("..data").join(name), folder.join(name)).unwrap();
        }
        map
    }

    /// The old folder goes when the new one is there.
    fn publish(&mut self, files: &Files) {
        let old = self.folder.join(self.name());
        self.published += 1;
        let fresh = self.folder.join(self.name());
        fs::create_dir(&fresh).unwrap();
        for (name, text) in files {
            fs::write(fresh.join(name), text).unwrap();
        }
        symlink(self.name(), self.folder.join("..data_tmp")).unwrap();
        fs::rename(self.folder.join("..data_tmp"), self.folder.join("..data")).unwrap();
        if self.published > 1 {
            fs::remove_dir_all(old).unwrap();
        }
    }

    fn name(&self) -> String {
        format!("..2026_11_22_18_00_{:02}", self.published)
    }
}

/// A configuration and a policy that name the same region, one caller who may and one who must not: a request that
/// names no region is served only if both files are of one generation.
fn generation(folder: &Folder, region: &str, [may, must_not]: [&str; 2]) -> Files {
    let own = format!("resource = \"qcs::ci:{region}:uid/1234567890:bucket/test-*\"");
    let policy = folder.read("policy.toml").replace("\"alice-may\"", &format!("\"{region}-may\""));
    let policy = policy.replace("user:alice", &format!("user:{may}")).replacen("resource = \"*\"", &own, 1);
    let deny = format!("principal = \"user:{must_not}\"\naction = \"*\"\nresource = \"*\"");
    let deny = format!("[[statement]]\nid = \"{region}-not\"\neffect = \"deny\"\n{deny}\n");
    let config = folder.read("gateway.toml").replace("ap-chongqing", region);
    [("gateway.toml", config), ("policy.toml", policy + &deny)]
}

#[test]
fn the_swap_of_a_mounted_config_map_is_seen_and_read_as_a_whole() {
    let cloud = Cloud::start();
    let folder = Folder::of(&cloud);
    folder.is_watched();
    for secret in ["jwt.secret", "keys", "audit.jsonl"] {
        folder.change("gateway.toml", &format!("\"{secret}\""), &format!("\"../{secret}\""));
    }
    let publication = |region| generation(&folder, region, ["alice", "bob"]);
    let mounted = folder.path("etc");
    let mut map = ConfigMap::mount(&mounted, &publication("ap-a"));
    let served = Served::from_config(&folder.path_text("etc/gateway.toml"));
    let alice = folder.token("alice");
    for (n, region) in ["ap-b", "ap-c", "ap-d", "ap-e"].into_iter().enumerate() {
        map.publish(&publication(region));
        until("the swap is not seen", || {
            let answer = served.enable(&alice).expect(200);
            (answer.json()["region"] == region).then_some(())
        });
        assert_eq!(served.metric(GENERATION), i64::try_from(n).unwrap() + 2);
    }
    assert_eq!(served.metric(FAILED), 0);
}

#[test]
fn a_file_that_is_gone_or_broken_leaves_the_last_good_one_and_says_so_until_it_is_whole_again() {
    let cloud = Cloud::start();
    let (folder, served) = watched(&cloud);
    let alice = folder.token("alice");
    let good = folder.read("policy.toml");
    fs::remove_file(folder.path("policy.toml")).unwrap();
    await_failures(&served, 1);
    let verbose = served.admin_get("/readyz?verbose").expect(200).body;
    let line = verbose.lines().find(|line| line.starts_with("[-] reload failed: since 20")).unwrap();
    assert!(line.contains("policy.toml: the policy cannot be read") && verbose.ends_with("ready\n"), "{verbose}");
    let since = line.split_whitespace().nth(4).unwrap().to_owned();

    // It is not tried again until something changes.
    a_few_looks();
    assert_eq!((served.metric(FAILED), served.metric(SUCCESS), served.metric(GENERATION)), (1, 0, 1));
    folder.write("policy.toml", "version = 1\nstatement = 2\n");
    await_failures(&served, 2);
    let verbose = served.admin_get("/readyz?verbose").expect(200).body;
    assert!(verbose.contains(&format!("since {since} ")) && verbose.contains(" more)\n"), "{verbose}");
    served.enable(&alice).expect(200);

    folder.write("policy.toml", &good);
    await_generation(&served, 2);
    assert_eq!(served.metric(SUCCESS), 1);
    assert!(served.metric("config_last_reload_success_timestamp_seconds") > 1_700_000_000);
    let verbose = served.admin_get("/readyz?verbose").expect(200).body;
    assert!(verbose.contains("[+] reload ok\n"), "{verbose}");
    let log = served.ended_by(Signal::TERM).expect(0).stderr;
    assert_eq!(log.matches("the policy cannot be read").count(), 1, "{log}");
}

#[test]
fn every_file_that_the_configuration_names_is_watched_and_so_is_the_configuration_itself() {
    let cloud = Cloud::start();
    let (folder, served) = watched(&cloud);
    let alice = folder.token("alice");
    folder.write_secret("jwt.secret", "another-shared-secret-of-more-than-32-bytes");
    await_generation(&served, 2);
    // Row 71, for secrets of issuers: what the old one has signed is worth nothing any more.
    served.enable(&alice).expect(401);
    let alice = folder.token("alice");
    served.enable(&alice).expect(200);

    folder.write_secret("keys", &(folder.read("keys") + "# changed\n"));
    await_generation(&served, 3);
    // The mode of a key file is a part of it.
    fs::set_permissions(folder.path("keys"), fs::Permissions::from_mode(0o640)).unwrap();
    await_failures(&served, 1);
    fs::set_permissions(folder.path("keys"), fs::Permissions::from_mode(0o600)).unwrap();
    await_generation(&served, 4);

    // A new name is followed, and the old file is forgotten.
    folder.write("other.toml", &folder.read("policy.toml").replace("user:alice", "user:bob"));
    folder.change("gateway.toml", "policy.toml", "other.toml");
    await_generation(&served, 5);
    served.enable(&alice).expect(403);
    folder.write("policy.toml", "broken");
    folder.change("other.toml", "user:bob", "user:alice");
    await_generation(&served, 6);
    served.enable(&alice).expect(200);
    assert_eq!(served.metric(FAILED), 1);
}

#[test]
fn documents_that_a_policy_attaches_are_watched_also_those_that_are_yet_to_come() {
    let cloud = Cloud::start();
    let (folder, served) = watched(&cloud);
    let bob = folder.token("bob");
    let attachment = "[[attachment]]\nprincipal = [\"user:bob\"]\ndocument = \"bob.json\"\n";
    folder.write("policy.toml", &(folder.read("policy.toml") + attachment));
    await_failures(&served, 1);
    served.enable(&bob).expect(403);
    let document = |effect: &str| {
        let statement = format!(r#"{{"effect": "{effect}", "action": ["name/ci:*"], "resource": ["*"]}}"#);
        format!(r#"{{"version": "2.0", "statement": [{statement}]}}"#)
    };
    folder.write("bob.json", &document("allow"));
    await_generation(&served, 2);
    served.enable(&bob).expect(200);
    folder.write("bob.json", &document("deny"));
    await_generation(&served, 3);
    served.enable(&bob).expect(403);
}

#[test]
fn a_configuration_that_is_no_toml_or_gone_is_read_again_when_it_is_whole() {
    let cloud = Cloud::start();
    let (folder, served) = watched(&cloud);
    let (alice, good) = (folder.token("alice"), folder.read("gateway.toml"));
    fs::remove_file(folder.path("gateway.toml")).unwrap();
    await_failures(&served, 1);
    folder.write("gateway.toml", "[server\n");
    await_failures(&served, 2);
    // The files of the last good one are watched meanwhile: a change of theirs is tried, and fails with the rest.
    folder.change("policy.toml", "user:alice", "user:bob");
    await_failures(&served, 3);
    served.enable(&alice).expect(200);
    folder.write("gateway.toml", &good);
    await_generation(&served, 2);
    served.enable(&alice).expect(403);
}

/// Says that all is done when it is dropped.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What the callers of [`under_load`] have seen.
#[derive(Default)]
struct Seen {
    permitted: AtomicUsize,
    denied: AtomicUsize,
}

/// Asks until all is done, as one who is sometimes permitted. Each answer is of one generation: whose turn it is,
/// where, and by which statement.
fn ask_again_and_again(served: &Served, name: &str, token: &str, done: &AtomicBool, seen: &Seen) {
    while !done.load(Ordering::Relaxed) {
        let answer = served.ask_only(token);
        let said = answer.json();
        let is_of = |region: &str, who: &str| match (who == name, answer.status()) {
            (true, 200) => said["region"] == region && said["statement"] == format!("{region}-may"),
            (false, 403) => said["detail"].as_str().unwrap().contains(&format!("`{region}-not`")),
            _ => false,
        };
        assert!(is_of("ap-a", "alice") || is_of("ap-b", "bob"), "{name}: {answer:?}");
        let counter = if answer.status() == 200 { &seen.permitted } else { &seen.denied };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// Swaps two callers' rights together with the region so many times, every third time with broken files in between.
fn under_load(reloads: usize) {
    let cloud = Cloud::start();
    let folder = Folder::of(&cloud);
    let generations = [("ap-a", ["alice", "bob"]), ("ap-b", ["bob", "alice"])];
    let generations = generations.map(|(region, who)| generation(&folder, region, who));
    let put = |files: &Files| files.iter().for_each(|(name, text)| folder.write(name, text));
    put(&generations[0]);
    let served = Served::from(&folder);
    let (done, seen) = (AtomicBool::new(false), Seen::default());
    std::thread::scope(|scope| {
        // The callers end also if a reload is not as it should be.
        let _ends = Ends(&done);
        for name in ["alice", "bob", "alice", "bob"] {
            let (token, served, done, seen) = (folder.token(name), &served, &done, &seen);
            scope.spawn(move || ask_again_and_again(served, name, &token, done, seen));
        }
        for n in 1..=reloads {
            if n % 3 == 0 {
                folder.write("policy.toml", "[[statement]\n");
                served.reload().expect(422);
            }
            put(&generations[n % 2]);
            served.reload().expect(200);
        }
    });
    let Seen { permitted, denied } = seen;
    let (permitted, denied) = (permitted.into_inner(), denied.into_inner());
    println!("{reloads} reloads: {permitted} requests permitted, {denied} denied");
    assert!(permitted > 10 && denied > 10);
    let counted = [GENERATION, FAILED, "panics_total"].map(|name| served.metric(name));
    assert_eq!(counted, [reloads + 1, reloads / 3, 0].map(|count| i64::try_from(count).unwrap()));
}

/// Row 87, at the size for every day.
#[test]
fn two_hundred_reloads_under_load_cost_no_request_and_mix_no_generations() {
    under_load(200);
}

#[test]
#[ignore = "takes minutes: run it by its name"]
fn ten_thousand_reloads_under_load_cost_no_request_and_mix_no_generations() {
    under_load(10_000);
}
