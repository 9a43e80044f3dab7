"""What came of a play: asks the node, compares with what was published and with itself, and prints the table."""

import hashlib
import time
from decimal import Decimal
from fractions import Fraction

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from node_client import ARRIVAL_SECONDS, PAUSE_SECONDS
from scenario import approved, cents, children_of, split, to_francs

DIMENSIONS = ("economic", "social", "psychosocial")


# ---- surveys, computed here from the instrument -----------------------------------------------------------------


def answers_of(scenario, project, months):
    answers = dict(scenario["survey_profiles"][project["surveys"][months]])
    if not children_of(project):
        answers.pop("schooling")
    return answers


def half_up(number):
    return int((number + Fraction(1, 2)) // 1)


def scores_of(scenario, project, months):
    """The scores in thousandths: economic, social, psychosocial, composite."""
    definition, answers = scenario["instrument_definition"], answers_of(scenario, project, months)
    scores = []
    for dimension in DIMENSIONS:
        total, weights = Fraction(0), 0
        for question in definition["questions"]:
            if question["dimension"] == dimension and question["id"] in answers:
                score = next(one["score"] for one in question["answers"] if one["id"] == answers[question["id"]])
                total += int(question["weight"]) * Fraction(score)
                weights += int(question["weight"])
        scores.append(half_up(total / weights * 1000))
    weights = [int(definition["dimensions"][dimension]["weight"]) for dimension in DIMENSIONS]
    composite = Fraction(sum(w * s for w, s in zip(weights, scores, strict=True)), sum(weights))
    return (*scores, half_up(composite))


# ---- asking -------------------------------------------------------------------------------------------------------


def statuses(node):
    return {service: node.call("GetServiceStatus", {"service": service}, who="operator") for service in node.services}


def sources(of):
    """Whose events a service reacts to, as its status says."""
    return next((one.sources for one in of.consumers if one.group == f"sankofa.{of.service}"), ())


def told_its_node(of):
    """How many events a service has to tell its own node: those on partners' feeds are not among them."""
    return of.events_published_target - of.events_for_partners


def lagging(status):
    """Where publishing or applying is behind, a line each; nothing once all agree."""
    behind = []
    for service, of in status.items():
        if of.events_published != of.events_published_target:
            behind.append(f"{service} has published {of.events_published} of {of.events_published_target} events")
        # Of a service that the node does not serve there is nothing to apply.
        for source in set(sources(of)) & set(status):
            applied, published = of.events_applied[source], told_its_node(status[source])
            if applied != published:
                behind.append(f"{service} has applied {applied} of {source}'s {published} events")
        if of.dead_letters_waiting or of.parked_cases:
            behind.append(f"{service} has {of.dead_letters_waiting} dead letters and {of.parked_cases} parked cases")
    return behind


def settle(node, seconds=ARRIVAL_SECONDS):
    """Waits until every event is published and applied; the counts as they are then, or when time is up."""
    end = time.monotonic() + seconds
    while True:
        status = statuses(node)
        if not lagging(status) or time.monotonic() > end:
            return status
        time.sleep(PAUSE_SECONDS)


def collect(node, scenario, ids, seconds=ARRIVAL_SECONDS):
    facts = {"status": settle(node, seconds)}
    day = f"{scenario['calendar']['closed']}T18:00:00Z"

    def ask(method, who, request, at=day):
        return node.call(method, request, who=who, at=at)

    session_id = ids["session"]
    facts["session"] = ask("validation.GetSession", "auditor", {"session_id": session_id})
    facts["minutes"] = ask("validation.GetMinutes", "auditor", {"session_id": session_id}).minutes
    line = scenario["budget_line"]["budget_line"]
    facts["line"] = ask("funding.GetBudgetLine", "auditor", {"budget_line": line})
    facts["statement"] = list(node.pages("funding.GetStatement", "entries", {"budget_line": line, "page_size": 50},
                                         who="auditor", at=day))
    facts["balance"] = ask("funding.GetTrialBalance", "auditor", {})
    facts["projects"], facts["cases"], facts["grants"], facts["surveys"], facts["visits"] = {}, {}, {}, {}, {}
    for project in scenario["projects"]:
        code, own = project["code"], ids[project["code"]]
        facts["projects"][code] = ask("validation.GetProject", "auditor", {"project_id": own["project"]})
        facts["cases"][code] = ask("registration.GetCase", "auditor", {"case_id": own["case"]})
        if "grant" not in own:
            continue
        facts["grants"][code] = ask("funding.GetGrant", "auditor", {"grant_id": own["grant"]})
        facts["visits"][code] = ask("monitoring.GetFollowUp", "auditor", {"follow_up_id": own["grant"]}).visits
        facts["surveys"][code] = {survey.window_months: survey for survey in node.pages(
            "monitoring.ListSurveys", "surveys", {"case_id": own["case"]}, who="auditor", at=day)}
    facts["alerts"] = []
    for state in ("RAISED", "ACKNOWLEDGED", "ESCALATED", "RESOLVED"):
        facts["alerts"] += node.pages("monitoring.ListAlerts", "alerts", {"state": f"ALERT_STATE_{state}"},
                                      who="auditor", at=day)
    facts["views"] = settled_views(node, seconds)
    return facts


def settled_views(node, seconds):
    """Views have a consumer of their own, for which `settle` does not wait: how they compare once it has read all, or when
    time is up. That none is missing or behind says no more than that; that none differs is what counts."""
    end = time.monotonic() + seconds
    while True:
        counts = compare_views(node)
        if not counts["missing"] + counts["behind"] or time.monotonic() > end:
            return counts
        time.sleep(PAUSE_SECONDS)


def compare_views(node):
    """Folds the views of all cases anew and counts those that were not in Redis as the journals say."""
    counts, token = {"rebuilt": 0, "missing": 0, "behind": 0, "differing": 0}, ""
    while True:
        answer = node.call("monitoring.RebuildViews", {"page_token": token}, who="operator", timeout=30)
        for name in counts:
            counts[name] += getattr(answer, name)
        token = answer.next_page_token
        if not token:
            return counts


# ---- comparing --------------------------------------------------------------------------------------------------


def name_of(message, field):
    """An enum's value without the prefix that all its values share: "APPROVED"."""
    descriptor = message.DESCRIPTOR.fields_by_name[field].enum_type
    prefix = descriptor.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return descriptor.values_by_number[getattr(message, field)].name.removeprefix(prefix)


def minutes_hold(minutes):
    """The hash is that of the texts, and the node's key has signed it."""
    texts = minutes.text_fr.encode() + b"\0" + minutes.text_en.encode()
    if hashlib.blake2b(texts, digest_size=32).hexdigest() != minutes.hash:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(minutes.public_key)).verify(
            minutes.signature, b"sankofa.minutes.v1\0" + minutes.hash.encode())
    except InvalidSignature:
        return False
    return True


