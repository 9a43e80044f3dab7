# shellcheck shell=bash
# Sourced by every script: where things are, and how a script speaks to its reader. Has no effect but variables and
# functions, so it can also be sourced by hand:  . scripts/lib/env.sh
#
#   SANKOFA_ROOT          this checkout
#   SANKOFA_CACHE         tools that all checkouts of one user share (default: ~/.cache/sankofa)
#   SANKOFA_PYTHON        Python with the packages of deploy/local/python/requirements.txt
#   SANKOFA_BUF           buf, the checker of protos
#   SANKOFA_ASYNCAPI_HOME the checker of the AsyncAPI document
#   SANKOFA_KUBERNETES_VENV   Python with what checks the Kubernetes manifests, kubectl among it
#   SANKOFA_JAVA          Java that runs Kafka
#   SANKOFA_KAFKA_LIBS    folder of Kafka's jars
#   SANKOFA_KAFKA_ARCHIVE class-data archive that makes Kafka start in half the time
#   SANKOFA_GOOGLEAPIS    folder that holds google/rpc/*.proto and google/api/*.proto
#   SANKOFA_CLANG_FORMAT, SANKOFA_CLANG_TIDY   the versions that the tree is formatted and checked with
#
# A tool's folder carries a digest of the file that pins it, so a changed pin is a new folder and never a half-updated one.

SANKOFA_ROOT="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)"
: "${SANKOFA_CACHE:=${XDG_CACHE_HOME:-$HOME/.cache}/sankofa}"

# Prints the first 12 digits of a digest over the given files; one that isn't there counts as empty.
digest_of() { { cat -- "$@" 2>/dev/null || true; } | sha256sum | cut -c1-12; }

SANKOFA_VENV="$SANKOFA_CACHE/venv-$(digest_of "$SANKOFA_ROOT/deploy/local/python/requirements.txt")"
SANKOFA_PYTHON="$SANKOFA_VENV/bin/python"
SANKOFA_GOOGLEAPIS="$SANKOFA_CACHE/googleapis"

SANKOFA_BUF_HOME="$SANKOFA_CACHE/buf-$(digest_of "$SANKOFA_ROOT/deploy/local/buf/package.json")"
SANKOFA_BUF="$SANKOFA_BUF_HOME/buf"

SANKOFA_ASYNCAPI_HOME="$SANKOFA_CACHE/asyncapi-$(digest_of "$SANKOFA_ROOT/deploy/local/asyncapi/package.json")"

SANKOFA_KUBERNETES_VENV="$SANKOFA_CACHE/kubernetes-$(digest_of "$SANKOFA_ROOT/deploy/local/kubernetes/requirements.txt")"

SANKOFA_KAFKA_HOME="$SANKOFA_CACHE/kafka-$(digest_of "$SANKOFA_ROOT/deploy/local/kafka/pom.xml")"
SANKOFA_KAFKA_LIBS="$SANKOFA_KAFKA_HOME/libs"
SANKOFA_JAVA="/usr/lib/jvm/java-17-openjdk-$(dpkg --print-architecture)/bin/java"
# An archive is only good for the very Java that wrote it.
SANKOFA_KAFKA_ARCHIVE="$SANKOFA_KAFKA_HOME/classes-$(digest_of "${SANKOFA_JAVA%/bin/java}/release").jsa"

SANKOFA_CLANG_FORMAT=clang-format-14
SANKOFA_CLANG_TIDY_HOME="$SANKOFA_CACHE/clang-tidy-$(digest_of "$SANKOFA_ROOT/deploy/local/clang-tidy/requirements.txt")"
SANKOFA_CLANG_TIDY="$SANKOFA_CLANG_TIDY_HOME/clang_tidy/data/bin/clang-tidy"

export SANKOFA_ROOT SANKOFA_CACHE SANKOFA_VENV SANKOFA_PYTHON SANKOFA_GOOGLEAPIS SANKOFA_BUF_HOME SANKOFA_BUF \
  SANKOFA_ASYNCAPI_HOME SANKOFA_KUBERNETES_VENV \
  SANKOFA_KAFKA_HOME SANKOFA_KAFKA_LIBS SANKOFA_JAVA SANKOFA_KAFKA_ARCHIVE SANKOFA_CLANG_FORMAT \
  SANKOFA_CLANG_TIDY_HOME SANKOFA_CLANG_TIDY
export PYTHONDONTWRITEBYTECODE=1

# say TEXT…: one line of progress, on the standard error so that a script's output stays its own.
say() { printf '%s\n' "$*" >&2; }

# fail WHAT [WHAT TO DO]…: says what went wrong and what to do about it, and ends the script.
fail() {
  printf 'error: %s\n' "$1" >&2
  shift
  local line
  for line in "$@"; do printf '       %s\n' "$line" >&2; done
  exit 1
}

# usage: prints the comment at the head of the calling script, which is its help.
usage() { sed -n '2,/^[^#]/{/^#/!d;s/^# \{0,1\}//;p}' "$0"; }
