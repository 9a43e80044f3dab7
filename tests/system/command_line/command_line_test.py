"""sankofactl, the built program, against a node that runs: every command once, as an operator or an integrator types it.

What each command makes of an answer is tested without a node (tests/unit/sankofactl); here is what only a node shows.
"""

import copy
import json
import os
import subprocess
import unittest
import uuid

import clear_text
import journal
import report
import topics
from harness import ROOT, SCENARIO, SystemNode
from node_client import SERVICES
from play import Player
from scenario import load, personal_data

BINARY = os.path.join(ROOT, "build/dev/bin/sankofactl")
SECONDS = 60
# Published by a test, not by the node.
UNKNOWN_TYPE = "sankofa.funding.v1.VoucherIssued"
STAFF = {
    "operator": {"subject": "operator-1", "organisation": "minrex", "roles": ["node_operator"]},
    "auditor": {"subject": "auditor-1", "organisation": "minrex", "roles": ["auditor"]},
}


class CommandLineTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scene = copy.deepcopy(load(SCENARIO))
        cls.scene["projects"] = cls.scene["projects"][:2]
        cls.node = SystemNode("st-ctl", 8500)
        cls.addClassCleanup(cls.node.close)
        cls.client = cls.node.client()
        cls.node.services_config = cls.client.config
        player = Player(cls.client, cls.scene)
        player.play()
        cls.client.sign_in(STAFF)
        report.settle(cls.client)
        cls.case, cls.other_case = (player.ids[one["code"]]["case"] for one in cls.scene["projects"])

    def run_it(self, *arguments, who=None, expect=0, stdin="", **environment):
        environment = {"PATH": os.environ["PATH"], "NODE_FOLDER": self.node.folder, **environment}
        if who:
            environment["SANKOFA_TOKEN"] = self.client.tokens[who]
        done = subprocess.run([BINARY, *arguments], input=stdin, env=environment, cwd=ROOT, text=True, check=False,
                              capture_output=True, timeout=SECONDS)
        self.assertEqual(done.returncode, expect, f"{arguments}:\n{done.stdout}\n{done.stderr}")
        return done

    def lines(self, *arguments, **options):
        return [json.loads(line) for line in self.run_it("--json", *arguments, **options).stdout.splitlines()]

    # ---- calls ------------------------------------------------------------------------------------------------------

    def test_calls_any_method(self):
        [found] = self.lines("call", "GetCase", "-", who="auditor", stdin=json.dumps({"case_id": self.case}))
        self.assertEqual(found["id"], self.case)
        [first] = self.lines("call", "WatchCase", json.dumps({"case_id": self.case}), "--count", "1", who="auditor")
        self.assertEqual(first["view"]["case_id"], self.case)

    def test_says_what_the_node_refuses(self):
        nobody = self.run_it("call", "GetCase", json.dumps({"case_id": self.case}), expect=1)
        self.assertIn("UNAUTHENTICATED", nobody.stderr)
        wrong = self.run_it("--json", "call", "GetCase", '{"case_id": "x"}', who="auditor", expect=1)
        error = json.loads(wrong.stderr)["error"]
        self.assertEqual(error["reason"], "INVALID_FIELD")
        self.assertEqual([one["field"] for one in error["fields"]], ["case_id"])
        self.assertRegex(error["trace_id"], "^[0-9a-f]{32}$")
        denied = self.run_it("view", "rebuild", who="auditor", expect=1)
        self.assertIn("NOT_ALLOWED", denied.stderr)
        self.assertIn("node_operator", denied.stderr)
        french = self.run_it("call", "GetCase", '{"case_id": "x"}', "--language", "fr", who="auditor", expect=1)
        self.assertIn("Un champ manque ou est mal formé", french.stderr)
        self.assertIn("can't be reached", self.run_it("status", "--address", "127.0.0.1:1", who="operator",
                                                      expect=1).stderr)

    def test_every_method_of_the_node_is_known(self):
        listed = {one["method"] for one in self.lines("methods")}
        self.assertEqual(listed, {self.client.method(one)[0] for one in self.client.methods()})

    # ---- events -----------------------------------------------------------------------------------------------------

    def test_events_are_all_there_with_what_is_personal_sealed(self):
        events = [one for one in self.lines("events", "tail", "--from-beginning", "--no-follow")
                  if one["headers"]["ce_type"] != UNKNOWN_TYPE]
        status = {one["service"]: one for one in self.lines("status", who="operator")}
        self.assertEqual(sorted(status), sorted(SERVICES))
        for service in SERVICES:
            own = [one for one in events if one["topic"] == f"sankofa.{service}"]
            self.assertEqual(len(own), int(status[service].get("events_published", 0)))
        for event in events:
            self.assertIn("data", event, event)
            self.assertNotIn("malformed", event)
            self.assertTrue(event["headers"]["ce_id"])
        persons = [one["data"] for one in events if one["headers"]["ce_type"].endswith(".PersonRegistered")]
        self.assertTrue(all("details" in one["sealed"]["may_hold"] for one in persons))
        text = json.dumps(events, ensure_ascii=False).encode()
        self.assertEqual(clear_text.found_in({"events": text}, personal_data(self.scene)), [])

    def test_events_of_one_case_of_one_service(self):
        events = self.lines("events", "tail", "--from-beginning", "--no-follow", "--service", "registration", "--case",
                            self.case)
        self.assertTrue(events)
        self.assertEqual({one["key"] for one in events}, {self.case})
        self.assertEqual(self.lines("events", "tail", "--no-follow"), [])

    def test_kafka_refuses_another_certificate_and_it_is_said(self):
        pki = os.path.join(self.node.folder, "pki")
        for name, word in (("portal", "Grant"), ("unknown-ca", "refuses the certificate")):
            refused = self.run_it("events", "tail", "--certificate", f"{pki}/{name}.pem", "--key", f"{pki}/{name}.key",
                                  expect=1)
            self.assertIn(word, refused.stderr)

    def test_people_get_tables(self):
        """The same facts as with `--json`, each on a line under a head."""
        for command, who in ((("status",), "operator"), (("case", "trail", self.case), "auditor")):
            facts, table = self.lines(*command, who=who), self.run_it(*command, who=who).stdout.splitlines()
            # That the trail was shown as JSON is one entry more of each service on the trail that is shown then.
            self.assertEqual(len(table), 1 + len(facts) + (len(SERVICES) if "trail" in command else 0))
            self.assertFalse([line for line in table if line.startswith("{")])
        tail = self.run_it("events", "tail", "--from-beginning", "--no-follow", "--service", "funding", "--count", "1").stdout
        self.assertRegex(tail.splitlines()[0], r"^20\d\d-\S+Z  sankofa\.funding  \w+  \w+/\S+ #1$")

    # ---- a case -----------------------------------------------------------------------------------------------------

    def test_a_case_on_one_page_and_its_trail(self):
        page = self.run_it("case", "show", self.case, who="auditor").stdout
        self.assertIn("Case closed", page)
        self.assertIn("Dossier", self.run_it("case", "show", self.case, "--language", "fr", who="auditor").stdout)
        trail = self.lines("case", "trail", self.case, who="auditor")
        # The exchange only notes which cases there are; without partners it has nothing to say of one.
        self.assertEqual({one["service"] for one in trail} | {"exchange"}, set(SERVICES))
        times = [one["entry"]["event_time"] for one in trail]
        self.assertEqual(times, sorted(times))
        # That it was shown stands on the trail itself.
        reads = [one["entry"].get("method", "") for one in trail if one["entry"].get("actor") == "auditor-1"]
        self.assertTrue(any(one.endswith("/GetCaseView") for one in reads), reads)

    # ---- the journal ------------------------------------------------------------------------------------------------

    def test_the_journal_verifies_also_from_an_export_and_without_the_services(self):
        path = os.path.join(self.node.folder, "export.jsonl")
        self.run_it("journal", "export", "--out", path)
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        self.run_it("journal", "export", "--out", path, expect=2)  # never written over
        exported = self.lines("journal", "verify", "--file", path, NODE_FOLDER="")
        for one in exported:
            done = one["verified"]
            self.assertEqual(done["breaks"], 0)
            self.assertEqual(done["rows"], len([row for row in self.rows_of(path) if row[0] == done["service"]]))
        with open(path, "rb") as file:
            self.assertEqual(clear_text.found_in({"export": file.read()}, personal_data(self.scene)), [])
        self.assertIn("All chains hold.", self.run_it("journal", "verify").stdout)

    def test_what_was_exported_stays_so(self):
        rows = []
        for name in ("earlier.jsonl", "today.jsonl"):
            path = os.path.join(self.node.folder, name)
            self.run_it("journal", "export", "--out", path)
            self.run_it("case", "show", self.case, who="auditor")  # a read is a row too
            with open(path, encoding="utf-8") as file:
                rows.append({line for line in file if line.startswith('{"row"')})
        self.assertLess(rows[0], rows[1])

    @staticmethod
    def rows_of(path):
        """(service, row) of each row of an export."""
        rows, service = [], None
        with open(path, encoding="utf-8") as file:
            for line in file:
                [(kind, content)] = json.loads(line).items()
                if kind == "journal":
                    service = content["service"]
                elif kind == "row":
                    rows.append((service, content))
        return rows

    def test_a_journal_that_was_changed_is_found_out(self):
        change = ("begin; alter table registration.journal disable trigger user; {}; "
                  "alter table registration.journal enable trigger user; commit")
        where = f"type = 'Case' and id = '{self.case}' and sequence = 3"
        before = journal.psql(self.node, "-At", "-c", f"select actor from registration.journal where {where}").decode()
        journal.psql(self.node, "-c", change.format(
            f"update registration.journal set actor = 'nobody' where {where}"))
        try:
            found = self.lines("journal", "verify", "--service", "registration", expect=1)
        finally:
            journal.psql(self.node, "-c", change.format(
                f"update registration.journal set actor = '{before.strip()}' where {where}"))
        self.assertEqual(found[0]["break"], {
            "kind": "ALTERED", "service": "registration", "stream": f"Case/{self.case}", "sequence": 3,
            "what": found[0]["break"]["what"]})
        self.run_it("journal", "verify", "--service", "registration")

    # ---- running the node -------------------------------------------------------------------------------------------

    def publish_what_nobody_knows(self):
        """An event of a later version, as an upgraded service would publish it to others that are not."""
        headers = {
            "ce_specversion": "1.0", "ce_id": f"{self.node.name}/funding/Voucher/v-1/1",
            "ce_source": f"//{self.node.name}.sankofa/funding", "ce_type": UNKNOWN_TYPE,
            "ce_subject": "Voucher/v-1", "ce_time": "2018-07-02T09:00:00.000000000Z", "ce_sequence": "1",
            "ce_partitionkey": "v-1", "content-type": "application/protobuf", "sankofa_hash": "00" * 32,
            "sankofa_previous_hash": ""}
        self.assertIsNone(topics.publish(self.node, "funding", "sankofa.funding", "v-1", headers))

    def test_dead_letters(self):
        self.publish_what_nobody_knows()
        # It is there once those who react to funding, monitoring and exchange, have taken it.
        readers = ("exchange", "monitoring")
        letters = self.wait_for_letters(readers)
        self.assertEqual(len(letters), len(readers))
        self.assertEqual({(one["reason"], one["stream"]) for one in letters}, {("UNKNOWN_EVENT_TYPE", "Voucher/v-1")})
        names = [f"{reader}/{one['id']}" for reader, one in zip(readers, letters)]
        shown = self.run_it("dead-letters", "list", who="operator").stdout
        for name in names:
            self.assertIn(name, shown)
        still = self.lines("dead-letters", "replay", "--all", who="operator", expect=1)
        self.assertEqual(sorted(still, key=lambda one: one["letter"]),
                         [{"letter": name, "state": "waiting", "reason": "UNKNOWN_EVENT_TYPE"} for name in names])
        for name in names:
            self.run_it("dead-letters", "discard", name, "--reason", "a test", who="auditor", expect=1)
            discarded = self.run_it("dead-letters", "discard", name, "--reason", "a test", who="operator")
            self.assertEqual(discarded.stdout, f"{name}  discarded\n")
        self.assertEqual(self.lines("dead-letters", "list", who="operator"), [])
        closed = [one for one in self.lines("dead-letters", "list", "--all", who="operator")
                  if one["dead_letter"]["stream"] == "Voucher/v-1"]
        self.assertEqual(len(closed), len(readers))
        for one in closed:
            self.assertIn("a test", one["dead_letter"]["detail"])

    def test_a_dead_letter_whose_cause_is_gone_takes_effect(self):
        """What monitoring is to write of one case can't be written: the event is put aside, and replayed afterwards."""
        stop = ("create function monitoring.stop() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$; "
                "create trigger stop before insert on monitoring.journal for each row when "
                f"(new.partition_key = '{self.other_case}' and new.system = 'registration') execute function monitoring.stop()")
        journal.psql(self.node, "-c", stop)
        try:
            self.client.call("registration.ReopenCase", {
                "request_id": str(uuid.uuid4()), "case_id": self.other_case, "reason": "The roof came down."},
                who="case_officer", at="2018-07-03T09:00:00Z")
            [letter] = self.wait_for_letters()
            self.assertEqual((letter["reason"], letter["stream"]), ("WRITE_FAILED", f"Case/{self.other_case}"))
            name = f"monitoring/{letter['id']}"
            self.assertRegex(self.run_it("status", who="operator").stdout, r"(?m)^monitoring +\S+ +\d+ +0 +0 +1 ")
            still = self.run_it("dead-letters", "replay", name, who="operator", expect=1)
            self.assertTrue(still.stdout.startswith(f"{name}  waiting"), still.stdout)
        finally:
            journal.psql(self.node, "-c", "drop trigger stop on monitoring.journal; drop function monitoring.stop()")
        before = self.taken_from_registration()
        for _ in range(2):  # the second time it is answered as before
            done = self.run_it("dead-letters", "replay", name, who="operator")
            self.assertEqual(done.stdout, f"{name}  replayed\n")
            self.assertEqual(self.taken_from_registration(), before + 1)
        self.assertEqual(self.run_it("dead-letters", "list", who="operator").stdout, "No dead letters wait.\n")

    def taken_from_registration(self):
        """Rows that monitoring wrote because of what happened to the other case."""
        trail = self.lines("case", "trail", self.other_case, "--service", "monitoring", who="auditor")
        return len([one for one in trail if one["entry"].get("system") == "registration"])

    def wait_for_letters(self, services=("monitoring",)):
        """The letters of these services, once each has one."""
        for _ in range(SECONDS * 10):
            found = {service: [one["dead_letter"] for one in self.lines(
                "dead-letters", "list", "--service", service, who="operator")] for service in services}
            if all(found.values()):
                return [letter for letters in found.values() for letter in letters]
        raise AssertionError("the event was not put aside")

    def test_deadlines_and_views(self):
        done = self.lines("deadlines", "run", "--scenario-time", "2018-07-03", who="operator")
        self.assertEqual([one["service"] for one in done], list(SERVICES))
        [rebuilt] = self.lines("view", "rebuild", who="operator")
        self.assertEqual((rebuilt["rebuilt"], rebuilt["differing"]), (2, 0))


if __name__ == "__main__":
    unittest.main(verbosity=2)
