"""Reads a scenario and checks that its figures hold together before anything is played."""

import os
from decimal import Decimal

import yaml

from node_client import ROOT

FRANCS_TO_THE_EURO = Decimal("655.957")


class Loader(yaml.SafeLoader):
    """Days stay text and amounts stay exact."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()}
Loader.add_constructor("tag:yaml.org,2002:float", lambda loader, node: Decimal(node.value))


def cents(amount):
    """Euros, as the scenario writes them, in cents."""
    return int(Decimal(amount) * 100)


def eur(amount):
    return {"currency": "EUR", "minor_units": cents(amount)}


def to_francs(euro_cents):
    """Euro cents in XAF at the fixed rate, rounded half up to the franc (shared rule of all conversions)."""
    return int((Decimal(euro_cents) * FRANCS_TO_THE_EURO / 100 + Decimal("0.5")) // 1)


def split(amount, percents):
    """An amount in minor units, divided so that the parts add up to it: the largest remainders get what is left."""
    shares = [amount * percent // 100 for percent in percents]
    by_remainder = sorted(range(len(percents)), key=lambda i: -(amount * percents[i] % 100))
    for i in by_remainder[:amount - sum(shares)]:
        shares[i] += 1
    return shares


def read_file(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def load(path):
    """The scenario, with the text of the files that it names. ValueError says what does not hold together."""
    scenario = yaml.load(read_file(path), Loader)
    scenario["programme_text"] = read_file(scenario["programme"])
    scenario["instrument_text"] = read_file(scenario["instrument"]["file"])
    # Every scalar as text: an answer may be called "no".
    scenario["instrument_definition"] = yaml.load(scenario["instrument_text"], yaml.BaseLoader)
    programme = yaml.load(scenario["programme_text"], Loader)
    scenario["programme_code"] = programme["code"]
    scenario["levels"] = programme["rule_sets"][-1]["levels"]
    for project in planned(scenario):
        project["level"] = level_of(scenario, project)
        project["ceiling"] = ceiling_of(project)
    wrong = problems(scenario)
    if wrong:
        raise ValueError("\n".join([f"{path} does not hold together:", *wrong]))
    return scenario


def level_of(scenario, project):
    for level in scenario["levels"]:
        if project["kind"].lower() in level["kinds"]:
            return level
    raise ValueError(f"{project['code']}: no level of the programme is for {project['kind']}")


def amount_of(text):
    return Decimal(text.split()[0])


def children_of(project):
    return [one for one in project["person"].get("household", []) if one["relation"] == "CHILD"]


def ceiling_of(project):
    """The most that the programme gives for this household, in euros."""
    level, household = project["level"], project["person"].get("household", [])
    children = len(children_of(project))
    adults = 1 + len(household) - children
    return (amount_of(level.get("per_household", "0 EUR")) + adults * amount_of(level.get("per_adult", "0 EUR"))
            + children * amount_of(level.get("per_child", "0 EUR")))


def total_cost(project):
    return sum(item["quantity"] * Decimal(item["price"]) for item in project["items"])


def planned(scenario):
    """Those who come to the committee with a project. Not everybody does."""
    return [one for one in scenario["projects"] if "decision" in one]


def approved(scenario):
    return [one for one in planned(scenario) if one["decision"]["outcome"] == "APPROVED"]


def problems(scenario):
    """What contradicts the published figures or the programme, a line each."""
    wrong = []
    for project in planned(scenario):
        code, decision = project["code"], project["decision"]
        own = sum(Decimal(one["amount"]) for one in project["own"])
        if total_cost(project) != project["requested"] + own:
            wrong.append(f"{code}: the items make {total_cost(project)}, requested and own part {project['requested'] + own}")
        if decision["outcome"] == "APPROVED":
            share = Decimal(project["level"].get("cost_share_percent", 100)) / 100
            for name, most in (("requested", project["requested"]), ("of the level", project["ceiling"]),
                               ("of the costs", total_cost(project) * share)):
                if decision["amount"] > most:
                    wrong.append(f"{code}: {decision['amount']} is above what is {name}: {most}")
    return wrong + (differs_from_published(scenario) if "published" in scenario else [])


def differs_from_published(scenario):
    wrong, published = [], scenario["published"]
    outcomes = [one["decision"]["outcome"] for one in scenario["projects"]]
    for outcome in ("APPROVED", "ADJOURNED", "REFUSED"):
        if outcomes.count(outcome) != published[outcome.lower()]:
            wrong.append(f"{outcomes.count(outcome)} projects are {outcome}, published are {published[outcome.lower()]}")
    total = sum(one["decision"]["amount"] for one in approved(scenario))
    if len(outcomes) != published["examined"] or total != published["total_eur"]:
        wrong.append(f"{len(outcomes)} projects with {total} EUR, published are {published['examined']} with "
                     f"{published['total_eur']}")
    if to_francs(cents(total)) != published["total_xaf"]:
        wrong.append(f"{total} EUR make {to_francs(cents(total))} XAF, published are {published['total_xaf']}")
    return wrong


def personal_data(scenario):
    """Everything in the scenario that names or describes a person: none of it may be found in clear anywhere."""
    found = set()
    for project in scenario["projects"]:
        person = project["person"]
        found.update(person["given_names"].split())
        found.update((person["family_names"], person["document"]["number"], person["phone"], person["phone"][4:],
                      person["address"]["directions"]))
        found.update(project[name] for name in ("description", "summary") if name in project)
        for member in person.get("household", []):
            found.update((member["name"], member["name"].split()[0]))
        if "referral" in project:
            found.add(project["referral"]["reason"])
    return sorted(found)
