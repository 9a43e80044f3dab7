"""What is read between nodes is on the trail too (G10), also where the reader is a partner.

The charter to Togo is played between three nodes. Then every method that shows something of a case only where there are
partners (tests/system/trail names them) is called: by people, by a service, and with the certificate that TG gave to FR.
Each time the trail of the case has to name the reader and the method.
"""

import os
import re
import unittest

import grpc

import clear_text
from charter import SCENARIO, CharterPlayer
from node_client import Node, read
from nodes import ThreeNodes
from scenario import load
from readings import BETWEEN_NODES

READ = "sankofa.common.v1.ReadRecorded"
AT = "2024-06-03T09:00:00Z"
OPEN_STREAMS = re.compile(rb"^sankofa_feed_subscriptions (\d+)$", re.MULTILINE)
# TG's has signed in as the story's, FR's as the federation's.
AUDITORS = {"tg": "tg-auditor-1", "fr": "fr-auditor"}


class TrailBetweenNodesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.three = ThreeNodes("ft-", 9500)
        cls.addClassCleanup(cls.three.close)
        cls.federation = cls.three.federate()
        scene = load(SCENARIO)
        # In Cameroon nothing was played, of which there could be statistics.
        scene["statistics"] = [one for one in scene["statistics"] if not one["who"].startswith("cm_")]
        cls.player = CharterPlayer(cls.federation, scene)
        cls.player.play()
        cls.federation.settle()
        cls.seen = set()

    def trail(self, role, service, key):
        return [one for one in self.federation.nodes[role].pages("ListTrail", "entries", {
            "service": service, "partition_key": key, "page_size": 1000}, who="auditor", at=AT)
            if one.type == READ and not one.method.endswith("/ListTrail")]

    def on_trail(self, role, method, case_id, reader, read_it):
        """`read_it` is noted on the case's trail, as `reader` (actor, system) by this method, and nothing else is."""
        type(self).seen.add(method)
        service, path = method.split(".")[0], self.federation.nodes[role].method(method)[0]
        before = len(self.trail(role, service, case_id))
        answer = read_it()
        found = {(one.actor, one.system, one.method) for one in self.trail(role, service, case_id)[before:]}
        self.assertEqual(found, {(*reader, path)}, method)
        return answer

    def case(self, way):
        project = next(one for one in self.player.on_way(way) if not one.get("retroactive"))
        return project, self.player.ids[project["code"]]["case"]

    def by_auditor(self, role, method, case_id, request):
        node = self.federation.nodes[role]
        return self.on_trail(role, method, case_id, (AUDITORS[role], "portal"),
                             lambda: node.call(method, request, who="auditor", at=AT))

    def partner(self):
        """A client of TG with nothing but the certificate that TG gave to FR; it knows the methods from their protos."""
        folder, known = self.three.partner_folder("fr", "tg"), self.federation.nodes["tg"]
        client = Node(known.name, credentials=grpc.ssl_channel_credentials(
            *(read(os.path.join(folder, name)) for name in ("ca.pem", "client.key", "client.pem"))))
        client.take_methods_of(known)
        self.addCleanup(client.close)
        return client

    def test_1_people(self):
        project, case_id = self.case("handed-over")
        hand_over = {"hand_over_id": self.player.ids[project["code"]]["hand-over"]}
        for role in ("tg", "fr"):
            self.by_auditor(role, "registration.GetHandOver", case_id, hand_over)
            self.by_auditor(role, "registration.ListHandOvers", case_id, {"case_id": case_id})
            shown = self.by_auditor(role, "exchange.ListReceived", case_id, {"case_id": case_id})
            self.assertGreater(len(shown.updates), 0)
        _, withdrawn = self.case("withdrawn")
        shown = self.by_auditor("fr", "exchange.ListErasures", withdrawn, {"case_id": withdrawn})
        self.assertGreater(len(shown.erasures), 0)

    def test_2_a_vote_that_was_forwarded(self):
        fr = self.federation.nodes["fr"]
        votes = [row.split("|") for row in self.three.scalar(
            "fr", "select id || '|' || partition_key from validation.aggregate where type = 'ForwardedVote'").splitlines()]
        self.assertGreater(len(votes), 0)
        vote_id, case_id = votes[0]
        path = "validation.GetForwardedVote"
        shown = self.on_trail("fr", path, case_id, (AUDITORS["fr"], "portal"),
                              lambda: fr.call(path, {"vote_id": vote_id}, who="auditor", at=AT))
        self.assertEqual(shown.id, vote_id)

    def test_3_what_was_refused_is_a_reading_of_the_case_that_it_claims(self):
        fr = self.federation.nodes["fr"]
        about = {"partner_id": self.player.codes["tg"]}
        subject = fr.call("exchange.ListRefusals", about, who="auditor", at=AT).refusals[0].subject
        self.assertTrue(subject.startswith("Case/"), subject)
        self.by_auditor("fr", "exchange.ListRefusals", subject.removeprefix("Case/"), about)

    def test_4_a_service(self):
        tg, (_, case_id) = self.federation.nodes["tg"], self.case("project")
        registration = Node(tg.name, certificate="registration").load()
        self.addCleanup(registration.close)
        name = "exchange.GetReceivedDisclosure"
        request = {"case_id": case_id, "sender": self.player.codes["fr"], "purpose": "take-over"}
        shown = self.on_trail("tg", name, case_id, ("", "registration"), lambda: registration.call(name, request, at=AT))
        self.assertGreater(len(shown.disclosures), 0)

    def test_5_a_partner_with_its_certificate(self):
        partner, (_, case_id) = self.partner(), self.case("project")
        reader = ("", f"partner-{self.player.codes['fr']}")
        subject = {"subject": f"Case/{case_id}", "from_sequence": 1}
        shown = self.on_trail("tg", "exchange.Replay", case_id, reader,
                              lambda: partner.call("exchange.Replay", subject, at=AT))
        self.assertGreater(len(shown.messages), 0)

        def subscribe():
            stream = partner.try_once("exchange.Subscribe", {}, at=AT, timeout=30)
            event = partner.message("sankofa.exchange.v1.FeedEvent")
            for message in stream:
                if event.FromString(message.message.event).subject == f"Case/{case_id}":
                    break
            stream.cancel()
            # What it had read ahead of us is on the trail too: it has to be there before the next method is looked at.
            self.federation.wait(lambda: OPEN_STREAMS.search(clear_text.metrics(self.three.nodes["tg"]))[1] == b"0",
                                 "TG has seen that the stream is over")
        self.on_trail("tg", "exchange.Subscribe", case_id, reader, subscribe)

        def leaf():
            """Down the tree of hashes to where the case's leaf is."""
            prefixes = [""]
            while prefixes:
                prefix = prefixes.pop()
                digest = partner.try_once("exchange.GetDigest", {"prefix": prefix}, at=AT)
                if any(one.subject == f"Case/{case_id}" for one in digest.leaves):
                    return
                prefixes += [f"{prefix}{number:x}" for number, child in enumerate(digest.children) if any(child)]
            self.fail("the case is in no leaf")
        self.on_trail("tg", "exchange.GetDigest", case_id, reader, leaf)

    def test_6_a_difference_that_is_shown(self):
        """FR has lost what TG told of a case; whoever compares sees which case that is."""
        _, case_id = self.case("project")
        feed = f"{self.player.codes['tg']}:Case/{case_id}"
        self.three.scalar("fr", f"delete from exchange.aggregate where type = 'ReceivedFeed' and id = '{feed}'")
        shown = self.by_auditor("fr", "exchange.CompareDigests", case_id, {"partner_id": self.player.codes["tg"]})
        self.assertIn(f"Case/{case_id}", [one.subject for one in shown.differences])

    def test_7_all_methods_that_read_between_nodes_were_looked_at(self):
        self.assertEqual(self.seen, BETWEEN_NODES)
        self.assertEqual(self.three.error_lines(), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
