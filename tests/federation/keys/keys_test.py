"""The keys by which partners know a node are changed with `sankofactl rotate node-keys`, first Togo's and then France's, while
cases go between them: no message is refused or lost, at any step, and none has to come again by `Replay`."""

import json
import os
import subprocess
import threading
import time
import unittest

from harness import CONTROL, ROOT
from load import Load
from nodes import ThreeNodes

PREFIX, BASE_PORT = "fw-", 12300
SECONDS = 120
SETTLE_SECONDS = 120
CASES = (0, 2, 4)
PAIRS = (("tg", "fr"), ("fr", "tg"))


class Traffic:
    """Until told to stop, Togo assesses each case anew and France changes what it discloses of the person."""

    def __init__(self, load, opened):
        self.load, self.opened = load, opened
        self.rounds, self.failed = 0, []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        self.further()
        return self

    def __exit__(self, *_):
        self.further()
        self._stop.set()
        self._thread.join()

    def further(self, rounds=3):
        """Waits until so many more rounds have begun and ended."""
        wanted, end = self.rounds + rounds + 1, time.monotonic() + SECONDS
        while self.rounds < wanted and self._thread.is_alive() and time.monotonic() < end:
            time.sleep(0.02)

    def _run(self):
        while not self._stop.is_set():
            try:
                for number, (agency, person, opened) in self.opened.items():
                    self.load.assess(agency, number, opened.id, f"{self.rounds}")
                    spelling = "abcdefghij"[self.rounds % 10] + "ne" * (self.rounds % 3)
                    self.load.do("host", f"{number}/person/{self.rounds}", "registration.UpdatePerson",
                                 {"person_id": person.id, **self.load.person(number, spelling)})
            except Exception as error:  # whatever it is, the test says it and fails
                self.failed.append(repr(error))
                return
            self.rounds += 1


class KeysTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.three = ThreeNodes(PREFIX, BASE_PORT, roles=("tg", "fr"))
        cls.addClassCleanup(cls.three.close)
        cls.federation = cls.three.federate()
        cls.load = Load(cls.federation, 4 * 50)
        cls.load.federate()
        cls.opened = {number: cls.load.open_case(number) for number in CASES}

    def control(self, role, *arguments, expect=0, lines=False):
        environment = {"PATH": os.environ["PATH"], "NODE_FOLDER": self.three.nodes[role].folder,
                       "SANKOFA_TOKEN": self.federation.nodes[role].tokens["operator"]}
        done = subprocess.run([CONTROL, "--json", *arguments], env=environment, cwd=ROOT, text=True, check=False,
                              capture_output=True, timeout=SECONDS)
        self.assertEqual(done.returncode, expect, f"{arguments}:\n{done.stdout}\n{done.stderr}")
        said = [json.loads(line) for line in done.stdout.splitlines()]
        return said if lines else said[0] if said else None

    def partners(self, role):
        return [one.id for one in self.federation.nodes[role].pages("exchange.ListPartners", "partners", {}, who="operator")]

    def identity(self, role):
        return self.federation.nodes[role].call("exchange.GetOwnIdentity", {}, who="operator").key

    def rotate(self, role, other):
        first = self.identity(role)
        with Traffic(self.load, self.opened) as traffic:
            prepared = self.control(role, "rotate", "node-keys", "prepare")
            traffic.further()
            self.control(role, "rotate", "node-keys", "switch", expect=1)
            self.assertEqual(self.identity(role).key_id, first.key_id)
            self.control(other, "call", "AddPartnerKey", json.dumps(prepared["add_partner_key"]))
            traffic.further()
            confirmed = [word for code in self.partners(role) for word in ("--confirmed", code)]
            switched = self.control(role, "rotate", "node-keys", "switch", *confirmed)
            self.assertEqual(switched["key_id"], prepared["key_id"])
            self.assertEqual(self.identity(role).key_id, prepared["key_id"])
            traffic.further()
            self.settled_but_for_the_traffic(role, other)
            self.control(role, "rotate", "node-keys", "finish")
        self.assertEqual(traffic.failed, [])
        self.assertNotEqual(first.sealing_key, self.identity(role).sealing_key)
        return traffic.rounds

    def settled_but_for_the_traffic(self, role, other):
        """What was sealed for the earlier key has arrived: a month in life, here until all sent by now was received."""
        sent = self.federation.health(other, role).sent
        self.federation.wait(lambda: self.federation.health(role, other).received >= sent, f"{role} has what {other} sent",
                             seconds=SETTLE_SECONDS)

    def check(self, rounds):
        for one, other in PAIRS:
            self.assertEqual([(refused.reason, refused.detail) for refused in self.federation.nodes[one].pages(
                "exchange.ListRefusals", "refusals", {"partner_id": self.federation.codes[other]}, who="auditor")], [])
        wanted = rounds * len(CASES)
        self.federation.wait(lambda: self.three.applied("fr", "tg") >= wanted, f"FR has {wanted} assessments",
                             seconds=SETTLE_SECONDS)
        self.assertEqual(self.three.applied("fr", "tg"), wanted)
        health = self.federation.settle(seconds=SETTLE_SECONDS)
        self.assertEqual(self.federation.unsettled(health), [])
        for one, other in PAIRS:
            self.federation.wait(lambda a=one, b=other: self.federation.compare_digests(a, b).equal,
                                 f"{one} and {other} have the same")

    def test_1_togos_and_then_frances(self):
        rounds = self.rotate("tg", "fr")
        self.check(rounds)
        # The steps of the second go on counting, so that request ids differ.
        self.load.run_id += "2"
        rounds += self.rotate("fr", "tg")
        self.check(rounds)
        print(f"{rounds * len(CASES)} assessments and as many changes of what is disclosed", flush=True)

    def test_2_the_doctor_sees_the_rotations_and_finds_both_well(self):
        for one, other in PAIRS:
            code = self.federation.codes[other]
            found = {(line["check"], line["about"]): line for line in self.control(one, "doctor", lines=True)}
            self.assertEqual({line["reason"] for line in found.values()}, {"OK"})
            self.assertIn(("partner", code), found)
            self.assertIn(("topic", f"feed.{code}"), found)
            self.assertIn(("certificate", f"from partner {code}"), found)
            self.assertIn("under way", found["partner keys", code]["seen"])

    def test_3_no_log_has_an_error(self):
        self.assertEqual(self.three.error_lines(), [])


if __name__ == "__main__":
    unittest.main(verbosity=2, failfast=True)
