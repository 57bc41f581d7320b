//! Real programs behind and before a balancer: nginx, health-checked over HTTP, and curl.

mod common;

use common::{Scratch, can_run_labs, evidence, program, record};
use std::path::Path;
use std::process::Command;

fn curl_is_here() -> bool {
    let here = Command::new("curl").arg("--version").output().is_ok();
    assert!(
        here || std::env::var_os("CI").is_none(),
        "CI is set and there is no curl"
    );
    if !here {
        eprintln!("SKIPPED: there is no curl here");
    }
    here
}

/// A server that answers checks with this status, and everything else with its name.
fn configuration(folder: &Path, name: &str, health: u16) -> String {
    let folder = folder.display();
    format!(
        "user root;\nworker_processes 1;\ndaemon off;\npid {folder}/{name}.pid;\nerror_log stderr;\nevents {{}}\n\
         http {{\n\
         log_format lab '$remote_addr|$http_host|$request_uri|$status|$http_user_agent';\n\
         access_log {folder}/{name}.log lab;\n\
         client_body_temp_path {folder}/{name}-body;\nproxy_temp_path {folder}/{name}-proxy;\n\
         fastcgi_temp_path {folder}/{name}-fastcgi;\nuwsgi_temp_path {folder}/{name}-uwsgi;\n\
         scgi_temp_path {folder}/{name}-scgi;\n\
         server {{\nlisten 80;\nlocation / {{ return 200 \"{name}\\n\"; }}\nlocation = /healthz {{ return {health}; }}\n}}\n}}\n"
    )
}

const LAB: &str = r#"
title: nginx behind a balancer
time_scale: 20
hosts:
  client: {}
  web1: { zone: a, serve: { 80: { command: "exec NGINX -e stderr -c FOLDER/web1.conf" } } }
  web2: { zone: b, serve: { 80: { command: "exec NGINX -e stderr -c FOLDER/web2.conf" } } }
target_groups:
  web:
    targets: [web1, web2]
    health_check: { protocol: HTTP, path: /healthz, interval: 10, matcher: 204 }
load_balancers:
  front:
    zones: [a, b]
    listeners: { 80: web }
    attributes: { load_balancing.cross_zone.enabled: true }
steps:
  - run: { as: get, on_host: client, command: "for i in 1 2 3 4 5 6 7 8 9 10; do curl -sS --max-time 5 http://front/page || exit 1; done" }
  - wait: 1s
works: [get.ok]
cases:
  only: { kind: control }
"#;

#[test]
fn nginx_is_checked_over_http_and_curl_gets_the_healthy_one() {
    let scratch = Scratch::new("nginx");
    let (true, true) = (can_run_labs(), curl_is_here()) else {
        return;
    };
    let Some(nginx) = program(&scratch, "nginx") else {
        return;
    };
    for (name, health) in [("web1", 204), ("web2", 503)] {
        scratch.file(
            &format!("{name}.conf"),
            &configuration(&scratch.0, name, health),
        );
    }
    let folder = scratch.0.display().to_string();
    let lab = LAB.replace("NGINX", &nginx).replace("FOLDER", &folder);
    let record = evidence(&record(&scratch, "lab", &lab), "only");

    // Ten pages, all of the healthy one.
    let steps = record["steps"].as_array().expect("a list");
    assert_eq!(
        steps[0]["detail"]["run"]["stdout"],
        "web1\n".repeat(10),
        "{steps:?}"
    );
    let targets = &record["target_groups"]["web"]["targets"];
    assert_eq!(targets["web1"]["state"], "healthy");
    assert_eq!(targets["web2"]["state"], "unhealthy");
    assert_eq!(targets["web2"]["reason"], "Target.FailedHealthChecks");

    // What nginx itself says of both.
    let log = |name: &str| -> Vec<Vec<String>> {
        let text = std::fs::read_to_string(scratch.0.join(format!("{name}.log")));
        let text = text.expect("nginx writes its log");
        text.lines()
            .map(|line| line.split('|').map(str::to_owned).collect())
            .collect()
    };
    for (name, status) in [("web1", "204"), ("web2", "503")] {
        let lines = log(name);
        let checks: Vec<_> = lines.iter().filter(|line| line[2] == "/healthz").collect();
        for zonal in ["10.0.15.10", "10.0.31.10"] {
            let own: Vec<_> = checks.iter().filter(|line| line[0] == zonal).collect();
            // Three checkers, each at once and then twice a second for a second or more.
            assert!(own.len() >= 6, "{name} of {zonal}: {lines:?}");
            for check in own {
                assert_eq!(check[1], format!("{zonal}:80"), "the Host header");
                assert_eq!(check[3], status);
                assert_eq!(check[4], "ELB-HealthChecker/2.0");
            }
        }
    }
    let pages: Vec<_> = log("web1");
    let pages: Vec<_> = pages.iter().filter(|line| line[2] == "/page").collect();
    assert_eq!(pages.len(), 10);
    // The client's address is preserved, and it asked for the balancer by name.
    assert!(
        pages
            .iter()
            .all(|page| page[0] == "198.51.100.10" && page[1] == "front")
    );
    assert!(log("web2").iter().all(|line| line[2] == "/healthz"));
}

