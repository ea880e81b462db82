//! PostgreSQL behind TLS: a server that takes nothing else, with a certificate of a private authority.

use std::path::Path;
use std::process::Command;

use crate::common::Lab;
use crate::common::database::at_url;
use crate::common::postgres::{PASSWORD, Server};

/// An authority of our own and its certificate for 127.0.0.1, as `ca.pem`, `server.crt` and `server.key` in a folder.
fn certify(folder: &Path) {
    let openssl = |args: &[&str]| {
        let output = Command::new("openssl")
            .args(args)
            .current_dir(folder)
            .output()
            .expect("openssl is needed: apt-get install openssl");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    let ca = ["req", "-x509", "-days", "2", "-subj", "/CN=Authority", "-keyout", "ca.key", "-out"];
    openssl(&[&ca[..], &["ca.pem"], &key].concat());
    let request = ["req", "-subj", "/CN=database", "-keyout", "server.key", "-out", "server.csr"];
    openssl(&[&request[..], &key].concat());
    std::fs::write(
        folder.join("extensions"),
        "subjectAltName = IP:127.0.0.1\nbasicConstraints = CA:FALSE\n",
    )
    .unwrap();
    let sign = ["x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key"];
    let out = ["-CAcreateserial", "-days", "2", "-extfile", "extensions", "-out", "server.crt"];
    openssl(&[&sign[..], &out].concat());
}

#[test]
fn tls_is_used_and_verified_as_the_url_says() {
    let lab = Lab::new();
    let keys = tempfile::TempDir::new().unwrap();
    certify(keys.path());
    let server = Server::with_tls(keys.path());
    let database = server.database();
    let ca = keys.path().join("ca.pem").display().to_string();
    let other = tempfile::TempDir::new().unwrap();
    certify(other.path());
    let stranger = other.path().join("ca.pem").display().to_string();
    let plain = server.url(&database);
    // The certificate is for the address, not for this name of it.
    let named = plain.replace("127.0.0.1", "localhost");

    let mut bench = at_url(&lab, &format!("{plain}?sslmode=require"), &plain);
    bench.repo.story("INFRA-1", "Story", "DRAFT", "Words.\n");
    bench.repo.init();
    bench.repo.run(&["sync"]).expect(0);
    let encrypted = "SELECT count(*) FROM agent_sync.artifacts";
    assert_eq!(server.try_sql(&database, encrypted).unwrap(), "1");

    for (url, code, says) in [
        (format!("{plain}?sslmode=verify-full&sslrootcert={ca}"), 0, ""),
        (format!("{named}?sslmode=require"), 0, ""),
        (format!("{plain}?sslmode=disable"), 3, "no encryption"),
        (format!("{plain}?sslmode=verify-full"), 3, "certificate"),
        (format!("{plain}?sslmode=verify-full&sslrootcert={stranger}"), 3, "certificate"),
        (format!("{named}?sslmode=verify-full&sslrootcert={ca}"), 3, "certificate"),
        (format!("{plain}?sslmode=verify-full&sslrootcert=/nowhere.pem"), 3, "/nowhere.pem"),
    ] {
        bench.repo.env.insert("TEAM_URL".to_owned(), url.clone());
        let run = bench.repo.run(&["status"]).expect(code);
        let error = run.json()["error"].as_str().unwrap_or_default().to_owned();
        assert!(error.contains(says), "{url}: {error}");
        assert!(!run.stdout.contains(PASSWORD) && !run.stderr.contains(PASSWORD), "{run:?}");
    }
}

#[test]
fn a_server_without_tls_is_refused_where_the_url_wants_it() {
    let lab = Lab::new();
    let plain = Server::shared().url(&Server::shared().database());
    let bench = at_url(&lab, &format!("{plain}?sslmode=require"), &plain);
    let run = bench.repo.run(&["status"]).expect(3);
    let error = run.json()["error"].as_str().unwrap().to_owned();
    assert!(error.contains("TLS"), "{error}");
}
