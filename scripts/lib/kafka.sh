# shellcheck shell=bash
# How one Kafka broker of development is configured and started. Sourced by scripts/node, which runs it for a node, and
# by scripts/setup, which runs it once to write the class-data archive. Needs scripts/lib/env.sh.
#
# The broker is a controller too (KRaft, one process), has every topic once, and takes only clients with a certificate.
# The certificate's CN is the client's name; what that name may do is a matter of access rules, none means nothing.

# kafka_configure FOLDER BROKER_PORT CONTROLLER_PORT KEYSTORE CA [PARTNER_PORT PARTNER_ADDRESS]: writes
# FOLDER/server.properties. Partners come by a port of their own: what a broker calls itself there has to be the address
# by which they reach it, which between organisations, and behind a gate of a test, is another than at home.
kafka_configure() {
  local folder=$1 broker_port=$2 controller_port=$3 keystore=$4 ca=$5 partner='' advertised='' protocol=''
  if [[ $# -gt 5 ]]; then
    partner=,PARTNERS://127.0.0.1:$6 advertised=,PARTNERS://$7 protocol=,PARTNERS:SSL
  fi
  cat >"$folder/server.properties" <<EOF
# Written by scripts/lib/kafka.sh at each start.
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller_port
listeners=CLIENTS://127.0.0.1:$broker_port,CONTROLLERS://127.0.0.1:$controller_port$partner
advertised.listeners=CLIENTS://127.0.0.1:$broker_port$advertised
listener.security.protocol.map=CLIENTS:SSL,CONTROLLERS:SSL$protocol
controller.listener.names=CONTROLLERS
inter.broker.listener.name=CLIENTS
log.dirs=$folder/data

# Who is let in: holders of a certificate of the node's authority. The name in it is the principal.
ssl.keystore.type=PEM
ssl.keystore.location=$keystore
ssl.truststore.type=PEM
ssl.truststore.location=$ca
ssl.client.auth=required
listener.name.clients.ssl.client.auth=required
listener.name.controllers.ssl.client.auth=required
listener.name.partners.ssl.client.auth=required
ssl.enabled.protocols=TLSv1.2,TLSv1.3
ssl.principal.mapping.rules=RULE:^CN=([^,]+).*\$/\$1/,DEFAULT
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=false
super.users=User:kafka;User:node;User:operator

# One broker holds the only copy of everything.
auto.create.topics.enable=false
# A record has the time of its event, by the clock of the service that wrote it, which may be ahead of this machine's.
log.message.timestamp.after.max.ms=9223372036854775807
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=4
group.initial.rebalance.delay.ms=0
# After a crash the new process has to wait until the old one's session has ended.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
log.cleaner.dedupe.buffer.size=16777216
log.retention.hours=168
EOF
}

kafka_class_path() {
  local jars=("$SANKOFA_KAFKA_LIBS"/*.jar)
  local IFS=:
  # The archive is bound to the class path in this order.
  printf '%s' "${jars[*]}"
}

# kafka_java OPTION…: sets the array `kafka_command` to Java set up for Kafka; add a class and its arguments.
kafka_java() {
  kafka_command=("$SANKOFA_JAVA" -Xms64m -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1
    -Xlog:disable -Xlog:all=error:stderr -Djava.awt.headless=true
    "-Dlog4j2.configurationFile=$SANKOFA_ROOT/deploy/local/kafka/log4j2.properties"
    -cp "$(kafka_class_path)" "$@")
}

kafka_new_id() { head -c 16 /dev/urandom | base64 | tr '+/' '-_' | tr -d '='; }

# kafka_format FOLDER: makes FOLDER/data a Kafka store, unless it is one. Kafka's own tool takes seconds to start, and what
# it writes differs only in the ids of cluster and folder: it is asked once, and then copied.
kafka_format() {
  local folder=$1 pattern=$SANKOFA_KAFKA_HOME/formatted part
  [[ -e $folder/data/meta.properties ]] && return
  if [[ ! -e $pattern/meta.properties ]]; then
    kafka_java -XX:SharedArchiveFile="$SANKOFA_KAFKA_ARCHIVE"
    "${kafka_command[@]}" kafka.tools.StorageTool format "--cluster-id=$(kafka_new_id)" \
      -c "$folder/server.properties" >/dev/null || return 1
    part=$(mktemp -d "$SANKOFA_KAFKA_HOME/formatted-XXXXXX")
    cp -- "$folder/data"/* "$part/"
    # Whoever came first, its copy is as good.
    mv -T -- "$part" "$pattern" 2>/dev/null || rm -rf -- "$part"
    return
  fi
  mkdir -p -- "$folder/data"
  cp -- "$pattern/bootstrap.checkpoint" "$folder/data/"
  # Last: its presence says that the store is whole.
  sed -e "s/^cluster.id=.*/cluster.id=$(kafka_new_id)/" -e "s/^directory.id=.*/directory.id=$(kafka_new_id)/" \
    "$pattern/meta.properties" >"$folder/data/.meta.properties"
  mv -- "$folder/data/.meta.properties" "$folder/data/meta.properties"
}

# kafka_write_archive: starts a broker once in a temporary folder and keeps the classes that it loaded in
# SANKOFA_KAFKA_ARCHIVE, which halves the time of later starts.
kafka_write_archive() {
  local folder ports pid deadline
  folder=$(mktemp -d)
  mapfile -t ports < <("$SANKOFA_PYTHON" -c 'import socket
held = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
for s in held: print(s.getsockname()[1])')
  openssl req -x509 -newkey EC -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=kafka \
    -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' -keyout "$folder/key.pem" -out "$folder/ca.pem" \
    2>"$folder/log" || {
    cat -- "$folder/log" >&2
    rm -rf -- "$folder"
    return 1
  }
  cat "$folder/key.pem" "$folder/ca.pem" >"$folder/keystore.pem"
  kafka_configure "$folder" "${ports[0]}" "${ports[1]}" "$folder/keystore.pem" "$folder/ca.pem"
  kafka_format "$folder"
  kafka_java -XX:ArchiveClassesAtExit="$folder/classes.jsa"
  "${kafka_command[@]}" kafka.Kafka "$folder/server.properties" >"$folder/log" 2>&1 9>&- &
  pid=$!
  deadline=$((SECONDS + 60))
  until kafka_answers "${ports[0]}" "$folder/ca.pem" "$folder/ca.pem" "$folder/key.pem"; do
    if ! kill -0 "$pid" 2>/dev/null || ((SECONDS > deadline)); then
      cat "$folder/log" >&2
      kill -9 "$pid" 2>/dev/null
      rm -rf -- "$folder"
      return 1
    fi
    sleep 0.2
  done
  kill "$pid"
  wait "$pid" || true
  if [[ -s $folder/classes.jsa ]]; then mv -- "$folder/classes.jsa" "$SANKOFA_KAFKA_ARCHIVE"; fi
  rm -rf -- "$folder"
  [[ -s $SANKOFA_KAFKA_ARCHIVE ]]
}

# kafka_answers PORT CA CERTIFICATE KEY: true once a client that this certificate names gets the list of topics.
kafka_answers() {
  (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null || return 1
  "$SANKOFA_PYTHON" "$SANKOFA_ROOT/scripts/lib/kafka_admin.py" --brokers "127.0.0.1:$1" --ca "$2" --certificate "$3" \
    --key "$4" --deadline 10 answers
}
