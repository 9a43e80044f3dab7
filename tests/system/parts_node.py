"""A client of a node whose services have an address each, as in a cluster."""

from node_client import Node


class PartsNode(Node):
    """A call goes to the client, of `parts` by service, that its method belongs to."""

    def __init__(self, name, parts):
        super().__init__(name)
        self.parts = parts
        for part in parts.values():
            part.tokens = self.tokens

    def load(self):
        for part in self.parts.values():
            part.load()
        return self

    @property
    def services(self):
        return tuple(self.parts)

    def part(self, name, request):
        package = name.split(".")[0]
        if package in self.parts:
            return self.parts[package]
        return self.parts[request["service"] if isinstance(request, dict) else request.service]

    def request(self, name, fields):
        return self.part(name, fields).request(name, fields)

    def try_once(self, name, request, **options):
        return self.part(name, request).try_once(name, request, **options)

    def close(self):
        super().close()
        for part in self.parts.values():
            part.close()
