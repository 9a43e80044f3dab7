"""A client of a node, by reflection alone: it knows no proto file, only what the server says of itself.

    node = Node("cm")
    node.load()
    case = node.call("registration.GetCase", {"case_id": "…"}, who="auditor")

It calls with a client certificate of the node (`portal`, unless told otherwise), with the token of the person who acts,
and with a deadline. A request is a dict as in proto JSON. What a failing network or a process that is only just
starting answers is tried again; what a service refuses is raised as `Refused`, with its stable reason.
"""

import json
import os
import subprocess
import threading
import time

import grpc
import yaml
from google.protobuf import descriptor_pool, json_format, message_factory
from google.rpc import error_details_pb2, status_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# All that a node may serve; which of them this one does, `Node.services` says.
SERVICES = ("registration", "validation", "funding", "monitoring", "exchange")

CALL_SECONDS = 10
# How long a call is tried again while the node can't be reached, and while what it waits for is still on its way.
PATIENCE_SECONDS = 60
ARRIVAL_SECONDS = 20
PAUSE_SECONDS = 0.05

RETRIED = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


class Refused(Exception):
    """A call that was refused: gRPC's code, the stable reason, the fields that are wrong, the texts by language."""

    def __init__(self, method, error):
        self.method = method
        self.code = error.code()
        self.reason, self.domain, self.metadata = "", "", {}
        self.fields, self.texts = {}, {}
        for key, value in error.trailing_metadata() or ():
            if key == "grpc-status-details-bin":
                self._read(value)
        text = self.texts.get("en") or error.details()
        super().__init__(f"{method} was refused: {self.reason or self.code.name}: {text} "
                         + " ".join(f"[{k}: {v}]" for k, v in {**self.fields, **self.metadata}.items()))

    def _read(self, value):
        status = status_pb2.Status.FromString(value)
        for detail in status.details:
            info, texts, bad = (error_details_pb2.ErrorInfo(), error_details_pb2.LocalizedMessage(),
                                error_details_pb2.BadRequest())
            if detail.Unpack(info):
                self.reason, self.domain, self.metadata = info.reason, info.domain, dict(info.metadata)
            elif detail.Unpack(texts):
                self.texts[texts.locale] = texts.message
            elif detail.Unpack(bad):
                self.fields.update({one.field: one.description for one in bad.field_violations})


class NodeDown(Exception):
    """The node could not be reached for as long as the client is patient."""


def read(path):
    with open(path, "rb") as file:
        return file.read()


