"""What clients do while things fail, and their log: each request with what came of it, so that a checker can compare it with
what the node has. A request is sent again under its id until it is answered; some are sent again although they were."""

import json
import os
import random
import threading
import time
import uuid

import grpc
from google.protobuf import json_format

from node_client import RETRIED, NodeDown, Refused

PEOPLE = {"host": {"subject": "faults-host", "organisation": "ofii", "roles": ["host_officer"]},
          "officer": {"subject": "faults-officer", "organisation": "minrex", "roles": ["case_officer"]},
          "manager": {"subject": "faults-manager", "organisation": "ofii", "roles": ["programme_manager"]},
          "auditor": {"subject": "faults-auditor", "organisation": "minrex", "roles": ["auditor"]},
          "operator": {"subject": "faults-operator", "organisation": "minrex", "roles": ["node_operator"]}}
LINES = ("purse-0", "purse-1", "purse-2")
FIRST_UNITS = 1_000_000_000
DAY = "2018-05-02"
CALL_SECONDS = 5


class Work:
    """Clients side by side; each takes people from registration to a draft of their project, and moves money."""

    def __init__(self, node, seed, clients, log):
        self.node, self._clients = node, clients
        self.answered, self.tries, self.entries, self.wrong = 0, 0, [], []
        self.moved = dict.fromkeys(LINES, 0)
        self._random = random.Random(seed)
        self._log = open(log, "w", encoding="utf-8")  # pylint: disable=consider-using-with
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._threads = []

    def prepare(self):
        money = {"currency": "EUR", "minor_units": FIRST_UNITS}
        self.do("manager", "funding.RecordAgreement", {
            "agreement": "faults", "funder": "eu", "committed": {**money, "minor_units": FIRST_UNITS * len(LINES)},
            "origin_countries": ["CM"], "valid_from": "2016-01-01", "valid_until": "2090-12-31"})
        for line in LINES:
            self.do("manager", "funding.OpenBudgetLine", {"agreement": "faults", "budget_line": line, "amount": money})

    def start(self):
        for number in range(self._clients):
            thread = threading.Thread(target=self._run, args=(random.Random(self._random.random()),), name=f"client {number}",
                                      daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self, seconds):
        """Each client ends what it has begun: whatever was sent is answered. Raises what went wrong."""
        self._ended.set()
        end = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.1, end - time.monotonic()))
        if any(thread.is_alive() for thread in self._threads):
            self.wrong.append(AssertionError(f"a client has no answer {seconds} s after everything was healed"))
        self._log.close()

    # ---- one request ------------------------------------------------------------------------------------------------

    def do(self, who, method, fields, command=True):
        """Sends it until it is answered or refused for good; its entry in the log."""
        if command:
            fields = {"request_id": str(uuid.uuid4()), **fields}
        entry = {"who": who, "method": method, "fields": fields, "tries": 0, "answer": None, "refused": None}
        request = self.node.request(method, fields)
        while True:
            entry["tries"] += 1
            try:
                answer = self.node.try_once(method, request, who=who, at=f"{DAY}T09:00:00Z", timeout=CALL_SECONDS)
                entry["answer"] = json_format.MessageToDict(answer, preserving_proto_field_name=True)
                break
            except grpc.RpcError as error:
                refused = Refused(method, error)
                if refused.code not in RETRIED and refused.reason != "OVERLOADED":
                    entry["refused"] = refused.reason or str(refused)
                    break
            time.sleep(0.05)
        self._keep(entry)
        return entry

    def _keep(self, entry):
        with self._lock:
            self.tries += entry["tries"]
            self.answered += entry["answer"] is not None
            self.entries.append(entry)
            self._log.write(json.dumps(entry, ensure_ascii=False) + "\n")

    def done(self, *arguments, **options):
        """The answer; whoever is refused here has found a fault."""
        entry = self.do(*arguments, **options)
        if entry["refused"]:
            raise AssertionError(f"{entry['method']} was refused: {entry['refused']}")
        return entry["answer"]

    # ---- what a client does -------------------------------------------------------------------------------------------

    def _run(self, chance):
        try:
            while not self._ended.is_set():
                self._case(chance)
                self._money(chance)
                self._again(chance)
        except (AssertionError, NodeDown) as error:
            self.wrong.append(error)

    def _case(self, chance):
        tag = uuid.UUID(int=chance.getrandbits(128), version=4).hex
        person = self.done("host", "registration.RegisterPerson", {"details": {
            "given_names": "Exemplo", "family_names": f"Fictivo {tag[:16]}", "sex": "SEX_FEMALE",
            "birth_date": f"19{chance.randrange(60, 99)}-{chance.randrange(1, 13):02}-{chance.randrange(1, 29):02}",
            "birth_place": "Imaginaville", "nationalities": ["CM"]}})
        opened = self.done("host", "registration.RegisterCase", {"person_id": person["id"], "header": {
            "origin_country": "CM", "host_country": "FR", "return_type": "RETURN_TYPE_VOLUNTARY_RETURN",
            "programme": "ofii-cm", "partner": "minrex", "region": "littoral", "host_entry_date": "2012-01-01",
            "planned_return_date": DAY}})
        about = {"case_id": opened["id"]}
        self.done("host", "registration.GiveConsent", {
            **about, "purpose": "CONSENT_PURPOSE_REINTEGRATION", "partner": "minrex", "scopes": ["person.details", "case.header"],
            "giver": "CONSENT_GIVER_PERSON", "from_date": DAY, "until_date": "2019-12-31"})
        self.done("host", "registration.SubmitCase", about)
        self.done("officer", "registration.AcceptCase", about)
        self.done("officer", "registration.ConfirmArrival", {**about, "arrival_date": DAY})
        self.done("officer", "registration.AssessCase", {
            **about, "orientation": "operator-cm", "orientation_note": "Asked for it.",
            "assessment": {"needs": ["NEED_BUSINESS"], "summary": "A shop."}})
        self.done("auditor", "registration.GetCase", about, command=False)

    def _money(self, chance):
        for _ in range(4):
            gives, takes = chance.sample(LINES, 2)
            units = chance.randrange(1, 500)
            self.done("manager", "funding.TransferBudget", {
                "budget_line": gives, "to_budget_line": takes, "amount": {"currency": "EUR", "minor_units": units}})
            with self._lock:
                self.moved[gives] -= units
                self.moved[takes] += units

    def _again(self, chance):
        """An old request once more: the same answer; with other content: refused."""
        with self._lock:
            old = chance.choice(self.entries)
        if "request_id" not in old["fields"] or old["refused"]:
            return
        entry = self.do(old["who"], old["method"], old["fields"])
        if entry["answer"] != old["answer"]:
            raise AssertionError(f"{old['method']} {old['fields']['request_id']} was answered otherwise: {entry['refused']}")
        if old["method"] == "funding.TransferBudget":
            other = {**old["fields"], "amount": {"currency": "EUR", "minor_units": 1 + int(
                old["fields"]["amount"]["minor_units"])}}
            refused = self.do(old["who"], old["method"], other)["refused"]
            if refused != "REQUEST_ID_REUSED":
                raise AssertionError(f"other content under the id of an earlier request: {refused or 'it took effect'}")


def read_log(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def log_path(folder):
    os.makedirs(folder, exist_ok=True)
    return os.path.join(folder, "clients.log")
