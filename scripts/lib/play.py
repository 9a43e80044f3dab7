"""Plays a scenario against a running node, over gRPC, and checks what came of it.

    scripts/lib/play.py NODE [--scenario tests/data/committee-cm-2017.yaml]

The node is called by reflection alone, as any other client would, with a client certificate and a token of the person
who acts. The days are the scenario's: each call says which day it is, and the node has to allow that.

A request id follows from the scenario and the step. So the play can be broken off and begun again, or run twice: what
took effect answers as before and takes no second effect.
"""

import argparse
import hashlib
import os
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import report
from node_client import Node, NodeDown, Refused
from scenario import approved, cents, children_of, eur, load, planned, total_cost

NAMESPACE = uuid.UUID("5a6e6b6f-6661-4c69-8e6f-6465706c6179")
AT_ONCE = 8
# Words that only mean that another service's event is still on its way.
NOT_HERE_YET = ("CASE_NOT_READY", "CASE_UNKNOWN", "PROJECT_NOT_APPROVED", "FOLLOW_UP_UNKNOWN", "NOT_FOUND",
                "CASE_NOT_REINTEGRATING")


class Player:
    """One play of a scenario. `tell(text)` is called with progress; the ids that the node gave are in `ids`."""

    def __init__(self, node, scenario, tell=lambda text, end="\n": None):
        self.node, self.scenario, self.tell = node, scenario, tell
        self.calendar = scenario["calendar"]
        self.country = scenario.get("country", "CM")
        self.projects = scenario["projects"]
        self.planned = planned(scenario)
        self.approved = approved(scenario)
        self.ids = {}
        self._pool = ThreadPoolExecutor(AT_ONCE)

    # ---- how a step is taken --------------------------------------------------------------------------------------

    def do(self, step, method, who, day, fields, hour=9):
        """A command, under the request id of its step, on a day of the scenario."""
        request = {"request_id": self.request_id(step), **fields}
        return self.node_of(who).call(method, request, who=who, at=f"{day}T{hour:02}:00:00Z", wait_for=NOT_HERE_YET)

    def node_of(self, who):
        """The node at which somebody works."""
        return self.node

    def request_id(self, step):
        return str(uuid.uuid5(NAMESPACE, f"{self.scenario['scenario']}/{step}"))

    def side_by_side(self, work, projects):
        """`work(project)` for all of them, several at once; the first thing that goes wrong is raised."""
        for done in [self._pool.submit(work, project) for project in projects]:
            done.result()

    def part(self, days, text, work):
        self.tell(f"{days:<24} {text} … ", end="")
        started, calls = time.monotonic(), self.node.calls
        work()
        self.tell(f"{self.node.calls - calls} calls, {time.monotonic() - started:.1f} s")

    def sign_in(self):
        """Those who work with the cases, and those who vote."""
        people = dict(self.scenario["staff"])
        for seat in self.scenario["committee"]["seats"]:
            for subject in (seat["holder"], seat.get("deputy")):
                if subject and not seat.get("without_vote"):
                    people[subject] = {"subject": subject, "organisation": seat["code"], "roles": ["committee_member"]}
        self.node.sign_in(people)

    def play(self):
        self.sign_in()
        day = self.calendar

        def dates(name):
            return sorted(project["dates"][name] for project in self.projects)

        self.part(day["prepared"], "agreement, programme, budget line, committee, survey", self.prepare)
        self.part(f"{dates('registered')[0]} … {dates('accepted')[-1]}",
                  "14 people registered; consents; cases submitted and accepted", self.register)
        self.part(f"{dates('arrived')[0]} … {dates('assessed')[-1]}", "arrivals and assessments", self.receive)
        self.part(f"{day['drafted']} … {day['studied']}", "life projects written, submitted, studied", self.write)
        self.part(day["sitting"], "the sitting: quorum, interests, votes, decisions, minutes", self.sit)
        self.part(f"{day['reserved']} … {day['signed']}", "grants reserved and signed", self.grant)
        first, second = day["first_instalment"], day["second_instalment"]
        self.part(f"{first['requested']} … {first['proof_accepted']}", "first instalments, visits, proofs", self.first)
        self.part(f"{day['visits'][3]} … {day['late_visit']}", "visits after three months; one is missed", self.quarter)
        self.part(f"{second['requested']} … {second['proof_accepted']}", "second instalments and proofs",
                  lambda: self.side_by_side(lambda one: self.pay(one, 2, second), self.approved))
        self.part(day["visits"][6], "visits and surveys after six months", lambda: self.look_again(6))
        self.part(day["visits"][12], "visits and surveys after a year", lambda: self.look_again(12))
        self.part(day["closed"], "grants completed, cases closed", self.close)
        self._pool.shutdown()

    # ---- before the first case ----------------------------------------------------------------------------------

    def prepare(self):
        scenario, day = self.scenario, self.calendar["prepared"]
        agreement, line = dict(scenario["agreement"]), dict(scenario["budget_line"])
        agreement["committed"] = eur(agreement["committed"])
        line["amount"] = eur(line["amount"])
        self.do("agreement", "funding.RecordAgreement", "programme_manager", day, agreement)
        self.do("programme", "funding.LoadProgramme", "programme_manager", day,
                {"programme": scenario["programme_code"], "yaml": scenario["programme_text"]})
        self.do("budget-line", "funding.OpenBudgetLine", "programme_manager", day, line)
        self.do("centre", "registration.OpenCentre", "programme_manager", day, scenario["centre"])
        self.do("instrument", "monitoring.PublishInstrument", "programme_manager", day,
                {"code": scenario["instrument"]["code"], "yaml": scenario["instrument_text"]})
        self.create_committee()

    def create_committee(self):
        committee = self.scenario["committee"]
        self.do("committee", "validation.CreateCommittee", "secretary", self.calendar["prepared"], {
            "committee_code": committee["code"], "name": committee["name"], "country": self.country,
            "seats": [self.seat(seat) for seat in committee["seats"]]})

    def seat(self, seat):
        return {"code": seat["code"], "title": seat["title"], "college": f"COLLEGE_{seat['college']}",
                "role": f"SEAT_ROLE_{seat['role']}", "without_vote": seat.get("without_vote", False),
                "holder_subject": seat["holder"], "deputy_subject": seat.get("deputy", "")}

    # ---- registration -------------------------------------------------------------------------------------------

    def register(self):
        self.side_by_side(self.register_one, self.projects)
        self.settle_duplicates()

    def person_of(self, project):
        person = project["person"]
        document = {**person["document"], "country": self.country, "type": f"DOCUMENT_TYPE_{person['document']['type']}"}
        return {
            "details": {
                "given_names": person["given_names"], "family_names": person["family_names"],
                "sex": f"SEX_{person['sex']}", "birth_date": person["birth_date"],
                "birth_place": person["birth_place"], "nationalities": [self.country], "phones": [person["phone"]],
                "addresses": [{"country": self.country, **person["address"]}], "documents": [document],
                "household": [{**member, "relation": f"RELATION_{member['relation']}", "returns_too": True}
                              for member in person.get("household", [])]},
            "vulnerabilities": [f"VULNERABILITY_{one}" for one in project.get("vulnerabilities", [])]}

    def register_one(self, project):
        code, dates = project["code"], project["dates"]
        retroactive = project.get("retroactive", False)
        who, partner = ("case_officer", "ofii") if retroactive else ("host_officer", "minrex")
        day = dates["registered"]

        # An impatient officer clicks twice: both clicks carry the same request id, so one person is registered.
        clicks = [self.started(lambda: self.do(f"{code}/person", "registration.RegisterPerson", who, day,
                                                  self.person_of(project))) for _ in range(2 if code == "p01" else 1)]
        persons = {click().id for click in clicks}
        if len(persons) != 1:
            raise AssertionError(f"one request id registered {len(persons)} persons")
        self.ids[code] = {"person": persons.pop()}

        header = {"origin_country": self.country, "host_country": "FR", "return_type": "RETURN_TYPE_VOLUNTARY_RETURN",
                  "programme": self.scenario["programme_code"], "partner": partner, "region": project["region"],
                  "host_entry_date": project["host_entry"]}
        opening = {"person_id": self.ids[code]["person"], "header": header}
        if retroactive:
            opening["arrival_date"] = dates["arrived"]
            opened = self.do(f"{code}/case", "registration.RegisterRetroactiveCase", who, day, opening)
        else:
            header["planned_return_date"] = dates["arrived"]
            opened = self.do(f"{code}/case", "registration.RegisterCase", who, day, opening)
        case_id = self.ids[code]["case"] = opened.id

        self.consent(project, who, day, "REINTEGRATION", partner, ["person.details", "case.header", "case.orientation"])
        self.consent(project, who, day, "FOLLOW_UP", partner, ["person.details.phones", "case.state"])
        self.do(f"{code}/submit", "registration.SubmitCase", who, dates["submitted"], {"case_id": case_id})
        if retroactive:
            self.do(f"{code}/answer", "registration.AnswerRetroactiveCase", "host_officer", dates["accepted"],
                    {"case_id": case_id, "accepted": True})
        else:
            self.do(f"{code}/accept", "registration.AcceptCase", "case_officer", dates["accepted"],
                    {"case_id": case_id})

    def consent(self, project, who, day, purpose, partner, scopes):
        self.do(f"{project['code']}/consent/{purpose}", "registration.GiveConsent", who, day, {
            "case_id": self.ids[project["code"]]["case"], "purpose": f"CONSENT_PURPOSE_{purpose}", "partner": partner,
            "scopes": scopes, "giver": "CONSENT_GIVER_PERSON", "from_date": day, "until_date": "2019-12-31"})

    @staticmethod
    def started(work):
        """Starts `work` on a thread of its own; the function that is returned waits for its result."""
        pool = ThreadPoolExecutor(1)
        running = pool.submit(work)
        pool.shutdown(wait=False)
        return running.result

    def settle_duplicates(self):
        for project in self.projects:
            again = project.get("registered_twice")
            if not again:
                continue
            code = project["code"]
            second = self.do(f"{code}/person/again", "registration.RegisterPerson", "case_officer", again["date"],
                             self.person_of(project))
            self.run_deadlines(again["date"], hour=10)
            if not self.node.call("registration.GetPerson", {
                    "person_id": self.ids[code]["person"], "purpose": "READ_PURPOSE_IDENTIFICATION"},
                    who="case_officer", at=f"{again['settled']}T08:00:00Z").suspicions:
                raise AssertionError(f"{code} was registered twice and nobody noticed")
            self.do(f"{code}/duplicate", "registration.ResolveDuplicate", "case_officer", again["settled"], {
                "person_id": second.id, "other_person_id": self.ids[code]["person"],
                "verdict": "DUPLICATE_VERDICT_SAME_PERSON", "note": "Same passport, same face."})

    def run_deadlines(self, day, hour=9):
        """What is due on a day: nobody waits for the scenario's days to pass."""
        for service in self.node.services:
            self.node.call("RunDeadlines", {"service": service}, who="operator", at=f"{day}T{hour:02}:00:00Z",
                           timeout=30)

    # ---- reception ----------------------------------------------------------------------------------------------

    def receive(self):
        self.side_by_side(self.receive_one, self.projects)

    def receive_one(self, project):
        code, dates = project["code"], project["dates"]
        case_id, person_id = self.ids[code]["case"], self.ids[code]["person"]
        if not project.get("retroactive"):
            self.do(f"{code}/arrival", "registration.ConfirmArrival", "case_officer", dates["arrived"],
                    {"case_id": case_id, "arrival_date": dates["arrived"]})
        lodged = project.get("lodged")
        if lodged:
            self.do(f"{code}/check-in", "registration.CheckIn", "case_officer", lodged["from"],
                    {"centre": self.scenario["centre"]["centre"], "case_id": case_id}, hour=18)
        self.do(f"{code}/assessment", "registration.AssessCase", "case_officer", dates["assessed"], {
            "case_id": case_id, "vulnerable": bool(project.get("vulnerabilities")), "orientation": f"operator-{self.country.lower()}",
            "orientation_note": f"{self.first_name(project)} asked for the operator in {project['place']}.",
            "assessment": {"needs": [f"NEED_{need}" for need in project["needs"]],
                           "abilities": project["abilities"], "summary": project["summary"]}})
        if lodged:
            self.do(f"{code}/check-out", "registration.CheckOut", "case_officer", lodged["until"],
                    {"centre": self.scenario["centre"]["centre"], "case_id": case_id}, hour=18)
        self.add_account(project, person_id)
        if "referral" in project:
            self.refer(project, case_id)

    def add_account(self, project, person_id):
        """The account that money goes to, unless a supplier is paid."""
        code, person = project["code"], project["person"]
        means = project.get("payment", {}).get("means")
        account = {"holder": f"{person['given_names']} {person['family_names']}"}
        if means == "MOBILE_MONEY":
            account["mobile"] = {"operator": project["payment"]["provider"], "phone": person["phone"]}
        elif means == "BANK_TRANSFER":
            account["bank"] = {"account_number": f"{self.country}21{person['document']['number']}", "bank": "Banque de démonstration"}
        else:
            return
        self.do(f"{code}/account", "registration.AddPayoutAccount", "case_officer", project["dates"]["assessed"],
                {"person_id": person_id, "account": account}, hour=11)

    def refer(self, project, case_id):
        code, referral = project["code"], project["referral"]
        self.consent(project, "case_officer", referral["sent"], "REFERRAL", referral["to"],
                     ["person.details.phones", "case.assessment.needs"])
        sent = self.do(f"{code}/referral", "registration.SendReferral", "case_officer", referral["sent"], {
            "case_id": case_id, "to_organisation": referral["to"], "need": f"NEED_{referral['need']}",
            "reason": referral["reason"], "answer_due_time": f"{referral['done']}T00:00:00Z"})
        self.do(f"{code}/referral/accepted", "registration.AcceptReferral", "social_officer", referral["accepted"],
                {"referral_id": sent.id})
        self.do(f"{code}/referral/done", "registration.CompleteReferral", "social_officer", referral["done"],
                {"referral_id": sent.id, "outcome": f"{self.first_name(project)} came to six talks."})

    @staticmethod
    def first_name(project):
        return project["person"]["given_names"].split()[0]

    # ---- life projects ------------------------------------------------------------------------------------------

    def write(self):
        self.side_by_side(self.write_one, self.planned)

    def content_of(self, project):
        day = self.calendar["drafted"]
        items = []
        for item in project["items"]:
            items.append({"label": item["label"], "quantity": item["quantity"], "unit_price": eur(item["price"])})
            if "supplier" in item:
                items[-1]["supplier_quote"] = {"supplier": item["supplier"], "date": day,
                                               "reference": f"Q-{project['code']}-{len(items)}"}
        return {"title": project["title"], "place": project["place"], "region": project["region"],
                "sector": project["sector"], "jobs": project["jobs"], "items": items,
                "own_contributions": [{"label": own["label"], "form": f"CONTRIBUTION_FORM_{own['form']}",
                                       "amount": eur(own["amount"])} for own in project["own"]],
                "requested": eur(project["requested"])}

    def write_one(self, project):
        code, day = project["code"], self.calendar
        draft = self.do(f"{code}/draft", "validation.DraftProject", "counsellor", day["drafted"], {
            "case_id": self.ids[code]["case"], "kind": f"PROJECT_KIND_{project['kind']}",
            "content": self.content_of(project), "description": project["description"]})
        project_id = self.ids[code]["project"] = draft.id
        self.do(f"{code}/project", "validation.SubmitProject", "counsellor", day["project_submitted"],
                {"project_id": project_id})
        self.do(f"{code}/study", "validation.RecordFeasibility", "analyst", day["studied"], {
            "project_id": project_id, "version": 1, "feasible": True,
            "scores": [{"criterion": "market", "score_thousandths": 700},
                       {"criterion": "skills", "score_thousandths": 800}],
            "reasons": f"{self.first_name(project)} knows the trade; the prices were compared with two suppliers."})

    # ---- the sitting --------------------------------------------------------------------------------------------

    def sit(self):
        day, sitting = self.calendar, self.scenario["sitting"]
        session = self.do("session", "validation.ScheduleSession", "secretary", day["scheduled"], {
            "committee_code": self.scenario["committee"]["code"], "date": day["sitting"], "place": sitting["place"],
            "cap": eur(sitting["cap"])})
        self.ids["session"] = session.id
        # One after another: the agenda has an order.
        for project in self.planned:
            self.do(f"{project['code']}/agenda", "validation.AddToAgenda", "secretary", day["scheduled"], {
                "session_id": session.id, "project_id": self.ids[project["code"]]["project"],
                "ceiling": eur(project["ceiling"])})
        self.do("session/open", "validation.OpenSession", "secretary", day["sitting"], {
            "session_id": session.id,
            "attendance": [{"seat_code": code, "presence": f"PRESENCE_{presence}"}
                           for code, presence in sitting["attendance"].items()]})
        self.side_by_side(self.decide, self.planned)
        self.do("session/close", "validation.CloseSession", self.chair(), day["sitting"],
                {"session_id": session.id}, hour=17)

    def chair(self):
        return next(seat["holder"] for seat in self.scenario["committee"]["seats"] if seat["role"] == "CHAIR")

    def occupant(self, code):
        """Who votes for a seat: its holder, or the deputy who stands in."""
        seat = next(one for one in self.scenario["committee"]["seats"] if one["code"] == code)
        return seat["deputy" if self.scenario["sitting"]["attendance"][code] == "DEPUTY" else "holder"]

    def decide(self, project):
        code, day, decision = project["code"], self.calendar["sitting"], project["decision"]
        about = {"session_id": self.ids["session"], "project_id": self.ids[code]["project"]}
        for seat in decision.get("interest", []):
            self.do(f"{code}/interest/{seat}", "validation.DeclareInterest", self.occupant(seat), day,
                    {**about, "seat_code": seat})
        if decision.get("applicant_absent"):
            self.do(f"{code}/absent", "validation.MarkApplicantAbsent", "secretary", day, about)
            return
        for seat, vote in decision.get("votes", self.scenario["sitting"]["votes"]).items():
            fields = {**about, "seat_code": seat}
            if vote in ("against", "adjourn"):
                fields["value"] = f"VOTE_VALUE_{vote.upper()}"
            else:
                fields["value"] = "VOTE_VALUE_FOR"
                if vote != "for":
                    fields["proposed_amount"] = eur(vote)
            self.vote(f"{code}/vote/{seat}", project, fields)
        self.before_decision(project)
        announced = {**about, "expected_outcome": f"AGENDA_OUTCOME_{decision['outcome']}"}
        if decision["outcome"] == "APPROVED":
            announced["amount"] = eur(decision["amount"])
            announced["conditions"] = decision.get("conditions", [])
        else:
            announced["reason"] = decision["reason"]
        self.do(f"{code}/decision", "validation.DecideProject", self.chair(), day, announced, hour=11)

    def vote(self, step, project, fields):
        self.do(step, "validation.CastVote", self.occupant(fields["seat_code"]), self.calendar["sitting"], fields, hour=10)

    def before_decision(self, project):
        """For who has to wait for votes that were cast elsewhere."""

    # ---- money --------------------------------------------------------------------------------------------------

    def grant(self):
        self.side_by_side(self.grant_one, self.approved)

    def grant_one(self, project):
        code, day, ids = project["code"], self.calendar, self.ids[project["code"]]
        fields = {"project_id": ids["project"], "case_id": ids["case"], "person_id": ids["person"],
                  "programme": self.scenario["programme_code"], "level": project["level"]["level"],
                  "budget_line": self.scenario["budget_line"]["budget_line"],
                  "amount": eur(project["decision"]["amount"]), "payment_currency": self.scenario.get("currency", "XAF"),
                  "means": f"PAYMENT_MEANS_{project['payment']['means']}"}
        if "cost_share_percent" in project["level"]:
            fields["total_cost"] = eur(total_cost(project))
        reserved = self.do(f"{code}/grant", "funding.ReserveGrant", "programme_manager", day["reserved"], fields)
        ids["grant"] = reserved.id
        self.do(f"{code}/signature", "funding.SignGrant", "case_officer", day["signed"], {"grant_id": reserved.id})

    def pay(self, project, number, days):
        """One instalment: three people, the provider's message, the proof, and somebody else who accepts it."""
        code = project["code"]
        step, about = f"{code}/instalment/{number}", {"grant_id": self.ids[code]["grant"], "instalment": number}
        self.do(f"{step}/request", "funding.RequestInstalment", "requester", days["requested"], about)
        self.do(f"{step}/approve", "funding.ApproveInstalment", "approver", days["approved"], about)
        released = self.do(f"{step}/release", "funding.ReleaseInstalment", "releaser", days["released"], about)
        order = released.instalments[number - 1]
        payment = {**about, "order_id": order.order_id, "provider": project["payment"]["provider"],
                   "payment_id": f"PAY-{code}-{number}", "paid_time": f"{days['paid']}T08:30:00Z",
                   "amount": {"currency": order.payment_amount.currency,
                              "minor_units": order.payment_amount.minor_units}}
        self.do(f"{step}/paid", "funding.RecordPayment", "releaser", days["paid"], payment)
        if code == "p01":
            # The provider tells the same payment twice, as a new message: nobody is paid twice.
            self.do(f"{step}/paid/again", "funding.RecordPayment", "releaser", days["paid"], payment, hour=12)
        self.do(f"{step}/proof", "funding.SubmitProof", "counsellor", days["proven"], {
            **about, "proof_reference": f"proofs/{code}/{number}",
            "proof_sha256": hashlib.sha256(f"{code} {number}".encode()).hexdigest(),
            "note": f"{self.first_name(project)} has handed in all bills."})
        self.do(f"{step}/proof/accept", "funding.AcceptProof", "approver", days["proof_accepted"], about)

    def first(self):
        def one(project):
            self.pay(project, 1, self.calendar["first_instalment"])
            self.visit(project, 1)
        self.side_by_side(one, self.approved)

    # ---- follow-up ----------------------------------------------------------------------------------------------

    def visit(self, project, months, day=None):
        code, day = project["code"], day or self.calendar["visits"][months]
        number = list(self.calendar["visits"]).index(months) + 1
        still = months >= project.get("stands_still_from", 99)
        fields = {"follow_up_id": self.ids[code]["grant"], "visit_number": number, "visit_date": day,
                  "jobs": 0 if still else project["jobs"],
                  "observations": f"{self.first_name(project)} was met at the place of work in {project['place']}.",
                  "next_steps": f"{self.first_name(project)} brings the accounts next time.",
                  "documents": [{"reference": f"photos/{code}/{months}"}]}
        if project["kind"] == "BUSINESS_CREATION":
            fields["business_status"] = f"BUSINESS_STATUS_{'NOT_' if still else ''}RUNNING"
        self.do(f"{code}/visit/{months}", "monitoring.RecordVisit", "visitor", day, fields, hour=14)

    def quarter(self):
        day = self.calendar
        missed = [project for project in self.approved if project.get("missed_visit") == 3]
        self.side_by_side(lambda one: self.visit(one, 3), [one for one in self.approved if one not in missed])
        self.run_deadlines(day["deadlines"])
        for project in missed:
            code = project["code"]
            number = list(day["visits"]).index(3) + 1
            alert = f"visit:{self.ids[code]['grant']}:{number}:1"
            self.do(f"{code}/alert/taken", "monitoring.AcknowledgeAlert", "visitor", day["alert_acknowledged"],
                    {"alert_id": alert})
            self.visit(project, 3, day["late_visit"])
            self.do(f"{code}/alert/resolved", "monitoring.ResolveAlert", "visitor", day["late_visit"], {
                "alert_id": alert, "resolution": "ALERT_RESOLUTION_ACTED",
                "resolution_note": f"The road was flooded; {self.first_name(project)} was visited three weeks later."},
                hour=16)

    def look_again(self, months):
        self.side_by_side(lambda one: (self.visit(one, months), self.survey(one, months)), self.approved)

    def survey(self, project, months):
        code, day = project["code"], self.calendar["visits"][months]
        answers = report.answers_of(self.scenario, project, months)
        self.do(f"{code}/survey/{months}", "monitoring.RecordSurvey", "visitor", day, {
            "case_id": self.ids[code]["case"], "follow_up_id": self.ids[code]["grant"], "window_months": months,
            "instrument": self.scenario["instrument"]["code"],
            "instrument_version": self.scenario["instrument"]["version"], "taken_date": day,
            "answers": [{"question": question, "answer": answer} for question, answer in answers.items()],
            "remarks": f"{self.first_name(project)} answered alone."}, hour=15)

    def close(self):
        self.side_by_side(self.close_one, self.approved)

    def close_one(self, project):
        code, day, ids = project["code"], self.calendar["closed"], self.ids[project["code"]]
        self.do(f"{code}/grant/complete", "funding.CompleteGrant", "programme_manager", day, {"grant_id": ids["grant"]})
        if project.get("stays_open"):
            self.do(f"{code}/alert/low", "monitoring.AcknowledgeAlert", "visitor", day,
                    {"alert_id": f"survey:{ids['case']}:12"})
            return
        self.do(f"{code}/follow-up/close", "monitoring.CloseFollowUp", "visitor", day,
                {"follow_up_id": ids["grant"], "close_reason": "FOLLOW_UP_CLOSE_REASON_COMPLETED"})
        self.do(f"{code}/close", "registration.CloseCase", "case_officer", day,
                {"case_id": ids["case"], "reason": "CLOSE_REASON_COMPLETED"}, hour=12)


def tell(text, end="\n"):
    print(text, end=end, flush=True)


def main():
    parser = argparse.ArgumentParser(prog="play.py", description="Plays a scenario against a running node.")
    parser.add_argument("node")
    parser.add_argument("--scenario", default="tests/data/committee-cm-2017.yaml")
    options = parser.parse_args()
    try:
        scenario = load(options.scenario)
        node = Node(options.node).load()
        tell(scenario["title"])
        player = Player(node, scenario, tell)
        player.play()
        facts = report.collect(node, scenario, player.ids)
        differences = report.differences(scenario, facts)
        tell(report.table(scenario, facts))
    except (Refused, NodeDown, ValueError, AssertionError) as error:
        print(f"\nerror: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    for difference in differences:
        print(f"differs: {difference}", file=sys.stderr)
    if differences:
        print(f"error: {len(differences)} things are not as they should be (above)", file=sys.stderr)
        return 1
    tell("Everything agrees with what was published, and with itself.")
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Calls that are still under way after a failure are not waited for.
    os._exit(code)
