"""Keys and certificates are changed while the node works: commands go on, none is refused, and what was sealed before is
read afterwards."""

import copy
import fcntl
import json
import os
import signal
import subprocess
import threading
import time
import unittest
import uuid

import grpc

import journal
import report
from harness import CONTROL, ROOT, SCENARIO, SystemNode
from node_client import SERVICES, Node, Refused, read
from play import Player
from scenario import load

NAME, BASE_PORT = "st-rotate", 12100
SECONDS = 120
OPERATOR = {"operator": {"subject": "operator-1", "organisation": "minrex", "roles": ["node_operator"]}}


class Work:
    """People are registered and read again, each over a connection of its own, until told to stop; nothing is sent twice."""

    def __init__(self, client, person, day):
        self.client, self.person, self.day = client, person, day
        self.registered, self.refused = {}, []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        self.wait_for(3)
        return self

    def __exit__(self, *_):
        # Once more after the last change.
        self.wait_for(len(self.registered) + 3)
        self._stop.set()
        self._thread.join()

    def wait_for(self, count):
        end = time.monotonic() + SECONDS
        while len(self.registered) < count and self._thread.is_alive() and time.monotonic() < end:
            time.sleep(0.02)

    def _run(self):
        while not self._stop.is_set():
            number = len(self.registered) + len(self.refused)
            node = Node(NAME)
            node.take_methods_of(self.client)
            node.tokens = self.client.tokens
            try:
                name = f"Ama{number}"
                person = self.register(node, name)
                self.registered[person] = name
                for known in (person, next(iter(self.registered))):
                    if self.name_of(node, known) != self.registered[known]:
                        self.refused.append(f"person {known} has another name")
            except grpc.RpcError as error:
                self.refused.append(str(Refused("", error)))
            finally:
                node.close()

    def register(self, node, name):
        fields = copy.deepcopy(self.person)
        fields["details"].update(given_names=name, documents=[], phones=[])
        return node.try_once("registration.RegisterPerson", {"request_id": str(uuid.uuid4()), **fields},
                             who="host_officer", at=f"{self.day}T09:00:00Z").id

    def name_of(self, node, person):
        shown = node.try_once("registration.GetPerson", {"person_id": person, "purpose": "READ_PURPOSE_CASE_WORK"},
                             who="case_officer", at=f"{self.day}T09:00:00Z")
        return shown.details.given_names


class RotateTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.node = SystemNode(NAME, int(os.environ.get("SANKOFA_BASE_PORT", BASE_PORT)))
        cls.addClassCleanup(cls.node.close)
        cls.client = cls.node.client()
        cls.node.services_config = cls.client.config
        scene = copy.deepcopy(load(SCENARIO))
        scene["projects"] = scene["projects"][:1]
        cls.player = Player(cls.client, scene)
        cls.player.sign_in()
        cls.player.prepare()
        cls.client.sign_in(OPERATOR)
        cls.project = cls.player.projects[0]
        cls.everybody = {}

    def work(self):
        work = Work(self.client, self.player.person_of(self.project), self.project["dates"]["registered"])
        self.addCleanup(self.everybody.update, work.registered)
        return work

    def control(self, *arguments, expect=0):
        environment = {"PATH": os.environ["PATH"], "NODE_FOLDER": self.node.folder,
                       "SANKOFA_TOKEN": self.client.tokens["operator"]}
        done = subprocess.run([CONTROL, "--json", *arguments], env=environment, cwd=ROOT, text=True, check=False,
                              capture_output=True, timeout=SECONDS)
        self.assertEqual(done.returncode, expect, f"{arguments}:\n{done.stdout}\n{done.stderr}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def wrapped(self):
        """Every wrapped key of the node, by service and subject."""
        return {(service, row["subject_id"]): row["wrapped"] for service in SERVICES for row in journal.table(
            self.node, service, "subject_key", ("subject_id", "wrapped"), "subject_id") if row["wrapped"]}

    def read_everybody(self, work):
        node = self.client
        for person, name in {**self.everybody, **work.registered}.items():
            self.assertEqual(work.name_of(node, person), name)

    def test_1_certificates(self):
        pki = os.path.join(self.node.folder, "pki")
        before = {name: read(f"{pki}/{name}.pem") for name in ("node", "sankofactl", *SERVICES)}
        with self.work() as work:
            renewed = self.control("rotate", "certificates", "--days", "90")
        self.assertEqual(work.refused, [])
        self.assertEqual(len(renewed), len(before))
        for name, text in before.items():
            self.assertNotEqual(read(f"{pki}/{name}.pem"), text, name)
        # The services speak to Kafka with the new ones: the consumers in the brokers' groups are new, and get on.
        end = time.monotonic() + SECONDS
        log = self.node.services.log
        while time.monotonic() < end:
            with open(log, encoding="utf-8") as file:
                text = file.read()
            renewed = {service for service in SERVICES if f"/{service}.pem was renewed" in text}
            if renewed == set(SERVICES):
                break
            time.sleep(0.1)
        self.assertEqual(renewed, set(SERVICES))
        report.settle(self.client)
        self.read_everybody(work)
        self.assertEqual(self.node.error_lines(), [])

    def test_2_the_master_key(self):
        before = self.wrapped()
        self.assertTrue(before)
        with self.work() as work:
            steps = [one["step"] for one in self.control("rotate", "master-key")]
        self.assertEqual(work.refused, [])
        self.assertEqual(steps, ["prepared", "promoted", "rewrapped", "retired", "finished"])
        after = self.wrapped()
        self.assertEqual([what for what in before if after[what] == before[what]], [])
        self.read_everybody(work)
        # Also a process that has only the new key.
        self.node.services.stop()
        self.node.restart()
        self.read_everybody(work)
        self.assertEqual(self.node.error_lines(), [])
        print(f"{len(after)} keys wrapped anew, {len(work.registered)} people registered meanwhile", flush=True)

    def test_3_the_master_key_broken_off_after_each_step_and_in_the_middle(self):
        before = self.wrapped()
        with self.work() as work:
            self.control("rotate", "master-key", "--one-step")
            self.node.kill()
            self.node.restart()
            self.control("rotate", "master-key", "--one-step")
            # Killed at some moment of waiting or of wrapping.
            for seconds in (0.1, 1, 2.2, 2.4):
                environment = {"PATH": os.environ["PATH"], "NODE_FOLDER": self.node.folder,
                               "SANKOFA_TOKEN": self.client.tokens["operator"]}
                with subprocess.Popen([CONTROL, "rotate", "master-key", "--one-step"], env=environment, cwd=ROOT,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
                    try:
                        process.wait(seconds)
                    except subprocess.TimeoutExpired:
                        process.send_signal(signal.SIGKILL)
            keys = read(os.path.join(self.node.folder, "keys/master.key"))
            if b"earlier" in keys:
                self.assertEqual(self.control("rotate", "master-key")[-1]["step"], "finished")
        # The node was away for a moment; everything that it answered stands.
        self.assertTrue(all("UNAVAILABLE" in one for one in work.refused), work.refused)
        after = self.wrapped()
        self.assertEqual([what for what in before if after[what] == before[what]], [])
        self.read_everybody(work)

    def test_4_two_runs_at_a_time_do_not_mix(self):
        with open(os.path.join(self.node.folder, "keys/master.key.lock"), "a", encoding="ascii") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self.control("rotate", "master-key", expect=1)

    def test_5_the_nodes_own_keys(self):
        keys = os.path.join(self.node.folder, "keys")
        first = self.client.call("exchange.GetOwnIdentity", {}, who="operator").key
        prepared = self.control("rotate", "node-keys", "prepare")[0]
        self.assertEqual(self.control("rotate", "node-keys", "prepare")[0]["key_id"], prepared["key_id"])
        self.assertNotEqual(prepared["key_id"], first.key_id)
        self.assertEqual(self.client.call("exchange.GetOwnIdentity", {}, who="operator").key.key_id, first.key_id)
        self.control("rotate", "node-keys", "finish", expect=1)
        self.control("rotate", "node-keys", "switch")
        now = self.client.call("exchange.GetOwnIdentity", {}, who="operator").key
        self.assertEqual((now.key_id, now.verification_key, now.sealing_key),
                         (prepared["key_id"], prepared["add_partner_key"]["verification_key"],
                          prepared["add_partner_key"]["sealing_key"]))
        self.control("rotate", "node-keys", "finish")
        self.assertFalse(os.path.exists(os.path.join(keys, "signing.key.next")))


if __name__ == "__main__":
    # Each step stands on the one before.
    unittest.main(verbosity=2, failfast=True)
