"""Whether a node keeps its promises in a Kubernetes cluster. Run by scripts/verify-cluster, whose help says what it does."""

import argparse
import copy
import itertools
import os
import shutil
import sys
import threading
import time
import uuid

import grpc
import yaml

import journal
import report
from cluster import ENGINES, Deployment, Failed, Kubectl
from node_client import ROOT, SERVICES, Refused
from play import Player
from scenario import load

SCENARIO = "tests/data/committee-cm-2017.yaml"
NAME, COUNTRY, NAMESPACE = "kube", "CM", "sankofa-verify"
CALLERS = 4
# A process that is killed in the middle of a call cancels it.
UNANSWERED = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED)
POLICY_SECONDS = 20
RECOVERY_SECONDS = 120
SETTLE_SECONDS = 120
# How long, at most, nobody gets an answer while something is replaced whose successor is ready first.
ROLLOUT_GAP_SECONDS = 5


class Load:
    """Persons are registered without pause by several callers. Each answer is kept, and how long nobody had one."""

    def __init__(self, client):
        self.client = client
        self.answers = {}
        self.failures, self.refusals = 0, []
        self._last, self._gap = time.monotonic(), 0.0
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._call, daemon=True) for _ in range(CALLERS)]
        for thread in self._threads:
            thread.start()

    def _call(self):
        while not self._ending.is_set():
            number = next(self._numbers)
            request_id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"verify {number}"))
            request = {"request_id": request_id, "details": {
                "given_names": "Afi", "family_names": f"Essai {number}", "sex": "SEX_FEMALE", "birth_date": "1990-05-17",
                "birth_place": "Douala", "nationalities": [COUNTRY]}}
            message = self.client.request("registration.RegisterPerson", request)
            while True:
                try:
                    answer = self.client.try_once("registration.RegisterPerson", message, who="case_officer",
                                                  at="2017-01-10T09:00:00Z", timeout=5)
                    break
                except grpc.RpcError as error:
                    refused = Refused("RegisterPerson", error)
                    with self._lock:
                        self.failures += 1
                        if refused.code not in UNANSWERED:
                            self.refusals.append(str(refused))
                            return
                    if self._ending.is_set():
                        return
                    # The same request again until it is answered: that it was not says nothing.
                    time.sleep(0.05)
            now = time.monotonic()
            with self._lock:
                self.answers[request_id] = answer.id
                self._gap = max(self._gap, now - self._last)
                self._last = now

    def longest_gap(self):
        """Seconds without any answer, at most, since this was last asked."""
        with self._lock:
            gap = max(self._gap, time.monotonic() - self._last)
            self._gap, self._last = 0.0, time.monotonic()
            return gap

    def wait_for_progress(self, seconds):
        before, end = len(self.answers), time.monotonic() + seconds
        while len(self.answers) < before + CALLERS:
            if self.refusals:
                raise Failed(f"a call was refused: {self.refusals}")
            if time.monotonic() > end:
                raise Failed(f"no call was answered for {seconds} s")
            time.sleep(0.05)

    def stop(self):
        self._ending.set()
        for thread in self._threads:
            thread.join(timeout=30)


