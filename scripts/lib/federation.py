"""Three nodes as one: who is called what, how they become partners, and what each is asked about the others.

A role (`cm`, `tg`, `fr`, `eu`) is what a scenario calls a node; its code is what the node calls itself, which has a prefix
where scripts/federation was given one.
"""

import base64
import os
import time
import uuid

from confluent_kafka import Consumer, Producer, TopicPartition
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from node_client import PAUSE_SECONDS, ROOT, Node, read

NODES = ("cm", "tg", "fr")
NAMESPACE = uuid.UUID("5a6e6b6f-6661-4c69-8e6f-706172746e65")
NAMES = {"cm": ("Agency for returnees of Cameroon", "CM"), "tg": ("Diaspora desk of Togo", "TG"),
         "fr": ("European partner", "FR"), "eu": ("Statistics partner", "BE")}
STATISTICS = "eu"
SETTLE_SECONDS = 60
# Before the first day of any agreement.
REGISTERED = "2016-09-01T08:00:00Z"


def request_id(*words):
    return str(uuid.uuid5(NAMESPACE, "/".join(map(str, words))))


def raw(key):
    return key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


class Subscriber:
    """A partner that runs no node: a folder with certificates, and a key to sign agreements with."""

    def __init__(self, code):
        self.code = code
        self.folder = os.path.join(ROOT, ".run", code)
        path = os.path.join(self.folder, "signing.key")
        if not os.path.exists(path):
            os.makedirs(self.folder, exist_ok=True)
            seed = Ed25519PrivateKey.generate().private_bytes_raw()
            with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
                file.write(seed)
        self.key = Ed25519PrivateKey.from_private_bytes(read(path))

    @property
    def public_key(self):
        return raw(self.key.public_key())


