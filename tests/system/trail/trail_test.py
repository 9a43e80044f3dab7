"""Every read and every write of a case is on the trail (G10), and the trail gives away who changed it.

A case is played and each of its commands remembered. Then every method that reads is called, each by a reader of its own,
and the trail has to name that reader; a method that this test does not know fails it. At last somebody with all rights in
the database changes rows, past all triggers, and both verifications of the chain find it.
"""

import copy
import json
import os
import subprocess
import unittest

import grpc

import journal
import report
from harness import ROOT, SCENARIO, SystemNode
from node_client import SERVICES, Refused
from play import Player
from readings import BETWEEN_NODES
from scenario import load

BINARY = os.path.join(ROOT, "build/dev/bin/sankofactl")
CASE = "p08"  # the one with a referral
CENTRE_CASE = "p04"  # the one that stays in the reception centre
DAY = "2018-07-03"
AT = f"{DAY}T09:00:00Z"
READ = "sankofa.common.v1.ReadRecorded"
# Methods that show nothing of a single case.
OF_NO_CASE = {
    "registration.ListCentres", "validation.GetCommittee", "funding.GetAgreement", "funding.ListAgreements",
    "funding.GetProgramme", "funding.ListProgrammes", "funding.GetBudgetLine", "funding.ListBudgetLines",
    "funding.GetTrialBalance", "monitoring.GetInstrument", "monitoring.ListInstruments", "monitoring.GetIndicators",
    "monitoring.RebuildViews", "ListDeadLetters", "ReplayDeadLetter", "DiscardDeadLetter", "RunDeadlines",
    "GetServiceStatus", "monitoring.GetStatistics", "monitoring.ListStatistics", "monitoring.PreviewStatistics",
    "exchange.GetOwnIdentity", "exchange.GetPartner", "exchange.ListPartners", "exchange.GetPartnerHealth",
    "exchange.GetAgreement", "exchange.ListAgreements"}


