//! What is deployed says what it should: manifests are those of every Kubernetes that counts, pods may do nothing that they need
//! not, and Dockerfiles have no findings.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use towline_end_to_end::installed;

/// The oldest Kubernetes that is still in use, the newest, and one between.
const VERSIONS: [&str; 3] = ["1.31", "1.34", "1.37"];

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/deploy")
}

/// The manifests that are applied, as kubectl makes them.
fn rendered() -> String {
    let production = deploy().join("kubernetes/production");
    let output = Command::new(installed(".venv-deploy/bin/kubectl"))
        .arg("kustomize")
        .arg(&production)
        .output()
        .expect("kubectl runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("kubectl writes UTF-8")
}

fn manifests() -> Vec<Value> {
    rendered().split("\n---\n").map(|document| serde_norway::from_str(document).unwrap()).collect()
}

/// The only manifest of its kind.
fn one(all: &[Value], kind: &str) -> Value {
    let mut of: Vec<_> = all.iter().filter(|one| one["kind"] == kind).collect();
    assert_eq!(of.len(), 1, "{kind}");
    of.remove(0).clone()
}

/// Holds manifests against the schemas of a version of Kubernetes, and tells how many are right, or what is wrong.
fn validate(manifests: &str, version: &str) -> Result<usize, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("manifests.yaml");
    fs::write(&file, manifests).unwrap();
    let output = Command::new(installed(".venv-deploy/bin/kubernetes-validate"))
        .args(["--kubernetes-version", version, "--strict"])
        .arg(&file)
        .output()
        .expect("kubernetes-validate runs");
    let told = [output.stdout, output.stderr].concat();
    let told = String::from_utf8_lossy(&told).into_owned();
    if output.status.success() { Ok(told.matches(" passed for resource ").count()) } else { Err(told) }
}

#[test]
fn manifests_are_right_for_each_version_of_kubernetes() {
    let manifests = rendered();
    let count = manifests.split("\n---\n").count();
    assert!(count >= 9, "{manifests}");
    for version in VERSIONS {
        assert_eq!(validate(&manifests, version), Ok(count), "{version}");
    }
}

#[test]
fn a_slip_in_a_manifest_is_found() {
    let manifests = rendered();
    for (right, wrong) in [
        ("readinessProbe:", "readinesProbe:"),
        ("readOnlyRootFilesystem: true", "readOnlyRootFileSystem: true"),
        ("minReplicas: 3", "minReplicas: three"),
        ("policyTypes:", "policyType:"),
        ("minAvailable:", "minimumAvailable:"),
    ] {
        let manifests = manifests.replace(right, wrong);
        assert!(manifests.contains(wrong), "{right}");
        for version in VERSIONS {
            let told = validate(&manifests, version).unwrap_err();
            assert!(told.contains(wrong.split(':').next().unwrap()) || told.contains("three"), "{told}");
        }
    }
}

