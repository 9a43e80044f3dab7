"""Writes the AsyncAPI 3 document of a node from the protos: its topics, their messages, and who may see each field.

    asyncapi.py --googleapis FOLDER --out build/asyncapi/sankofa.yaml

Nothing is told twice: descriptions are the protos' comments, visibility is their option. Values on the topics are
protobuf; the schemas describe the same messages in protobuf's JSON form, with the field numbers beside.
"""

import argparse
import glob
import json
import os
import subprocess
import sys
import tempfile

import yaml
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import FieldDescriptor

from node_client import ROOT

# exchange last: it publishes the feeds beside its own topic.
SERVICES = ("registration", "validation", "funding", "monitoring", "exchange")
FEED_FILE = "sankofa/exchange/v1/feed_messages.proto"
FEED_VALUE = "sankofa.exchange.v1.SignedFeedEvent"
FEED_EVENT = "sankofa.exchange.v1.FeedEvent"
VISIBILITY = "sankofa.common.v1.visibility"
# What protobuf's JSON form makes of these is a text.
TEXT = {"google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
        "google.protobuf.Duration": {"type": "string"}}
NUMBERS = {FieldDescriptor.TYPE_DOUBLE: {"type": "number"}, FieldDescriptor.TYPE_FLOAT: {"type": "number"},
           FieldDescriptor.TYPE_BOOL: {"type": "boolean"}, FieldDescriptor.TYPE_STRING: {"type": "string"},
           FieldDescriptor.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"}}
# A JSON number would lose digits of these.
LONG = (FieldDescriptor.TYPE_INT64, FieldDescriptor.TYPE_UINT64, FieldDescriptor.TYPE_SINT64,
        FieldDescriptor.TYPE_FIXED64, FieldDescriptor.TYPE_SFIXED64)

HEADERS = {
    "ce_specversion": "CloudEvents: always 1.0",
    "ce_id": "unique: <node>/<service>/<stream>/<sequence>",
    "ce_source": "//<node>.sankofa/<service>",
    "ce_type": "full name of the event's message",
    "ce_subject": "the stream: Case/<id>",
    "ce_time": "when it happened: RFC 3339, UTC",
    "ce_sequence": "1, 2, 3 … in the stream",
    "ce_partitionkey": "the record's key again",
    "content-type": "application/protobuf",
    "sankofa_key_id": "on a feed: which of the node's keys signed",
    "traceparent": "W3C trace context, where there is one",
}


class Protos:
    """The descriptors of all protos, and the comments that stand in the sources."""

    def __init__(self, googleapis):
        files = sorted(glob.glob("sankofa/**/*.proto", root_dir=os.path.join(ROOT, "proto"), recursive=True))
        with tempfile.NamedTemporaryFile() as out:
            subprocess.run(["protoc", "-I", os.path.join(ROOT, "proto"), "-I", googleapis, "--include_imports",
                            "--include_source_info", f"--descriptor_set_out={out.name}", *files], check=True)
            every = descriptor_pb2.FileDescriptorSet.FromString(out.read())
        self.files = {file.name: file for file in every.file}
        self.pool = descriptor_pool.DescriptorPool()
        self._comments = {}
        for file in every.file:
            self.pool.Add(file)
            self._read_comments(file)
        # The option is known to the pool's own FieldOptions only.
        self._options = message_factory.GetMessageClass(self.pool.FindMessageTypeByName("google.protobuf.FieldOptions"))
        self._visibility = self.pool.FindExtensionByName(VISIBILITY)
        message_factory.GetMessageClassesForFiles(["sankofa/common/v1/options.proto"], self.pool)

    def _read_comments(self, file):
        places = {tuple(one.path): one.leading_comments.strip() for one in file.source_code_info.location}

        def walk(message, path, name):
            self._comments[name] = places.get(path, "")
            for number, field in enumerate(message.field):
                self._comments[f"{name}.{field.name}"] = places.get((*path, 2, number), "")
            for number, nested in enumerate(message.nested_type):
                walk(nested, (*path, 3, number), f"{name}.{nested.name}")
        for number, message in enumerate(file.message_type):
            walk(message, (4, number), f"{file.package}.{message.name}")
        for number, enum in enumerate(file.enum_type):
            self._comments[f"{file.package}.{enum.name}"] = places.get((5, number), "")

    def comment(self, name):
        return " ".join(self._comments.get(name, "").split())

    def messages_of(self, file):
        return [f"{self.files[file].package}.{one.name}" for one in self.files[file].message_type]

    def visibility(self, field):
        options = self._options.FromString(field.GetOptions().SerializeToString())
        value = options.Extensions[self._visibility]
        name = self._visibility.enum_type.values_by_number[value].name.removeprefix("VISIBILITY_")
        return "NODE" if name == "UNSPECIFIED" else name


class Document:
    def __init__(self, protos):
        self.protos = protos
        self.schemas, self.messages = {}, {}

    # ---- schemas ------------------------------------------------------------------------------------------------

    def schema(self, descriptor):
        """A reference to the schema of a message or an enum, which is made where it isn't there."""
        name = descriptor.full_name
        if name in TEXT:
            return dict(TEXT[name])
        if name not in self.schemas:
            self.schemas[name] = {}  # before its fields: a message may hold itself
            if hasattr(descriptor, "values"):
                self.schemas[name] = {"type": "string", "description": self.protos.comment(name),
                                      "enum": [value.name for value in descriptor.values]}
            else:
                self.schemas[name] = {
                    "type": "object", "description": self.protos.comment(name),
                    "properties": {field.name: self.field(field) for field in descriptor.fields}}
        return {"$ref": f"#/components/schemas/{name}"}

    def field(self, field):
        about = {"description": self.protos.comment(f"{field.containing_type.full_name}.{field.name}"),
                 "x-number": field.number, "x-visibility": self.protos.visibility(field)}
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            value = field.message_type.fields_by_name["value"]
            return {"type": "object", "additionalProperties": self.single(value), **about}
        if field.is_repeated:
            return {"type": "array", "items": self.single(field), **about}
        # Beside a reference no other key counts.
        one = self.single(field)
        return {"allOf": [one], **about} if "$ref" in one else {**one, **about}

    def single(self, field):
        if field.message_type is not None:
            return self.schema(field.message_type)
        if field.enum_type is not None:
            return self.schema(field.enum_type)
        if field.type in LONG:
            return {"type": "string", "pattern": "^-?[0-9]+$"}
        return dict(NUMBERS.get(field.type, {"type": "integer"}))

    # ---- messages and channels ------------------------------------------------------------------------------------

    def message(self, name):
        self.messages[name] = {
            "name": name, "title": name.rsplit(".", 1)[1], "summary": self.protos.comment(name),
            "contentType": "application/protobuf", "headers": {"$ref": "#/components/schemas/headers"},
            "payload": self.schema(self.protos.pool.FindMessageTypeByName(name)),
            "bindings": {"kafka": {"key": {"type": "string", "description": "the case's id, or the aggregate's own"},
                                   "bindingVersion": "0.5.0"}}}
        return {"$ref": f"#/components/messages/{name}"}

    def topic(self, service):
        file = f"sankofa/{service}/v1/{service}_events.proto"
        return {"address": f"sankofa.{service}", "title": f"What happened in {service}",
                "description": "For the node's own services and for listeners with a certificate of the node.",
                "messages": {name.rsplit(".", 1)[1]: self.message(name) for name in self.protos.messages_of(file)},
                "bindings": {"kafka": {"topic": f"sankofa.{service}", "bindingVersion": "0.5.0"}}}

    def feed(self, types):
        value = self.message(FEED_VALUE)
        # `event` holds one of these in wire form; `payload` in it one of those types.
        self.schema(self.protos.pool.FindMessageTypeByName(FEED_EVENT))
        self.schemas[FEED_EVENT]["properties"]["type"]["enum"] = types
        self.schemas[FEED_VALUE]["properties"]["event"]["x-message"] = f"#/components/schemas/{FEED_EVENT}"
        return {"address": "feed.{partner}", "title": "What a node shares with one partner",
                "description": "Signed, and only what agreement, purpose and consent cover. Read by that partner alone. "
                               "How to verify and open it: proto/README.md.",
                "parameters": {"partner": {"description": "the partner's code, e.g. fr"}},
                "messages": {"SignedFeedEvent": value},
                "bindings": {"kafka": {"bindingVersion": "0.5.0"}}}

    def build(self):
        event_types = [name for service in SERVICES[:-1]
                       for name in self.protos.messages_of(f"sankofa/{service}/v1/{service}_events.proto")]
        feed_types = [name for name in self.protos.messages_of(FEED_FILE)]
        for name in feed_types:
            self.schema(self.protos.pool.FindMessageTypeByName(name))
        self.schemas["headers"] = {"type": "object", "properties": {
            name: {"type": "string", "description": text} for name, text in HEADERS.items()}}
        channels = {"feed": self.feed(event_types + feed_types),
                    **{service: self.topic(service) for service in SERVICES}}
        operations = {f"publish-{name}": {"action": "send", "channel": {"$ref": f"#/channels/{name}"},
                                          "title": channel["title"]} for name, channel in channels.items()}
        return {
            "asyncapi": "3.0.0",
            "info": {"title": "Sankofa node", "version": "1",
                     "description": "The topics of one node, written from the protos by scripts/lib/asyncapi.py."},
            "defaultContentType": "application/protobuf",
            "servers": {"kafka": {"host": "{host}", "protocol": "kafka-secure",
                                  "description": "Mutual TLS with a certificate of the node's authority.",
                                  "variables": {"host": {"description": "the node's brokers, host:port"}},
                                  "security": [{"$ref": "#/components/securitySchemes/certificate"}]}},
            "channels": channels, "operations": operations,
            "components": {"messages": self.messages, "schemas": self.schemas,
                           "securitySchemes": {"certificate": {
                               "type": "X509", "description": "CN partner-<code> reads feed.<code> and nothing else."}}}}


def main():
    parser = argparse.ArgumentParser(prog="asyncapi.py")
    parser.add_argument("--googleapis", required=True)
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    document = Document(Protos(options.googleapis)).build()
    os.makedirs(os.path.dirname(options.out), exist_ok=True)
    # Plain data: no two places share an object, which YAML would write as an alias.
    plain = json.loads(json.dumps(document))
    with open(options.out, "w", encoding="utf-8") as file:
        yaml.dump(plain, file, Dumper=yaml.SafeDumper, sort_keys=False, allow_unicode=True, width=120)
    json.dump(plain, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
