"""Looks at what a node is left with after faults, past all its services: the clients' log, the databases, the topics. It knows
the documentation and no code of the services.

    lost        acknowledged, and not in the journal (G1); in the journal, and not on the topic (G1); published, and not
                applied by who listens (G3)
    doubled     a request id or an event that took effect more than once (G2, G3)
    reordered   an event on a topic before the one that it follows (G3)
    imbalanced  money that came from nowhere, went nowhere, or is not where the clients moved it (G8)
    broken      a chain that does not verify; a reading that left no trace (G10)
"""

import collections
from dataclasses import dataclass, replace

import journal
import topics
from findings import Findings
from node_client import SERVICES
from work import FIRST_UNITS

ALL = (*SERVICES, "exchange")


def stream_of(row):
    return f"{row['type']}/{row['id']}"


@dataclass
class Evidence:
    """What a run leaves behind. Of each service: journal rows, states and inbox marks, how often each request id has an
    answer, and the letters that were put aside. `log`: what the clients wrote."""
    log: list
    rows: dict
    states: dict
    marks: dict
    answers: dict
    letters: dict
    postings: list
    lines: list
    records: list


def read_evidence(node, log):
    def of_each(name, columns, order):
        return {service: journal.table(node, service, name, columns, order) for service in ALL}

    return Evidence(
        log=log,
        rows=of_each("journal", [*journal.HASHED, "hash", "publish", "xid"], "type, id, sequence"),
        states={service: journal.states(node, service) for service in ALL},
        marks=of_each("inbox_mark", ["source", "type", "id", "sequence"], "source, type, id"),
        answers={service: collections.Counter(row["request_id"] for row in rows)
                 for service, rows in of_each("answer", ["request_id"], "request_id").items()},
        letters=of_each("dead_letter", ["source", "type", "id", "sequence", "reason"], "letter"),
        postings=journal.table(node, "funding", "posting", ["batch_id", "account", "holder", "currency", "amount"], "position"),
        lines=journal.table(node, "funding", "budget_line", ["owner_id", "allotted", "available", "reserved", "spent"],
                            "owner_id"),
        records=topics.read_all(node))