#[test]
fn dockerfiles_have_no_findings() {
    let lint = |file: &Path| {
        let output =
            Command::new(installed(".venv-deploy/bin/hadolint")).arg(file).output().expect("it runs");
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    for name in ["Dockerfile", "Dockerfile.bin"] {
        assert_eq!(lint(&deploy().join(name)), (true, String::new()), "{name}");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("Dockerfile");
    fs::write(&file, "FROM debian\nRUN apt-get install curl\n").unwrap();
    let (is_fine, told) = lint(&file);
    assert!(!is_fine && told.contains("DL3006") && told.contains("DL3015"), "{told}");
}

/// What both images run as, and with what they begin.
#[test]
fn images_are_for_nobody_s_user_and_hold_no_shell() {
    for name in ["Dockerfile", "Dockerfile.bin"] {
        let text = fs::read_to_string(deploy().join(name)).unwrap();
        let image = &text[text.rfind("\nFROM scratch\n").expect("the image is empty at first")..];
        assert!(image.contains("\nUSER 65532:65532\n"), "{name}");
        assert!(image.contains("\nENTRYPOINT [\"/server\"]\n"), "{name}");
        assert!(
            image.contains("HEALTHCHECK") && image.contains("CMD [\"/server\", \"healthcheck\"]"),
            "{name}"
        );
        assert!(!image.contains("\nRUN ") && !image.contains("/bin/"), "{name}");
    }
}

#[test]
fn pods_may_do_nothing_that_they_need_not() {
    let all = manifests();
    let deployment = one(&all, "Deployment");
    let pod = &deployment["spec"]["template"]["spec"];
    assert_eq!(pod["automountServiceAccountToken"], false);
    assert_eq!(one(&all, "ServiceAccount")["automountServiceAccountToken"], false);
    assert_eq!(pod["serviceAccountName"], one(&all, "ServiceAccount")["metadata"]["name"]);
    assert_eq!(pod["enableServiceLinks"], false);
    let user = json!({
        "runAsNonRoot": true, "runAsUser": 65532, "runAsGroup": 65532, "fsGroup": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    });
    assert_eq!(pod["securityContext"], user);
    for of_the_host in ["hostNetwork", "hostPID", "hostIPC", "initContainers"] {
        assert_eq!(pod.get(of_the_host), None, "{of_the_host}");
    }
    let containers = pod["containers"].as_array().unwrap();
    assert_eq!(containers.len(), 1);
    let security = json!({
        "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]},
    });
    assert_eq!(containers[0]["securityContext"], security);
    assert_eq!(
        one(&all, "Namespace")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"],
        "restricted"
    );
    // What is deployed is what was built.
    let image = containers[0]["image"].as_str().unwrap();
    assert!(image.contains("@sha256:"), "{image}");
}

#[test]
fn secrets_are_files_and_in_no_manifest() {
    let all = manifests();
    assert!(all.iter().all(|one| one["kind"] != "Secret"));
    let deployment = one(&all, "Deployment");
    let pod = &deployment["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    assert_eq!((container.get("env"), container.get("envFrom")), (None, None));
    let mut modes = Vec::new();
    for volume in pod["volumes"].as_array().unwrap() {
        let name = &volume["name"];
        let kinds: Vec<&str> = volume.as_object().unwrap().keys().map(String::as_str).collect();
        assert!(kinds.iter().all(|kind| ["name", "secret", "configMap"].contains(kind)), "{kinds:?}");
        modes.extend(volume["secret"]["defaultMode"].as_u64());
        let mounts = container["volumeMounts"].as_array().unwrap();
        let mount = mounts.iter().find(|mount| mount["name"] == *name).unwrap();
        assert_eq!(mount["readOnly"], true, "{name}");
    }
    // Its group may read, since the kubelet owns it, and nobody else.
    assert_eq!(modes, [0o440]);
}

/// Probes leave the server the time that its own checks take, and the kubelet leaves it the time to end.
#[test]
fn the_times_of_probes_and_of_the_end_fit_the_server() {
    let all = manifests();
    let deployment = one(&all, "Deployment");
    let pod = &deployment["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    for (probe, path) in
        [("startupProbe", "/livez"), ("livenessProbe", "/livez"), ("readinessProbe", "/readyz")]
    {
        assert_eq!(container[probe]["httpGet"], json!({"path": path, "port": "admin"}), "{probe}");
    }
    // A check that a database does not answer is given up after 5 seconds.
    assert!(container["readinessProbe"]["timeoutSeconds"].as_u64() > Some(5));

    let settings = one(&all, "ConfigMap")["data"]["server.toml"].as_str().unwrap().to_owned();
    let millis = |key: &str| -> u64 {
        let line = settings.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = ")).unwrap();
        line.parse().unwrap()
    };
    let hook =
        container["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64().expect("the image has no shell");
    assert!(hook > 0);
    let end = hook * 1000 + millis("shutdown_delay_ms") + millis("shutdown_grace_ms");
    let given = pod["terminationGracePeriodSeconds"].as_u64().unwrap() * 1000;
    assert!(end + 5000 <= given, "{end} of {given} ms");
}

#[test]
fn a_node_a_zone_or_a_deployment_takes_down_one_by_one() {
    let all = manifests();
    let deployment = one(&all, "Deployment");
    let spec = &deployment["spec"];
    let labels = &spec["template"]["metadata"]["labels"];
    assert_eq!(spec["selector"]["matchLabels"], *labels);
    assert_eq!(spec["strategy"]["rollingUpdate"], json!({"maxUnavailable": 0, "maxSurge": 1}));
    assert_eq!(spec["replicas"], 3);

    let budget = one(&all, "PodDisruptionBudget");
    assert_eq!(budget["spec"]["minAvailable"], 2, "one of three may go");
    assert_eq!(budget["spec"]["unhealthyPodEvictionPolicy"], "AlwaysAllow");
    assert_eq!(budget["spec"]["selector"]["matchLabels"], *labels);

    let scaler = one(&all, "HorizontalPodAutoscaler");
    assert_eq!(scaler["spec"]["scaleTargetRef"]["name"], deployment["metadata"]["name"]);
    assert_eq!(scaler["spec"]["minReplicas"], spec["replicas"]);
    assert!(scaler["spec"]["maxReplicas"].as_u64() > Some(3));
    assert_eq!(scaler["spec"]["metrics"][0]["resource"]["name"], "cpu");
    assert!(scaler["spec"]["behavior"]["scaleDown"]["stabilizationWindowSeconds"].as_u64() >= Some(300));

    let spread = spec["template"]["spec"]["topologySpreadConstraints"].as_array().unwrap();
    let keys: Vec<_> = spread.iter().map(|one| one["topologyKey"].as_str().unwrap()).collect();
    assert_eq!(keys, ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]);
    assert!(spread.iter().all(|one| one["labelSelector"]["matchLabels"] == *labels), "{spread:?}");
}

/// Memory is bounded, and the time of processors is not: a server that is throttled is slow for everybody at once.
#[test]
fn resources_are_asked_for_and_memory_is_bounded() {
    let deployment = one(&manifests(), "Deployment");
    let resources = &deployment["spec"]["template"]["spec"]["containers"][0]["resources"];
    assert!(resources["requests"]["cpu"].is_string() && resources["requests"]["memory"].is_string());
    assert!(resources["limits"]["memory"].is_string());
    assert_eq!(resources["limits"].get("cpu"), None);
}

#[test]
fn the_network_lets_through_what_is_named_and_nothing_else() {
    let all = manifests();
    let policy = one(&all, "NetworkPolicy");
    let spec = &policy["spec"];
    let deployment = one(&all, "Deployment");
    let labels = &deployment["spec"]["template"]["metadata"]["labels"];
    assert_eq!(spec["podSelector"]["matchLabels"], *labels);
    assert_eq!(spec["policyTypes"], json!(["Ingress", "Egress"]));
    let rules = |direction: &str, peers: &str| -> Vec<Value> {
        let rules = spec[direction].as_array().unwrap();
        // A rule that names nobody lets everybody through.
        assert!(rules.iter().all(|rule| rule[peers].as_array().is_some_and(|peers| !peers.is_empty())));
        rules
            .iter()
            .flat_map(|rule| rule["ports"].as_array().unwrap())
            .map(|port| port["port"].clone())
            .collect()
    };
    assert_eq!(rules("ingress", "from"), [json!("mcp"), json!("admin")]);
    assert_eq!(rules("egress", "to"), [json!(53), json!(53), json!(5432)]);
    // Labels of ours are in no selector of others.
    let peer = |direction: &str, rule: usize, peers: &str| &spec[direction][rule][peers][0];
    let of_namespace = |name: &str| json!({"matchLabels": {"kubernetes.io/metadata.name": name}});
    assert_eq!(peer("ingress", 0, "from"), &json!({"namespaceSelector": of_namespace("ingress")}));
    assert_eq!(peer("ingress", 1, "from"), &json!({"namespaceSelector": of_namespace("monitoring")}));
    let dns = json!({"matchLabels": {"k8s-app": "kube-dns"}});
    assert_eq!(
        peer("egress", 0, "to"),
        &json!({"namespaceSelector": of_namespace("kube-system"), "podSelector": dns})
    );
    let database = json!({"matchLabels": {"app.kubernetes.io/name": "postgresql"}});
    assert_eq!(peer("egress", 1, "to"), &json!({"podSelector": database}));
    let service = one(&all, "Service");
    assert_eq!(service["spec"]["selector"], *labels);
    assert_eq!(
        service["spec"]["ports"].as_array().unwrap().len(),
        1,
        "the admin port is for probes and monitoring"
    );
    assert_eq!(service["spec"]["ports"][0]["targetPort"], "mcp");
}

/// Streams are neither held back nor cut off: the server sends a sign of life each 15 seconds.
#[test]
fn the_ingress_lets_streams_through() {
    let ingress = one(&manifests(), "Ingress");
    let annotations = &ingress["metadata"]["annotations"];
    let of =
        |name: &str| annotations[format!("nginx.ingress.kubernetes.io/{name}")].as_str().unwrap().to_owned();
    assert_eq!(of("proxy-buffering"), "off");
    assert!(of("proxy-read-timeout").parse::<u32>().unwrap() > 15);
    assert!(ingress["spec"]["tls"][0]["hosts"].is_array());
}