def differences(scenario, facts):
    """What is not as it should be, a line each."""
    return [*outcomes_differ(scenario, facts), *money_differs(scenario, facts), *follow_up_differs(scenario, facts),
            *lagging(facts["status"]),
            *(f"{facts['views'][name]} case views are {name}" for name in ("missing", "behind", "differing")
              if facts["views"][name])]


def outcomes_differ(scenario, facts):
    for project in scenario["projects"]:
        code, wanted = project["code"], project["decision"]["outcome"]
        state = name_of(facts["projects"][code], "state")
        if state != wanted:
            yield f"{code} is {state}, not {wanted}"
        if facts["projects"][code].approved_amount.minor_units != cents(project["decision"].get("amount", 0)):
            yield f"{code} was approved with {facts['projects'][code].approved_amount.minor_units} cents"
        state = name_of(facts["cases"][code], "state")
        wanted = ("ASSESSED" if wanted != "APPROVED" else
                  "REINTEGRATING" if project.get("stays_open") else "CLOSED")
        if state != wanted:
            yield f"the case of {code} is {state}, not {wanted}"
    if len(facts["session"].agenda) != scenario["published"]["examined"]:
        yield f"{len(facts['session'].agenda)} projects were on the agenda"
    if not minutes_hold(facts["minutes"]):
        yield "hash or signature of the minutes does not hold"