class Federation:
    """The nodes by role. `signed in` are an operator, a data protection officer and an auditor at each."""

    def __init__(self, prefix="", roles=NODES, subscriber=STATISTICS):
        self.prefix = prefix
        self.codes = {role: prefix + role for role in (*roles, subscriber)}
        self.nodes = {role: Node(self.codes[role]).load() for role in roles}
        self.subscriber = Subscriber(self.codes[subscriber])
        # Where partners call a node's exchange; a test puts a gate in between.
        self.exchange_addresses = {role: node.config["listen"]["address"] for role, node in self.nodes.items()}
        for role in self.nodes:
            self.sign_in(role)

    def sign_in(self, role):
        self.nodes[role].sign_in({who: {"subject": f"{role}-{who}", "organisation": role, "roles": [name]} for who, name in (
            ("operator", "node_operator"), ("protection", "data_protection_officer"), ("auditor", "auditor"))})

    def role_of(self, code):
        return next(role for role, own in self.codes.items() if own == code)

    def pairs(self):
        """Each node with each other: who sends, who receives."""
        return [(one, other) for one in self.nodes for other in self.nodes if one != other]

    # ---- becoming partners ------------------------------------------------------------------------------------------

    def register_partners(self, at=REGISTERED):
        """Each node learns of all others: keys as their operators read them out, and where they are reached."""
        identities = {role: node.call("exchange.GetOwnIdentity", {}, who="operator", at=at)
                      for role, node in self.nodes.items()}
        for role, node in self.nodes.items():
            for other in self.nodes:
                if other != role:
                    node.call("exchange.RegisterPartner", {
                        "request_id": request_id("partner", self.codes[role], self.codes[other]),
                        "partner_id": self.codes[other], "name": NAMES[other][0], "country": NAMES[other][1],
                        "kind": "PARTNER_KIND_NODE",
                        "verification_key": identities[other].key.verification_key,
                        "sealing_key": identities[other].key.sealing_key, **self.address(role, other)},
                        who="operator", at=at)
            node.call("exchange.RegisterPartner", {
                "request_id": request_id("partner", self.codes[role], self.subscriber.code),
                "partner_id": self.subscriber.code, "name": NAMES[STATISTICS][0], "country": NAMES[STATISTICS][1],
                "kind": "PARTNER_KIND_STATISTICS", "verification_key": self.subscriber.public_key.hex()},
                who="operator", at=at)

    def address(self, role, other):
        """Where the node `role` reaches `other`."""
        brokers = read(os.path.join(self.nodes[other].folder, "partner-brokers")).decode().strip()
        return {"brokers": brokers, "topic": f"feed.{self.codes[role]}", "exchange_address": self.exchange_addresses[other]}

    def sign(self, agreement, shares):
        """On its first day: proposed by the one, signed by the other once the proposal has arrived there."""
        at = f"{agreement['from_date']}T08:00:00Z"
        proposer, counterpart = agreement["proposer"], agreement["counterpart"]
        given = [self.share(shares[name]) for name in agreement["shares"]]
        statistics = counterpart not in self.nodes
        proposed = self.nodes[proposer].call("exchange.ProposeAgreement", {
            "request_id": request_id("agreement", agreement["id"], self.prefix), "agreement_id": agreement["id"],
            "version": agreement.get("version", 1), "partner_id": self.codes[counterpart], "our_shares": given,
            "their_shares": [] if statistics else given, "cases": agreement["cases"],
            "legal_basis": agreement["legal_basis"], "from_date": agreement["from_date"],
            "until_date": agreement["until_date"]}, who="protection", at=at)
        if statistics:
            signature = self.subscriber.key.sign(b"sankofa.agreement.v1\0" + proposed.terms_bytes)
            partner = self.nodes[proposer].call("exchange.GetPartner", {"partner_id": self.subscriber.code},
                                                who="operator", at=at)
            self.nodes[proposer].call("exchange.RecordPartnerSignature", {
                "request_id": request_id("signature", agreement["id"], self.prefix), "id": proposed.id,
                "key_id": partner.keys[-1].key_id, "signature": base64.b64encode(signature).decode()},
                who="protection", at=at)
            return
        self.nodes[counterpart].call("exchange.SignAgreement", {
            "request_id": request_id("signature", agreement["id"], self.prefix), "id": proposed.id},
            who="protection", at=at, wait_for=("AGREEMENT_NOT_FOUND",))
        # The signature travels back.
        self.wait(lambda: self.nodes[proposer].call("exchange.GetAgreement", {"id": proposed.id}, who="auditor",
                                                    at=at).state == 2,
                  f"{proposer} has {counterpart}'s signature under agreement {proposed.id}")

    @staticmethod
    def share(share):
        return {"purpose": f"CONSENT_PURPOSE_{share['purpose']}", "fields": share["fields"],
                "event_types": [f"sankofa.{service}.v1.{name}" for service, names in share["events"].items()
                                for name in names]}

    # ---- asking ---------------------------------------------------------------------------------------------------

    @staticmethod
    def wait(true, what, seconds=SETTLE_SECONDS):
        end = time.monotonic() + seconds
        while not true():
            if time.monotonic() > end:
                raise AssertionError(f"after {seconds} s still not so: {what}")
            time.sleep(PAUSE_SECONDS)

    def health(self, role, other, at=None):
        return self.nodes[role].call("exchange.GetPartnerHealth", {"partner_id": self.codes[other]}, who="auditor", at=at)

    def compare_digests(self, role, other, at=None):
        return self.nodes[role].call("exchange.CompareDigests", {"partner_id": self.codes[other]}, who="auditor", at=at,
                                     timeout=60)

    def settle(self, at=None, seconds=SETTLE_SECONDS):
        """Waits until what each node sent is applied at the others; the health of each pair then, or when time is up."""
        end = time.monotonic() + seconds
        while True:
            found = {pair: self.health(*pair, at=at) for pair in self.pairs()}
            if not self.unsettled(found) or time.monotonic() > end:
                return found
            time.sleep(PAUSE_SECONDS)

    def unsettled(self, found):
        """Where something is under way, a line each."""
        behind = []
        for (role, other), health in found.items():
            if health.published != health.sent:
                behind.append(f"{role} has published {health.published} of {health.sent} messages for {other}")
            got = found[(other, role)].received
            if got != health.sent:
                behind.append(f"{other} has applied {got} of {role}'s {health.sent} messages")
        return behind

    # ---- Kafka, as partners and as whoever breaks in --------------------------------------------------------------------

    def reader(self, code, sender, group=None):
        """A consumer with nothing but the certificate that `sender` gave to the partner `code`."""
        folder = os.path.join(ROOT, ".run", code, "partners", self.codes[sender])
        return Consumer({
            "bootstrap.servers": read(os.path.join(self.nodes[sender].folder, "partner-brokers")).decode().strip(),
            "security.protocol": "ssl", "ssl.ca.location": os.path.join(folder, "ca.pem"),
            "ssl.certificate.location": os.path.join(folder, "client.pem"),
            "ssl.key.location": os.path.join(folder, "client.key"),
            "group.id": group or f"partner-{code}", "enable.auto.commit": False, "auto.offset.reset": "earliest"})

    def read_feed(self, code, sender, seconds=30):
        """All records of a partner's feed topic, read without its group, partition by partition in order."""
        consumer, topic = self.reader(code, sender), f"feed.{code}"
        try:
            found = consumer.list_topics(topic, timeout=seconds).topics[topic]
            ends = {one: consumer.get_watermark_offsets(TopicPartition(topic, one), timeout=seconds)
                    for one in found.partitions}
            consumer.assign([TopicPartition(topic, one, low) for one, (low, _) in ends.items()])
            left, records, end = {one for one, (low, high) in ends.items() if high > low}, [], time.monotonic() + seconds
            while left and time.monotonic() < end:
                message = consumer.poll(0.2)
                if message is None or message.error():
                    continue
                records.append(message)
                if message.offset() + 1 >= ends[message.partition()][1]:
                    left.discard(message.partition())
            if left:
                raise AssertionError(f"{topic} of {sender} was not read to its end in {seconds} s")
            return sorted(records, key=lambda one: (one.partition(), one.offset()))
        finally:
            consumer.close()

    def put(self, sender, topic, key, value, headers=()):
        """Writes a record past all services, with the rights of the node's own administrator."""
        node = self.nodes[sender]
        pki = os.path.join(node.folder, "pki")
        producer = Producer({
            "bootstrap.servers": node.config["kafka"]["brokers"], "security.protocol": "ssl",
            "ssl.ca.location": os.path.join(pki, "ca.pem"), "ssl.certificate.location": os.path.join(pki, "operator.pem"),
            "ssl.key.location": os.path.join(pki, "operator.key")})
        wrong = []
        producer.produce(topic, value=value, key=key, headers=list(headers),
                         on_delivery=lambda error, _: wrong.append(error) if error else None)
        if producer.flush(20) or wrong:
            raise AssertionError(f"nothing could be written to {topic}: {wrong}")
