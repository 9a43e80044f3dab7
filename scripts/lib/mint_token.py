"""Mints development tokens of a node's people. See scripts/token --help."""

import argparse
import base64
import datetime
import hashlib
import json
import os
import sys
import time
import uuid

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

# What one token may be asked to say, and the names of the same in JSON on the standard input.
FIELDS = {"subject", "roles", "organisation", "minutes", "issued_at", "expires_in", "issuer", "audience"}


def new_key():
    return ec.generate_private_key(ec.SECP256R1())


def public_jwk(key):
    """The public half as a JWK; its id is the digest that RFC 7638 prescribes, so equal keys have equal ids."""
    numbers = key.public_key().public_numbers()

    def text(number):
        return base64.urlsafe_b64encode(number.to_bytes(32, "big")).rstrip(b"=").decode()

    jwk = {"crv": "P-256", "kty": "EC", "x": text(numbers.x), "y": text(numbers.y)}
    canonical = json.dumps(jwk, sort_keys=True, separators=(",", ":")).encode()
    kid = base64.urlsafe_b64encode(hashlib.sha256(canonical).digest()).rstrip(b"=").decode()
    return {**jwk, "use": "sig", "alg": "ES256", "kid": kid}


def write(path, text, mode):
    """Writes a file whole or not at all, and never for a moment with wider rights than `mode`."""
    part = f"{path}.part"
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        os.fchmod(file.fileno(), mode)
        file.write(text)
    os.replace(part, path)


def identity(folder):
    """The node's signing key, made with its JWKS file when it isn't there."""
    os.makedirs(folder, exist_ok=True)
    key_path, jwks_path = os.path.join(folder, "signing.key"), os.path.join(folder, "jwks.json")
    if os.path.exists(key_path):
        with open(key_path, "rb") as file:
            key = serialization.load_pem_private_key(file.read(), None)
    else:
        key = new_key()
        pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                serialization.NoEncryption())
        write(key_path, pem.decode(), 0o600)
    jwks = json.dumps({"keys": [public_jwk(key)]}, indent=2) + "\n"
    if not os.path.exists(jwks_path) or open(jwks_path, encoding="ascii").read() != jwks:
        write(jwks_path, jwks, 0o644)
    return key


def seconds(moment):
    """A moment as seconds since 1970: a number already, or ISO 8601 (UTC when it names no zone)."""
    try:
        return int(moment)
    except ValueError:
        parsed = datetime.datetime.fromisoformat(moment.replace("Z", "+00:00"))
        if parsed.tzinfo is None:
            parsed = parsed.replace(tzinfo=datetime.timezone.utc)
        return int(parsed.timestamp())


def mint(node, key, wanted):
    unknown = set(wanted) - FIELDS
    if unknown:
        raise ValueError(f"unknown field {', '.join(sorted(unknown))}; known: {', '.join(sorted(FIELDS))}")
    if not wanted.get("subject"):
        raise ValueError("a token needs a subject")
    if isinstance(wanted.get("roles"), str):
        raise ValueError("roles is a list of names")
    issued = seconds(wanted["issued_at"]) if wanted.get("issued_at") is not None else int(time.time())
    lasts = wanted.get("expires_in")
    if lasts is None:
        minutes = wanted.get("minutes")
        lasts = 60 * (60 if minutes is None else float(minutes))
    claims = {
        "iss": wanted.get("issuer") or f"https://identity.{node}.sankofa.example",
        "aud": wanted.get("audience") or f"sankofa-{node}",
        "sub": wanted["subject"],
        "org": wanted.get("organisation") or "",
        "roles": list(wanted.get("roles") or []),
        "iat": issued,
        "nbf": issued,
        "exp": issued + int(lasts),
        "jti": str(uuid.uuid4()),
    }
    return jwt.encode(claims, key, algorithm="ES256", headers={"kid": public_jwk(key)["kid"]})


def mint_all(node, key, asked):
    if isinstance(asked, list):
        return [mint(node, key, one) for one in asked]
    if isinstance(asked, dict):
        return {name: mint(node, key, one) for name, one in asked.items()}
    raise ValueError("expected a list of tokens, or an object of them by name")


def main():
    parser = argparse.ArgumentParser(prog="scripts/token", add_help=False, allow_abbrev=False,
                                     usage="see scripts/token --help")
    parser.add_argument("folder")
    parser.add_argument("node")
    parser.add_argument("--subject")
    parser.add_argument("--role", action="append", default=[])
    parser.add_argument("--organisation")
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--issued-at")
    parser.add_argument("--expires-in", type=int)
    parser.add_argument("--issuer")
    parser.add_argument("--audience")
    parser.add_argument("--foreign-key", action="store_true")
    parser.add_argument("--many", action="store_true")
    parser.add_argument("--prepare", action="store_true")
    options = parser.parse_args()

    key = identity(options.folder)
    if options.foreign_key:
        key = new_key()
    if options.prepare:
        return 0
    try:
        if options.many:
            print(json.dumps(mint_all(options.node, key, json.load(sys.stdin)), indent=2))
        else:
            print(mint(options.node, key, {
                "subject": options.subject, "roles": options.role, "organisation": options.organisation,
                "minutes": options.minutes, "issued_at": options.issued_at, "expires_in": options.expires_in,
                "issuer": options.issuer, "audience": options.audience}))
    except (ValueError, TypeError, AttributeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
