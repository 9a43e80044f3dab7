"""The manifests of deploy/kubernetes: writes what follows from elsewhere, and checks every overlay.

    kubernetes.py write     what is written from other files, and the rendered overlays in tests/kubernetes/golden
    kubernetes.py check     whether those are up to date, and each overlay is valid

Needs kubectl (for its kustomize), kubernetes-validate and checkov: scripts/setup installs them.
"""

import json
import os
import subprocess
import sys

import jsonschema
import kubernetes_validate
import yaml

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDER = os.path.join(ROOT, "deploy/kubernetes")
COMPONENTS = os.path.join(FOLDER, "components")
TESTS = os.path.join(ROOT, "tests/kubernetes")
BIN = os.path.dirname(sys.executable)
VERSION = "1.34"
OVERLAYS = sorted(os.listdir(os.path.join(FOLDER, "overlays")))
SERVICES = ("registration", "validation", "funding", "monitoring", "exchange")
# An agency's own overlay is to be read at a glance.
OVERLAY_LINES_MAX = 40
WRITTEN = "# Written by scripts/lib/kubernetes.py from {}; scripts/lint kubernetes checks that it is up to date.\n"


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def kafka_rules():
    """Who may do what in Kafka, as (who, resource, name, pattern, operation)."""
    command = [os.environ["SANKOFA_PYTHON"], os.path.join(ROOT, "scripts/lib/kafka_admin.py"), "rules"]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [tuple(line.split()) for line in text.splitlines()]


def strimzi_users():
    """A KafkaUser for each name, its rights in Strimzi's words."""
    users = {}
    for who, resource, name, pattern, operation in kafka_rules():
        users.setdefault(who, {}).setdefault((resource, name, pattern), []).append(operation)
    for who, rights in users.items():
        acls = []
        for (resource, name, pattern), operations in rights.items():
            on = {"type": resource.lower()}
            if resource != "CLUSTER":
                on |= {"name": name, "patternType": "literal" if pattern == "LITERAL" else "prefix"}
            words = ["".join(part.capitalize() for part in one.split("_")) for one in operations]
            acls.append({"resource": on, "operations": words})
        # The certificate comes from the node's authority and not from Strimzi.
        yield {"apiVersion": "kafka.strimzi.io/v1beta2", "kind": "KafkaUser",
               "metadata": {"name": who, "labels": {"strimzi.io/cluster": "node"}},
               "spec": {"authentication": {"type": "tls-external"},
                        "authorization": {"type": "simple", "acls": acls}}}


def strimzi_topics():
    """The services' own topics. Feeds of partners are made by exchange when an agreement comes into force."""
    for service in SERVICES:
        yield {"apiVersion": "kafka.strimzi.io/v1beta2", "kind": "KafkaTopic",
               "metadata": {"name": f"sankofa.{service}", "labels": {"strimzi.io/cluster": "node"}},
               "spec": {"partitions": 12, "replicas": 3, "config": {"retention.ms": 168 * 3600 * 1000}}}


def prometheus_rule():
    groups = yaml.safe_load(read(os.path.join(ROOT, "deploy/observability/rules.yaml")))["groups"]
    return {"apiVersion": "monitoring.coreos.com/v1", "kind": "PrometheusRule", "metadata": {"name": "sankofa"},
            "spec": {"groups": groups}}


def board():
    return {"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "sankofa-board", "labels": {"grafana_dashboard": "1"}},
            "data": {"sankofa.json": json.dumps(json.loads(read(os.path.join(ROOT, "deploy/observability/grafana/node.json"))),
                                                separators=(",", ":"), ensure_ascii=False)}}


def documents(*objects):
    return yaml.safe_dump_all(objects, sort_keys=False, width=120)


def render(overlay):
    return subprocess.run([os.path.join(BIN, "kubectl"), "kustomize", os.path.join(FOLDER, "overlays", overlay)],
                          check=True, capture_output=True, text=True).stdout


