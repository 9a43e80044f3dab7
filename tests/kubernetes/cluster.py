"""One node in a Kubernetes cluster, in a namespace of its own, for a test: applied, reached, hurt, looked at and removed."""

import os
import shlex
import subprocess
import threading
import time

import yaml

from node_client import ROOT, SERVICES, Node
from parts_node import PartsNode

ENGINES = ("postgres", "kafka", "redis")
LABEL = "app.kubernetes.io/name"
PORT = 7443
RESTART_SECONDS = 0.3


class Failed(Exception):
    """Something is not as it shall be; the text says what."""


class Kubectl:
    """kubectl, told which cluster and namespace."""

    def __init__(self, command, namespace):
        self.command = shlex.split(command)
        self.namespace = namespace

    def arguments(self, *arguments):
        return [*self.command, "--namespace", self.namespace, *arguments]

    def run(self, *arguments, given=None, check=True):
        done = subprocess.run(self.arguments(*arguments), input=given, check=False, capture_output=True, text=True)
        if check and done.returncode != 0:
            raise Failed(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def rolled_out(self, kind, name, seconds):
        self.run("rollout", "status", f"{kind}/{name}", f"--timeout={seconds}s")

    def pods(self, name):
        return self.run("get", "pods", "-l", f"{LABEL}={name}", "-o", "jsonpath={.items[*].metadata.name}").split()


class Forward:
    """A port of this machine that leads to a service of the cluster, also after the pod behind it was replaced."""

    def __init__(self, kubectl, service, local, remote):
        self._command = kubectl.arguments("port-forward", "--address", "127.0.0.1", f"service/{service}", f"{local}:{remote}")
        self._ending = threading.Event()
        self._process = None
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()

    def _keep(self):
        while not self._ending.is_set():
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                             stderr=subprocess.DEVNULL)
            self._process.wait()
            self._ending.wait(RESTART_SECONDS)

    def again(self):
        """To another pod: a forward stays with its pod until that is gone."""
        if self._process is not None:
            self._process.terminate()

    def close(self):
        self._ending.set()
        self.again()
        self._thread.join()


