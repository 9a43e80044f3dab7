"""What each node, and who only listens, knows of the same cases: asked, compared, and shown side by side."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

import report
from federation import STATISTICS
from node_client import Refused
from report import euros, name_of

# Where a case ends at the agency, by the way it takes.
ENDS = {"project": "REINTEGRATING", "withdrawn": None, "handed-over": "ASSESSED", "refused": "CLOSED", "silent": "CLOSED"}
# What of a partner's facts is compared with the partner's own, field by field.
COMPARED = ("state", "arrival_date", "orientation", "close_reason", "responsible_organisation")


# ---- asking -------------------------------------------------------------------------------------------------------


def view(player, role, case_id):
    """The view of a case; None where it was erased."""
    try:
        return player.ask(role, "monitoring.GetCaseView", {"case_id": case_id})
    except Refused as refused:
        if refused.reason == "CASE_ERASED":
            return None
        raise


def section(of, code):
    """What the view of a case holds of a partner; None where that is nothing."""
    return next((one for one in of.partner_views if one.node == code), None) if of else None


def told(player, role, sender, case_id, field):
    """What `role` was told of a field by `sender`."""
    try:
        found = section(view(player, role, case_id), player.codes[sender])
    except Refused as refused:
        if refused.reason in ("CASE_UNKNOWN", "NOT_FOUND"):
            return None
        raise
    return getattr(found.facts, field) if found else None


def erasures(player, role, case_id):
    return [name_of(one, "state") for one in player.nodes[role].pages(
        "exchange.ListErasures", "erasures", {"case_id": case_id}, who="auditor")]


def refusals(player):
    """Why FR refused messages of TG."""
    return [one.reason for one in player.nodes["fr"].pages(
        "exchange.ListRefusals", "refusals", {"partner_id": player.codes["tg"]}, who="auditor")]


def hand_over_state(player, role, hand_over_id):
    return name_of(player.ask(role, "registration.GetHandOver", {"hand_over_id": hand_over_id}), "state")


def collect(player):
    federation = player.federation
    facts = {"health": federation.settle(), "status": {role: report.settle(node) for role, node in player.nodes.items()}}
    facts["digests"] = {pair: federation.compare_digests(*pair) for pair in federation.pairs()}
    facts["views"] = {project["code"]: {role: view(player, role, player.ids[project["code"]]["case"])
                                        for role in ("tg", "fr")} for project in player.projects}
    facts["erased"] = {project["code"]: player.ask("tg", "registration.GetCase", {
        "case_id": player.ids[project["code"]]["case"]}).erased for project in player.projects}
    facts["erasures"] = {project["code"]: list(player.nodes["fr"].pages(
        "exchange.ListErasures", "erasures", {"case_id": player.ids[project["code"]]["case"]}, who="auditor"))
        for project in player.on_way("withdrawn")}
    facts["hand_overs"] = {project["code"]: player.ask("fr", "registration.GetHandOver", {
        "hand_over_id": player.ids[project["code"]]["hand-over"]}) for project in player.on_way("handed-over")}
    facts["refusals"] = refusals(player)
    facts["listener"] = listen(player)
    return facts


def listen(player):
    """What eu got from each node, read from its topics with nothing but its certificates, each signature verified."""
    federation, got = player.federation, {}
    for role, node in player.nodes.items():
        identity = node.call("exchange.GetOwnIdentity", {}, who="operator")
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(identity.key.verification_key))
        signed, event = node.message("sankofa.exchange.v1.SignedFeedEvent"), node.message("sankofa.exchange.v1.FeedEvent")
        got[role] = []
        for record in federation.read_feed(player.codes[STATISTICS], role):
            message = signed.FromString(record.value())
            key.verify(message.signature, b"sankofa.feed.v1\0" + message.event)
            got[role].append(event.FromString(message.event))
    return got


def published(player, events):
    """The statistics among the messages to eu."""
    kind = player.nodes["tg"].message("sankofa.monitoring.v1.StatisticsPublished")
    return [kind.FromString(one.payload) for one in events if one.type == kind.DESCRIPTOR.full_name]


# ---- comparing ------------------------------------------------------------------------------------------------------


def differences(player, facts):
    """What is not as it should be, a line each."""
    return [*exchange_differs(player, facts), *cases_differ(player, facts), *listener_differs(player, facts)]


def exchange_differs(player, facts):
    yield from player.federation.unsettled(facts["health"])
    for role, status in facts["status"].items():
        yield from (f"{role}: {line}" for line in report.lagging(status))
    for (role, other), digest in facts["digests"].items():
        if not digest.equal:
            yield f"digests of {role} and {other} differ in {', '.join(one.subject for one in digest.differences)}"
    for (role, other), health in facts["health"].items():
        wanted = (0, 1) if (role, other) == ("tg", "fr") else (1, 0) if (role, other) == ("fr", "tg") else (0, 0)
        if (health.refused_here, health.refused_there) != wanted:
            yield f"{role} refused {health.refused_here} messages of {other}, and {other} {health.refused_there} of {role}"
        if health.erasures_unanswered or health.trouble:
            yield f"{role} and {other}: {health.erasures_unanswered} erasures unanswered; {health.trouble or 'no trouble'}"
    if facts["refusals"] != ["SIGNATURE"]:
        yield f"FR's evidence against TG is {facts['refusals']}, not one message for its signature"


def cases_differ(player, facts):
    for project in player.projects:
        code, way = project["code"], project["way"]
        own, there = facts["views"][code]["tg"], section(facts["views"][code]["fr"], player.codes["tg"])
        if facts["erased"][code] != (way == "withdrawn"):
            yield f"{code} is {'' if facts['erased'][code] else 'not '}erased at TG"
        if way == "withdrawn":
            # One for each purpose whose withdrawal found something to erase.
            if {name_of(one, "state") for one in facts["erasures"][code]} != {"DONE"}:
                yield f"{code}: there is no receipt for the erasure"
            continue
        if own.state != ENDS[way]:
            yield f"{code} is {own.state} at TG, not {ENDS[way]}"
        if there is None:
            yield f"{code}: FR knows nothing of what TG did"
            continue
        for field in COMPARED:
            if getattr(there.facts, field) and getattr(there.facts, field) != getattr(own, field):
                yield f"{code}: {field} is {getattr(own, field)} at TG, and {getattr(there.facts, field)} for FR"
        if there.facts.state != own.state:
            yield f"{code} is {own.state} at TG, and {there.facts.state} for FR"
        yield from works_differ(code, project, own, there.facts)
    for code, hand_over in facts["hand_overs"].items():
        if not hand_over.releaser.signature or not hand_over.receiver.signature:
            yield f"{code}: not both have signed the hand-over"


def works_differ(code, project, own, there):
    """Projects, grants, visits and scores: what FR was told is what TG has."""
    if "decision" in project and [one.state for one in own.projects] != ["APPROVED"]:
        yield f"{code}: the projects at TG are {[one.state for one in own.projects]}"
    for name, key in (("projects", lambda one: (one.project_id, one.state, one.approved.minor_units)),
                      ("grants", lambda one: (one.grant_id, one.amount.minor_units)),
                      ("surveys", lambda one: (one.window_months, one.composite))):
        if sorted(map(key, getattr(own, name))) != sorted(map(key, getattr(there, name))):
            yield f"{code}: {name} differ between TG and what FR knows of them"


def listener_differs(player, facts):
    wanted = {one["who"]: one["code"] for one in player.scenario["statistics"]}
    for role, events in facts["listener"].items():
        codes = sorted(one.code for one in published(player, events))
        if codes != sorted(code for who, code in wanted.items() if player.role_of(who) == role):
            yield f"eu got the statistics {codes} from {role}"
        for event in events:
            for project in player.projects:
                for about in player.ids[project["code"]].values():
                    if about.encode() in event.SerializeToString():
                        yield f"eu was told {about} of {project['code']} by {role}"


# ---- showing --------------------------------------------------------------------------------------------------------

COLUMNS = (20, 34, 34, 30)


def row(*cells):
    return "  ".join(f"{cell:<{width}}" for cell, width in zip(cells, COLUMNS, strict=True)).rstrip()


def table(player, facts):
    return "\n".join(["", *one_case(player, facts), "", *all_cases(player, facts), "", *listener_lines(player, facts), "",
                      *feed_lines(player, facts), ""])


def money(of):
    return f"{euros(of.minor_units)} {of.currency}" if of.currency else "–"


def one_case(player, facts):
    """The first case of the charter, as far as each knows it."""
    code = player.projects[0]["code"]
    own, at_fr = facts["views"][code]["tg"], facts["views"][code]["fr"]
    there = section(at_fr, player.codes["tg"])
    there = there.facts if there else type(own)()
    yield row("one case", "TG, who follows it", "FR, who opened it", "eu, who listens")
    yield row(player.ids[code]["reference"], f"state {own.state}", f"TG says: {there.state or 'nothing'}", "nothing of it")

    def lines(of):
        said = {"project": "–", "grant": "–", "paid": "–", "visits": "–", "survey": "–"}
        for one in of.projects:
            said["project"] = f"{one.state.lower()}, {money(one.approved)}"
        for one in of.grants:
            said["grant"] = f"{one.state.lower() or 'known'}, {money(one.amount)}"
            paid = [part for part in one.instalments if part.state in ("PAID", "PROVEN")]
            said["paid"] = money(paid[0].amount) if paid else "–"
        visits = [visit for one in of.follow_ups for visit in one.visits if visit.state == "RECORDED"]
        said["visits"] = f"{len(visits)} made" if visits else "–"
        for one in of.surveys:
            said["survey"] = f"after {one.window_months} months {one.composite / 1000:.3f}"
        return said
    here, heard = lines(own), lines(there)
    for name in here:
        yield row(f"  {name}", here[name], f"TG says: {heard[name]}" if heard[name] != "–" else "–", "")


def all_cases(player, facts):
    yield row("case", "TG", "FR, as TG told it", "how it crossed")
    ways = {"project": "opened by FR, taken on by TG", "withdrawn": "consent withdrawn at FR",
            "handed-over": "handed over to TG, both signed", "refused": "opened by FR, refused by TG",
            "silent": "opened by TG, FR was silent"}
    for project in player.projects:
        code = project["code"]
        own, there = facts["views"][code]["tg"], section(facts["views"][code]["fr"], player.codes["tg"])
        state = "erased, key destroyed" if own is None else own.state + (
            f" ({own.close_reason.lower()})" if own.close_reason else "")
        heard = "–" if there is None else "erased" if there.erased else there.facts.state
        way = ways[project["way"]]
        if project["way"] == "project" and project.get("retroactive"):
            way = "opened by TG, taken on by FR"
        if facts["erasures"].get(code):
            way += f", receipt of {facts['erasures'][code][0].answered_time.ToDatetime():%d.%m.%Y}"
        yield row(player.ids[code]["reference"], state, heard, way)


def listener_lines(player, facts):
    for role, events in facts["listener"].items():
        for one in published(player, events):
            totals = [measure for measure in one.tables.measures if not measure.total.suppressed]
            hidden = sum(figure.suppressed for measure in one.tables.measures for part in measure.breakdowns
                         for figure in part.figures)
            first = f"{totals[0].total.cases} cases" if totals else "no case"
            yield (f"eu knows      of {role.upper()}, statistics {one.code}: {first} in {len(one.tables.measures)} measures; "
                   f"{hidden} figures of fewer than {one.tables.minimum_cell} withheld; no case, no person")
    yield (f"refused       FR refused {len(facts['refusals'])} message of TG, in which one bit was changed "
           f"({', '.join(facts['refusals']).lower()}), and TG has its receipt")


def feed_lines(player, facts):
    yield f"{'feed':<12} {'published':>9} {'applied':>8}   digests"
    for (role, other), health in facts["health"].items():
        digest = facts["digests"][(role, other)]
        yield (f"{f'{role} → {other}':<12} {health.published:>9} {facts['health'][(other, role)].received:>8}   "
               f"{'digests equal' if digest.equal else 'digests DIFFER'}: {digest.subjects} subjects, both ways")
    for role, events in facts["listener"].items():
        yield f"{f'{role} → eu':<12} {len(events):>9} {'–':>8}   each signature holds"
