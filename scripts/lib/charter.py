"""Plays the charter to Togo between three nodes, and shows what each of them knows of the same case.

    scripts/lib/charter.py [--prefix TEXT] [--scenario tests/data/charter-tg-2023.yaml]

FR opens five of the cases and TG two; each step is taken at the node of who takes it, and the next one waits
until word of it has crossed the border. As with the sitting (play.py), a play that is sent again takes no second effect.
"""

import argparse
import os
import sys
import time

import charter_report
from federation import Federation
from node_client import NodeDown, Refused
from play import NOT_HERE_YET, Player, tell
from report import name_of
from scenario import load

SCENARIO = "tests/data/charter-tg-2023.yaml"
# Words that mean that a partner's message is still on its way.
ON_ITS_WAY = (*NOT_HERE_YET, "CASE_NOT_FOUND", "CASE_NOT_SUBMITTED", "CASE_NOT_ACCEPTED", "CASE_NOT_ARRIVED",
              "HAND_OVER_NOT_FOUND", "PERSON_NOT_FOUND")
# Signed over everything; whoever changes one of them is found out.
TAMPERED_BIT = 1


class CharterPlayer(Player):
    """A player whose people work at different nodes."""

    def __init__(self, federation, scenario, tell=lambda text, end="\n": None):
        super().__init__(federation.nodes["tg"], scenario, tell)
        self.federation, self.nodes, self.codes = federation, federation.nodes, federation.codes
        self.seats = {seat["holder"]: seat.get("node", "tg") for seat in scenario["committee"]["seats"]}
        self.evidence = {}

    # ---- who works where ------------------------------------------------------------------------------------------

    def role_of(self, who):
        staff = self.scenario["staff"].get(who)
        return staff["node"] if staff else self.seats[who]

    def node_of(self, who):
        return self.nodes[self.role_of(who)]

    def sign_in(self):
        people = {role: {} for role in self.nodes}
        for who, of in self.scenario["staff"].items():
            people[of["node"]][who] = {name: of[name] for name in ("subject", "organisation", "roles")}
        for seat in self.scenario["committee"]["seats"]:
            if not seat.get("without_vote"):
                people[seat.get("node", "tg")][seat["holder"]] = {
                    "subject": seat["holder"], "organisation": seat["code"], "roles": ["committee_member"]}
        for role, node in self.nodes.items():
            node.sign_in(people[role])

    def do(self, step, method, who, day, fields, hour=9):
        return self.node_of(who).call(method, {"request_id": self.request_id(step), **fields}, who=who,
                                      at=f"{day}T{hour:02}:00:00Z", wait_for=ON_ITS_WAY)

    def request_id(self, step):
        # The same play between other nodes is another play.
        return super().request_id(f"{self.federation.prefix}{step}")

    def ask(self, role, method, request, day=None, who="auditor"):
        return self.nodes[role].call(method, request, who=who, at=f"{day or self.calendar['closed']}T18:00:00Z")

    def part(self, days, text, work):
        self.tell(f"{days:<24} {text} … ", end="")
        started, calls = time.monotonic(), sum(node.calls for node in self.nodes.values())
        work()
        calls = sum(node.calls for node in self.nodes.values()) - calls
        self.tell(f"{calls} calls, {time.monotonic() - started:.1f} s")

    def on_way(self, *ways):
        return [one for one in self.projects if one["way"] in ways]

    @property
    def charter(self):
        return [one for one in self.projects if not one.get("retroactive")]

    @property
    def retroactive(self):
        return [one for one in self.projects if one.get("retroactive")]

    # ---- the story ------------------------------------------------------------------------------------------------

    def play(self):
        self.sign_in()
        day = self.calendar
        first, visits = day["first_instalment"], day["visits"]
        self.part(day["prepared"], "three nodes become partners; agreements are signed on both sides", self.partners)
        self.part(day["prepared"], "TG: programme, budget line, committee with a seat in Paris", self.prepare)
        self.part("2023-02-06 … 2023-03-06", f"FR opens {len(self.charter)} cases and submits them together", self.open)
        self.part("2023-03-13 … 2023-03-15", "TG takes four of them on and refuses one", self.answer)
        self.part("2023-04-11 … 2023-05-25", "TG opens two after arrival: FR takes one on, and lets one lapse", self.late)
        self.part("2023-04-17 … 2023-04-27", "arrivals and assessments at TG", self.receive)
        self.part(day["withdrawn"], "one person withdraws consent at FR; TG erases and gives a receipt", self.withdraw)
        self.part(f"{day['drafted']} … {day['studied']}", "life projects written, submitted, studied", self.write)
        self.part(f"{day['hand_over']['offered']} … {day['hand_over']['accepted']}", "FR hands one case over to TG",
                  self.hand_over)
        self.part(day["sitting"], "the sitting at Lomé; the seat in Paris votes through its own node", self.sit)
        self.part(f"{day['reserved']} … {day['signed']}", "grants reserved and signed", self.grant)
        self.part(f"{first['requested']} … {first['proof_accepted']}", "first instalments, visits, proofs", self.first)
        self.part(f"{visits[3]} … {visits[6]}", "visits; surveys after six months",
                  lambda: (self.side_by_side(lambda one: self.visit(one, 3), self.approved), self.look_again(6)))
        self.part(day["statistics"], "statistics published for who may know no person", self.publish)
        self.part(day["closed"], "somebody changes one bit of a message on its way from TG to FR", self.tamper)
        self._pool.shutdown()

    def partners(self):
        self.federation.register_partners()
        for agreement in self.scenario["agreements"]:
            self.federation.sign(agreement, self.scenario["shares"])

    def prepare(self):
        scenario, day = self.scenario, self.calendar["prepared"]
        scenario["centre"] = {"centre": "lome", "name": "Reception desk, Lomé", "country": "TG", "places": 12}
        super().prepare()
        del scenario["centre"], day

    def seat(self, seat):
        return {**super().seat(seat), **({"node": self.codes[seat["node"]]} if "node" in seat else {})}

    # ---- cases -----------------------------------------------------------------------------------------------------

    def register_one(self, project):
        """Person, case and consents, at the node that opens the case; the submission is a step of its own."""
        code, retroactive = project["code"], project.get("retroactive", False)
        who, partner = ("case_officer", "fr") if retroactive else ("host_officer", "tg")
        day, partner = project["dates"]["registered"], self.codes[partner]
        person = self.do(f"{code}/person", "registration.RegisterPerson", who, day, self.person_of(project))
        self.ids[code] = {"person": person.id}
        header = {"origin_country": "TG", "host_country": "FR", "return_type": "RETURN_TYPE_VOLUNTARY_RETURN",
                  "programme": self.scenario["programme_code"], "partner": partner, "region": project["region"],
                  "host_entry_date": project["host_entry"]}
        opening = {"person_id": person.id, "header": header}
        if retroactive:
            opened = self.do(f"{code}/case", "registration.RegisterRetroactiveCase", who, day,
                             {**opening, "arrival_date": project["dates"]["arrived"]})
        else:
            header["planned_return_date"] = project["dates"]["arrived"]
            opened = self.do(f"{code}/case", "registration.RegisterCase", who, day, opening)
        self.ids[code]["case"], self.ids[code]["reference"] = opened.id, opened.reference
        self.consent(project, who, day, "REINTEGRATION", partner, ["person.details", "case.header", "case.orientation"])
        self.consent(project, who, day, "FOLLOW_UP", partner, ["person.details.phones"])

    def consent(self, project, who, day, purpose, partner, scopes):
        self.do(f"{project['code']}/consent/{purpose}", "registration.GiveConsent", who, day, {
            "case_id": self.ids[project["code"]]["case"], "purpose": f"CONSENT_PURPOSE_{purpose}", "partner": partner,
            "scopes": scopes, "giver": "CONSENT_GIVER_PERSON", "from_date": day, "until_date": "2025-12-31"})

    def submit(self, project):
        who = "case_officer" if project.get("retroactive") else "host_officer"
        self.do(f"{project['code']}/submit", "registration.SubmitCase", who, project["dates"]["submitted"],
                {"case_id": self.ids[project["code"]]["case"]})

    def open(self):
        self.side_by_side(self.register_one, self.charter)
        self.side_by_side(self.submit, self.charter)

    def answer(self):
        self.side_by_side(self.answer_one, self.charter)

    def answer_one(self, project):
        code, about = project["code"], {"case_id": self.ids[project["code"]]["case"]}
        day = project["dates"]["accepted"]
        if project["way"] == "refused":
            self.do(f"{code}/refuse", "registration.RefuseCase", "case_officer", day,
                    {**about, "reason": "REFUSAL_REASON_OUT_OF_SCOPE"})
        else:
            accepted = self.do(f"{code}/accept", "registration.AcceptCase", "case_officer", day, about)
            # The agency has a record of its own for the person.
            self.ids[code]["person"] = accepted.person_id

    def late(self):
        self.side_by_side(self.register_one, self.retroactive)
        self.side_by_side(self.submit, self.retroactive)
        for project in self.on_way("project"):
            if project.get("retroactive"):
                self.do(f"{project['code']}/answer", "registration.AnswerRetroactiveCase", "host_officer",
                        project["dates"]["accepted"], {"case_id": self.ids[project["code"]]["case"], "accepted": True})
                self.wait_until_accepted("tg", project)
        # The silent one: the deadline is the agency's to watch.
        self.nodes["tg"].call("RunDeadlines", {"service": "registration"}, who="operator",
                              at=f"{self.calendar['silence']}T09:00:00Z", timeout=30)

    def wait_until_accepted(self, role, project):
        """In a play that is sent again the case may have gone further, but it was accepted."""
        about = {"case_id": self.ids[project["code"]]["case"]}
        self.federation.wait(lambda: self.ask(role, "registration.GetCase", about).HasField("accepted_time"),
                             f"the case of {project['code']} is accepted at {role}")

    def receive(self):
        self.side_by_side(self.receive_one, self.on_way("project", "withdrawn", "handed-over"))

    # ---- consent withdrawn, responsibility handed over ------------------------------------------------------------------

    def withdraw(self):
        day = self.calendar["withdrawn"]
        for project in self.on_way("withdrawn"):
            case_id = self.ids[project["code"]]["case"]
            # What TG told before is here, so that nothing of it is still on its way; once it is erased nobody can tell.
            self.federation.wait(lambda case_id=case_id: charter_report.erasures(self, "fr", case_id)
                                 or charter_report.told(self, "fr", "tg", case_id, "state") == "ASSESSED",
                                 "FR knows the assessment at TG")
            consents = self.ask("fr", "registration.GetCase", {"case_id": case_id}, day).consents
            for consent in consents:
                self.do(f"{project['code']}/withdraw/{consent.purpose}", "registration.WithdrawConsent", "host_officer",
                        day, {"case_id": case_id, "consent_id": consent.consent_id, "giver": "CONSENT_GIVER_PERSON"},
                        hour=10)
            self.federation.wait(lambda case_id=case_id: set(charter_report.erasures(self, "fr", case_id)) == {"DONE"},
                                 "TG has given its receipt for the erasure")

    def hand_over(self):
        days = self.calendar["hand_over"]
        for project in self.on_way("handed-over"):
            code = project["code"]
            offered = self.do(f"{code}/hand-over", "registration.OfferHandOver", "host_officer", days["offered"], {
                "case_id": self.ids[code]["case"], "to_partner": self.codes["tg"],
                "answer_due_time": f"{days['due']}T18:00:00Z"})
            self.ids[code]["hand-over"] = offered.id
            self.do(f"{code}/hand-over/accepted", "registration.AcceptHandOver", "case_officer", days["accepted"],
                    {"hand_over_id": offered.id})
            for role in ("tg", "fr"):
                self.federation.wait(
                    lambda role=role, about=offered.id: charter_report.hand_over_state(self, role, about) == "COMPLETED",
                    f"the hand-over is complete at {role}")

    # ---- the sitting -----------------------------------------------------------------------------------------------

    def vote(self, step, project, fields):
        seat = next(one for one in self.scenario["committee"]["seats"] if one["code"] == fields["seat_code"])
        if "node" not in seat:
            super().vote(step, project, fields)
            return
        self.do(step, "validation.ForwardVote", seat["holder"], self.calendar["sitting"], {
            "to_node": self.codes["tg"], "case_id": self.ids[project["code"]]["case"], **fields}, hour=10)

    def before_decision(self, project):
        """The vote from Paris has arrived and counts."""
        wanted = len(project["decision"].get("votes", self.scenario["sitting"]["votes"]))
        about = self.ids[project["code"]]["project"]

        def all_votes():
            session = self.ask("tg", "validation.GetSession", {"session_id": self.ids["session"]}, self.calendar["sitting"])
            return any(item.project_id == about and len(item.votes) == wanted for item in session.agenda)
        self.federation.wait(all_votes, f"all votes on {project['code']} are counted")

    # ---- the end ----------------------------------------------------------------------------------------------------

    def publish(self):
        for one in self.scenario["statistics"]:
            asked = {name: one[name] for name in ("code", "from_date", "until_date")}
            self.do(f"statistics/{one['code']}", "monitoring.PublishStatistics", one["who"], one["day"], asked, hour=18)

    def tamper(self):
        """Takes a message that TG put on FR's feed, changes one bit of what is signed, and puts it there again."""
        case_id = self.ids["t01"]["case"]
        records = [one for one in self.federation.read_feed(self.codes["fr"], "tg") if one.key() == case_id.encode()]
        value = bytearray(records[-1].value())
        value[value.index(b"Case/") + 5] ^= TAMPERED_BIT
        before = charter_report.refusals(self)
        if not before:
            self.federation.put("tg", f"feed.{self.codes['fr']}", records[-1].key(), bytes(value),
                                records[-1].headers() or ())
        self.federation.wait(lambda: charter_report.refusals(self) == ["SIGNATURE"], "FR has refused the changed message")
        self.federation.wait(lambda: self.federation.health("tg", "fr").refused_there == 1,
                             "TG has FR's receipt for the refusal")


def main():
    parser = argparse.ArgumentParser(prog="charter.py", description=__doc__.splitlines()[0])
    parser.add_argument("--prefix", default="")
    parser.add_argument("--scenario", default=SCENARIO)
    options = parser.parse_args()
    try:
        scenario = load(options.scenario)
        federation = Federation(options.prefix)
        tell(scenario["title"])
        player = CharterPlayer(federation, scenario, tell)
        player.play()
        facts = charter_report.collect(player)
        differences = charter_report.differences(player, facts)
        tell(charter_report.table(player, facts))
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
    tell("Each node knows what it may know, and what it knows is what the other said.")
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Calls that are still under way after a failure are not waited for.
    os._exit(code)