def money_differs(scenario, facts):
    for project in approved(scenario):
        code, grant = project["code"], facts["grants"][project["code"]]
        wanted = split(grant.amount.minor_units, project["level"]["instalment_percents"])
        if [one.amount.minor_units for one in grant.instalments] != [int(one) for one in wanted]:
            yield f"{code}: the instalments are not {wanted} cents"
        for one in grant.instalments:
            if one.payment_amount.minor_units != to_francs(one.amount.minor_units):
                yield f"{code}: {one.amount.minor_units} cents were paid as {one.payment_amount.minor_units} XAF"
            if name_of(one, "state") != "PROVEN":
                yield f"{code}: instalment {one.number} is {name_of(one, 'state')}, not PROVEN"
        if name_of(grant, "state") != "COMPLETED":
            yield f"the grant of {code} is {name_of(grant, 'state')}, not COMPLETED"
    published, line = scenario["published"], facts["line"]
    total = cents(published["total_eur"])
    if reserved_in_all(facts) != total:
        yield f"{reserved_in_all(facts)} cents were reserved, not {total}"
    if first_in_all(facts) * 100 != total * published["first_instalment_percent"]:
        yield f"the first instalments make {first_in_all(facts)} cents, not {published['first_instalment_percent']} %"
    if (line.spent.minor_units, line.reserved.minor_units) != (total, 0):
        yield f"the budget line has spent {line.spent.minor_units} and reserved {line.reserved.minor_units} cents"
    if line.available.minor_units + line.spent.minor_units != line.allotted.minor_units:
        yield "available, reserved and spent don't make what was allotted to the budget line"
    balance = facts["balance"]
    if not balance.balanced or any(one.difference_minor_units for one in balance.currencies) or not balance.currencies:
        yield "the ledger does not balance"


def follow_up_differs(scenario, facts):
    for project in approved(scenario):
        code = project["code"]
        for visit in facts["visits"][code]:
            if name_of(visit, "state") != "RECORDED":
                yield f"{code}: the visit after {visit.months} months is {name_of(visit, 'state')}"
            if visit.misses != (visit.months == project.get("missed_visit")):
                yield f"{code}: the visit after {visit.months} months was missed {visit.misses} times"
        for months in project["surveys"]:
            survey = facts["surveys"][code].get(months)
            if survey is None:
                yield f"{code}: there is no survey after {months} months"
                continue
            scores = tuple(getattr(survey.scores, name) for name in (*DIMENSIONS, "composite"))
            if scores != scores_of(scenario, project, months):
                yield f"{code}: the scores after {months} months are {scores}, not {scores_of(scenario, project, months)}"
    wanted = alerts_wanted(scenario)
    found = sorted(f"{name_of(alert, 'kind')} {name_of(alert, 'state')}" for alert in facts["alerts"])
    if found != wanted:
        yield f"the alerts are {found}, not {wanted}"


def alerts_wanted(scenario):
    """A missed visit and a survey under the instrument's thresholds raise an alert each."""
    definition, wanted = scenario["instrument_definition"], []
    lowest = [1000 * Decimal(definition["dimensions"][one]["alert_below"]) for one in DIMENSIONS]
    lowest.append(1000 * Decimal(definition["composite"]["alert_below"]))
    for project in approved(scenario):
        if "missed_visit" in project:
            wanted.append("VISIT_MISSED RESOLVED")
        for months in project["surveys"]:
            if any(score < low for score, low in zip(scores_of(scenario, project, months), lowest, strict=True)):
                wanted.append("LOW_SCORE ACKNOWLEDGED")
    return sorted(wanted)


# ---- showing ----------------------------------------------------------------------------------------------------


def euros(minor_units):
    return f"{Decimal(minor_units) / 100:,.2f}"


def reserved_in_all(facts):
    return sum(one.reserved_change.minor_units for one in facts["statement"] if one.kind == "reserve")


