"""What a node says to the outside, and what it refuses: over the wire, with other people's libraries.

One node plays the published sitting; then its topics are read by a plain Kafka consumer, bad requests are sent to it,
and at the end everything that it has written is searched for the invented people.
"""

import copy
import re
import time
import unittest

import grpc
from confluent_kafka import KafkaError, KafkaException

import clear_text
import report
import topics
from harness import SCENARIO, SystemNode
from node_client import PAUSE_SECONDS, SERVICES, Refused
from play import Player
from scenario import approved, eur, load, personal_data

NODE = None
SCENE = load(SCENARIO)
CLIENT = None
PLAYER = None
TRACEPARENT = re.compile(rb"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


def setUpModule():
    global NODE, CLIENT, PLAYER
    NODE = SystemNode("st-wire", 8200)
    unittest.addModuleCleanup(NODE.close)
    CLIENT = NODE.client()
    NODE.services_config = CLIENT.config
    PLAYER = Player(CLIENT, SCENE)
    PLAYER.play()


class TopicsTest(unittest.TestCase):
    """A consumer that knows no more than the contract: topics, keys, CloudEvents headers, protobuf values."""

    @classmethod
    def setUpClass(cls):
        cls.status = report.settle(CLIENT)
        cls.records = topics.read_all(NODE)

    def test_holds_every_published_event_once(self):
        self.assertEqual(report.lagging(self.status), [])
        for service in SERVICES:
            own = [one for one in self.records if one.topic == f"sankofa.{service}"]
            self.assertEqual(len(own), report.told_its_node(self.status[service]))
            ids = [one.headers["ce_id"] for one in own]
            self.assertEqual(len(ids), len(set(ids)), "an event id occurs twice")

    def test_the_operator_sees_every_consumer_of_the_topics(self):
        """Not only the reactions: what keeps the case views has a group of its own, and its lag is told too."""
        end = time.monotonic() + 30
        while True:
            status = report.statuses(CLIENT)
            consumers = {one.group: one for of in status.values() for one in of.consumers}
            behind = {group: one.lag for group, one in consumers.items() if one.lag != 0}
            if not behind or time.monotonic() > end:
                break
            time.sleep(PAUSE_SECONDS)
        self.assertEqual(behind, {})
        self.assertEqual(set(consumers), {*(f"sankofa.{service}" for service in status), "sankofa.monitoring.view"})
        self.assertEqual(set(consumers["sankofa.monitoring.view"].sources), set(status))
        self.assertEqual({group: one.trouble for group, one in consumers.items() if one.trouble}, {})

    def test_headers_say_what_it_is(self):
        for record in self.records:
            self.assertIn("traceparent", record.headers, record.headers)
            headers = {name: value.decode() for name, value in record.headers.items()}
            self.assertEqual(headers["ce_specversion"], "1.0")
            self.assertIn(record.topic.removeprefix("sankofa."), headers["ce_source"])
            self.assertRegex(headers["ce_type"], r"^sankofa\.[a-z]+\.v1\.[A-Z][A-Za-z]+$")
            self.assertRegex(headers["ce_subject"], r"^[A-Z][A-Za-z]+/.+$")
            self.assertRegex(headers["ce_time"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
            self.assertTrue(headers["ce_id"])
            self.assertRegex(record.headers["traceparent"], TRACEPARENT)

    def test_a_stream_has_no_gap_and_keeps_its_order(self):
        last = {}
        for record in self.records:
            stream = (record.topic, record.headers["ce_subject"])
            sequence = int(record.headers["ce_sequence"])
            self.assertEqual(sequence, last.get(stream, 0) + 1, f"{stream} jumps")
            last[stream] = sequence

    def test_events_of_a_case_are_keyed_by_it(self):
        cases = {ids["case"] for code, ids in PLAYER.ids.items() if code != "session"}
        keyed = set()
        for record in self.records:
            event = CLIENT.message(record.headers["ce_type"].decode()).FromString(record.value)
            _, subject_id = record.headers["ce_subject"].decode().split("/", 1)
            of_a_case = "case_id" in event.DESCRIPTOR.fields_by_name and event.case_id
            # An event of a session or a person may name a case; it belongs to that session or person.
            if of_a_case and record.key != subject_id:
                self.assertEqual(record.key, event.case_id, record.headers)
                keyed.add(record.key)
        self.assertEqual(keyed, cases)

    def test_a_trace_goes_from_the_call_through_the_reactions(self):
        """The committee's decision, a command of the portal, is one trace with the case's reintegration."""
        traces = {}
        for record in self.records:
            name = record.headers["ce_type"].decode().rsplit(".", 1)[1]
            traces.setdefault((name, record.key), record.headers["traceparent"].split(b"-")[1])
        for project in approved(SCENE):
            case_id = PLAYER.ids[project["code"]]["case"]
            self.assertEqual(traces["ProjectApproved", case_id], traces["CaseReintegrationStarted", case_id])

    def test_a_system_without_the_right_is_not_let_in(self):
        with self.assertRaises(KafkaException) as caught:
            topics.read_all(NODE, "portal")
        self.assertIn("AUTHORIZATION_FAILED", str(caught.exception))


    def test_a_service_speaks_in_its_own_name_only(self):
        """Whoever has a service's certificate can't forge another's events, and can't take its events away from it."""
        for topic in ("sankofa.registration", "sankofa.validation", "sankofa.monitoring"):
            refused = topics.publish(NODE, "funding", topic, "forged")
            self.assertEqual(refused.code(), KafkaError.TOPIC_AUTHORIZATION_FAILED, topic)
        thief = topics.consumer(NODE, "funding", group="sankofa.validation")
        try:
            thief.subscribe(["sankofa.registration"])
            refused = thief.poll(topics.READ_SECONDS).error()
        finally:
            thief.close()
        self.assertEqual(refused.code(), KafkaError.GROUP_AUTHORIZATION_FAILED)


class PlayTest(unittest.TestCase):
    def test_agrees_with_what_was_published(self):
        facts = report.collect(CLIENT, SCENE, PLAYER.ids)
        self.assertEqual(report.differences(SCENE, facts), [])

    def test_trail_of_a_case_is_kept(self):
        """Who wrote and who read: also that the auditor has read the trail."""
        about = {"service": "registration", "partition_key": PLAYER.ids["p01"]["case"], "page_size": 200}
        CLIENT.call("registration.GetCase", {"case_id": about["partition_key"]}, who="auditor")
        entries = CLIENT.call("ListTrail", about, who="auditor").entries
        actors = {(one.type.rsplit(".", 1)[1], one.actor, one.system) for one in entries}
        self.assertIn(("CaseRegistered", "ofii-officer-1", "portal"), actors)
        self.assertIn(("CaseAccepted", "minrex-officer-1", "portal"), actors)
        self.assertIn(("ReadRecorded", "auditor-1", "portal"), actors)


def variant(codes):
    """Other people with projects like these, under other names, so that bad requests spoil nothing of the play."""
    scene = copy.deepcopy(SCENE)
    scene["scenario"] = "refusals"
    scene["agreement"]["agreement"] = scene["budget_line"]["agreement"] = "refusals"
    scene["budget_line"].update(budget_line="refusals", amount=13000)
    scene["committee"]["code"] = "refusals"
    scene["projects"] = [one for one in scene["projects"] if one["code"] in codes]
    for project in scene["projects"]:
        person = project["person"]
        person["family_names"] += "bis"
        person["phone"] = person["phone"].replace("1017", "2017")
        person["document"]["number"] = person["document"]["number"].replace("FX01", "FX02")
        for key in ("registered_twice", "lodged"):
            project.pop(key, None)
    return scene


class RefusalTest(unittest.TestCase):
    """Bad requests: each gets a stable reason in both languages, and nothing is half done."""

    @classmethod
    def setUpClass(cls):
        cls.scene = variant(("p01", "p02", "p04"))
        cls.stage = Player(CLIENT, cls.scene)
        CLIENT.sign_in({
            "nobody": {"subject": "nobody-1", "roles": []},
            "secretary_as_member": {"subject": "committee-secretary-1", "roles": ["committee_member"]},
            "two_hats": {"subject": "two-hats-1", "organisation": "ofii",
                         "roles": ["payment_requester", "payment_approver", "payment_releaser"]},
            "expired": {"subject": "auditor-1", "roles": ["auditor"], "issued_at": "2020-01-01T00:00:00Z"},
            "elsewhere": {"subject": "auditor-1", "roles": ["auditor"], "audience": "sankofa-tg"}})
        cls.people = [one["code"] for one in cls.scene["projects"]]
        cls.steps = 0
        stage, day = cls.stage, cls.scene["calendar"]["prepared"]
        money = {"committed": eur(20000)}
        stage.do("agreement", "funding.RecordAgreement", "programme_manager", day, {**cls.scene["agreement"], **money})
        stage.do("budget-line", "funding.OpenBudgetLine", "programme_manager", day,
                 {**cls.scene["budget_line"], "amount": eur(13000)})
        stage.create_committee()
        for prepare in (stage.register, stage.receive, stage.write):
            prepare()

    def ok(self, method, who, day, fields):
        """A command that is meant to pass."""
        type(self).steps += 1
        return self.stage.do(f"step {self.steps}", method, who, day, fields)

    def refused(self, reason, method, who, day, fields, *, field=None, code=None, timeout=10, command=True):
        """Sends a request that must be refused with this reason; the journal of the service must not grow by it."""
        service = method.split(".")[0]
        before = report.settle(CLIENT)[service].events_published_target
        type(self).steps += 1
        if command:
            fields = {"request_id": self.stage.request_id(f"step {self.steps}"), **fields}
        with self.assertRaises(Refused) as caught:
            try:
                CLIENT.try_once(method, fields, who=who, at=f"{day}T09:00:00Z" if day else None, timeout=timeout)
            except grpc.RpcError as error:
                raise Refused(method, error) from None
        refusal = caught.exception
        self.assertEqual(refusal.reason, reason, str(refusal))
        self.assertEqual(set(refusal.texts), {"en", "fr"}, "a refusal speaks both languages")
        if field:
            self.assertIn(field, refusal.fields)
        if code:
            self.assertEqual(refusal.code, code)
        after = report.settle(CLIENT)[service].events_published_target
        self.assertEqual(after, before, f"{reason} was answered, and something was done")
        return refusal

    def of(self, code):
        return self.stage.ids[code]

    # ---- who calls, and how ----------------------------------------------------------------------------------------

    def test_01_certificates(self):
        for certificate in (None, "unknown-ca", "expired"):
            with self.subTest(certificate=certificate), self.assertRaises(grpc.RpcError) as caught:
                channel = grpc.secure_channel(CLIENT.config["listen"]["address"], CLIENT.credentials(certificate),
                                              options=[("grpc.use_local_subchannel_pool", 1)])
                with channel:
                    channel.unary_unary("/sankofa.registration.v1.RegistrationService/GetCase")(b"", timeout=5)
            self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAVAILABLE)

    def test_02_a_known_system_without_the_right(self):
        auditor = NODE.client(certificate="auditor")
        with self.assertRaises(grpc.RpcError) as caught:
            auditor.try_once("registration.CheckEligibility", {"case_id": self.of("p01")["case"]})
        self.assertEqual(Refused("", caught.exception).reason, "NOT_ALLOWED")
        auditor.close()

    def test_03_people(self):
        about = {"case_id": self.of("p01")["case"]}
        denied = grpc.StatusCode.PERMISSION_DENIED
        CLIENT.tokens["forged"] = CLIENT.tokens["auditor"][:-8] + "AAAAAAAA"
        self.refused("NOT_ALLOWED", "registration.GetCase", "nobody", None, about, code=denied, command=False)
        self.refused("NOT_ALLOWED", "registration.AcceptCase", "auditor", "2017-01-01", about, code=denied)
        unknown = grpc.StatusCode.UNAUTHENTICATED
        for who in (None, "expired", "elsewhere", "forged"):
            self.refused("UNAUTHENTICATED", "registration.GetCase", who, None, about, code=unknown, command=False)

    def test_04_deadlines(self):
        about = {"case_id": self.of("p01")["case"]}
        for timeout in (None, 3600):
            self.refused("DEADLINE_REQUIRED", "registration.GetCase", "auditor", None, about, timeout=timeout,
                         command=False)
        with self.assertRaises(grpc.RpcError) as caught:
            CLIENT.try_once("registration.GetCase", about, who="auditor", timeout=1e-6)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.DEADLINE_EXCEEDED)

    def test_05_messages(self):
        """Bytes that are no message, one over the size limit, and one so large that gRPC does not read it."""
        path, _ = CLIENT.method("registration.RegisterPerson")
        send = CLIENT.channel.unary_unary(f"/{path}")
        metadata = [("authorization", f"Bearer {CLIENT.tokens['host_officer']}")]
        for content, reason in ((b"\xff\xff\xff", "MALFORMED_MESSAGE"), (b"\x0a" + b"\xff" * 9, "MALFORMED_MESSAGE"),
                                (b"\x0a\x80\x80\x80\x01" + b"x" * (2 << 20), "MESSAGE_TOO_LARGE")):
            with self.assertRaises(grpc.RpcError) as caught:
                send(content, timeout=5, metadata=metadata)
            self.assertEqual(Refused("", caught.exception).reason, reason)
        with self.assertRaises(grpc.RpcError) as caught:
            send(b"x" * (8 << 20), timeout=5, metadata=metadata)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)

    # ---- what is asked ------------------------------------------------------------------------------------------

    def test_06_fields(self):
        def person(**changed):
            fields = self.stage.person_of(self.scene["projects"][0])
            fields["details"] = {**fields["details"], **changed}
            return fields

        wrong = [("details.birth_date", person(birth_date="2027-01-01")),
                 ("details.birth_date", person(birth_date="12.03.1984")),
                 ("details.nationalities[0]", person(nationalities=["ZZ"])),
                 ("details.phones[0]", person(phones=["+237123"])),
                 ("details.family_names", person(family_names=""))]
        for field, fields in wrong:
            refusal = self.refused("INVALID_FIELD", "registration.RegisterPerson", "host_officer", "2017-05-05", fields,
                                   field=field, code=grpc.StatusCode.INVALID_ARGUMENT)
            for told in (*refusal.fields.values(), *refusal.texts.values()):
                self.assertNotIn("1984", told, "a refusal must not repeat what was sent")
        self.refused("INVALID_FIELD", "registration.RegisterCase", "host_officer", "2017-05-05", {
            "person_id": "not a uuid", "header": {}}, field="header.origin_country")
        self.refused("INVALID_FIELD", "funding.OpenBudgetLine", "programme_manager", "2017-05-05", {
            "budget_line": "other", "agreement": "refusals", "amount": {"currency": "USD", "minor_units": 100}},
            field="amount.currency")

    def test_07_request_ids(self):
        case_id = self.of("p01")["case"]
        again = {"request_id": self.stage.request_id("p01/accept"), "case_id": case_id}
        first = CLIENT.call("registration.AcceptCase", again, who="case_officer", at="2016-10-17T09:00:00Z")
        self.assertEqual(first.id, case_id, "the same request is answered as before")
        self.refused("REQUEST_ID_REUSED", "registration.AcceptCase", "case_officer", "2016-10-17",
                     {**again, "case_id": self.of("p02")["case"]}, code=grpc.StatusCode.ALREADY_EXISTS)

    def test_08_etags(self):
        case_id = self.of("p02")["case"]
        current = CLIENT.call("registration.GetCase", {"case_id": case_id}, who="auditor")
        stale = {"case_id": case_id, "etag": "1", "reason": "CLOSE_REASON_WITHDRAWN"}
        self.assertNotEqual(current.etag, stale["etag"])
        self.refused("STALE_ETAG", "registration.CloseCase", "case_officer", "2017-05-05", stale,
                     code=grpc.StatusCode.ABORTED)

    def test_08_what_is_there_already(self):
        scene, day = self.scene, "2017-05-05"
        for method, fields in (
                ("registration.OpenCentre", scene["centre"]),
                ("funding.RecordAgreement", {**scene["agreement"], "committed": eur(20000)}),
                ("funding.LoadProgramme", {"programme": scene["programme_code"], "yaml": scene["programme_text"]}),
                ("funding.OpenBudgetLine", {**scene["budget_line"], "amount": eur(13000)})):
            self.refused("ALREADY_EXISTS", method, "programme_manager", day, fields,
                         code=grpc.StatusCode.ALREADY_EXISTS)

    # ---- persons and cases --------------------------------------------------------------------------------------

    def test_09_cases(self):
        case_id, person_id = self.of("p01")["case"], self.of("p01")["person"]
        header = {"origin_country": "CM", "host_country": "FR", "return_type": "RETURN_TYPE_VOLUNTARY_RETURN",
                  "programme": "ofii-cm-2017", "partner": "minrex", "region": "ouest"}
        opening = {"person_id": person_id, "header": header}
        day = "2017-05-05"
        self.refused("SECOND_OPEN_CASE", "registration.RegisterCase", "host_officer", day, opening)
        other = self.stage.person_of(self.scene["projects"][0])
        other["details"] = {**other["details"], "given_names": "Arielo", "documents": [], "household": []}
        newcomer = self.ok("registration.RegisterPerson", "host_officer", day, other)
        for reason, wrong in (("COUNTRY_NOT_OURS", "TG"), ("SAME_COUNTRY", "FR")):
            self.refused(reason, "registration.RegisterCase", "host_officer", day,
                         {"person_id": newcomer.id, "header": {**header, "origin_country": wrong}})
        self.refused("PERSON_NOT_FOUND", "registration.RegisterCase", "host_officer", day,
                     {**opening, "person_id": self.stage.request_id("no person")})
        self.refused("CASE_NOT_REGISTERED", "registration.SubmitCase", "host_officer", day, {"case_id": case_id})
        self.refused("CASE_NOT_ACCEPTED", "registration.ConfirmArrival", "case_officer", day,
                     {"case_id": case_id, "arrival_date": "2017-05-01"})
        self.refused("HEADER_FROZEN", "registration.UpdateCaseHeader", "host_officer", day,
                     {"case_id": case_id, "header": header})
        self.refused("CASE_NOT_CLOSED", "registration.ReopenCase", "case_officer", day,
                     {"case_id": case_id, "reason": "To see."})

    def test_10_a_child_needs_a_guardian(self):
        fields = self.stage.person_of(self.scene["projects"][0])
        fields["details"] = {**fields["details"], "given_names": "Arielo", "birth_date": "2003-02-20",
                             "documents": [], "household": []}
        child = self.ok("registration.RegisterPerson", "host_officer", "2017-05-05", fields)
        case = self.ok("registration.RegisterCase", "host_officer", "2017-05-05", {
            "person_id": child.id, "header": {
                "origin_country": "CM", "host_country": "FR", "return_type": "RETURN_TYPE_VOLUNTARY_RETURN",
                "programme": "ofii-cm-2017", "partner": "minrex"}})
        consent = {"case_id": case.id, "purpose": "CONSENT_PURPOSE_REINTEGRATION", "partner": "minrex",
                   "scopes": ["person.details"], "giver": "CONSENT_GIVER_PERSON", "from_date": "2017-05-05",
                   "until_date": "2018-05-04"}
        self.refused("CHILD_NEEDS_GUARDIAN", "registration.GiveConsent", "host_officer", "2017-05-05", consent)
        self.refused("GUARDIAN_UNKNOWN", "registration.GiveConsent", "host_officer", "2017-05-05",
                     {**consent, "giver": "CONSENT_GIVER_GUARDIAN", "guardian_member_id": "mother"})
        self.refused("CHILD_NEEDS_GUARDIAN", "registration.SubmitCase", "host_officer", "2017-05-05",
                     {"case_id": case.id})

    # ---- projects and the sitting -------------------------------------------------------------------------------

    def test_11_projects(self):
        project = self.scene["projects"][0]
        content = self.stage.content_of(project)
        draft = {"case_id": self.of("p01")["case"], "kind": "PROJECT_KIND_TRAINING"}
        day = "2017-05-05"
        self.refused("LIVE_PROJECT_EXISTS", "validation.DraftProject", "counsellor", day,
                     {**draft, "kind": f"PROJECT_KIND_{project['kind']}", "content": content})
        self.refused("CASE_NOT_READY", "validation.DraftProject", "counsellor", day,
                     {**draft, "case_id": self.stage.request_id("no case"), "content": content})
        other = self.ok("validation.DraftProject", "counsellor", day,
                        {**draft, "content": {**content, "requested": eur(6999)}})
        refusal = self.refused("BUDGET_DOES_NOT_ADD_UP", "validation.SubmitProject", "counsellor", day,
                               {"project_id": other.id}, field="content.items")
        self.assertEqual(refusal.metadata["items_minor_units"], "845000")
        self.ok("validation.WithdrawProject", "counsellor", day, {"project_id": other.id, "reason": "A trial."})
        self.refused("PROJECT_NOT_SUBMITTED", "validation.RecordFeasibility", "analyst", day, {
            "project_id": self.of("p01")["project"], "version": 1, "feasible": True, "reasons": "Again."})

    def test_12_sitting(self):
        session = self.ok("validation.ScheduleSession", "secretary", "2017-05-15", {
            "committee_code": "refusals", "date": "2017-06-14", "place": "Yaoundé", "cap": eur(13500)})
        self.stage.ids["session"] = session.id
        about = {"session_id": session.id}
        day = "2017-06-14"
        self.refused("AGENDA_EMPTY", "validation.OpenSession", "secretary", day,
                     {**about, "attendance": [{"seat_code": "ofii", "presence": "PRESENCE_HOLDER"}]})
        for code in self.people:
            self.ok("validation.AddToAgenda", "secretary", "2017-05-15", {
                **about, "project_id": self.of(code)["project"], "ceiling": eur(6450 if code == "p02" else 7000)})
        self.refused("PROJECT_NOT_SCHEDULABLE", "validation.AddToAgenda", "secretary", "2017-05-15",
                     {**about, "project_id": self.of("p01")["project"]})
        everybody = [{"seat_code": seat, "presence": f"PRESENCE_{how}"}
                     for seat, how in self.scene["sitting"]["attendance"].items()]
        self.refused("SESSION_NOT_DUE", "validation.OpenSession", "secretary", "2017-06-13",
                     {**about, "attendance": everybody})
        hosts_and_one = [one for one in everybody if one["seat_code"] in ("ambassador", "ofii", "operator")]
        self.refused("QUORUM_NOT_REACHED", "validation.OpenSession", "secretary", day,
                     {**about, "attendance": hosts_and_one})
        self.ok("validation.OpenSession", "secretary", day, {**about, "attendance": everybody})
        self.refused("MINUTES_NOT_READY", "validation.GetMinutes", "auditor", day, about, command=False)
        self.votes(about, day)

    def votes(self, about, day):
        first = {**about, "project_id": self.of("p01")["project"]}
        vote = {**first, "seat_code": "ofii", "value": "VOTE_VALUE_FOR"}
        self.refused("NOT_SEAT_HOLDER", "validation.CastVote", "seat-minas", day, vote)
        self.refused("SEAT_ABSENT", "validation.CastVote", "seat-scac", day, {**vote, "seat_code": "scac"})
        self.refused("SEAT_HAS_NO_VOTE", "validation.CastVote", "secretary_as_member", day,
                     {**vote, "seat_code": "secretary"})
        self.refused("NOT_SEAT_HOLDER", "validation.CastVote", "seat-minrex", day, {**vote, "seat_code": "minrex"})
        self.refused("AMOUNT_OVER_REQUEST", "validation.CastVote", "seat-ofii", day,
                     {**vote, "proposed_amount": eur(9000)})
        self.refused("VOTES_MISSING", "validation.DecideProject", "seat-ambassador", day, first)
        self.ok("validation.CastVote", "seat-ofii", day, vote)
        self.refused("ALREADY_VOTED", "validation.CastVote", "seat-ofii", day, {**vote, "value": "VOTE_VALUE_AGAINST"})
        self.ok("validation.DeclareInterest", "seat-chamber", day, {**first, "seat_code": "chamber"})
        self.refused("INTEREST_DECLARED", "validation.CastVote", "seat-chamber", day, {**vote, "seat_code": "chamber"})
        self.ok("validation.CastVote", "seat-minas", day, {**vote, "seat_code": "minas", "value": "VOTE_VALUE_AGAINST"})
        self.refused("CASTING_VOTE_MISSING", "validation.DecideProject", "seat-ambassador", day, first)
        self.refused("NOT_PRESIDING", "validation.DecideProject", "seat-ofii", day, first)
        self.ok("validation.CastVote", "seat-ambassador", day, {**vote, "seat_code": "ambassador"})
        self.refused("OUTCOME_DIFFERS", "validation.DecideProject", "seat-ambassador", day,
                     {**first, "expected_outcome": "AGENDA_OUTCOME_REFUSED"}, code=grpc.StatusCode.ABORTED)
        self.ok("validation.DecideProject", "seat-ambassador", day, first)
        self.refused("PROJECT_DECIDED", "validation.CastVote", "seat-operator", day, {**vote, "seat_code": "operator"})

        # With 7,000 of 13,500 gone, 6,800 more are over the cap; 6,400 are not.
        third = {**about, "project_id": self.of("p04")["project"]}
        self.ok("validation.CastVote", "seat-ambassador", day,
                {**third, "seat_code": "ambassador", "value": "VOTE_VALUE_FOR"})
        refusal = self.refused("CAP_EXCEEDED", "validation.DecideProject", "seat-ambassador", day, third)
        self.assertEqual(refusal.metadata["left_minor_units"], "650000")
        second = {**about, "project_id": self.of("p02")["project"]}
        self.ok("validation.CastVote", "seat-ambassador", day,
                {**second, "seat_code": "ambassador", "value": "VOTE_VALUE_FOR", "proposed_amount": eur(6400)})
        self.refused("AMOUNT_OVER_CEILING", "validation.DecideProject", "seat-ambassador", day,
                     {**second, "amount": eur(6500)})
        self.refused("AMOUNT_NOT_SUPPORTED", "validation.DecideProject", "seat-ambassador", day,
                     {**second, "amount": eur(6449)})
        # A member who leaves takes the quorum along.
        for seat in ("minrex", "minas", "minpmeesa"):
            self.ok("validation.RecordAttendance", "secretary", day,
                    {**about, "attendance": {"seat_code": seat, "presence": "PRESENCE_ABSENT"}})
        self.refused("QUORUM_NOT_REACHED", "validation.DecideProject", "seat-ambassador", day, second)
        self.ok("validation.RecordAttendance", "secretary", day,
                {**about, "attendance": {"seat_code": "minrex", "presence": "PRESENCE_HOLDER"}})
        self.ok("validation.RecordAttendance", "secretary", day,
                {**about, "attendance": {"seat_code": "minas", "presence": "PRESENCE_HOLDER"}})
        self.ok("validation.DecideProject", "seat-ambassador", day, second)
        self.ok("validation.CloseSession", "seat-ambassador", day, about)
        self.refused("SESSION_CLOSED", "validation.CastVote", "seat-operator", day, {**vote, "seat_code": "operator"})

    # ---- money --------------------------------------------------------------------------------------------------

    def reservation(self, code, euros, **changed):
        return {"project_id": self.of(code)["project"], "case_id": self.of(code)["case"],
                "person_id": self.of(code)["person"], "programme": "ofii-cm-2017", "level": 3,
                "budget_line": "refusals", "amount": eur(euros), "payment_currency": "XAF",
                "means": "PAYMENT_MEANS_SUPPLIER", **changed}

    def test_13_reservations(self):
        day, reserve = "2017-06-21", "funding.ReserveGrant"
        manager = "programme_manager"
        self.ok(reserve, manager, day, self.reservation("p02", 6400))
        self.refused("PROGRAMME_UNKNOWN", reserve, manager, day, self.reservation("p01", 7000, programme="no-such"))
        self.refused("BUDGET_LINE_UNKNOWN", reserve, manager, day, self.reservation("p01", 7000, budget_line="no-such"))
        self.refused("PROJECT_NOT_APPROVED", reserve, manager, day, self.reservation("p04", 6800))
        self.refused("KIND_NOT_ELIGIBLE", reserve, manager, day, self.reservation("p01", 400, level=1))
        self.refused("ABOVE_APPROVED", reserve, manager, day, self.reservation("p01", 7001))
        self.refused("CASE_MISMATCH", reserve, manager, day,
                     self.reservation("p01", 7000, person_id=self.of("p02")["person"]))
        self.refused("BUDGET_EXHAUSTED", reserve, manager, day, self.reservation("p01", 7000))
        self.refused("CURRENCY_MISMATCH", reserve, manager, day,
                     self.reservation("p01", 7000, amount={"currency": "XAF", "minor_units": 100000}))
        granted = self.ok(reserve, manager, day, self.reservation("p01", 6500))
        self.of("p01")["grant"] = granted.id

    def test_14_payments(self):
        about = {"grant_id": self.of("p01")["grant"], "instalment": 1}
        self.refused("GRANT_NOT_SIGNED", "funding.RequestInstalment", "requester", "2017-06-28", about)
        self.ok("funding.SignGrant", "case_officer", "2017-06-28", {"grant_id": about["grant_id"]})
        self.ok("funding.RequestInstalment", "two_hats", "2017-06-29", about)
        self.refused("SAME_PERSON", "funding.ApproveInstalment", "two_hats", "2017-06-29", about,
                     code=grpc.StatusCode.PERMISSION_DENIED)
        self.ok("funding.ApproveInstalment", "approver", "2017-06-29", about)
        self.refused("SAME_PERSON", "funding.ReleaseInstalment", "two_hats", "2017-06-30", about)
        released = self.ok("funding.ReleaseInstalment", "releaser", "2017-06-30", about).instalments[0]
        paid = {**about, "order_id": released.order_id, "provider": "demo-bank-cm", "payment_id": "PAY-refusals-1",
                "paid_time": "2017-07-03T08:00:00Z",
                "amount": {"currency": "XAF", "minor_units": released.payment_amount.minor_units}}
        self.refused("PAYMENT_AMOUNT_MISMATCH", "funding.RecordPayment", "releaser", "2017-07-03",
                     {**paid, "amount": {"currency": "XAF", "minor_units": 1}})
        self.refused("INVALID_FIELD", "funding.RecordPayment", "releaser", "2017-07-03",
                     {**paid, "paid_time": "2017-08-01T00:00:00Z"}, field="paid_time")
        # The provider's id of a payment of the play: it stands for that one and for no other.
        self.refused("PAYMENT_ID_USED", "funding.RecordPayment", "releaser", "2017-07-03",
                     {**paid, "payment_id": "PAY-p01-1"}, code=grpc.StatusCode.ALREADY_EXISTS)
        self.ok("funding.RecordPayment", "releaser", "2017-07-03", paid)
        before = CLIENT.call("funding.GetGrant", {"grant_id": about["grant_id"]}, who="auditor")
        self.ok("funding.RecordPayment", "releaser", "2017-07-03", paid)
        after = CLIENT.call("funding.GetGrant", {"grant_id": about["grant_id"]}, who="auditor")
        self.assertEqual(after, before, "a payment that is told twice is paid once")

        second = {**about, "instalment": 2}
        self.ok("funding.RequestInstalment", "requester", "2017-07-10", second)
        self.refused("EARLIER_INSTALMENT_NOT_PROVEN", "funding.ApproveInstalment", "approver", "2017-07-10", second)
        self.ok("funding.SubmitProof", "counsellor", "2017-07-11", {**about, "proof_reference": "proofs/refusals/1",
                                                                   "proof_sha256": "0" * 64})
        self.ok("funding.AcceptProof", "approver", "2017-07-11", about)
        self.ok("funding.ApproveInstalment", "approver", "2017-07-12", second)
        project = self.scene["projects"][0]
        self.ok("validation.ReviseProject", "counsellor", "2017-07-12", {
            "project_id": self.of("p01")["project"], "description": "Bigger.",
            "content": {**self.stage.content_of(project), "title": "Two poultry farms"}})
        self.refused("PROJECT_CHANGED", "funding.ReleaseInstalment", "releaser", "2017-07-13", second)

    # ---- follow-up ----------------------------------------------------------------------------------------------

    def test_15_follow_up(self):
        grant_id = self.of("p01")["grant"]
        visit = {"follow_up_id": grant_id, "visit_number": 1, "visit_date": "2017-07-28", "observations": "Seen."}
        report.settle(CLIENT)
        self.refused("BUSINESS_STATUS_REQUIRED", "monitoring.RecordVisit", "visitor", "2017-07-28", visit)
        running = {**visit, "business_status": "BUSINESS_STATUS_RUNNING"}
        self.refused("VISIT_TOO_EARLY", "monitoring.RecordVisit", "visitor", "2017-07-28", {**running, "visit_number": 2})
        self.refused("VISIT_UNKNOWN", "monitoring.RecordVisit", "visitor", "2017-07-28", {**running, "visit_number": 5})
        answers = report.answers_of(self.scene, self.scene["projects"][0], 6)

        def survey(**changed):
            chosen = {**answers, **changed}
            return {"case_id": self.of("p01")["case"], "follow_up_id": grant_id, "window_months": 6,
                    "instrument": "sankofa-sustainability", "instrument_version": 1, "taken_date": "2017-12-28",
                    "answers": [{"question": one, "answer": answer} for one, answer in chosen.items() if answer]}

        send = ("monitoring.RecordSurvey", "visitor", "2017-12-28")
        self.refused("ANSWER_OUTSIDE_INSTRUMENT", *send, survey(debt="maybe"))
        self.refused("QUESTION_UNKNOWN", *send, survey(mood="good"))
        self.refused("ANSWER_MISSING", *send, survey(debt=None))
        self.refused("INSTRUMENT_UNKNOWN", *send, {**survey(), "instrument_version": 7})
        self.refused("OUTSIDE_WINDOW", "monitoring.RecordSurvey", "visitor", "2018-06-28",
                     {**survey(), "taken_date": "2018-06-28"})
        self.ok("monitoring.RecordSurvey", "visitor", "2017-12-28", survey())
        self.refused("SURVEY_ALREADY_RECORDED", *send, survey(debt="no"))


