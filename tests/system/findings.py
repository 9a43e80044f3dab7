"""What a checker found wrong, by kind, and how much it looked at."""

import collections


class Findings:
    """`Findings("lost", "doubled")` has a list of lines for each kind: `found.lost.append("…")`."""

    def __init__(self, *names):
        self._names = names
        self.counts = collections.Counter()
        for name in names:
            setattr(self, name, [])

    def kinds(self):
        return {name: getattr(self, name) for name in self._names}

    def wrong(self):
        return [f"{kind}: {line}" for kind, lines in self.kinds().items() for line in lines]

    def __str__(self):
        counts = ", ".join(f"{count} {name}" for name, count in sorted(self.counts.items()))
        return "; ".join(f"{len(lines)} {kind}" for kind, lines in self.kinds().items()) + f" (looked at {counts})"