/// A reverse proxy that keeps connections to what is behind it, waits three seconds for an answer, and tries nobody else.
fn proxy_configuration(folder: &Path) -> String {
    let folder = folder.display();
    let location = |port: u16, name: &str| {
        format!(
            "upstream {name} {{ server $web:{port}; keepalive 8; }}\nserver {{ listen {port}; location / {{\n\
             proxy_pass http://{name}; proxy_http_version 1.1; proxy_set_header Connection \"\";\n\
             proxy_read_timeout 3s; proxy_next_upstream off; }} }}\n"
        )
    };
    let locations = [
        location(80, "well"),
        location(81, "resets"),
        location(82, "silent"),
    ]
    .concat();
    format!(
        "user root;\nworker_processes 1;\ndaemon off;\npid {folder}/proxy.pid;\nerror_log stderr;\nevents {{}}\n\
         http {{\naccess_log off;\n\
         client_body_temp_path {folder}/proxy-body;\nproxy_temp_path {folder}/proxy-proxy;\n\
         fastcgi_temp_path {folder}/proxy-fastcgi;\nuwsgi_temp_path {folder}/proxy-uwsgi;\n\
         scgi_temp_path {folder}/proxy-scgi;\n{locations}}}\n"
    )
}

/// Two proxies before the same servers: an emulated application balancer, and nginx. On 81 the target resets the
/// connection of a request, on 82 it says nothing.
const PROXIES: &str = r#"
title: nginx beside an application balancer
hosts:
  client: { zone: a }
  proxy:
    zone: a
    address: 10.0.0.80
    serve: { 80: { command: "exec NGINX -e stderr -c FOLDER/proxy.conf" } }
  web:
    zone: a
    address: 10.0.0.90
    # What comes after the handshake is answered with RST.
    nft: |
      table ip lab { chain in { type filter hook input priority 0; tcp dport 81 tcp flags & psh == psh reject with tcp reset } }
    serve: { 80: http, 81: http, 82: sink }
target_groups:
  well: { protocol: HTTP, targets: [web] }
load_balancers:
  app:
    type: application
    scheme: internal
    zones: [a]
    listeners: { 80: well, 81: well, 82: well }
    attributes: { idle_timeout.timeout_seconds: 3 }
steps:
WELL  - load: { as: reset, from: client, to: "TO:81", connections: 3, request: GET / }
  - load: { as: silent, from: client, to: "TO:82", request: GET /, timeout: 20s }
works: [well_1.failed == 0]
cases:
  only: { kind: control }
"#;

#[test]
fn nginx_as_a_reverse_proxy_and_an_application_balancer_answer_alike() {
    let scratch = Scratch::new("nginx-proxy");
    if !can_run_labs() {
        return;
    }
    let Some(nginx) = program(&scratch, "nginx") else {
        return;
    };
    let configuration = proxy_configuration(&scratch.0).replace("$web", "10.0.0.90");
    scratch.file("proxy.conf", &configuration);
    // One after the other: whoever has to wait at a busy machine takes no second connection to the target.
    let well: String = (1..=20)
        .map(|n| {
            format!("  - load: {{ as: well_{n}, from: client, to: \"TO:80\", request: GET / }}\n")
        })
        .collect();
    for to in ["app", "proxy"] {
        let lab = PROXIES
            .replace("WELL", &well)
            .replace("NGINX", &nginx)
            .replace("FOLDER", &scratch.0.display().to_string())
            .replace("TO", to);
        let record = evidence(&record(&scratch, to, &lab), "only");
        let status = |step: usize| &record["steps"][step]["detail"]["load"]["status"];
        for step in 0..20 {
            assert_eq!(*status(step), serde_json::json!({ "200": 1 }), "{to}");
        }
        assert_eq!(*status(20), serde_json::json!({ "502": 3 }), "{to}");
        assert_eq!(*status(21), serde_json::json!({ "504": 1 }), "{to}");
        // Twenty clients, and of their connections few at the target: those of port 80, three that were reset, one silent.
        let opened = record["hosts"]["web"]["counters"]["TcpPassiveOpens"].as_i64();
        assert!(
            opened.is_some_and(|opened| opened <= 4 + 3),
            "{to}: {opened:?}"
        );
    }
}