def first_in_all(facts):
    return sum(grant.instalments[0].amount.minor_units for grant in facts["grants"].values())


def table(scenario, facts):
    return "\n".join(["", *project_lines(scenario, facts), "", *sum_lines(scenario, facts), "", *topic_lines(facts), ""])


def project_lines(scenario, facts):
    yield (f"{'case':<20} {'life project':<38} {'outcome':<9} {'EUR':>9} {'first 70 %':>10}  "
           f"{'survey at 6 and 12 months':<25}")
    for project in scenario["projects"]:
        code = project["code"]
        of, grant = facts["projects"][code], facts["grants"].get(code)
        amount = euros(of.approved_amount.minor_units) if grant else "–"
        first = euros(grant.instalments[0].amount.minor_units) if grant else "–"
        surveys = facts["surveys"].get(code, {})
        scores = "  ".join(f"{surveys[months].scores.composite / 1000:.3f}" for months in sorted(surveys)) or "–"
        yield (f"{of.case_reference:<20} {of.content.title:<38} {name_of(of, 'state').lower():<9} {amount:>9} "
               f"{first:>10}  {scores}")
    states = [name_of(one, "state") for one in facts["projects"].values()]
    yield (f"{f'{len(states)} examined':<20} "
           f"{', '.join(f'{states.count(one)} {one.lower()}' for one in ('APPROVED', 'ADJOURNED', 'REFUSED')):<48} "
           f"{euros(reserved_in_all(facts)):>9} {euros(first_in_all(facts)):>10}")


def sum_lines(scenario, facts):
    total, first, line = reserved_in_all(facts), first_in_all(facts), facts["line"]
    paid = [one for grant in facts["grants"].values() for one in grant.instalments]
    rates = sorted({one.conversion.rate for one in paid})
    yield f"reserved      {euros(total)} EUR = {to_francs(total):,} XAF at {', '.join(rates)}, half up to the franc"
    yield (f"instalments   {euros(first)} EUR first = {Fraction(first * 100, total)} % of it; each grant is divided to "
           "the cent, largest remainder first")
    yield (f"paid          {euros(sum(one.amount.minor_units for one in paid))} EUR by {len(paid)} payments, "
           f"{sum(one.payment_amount.minor_units for one in paid):,} XAF as each was rounded")
    yield (f"budget line   {euros(line.allotted.minor_units)} EUR = {euros(line.available.minor_units)} available + "
           f"{euros(line.reserved.minor_units)} reserved + {euros(line.spent.minor_units)} spent")
    yield "ledger        " + "; ".join(
        f"{one.currency}: debit less credit is {one.difference_minor_units}" for one in facts["balance"].currencies)
    visits = [visit for of in facts["visits"].values() for visit in of]
    yield (f"follow-up     {len(visits)} visits, {sum(visit.misses for visit in visits)} of them missed at first; "
           f"{sum(len(one) for one in facts['surveys'].values())} surveys; "
           f"{len(facts['alerts'])} alerts: " + ", ".join(
               f"{name_of(one, 'kind').lower().replace('_', ' ')} ({name_of(one, 'state').lower()})"
               for one in facts["alerts"]))
    yield f"minutes       hash {facts['minutes'].hash[:16]}…, signed by the node: {'holds' if minutes_hold(facts['minutes']) else 'BROKEN'}"
    yield f"case views    {facts['views']['rebuilt']} in Redis, the same as folded anew from the journals"


def topic_lines(facts):
    status = facts["status"]
    yield f"{'events of topic':<22} {'published':>9}   applied by " + " ".join(f"{one:>12}" for one in status)
    for source, of in status.items():
        applied = (str(one.events_applied[source]) if source in sources(one) else "–" for one in status.values())
        yield f"{f'sankofa.{source}':<22} {of.events_published - of.events_for_partners:>9}   {'':<10} " + " ".join(
            f"{one:>12}" for one in applied)
    yield f"{'put aside, unapplied':<22} {'':>9}   {'':<10} " + " ".join(
        f"{one.dead_letters_waiting:>12}" for one in status.values())
