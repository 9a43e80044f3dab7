# shellcheck shell=bash
# What scripts/node, scripts/pki and scripts/token agree on: the folder of a node and who is in it. Needs lib/env.sh.

SANKOFA_SERVICES=(registration validation funding monitoring exchange)
# Every system that holds a certificate of a node: its own process and services, its servers, and those who call it.
# shellcheck disable=SC2034 # scripts/pki reads it
SANKOFA_SYSTEMS=(node "${SANKOFA_SERVICES[@]}" sankofactl portal ofii auditor kafka postgres operator)

# node_folder NAME: checks the name and prints the node's folder. The name is part of paths, topics and certificates.
node_folder() {
  [[ $1 =~ ^[a-z][a-z0-9-]{0,29}$ ]] ||
    fail "'$1' is not a name for a node" "Use lower-case letters, digits and hyphens, a letter first: cm, tg, test."
  printf '%s\n' "$SANKOFA_ROOT/.run/$1"
}

# need_tools: ends the script, with what to do, when scripts/setup has not been run.
need_tools() {
  [[ -e $SANKOFA_VENV/.complete && -e $SANKOFA_KAFKA_HOME/.complete && -e $SANKOFA_KAFKA_ARCHIVE ]] ||
    fail "the tools of this checkout are not installed" "Run: scripts/setup"
}
