//! The image as the runner starts it: a fresh root file system in namespaces of its own, the runner's mounts and its
//! environment, and nothing else of this machine but the network.
//!
//! The mounts and the names of variables are those of the `docker run` that the runner prints in its log. No daemon
//! is needed: buildah makes the image, util-linux the namespaces. That takes root.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

/// Mounts what it is told to below the new root, and becomes the program there: process 1 of its namespace. For bash:
/// dash drops variables whose names have hyphens, as those of inputs do.
const ENTER: &str = r#"
root=$1; shift
while [ "$1" != -- ]; do mount --rbind "$1" "$root$2"; shift 2; done
shift
mount -t proc proc "$root/proc"
exec unshare --root="$root" --wd=/github/workspace -- "$@"
"#;

/// The built image.
pub struct Image {
    dir: TempDir,
    root: PathBuf,
    /// What an image's configuration says, as in the specification of OCI.
    pub config: Value,
}

impl Image {
    /// Builds the static binary and the last stage of the Dockerfile around it, once per process.
    pub fn get() -> &'static Self {
        static IMAGE: OnceLock<Image> = OnceLock::new();
        IMAGE.get_or_init(Self::build)
    }

    fn build() -> Self {
        assert!(rustix::process::geteuid().is_root(), "the tests of the image need root");
        let source = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut build = Command::new(source.join(".ci/static"));
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            // Set by `cargo test` about this crate; with them the crates that read them would be built anew.
            if ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|prefix| name.starts_with(prefix)) {
                build.env_remove(&*name);
            }
        }
        let binary = run(build);
        let dir = TempDir::new().unwrap();
        let (stage, out) = (dir.path().join("Dockerfile"), dir.path().join("build/out"));
        std::fs::create_dir_all(&out).unwrap();
        std::fs::copy(source.join(binary.trim()), out.join("agent-sync")).unwrap();
        std::fs::create_dir(dir.path().join("context")).unwrap();
        std::fs::write(&stage, last_stage(source)).unwrap();
        let mut image = Self { root: PathBuf::new(), config: Value::Null, dir };
        let from = format!("build={}", image.dir.path().join("build").display());
        let context = image.dir.path().join("context");
        image.buildah(&[
            "build",
            "--quiet",
            "--isolation",
            "chroot",
            "--build-context",
            &from,
            "--build-arg",
            "VERSION=9.9.9",
            "--file",
            stage.to_str().unwrap(),
            "--tag",
            "agent-sync",
            context.to_str().unwrap(),
        ]);
        let container = image.buildah(&["from", "agent-sync"]);
        let inspected = image.buildah(&["inspect", "--type", "image", "agent-sync"]);
        let inspected: Value = serde_json::from_str(&inspected).unwrap();
        image.config = inspected["OCIv1"].clone();
        image.root = PathBuf::from(image.buildah(&["mount", container.trim()]).trim());
        image
    }

    /// Every path in the image below its root.
    pub fn paths(&self) -> Vec<PathBuf> {
        std::fs::read_dir(&self.root).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    /// Bytes of the layers and the configuration as a registry keeps them.
    pub fn compressed(&self) -> u64 {
        let target = self.dir.path().join("pushed");
        self.buildah(&["push", "--quiet", "agent-sync", &format!("oci:{}", target.display())]);
        let blobs = std::fs::read_dir(target.join("blobs/sha256")).unwrap();
        blobs.map(|blob| blob.unwrap().metadata().unwrap().len()).sum()
    }

    fn buildah(&self, args: &[&str]) -> String {
        let mut command = Command::new("buildah");
        command
            .args(["--storage-driver", "vfs", "--root"])
            .arg(self.dir.path().join("storage"))
            .arg("--runroot")
            .arg(self.dir.path().join("run"))
            .args(args);
        run(command)
    }
}

/// The stage that becomes the image, word for word.
fn last_stage(source: &Path) -> String {
    let text = std::fs::read_to_string(source.join("Dockerfile")).unwrap();
    let begin = text.rfind("\nFROM ").expect("a stage") + 1;
    assert!(text[begin..].starts_with("FROM scratch\n"), "{text}");
    text[begin..].to_owned()
}

#[track_caller]
fn run(mut command: Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| {
        panic!("{}: {error}; .ci/test installs it", command.get_program().display())
    });
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// A job's folders, and the step that uses the image.
pub struct Step {
    image: &'static Image,
    dir: TempDir,
    mounts: Vec<(PathBuf, PathBuf)>,
    env: BTreeMap<String, String>,
}

