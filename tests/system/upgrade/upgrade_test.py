"""From version N to N+1 without stopping: two processes on one database and one set of topics, the older one under a
database and events that are newer than itself.

With SANKOFA_OLDER_BINARY the older process is an earlier version's program; `scripts/test` builds the one before the present
(`scripts/older`). Without, both are the program under test. What a later version than both would bring is planted: a
migration, and a type of event.
"""

import copy
import os
import signal
import time
import unittest

import journal
import report
import topics
from harness import ROOT, SCENARIO, TESTED_BINARY, SystemNode
from node_client import SERVICES, Node
from play import Player
from scenario import approved, cents, load, to_francs
from serve import Services

NAME, BASE_PORT = "st-upgrade", 12200
OLDER = os.environ.get("SANKOFA_OLDER_BINARY", TESTED_BINARY)
PROJECTS = ("p02", "p04")
SECONDS = 120
# As a later version might make them: known to no process of this test, or known by now.
UNKNOWN_TYPE = "sankofa.funding.v1.VoucherIssued"
OPERATOR = {"operator": {"subject": "operator-1", "organisation": "minrex", "roles": ["node_operator"]}}
# What a migration may bring while an older process works: a table, an index, a column that nobody has to fill.
NEWER_MIGRATION = """
    create table {0}.later (id text primary key);
    alter table {0}.{1} add column later_note text;
    create index later_note on {0}.{1} (later_note);
    insert into {0}.schema_migration (name, hash) values ('9001_later.sql', repeat('0', 64));
    alter table {0}.later owner to {0}"""
PROJECTIONS = {"registration": "person_key", "funding": "budget_line"}


class Side(Node):
    """One of the processes. Both are called in turn, whatever the service."""


class Both(Node):
    """Calls go to both processes, one after the other; to the one that is left where one is gone."""

    def __init__(self, name, sides):
        super().__init__(name)
        self.sides = sides
        self._turn = 0
        for side in sides:
            side.tokens = self.tokens

    def load(self):
        super().load()
        for side in self.sides:
            side.take_methods_of(self)
        return self

    def try_once(self, name, request, **options):
        self._turn += 1
        return self.sides[self._turn % len(self.sides)].try_once(name, request, **options)

    def close(self):
        super().close()
        for side in self.sides:
            side.close()


def addresses_of(number, base_port):
    return {part: f"127.0.0.1:{base_port + offset + number}" for part, offset in (
        ("listen", 1), ("health", 11), ("metrics", 21))}


class UpgradeTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        base_port = int(os.environ.get("SANKOFA_BASE_PORT", BASE_PORT))
        cls.scene = copy.deepcopy(load(SCENARIO))
        cls.scene["projects"] = [one for one in cls.scene["projects"] if one["code"] in PROJECTS]
        total = sum(one["decision"]["amount"] for one in approved(cls.scene))
        cls.scene["published"] = {"examined": len(PROJECTS), "approved": len(PROJECTS), "adjourned": 0, "refused": 0,
                                  "total_eur": total, "total_xaf": to_francs(cents(total)), "first_instalment_percent": 70}
        cls.node = SystemNode(NAME, base_port, serve=False)
        cls.addClassCleanup(cls.node.close)
        # What an older version migrated, a newer one takes over.
        cls.older, cls.newer = (cls.process(number, binary, base_port) for number, binary in enumerate(
            (OLDER, TESTED_BINARY)))
        cls.older.start()
        cls.client = Node(NAME, addresses=addresses_of(0, base_port)).load()
        cls.addClassCleanup(cls.client.close)
        cls.node.services_config = cls.client.config
        cls.base_port = base_port
        cls.player = Player(cls.client, cls.scene)
        cls.player.sign_in()
        cls.client.sign_in(OPERATOR)

    @classmethod
    def process(cls, number, binary, base_port):
        addresses = addresses_of(number, base_port)
        process = Services(NAME, binary, "all", addresses, dict.fromkeys(SERVICES, addresses["listen"]))
        process.log = os.path.join(process.folder, "logs", f"sankofa-{number}.log")
        process.pid_file = os.path.join(process.folder, "pids", f"sankofa-{number}")
        cls.addClassCleanup(process.stop)
        return process

    def letters(self):
        found = []
        for service in SERVICES:
            answer = self.client.call("ListDeadLetters", {"service": service}, who="operator")
            found += [(service, one.reason, one.stream) for one in answer.dead_letters]
        return sorted(found)

    def test_1_the_older_one_works_alone(self):
        self.player.prepare()
        self.player.register()

    def test_2_and_goes_on_when_the_database_is_newer_than_it(self):
        for service, table in PROJECTIONS.items():
            journal.psql(self.node, "-c", NEWER_MIGRATION.format(service, table))
        self.player.receive()
        # A process of that version that starts now leaves alone what it does not know.
        self.older.stop(signal.SIGKILL)
        self.older.start()

    def test_3_a_newer_event_waits_and_holds_up_nobody(self):
        headers = {
            "ce_specversion": "1.0", "ce_id": f"{NAME}/funding/Voucher/v-1/1", "ce_source": f"//{NAME}.sankofa/funding",
            "ce_type": UNKNOWN_TYPE, "ce_subject": "Voucher/v-1", "ce_time": "2017-06-02T09:00:00.000000000Z",
            "ce_sequence": "1", "ce_partitionkey": "v-1", "content-type": "application/protobuf",
            "sankofa_hash": "00" * 32, "sankofa_previous_hash": ""}
        self.assertIsNone(topics.publish(self.node, "funding", "sankofa.funding", "v-1", headers))
        waiting = [(service, "UNKNOWN_EVENT_TYPE", "Voucher/v-1") for service in ("exchange", "monitoring")]
        end = time.monotonic() + SECONDS
        while self.letters() != waiting and time.monotonic() < end:
            time.sleep(0.05)
        self.assertEqual(self.letters(), waiting)
        # The event itself is kept, not only word of it.
        row = journal.psql(self.node, "-At", "-c", "select event_type, partition_key from monitoring.dead_letter").decode()
        self.assertEqual(row.strip(), f"{UNKNOWN_TYPE}|v-1")
        self.player.write()

    def test_4_both_versions_side_by_side(self):
        self.newer.start()
        sides = [Side(NAME, addresses=addresses_of(number, self.base_port)) for number in (0, 1)]
        both = Both(NAME, sides)
        both.tokens.update(self.client.tokens)
        both.take_methods_of(self.client)
        for side in sides:
            side.take_methods_of(self.client)
        self.addCleanup(both.close)
        self.player.node = both
        self.player.sit()
        self.player.grant()
        self.player.first()
        self.player.node = self.client

    def test_5_what_the_newer_one_knows_by_now_it_applies_by_itself(self):
        # The letters become those of an event that the older version had not known, and this one does.
        journal.psql(self.node, "-c", "; ".join(
            f"update {service}.dead_letter set event_type = 'sankofa.funding.v1.ProgrammeLoaded', payload = ''"
            for service in ("exchange", "monitoring")))
        self.older.stop()
        self.newer.stop()
        self.newer.start()
        self.client.close()
        type(self).client = Node(NAME, addresses=addresses_of(1, self.base_port)).load()
        self.client.tokens = self.player.node.tokens
        self.player.node = self.client
        end = time.monotonic() + SECONDS
        while self.letters() and time.monotonic() < end:
            time.sleep(0.05)
        self.assertEqual(self.letters(), [])
        states = journal.psql(self.node, "-At", "-c", "select state from monitoring.dead_letter").decode().split()
        self.assertEqual(states, ["replayed"])

    def test_6_the_newer_one_ends_what_the_older_one_began(self):
        for project in self.player.approved:
            self.player.visit(project, 3)
        second = self.scene["calendar"]["second_instalment"]
        for project in self.player.approved:
            self.player.pay(project, 2, second)
        self.player.look_again(6)
        self.player.look_again(12)
        self.player.close()
        # The planted event is in nobody's journal, and would count as one too many.
        for service in ("exchange", "monitoring"):
            journal.psql(self.node, "-c", f"delete from {service}.inbox_mark where type = 'Voucher'")
        facts = report.collect(self.client, self.scene, self.player.ids, seconds=60)
        self.assertEqual(report.differences(self.scene, facts), [])

    def test_7_no_log_has_an_error(self):
        for process in (self.older, self.newer):
            with open(process.log, encoding="utf-8") as file:
                self.assertEqual([line for line in file if '"level":"ERROR"' in line], [])


if __name__ == "__main__":
    # Each step stands on the one before.
    unittest.main(verbosity=2, failfast=True)
