"""A person is erased (G4): whoever then reads, by whatever way, finds nothing.

Two people go from registration to a year of follow-up. One of them, who was registered twice, is erased. What could be
read of her before is asked for again of every method of every service; and somebody who holds the database, the topics,
Redis, the logs and the node's master key opens everything that can be opened. The other person shows that each of these
searches does find what is there.
"""

import copy
import unittest

import grpc

import clear_text
import journal
import report
import topics
from harness import SCENARIO, SystemNode
from node_client import SERVICES, Refused, to_json
from play import Player
from scenario import eur, load, personal_data

ERASED, OTHER = "p03", "p02"
# Without partners the exchange gets nothing that it would have to seal.
SEALING = [service for service in SERVICES if service != "exchange"]
DAY = "2018-07-03"
NAMES = {
    "given_names": "Quixandrelle Wobuthine", "family_names": "Vroombagnouka", "birth_place": "Zinguelofit",
    "phone": "+237680197531", "address": {"region": "Nord", "locality": "Yagoumbreville",
                                          "directions": "Impasse Xylandorf, behind the violet mill"},
    "document": {"type": "PASSPORT", "number": "FXZW7739215", "issue_date": "2015-01-05", "expiry_date": "2020-01-04"},
    "household": [{"member_id": "child-1", "name": "Ulfradine Vroombagnouka", "birth_date": "2010-05-05",
                   "relation": "CHILD"}],
}
ACCOUNT_HOLDER = "Quixandrelle W. Vroombagnouka-Hjelm"
NOTES = {"concern": "Quixandrelle hides from her creditor Mbrazztov.", "resolved": "Mbrazztov was paid back.",
         "referral": "Quixandrelle asks for a doctor of the Klinqvist hospital.", "reopen": "A letter of Tzvorakine.",
         "override": "Her sister Dzwonimira asked for it in writing."}


def scene_of_two():
    scene = copy.deepcopy(load(SCENARIO))
    scene["projects"] = [one for one in scene["projects"] if one["code"] in (ERASED, OTHER)]
    project = next(one for one in scene["projects"] if one["code"] == ERASED)
    project["person"].update(NAMES)
    project["vulnerabilities"] = ["MEDICAL_NEED", "VIOLENCE"]
    project["summary"] = "Quixandrelle sleeps badly since Oubanghizor; her aunt Zelphanie takes her in."
    project["description"] = "Quixandrelle grinds maize with her uncle Brontomane."
    project["payment"] = {"means": "BANK_TRANSFER", "provider": "demo-bank-cm"}
    return scene


def words_of(project):
    """Everything that names or describes the person of a project, down to the words of notes."""
    words = set(personal_data({"projects": [project]}))
    if project["code"] == ERASED:
        words.update((NAMES["birth_place"], NAMES["address"]["locality"], ACCOUNT_HOLDER, *NOTES.values(),
                      f"CM21{NAMES['document']['number']}", "Mbrazztov", "Klinqvist", "Zelphanie", "Brontomane"))
    return sorted(words)


class ErasureTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scene = scene_of_two()
        cls.project = next(one for one in cls.scene["projects"] if one["code"] == ERASED)
        cls.words, cls.other_words = (words_of(one) for one in sorted(
            cls.scene["projects"], key=lambda one: one["code"] != ERASED))
        cls.node = SystemNode("st-erasure", 8400)
        cls.addClassCleanup(cls.node.close)
        cls.client = cls.node.client()
        cls.node.services_config = cls.client.config
        cls.player = Player(cls.client, cls.scene)
        cls.player.play()
        cls.ids = cls.player.ids[ERASED]
        cls.client.sign_in({"dpo": {"subject": "dpo-1", "organisation": "minrex",
                                    "roles": ["data_protection_officer"]}})
        cls.vault = journal.Vault(cls.node)
        cls.tell_more()
        report.settle(cls.client)

    @classmethod
    def do(cls, step, method, who, fields, day=DAY, hour=9):
        return cls.player.do(f"{ERASED}/{step}", method, who, day, fields, hour=hour)

    def refused(self, reason, step, method, who, fields):
        with self.assertRaises(Refused) as caught:
            self.do(step, method, who, fields)
        self.assertEqual(caught.exception.reason, reason, str(caught.exception))

    @classmethod
    def tell_more(cls):
        """What the play does not have: an account, alerts with words, a referral, a case that is opened once more."""
        about = {"case_id": cls.ids["case"]}
        cls.do("holder", "registration.AddPayoutAccount", "case_officer", {
            "person_id": cls.ids["person"], "account": {"holder": ACCOUNT_HOLDER, "mobile": {
                "operator": "demo-mobile-cm", "phone": NAMES["phone"]}}})
        cls.do("override", "registration.OverrideConsent", "dpo", {
            **about, "purpose": "CONSENT_PURPOSE_REINTEGRATION", "partner": "minsante", "scopes": ["person.details"],
            "basis": "OVERRIDE_BASIS_LEGAL_OBLIGATION", "reason": NOTES["override"], "until_date": "2019-12-31"})
        cls.do("reopen", "registration.ReopenCase", "case_officer", {**about, "reason": NOTES["reopen"]})
        cls.player.consent(cls.project, "case_officer", DAY, "REFERRAL", "minas", ["case.assessment.needs"])
        cls.ids["referral"] = cls.do("referral", "registration.SendReferral", "case_officer", {
            **about, "to_organisation": "minas", "need": "NEED_HEALTH", "reason": NOTES["referral"],
            "answer_due_time": "2018-08-01T00:00:00Z"}).id
        alert = cls.do("alert", "monitoring.RaiseAlert", "visitor", {**about, "concern": NOTES["concern"]})
        cls.ids["alert"] = alert.id
        cls.do("alert/taken", "monitoring.AcknowledgeAlert", "visitor", {"alert_id": alert.id})
        cls.do("alert/done", "monitoring.ResolveAlert", "visitor", {
            "alert_id": alert.id, "resolution": "ALERT_RESOLUTION_ACTED", "resolution_note": NOTES["resolved"]})

    # ---- what can be asked ------------------------------------------------------------------------------------------

    def readings(self, ids):
        """Every method that can show something sealed, of every service: who asks, and what."""
        person, case = {"person_id": ids["person"]}, {"case_id": ids["case"]}
        wanted = {"purpose": "READ_PURPOSE_CASE_WORK"}
        readings = [
            ("registration.GetPerson", who, {**person, **wanted})
            for who in ("case_officer", "host_officer", "visitor", "releaser", "dpo")]
        readings += [
            ("registration.GetCaseFile", "case_officer", {**case, **wanted}),
            ("registration.GetCase", "auditor", case),
            ("validation.GetProject", "counsellor", {"project_id": ids["project"], "purpose": "study"}),
            ("validation.GetProject", "secretary", {"project_id": ids["project"], "purpose": "sitting"}),
            ("funding.GetGrant", "case_officer", {"grant_id": ids["grant"], "purpose": "payment"}),
            ("monitoring.GetFollowUpNotes", "visitor", {"follow_up_id": ids["grant"], "purpose": "visit"}),
            ("monitoring.GetSurveyAnswers", "visitor", {"survey_id": f"{ids['case']}:6", "purpose": "visit"}),
            ("monitoring.GetSurveyAnswers", "visitor", {"survey_id": f"{ids['case']}:12", "purpose": "visit"}),
            ("monitoring.GetCaseView", "case_officer", case)]
        for partner, purpose in (("minrex", "REINTEGRATION"), ("minrex", "FOLLOW_UP"), ("minsante", "REINTEGRATION")):
            readings.append(("registration.GetDisclosure", "dpo", {
                **case, "partner": partner, "purpose": f"CONSENT_PURPOSE_{purpose}"}))
        if "alert" in ids:
            readings.append(("monitoring.GetAlertNotes", "visitor", {"alert_id": ids["alert"], "purpose": "visit"}))
            readings.append(("registration.GetReferral", "case_officer", {"referral_id": ids["referral"], **wanted}))
        for service in SERVICES:
            for key in (ids["case"], ids["person"]):
                readings.append(("ReplayCase", "auditor", {"service": service, "partition_key": key,
                                                           "page_size": 500}))
        return readings

    def searches(self, person):
        document = {"country": "CM", "type": f"DOCUMENT_TYPE_{person['document']['type']}",
                    "number": person["document"]["number"]}
        names = {"name": f"{person['given_names']} {person['family_names']}"}
        purpose = {"purpose": "READ_PURPOSE_IDENTIFICATION"}
        return [("registration.SearchPersons", "dpo", {**asked, **purpose})
                for asked in (names, {"name": person["family_names"]}, {"document": document})]

    def answer(self, method, who, request):
        """What is answered, as JSON without escapes; a refusal is an answer too."""
        try:
            given = self.client.call(method, request, who=who, at=f"{DAY}T12:00:00Z")
        except Refused as refusal:
            return str(refusal) + str(refusal.texts)
        return to_json(given)

    def ask_everything(self, code):
        project = next(one for one in self.scene["projects"] if one["code"] == code)
        asked = self.readings(self.player.ids[code]) + self.searches(project["person"])
        return {f"{number} {method} as {who}": self.answer(method, who, request).encode()
                for number, (method, who, request) in enumerate(asked)}

    def open_everything(self):
        """What the master key opens of the whole database, by subject."""
        opened, shut = {}, {}
        for part in self.vault.open(self.client, self.node):
            into = shut if part.text is None else opened
            into.setdefault(part.subject, []).append(part)
        return opened, shut

    def places(self):
        """Everything that the node has written, everywhere."""
        records = topics.read_all(self.node)
        return {**clear_text.database(self.node), **clear_text.redis(self.node),
                **clear_text.kafka_segments(self.node), "topics": b"".join(one.raw for one in records),
                **{name: content for name, content in clear_text.logs(self.node).items() if content}}

    # ---- before -----------------------------------------------------------------------------------------------------

    def test_1_before_all_of_it_can_be_read_by_who_may(self):
        answers = self.ask_everything(ERASED)
        readable = {found.split(": ", 1)[1] for found in clear_text.found_in(answers, self.words)}
        self.assertEqual(set(self.words) - readable, set(), "the answers don't show what was told")
        for name in ("CM21FXZW7739215", ACCOUNT_HOLDER, "MEDICAL_NEED"):
            self.assertTrue(any(name.encode() in content for content in answers.values()), name)

    def test_2_before_nothing_is_in_clear_and_the_master_key_opens_it(self):
        self.assertEqual(clear_text.found_in(self.places(), self.words), [])
        opened, shut = self.open_everything()
        self.assertEqual(shut, {})
        own = "\n".join(part.text for subject in (self.ids["person"], self.ids["case"]) for part in opened[subject])
        missing = [word for word in self.words if word not in own]
        self.assertEqual(missing, [], "the test's own opening does not find what is sealed")
        services = {part.place.split()[0] for part in opened[self.ids["case"]]}
        self.assertEqual(services, set(SEALING), "each service has sealed something for the case")

    # ---- the erasure ------------------------------------------------------------------------------------------------

    def test_3_is_erased_in_all_services(self):
        person = {"person_id": self.ids["person"], "basis": "ERASURE_BASIS_REQUEST"}
        suspicion = self.client.call("registration.GetPerson", {
            "person_id": self.ids["person"], "purpose": "READ_PURPOSE_IDENTIFICATION"}, who="dpo",
            at=f"{DAY}T09:00:00Z").suspicions[0]
        type(self).duplicate = suspicion.other_person_id
        self.refused("DUPLICATES_FIRST", "erase/too early", "registration.ErasePerson", "dpo", person)
        self.do("erase/duplicate", "registration.ErasePerson", "dpo", {**person, "person_id": self.duplicate})
        self.refused("PERSON_HAS_OPEN_CASE", "erase/without a word", "registration.ErasePerson", "dpo", person)
        erased = self.do("erase", "registration.ErasePerson", "dpo", {**person, "reason": "Asked for in writing."})
        self.assertEqual(report.name_of(erased, "state"), "ERASED")
        # Registration's key is gone with the answer; the others follow by reaction.
        self.assertIsNone(journal.keys(self.node, "registration")[self.ids["person"]])
        self.assertEqual(report.lagging(report.settle(self.client)), [])
        for service in SEALING:
            self.assertIsNone(journal.keys(self.node, service)[self.ids["case"]], service)
        self.assertIsNone(journal.keys(self.node, "registration")[self.duplicate])

    def test_4_no_method_shows_anything(self):
        answers = self.ask_everything(ERASED)
        self.assertEqual(clear_text.found_in(answers, self.words), [])
        for secret in (b"MEDICAL_NEED", b"birth_date", b'"answers"', b'"notes"', b'"description"', b"ciphertext"):
            self.assertEqual([name for name, content in answers.items() if secret in content
                              and "Replay" not in name], [], secret)
        for method, who, request in self.searches(self.project["person"]):
            self.assertEqual(len(self.client.call(method, request, who=who).persons), 0)
        self.eligibility()
        # The other person is as readable as before.
        answers = self.ask_everything(OTHER)
        readable = {found.split(": ", 1)[1] for found in clear_text.found_in(answers, self.other_words)}
        self.assertEqual(set(self.other_words) - readable, set())

    def eligibility(self):
        """What another service is told of the person on its own account."""
        funding = self.node.client(certificate="funding")
        told = funding.call("registration.CheckEligibility", {"case_id": self.ids["case"]}, at=f"{DAY}T12:00:00Z")
        funding.close()
        self.assertTrue(told.erased)
        self.assertEqual((told.age_years, told.adults, told.children, list(told.nationalities)), (0, 0, 0, []))

    def test_5_nothing_is_recorded_any_more(self):
        ids, case = self.ids, {"case_id": self.ids["case"]}
        person = {"person_id": ids["person"]}
        project = {"content": self.player.content_of(self.project), "description": "Quixandrelle again."}
        for reason, method, who, fields in (
                ("PERSON_ERASED", "registration.UpdatePerson", "case_officer", {
                    **person, "details": self.player.person_of(self.project)["details"]}),
                ("PERSON_ERASED", "registration.RecordVulnerabilities", "case_officer", {
                    **person, "vulnerabilities": ["VULNERABILITY_OTHER"]}),
                ("CASE_ERASED", "registration.ReopenCase", "case_officer", {**case, "reason": "Quixandrelle is back."}),
                ("ERASED", "validation.ReviseProject", "counsellor", {"project_id": ids["project"], **project}),
                ("ERASED", "validation.DraftProject", "counsellor", {
                    **case, "kind": "PROJECT_KIND_TRAINING", **project}),
                ("PERSON_ERASED", "funding.ReserveGrant", "programme_manager", {
                    **case, **person, "project_id": ids["project"], "programme": self.scene["programme_code"],
                    "level": self.project["level"]["level"], "amount": eur(7000), "payment_currency": "XAF",
                    "budget_line": self.scene["budget_line"]["budget_line"], "means": "PAYMENT_MEANS_SUPPLIER"}),
                ("CASE_ERASED", "monitoring.RaiseAlert", "visitor", {**case, "concern": "Quixandrelle was seen."}),
                ("FOLLOW_UP_NOT_ACTIVE", "monitoring.RecordVisit", "visitor", {
                    "follow_up_id": ids["grant"], "visit_number": 4, "visit_date": DAY, "observations": "Quixandrelle.",
                    "business_status": "BUSINESS_STATUS_RUNNING"})):
            with self.subTest(method=method):
                self.refused(reason, f"after/{method}", method, who, fields)
        with self.assertRaises(grpc.RpcError) as caught:
            next(iter(self.client.try_once("monitoring.WatchCase", case, who="case_officer")))
        self.assertEqual(Refused("", caught.exception).reason, "CASE_ERASED")

    def test_6_an_old_request_sent_again_shows_nothing(self):
        """The stored answer of a request id has nothing personal, and the content takes no effect anew."""
        registered = self.player.do(f"{ERASED}/person", "registration.RegisterPerson", "host_officer",
                                    self.project["dates"]["registered"], self.player.person_of(self.project))
        self.assertEqual(registered.id, self.ids["person"])
        self.assertEqual(clear_text.found_in({"answer": to_json(registered).encode()}, self.words), [])
        self.assertIsNone(journal.keys(self.node, "registration")[self.ids["person"]])

    def test_7_with_everything_in_hand_nothing_opens(self):
        """Database, topics, Redis, logs, and the master key; after a restart and with the views folded anew too."""
        self.node.kill()
        self.node.restart()
        report.compare_views(self.client)
        places = self.places()
        self.assertTrue(all(places.values()))
        self.assertEqual(clear_text.found_in(places, self.words), [])
        opened, shut = self.open_everything()
        subjects = {self.ids["person"], self.ids["case"], self.duplicate}
        self.assertEqual(set(shut), subjects)
        self.assertGreater(len(shut[self.ids["case"]]), 10)
        self.assertEqual(set(opened) & subjects, set())
        text = "\n".join(part.text for parts in opened.values() for part in parts)
        self.assertEqual(clear_text.found_in({"opened": text.encode()}, self.words), [])
        self.assertEqual([word for word in self.other_words if word not in text], [])
        # Not even a keyed hash by which one could look for her.
        found = journal.psql(self.node, "-A", "-t", "-c", "select count(*) from registration.person_key where owner_id in "
                             f"('{self.ids['person']}', '{self.duplicate}')")
        self.assertEqual(int(found), 0)

    def test_8_the_chain_still_holds(self):
        found, count = journal.broken(self.node)
        self.assertEqual(found, [])
        self.assertGreater(count, 150)

    def test_9_who_comes_back_is_a_stranger(self):
        """The same passport raises no suspicion: nothing links the newcomer to the record that was erased."""
        newcomer = self.do("newcomer", "registration.RegisterPerson", "host_officer",
                           self.player.person_of(self.project))
        self.assertNotEqual(newcomer.id, self.ids["person"])
        self.assertEqual((newcomer.duplicate_open, list(newcomer.suspicions)), (False, []))
        self.assertEqual(self.node.error_lines(), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
