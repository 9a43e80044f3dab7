"""Case updates in any number among three nodes: FR opens cases in Togo and Cameroon, and the agencies assess them again
and again. Each update is one event that agreement and consent let cross the border."""

import os
import uuid
from concurrent.futures import ThreadPoolExecutor

from charter import ON_ITS_WAY
from scenario import load

SCENARIO = "tests/data/charter-tg-2023.yaml"
NAMESPACE = uuid.UUID("5a6e6b6f-6661-4c69-8e6f-6c6f61640000")
DAY = "2023-05-02"
AGENCIES = ("tg", "cm")
# Of each case: opened and submitted by FR, accepted and arrived at the agency.
FIRST_UPDATES = 4
UPDATES_A_CASE = 50
AT_ONCE = 12
PEOPLE = {"host": ("fr", "host_officer"), "tg": ("tg", "case_officer"), "cm": ("cm", "case_officer")}


class Load:
    """`updates`: how many, at least. `done` counts those whose command was answered. `day`: of all that is done."""

    def __init__(self, federation, updates, patience_seconds=180, day=DAY):
        self.federation, self.nodes = federation, federation.nodes
        self.cases = max(4, updates // UPDATES_A_CASE)
        self.assessments = max(1, -(-updates // self.cases) - FIRST_UPDATES)
        self.done, self.case_ids = 0, {}
        # What time the nodes are told that it is; None where they go by their own clocks. And until when people consent.
        self.day, self.at, self.until_date = day, f"{day}T09:00:00Z", "2027-12-31"
        self.run_id = uuid.uuid4().hex
        self.scenario = load(SCENARIO)
        for role, node in self.nodes.items():
            node.patience_seconds = node.arrival_seconds = patience_seconds
            self.sign_in(role)

    def sign_in(self, role):
        self.nodes[role].sign_in({who: {"subject": f"{role}-{who}", "organisation": role, "roles": [name]}
                                  for who, (at, name) in PEOPLE.items() if at == role})

    @property
    def updates(self):
        return self.cases * (FIRST_UPDATES + self.assessments)

    def federate(self, **terms):
        """Partners, and the agreements of the charter, but for what is given here."""
        self.federation.register_partners()
        for agreement in self.scenario["agreements"]:
            if agreement["proposer"] in self.nodes and agreement["counterpart"] in (*self.nodes, "eu"):
                self.federation.sign({**agreement, **terms}, self.scenario["shares"])

    def run(self):
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for done in [pool.submit(self._case, number) for number in range(self.cases)]:
                done.result()

    def do(self, who, step, method, fields):
        role, _ = PEOPLE[who]
        return self.nodes[role].call(method, {
            "request_id": str(uuid.uuid5(NAMESPACE, f"{self.run_id}/{step}")), **fields}, who=who,
            at=self.at, wait_for=ON_ITS_WAY, timeout=30)

    def person(self, number, spelling=""):
        return {"details": {
            "given_names": f"Exemplo{spelling}", "family_names": f"Fictivo {self.run_id[:6]} {number}", "sex": "SEX_MALE",
            "birth_date": f"19{60 + number % 40:02}-{1 + number % 12:02}-{1 + number % 28:02}", "birth_place": "Imaginaville",
            "nationalities": ["TG" if number % 2 == 0 else "CM"]}}

    def open_case(self, number):
        agency = AGENCIES[number % 2]
        country, code = agency.upper(), self.federation.codes[agency]
        person = self.do("host", f"{number}/person", "registration.RegisterPerson", self.person(number))
        opened = self.do("host", f"{number}/case", "registration.RegisterCase", {"person_id": person.id, "header": {
            "origin_country": country, "host_country": "FR", "return_type": "RETURN_TYPE_VOLUNTARY_RETURN",
            "programme": "ofii-tg", "partner": code, "host_entry_date": "2018-01-01"}})
        self.case_ids[number] = opened.id
        self.do("host", f"{number}/consent", "registration.GiveConsent", {
            "case_id": opened.id, "purpose": "CONSENT_PURPOSE_REINTEGRATION", "partner": code,
            "scopes": ["person.details", "case.header", "case.orientation"], "giver": "CONSENT_GIVER_PERSON",
            "from_date": self.day, "until_date": self.until_date})
        self.do("host", f"{number}/submit", "registration.SubmitCase", {"case_id": opened.id})
        self.done += 2
        about = {"case_id": opened.id}
        self.do(agency, f"{number}/accept", "registration.AcceptCase", about)
        self.do(agency, f"{number}/arrival", "registration.ConfirmArrival", {**about, "arrival_date": self.day})
        self.done += 2
        return agency, person, opened

    def assess(self, agency, number, case_id, time):
        self.do(agency, f"{number}/assessment/{time}", "registration.AssessCase", {
            "case_id": case_id, "orientation": f"operator-{time}", "orientation_note": f"Exemplo asked for it, {time}.",
            "assessment": {"needs": ["NEED_BUSINESS"], "summary": f"Exemplo was met {time} times."}})
        self.done += 1

    def _case(self, number):
        agency, person, opened = self.open_case(number)
        for time in range(self.assessments):
            self.assess(agency, number, opened.id, time)
            if time == self.assessments // 2:
                # What FR disclosed changes on the way: a box without an event goes out.
                self.do("host", f"{number}/person/again", "registration.UpdatePerson",
                         {"person_id": person.id, **self.person(number, "ne")})


def wanted_updates(default):
    """How many a run is asked for: scripts/test federation --updates N."""
    return int(os.environ.get("SANKOFA_UPDATES") or default)