class Node:
    """One node of this checkout. May be used by many threads once `load` is done."""

    def __init__(self, name, *, certificate="portal", credentials=None, addresses=None):
        self.name = name
        self.folder = os.path.join(ROOT, ".run", name)
        path = os.path.join(self.folder, "sankofa.yaml")
        if not os.path.exists(path):
            raise NodeDown(f"there is no node {name} here. Start it: scripts/node up {name}")
        with open(path, encoding="utf-8") as file:
            self.config = yaml.safe_load(file)
        for part, address in (addresses or {}).items():
            self.config[part]["address"] = address
        self.tokens = {}
        self.calls = 0
        self.patience_seconds, self.arrival_seconds = PATIENCE_SECONDS, ARRIVAL_SECONDS
        self.on_call = None
        self._lock = threading.Lock()
        self._methods = {}
        self._names = {}
        self._pool = None
        self.channel = grpc.secure_channel(
            self.config["listen"]["address"], credentials or self.credentials(certificate),
            options=[("grpc.initial_reconnect_backoff_ms", 50), ("grpc.min_reconnect_backoff_ms", 5000),
                     ("grpc.max_reconnect_backoff_ms", 500), ("grpc.max_send_message_length", 64 << 20),
                     # A channel of its own, not one shared with another client of the same address.
                     ("grpc.use_local_subchannel_pool", 1)])

    def credentials(self, certificate="portal"):
        """Mutual TLS: the node's authority, and the certificate of one of its systems; None for no certificate."""
        pki = os.path.join(self.folder, "pki")
        ca = read(os.path.join(pki, "ca.pem"))
        if certificate is None:
            return grpc.ssl_channel_credentials(ca)
        return grpc.ssl_channel_credentials(ca, read(os.path.join(pki, f"{certificate}.key")),
                                            read(os.path.join(pki, f"{certificate}.pem")))

    def close(self):
        self.channel.close()

    # ---- what there is to call ----------------------------------------------------------------------------------

    def serving(self):
        """True where the node says that all its services are ready (gRPC health, on the port without TLS)."""
        with grpc.insecure_channel(self.config["health"]["address"],
                                   options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
            check = channel.unary_unary("/grpc.health.v1.Health/Check")
            try:
                return check(b"", timeout=1) == b"\x08\x01"
            except grpc.RpcError:
                return False

    def wait_until_serving(self, seconds=60, alive=lambda: True):
        """False where the node isn't ready in time, or `alive` says that it never will be."""
        end = time.monotonic() + seconds
        while not self.serving():
            if time.monotonic() > end or not alive():
                return False
            time.sleep(PAUSE_SECONDS)
        return True

    def load(self):
        """Asks the node for its services. Everything after this works without reflection."""
        try:
            return self._load()
        except grpc.RpcError as error:
            raise NodeDown(f"node {self.name} does not say what it offers: {error.details()}") from None

    def _load(self):
        database = ProtoReflectionDescriptorDatabase(self.channel)
        pool = descriptor_pool.DescriptorPool(database)
        methods, names = {}, {}
        for service_name in database.get_services():
            if not service_name.startswith("sankofa."):
                continue
            service = pool.FindServiceByName(service_name)
            package = service_name.split(".")[1]
            for method in service.methods:
                path = f"{service_name}/{method.name}"
                methods[path] = method
                # NodeService speaks for all services and is named without one.
                short = method.name if package == "common" else f"{package}.{method.name}"
                names[short] = path
        self._methods, self._names, self._pool = methods, names, pool
        return self

    def take_methods_of(self, known):
        """For a caller that may not ask by reflection: what another client has learned from the same node."""
        self._methods, self._names, self._pool = known._methods, known._names, known._pool
        return self

    @property
    def services(self):
        """The services that the node serves, as it says itself."""
        packages = {name.split(".")[0] for name in self._names if "." in name}
        return tuple(service for service in SERVICES if service in packages)

    def method(self, name):
        """The descriptor of "registration.GetCase", "GetServiceStatus" or of a full name with a slash."""
        path = self._names.get(name, name)
        if path not in self._methods:
            raise KeyError(f"the node has no method {name}; it has: {', '.join(sorted(self._names))}")
        return path, self._methods[path]

    def methods(self):
        return sorted(self._names)

    def message(self, name):
        """The class of a message, by its full name."""
        return message_factory.GetMessageClass(self._pool.FindMessageTypeByName(name))

    # ---- who asks ---------------------------------------------------------------------------------------------

    def sign_in(self, people):
        """Has tokens made for people: {name: {"subject": …, "organisation": …, "roles": […]}}."""
        made = subprocess.run([os.path.join(ROOT, "scripts", "token"), self.name, "--many"], input=json.dumps(people),
                              check=True, capture_output=True, text=True)
        self.tokens.update(json.loads(made.stdout))

    # ---- calls ------------------------------------------------------------------------------------------------

    def request(self, name, fields):
        _, method = self.method(name)
        request = message_factory.GetMessageClass(method.input_type)()
        return json_format.ParseDict(fields, request)

    def try_once(self, name, request, *, who=None, at=None, timeout=CALL_SECONDS, metadata=()):
        """One call, one answer; raises grpc.RpcError. `request` is a message or the fields of one."""
        path, method = self.method(name)
        if isinstance(request, dict):
            request = self.request(name, request)
        answer = message_factory.GetMessageClass(method.output_type)
        sent = list(metadata)
        if who is not None:
            sent.append(("authorization", f"Bearer {self.tokens[who]}"))
        if at is not None:
            sent.append(("sankofa-scenario-time", at))
        serialize = type(request).SerializeToString
        if method.server_streaming:
            call = self.channel.unary_stream(f"/{path}", serialize, answer.FromString)
        else:
            call = self.channel.unary_unary(f"/{path}", serialize, answer.FromString)
        return call(request, timeout=timeout, metadata=sent)

    def call(self, name, request=None, *, who=None, at=None, timeout=CALL_SECONDS, wait_for=()):
        """The answer. `wait_for`: reasons that only mean that word of something hasn't arrived yet.

        The same message, with the same request id, is sent again while the node can't be reached; it takes effect once.
        """
        request = self.request(name, request or {})
        with self._lock:
            self.calls += 1
            count = self.calls
        if self.on_call:
            self.on_call(count)
        patience = time.monotonic() + self.patience_seconds
        arrival = time.monotonic() + self.arrival_seconds
        while True:
            try:
                return self.try_once(name, request, who=who, at=at, timeout=timeout)
            except grpc.RpcError as error:
                refused = Refused(name, error)
                now = time.monotonic()
                if refused.reason in wait_for and refused.reason:
                    if now > arrival:
                        raise refused from None
                elif refused.code in RETRIED or refused.reason == "OVERLOADED":
                    if now > patience:
                        raise NodeDown(f"{refused} (tried for {self.patience_seconds} s)") from None
                    # A process that was away is not ready for a while: what waited for its events waits anew.
                    arrival = now + self.arrival_seconds
                else:
                    raise refused from None
            time.sleep(PAUSE_SECONDS)

    def pages(self, name, field, request, **options):
        """All entries of a list method, page after page."""
        request = dict(request)
        while True:
            page = self.call(name, request, **options)
            yield from getattr(page, field)
            if not page.next_page_token:
                return
            request["page_token"] = page.next_page_token


def to_json(message):
    return json_format.MessageToJson(message, preserving_proto_field_name=True, ensure_ascii=False)