class Verification:
    def __init__(self, deployment, ready_seconds, policies):
        self.node, self.kubectl = deployment, deployment.kubectl
        self.ready_seconds, self.policies = ready_seconds, policies
        self.lines = []
        self.scene = copy.deepcopy(load(SCENARIO))
        self.client = self.player = self.load = None
        self.empty_bytes = 0

    def step(self, what, work):
        started = time.monotonic()
        print(f"{what} … ", end="", file=sys.stderr, flush=True)
        said = work() or ""
        seconds = time.monotonic() - started
        print(f"{seconds:.1f} s{'; ' + said if said else ''}", file=sys.stderr, flush=True)
        self.lines.append((what, f"{seconds:.1f} s", said))

    def run(self):
        self.step("applied, and every pod ready", self.apply)
        self.step("the sitting of 2017 played through the services", self.play)
        if self.policies:
            self.step("a pod without labels reaches nothing", self.stranger)
        self.load = Load(self.client)
        for service in SERVICES:
            self.step(f"{service}: its pod killed under load", lambda name=service: self.kill("deployment", name))
        for engine in ENGINES:
            self.step(f"{engine}: its pod replaced under load", lambda name=engine: self.kill("statefulset", name, grace=None))
        self.step("all deployments rolled out under load", self.roll_out)
        self.step("every service 1 → 3 → 1 under load", self.scale)
        self.load.stop()
        self.step("every event has reached who listens", self.settle)
        self.step("what was acknowledged is there, once; the chains hold", self.check)

    def apply(self):
        self.node.apply()
        self.node.wait_until_ready(self.ready_seconds)
        self.client = self.node.connect()
        self.empty_bytes = int(self.node.psql("-A", "-t", "-c", "select pg_database_size('sankofa')").decode())

    def play(self):
        self.player = Player(self.client, self.scene)
        self.player.play()
        wrong = report.differences(self.scene, report.collect(self.client, self.scene, self.player.ids, seconds=SETTLE_SECONDS))
        if wrong:
            raise Failed("\n".join(wrong))
        cases = len(self.scene["projects"])
        size = int(self.node.psql("-A", "-t", "-c", "select pg_database_size('sankofa')").decode()) - self.empty_bytes
        rows = sum(int(self.node.psql("-A", "-t", "-c", f"select count(*) from {service}.journal").decode()) for service in SERVICES)
        return (f"as published; for each of {cases} cases {self.client.calls / cases:.0f} calls, {rows / cases:.0f} journal rows, "
                f"{size / cases / 1024:.0f} KiB of database")

    def stranger(self):
        """It has an address and no label; it tries every port of every pod."""
        self.kubectl.run("apply", "-f", "-", given=yaml.safe_dump(self.node.stranger()))
        self.kubectl.run("wait", "--for=condition=Ready", "pod/stranger", "--timeout=60s")
        targets = [f"{address} {port}" for address, port in self.node.ports_of_pods()]
        script = "while read -r host port; do timeout 1 bash -c \"</dev/tcp/$host/$port\" 2>/dev/null && echo $host:$port; done; true"
        # A network learns of a new pod a moment after the pod runs.
        end = time.monotonic() + POLICY_SECONDS
        while reached := self.kubectl.run("exec", "-i", "stranger", "--", "bash", "-c", script,
                                          given="\n".join(targets) + "\n").split():
            if time.monotonic() > end:
                break
        self.kubectl.run("delete", "pod", "stranger", "--grace-period=0", "--force")
        if reached:
            raise Failed(f"a pod without labels reaches {', '.join(reached)}: does this cluster's network enforce policies?")
        return f"{len(targets)} ports tried"

    def kill(self, kind, name, grace=0):
        """`grace` 0: with SIGKILL, as a crash would; None: as Kubernetes stops a pod that it moves."""
        self.load.longest_gap()
        for pod in self.kubectl.pods(name):
            self.kubectl.run("delete", "pod", pod, *(("--grace-period=0", "--force") if grace == 0 else ()), "--wait=true")
        self.kubectl.rolled_out(kind, name, RECOVERY_SECONDS)
        self.load.wait_for_progress(RECOVERY_SECONDS)
        return f"no answer for {self.load.longest_gap():.1f} s at most"

    def roll_out(self):
        self.load.longest_gap()
        for service in SERVICES:
            self.kubectl.run("rollout", "restart", f"deployment/{service}")
        for service in SERVICES:
            self.kubectl.rolled_out("deployment", service, RECOVERY_SECONDS)
        self.load.wait_for_progress(RECOVERY_SECONDS)
        gap = self.load.longest_gap()
        if gap > ROLLOUT_GAP_SECONDS:
            raise Failed(f"nobody was answered for {gap:.1f} s although a ready pod was there at any time")
        return f"no answer for {gap:.1f} s at most"

    def scale(self):
        for replicas in (3, 1):
            for service in SERVICES:
                self.kubectl.run("scale", f"deployment/{service}", f"--replicas={replicas}")
            for service in SERVICES:
                self.kubectl.rolled_out("deployment", service, RECOVERY_SECONDS)
            if replicas == 3:
                for forward in self.node.forwards.values():
                    forward.again()
            self.load.wait_for_progress(RECOVERY_SECONDS)
        return f"no answer for {self.load.longest_gap():.1f} s at most"

    def settle(self):
        report.settle(self.client, SETTLE_SECONDS)

    def check(self):
        """Looks into the database, past all services."""
        rows = self.node.psql("-A", "-t", "-F", ",", "-c",
                              "select request_id, id, count(*) from registration.journal where type = 'Person' "
                              "and event_type like '%PersonRegistered' group by 1, 2").decode().split()
        written = {}
        doubled = []
        for row in rows:
            request_id, person, count = row.split(",")
            if count != "1" or request_id in written:
                doubled.append(request_id)
            written[request_id] = person
        lost = [request_id for request_id, person in self.load.answers.items() if written.get(request_id) != person]
        if lost or doubled:
            raise Failed(f"{len(lost)} acknowledged commands were lost, {len(doubled)} took effect twice: {lost[:5]} {doubled[:5]}")
        journal.psql = lambda _, *arguments: self.node.psql(*arguments)
        broken, count = journal.broken(None)
        if broken:
            raise Failed("\n".join(broken[:20]))
        return (f"{len(self.load.answers)} commands acknowledged ({self.load.failures} calls had to be repeated), 0 lost, "
                f"0 doubled; {count} journal rows in whole chains")

    def table(self):
        width = max(len(what) for what, _, _ in self.lines)
        return "\n".join(f"{what:<{width}}  {seconds:>8}  {said}".rstrip() for what, seconds, said in self.lines)


def main():
    parser = argparse.ArgumentParser(prog="scripts/verify-cluster")
    parser.add_argument("--overlay", default=os.path.join(ROOT, "deploy/kubernetes/overlays/node-tg"))
    parser.add_argument("--kubectl", default=os.path.join(os.environ["SANKOFA_KUBERNETES_VENV"], "bin/kubectl"))
    parser.add_argument("--ready-seconds", type=int, default=120)
    parser.add_argument("--policies", action="store_true")
    parser.add_argument("--base-port", type=int, default=10300)
    options = parser.parse_args()
    deployment = Deployment(Kubectl(options.kubectl, NAMESPACE), options.overlay, NAME, COUNTRY, options.base_port)
    verification = Verification(deployment, options.ready_seconds, options.policies)
    try:
        verification.run()
        print(verification.table())
        return 0
    except (Failed, Refused) as error:
        print(f"\nerror: {error}\n{deployment.events()}", file=sys.stderr)
        return 1
    finally:
        if verification.load is not None:
            verification.load.stop()
        deployment.remove()
        shutil.rmtree(os.path.join(ROOT, ".run", NAME), ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
