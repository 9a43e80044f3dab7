"""The process that exchange runs in is killed with -9 at every step of an update's way, each time just there: what the step
needs (a table, Kafka, the network) is held until the process stands before it.

    built at TG ─► published by TG's relay ─► read by FR ─► applied at FR ─► read by FR's own services
"""

import unittest

import report
from checker import Checker
from holds import HeldServer, HeldTable, wait
from load import Load
from nodes import ThreeNodes

SETTLE_SECONDS = 120
CASES = 4
# Less than one message with its signature, more than anything else that Kafka's clients say unasked.
MESSAGE_BYTES = 700
LOCAL = ("registration", "validation")


class StepsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.three = ThreeNodes("fk-", 11000, roles=("tg", "fr"))
        cls.addClassCleanup(cls.three.close)
        cls.federation = cls.three.federate()
        cls.load = Load(cls.federation, CASES)
        cls.load.federate()
        # An even number is a case of Togo's.
        cls.opened = [cls.load.open_case(2 * number)[2].id for number in range(CASES)]
        cls.assessed = 0

    def setUp(self):
        self.settled()

    def tearDown(self):
        """Whatever was killed: each update takes effect once, and nothing else does."""
        wanted = self.assessed * CASES
        self.federation.wait(lambda: self.three.applied("fr", "tg") >= wanted, "FR has all updates", seconds=SETTLE_SECONDS)
        self.settled()
        self.assertEqual(self.three.applied("fr", "tg"), wanted)

    def settled(self):
        health = self.federation.settle(seconds=SETTLE_SECONDS)
        self.assertEqual(self.federation.unsettled(health), [])

    def updates(self):
        """One in each case, committed at TG's registration."""
        type(self).assessed += 1
        for number, case_id in enumerate(self.opened):
            self.load.assess("tg", number, case_id, self.assessed)

    def killed(self, role):
        self.three.nodes[role].kill()

    def restart(self, role):
        self.three.nodes[role].restart()

    def rows(self, role, table):
        return int(self.three.scalar(role, f"select count(*) from {table}"))

    def killed_before_writing(self, role, table):
        with HeldTable(self.three.nodes[role], table) as held:
            self.updates()
            held.wait_for_someone()
            self.killed(role)
        self.restart(role)

    # ---- TG: build ----------------------------------------------------------------------------------------------------

    def test_01_building_before_the_message_is_written(self):
        self.killed_before_writing("tg", "exchange.journal")

    def test_02_building_before_its_state_is_written(self):
        self.killed_before_writing("tg", "exchange.aggregate")

    def test_03_building_before_the_event_is_marked_as_read(self):
        self.killed_before_writing("tg", "exchange.inbox_mark")

    # ---- TG: publish --------------------------------------------------------------------------------------------------

    def test_04_publishing_before_kafka_has_answered(self):
        """The broker may have the records or not: who comes after sends them again."""
        node = self.three.nodes["tg"]
        built = self.rows("tg", "exchange.journal")
        port = int(node.services_config["kafka"]["brokers"].rsplit(":", 1)[1])
        with HeldTable(node, "exchange.journal") as held:
            self.updates()
            held.wait_for_someone()
            with HeldServer(node, "kafka", port) as kafka:
                held.let_go()
                wait(lambda: self.rows("tg", "exchange.journal") > built, "a message is built")
                kafka.wait_for_bytes(MESSAGE_BYTES)
                self.killed("tg")
        self.restart("tg")

    def test_05_publishing_before_that_is_noted(self):
        """Kafka has the records and the relay's cursor stands before them: they come twice, and take effect once."""
        applied = self.rows("fr", "exchange.received_update")
        with HeldTable(self.three.nodes["tg"], "exchange.relay_cursor") as held:
            self.updates()
            wait(lambda: self.rows("fr", "exchange.received_update") > applied, "FR has read a record")
            held.wait_for_someone()
            self.killed("tg")
        self.restart("tg")

    # ---- FR: consume --------------------------------------------------------------------------------------------------

    def test_06_reading_in_the_middle_of_a_batch(self):
        gate = self.three.gates["tg"]["kafka"]
        gate.stop_in_the_middle(MESSAGE_BYTES)
        self.updates()
        wait(lambda: gate.stopped_in_the_middle, "half a batch has passed")
        self.killed("fr")
        gate.go_on()
        self.restart("fr")

    # ---- FR: apply ----------------------------------------------------------------------------------------------------

    def test_07_applying_before_the_message_is_written(self):
        self.killed_before_writing("fr", "exchange.journal")

    def test_08_applying_before_what_is_listed_is_written(self):
        self.killed_before_writing("fr", "exchange.received_update")

    def test_09_applied_and_the_offset_not_committed(self):
        """The messages come again and are dropped by their sequence."""
        gate, applied = self.three.gates["tg"]["kafka"], self.rows("fr", "exchange.received_update")
        with HeldTable(self.three.nodes["fr"], "exchange.journal") as held:
            self.updates()
            held.wait_for_someone()
            gate.stop()
        wait(lambda: self.rows("fr", "exchange.received_update") > applied, "something is applied")
        self.killed("fr")
        gate.go_on()
        self.restart("fr")

    # ---- FR: what its own services make of it -------------------------------------------------------------------------

    def test_10_a_service_that_reads_it(self):
        self.killed_before_writing("fr", "registration.inbox_mark")

    def test_11_nothing_is_lost_or_doubled_on_all_the_way(self):
        for service in LOCAL:
            wait(lambda name=service: not self.unread(name), f"{service} has read all that came")
            self.assertEqual(self.rows("fr", f"{service}.dead_letter"), 0, service)
        # What FR's services make of it is on the feeds too, and arrives.
        for node in self.federation.nodes.values():
            self.assertEqual(report.lagging(report.settle(node, SETTLE_SECONDS)), [])
        self.settled()
        found = Checker(self.three.nodes, self.three.codes).check(
            read_topic=lambda role, receiver: self.federation.read_feed(receiver, role))
        print(found, flush=True)
        self.assertEqual(found.wrong()[:20], [])
        self.assertGreater(found.counts["records on topics"], found.counts["messages sent"])
        for role, other in self.federation.pairs():
            self.assertTrue(self.federation.compare_digests(role, other).equal, f"{role} and {other}")
        self.assertEqual(self.three.error_lines(), [])

    def unread(self, service):
        """How many chains of received messages a service of FR has not read to their end."""
        return int(self.three.scalar("fr", f"""
            select count(*) from exchange.aggregate a left join {service}.inbox_mark m
              on m.source = 'exchange' and m.type = a.type and m.id = a.id
            where a.type = 'ReceivedFeed' and m.sequence is distinct from a.version"""))


if __name__ == "__main__":
    unittest.main(verbosity=2)
