"""Bad days between nodes: the partner is away for the whole story, certificates are wrong, keys change, somebody writes
garbage on a feed, a topic is gone, the network cuts, holds and changes what passes.

Each day ends the same: all is applied, once and in order, digests are equal, and the operator was told what to do, once.
"""

import json
import os
import time
import unittest
import uuid

from confluent_kafka.admin import AdminClient

from checker import Checker
from federation import request_id
from harness import run
from load import DAY, Load
from nodes import ThreeNodes

SETTLE_SECONDS = 120
CASES = 8


class BadDaysTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.three = ThreeNodes("fb-", 10600, roles=("cm", "tg", "fr"))
        cls.addClassCleanup(cls.three.close)
        cls.federation = cls.three.federate()
        cls.load = Load(cls.federation, CASES * 50)
        cls.load.federate()
        cls.opened = {number: cls.load.open_case(number) for number in range(CASES)}
        cls.times = 0

    # ---- what each day does -------------------------------------------------------------------------------------------

    def assess(self, times=1):
        """Something happens at both agencies in every case."""
        for _ in range(times):
            type(self).times += 1
            for number, (agency, _, opened) in self.opened.items():
                self.load.assess(agency, number, opened.id, f"{self.times}")

    def settled(self):
        health = self.federation.settle(seconds=SETTLE_SECONDS)
        self.assertEqual(self.federation.unsettled(health), [])
        for role, other in self.federation.pairs():
            digest = self.federation.compare_digests(role, other)
            self.assertTrue(digest.equal, f"{role} and {other}: {digest.differences}")

    def received(self, role, other):
        return self.federation.health(role, other).received

    def trouble(self, role, other):
        self.federation.wait(lambda: self.federation.health(role, other).trouble, f"{role} says what is wrong with {other}")
        return self.federation.health(role, other).trouble

    def warnings(self, role, since):
        """The log lines of level WARN or ERROR since then, by text: how often each."""
        counts = {}
        with open(self.three.nodes[role].services.log, encoding="utf-8") as file:
            file.seek(since)
            for line in file:
                try:
                    said = json.loads(line)
                except ValueError:
                    continue
                if said.get("level") in ("WARN", "ERROR"):
                    text = f"{said.get('message', said.get('msg', ''))} {said.get('partner', '')}"
                    counts[text] = counts.get(text, 0) + 1
        return counts

    def log_size(self, role):
        return os.path.getsize(self.three.nodes[role].services.log)

    def refusals(self, role, other):
        return [one.reason for one in self.federation.nodes[role].pages(
            "exchange.ListRefusals", "refusals", {"partner_id": self.federation.codes[other]}, who="auditor")]

    def restart(self, role):
        self.three.nodes[role].services.stop()
        self.three.nodes[role].services.start()

    # ---- the days -----------------------------------------------------------------------------------------------------

    def test_01_the_partner_is_away_for_the_whole_story(self):
        """FR's door is shut, and TG's for FR: the agencies go on as if nothing were, and all catches up in order."""
        self.settled()
        log = self.log_size("fr")
        for gate in self.three.gates["tg"].values():
            gate.shut()
        before = self.received("fr", "tg")
        started = time.monotonic()
        self.assess(times=5)
        self.assertLess(time.monotonic() - started, 60)
        # FR hears of Cameroon all the while, and says what is wrong with Togo.
        self.federation.wait(lambda: not self.behind("cm", "fr"), "FR has all of Cameroon's messages")
        self.assertEqual(self.received("fr", "tg"), before)
        self.assertTrue(self.trouble("fr", "tg"))
        for text, count in self.warnings("fr", log).items():
            self.assertLessEqual(count, 10, f"the log repeats itself: {text}")
        for gate in self.three.gates["tg"].values():
            gate.go_on()
        self.settled()
        self.federation.wait(lambda: not self.federation.health("fr", "tg").trouble, "FR's trouble with TG is over")

    def behind(self, sender, receiver):
        return self.federation.health(sender, receiver).sent != self.received(receiver, sender)

    def test_02_certificates(self):
        """One that ended, and one of an authority that nobody knows: nothing passes, until the right one is there again."""
        for kind in ("expired", "unknown-ca"):
            with self.subTest(kind):
                self.three.replace_certificate("fr", "tg", kind)
                self.restart("fr")
                before = self.received("fr", "tg")
                self.assess()
                self.assertTrue(self.trouble("fr", "tg"))
                self.federation.wait(lambda: not self.behind("cm", "fr"), "FR has all of Cameroon's messages")
                self.assertEqual(self.received("fr", "tg"), before)
                self.three.replace_certificate("fr", "tg", "")
                self.restart("fr")
                self.settled()

    def test_03_suspended_is_shut_out_at_once(self):
        """What TG does while FR is suspended does not leave; afterwards it does."""
        tg = self.federation.nodes["tg"]
        self.settled()
        tg.call("exchange.SuspendPartner", {"request_id": str(uuid.uuid4()), "partner_id": self.federation.codes["fr"],
                                            "reason": "Its key may be stolen."}, who="operator")
        before = self.received("fr", "tg")
        self.assess()
        self.federation.wait(lambda: not self.behind("cm", "fr"), "FR has all of Cameroon's messages")
        self.assertEqual(self.received("fr", "tg"), before)
        # The certificate opens nothing either.
        reader = self.federation.reader(self.federation.codes["fr"], "tg")
        try:
            topic = reader.list_topics(f"feed.{self.federation.codes['fr']}", timeout=20).topics[
                f"feed.{self.federation.codes['fr']}"]
            self.assertIsNotNone(topic.error)
        finally:
            reader.close()
        tg.call("exchange.ResumePartner", {"request_id": str(uuid.uuid4()), "partner_id": self.federation.codes["fr"]},
                who="operator")
        self.assess()
        self.settled()

    def test_04_a_renewed_key(self):
        """TG signs with another key; the old one goes on to verify what was signed before."""
        path = self.three.nodes["tg"].services_config["crypto"]["signing_key_file"]
        self.assess()
        run("bash", "-c", f"openssl rand -base64 32 > {path}.new && mv {path}.new {path} && chmod 600 {path}")
        self.restart("tg")
        identity = self.federation.nodes["tg"].call("exchange.GetOwnIdentity", {}, who="operator")
        self.assess()
        for role in ("fr", "cm"):
            self.federation.nodes[role].call("exchange.AddPartnerKey", {
                "request_id": request_id("key", role, identity.key.key_id), "partner_id": self.federation.codes["tg"],
                "verification_key": identity.key.verification_key, "sealing_key": identity.key.sealing_key,
                "earlier_until_time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 86400))},
                who="operator")
        self.settled()

    def test_05_garbage_on_the_feed(self):
        """Bytes that are no message, a message of somebody else, an old one with another content: all refused, all kept."""
        code = self.federation.codes["fr"]
        self.settled()
        before = len(self.refusals("fr", "tg"))
        record = self.federation.read_feed(code, "tg")[-1]
        for value in (b"", b"\xff" * 40, os.urandom(200), b"{}", record.value()[:-9]):
            self.federation.put("tg", f"feed.{code}", record.key(), value, record.headers() or ())
        # Someone else's feed put on this one: signed well, and addressed to another.
        others = self.federation.read_feed(self.federation.codes["eu"], "tg") or self.federation.read_feed(
            self.federation.codes["cm"], "tg")
        for one in others[:1]:
            self.federation.put("tg", f"feed.{code}", one.key(), one.value(), one.headers() or ())
        # A true repeat is dropped, not refused.
        self.federation.put("tg", f"feed.{code}", record.key(), record.value(), record.headers() or ())
        self.assess()
        self.settled()
        reasons = self.refusals("fr", "tg")
        self.assertGreaterEqual(len(reasons), before + 4, reasons)
        self.assertIn("MALFORMED", reasons)
        if others:
            self.assertIn("ADDRESS", reasons)

    def test_06_the_topic_is_gone(self):
        """FR's feed topic is deleted under the consumer; TG makes it again, and FR misses nothing."""
        code, node = self.federation.codes["fr"], self.three.nodes["tg"]
        self.settled()
        pki = os.path.join(node.folder, "pki")
        admin = AdminClient({
            "bootstrap.servers": node.services_config["kafka"]["brokers"], "security.protocol": "ssl",
            "ssl.ca.location": os.path.join(pki, "ca.pem"), "ssl.certificate.location": os.path.join(pki, "operator.pem"),
            "ssl.key.location": os.path.join(pki, "operator.key")})
        for done in admin.delete_topics([f"feed.{code}"]).values():
            done.result(30)
        self.assess(times=2)
        self.settled()

    def test_07_the_network_cuts_holds_and_changes(self):
        """In the middle of batches."""
        for number in range(12):
            gates = self.three.gates["tg" if number % 2 else "cm"]
            for gate in gates.values():
                if number % 3 == 0:
                    gate.cut()
                elif number % 3 == 1:
                    gate.corrupt(2)
                else:
                    gate.stop()
            self.assess()
            for gate in gates.values():
                gate.corrupt(0)
                gate.go_on()
        self.settled()

    def test_08_a_clock_that_is_a_day_ahead(self):
        """TG's clock says tomorrow; what it says is applied, with the times that it gives."""
        tomorrow = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 86400))
        number, (_, _, opened) = 0, self.opened[0]
        self.federation.nodes["tg"].call("registration.AssessCase", {
            "request_id": str(uuid.uuid4()), "case_id": opened.id, "orientation": "operator-tomorrow",
            "assessment": {"needs": ["NEED_BUSINESS"], "summary": "Exemplo will have been met."}}, who="tg",
            at=f"{tomorrow}T09:00:00Z")
        self.load.assess("tg", number, opened.id, "after tomorrow")
        self.settled()
        self.assertLess(DAY, tomorrow)

    def test_09_the_checker_finds_nothing(self):
        found = Checker(self.three.nodes, self.three.codes).check()
        print(found, flush=True)
        self.assertEqual(found.wrong()[:20], [])

    def test_10_the_logs_have_no_error(self):
        self.assertEqual(self.three.error_lines(), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
