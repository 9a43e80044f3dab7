"""A subscribing system: no node, no code of ours. It has a certificate, two keys, the published protos and proto/README.md,
and comes onto its feed by three ways: Kafka, Subscribe and Replay. All three tell the same, and nothing else opens.
"""

import base64
import json
import os
import subprocess
import sys
import tempfile
import unittest
import uuid

import grpc
import nacl.public
import nacl.signing
from confluent_kafka import Producer, TopicPartition

from contract_test import verifier
from federation import request_id
from harness import CONTROL
from load import DAY, Load
from node_client import ROOT, read
from nodes import ThreeNodes

SUBSCRIBER = "anpe"
ASSESSMENTS = 5


def published_protos(folder):
    """The protos as any partner compiles them; nothing of the node's is asked."""
    proto = os.path.join(ROOT, "proto")
    files = [os.path.relpath(os.path.join(path, name), proto) for path, _, names in os.walk(proto) for name in names
             if name.endswith(".proto")]
    subprocess.run(["protoc", "-I", proto, "-I", os.environ["SANKOFA_GOOGLEAPIS"], f"--python_out={folder}", *files],
                   check=True)
    sys.path.insert(0, folder)
    from sankofa.exchange.v1 import exchange_service_pb2  # pylint: disable=import-outside-toplevel,import-error
    return exchange_service_pb2


class SubscriberTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.service = published_protos(folder.name)
        cls.verify_feed = verifier()
        cls.three = ThreeNodes("fs-", 10900, roles=("tg", "fr"), others=(SUBSCRIBER,))
        cls.addClassCleanup(cls.three.close)
        cls.federation = cls.three.federate()
        cls.code = cls.three.codes[SUBSCRIBER]
        cls.folder = cls.three.partner_folder(SUBSCRIBER, "tg")
        cls.signing, cls.sealing = nacl.signing.SigningKey.generate(), nacl.public.PrivateKey.generate()
        cls.load = Load(cls.federation, 100)
        cls.load.federate()
        cls.become_partner()
        cls.case_id = cls.one_case()
        cls.sealing_file = os.path.join(folder.name, "sealing.key")
        with open(os.open(cls.sealing_file, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.write(base64.b64encode(cls.sealing.encode()))

    @classmethod
    def become_partner(cls):
        tg, at = cls.federation.nodes["tg"], "2022-12-05T08:00:00Z"
        tg.call("exchange.RegisterPartner", {
            "request_id": request_id("partner", cls.code), "partner_id": cls.code, "name": "Employment agency",
            "country": "TG", "kind": "PARTNER_KIND_SUBSCRIBER", "verification_key": cls.signing.verify_key.encode().hex(),
            "sealing_key": cls.sealing.public_key.encode().hex()}, who="operator", at=at)
        proposed = tg.call("exchange.ProposeAgreement", {
            "request_id": request_id("agreement", cls.code), "agreement_id": str(uuid.uuid4()), "version": 1,
            "partner_id": cls.code, "our_shares": [cls.federation.share(cls.load.scenario["shares"]["reintegration"])],
            "legal_basis": "Framework convention (invented)", "from_date": "2022-01-01", "until_date": "2026-12-31"},
            who="protection", at=at)
        partner = tg.call("exchange.GetPartner", {"partner_id": cls.code}, who="operator", at=at)
        signature = cls.signing.sign(b"sankofa.agreement.v1\0" + proposed.terms_bytes).signature
        tg.call("exchange.RecordPartnerSignature", {
            "request_id": request_id("signature", cls.code), "id": proposed.id, "key_id": partner.keys[-1].key_id,
            "signature": base64.b64encode(signature).decode()}, who="protection", at=at)

    @classmethod
    def one_case(cls):
        """TG opens it; the person agrees that FR and the employment agency may know."""
        load, fr = cls.load, cls.federation.codes["fr"]
        person = load.do("tg", "person", "registration.RegisterPerson", load.person(0))
        opened = load.do("tg", "case", "registration.RegisterRetroactiveCase", {
            "person_id": person.id, "arrival_date": DAY, "header": {
                "origin_country": "TG", "host_country": "FR", "return_type": "RETURN_TYPE_VOLUNTARY_RETURN",
                "programme": "ofii-tg", "partner": fr, "host_entry_date": "2018-01-01"}})
        for partner in (fr, cls.code):
            load.do("tg", f"consent/{partner}", "registration.GiveConsent", {
                "case_id": opened.id, "purpose": "CONSENT_PURPOSE_REINTEGRATION", "partner": partner,
                "scopes": ["person.details.given_names", "case.orientation"], "giver": "CONSENT_GIVER_PERSON",
                "from_date": DAY, "until_date": "2027-12-31"})
        load.do("tg", "submit", "registration.SubmitCase", {"case_id": opened.id})
        load.do("host", "answer", "registration.AnswerRetroactiveCase", {"case_id": opened.id, "accepted": True})
        for time in range(ASSESSMENTS):
            load.assess("tg", 0, opened.id, time)
        return opened.id

    # ---- three ways ---------------------------------------------------------------------------------------------------

    def by_kafka(self, wanted):
        """Values of the records about the case, by the group that is the subscriber's."""
        consumer = self.federation.reader(self.code, "tg")
        consumer.subscribe([f"feed.{self.code}"])
        values = []
        while len(values) < wanted:
            message = consumer.poll(30)
            self.assertIsNotNone(message, f"{len(values)} of {wanted} records came")
            self.assertIsNone(message.error())
            if message.key() == self.case_id.encode():
                values.append(message.value())
            consumer.commit(message, asynchronous=False)
        consumer.close()
        return values

    def channel(self):
        credentials = grpc.ssl_channel_credentials(*(read(os.path.join(self.folder, name))
                                                     for name in ("ca.pem", "client.key", "client.pem")))
        return grpc.secure_channel(self.three.gates["tg"]["grpc"].address, credentials)

    def stub(self, channel, method, answer, stream=False):
        make = channel.unary_stream if stream else channel.unary_unary
        return make(f"/sankofa.exchange.v1.ExchangeService/{method}",
                    request_serializer=lambda request: request.SerializeToString(), response_deserializer=answer.FromString)

    def by_replay(self, channel, page_size=3):
        replay = self.stub(channel, "Replay", self.service.ReplayResponse)
        found, cursor = [], ""
        while True:
            page = replay(self.service.ReplayRequest(cursor=cursor, page_size=page_size), timeout=30)
            found += page.messages
            if page.end:
                return found
            cursor = page.messages[-1].cursor

    def by_subscribe(self, channel, cursor, wanted):
        stream = self.stub(channel, "Subscribe", self.service.FeedMessage, stream=True)(
            self.service.SubscribeRequest(cursor=cursor), timeout=60)
        found = []
        for message in stream:
            found.append(message)
            if len(found) == wanted:
                break
        stream.cancel()
        return found

    def about_case(self, messages):
        return [one for one in messages if f"Case/{self.case_id}".encode() in one.message.event]

    # ---- tests ----------------------------------------------------------------------------------------------------------

    def test_1_all_three_ways_tell_the_same_and_it_verifies(self):
        identity = self.federation.nodes["tg"].call("exchange.GetOwnIdentity", {}, who="operator")
        keys = [bytes.fromhex(identity.key.verification_key)]
        with self.channel() as channel:
            # What FR told TG about the case (that it takes it on) is FR's to share, so it is not among them.
            self.federation.wait(lambda: sum(b"CaseAssessed" in one.message.event
                                             for one in self.about_case(self.by_replay(channel))) == ASSESSMENTS,
                                 "all messages about the case are on the feed")
            all_of_it = self.by_replay(channel)
            replayed = [one.message.event for one in self.about_case(all_of_it)]
            half = len(all_of_it) // 2
            streamed = self.by_subscribe(channel, "", half)
            # Broken off, and resumed from the cursor.
            streamed += self.by_subscribe(channel, streamed[-1].cursor, len(all_of_it) - half)
        self.assertEqual([one.message.event for one in streamed], [one.message.event for one in all_of_it])
        values, state, types, names = self.by_kafka(len(replayed)), (0, b""), [], set()
        for value, event_bytes in zip(values, replayed, strict=True):
            event, sealed, state = self.verify_feed.verify(value, keys, state)
            self.assertEqual(self.verify_feed.fields(value)[1][0], event_bytes)
            types.append(event[6][0].decode().rsplit(".", 1)[1])
            for disclosure in self.verify_feed.open_box(event, sealed, self.sealing.encode()) if sealed else []:
                person = self.verify_feed.fields(self.verify_feed.fields(disclosure)[7][0])
                names.update(one.decode() for one in self.verify_feed.fields(person[4][0]).get(1, []))
                # The family name was agreed between the two, and the person did not agree.
                self.assertNotIn(2, self.verify_feed.fields(person[4][0]))
        self.assertEqual(types[:2], ["CaseRegistered", "CaseSubmitted"])
        self.assertEqual(types.count("CaseAssessed"), ASSESSMENTS)
        self.assertEqual(names, {"Exemplo"})

    def test_2_the_certificate_opens_nothing_else(self):
        consumer = self.federation.reader(self.code, "tg")
        for topic in (f"feed.{self.federation.codes['fr']}", "sankofa.registration", "sankofa.exchange"):
            self.assertIsNotNone(consumer.list_topics(topic, timeout=20).topics[topic].error, topic)
        consumer.close()
        # Somebody else's group: its place can neither be taken nor moved.
        other = self.federation.reader(self.code, "tg", group=f"partner-{self.federation.codes['fr']}")
        with self.assertRaises(Exception) as refused:
            other.committed([TopicPartition(f"feed.{self.code}", 0)], timeout=20)
        # librdkafka goes on asking until its time is up.
        self.assertRegex(str(refused.exception), "GROUP_AUTHORIZATION_FAILED|_TIMED_OUT")
        other.close()
        wrong = []
        producer = Producer({
            "bootstrap.servers": self.three.gates["tg"]["kafka"].address, "security.protocol": "ssl",
            "message.timeout.ms": 20000, "log_level": 0,
            **{f"ssl.{name}.location": os.path.join(self.folder, file) for name, file in (
                ("ca", "ca.pem"), ("certificate", "client.pem"), ("key", "client.key"))}})
        producer.produce(f"feed.{self.code}", b"mine", on_delivery=lambda error, _: wrong.append(error.name()))
        producer.flush(30)
        self.assertEqual(wrong, ["TOPIC_AUTHORIZATION_FAILED"])

    def test_3_nor_any_method_of_others(self):
        with self.channel() as channel:
            for method in ("exchange.v1.ExchangeService/GetPartner", "registration.v1.RegistrationService/GetCase",
                           "exchange.v1.ExchangeService/GetReceivedDisclosure"):
                call = channel.unary_unary(f"/sankofa.{method}", request_serializer=bytes, response_deserializer=bytes)
                with self.assertRaises(grpc.RpcError) as refused:
                    call(b"", timeout=20)
                self.assertIn(refused.exception.code(), (grpc.StatusCode.PERMISSION_DENIED,
                                                         grpc.StatusCode.UNAUTHENTICATED), method)

    # ---- sankofactl conformance, as a partner runs it ---------------------------------------------------------------------

    def conformance(self, role, by, sealing_file, node_key):
        """Does node `by` keep its contract with the partner `role`? The exit code, and each check by name."""
        done = subprocess.run(
            [CONTROL, "--json", "--timeout", "30s", "--address", self.three.gates[by]["grpc"].address, "conformance",
             "--as", self.three.codes[role], "--folder", self.three.partner_folder(role, by),
             "--brokers", self.three.gates[by]["kafka"].address, "--sealing-key", sealing_file, "--node-key", node_key],
            check=False, capture_output=True, text=True, timeout=180)
        checks = {one["check"]: one for one in map(json.loads, done.stdout.splitlines())}
        self.assertTrue(checks, done.stderr)
        return done.returncode, checks

    def key_of(self, role):
        return self.federation.nodes[role].call("exchange.GetOwnIdentity", {}, who="operator").key.verification_key

    def test_4_the_nodes_keep_their_contract(self):
        """The subscriber asks TG, and TG asks FR; each with its own certificate and keys, and with the node's key."""
        self.conforms(SUBSCRIBER, "tg", self.sealing_file)
        node = self.three.nodes["tg"]
        # Its exchange reads the feed with the same group, of which the check wants all partitions.
        node.services.stop()
        self.conforms("tg", "fr", node.services_config["crypto"]["sealing_key_file"])
        node.services.start()

    def conforms(self, role, by, sealing_file):
        code, checks = self.conformance(role, by, sealing_file, self.key_of(by))
        for check in checks.values():
            print(f"{role} asks {by}: {check['outcome']} {check['check']}: {check['detail']}", flush=True)
        self.assertEqual({one["outcome"] for one in checks.values()}, {"holds"})
        self.assertEqual(code, 0)
        self.assertLessEqual({"identity", "replay", "boxes", "subscribe", "digest", "topic", "other topics"}, set(checks))

    def test_5_a_node_with_another_key_does_not_conform(self):
        code, checks = self.conformance(SUBSCRIBER, "tg", self.sealing_file, self.key_of("fr"))
        self.assertEqual((code, checks["identity"]["outcome"]), (1, "fails"))
        self.assertNotIn("replay", checks)

    def test_6_a_stream_ends_with_the_suspension(self):
        tg = self.federation.nodes["tg"]
        with self.channel() as channel:
            tg.call("exchange.SuspendPartner", {"request_id": str(uuid.uuid4()), "partner_id": self.code,
                                                "reason": "The contract has ended."}, who="operator")
            with self.assertRaises(grpc.RpcError) as refused:
                self.by_replay(channel)
            self.assertIn(refused.exception.code(), (grpc.StatusCode.PERMISSION_DENIED,
                                                     grpc.StatusCode.FAILED_PRECONDITION))

    def test_7_the_log_has_no_error(self):
        self.assertEqual(self.three.error_lines(), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