impl Step {
    /// A step in a job whose workspace is this folder.
    pub fn new(workspace: &Path) -> Self {
        let dir = TempDir::new().unwrap();
        let work = dir.path().join("_temp");
        let mounts = [
            ("", "/github/runner_temp"),
            ("_github_home", "/github/home"),
            ("_github_workflow", "/github/workflow"),
            ("_runner_file_commands", "/github/file_commands"),
        ];
        let mut step = Self { image: Image::get(), dir, mounts: Vec::new(), env: BTreeMap::new() };
        for (folder, target) in mounts {
            std::fs::create_dir_all(work.join(folder)).unwrap();
            step = step.mount(&work.join(folder), target);
        }
        // What every container has: devices, and the names of hosts.
        for path in ["/dev", "/etc/hosts", "/etc/resolv.conf"] {
            if Path::new(path).exists() {
                step = step.mount(Path::new(path), path);
            }
        }
        step = step.mount(workspace, "/github/workspace");
        for (name, value) in [
            ("CI", "true"),
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_SERVER_URL", "https://github.com"),
            ("GITHUB_REPOSITORY", "org/repo"),
            ("GITHUB_RUN_ID", "4711"),
            ("GITHUB_RUN_ATTEMPT", "1"),
            ("GITHUB_WORKSPACE", "/github/workspace"),
            ("HOME", "/github/home"),
            ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
            ("RUNNER_OS", "Linux"),
            ("RUNNER_TEMP", "/github/runner_temp"),
        ] {
            step = step.env(name, value);
        }
        for (name, file) in
            [("GITHUB_OUTPUT", "set_output"), ("GITHUB_STEP_SUMMARY", "step_summary")]
        {
            std::fs::write(step.file_command(file), "").unwrap();
            step = step.env(name, &format!("/github/file_commands/{file}"));
        }
        step.event("push", "{}")
    }

    /// Mounts a file or folder.
    pub fn mount(mut self, source: &Path, target: &str) -> Self {
        self.mounts.retain(|(_, at)| at != Path::new(target));
        self.mounts.push((source.to_owned(), PathBuf::from(target)));
        self
    }

    /// Without any mount below this path.
    pub fn without(mut self, target: &str) -> Self {
        self.mounts.retain(|(_, at)| !at.starts_with(target));
        self
    }

    /// Mounts git with just its own libraries, for the commands that need it: the image has none.
    pub fn with_git(mut self) -> Self {
        let git = PathBuf::from(run(shell("command -v git")).trim());
        let libraries = run(shell(&format!("ldd {}", git.display())));
        let helpers = run(shell("git --exec-path"));
        let files = libraries.split_whitespace().filter(|word| word.starts_with('/'));
        for file in files.chain([git.to_str().unwrap(), helpers.trim()]) {
            self = self.mount(Path::new(file), file);
        }
        self
    }

    /// Sets a variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Sets an input of the action as the runner does: upper case, hyphens kept.
    pub fn input(self, name: &str, value: &str) -> Self {
        self.env(&format!("INPUT_{}", name.to_uppercase()), value)
    }

    /// Sets the event and its payload.
    pub fn event(self, name: &str, payload: &str) -> Self {
        std::fs::write(self.dir.path().join("_temp/_github_workflow/event.json"), payload).unwrap();
        self.env("GITHUB_EVENT_NAME", name).env("GITHUB_EVENT_PATH", "/github/workflow/event.json")
    }

    /// What the step wrote to a command file: `set_output` or `step_summary`.
    pub fn written(&self, file: &str) -> String {
        std::fs::read_to_string(self.file_command(file)).unwrap()
    }

    fn file_command(&self, file: &str) -> PathBuf {
        self.dir.path().join("_temp/_runner_file_commands").join(file)
    }

    /// The program in a container of its own. The child is the parent of the namespace's process 1.
    pub fn command(&self, args: &[&str]) -> Command {
        let root = self.fresh_root();
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--"])
            .args(["bash", "-euc", ENTER, "bash"])
            .arg(&root);
        for (source, target) in &self.mounts {
            command.arg(source).arg(target);
        }
        let entrypoint = self.image.config["config"]["Entrypoint"].as_array().unwrap();
        command
            .arg("--")
            .args(entrypoint.iter().map(|part| part.as_str().unwrap()))
            .args(args)
            .env_clear()
            .envs(&self.env)
            .stdin(Stdio::null());
        command
    }

    /// Runs it.
    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// A copy of the image's file system with a place for each mount.
    fn fresh_root(&self) -> PathBuf {
        let root = TempDir::new_in(self.dir.path()).unwrap().keep();
        let mut copy = Command::new("cp");
        copy.arg("-a").arg(self.image.root.join(".")).arg(&root);
        run(copy);
        std::fs::create_dir_all(root.join("proc")).unwrap();
        for (source, target) in &self.mounts {
            let place = root.join(target.strip_prefix("/").unwrap());
            match source.is_dir() {
                true => std::fs::create_dir_all(place).unwrap(),
                false => {
                    std::fs::create_dir_all(place.parent().unwrap()).unwrap();
                    std::fs::write(place, "").unwrap();
                }
            }
        }
        root
    }
}

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-euc", script]);
    command
}

/// User and group.
pub type Owner = (u32, u32);

/// Gives a file, or a folder with all in it, to somebody.
pub fn give(path: &Path, (user, group): Owner) {
    chown(path, Some(user), Some(group)).unwrap();
    if path.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            give(&entry.unwrap().path(), (user, group));
        }
    }
}

/// Owners of all below a folder but what git keeps for itself, which is not ours to write in the image.
pub fn owners(folder: &Path) -> BTreeSet<(PathBuf, Owner)> {
    let mut found = BTreeSet::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let data = path.symlink_metadata().unwrap();
            if path.ends_with(".git") {
                continue;
            }
            if data.is_dir() {
                open.push(path.clone());
            }
            found.insert((path, (data.uid(), data.gid())));
        }
    }
    found
}
