"""Bad days between nodes: the partner is away for the whole story, certificates are wrong, keys change, somebody writes
garbage on a feed, a topic is gone, the network cuts, holds and changes what passes, a partner's exchange answers with
garbage. (Clocks: clocks_test.py. kill -9: steps_test.py, updates_test.py.)

Each day ends the same: all is applied, once and in order, digests are equal, and the operator was told what to do, once.
"""

import contextlib
import json
import os
import random
import time
import unittest
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import grpc
from confluent_kafka.admin import AdminClient

from checker import Checker
from federation import request_id
from harness import run
from load import Load
from node_client import Refused, read
from nodes import ThreeNodes

SETTLE_SECONDS = 120
CASES = 8
# A trouble that lasts may be said again where it has changed: from "can't be reached" to "doesn't answer".
SAID_MAX = 3


class BadDaysTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.three = ThreeNodes("fb-", 10600, roles=("cm", "tg", "fr"))
        cls.addClassCleanup(cls.three.close)
        cls.federation = cls.three.federate()
        cls.load = Load(cls.federation, CASES * 50)
        cls.load.federate()
        cls.opened = {number: cls.load.open_case(number) for number in range(CASES)}
        cls.times, cls.assessed = 0, Counter()

    # ---- what each day does -------------------------------------------------------------------------------------------

    def assess(self, times=1):
        """Something happens at both agencies in every case."""
        for _ in range(times):
            type(self).times += 1
            for number, (agency, _, opened) in self.opened.items():
                self.load.assess(agency, number, opened.id, f"{self.times}")
                self.assessed[agency] += 1

    def settled(self):
        """FR has each assessment once, and nothing is under way."""
        for agency, count in self.assessed.items():
            self.federation.wait(lambda of=agency: self.all_from(of), f"FR has {count} assessments of {agency}",
                                 seconds=SETTLE_SECONDS)
        self.assertEqual({agency: self.three.applied("fr", agency) for agency in self.assessed}, dict(self.assessed))
        health = self.federation.settle(seconds=SETTLE_SECONDS)
        self.assertEqual(self.federation.unsettled(health), [])
        for role, other in self.federation.pairs():
            # What one says to the other by itself may still be on its way.
            self.federation.wait(lambda one=role, two=other: self.federation.compare_digests(one, two).equal,
                                 f"{role} and {other} have the same")

    def all_from(self, agency):
        return self.three.applied("fr", agency) >= self.assessed[agency]

    def received(self, role, other):
        return self.federation.health(role, other).received

    def trouble(self, role, other):
        """What the node says is wrong with a partner; waits until there is something."""
        said = []
        self.federation.wait(lambda: said.append(self.federation.health(role, other).trouble) or said[-1],
                             f"{role} says what is wrong with {other}")
        return said[-1]

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
                    text = " ".join(filter(None, (said.get(one) for one in ("service", "msg", "from", "partner", "because"))))
                    counts[text] = counts.get(text, 0) + 1
        return counts

    def log_size(self, role):
        return os.path.getsize(self.three.nodes[role].services.log)

    def said_once(self, role, since):
        """What the log said since then: each trouble once, and not in a loop."""
        for text, count in self.warnings(role, since).items():
            print(f"{role}'s log: {count} × {text}", flush=True)
            self.assertLessEqual(count, SAID_MAX, f"the log repeats itself: {text}")

    def replay_as(self, role, by):
        """The reason why the node `by` refuses Replay to who has the certificate that it gave to the partner; "" if not."""
        folder = self.three.partner_folder(role, by)
        credentials = grpc.ssl_channel_credentials(*(read(os.path.join(folder, name))
                                                     for name in ("ca.pem", "client.key", "client.pem")))
        with grpc.secure_channel(self.three.gates[by]["grpc"].address, credentials) as channel:
            call = channel.unary_unary("/sankofa.exchange.v1.ExchangeService/Replay", request_serializer=bytes,
                                       response_deserializer=bytes)
            try:
                call(b"", timeout=20)
                return ""
            except grpc.RpcError as error:
                return Refused("Replay", error).reason

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
        self.federation.wait(lambda: self.all_from("cm"), "FR has all of Cameroon's assessments")
        self.assertEqual(self.received("fr", "tg"), before)
        self.assertTrue(self.trouble("fr", "tg"))
        self.said_once("fr", log)
        for gate in self.three.gates["tg"].values():
            gate.go_on()
        self.settled()
        self.federation.wait(lambda: not self.federation.health("fr", "tg").trouble, "FR's trouble with TG is over")

    def test_02_certificates(self):
        """One that ended, and one of an authority that nobody knows: nothing passes, until the right one is there again."""
        for kind in ("expired", "unknown-ca"):
            with self.subTest(kind):
                self.three.replace_certificate("fr", "tg", kind)
                self.restart("fr")
                before = self.received("fr", "tg")
                self.assess()
                self.assertTrue(self.trouble("fr", "tg"))
                self.federation.wait(lambda: self.all_from("cm"), "FR has all of Cameroon's assessments")
                self.assertEqual(self.received("fr", "tg"), before)
                self.three.replace_certificate("fr", "tg", "")
                self.restart("fr")
                self.settled()

    def test_03_a_certificate_is_revoked(self):
        """By suspending who has it: what TG does meanwhile does not leave, and the certificate opens neither door. Afterwards
        all that was missed comes, in order."""
        self.settled()
        code = self.federation.codes["fr"]
        with self.suspended("fr", by="tg"):
            before = self.received("fr", "tg")
            self.assess()
            self.federation.wait(lambda: self.all_from("cm"), "FR has all of Cameroon's assessments")
            self.assertEqual(self.received("fr", "tg"), before)
            self.assertEqual(self.replay_as("fr", "tg"), "PARTNER_SUSPENDED")
            reader, topic = self.federation.reader(code, "tg"), f"feed.{code}"
            try:
                self.federation.wait(lambda: reader.list_topics(topic, timeout=20).topics[topic].error is not None,
                                     "Kafka shows FR its topic no more")
            finally:
                reader.close()
        self.assess()
        self.settled()

    @contextlib.contextmanager
    def suspended(self, role, by):
        node, partner = self.federation.nodes[by], {"partner_id": self.federation.codes[role]}
        node.call("exchange.SuspendPartner", {"request_id": str(uuid.uuid4()), **partner,
                                              "reason": "Its key may be stolen."}, who="operator")
        try:
            yield
        finally:
            node.call("exchange.ResumePartner", {"request_id": str(uuid.uuid4()), **partner}, who="operator")

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

    def test_08_the_partners_exchange_gives_garbage(self):
        """At TG's address somebody answers with its certificate and nothing that makes sense, while a forged record makes FR
        ask there. Nothing of it is taken, and when TG is back FR has all."""
        fr, code = self.federation.nodes["fr"], self.federation.codes["fr"]
        self.settled()
        before, log = self.received("fr", "tg"), self.log_size("fr")
        record = self.federation.read_feed(code, "tg")[-1]
        with self.garbage("tg") as (address, calls):
            self.reach_tg_at(address)
            self.federation.put("tg", f"feed.{code}", record.key(), os.urandom(300), record.headers() or ())
            self.federation.wait(lambda: len(calls) >= 3, "FR asks, and asks again")
            with self.assertRaises(grpc.RpcError) as refused:
                fr.try_once("exchange.CompareDigests", {"partner_id": self.federation.codes["tg"]}, who="auditor", timeout=30)
            self.assertEqual(Refused("CompareDigests", refused.exception).reason, "PARTNER_UNREACHABLE")
            self.assertTrue(self.trouble("fr", "tg"))
            self.assertEqual(self.received("fr", "tg"), before)
            # Other partners' cases go on, and so do TG's others.
            self.assess()
            self.federation.wait(lambda: self.all_from("cm"), "FR has all of Cameroon's assessments")
        self.said_once("fr", log)
        self.reach_tg_at(self.federation.exchange_addresses["tg"])
        self.settled()

    def reach_tg_at(self, address):
        """FR's operator enters where TG is called."""
        code = self.federation.codes["tg"]
        self.federation.nodes["fr"].call("exchange.UpdatePartner", {
            "request_id": str(uuid.uuid4()), "partner_id": code, "name": "Diaspora desk of Togo",
            **self.federation.address("fr", "tg"), "exchange_address": address}, who="operator")

    @contextlib.contextmanager
    def garbage(self, role):
        """A server with a node's own certificate that answers any call with any bytes; its address, and who called."""
        pki, calls, chance = os.path.join(self.three.nodes[role].folder, "pki"), [], random.Random(1)

        class Anything(grpc.GenericRpcHandler):
            def service(self, handler_call_details):
                calls.append(handler_call_details.method)
                return grpc.unary_unary_rpc_method_handler(lambda *_: chance.randbytes(chance.choice([1, 40, 5000])))

        server = grpc.server(ThreadPoolExecutor(4), handlers=[Anything()])
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials(
            [(read(os.path.join(pki, "exchange.key")), read(os.path.join(pki, "exchange.pem")))],
            root_certificates=read(os.path.join(pki, "ca.pem")), require_client_auth=True))
        server.start()
        try:
            yield f"127.0.0.1:{port}", calls
        finally:
            server.stop(0).wait()

    def test_09_the_checker_finds_nothing(self):
        found = Checker(self.three.nodes, self.three.codes).check()
        print(found, flush=True)
        self.assertEqual(found.wrong()[:20], [])

    def test_10_the_logs_have_no_error(self):
        self.assertEqual(self.three.error_lines(), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