class ClearTextTest(unittest.TestCase):
    """Nothing of the invented people can be read where it must not be."""

    @classmethod
    def setUpClass(cls):
        words = {*personal_data(SCENE), *personal_data(variant([one["code"] for one in SCENE["projects"]]))}
        # Codes of banks and operators are no personal data; the words of the scenario's notes are.
        cls.words = sorted(words)

    def check(self, places, control=None):
        self.assertTrue(places and all(places.values()), "a place is empty: nothing was searched")
        self.assertEqual(clear_text.found_in(places, self.words), [])
        if control:
            self.assertNotEqual(clear_text.found_in(places, [control]), [],
                                f"the search does not even find {control!r}, which may be read")

    def test_topics(self):
        records = topics.read_all(NODE)
        self.check({"topics": b"".join(one.raw for one in records)}, control="Poultry farm for eggs")
        self.check(clear_text.kafka_segments(NODE))

    def test_database(self):
        self.check(clear_text.database(NODE), control="Poultry farm for eggs")

    def test_redis(self):
        case_id = PLAYER.ids["p01"]["case"]
        CLIENT.call("monitoring.GetCaseView", {"case_id": case_id}, who="auditor")
        self.check(clear_text.redis(NODE), control=case_id)

    EMPTY_WHEN_SETTLED = ("command_queue_length", "relay_lag_rows", "relay_oldest_unpublished_seconds",
                          "relay_parked_cases", "consumer_lag_messages", "events_waiting", "dead_letters_waiting")

    def settled_metrics(self, seconds=30):
        """The page and its values once nothing is on its way any more: reading a case is itself an event to publish."""
        end = time.monotonic() + seconds
        while True:
            page = clear_text.metrics(NODE)
            values = {name: float(value)
                      for name, value in re.findall(r"^(sankofa_\S+) (\S+)$", page.decode(), re.M)}
            gauges = [values[f'sankofa_{name}{{service="{service}"}}']
                      for service in SERVICES for name in self.EMPTY_WHEN_SETTLED]
            if not any(gauges) or time.monotonic() > end:
                return page, values
            time.sleep(PAUSE_SECONDS)

    def test_metrics(self):
        """What is promised is there for each service, and it counts what the tests above have done."""
        page, values = self.settled_metrics()
        self.check({"metrics": page}, control="NOT_SEAT_HOLDER")
        for service in SERVICES:
            label = f'{{service="{service}"}}'
            for name in self.EMPTY_WHEN_SETTLED:
                self.assertEqual(values[f"sankofa_{name}{label}"], 0, f"{name} of {service}")
            counted = ["events_applied_total"]
            # Without partners the exchange has nothing to decide.
            if service != "exchange":
                counted += ["command_batch_size_count", "command_seconds_count"]
            if CLIENT.call("GetServiceStatus", {"service": service}, who="operator").events_published_target:
                counted.append("relay_published_total")
            for name in counted:
                self.assertGreater(values[f"sankofa_{name}{label}"], 0, f"{name} of {service}")
        # The case views have a consumer of their own beside monitoring's reactions.
        self.assertEqual(values['sankofa_consumer_lag_messages{service="monitoring.view"}'], 0)
        self.assertGreater(values['sankofa_events_applied_total{service="monitoring.view"}'], 0)
        commands = [name for name in values if name.startswith("sankofa_commands_total")]
        for reason in ("OK", "STALE_ETAG", "REQUEST_ID_REUSED", "SAME_PERSON", "QUORUM_NOT_REACHED"):
            self.assertTrue([name for name in commands if f'reason="{reason}"' in name], reason)

    def test_logs(self):
        self.check({name: content for name, content in clear_text.logs(NODE).items() if content})
        self.assertEqual(NODE.error_lines(), [])


def load_tests(loader, _tests, _pattern):
    """The search comes last: what the refusals have written is searched too."""
    cases = (TopicsTest, PlayTest, RefusalTest, ClearTextTest)
    return unittest.TestSuite(loader.loadTestsFromTestCase(case) for case in cases)


if __name__ == "__main__":
    unittest.main(verbosity=2)
