"""Looks at databases and topics of all nodes after the fact, past all services, and says what is not as promised.

For each pair of partners: what the sender's journal says it sent is what the receiver's journal says it took over, each
message once, in order, byte for byte; chains and signatures hold; each feed topic has the same; what the agreement covers
was sent once, and nothing else; no field went out that may not, and what was disclosed was named by agreement and consent.

Written from the protos and proto/README.md alone; it shares no code with the services.
"""

import base64
import collections
import hashlib
import os

import nacl.exceptions
import nacl.public
import nacl.signing
from google.protobuf import message_factory

import journal
from asyncapi import Protos
from findings import Findings
from node_client import read

SOURCES = ("registration", "validation", "funding", "monitoring")
SIGNED_LABEL = b"sankofa.feed.v1\0"
# What keeps the agreement: it needs no agreement and no consent.
OWN_TYPES = "sankofa.exchange.v1."


def digest(data):
    return hashlib.blake2b(data, digest_size=32).digest()


class Registry:
    """Messages, and who may see their fields, from the protos as protoc reads them."""

    def __init__(self):
        self._protos = Protos(os.environ["SANKOFA_GOOGLEAPIS"])
        self._hidden = {}

    def parse(self, name, content):
        return message_factory.GetMessageClass(self._protos.pool.FindMessageTypeByName(name)).FromString(content)

    def hidden(self, descriptor_field):
        """True where a field is not open without being named: personal, sensitive, or the sealed form of such."""
        name = descriptor_field.full_name
        if name not in self._hidden:
            self._hidden[name] = (self._protos.visibility(descriptor_field) in ("PERSONAL", "SENSITIVE")
                                  or descriptor_field.message_type is not None
                                  and descriptor_field.message_type.full_name == "sankofa.common.v1.Sealed")
        return self._hidden[name]

    def hidden_fields(self, message, path=""):
        """Paths of the fields that are set and should not be."""
        for descriptor_field, value in message.ListFields():
            here = f"{path}{descriptor_field.name}"
            if self.hidden(descriptor_field):
                yield here
            elif descriptor_field.message_type is not None and not descriptor_field.message_type.GetOptions().map_entry:
                for one in value if descriptor_field.is_repeated else [value]:
                    yield from self.hidden_fields(one, f"{here}.")

    def leaf_paths(self, message, path=""):
        """Paths of all fields that are set, down to those that hold no message."""
        for descriptor_field, value in message.ListFields():
            here = f"{path}{descriptor_field.name}"
            if descriptor_field.message_type is None or descriptor_field.message_type.full_name.startswith("google."):
                yield here
            else:
                for one in value if descriptor_field.is_repeated else [value]:
                    yield from self.leaf_paths(one, f"{here}.")


def covers(scope, path):
    return path == scope or path.startswith(f"{scope}.")