class Checker:
    """`check` on the evidence of one run."""

    def __init__(self, evidence):
        self.at, self.found = evidence, Findings("lost", "doubled", "reordered", "imbalanced", "broken")

    def check(self):
        self.check_acknowledged()
        self.check_once()
        self.check_topics()
        self.check_applied()
        self.check_money()
        self.check_chains()
        self.check_readings()
        return self.found

    # ---- G1, G2: what was acknowledged is there, once -----------------------------------------------------------------

    def check_acknowledged(self):
        kept = {service: {row["request_id"] for row in rows} for service, rows in self.at.rows.items()}
        for entry in self.at.log:
            if entry["answer"] is None or "request_id" not in entry["fields"]:
                continue
            self.found.counts["acknowledged commands"] += 1
            service, request_id = entry["method"].split(".")[0], entry["fields"]["request_id"]
            if request_id not in kept[service]:
                self.found.lost.append(f"{entry['method']} {request_id} was acknowledged and is not in the journal")
            if not self.at.answers[service][request_id]:
                self.found.lost.append(f"{entry['method']} {request_id} has no stored answer")

    def check_once(self):
        """One request id, one transaction; what a reaction does has a request id that follows from its event."""
        for service, rows in self.at.rows.items():
            transactions = collections.defaultdict(set)
            for row in rows:
                self.found.counts["events"] += 1
                # A reading has no request id: its caller may read as often as it likes.
                if row["type"] != "AccessLog":
                    transactions[row["request_id"]].add(row["xid"])
            self.found.doubled += [f"{service}: request {request_id} took effect in {len(xids)} transactions"
                                   for request_id, xids in transactions.items() if len(xids) > 1]
            self.found.doubled += [f"{service}: request {request_id} has {count} answers"
                                   for request_id, count in self.at.answers[service].items() if count > 1]

    # ---- G1, G3: every event on its topic, in order, and applied by all who listen ----------------------------------------

    def check_topics(self):
        last = collections.Counter()
        told = collections.defaultdict(set)
        for record in self.at.records:
            service = record.topic.removeprefix("sankofa.")
            subject, sequence = record.headers["ce_subject"].decode(), int(record.headers["ce_sequence"])
            place = (service, subject)
            self.found.counts["records on topics"] += 1
            if sequence > last[place] + 1:
                self.found.reordered.append(f"{place}: {sequence} comes after {last[place]}")
            last[place] = max(last[place], sequence)
            told[place].add((sequence, record.value))
        for service in SERVICES:
            for row in self.at.rows[service]:
                place = (service, stream_of(row))
                if row["publish"] == "t" and (int(row["sequence"]), row["payload"]) not in told[place]:
                    self.found.lost.append(f"{place} {row['sequence']} is not on the topic")

    def check_applied(self):
        ends = {service: {} for service in ALL}
        for service, rows in self.at.rows.items():
            for row in rows:
                if row["publish"] == "t":
                    ends[service][(row["type"], row["id"])] = int(row["sequence"])
        for service, letters in self.at.letters.items():
            self.found.lost += [f"{service} put {one['source']}'s {one['type']}/{one['id']} {one['sequence']} aside: "
                                f"{one['reason']}" for one in letters]
        for service, marks in self.at.marks.items():
            applied = {(mark["source"], mark["type"], mark["id"]): int(mark["sequence"]) for mark in marks}
            for source in {mark["source"] for mark in marks} & set(SERVICES):
                for (kind, name), end in ends[source].items():
                    mark = applied.get((source, kind, name), 0)
                    self.found.counts["streams applied"] += 1
                    if mark < end:
                        self.found.lost.append(f"{service} has applied {source}'s {kind}/{name} to {mark} of {end}")
                    if mark > end:
                        self.found.doubled.append(f"{service} has applied {source}'s {kind}/{name} to {mark}, it ends at {end}")

    # ---- G8 -------------------------------------------------------------------------------------------------------------

    def check_money(self):
        batches, accounts = collections.Counter(), collections.Counter()
        for row in self.at.postings:
            self.found.counts["postings"] += 1
            batches[(row["batch_id"], row["currency"])] += int(row["amount"])
            accounts[(row["account"], row["holder"])] += int(row["amount"])
        self.found.imbalanced += [f"batch {batch} is {amount} {currency} off" for (batch, currency), amount in batches.items()
                                  if amount]
        moved = self.moved()
        for line in self.at.lines:
            name, available = line["owner_id"], int(line["available"])
            if available + int(line["reserved"]) + int(line["spent"]) != int(line["allotted"]):
                self.found.imbalanced.append(f"line {name} does not hold what it was allotted")
            if available != -accounts[("line_available", name)]:
                self.found.imbalanced.append(f"line {name} differs from its account")
            if available != FIRST_UNITS + moved[name]:
                self.found.imbalanced.append(f"line {name} has {available}, the clients left {FIRST_UNITS + moved[name]} there")

    def moved(self):
        """By the clients' own log; a request that was sent again counts once."""
        moved, seen = collections.Counter(), set()
        for entry in self.at.log:
            fields = entry["fields"]
            if entry["method"] != "funding.TransferBudget" or entry["answer"] is None or fields["request_id"] in seen:
                continue
            seen.add(fields["request_id"])
            units = int(fields["amount"]["minor_units"])
            moved[fields["budget_line"]] -= units
            moved[fields["to_budget_line"]] += units
        return moved

    # ---- G10 ------------------------------------------------------------------------------------------------------------

    def check_chains(self):
        for service in ALL:
            self.found.broken += journal.breaks(service, self.at.rows[service], self.at.states[service])

    def check_readings(self):
        wanted = collections.Counter(entry["fields"]["case_id"] for entry in self.at.log
                                     if entry["method"] == "registration.GetCase" and entry["answer"] is not None)
        kept = collections.Counter(row["id"] for row in self.at.rows["registration"] if row["type"] == "AccessLog")
        for case_id, count in wanted.items():
            self.found.counts["readings"] += count
            if kept[case_id] < count:
                self.found.broken.append(f"case {case_id} was read {count} times, {kept[case_id]} are on its trail")


# ---- the checker is checked -----------------------------------------------------------------------------------------


def lose(at):
    entry = next(one for one in at.log if one["answer"] is not None and one["method"] == "registration.AcceptCase")
    at.rows["registration"] = [row for row in at.rows["registration"]
                               if row["request_id"] != entry["fields"]["request_id"]]


def double(at):
    rows = at.rows["funding"]
    row = next(row for row in reversed(rows) if row["type"] == "BudgetLine")
    rows.append({**row, "sequence": str(int(row["sequence"]) + 1), "xid": str(int(row["xid"]) + 1)})


def reorder(at):
    for number, record in enumerate(at.records):
        if record.headers["ce_sequence"] == b"2":
            first = next(place for place, other in enumerate(at.records[:number])
                         if other.headers["ce_subject"] == record.headers["ce_subject"] and other.topic == record.topic)
            at.records[number], at.records[first] = at.records[first], record
            return


def imbalance(at):
    at.postings[-1] = {**at.postings[-1], "amount": str(int(at.postings[-1]["amount"]) + 1)}


def break_chain(at):
    row = at.rows["registration"][len(at.rows["registration"]) // 2]
    row["payload"] = row["payload"][:-1] + bytes([row["payload"][-1] ^ 1])


PLANTED = {"lost": lose, "doubled": double, "reordered": reorder, "imbalanced": imbalance, "broken": break_chain}


def overlooked(evidence):
    """Each kind of harm is done to a copy of what was read; the kinds that the checker does not find."""
    missed = []
    for kind, harm in PLANTED.items():
        at = replace(evidence, log=list(evidence.log), records=list(evidence.records), postings=list(evidence.postings),
                     rows={service: [dict(row) for row in rows] for service, rows in evidence.rows.items()})
        try:
            harm(at)
        except StopIteration:
            raise AssertionError(f"too little happened to plant what is {kind}: let it run longer") from None
        if not Checker(at).check().kinds()[kind]:
            missed.append(kind)
    return missed
