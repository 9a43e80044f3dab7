"""Each service as a process of its own, as in a cluster; whichever of them is gone, the others go on (G11).

Two people go from registration to a year of follow-up, while one process after another is killed in the middle of it and
started again. At the end all is as if nothing had happened.
"""

import atexit
import copy
import os
import re
import signal
import time
import unittest

import grpc

import report
from harness import SCENARIO, TESTED_BINARY, SystemNode
from node_client import SERVICES, Node, Refused
from parts_node import PartsNode
from play import Player
from scenario import approved, cents, load, to_francs
from serve import Services

NAME, BASE_PORT = "st-alone", 11700
PROJECTS = ("p02", "p04")


def addresses_of(service):
    number = SERVICES.index(service)
    return {part: f"127.0.0.1:{BASE_PORT + offset + number}" for part, offset in (
        ("listen", 1), ("health", 11), ("metrics", 21))}


class AloneTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scene = copy.deepcopy(load(SCENARIO))
        cls.scene["projects"] = [one for one in cls.scene["projects"] if one["code"] in PROJECTS]
        total = sum(one["decision"]["amount"] for one in approved(cls.scene))
        cls.scene["published"] = {"examined": len(PROJECTS), "approved": len(PROJECTS), "adjourned": 0, "refused": 0,
                                  "total_eur": total, "total_xaf": to_francs(cents(total)), "first_instalment_percent": 70}
        cls.node = SystemNode(NAME, BASE_PORT, serve=False)
        cls.addClassCleanup(cls.node.close)
        called_at = {service: addresses_of(service)["listen"] for service in SERVICES}
        cls.processes = {service: Services(NAME, TESTED_BINARY, service, addresses_of(service), called_at)
                         for service in SERVICES}
        atexit.register(cls.stop_all)
        cls.addClassCleanup(cls.stop_all)
        cls.seconds = {service: process.start() for service, process in cls.processes.items()}
        parts = {}
        for service in SERVICES:
            addresses = addresses_of(service)
            parts[service] = Node(NAME, addresses={"listen": addresses["listen"], "health": addresses["health"]})
        cls.client = PartsNode(NAME, parts).load()
        cls.addClassCleanup(cls.client.close)
        cls.player = Player(cls.client, cls.scene)
        cls.player.sign_in()

    @classmethod
    def stop_all(cls):
        for process in cls.processes.values():
            process.stop()
        atexit.unregister(cls.stop_all)

    def kill(self, *services):
        for service in services:
            self.processes[service].stop(signal.SIGKILL)

    def start(self, *services):
        for service in services:
            self.processes[service].start()

    def away(self, service, method, who, fields):
        """A call to a service that is gone fails at once, and is not kept waiting."""
        started = time.monotonic()
        with self.assertRaises(grpc.RpcError) as caught:
            self.client.try_once(method, fields, who=who, at="2017-06-14T09:00:00Z")
        self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAVAILABLE, service)
        self.assertLess(time.monotonic() - started, 5)

    def test_1_each_process_is_one_service(self):
        for service, part in self.client.parts.items():
            packages = {name.split(".")[0] for name in part.methods() if "." in name}
            self.assertEqual(packages, {service})
            other = next(one for one in SERVICES if one != service)
            with self.assertRaises(Refused) as caught:
                part.call("GetServiceStatus", {"service": other}, who="operator")
            self.assertEqual(caught.exception.reason, "NOT_FOUND")
            print(f"{service}: serving after {self.seconds[service]:.2f} s, "
                  f"{self.processes[service].memory_mib():.0f} MiB", flush=True)

    def test_2_cases_go_to_the_decision_without_funding(self):
        self.player.prepare()
        self.kill("funding")
        self.player.register()
        self.player.receive()
        self.player.write()
        self.player.sit()
        self.away("funding", "funding.GetTrialBalance", "auditor", {})
        behind = self.client.call("GetServiceStatus", {"service": "validation"}, who="operator")
        self.assertGreater(behind.events_published_target, 0)
        self.start("funding")
        # It has heard of the approvals as soon as it has caught up; the player waits for that and for nothing else.
        self.player.grant()

    def test_3_money_waits_for_who_has_to_be_asked(self):
        """A release asks registration and validation: without them it is refused, and nothing is paid."""
        about = {"grant_id": self.player.ids["p02"]["grant"], "instalment": 1}
        days = self.scene["calendar"]["first_instalment"]
        step = "p02/instalment/1"
        for asked in ("registration", "validation"):
            self.kill(asked)
            self.player.do(f"{step}/request", "funding.RequestInstalment", "requester", days["requested"], about)
            self.player.do(f"{step}/approve", "funding.ApproveInstalment", "approver", days["approved"], about)
            release = {"request_id": self.player.request_id(f"{step}/release"), **about}
            with self.assertRaises(grpc.RpcError) as caught:
                self.client.try_once("funding.ReleaseInstalment", release, who="releaser",
                                     at=f"{days['released']}T09:00:00Z")
            self.assertEqual(Refused("", caught.exception).reason, "DEPENDENCY_UNAVAILABLE")
            self.start(asked)
        grant = self.client.call("funding.GetGrant", {"grant_id": about["grant_id"]}, who="auditor")
        self.assertEqual(report.name_of(grant.instalments[0], "state"), "APPROVED")
        self.player.first()

    def test_4_follow_up_goes_on_without_the_rest(self):
        self.kill("registration", "validation", "funding")
        for project in self.player.approved:
            self.player.visit(project, 3)
        case_id = self.player.ids["p04"]["case"]
        raised = self.player.do("alert", "monitoring.RaiseAlert", "visitor", "2017-10-02", {
            "case_id": case_id, "concern": "The stall is closed."})
        self.player.do("alert/taken", "monitoring.AcknowledgeAlert", "visitor", "2017-10-02", {"alert_id": raised.id})
        self.player.do("alert/done", "monitoring.ResolveAlert", "visitor", "2017-10-03", {
            "alert_id": raised.id, "resolution": "ALERT_RESOLUTION_ACTED", "resolution_note": "It is open again."})
        self.start("registration", "validation", "funding")

    def test_5_and_the_rest_without_follow_up(self):
        second = self.scene["calendar"]["second_instalment"]
        self.kill("monitoring")
        for project in self.player.approved:
            self.player.pay(project, 2, second)
        self.away("monitoring", "monitoring.GetCaseView", "auditor", {"case_id": self.player.ids["p04"]["case"]})
        self.start("monitoring")
        self.player.look_again(6)
        self.player.look_again(12)
        self.player.close()

    def test_6_all_is_as_if_nothing_had_happened(self):
        facts = report.collect(self.client, self.scene, self.player.ids, seconds=60)
        # The alert of a person is one more than those that the scenario raises.
        facts["alerts"] = [one for one in facts["alerts"] if report.name_of(one, "kind") != "CONCERN"]
        self.assertEqual(report.differences(self.scene, facts), [])

    def test_7_no_log_has_an_error(self):
        for service, process in self.processes.items():
            with open(process.log, encoding="utf-8") as file:
                lines = file.readlines()
            self.assertEqual([line for line in lines if '"level":"ERROR"' in line], [], service)
            names = set(re.findall(r'"service":"([a-z]+)"', "".join(lines)))
            self.assertEqual(names, {service}, "a process that speaks for another")
            self.assertTrue(os.path.getsize(process.log) > 0)


if __name__ == "__main__":
    # Each step stands on the one before.
    unittest.main(verbosity=2, failfast=True)