class Deployment:
    """The node `name`, from an overlay, in a namespace that must not be there before and is removed at the end."""

    def __init__(self, kubectl, overlay, name, country, base_port):
        self.kubectl, self.overlay, self.name, self.country = kubectl, overlay, name, country
        self.ports = {service: base_port + number for number, service in enumerate(SERVICES)}
        self.forwards = {}
        self.made = False

    def manifests(self):
        """The overlay as it is, under another name and in another namespace, with the time from its callers."""
        rendered = subprocess.run([os.path.join(os.environ["SANKOFA_KUBERNETES_VENV"], "bin/kubectl"), "kustomize", self.overlay],
                                  check=True, capture_output=True, text=True).stdout
        objects = list(yaml.safe_load_all(rendered))
        for one in objects:
            if one["kind"] == "Namespace":
                one["metadata"]["name"] = self.kubectl.namespace
            elif "namespace" in one["metadata"]:
                one["metadata"]["namespace"] = self.kubectl.namespace
            if one["kind"] == "ConfigMap" and "SANKOFA_NODE_ID" in one.get("data", {}):
                one["data"] |= {"SANKOFA_NODE_ID": self.name, "SANKOFA_NODE_COUNTRY": self.country,
                                "SANKOFA_IDENTITY_ISSUER": f"https://identity.{self.name}.sankofa.example",
                                "SANKOFA_IDENTITY_AUDIENCE": f"sankofa-{self.name}",
                                "SANKOFA_CLOCK_ACCEPT_SCENARIO_TIME": "true"}
        return objects

    def apply(self):
        if self.kubectl.run("get", "namespace", self.kubectl.namespace, "--ignore-not-found"):
            raise Failed(f"there is a namespace {self.kubectl.namespace}; this test makes its own and removes it")
        objects = self.manifests()
        namespaces = [one for one in objects if one["kind"] == "Namespace"]
        self.made = True
        self.kubectl.run("apply", "-f", "-", given=yaml.safe_dump_all(namespaces))
        secrets = subprocess.run([os.path.join(ROOT, "scripts/cluster-secrets"), self.name, "--namespace",
                                  self.kubectl.namespace], check=True, capture_output=True, text=True).stdout
        self.kubectl.run("apply", "-f", "-", given=secrets)
        self.kubectl.run("apply", "--validate=strict", "-f", "-", given=yaml.safe_dump_all(objects))

    def wait_until_ready(self, seconds):
        end = time.monotonic() + seconds
        for kind, names in (("statefulset", ENGINES), ("deployment", SERVICES)):
            for name in names:
                self.kubectl.rolled_out(kind, name, max(1, int(end - time.monotonic())))

    def connect(self):
        path = os.path.join(ROOT, ".run", self.name, "sankofa.yaml")
        with open(path, "w", encoding="utf-8") as file:
            yaml.safe_dump({"node": {"id": self.name}, "listen": {"address": "127.0.0.1:1"},
                            "health": {"address": "127.0.0.1:1"}}, file)
        self.forwards = {service: Forward(self.kubectl, service, port, PORT) for service, port in self.ports.items()}
        client = PartsNode(self.name, {service: Node(self.name, addresses={"listen": f"127.0.0.1:{self.ports[service]}"})
                                       for service in SERVICES})
        end = time.monotonic() + 60
        while True:
            try:
                return client.load()
            except Exception:  # the forwards are only just starting
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)

    def psql(self, *arguments):
        """What the database's administrator is told, who has every service's rights."""
        with open(os.path.join(ROOT, ".run", self.name, "secrets/admin.password"), encoding="ascii") as file:
            password = file.read().strip()
        done = subprocess.run(self.kubectl.arguments(
            "exec", "postgres-0", "--", "env", f"PGPASSWORD={password}", "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d",
            "host=127.0.0.1 dbname=sankofa user=sankofa_admin sslmode=require", *arguments), check=False, capture_output=True)
        if done.returncode != 0:
            raise Failed(f"psql: {done.stderr.decode()}")
        return done.stdout

    def stranger(self):
        """A pod that nothing knows, made of PostgreSQL's image since that has a shell."""
        image = self.kubectl.run("get", "statefulset", "postgres", "-o", "jsonpath={.spec.template.spec.containers[0].image}")
        return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "stranger"}, "spec": {
            "automountServiceAccountToken": False, "terminationGracePeriodSeconds": 0,
            "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{"name": "shell", "image": image, "command": ["sleep", "600"], "securityContext": {
                "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}}]}}

    def ports_of_pods(self):
        """(address, port) of every port that a pod of the node declares."""
        pods = yaml.safe_load(self.kubectl.run("get", "pods", "-l", f"{LABEL} in ({','.join((*ENGINES, *SERVICES))})", "-o", "json"))
        return [(pod["status"]["podIP"], port["containerPort"]) for pod in pods["items"]
                for container in pod["spec"]["containers"] for port in container.get("ports", ())]

    def events(self):
        """What went wrong with pods, and the ends of the logs of those that are not ready."""
        text = self.kubectl.run("get", "pods", "-o", "wide", check=False)
        for name in (*ENGINES, *SERVICES):
            for pod in self.kubectl.pods(name):
                text += f"\n== {pod}\n" + self.kubectl.run("logs", pod, "--tail=8", check=False)
        return text + self.kubectl.run("get", "events", "--field-selector", "type=Warning", "--sort-by=.lastTimestamp", check=False)

    def remove(self):
        for forward in self.forwards.values():
            forward.close()
        if self.made:
            self.kubectl.run("delete", "namespace", self.kubectl.namespace, "--wait=true", "--timeout=180s")