def written_components():
    source = "scripts/lib/kafka_admin.py"
    return {
        "standalone/kafka-rules.txt": WRITTEN.format(source) + "".join(" ".join(rule) + "\n" for rule in kafka_rules()),
        "strimzi/users.yaml": WRITTEN.format(source) + documents(*strimzi_users()),
        "strimzi/topics.yaml": WRITTEN.format("its own list of services") + documents(*strimzi_topics()),
        "monitoring/rules.yaml": WRITTEN.format("deploy/observability/rules.yaml") + documents(prometheus_rule()),
        "monitoring/board.yaml": WRITTEN.format("deploy/observability/grafana/node.json") + documents(board()),
    }


def write():
    for name, text in written_components().items():
        with open(os.path.join(COMPONENTS, name), "w", encoding="utf-8") as file:
            file.write(text)
    os.makedirs(os.path.join(TESTS, "golden"), exist_ok=True)
    for overlay in OVERLAYS:
        with open(os.path.join(TESTS, "golden", f"{overlay}.yaml"), "w", encoding="utf-8") as file:
            file.write(render(overlay))


def shapes():
    """Small schemas of kinds that are no part of Kubernetes, by (apiVersion, kind)."""
    return {(entry["apiVersion"], kind): schema for entry in yaml.safe_load_all(read(os.path.join(TESTS, "shapes.yaml")))
            for kind, schema in entry["kinds"].items()}


def faults_of(overlay, text, known):
    for one in yaml.safe_load_all(text):
        where = f"{overlay}: {one['kind']}/{one['metadata']['name']}"
        try:
            shape = known.get((one["apiVersion"], one["kind"]))
            if shape is not None:
                jsonschema.validate(one["spec"], shape)
            else:
                kubernetes_validate.validate(one, VERSION, strict=True)
        except (jsonschema.ValidationError, kubernetes_validate.ValidationError) as error:
            yield f"{where}: {'.'.join(str(part) for part in error.path)}: {error.message}"
        except kubernetes_validate.SchemaNotFoundError:
            yield f"{where}: neither Kubernetes {VERSION} nor tests/kubernetes/shapes.yaml knows this kind"


def secrets_in(text):
    """Secrets are named and never contained."""
    return [one["metadata"]["name"] for one in yaml.safe_load_all(text) if one["kind"] == "Secret"]


def checkov(files):
    exceptions = yaml.safe_load(read(os.path.join(TESTS, "exceptions.yaml")))
    command = [os.path.join(BIN, "checkov"), "--framework", "kubernetes", "--skip-download", "--quiet", "--compact", "-o", "json",
               "--skip-check", ",".join(exceptions)]
    for file in files:
        command += ["-f", file]
    answer = json.loads(subprocess.run(command, check=False, capture_output=True, text=True).stdout)
    if "results" not in answer:
        return [], answer.get("passed", 0)
    return ([f"{one['check_id']} {one['resource']}: {one['check_name']}" for one in answer["results"]["failed_checks"]],
            answer["summary"]["passed"])


def check():
    found = []
    for name, text in written_components().items():
        path = os.path.join(COMPONENTS, name)
        if not os.path.exists(path) or read(path) != text:
            found.append(f"components/{name} is not up to date: scripts/lib/kubernetes.py write")
    known, files = shapes(), []
    for overlay in OVERLAYS:
        lines = read(os.path.join(FOLDER, "overlays", overlay, "kustomization.yaml")).count("\n")
        if lines > OVERLAY_LINES_MAX:
            found.append(f"{overlay}: {lines} lines, more than {OVERLAY_LINES_MAX}")
        text = render(overlay)
        found += faults_of(overlay, text, known)
        found += [f"{overlay}: contains the secret {name}" for name in secrets_in(text)]
        golden = os.path.join(TESTS, "golden", f"{overlay}.yaml")
        files.append(golden)
        if not os.path.exists(golden) or read(golden) != text:
            found.append(f"{overlay}: renders otherwise than tests/kubernetes/golden says. Is that meant? Then: "
                         "scripts/lib/kubernetes.py write, and look at the difference")
    if not found:
        failed, passed = checkov(files)
        found += failed
    for fault in found:
        print(f"error: {fault}", file=sys.stderr)
    if not found:
        print(f"lint: {len(OVERLAYS)} overlays are as they were, valid for Kubernetes {VERSION}, and pass {passed} checks",
              file=sys.stderr)
    return 1 if found else 0


def main():
    if sys.argv[1:] == ["write"]:
        write()
        return 0
    if sys.argv[1:] == ["check"]:
        return check()
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