class Recorder(Player):
    """Remembers the commands that took effect: the service, who sent it, and when it was in the scenario."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.commands = []

    def do(self, step, method, who, day, fields, hour=9):
        answer = super().do(step, method, who, day, fields, hour=hour)
        self.commands.append((step, method.split(".")[0], who, f"{day}T{hour:02}:00:00Z"))
        return answer


class TrailTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scene = copy.deepcopy(load(SCENARIO))
        cls.scene["projects"] = [one for one in cls.scene["projects"] if one["code"] in (CASE, CENTRE_CASE)]
        cls.node = SystemNode("st-trail", 11600)
        cls.addClassCleanup(cls.node.close)
        cls.client = cls.node.client()
        cls.node.services_config = cls.client.config
        cls.player = Recorder(cls.client, cls.scene)
        cls.player.play()
        # For somebody to be in the centre when it is read.
        back = {"case_id": cls.player.ids[CENTRE_CASE]["case"]}
        cls.player.do("back", "registration.ReopenCase", "case_officer", DAY, {**back, "reason": "The roof came down."})
        cls.player.do("lodged", "registration.CheckIn", "case_officer", DAY, {**back, "centre": "yaounde"})
        report.settle(cls.client)
        cls.ids = cls.player.ids[CASE]
        cls.staff = {**cls.scene["staff"],
                     "dpo": {"subject": "dpo-1", "organisation": "minrex", "roles": ["data_protection_officer"]}}
        cls.client.sign_in({"dpo": cls.staff["dpo"]})
        cls.alert = cls.player.do("alert", "monitoring.RaiseAlert", "visitor", DAY, {
            "case_id": cls.ids["case"], "concern": "Nobody opens."}).id
        received = cls.client.call("registration.ListReferrals", {"received": True}, who="social_officer", at=AT)
        cls.referral = received.referrals[0].referral_id

    def trail(self, service, key):
        return list(self.client.pages("ListTrail", "entries", {
            "service": service, "partition_key": key, "page_size": 1000}, who="auditor", at=AT))

    def whole_trail(self, service, ids):
        keys = {ids["case"], ids["person"], self.player.ids["session"]}
        return [entry for key in keys for entry in self.trail(service, key)]

    # ---- writes -----------------------------------------------------------------------------------------------------

    def test_1_every_write_is_there_with_who_did_it_and_when(self):
        entries = {service: [(one.actor, one.organisation, one.system, one.event_time.ToJsonString())
                             for one in self.whole_trail(service, self.ids) if one.type != READ]
                   for service in SERVICES}
        people = {name: (one["subject"], one.get("organisation", "")) for name, one in self.staff.items()}
        for seat in self.scene["committee"]["seats"]:
            for subject in (seat["holder"], seat.get("deputy")):
                people.setdefault(subject, (subject, seat["code"]))
        commands = [one for one in self.player.commands if one[0].startswith(f"{CASE}/")]
        self.assertGreater(len(commands), 30)
        for step, service, who, at in commands:
            self.assertIn((*people[who], "portal", at), entries[service], step)
        # What a service did by itself is under its own name or the name of the one whose event it reacted to.
        for service in SERVICES:
            for actor, _, system, _ in entries[service]:
                self.assertIn((bool(actor), system), {(True, "portal"), *((False, one) for one in (*SERVICES, "clock"))})

    # ---- reads ------------------------------------------------------------------------------------------------------

    def readings(self):
        """For every method that reads a case: the service, the role, the request, and whether it shows what is sealed."""
        ids, case, wanted = self.ids, {"case_id": self.ids["case"]}, {"purpose": "READ_PURPOSE_CASE_WORK"}
        project = next(one for one in self.scene["projects"] if one["code"] == CASE)
        session = {"session_id": self.player.ids["session"]}
        grant, alert = {"grant_id": ids["grant"]}, {"alert_id": self.alert}
        survey = {"survey_id": f"{ids['case']}:6"}
        window = {"registered_from": project["dates"]["registered"], "registered_until": project["dates"]["registered"]}
        disclosed = {**case, "partner": "minrex", "purpose": "CONSENT_PURPOSE_REINTEGRATION"}
        readings = {
            "registration.GetPerson": ("case_officer", {"person_id": ids["person"], **wanted}, True),
            "registration.SearchPersons": ("case_officer", {"name": project["person"]["family_names"], **wanted}, True),
            "registration.GetCase": ("auditor", case, False),
            "registration.GetCaseFile": ("case_officer", {**case, **wanted}, True),
            "registration.ListCases": ("auditor", window, False),
            "registration.GetDisclosure": ("dpo", disclosed, True),
            "registration.CheckEligibility": ("funding", case, True),
            "registration.GetReferral": ("social_officer", {"referral_id": self.referral, **wanted}, True),
            "registration.ListReferrals": ("social_officer", {"received": True}, False),
            "registration.GetCentre": ("case_officer", {"centre": "yaounde"}, False),
            "validation.GetProject": ("counsellor", {"project_id": ids["project"], "purpose": "study"}, True),
            "validation.ListProjects": ("auditor", case, False),
            "validation.GetSession": ("auditor", session, False),
            "validation.GetMinutes": ("auditor", session, False),
            "validation.CheckProject": ("funding", {"project_id": ids["project"]}, False),
            "funding.GetGrant": ("auditor", {**grant, "purpose": "audit"}, True),
            "funding.ListGrants": ("auditor", case, False),
            "funding.GetStatement": ("auditor", {"budget_line": self.scene["budget_line"]["budget_line"],
                                                 "page_size": 50}, False),
            "monitoring.GetFollowUp": ("auditor", {"follow_up_id": ids["grant"]}, False),
            "monitoring.GetFollowUpNotes": ("visitor", {"follow_up_id": ids["grant"], "purpose": "visit"}, True),
            "monitoring.ListVisits": ("auditor", case, False),
            "monitoring.GetSurvey": ("auditor", survey, False),
            "monitoring.GetSurveyAnswers": ("visitor", {**survey, "purpose": "visit"}, True),
            "monitoring.ListSurveys": ("auditor", case, False),
            "monitoring.GetAlert": ("auditor", alert, False),
            "monitoring.GetAlertNotes": ("visitor", {**alert, "purpose": "visit"}, True),
            "monitoring.ListAlerts": ("auditor", {"state": "ALERT_STATE_RAISED"}, False),
            "monitoring.GetCaseView": ("case_officer", case, False),
            "monitoring.WatchCase": ("case_officer", case, False)}
        about = {"service": "registration"}
        readings["ReplayCase"] = ("auditor", {**about, "partition_key": ids["case"]}, False)
        readings["ReplayStream"] = ("auditor", {**about, "aggregate": "Case", "aggregate_id": ids["case"]}, False)
        readings["ReplayAll"] = ("operator", {**about, "page_size": 1000}, False)
        readings["ListTrail"] = ("auditor", {**about, "partition_key": ids["case"]}, False)
        return readings

    def read(self, method, who, request):
        """One reading under a name of its own, or on a service's own account; who that is on the trail."""
        path, _ = self.client.method(method)
        if who in SERVICES:
            other = self.node.client(certificate=who)
            other.call(method, request, at=AT)
            other.close()
            return path, ("", "", who)
        person = {**self.staff[who], "subject": f"reader-{method.split('.')[-1].lower()}"}
        self.client.sign_in({"reader": person})
        answer = self.client.try_once(method, request, who="reader", at=AT)
        if method.endswith("WatchCase"):
            next(iter(answer))
            answer.cancel()
        return path, (person["subject"], person.get("organisation", ""), "portal")

    def test_2_every_reading_is_there_with_who_and_what_for(self):
        readings = self.readings()
        reading_methods = {name for name in self.client.methods()
                           if "request_id" not in self.client.method(name)[1].input_type.fields_by_name}
        # This node has no partners: tests/federation/trail looks at what is read between nodes.
        self.assertEqual(reading_methods - OF_NO_CASE - BETWEEN_NODES, set(readings), "a method that the test does not know")
        missing = []
        for method, (who, request, personal) in readings.items():
            service = method.split(".")[0] if "." in method else "registration"
            ids = self.player.ids[CENTRE_CASE] if method == "registration.GetCentre" else self.ids
            key = ids["person"] if method in ("registration.GetPerson", "registration.SearchPersons") else ids["case"]
            before = len(self.trail(service, key))
            path, reader = self.read(method, who, request)
            # Without the entry that says that the trail was listed.
            found = [one for one in self.trail(service, key)[before + 1:]
                     if one.type == READ and (one.actor, one.organisation, one.system, one.method) == (*reader, path)]
            if len(found) != 1:
                missing.append(f"{method} by {who}: {len(found)} entries")
                continue
            entry = found[0]
            self.assertEqual(entry.personal, personal, method)
            self.assertEqual(entry.event_time.ToJsonString(), AT, method)
            purpose = request.get("purpose", "")
            if personal and not method.startswith("registration.Check"):
                self.assertIn(purpose, entry.purpose, method)
                self.assertTrue(entry.purpose, method)
        self.assertEqual(missing, [])

    def test_3_what_is_refused_shows_nothing_and_is_no_reading(self):
        before = len(self.trail("registration", self.ids["person"]))
        with self.assertRaises(Refused):
            self.client.call("registration.GetPerson", {"person_id": self.ids["person"],
                                                        "purpose": "READ_PURPOSE_CASE_WORK"}, who="counsellor")
        after = self.trail("registration", self.ids["person"])
        self.assertEqual(len(after), before + 1, "only that the trail was listed")
        # A purpose stays readable on the trail, also after an erasure: it is a code, and no place to name anybody.
        name, tried = self.scene["projects"][0]["person"]["family_names"], 0
        for method, (who, request, _) in self.readings().items():
            purpose = self.client.method(method)[1].input_type.fields_by_name.get("purpose")
            if purpose is None or purpose.type != purpose.TYPE_STRING:
                continue
            with self.subTest(method=method), self.assertRaises(Refused) as caught:
                self.client.call(method, {**request, "purpose": f"visit to {name}"}, who=who)
            self.assertEqual((caught.exception.reason, list(caught.exception.fields)), ("INVALID_FIELD", ["purpose"]))
            tried += 1
        self.assertEqual(tried, 5)
        self.assertEqual(self.node.error_lines(), [])

    # ---- first the trail, then the answer -----------------------------------------------------------------------------

    def test_4_without_the_trail_there_is_no_answer(self):
        """No row of the trail can be written: then nobody is shown anything, and commands go on."""
        stop = ("create function {0}.no_trail() returns trigger language plpgsql as $$ begin raise exception 'full'; end $$; "
                "create trigger no_trail before insert on {0}.journal for each row "
                f"when (new.event_type = '{READ}') execute function {{0}}.no_trail()")
        go_on = "drop trigger no_trail on {0}.journal; drop function {0}.no_trail()"
        for service in ("registration", "monitoring"):
            journal.psql(self.node, "-c", stop.format(service))
        try:
            for method, who, request in (
                    ("registration.GetPerson", "case_officer", {"person_id": self.ids["person"],
                                                                "purpose": "READ_PURPOSE_CASE_WORK"}),
                    ("registration.GetCase", "auditor", {"case_id": self.ids["case"]}),
                    ("monitoring.GetFollowUpNotes", "visitor", {"follow_up_id": self.ids["grant"], "purpose": "visit"}),
                    ("monitoring.WatchCase", "case_officer", {"case_id": self.ids["case"]})):
                with self.subTest(method=method), self.assertRaises(grpc.RpcError):
                    answer = self.client.try_once(method, request, who=who, at=AT)
                    if method.endswith("WatchCase"):
                        next(iter(answer))
            self.player.do("while the trail is full", "monitoring.RaiseAlert", "visitor", DAY, {
                "case_id": self.ids["case"], "concern": "Still nobody."})
        finally:
            for service in ("registration", "monitoring"):
                journal.psql(self.node, "-c", go_on.format(service))
        self.client.call("registration.GetCase", {"case_id": self.ids["case"]}, who="auditor", at=AT)

    # ---- who changes the trail ----------------------------------------------------------------------------------------

    def verified(self):
        """What sankofactl finds, and what this test's own verification does."""
        done = subprocess.run([BINARY, "--json", "journal", "verify", "--service", "registration"], cwd=ROOT, text=True,
                              env={"PATH": os.environ["PATH"], "NODE_FOLDER": self.node.folder}, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        breaks = [(one["break"]["kind"], one["break"]["stream"], one["break"]["sequence"]) for one in lines if "break" in one]
        self.assertEqual(done.returncode, 1 if breaks else 0, done.stderr)
        return breaks, journal.broken(self.node)[0]

    def past_all_triggers(self, *statements):
        journal.psql(self.node, "-c", "; ".join(
            ["begin", "set local session_replication_role = replica", *statements, "commit"]))

    def test_5_whoever_changes_a_row_is_found_out(self):
        self.assertEqual(self.verified(), ([], []))
        log, case = ("AccessLog", self.ids["case"]), ("Case", self.ids["case"])
        streams = {}
        for row in journal.rows(self.node, "registration"):
            streams.setdefault((row["type"], row["id"]), []).append(row)
        last = int(streams[log][-1]["sequence"])
        forged = {**streams[case][1], "actor": "somebody-else"}
        newest = {**streams[log][-1], "actor": "somebody-else"}

        def where(stream, sequence):
            return f"where type = '{stream[0]}' and id = '{stream[1]}' and sequence = {sequence}"

        def rehashed(row):
            return f"actor = '{row['actor']}', hash = decode('{journal.hash_of(row).hex()}', 'hex')"

        self.assertGreater(last, 3)
        changes = (
            ("a read is put on somebody else", "ALTERED", log, 2, "update {} set actor = 'somebody-else' " + where(log, 2)),
            ("a payload", "ALTERED", case, 3, "update {} set payload = payload || '\\x00'::bytea " + where(case, 3)),
            ("a time", "ALTERED", case, 1, "update {} set event_time_nanos = event_time_nanos + 1 " + where(case, 1)),
            ("a read in between is gone", "MISSING", log, 3, "delete from {} " + where(log, 2)),
            ("the last read is gone", "CUT", log, last, "delete from {} " + where(log, last)),
            ("a row with its hash", "UNLINKED", case, 3, "update {} set " + rehashed(forged) + where(case, 2)),
            ("the newest row with its hash", "HEAD", log, last, "update {} set " + rehashed(newest) + where(log, last)))
        for what, kind, stream, sequence, statement in changes:
            with self.subTest(what):
                name, of = stream
                this_stream = f"where type = '{name}' and id = '{of}'"
                self.past_all_triggers(f"create table public.kept as select * from registration.journal {this_stream}",
                                       statement.replace(" where", "  where").format("registration.journal"))
                breaks, own = self.verified()
                self.past_all_triggers(f"delete from registration.journal {this_stream}",
                                       "insert into registration.journal select * from public.kept",
                                       "drop table public.kept")
                self.assertEqual([one[:2] for one in breaks], [(kind, f"{name}/{of}")], breaks)
                self.assertIn(abs(int(breaks[0][2]) - sequence), (0, 1), breaks)
                self.assertNotEqual(own, [])
        self.assertEqual(self.verified(), ([], []))


if __name__ == "__main__":
    unittest.main(verbosity=2)
