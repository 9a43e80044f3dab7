# shellcheck shell=bash
# What scripts/node, scripts/pki, scripts/token and scripts/cluster-secrets agree on: the folder of a node, who is in it, and
# its secrets. Needs lib/env.sh.

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

# secret FILE COMMAND…: keeps what the command prints in a file that only its owner reads, unless it is there.
secret() {
  local file=$1
  shift
  [[ -s $file ]] && return
  (umask 077 && "$@" >"$file.part")
  mv -- "$file.part" "$file"
}

# make_secrets FOLDER: passwords of the database's roles and the node's three keys, those that are missing.
make_secrets() {
  local name
  (umask 077 && mkdir -p -- "$1/secrets" "$1/keys")
  for name in admin postgres "${SANKOFA_SERVICES[@]}"; do secret "$1/secrets/$name.password" openssl rand -hex 24; done
  for name in master signing sealing; do secret "$1/keys/$name.key" openssl rand -base64 32; done
}
