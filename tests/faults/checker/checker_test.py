"""The checker of faults: it finds nothing in what is whole, and each kind of harm in what is not. Needs no server."""

import collections
import unittest

import journal
from check_node import ALL, PLANTED, Checker, Evidence, overlooked
from topics import Record
from work import FIRST_UNITS, LINES


class Node:
    """What a node would be left with, made by hand: two cases that were opened, accepted and read, and a transfer."""

    def __init__(self):
        self.rows = {service: [] for service in ALL}
        self.log, self.records, self.xid = [], [], 100
        self.marks = {service: [] for service in ALL}
        for case_id in ("case-1", "case-2"):
            self.command("registration", "RegisterCase", {"case_id": case_id}, [("Case", case_id)])
            self.command("registration", "AcceptCase", {"case_id": case_id}, [("Case", case_id)])
            self.log.append({"method": "registration.GetCase", "fields": {"case_id": case_id}, "answer": {}, "refused": None})
            self.write("registration", "", [("AccessLog", case_id)])
        money = {"budget_line": LINES[0], "to_budget_line": LINES[1], "amount": {"currency": "EUR", "minor_units": "7"}}
        self.command("funding", "TransferBudget", money, [("BudgetLine", LINES[0]), ("BudgetLine", LINES[1])])

    def command(self, service, name, fields, streams):
        request_id = f"request-{self.xid}"
        self.log.append({"method": f"{service}.{name}", "fields": {"request_id": request_id, **fields}, "answer": {},
                         "refused": None})
        self.write(service, request_id, streams)

    def write(self, service, request_id, streams):
        self.xid += 1
        for kind, name in streams:
            before = [row for row in self.rows[service] if (row["type"], row["id"]) == (kind, name)]
            row = {"type": kind, "id": name, "sequence": str(len(before) + 1), "partition_key": name, "event_type": "Event",
                   "payload": f"{self.xid} {name}".encode(), "previous_hash": before[-1]["hash"] if before else b"",
                   "event_time_nanos": "1", "actor": "a", "organisation": "o", "system": "s", "request_id": request_id,
                   "publish": "f" if kind == "AccessLog" else "t", "xid": str(self.xid)}
            row["hash"] = journal.hash_of(row)
            self.rows[service].append(row)
            if row["publish"] == "t":
                self.records.append(Record(f"sankofa.{service}", name, row["payload"], {
                    "ce_subject": f"{kind}/{name}".encode(), "ce_sequence": row["sequence"].encode()}))

    def evidence(self):
        for rows in self.rows.values():
            rows.sort(key=lambda row: (row["type"], row["id"], int(row["sequence"])))
        last = {service: {(row["type"], row["id"]): row for row in rows} for service, rows in self.rows.items()}
        units = {LINES[0]: -7, LINES[1]: 7}
        lines = [{"owner_id": line, "allotted": str(FIRST_UNITS + units.get(line, 0)),
                  "available": str(FIRST_UNITS + units.get(line, 0)), "reserved": "0", "spent": "0"} for line in LINES]
        postings = [{"batch_id": "open", "account": account, "holder": line, "currency": "EUR", "amount": str(amount)}
                    for line in LINES for account, amount in (("donor_commitment", FIRST_UNITS), ("line_available", -FIRST_UNITS))]
        postings += [{"batch_id": "move", "account": "line_available", "holder": line, "currency": "EUR", "amount": str(-amount)}
                     for line, amount in units.items()]
        return Evidence(
            log=self.log, rows=self.rows, records=self.records, lines=lines, postings=postings,
            states={service: [{"type": kind, "id": name, "version": row["sequence"], "last_hash": row["hash"]}
                              for (kind, name), row in streams.items()] for service, streams in last.items()},
            marks={service: [{"source": "registration", "type": kind, "id": name, "sequence": row["sequence"]}
                             for (kind, name), row in last["registration"].items() if row["publish"] == "t"]
                   if service == "funding" else [] for service in ALL},
            answers={service: collections.Counter(row["request_id"] for row in {
                row["request_id"]: row for row in rows}.values()) for service, rows in self.rows.items()},
            letters={service: [] for service in ALL})


class CheckerTest(unittest.TestCase):
    def test_nothing_is_found_in_what_is_whole(self):
        found = Checker(Node().evidence()).check()
        self.assertEqual(found.wrong(), [])
        self.assertEqual(found.counts["acknowledged commands"], 5)
        self.assertEqual(found.counts["readings"], 2)

    def test_each_planted_harm_is_found(self):
        self.assertEqual(overlooked(Node().evidence()), [])
        self.assertEqual(len(PLANTED), 5)

    def found(self, change):
        evidence = Node().evidence()
        change(evidence)
        return [kind for kind, lines in Checker(evidence).check().kinds().items() if lines]

    def test_what_is_not_on_the_topic_is_lost(self):
        self.assertEqual(self.found(lambda at: at.records.pop()), ["lost"])

    def test_what_was_not_applied_is_lost(self):
        self.assertEqual(self.found(lambda at: at.marks["funding"][0].update(sequence="1")), ["lost"])

    def test_an_event_that_was_put_aside_is_lost(self):
        letter = {"source": "registration", "type": "Case", "id": "case-1", "sequence": "1", "reason": "MALFORMED_EVENT"}
        self.assertEqual(self.found(lambda at: at.letters["funding"].append(letter)), ["lost"])

    def test_a_mark_beyond_the_stream_is_a_double(self):
        self.assertEqual(self.found(lambda at: at.marks["funding"][0].update(sequence="9")), ["doubled"])

    def test_money_that_is_not_where_the_clients_moved_it(self):
        def change(at):
            at.log[-1]["fields"]["amount"]["minor_units"] = "8"
        self.assertEqual(self.found(change), ["imbalanced"])

    def test_a_reading_without_a_trace(self):
        def change(at):
            at.log.append(dict(next(one for one in at.log if one["method"] == "registration.GetCase")))
        self.assertEqual(self.found(change), ["broken"])

    def test_a_repeat_on_the_topic_is_nobodys_fault(self):
        self.assertEqual(self.found(lambda at: at.records.append(at.records[0])), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