class Checker:
    """`nodes`: by role, each with `services_config`, `secret` and `folder` (harness.py); `codes`: what each calls itself."""

    def __init__(self, nodes, codes, registry=None):
        self.nodes, self.codes = nodes, codes
        self.roles = {code: role for role, code in codes.items()}
        self.registry = registry or Registry()
        self.found = Findings("lost", "doubled", "reordered", "changed", "leaked")
        self.rows = {role: {service: journal.rows(node, service) for service in (*SOURCES, "exchange")}
                     for role, node in nodes.items()}
        self.keys = {role: self.verification_keys(role) for role in nodes}

    # ---- what lies in the databases ---------------------------------------------------------------------------------

    def messages(self, role, event_type, stream_type):
        """Messages of exchange's journal by stream, in the order of their stream."""
        name, streams = f"sankofa.exchange.v1.{event_type}", collections.defaultdict(list)
        for row in self.rows[role]["exchange"]:
            if row["event_type"] == name and row["type"] == stream_type:
                streams[row["id"]].append((int(row["sequence"]), self.registry.parse(name, row["payload"])))
        return {stream: [message for _, message in sorted(found, key=lambda one: one[0])]
                for stream, found in streams.items()}

    def verification_keys(self, role):
        """The keys that the others hold of a node, by id."""
        keys = {}
        for other in self.nodes:
            for state in journal.states(self.nodes[other], "exchange"):
                if state["type"] == "Partner" and state["id"] == self.codes[role]:
                    for key in self.registry.parse("sankofa.exchange.v1.Partner", state["state"]).keys:
                        keys[key.key_id] = bytes.fromhex(key.verification_key)
        return keys

    def agreements(self, role):
        """Terms that are or were in force, as a node has them."""
        for state in journal.states(self.nodes[role], "exchange"):
            if state["type"] == "SharingAgreement":
                agreement = self.registry.parse("sankofa.exchange.v1.SharingAgreement", state["state"])
                if len(agreement.signatures) == 2:
                    yield agreement

    def shares(self, role, receiver):
        """By agreement "<id>:<version>": what `role` may share with the partner `receiver`."""
        shared = {}
        for agreement in self.agreements(role):
            terms = agreement.terms
            if {terms.proposer, terms.counterpart} == {self.codes[role], receiver}:
                ours = terms.proposer_shares if terms.proposer == self.codes[role] else terms.counterpart_shares
                shared[f"{terms.agreement_id}:{terms.version}"] = list(ours)
        return shared

    # ---- the whole --------------------------------------------------------------------------------------------------

    def check(self, read_topic=None, complete=True):
        """`read_topic(role, receiver)`: the records of a feed topic; without it, topics are not looked at."""
        for role in self.nodes:
            feeds = self.messages(role, "FeedAppended", "Feed")
            by_receiver = collections.defaultdict(dict)
            for messages in feeds.values():
                by_receiver[messages[0].receiver][messages[0].subject] = messages
            for receiver, subjects in by_receiver.items():
                for messages in subjects.values():
                    self.check_chain(role, receiver, messages)
                if receiver in self.roles and self.roles[receiver] in self.nodes:
                    self.check_received(role, self.roles[receiver], subjects)
                if read_topic is not None:
                    self.check_topic(role, receiver, subjects, read_topic(role, receiver))
                self.check_fields(role, receiver, subjects)
                if complete and receiver in self.roles and self.roles[receiver] in self.nodes:
                    self.check_complete(role, receiver, subjects)
            self.check_nothing_invented(role, by_receiver)
        return self.found

    # ---- chains, signatures -----------------------------------------------------------------------------------------

    def check_chain(self, role, receiver, messages):
        previous, place = b"", f"{role} → {receiver} {messages[0].subject}"
        for number, message in enumerate(messages, 1):
            event = self.registry.parse("sankofa.exchange.v1.FeedEvent", message.event)
            self.found.counts["messages sent"] += 1
            if (event.sequence, event.sender, event.receiver, event.subject) != (
                    number, self.codes[role], receiver, messages[0].subject):
                self.found.reordered.append(f"{place}: message {number} says it is {event.subject} {event.sequence}")
            if event.previous_hash != previous:
                self.found.changed.append(f"{place} {number} does not follow the message before")
            if message.sealed and event.sealed_hash != digest(message.sealed):
                self.found.changed.append(f"{place} {number}: the box is not the one that was signed")
            key = self.keys[role].get(message.key_id)
            try:
                if key is None:
                    raise nacl.exceptions.BadSignatureError("no such key")
                nacl.signing.VerifyKey(key).verify(SIGNED_LABEL + message.event, message.signature)
            except nacl.exceptions.BadSignatureError as error:
                self.found.changed.append(f"{place} {number}: signature: {error}")
            previous = digest(message.event)

    def check_received(self, role, other, subjects):
        """What was sent is what was taken over."""
        taken = {messages[0].subject: messages
                 for messages in self.messages(other, "UpdateReceived", "ReceivedFeed").values()
                 if messages[0].sender == self.codes[role]}
        for subject in taken.keys() - subjects.keys():
            self.found.doubled.append(f"{other} took over {subject}, which {role} never sent")
        for subject, sent in subjects.items():
            place, got = f"{role} → {other} {subject}", taken.get(subject, [])
            numbers = [message.sequence for message in got]
            self.found.counts["messages received"] += len(got)
            if numbers != sorted(numbers):
                self.found.reordered.append(f"{place}: taken over in the order {numbers}")
            for number, count in collections.Counter(numbers).items():
                if count > 1:
                    self.found.doubled.append(f"{place} {number} was taken over {count} times")
            for number in set(range(1, len(sent) + 1)) - set(numbers):
                self.found.lost.append(f"{place} {number} of {len(sent)}")
            for message in got:
                if 0 < message.sequence <= len(sent) and message.event != sent[message.sequence - 1].event:
                    self.found.changed.append(f"{place} {message.sequence} has another content")

    def check_topic(self, role, receiver, subjects, records):
        """A record may come twice, never too early, never with another content, and not at all only if it is not there yet."""
        last = collections.defaultdict(int)
        for record in records:
            value = self.registry.parse("sankofa.exchange.v1.SignedFeedEvent", record.value())
            event = self.registry.parse("sankofa.exchange.v1.FeedEvent", value.event)
            sent, place = subjects.get(event.subject, []), f"topic feed.{receiver} of {role}: {event.subject}"
            self.found.counts["records on topics"] += 1
            if not 0 < event.sequence <= len(sent) or sent[event.sequence - 1].event != value.event:
                self.found.changed.append(f"{place} {event.sequence} is not in the journal")
                continue
            if event.sequence > last[event.subject] + 1:
                self.found.reordered.append(f"{place} goes from {last[event.subject]} to {event.sequence}")
            last[event.subject] = max(last[event.subject], event.sequence)
        for subject, sent in subjects.items():
            if last[subject] != len(sent):
                self.found.lost.append(f"topic feed.{receiver} of {role}: {subject} ends at {last[subject]} of {len(sent)}")

    # ---- what may be shared -----------------------------------------------------------------------------------------

    def check_fields(self, role, receiver, subjects):
        """No field beyond what is open, and in boxes none beyond agreement and consent."""
        shared = self.shares(role, receiver)
        secret = self.sealing_secret(receiver)
        for messages in subjects.values():
            for message in messages:
                event = self.registry.parse("sankofa.exchange.v1.FeedEvent", message.event)
                place = f"{role} → {receiver} {event.subject} {event.sequence} {event.type}"
                payload = self.registry.parse(event.type, event.payload)
                self.found.leaked += [f"{place}: {path}" for path in self.registry.hidden_fields(payload)]
                self.found.counts["payloads"] += 1
                if event.type.startswith(OWN_TYPES):
                    pass
                elif event.agreement_id:
                    ours = shared.get(f"{event.agreement_id}:{event.agreement_version}", [])
                    if not any(event.type in share.event_types and share.purpose in (*event.purposes, 0) for share in ours):
                        if not self.addressed_to(payload, receiver):
                            self.found.leaked.append(f"{place}: no agreement covers it")
                if message.sealed and secret is not None:
                    self.check_box(place, event, message.sealed, secret, shared)

    def check_box(self, place, event, sealed, secret, shared):
        opened = nacl.public.SealedBox(nacl.public.PrivateKey(secret)).decrypt(sealed)
        content = self.registry.parse("sankofa.exchange.v1.SealedContent", opened)
        if (content.subject, content.sequence) != (event.subject, event.sequence):
            self.found.changed.append(f"{place}: its box belongs to {content.subject} {content.sequence}")
        for disclosure in content.disclosures:
            self.found.counts["disclosures"] += 1
            named = {path for shares in shared.values() for share in shares if share.purpose == disclosure.purpose
                     for path in share.fields}
            for part in ("person", "case"):
                if not disclosure.HasField(part):
                    continue
                for path in self.registry.leaf_paths(getattr(disclosure, part), f"{part}."):
                    self.found.counts["disclosed fields"] += 1
                    # Ids and versions say nothing of a person.
                    if path in (f"{part}.id", f"{part}.etag", f"{part}.person_id", f"{part}.state"):
                        continue
                    if not any(covers(scope, path) for scope in named):
                        self.found.leaked.append(f"{place}: {path} is not named by the agreement")
                    if not any(covers(scope, path) for scope in disclosure.scopes):
                        self.found.leaked.append(f"{place}: {path} is not covered by the consent")

    @staticmethod
    def addressed_to(payload, receiver):
        """Events with an addressee name it in a field of its own; they go to that partner without an agreement's naming."""
        return any(field_.type == field_.TYPE_STRING and not field_.is_repeated and value == receiver
                   for field_, value in payload.ListFields())

    def sealing_secret(self, receiver):
        role = self.roles.get(receiver)
        if role not in self.nodes:
            return None
        return base64.b64decode(read(self.nodes[role].services_config["crypto"]["sealing_key_file"]))

    # ---- whether all that was to be shared was ------------------------------------------------------------------------

    def case_partners(self, role):
        """Of each case that was submitted: the partner's code on its other side."""
        partners, submitted = {}, set()
        for row in self.rows[role]["registration"]:
            if row["event_type"] == "sankofa.registration.v1.CaseRegistered":
                event = self.registry.parse(row["event_type"], row["payload"])
                partners[event.case_id] = event.source_node or event.partner
            elif row["event_type"] == "sankofa.registration.v1.CaseHeaderChanged":
                event = self.registry.parse(row["event_type"], row["payload"])
                partners[event.case_id] = event.header.partner
            elif row["event_type"] == "sankofa.registration.v1.CaseSubmitted":
                submitted.add(row["partition_key"])
        return {case_id: partner for case_id, partner in partners.items() if case_id in submitted}

    def check_complete(self, role, receiver, subjects):
        """Each own event of a shared case, of a type that the agreement names, was sent once. For cases whose consent holds
        to the end: who withdraws it gets nothing more, and is not looked at here."""
        named = {name for shares in self.shares(role, receiver).values() for share in shares for name in share.event_types}
        sent, stopped = collections.Counter(), set()
        for messages in subjects.values():
            for message in messages:
                event = self.registry.parse("sankofa.exchange.v1.FeedEvent", message.event)
                if event.source_sequence:
                    sent[(event.source, event.source_stream, event.source_sequence)] += 1
                if message.stops or event.type.endswith((".ErasureRequested", ".ErasureDone")):
                    stopped.add(message.subject_id)
        for place, count in sent.items():
            if count > 1:
                self.found.doubled.append(f"{role} → {receiver}: {place} was put on the feed {count} times")
        partners = self.case_partners(role)
        for service in SOURCES:
            for row in self.rows[role][service]:
                case_id = row["partition_key"]
                if row["event_type"] not in named or partners.get(case_id) != receiver or case_id in stopped:
                    continue
                event = self.registry.parse(row["event_type"], row["payload"])
                if getattr(event, "source_node", ""):
                    continue
                self.found.counts["events to share"] += 1
                if not sent[(service, f"{row['type']}/{row['id']}", int(row["sequence"]))]:
                    self.found.lost.append(f"{role} → {receiver}: {service} {row['type']}/{row['id']} {row['sequence']} "
                                           f"{row['event_type']} was never sent")

    def check_nothing_invented(self, role, by_receiver):
        """Each message that claims a source has it in the journal; and it is no partner's fact that is passed on."""
        rows = {(service, f"{row['type']}/{row['id']}", int(row["sequence"])): row
                for service in SOURCES for row in self.rows[role][service]}
        for receiver, subjects in by_receiver.items():
            for messages in subjects.values():
                for message in messages:
                    event = self.registry.parse("sankofa.exchange.v1.FeedEvent", message.event)
                    if not event.source_sequence or event.source == "exchange":
                        continue
                    place = f"{role} → {receiver} {event.subject} {event.sequence}"
                    row = rows.get((event.source, event.source_stream, event.source_sequence))
                    if row is None or row["event_type"] != event.type:
                        self.found.changed.append(f"{place} claims a source that is not in the journal")
                        continue
                    if getattr(self.registry.parse(row["event_type"], row["payload"]), "source_node", ""):
                        self.found.leaked.append(f"{place} passes on what a partner told")
