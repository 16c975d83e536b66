#!/usr/bin/env bash
# Real Apache Kafka (one KRaft node, fetched by Maven) and Redis for tests, without Docker.
#
#   scripts/services.sh start|stop|kill|restart|pause|resume DIR [kafka|redis] [--secure]
#
# start prints KAFKA=host:port and REDIS=host:port. kill is SIGKILL; restart starts what stopped or was killed again, with the same data and ports; pause and resume
# are SIGSTOP and SIGCONT. No name means both. Everything is in DIR but the fetched jars, which are kept in the user's cache. Only processes whose pid files are in DIR are touched.
#
# start --secure gives both of them TLS and users without any rights but for the administrator; a folder that was started so stays so. It prints also
#   CONFIG=file         the sections kafka and redis for the administrator, for --config
#   KAFKA_MTLS=...      a listener that wants a client certificate, such as tls/client.pem (user "CN=client")
#   KAFKA_REAUTH=...    a listener like KAFKA whose sessions last three seconds
# and writes, all with mode 0600: tls/ca.pem and tls/ca.key, NAME.pem and NAME.key of each certificate in tls/, the passwords of Kafka's and Redis' users in passwords/, and in
# bin/ programs of Kafka's distribution that run in DIR, so that --command-config admin.properties makes them the administrator's.
set -euo pipefail
umask 077

KAFKA_VERSION=${KAFKA_VERSION:-4.4.0}
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/clickloop
LIBS=$CACHE/kafka-$KAFKA_VERSION

say() { echo "services: $*" >&2; }
die() { say "$*"; exit 1; }

SECURE=""
for arg in "$@"; do
  shift
  if [ "$arg" = --secure ]; then SECURE=yes; else set -- "$@" "$arg"; fi
done
[ $# -ge 2 ] || die "usage: $0 start|stop|kill|restart|pause|resume DIR [kafka|redis] [--secure]"
COMMAND=$1 DIR=$2 WHICH=${3:-both}
case $WHICH in kafka|redis|both) ;; *) die "\"$WHICH\" is neither kafka nor redis" ;; esac
wants() { [ "$WHICH" = both ] || [ "$WHICH" = "$1" ]; }

secure() { [ -e "$DIR/secure" ]; }

# USERS are the users of Kafka beside the administrator. Nobody may do anything at first.
USERS="ingest scorer feedback learner analyst dashboard"

alive() { [ -f "$DIR/$1.pid" ] && kill -0 "$(cat "$DIR/$1.pid")" 2>/dev/null; }

# free_port prints a port that nobody listens on, below those that the system gives to outgoing connections.
free_port() {
  local port
  for _ in $(seq 200); do
    port=$((12000 + RANDOM % 20000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
  die "no free port found"
}

need_java() {
  command -v java >/dev/null && command -v mvn >/dev/null && return
  [ "$(id -u)" = 0 ] || die "Java 17 and Maven are needed: install them, or run as root"
  say "installing Java and Maven"
  { apt-get update -qq && apt-get install -y -qq openjdk-17-jre-headless maven; } >&2
}

need_openssl() {
  command -v openssl >/dev/null && return
  [ "$(id -u)" = 0 ] || die "openssl is needed: install it, or run as root"
  say "installing openssl"
  { apt-get install -y -qq openssl || { apt-get update -qq && apt-get install -y -qq openssl; }; } >&2
}

need_redis() {
  command -v redis-server >/dev/null && return
  [ "$(id -u)" = 0 ] || die "redis-server is needed: install it, or run as root"
  say "installing redis-server"
  local policy=/usr/sbin/policy-rc.d made=""
  # The package would start a server of its own on the standard port.
  if [ ! -e $policy ]; then printf '#!/bin/sh\nexit 101\n' >$policy; chmod +x $policy; made=yes; fi
  { apt-get install -y -qq redis-server || { apt-get update -qq && apt-get install -y -qq redis-server; }; } >&2
  [ -z "$made" ] || rm -f $policy
  command -v redis-server >/dev/null || die "redis-server could not be installed"
}

fetch_kafka() {
  [ -f "$LIBS/complete-with-tools" ] && return
  say "fetching Apache Kafka $KAFKA_VERSION"
  mkdir -p "$LIBS"
  cat >"$LIBS/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>local</groupId><artifactId>kafka-libs</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$KAFKA_VERSION</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>$KAFKA_VERSION</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.24.3</version></dependency>
  </dependencies>
</project>
POM
  (cd "$LIBS" && mvn -q -B dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory=libs >&2) || die "Maven could not fetch Kafka $KAFKA_VERSION"
  touch "$LIBS/complete-with-tools"
}

# certificate NAME [extensions] makes tls/NAME.pem and tls/NAME.key, signed by tls/ca.
certificate() {
  local name=$1 extensions=${2:-}
  openssl req -new -newkey rsa:2048 -nodes -keyout "$DIR/tls/$name.key" -out "$DIR/tls/$name.csr" -subj "/CN=$name" 2>/dev/null
  openssl x509 -req -in "$DIR/tls/$name.csr" -CA "$DIR/tls/ca.pem" -CAkey "$DIR/tls/ca.key" -CAcreateserial -days 30 -out "$DIR/tls/$name.pem" \
    ${extensions:+-extfile <(echo "$extensions")} 2>/dev/null
  rm "$DIR/tls/$name.csr"
}

# prepare_secure makes certificates and passwords, once.
prepare_secure() {
  [ -e "$DIR/tls/ready" ] && return
  need_openssl
  mkdir -p "$DIR/tls" "$DIR/passwords"
  openssl req -x509 -newkey rsa:2048 -nodes -keyout "$DIR/tls/ca.key" -out "$DIR/tls/ca.pem" -days 30 -subj "/CN=test authority" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign 2>/dev/null
  certificate server "subjectAltName=DNS:localhost,IP:127.0.0.1"
  certificate client
  cat "$DIR/tls/server.key" "$DIR/tls/server.pem" >"$DIR/tls/server-with-key.pem" # the form in which Kafka reads them
  local user
  for user in admin $USERS; do openssl rand -hex 16 >"$DIR/passwords/$user"; done
  touch "$DIR/tls/ready"
}

password() { cat "$DIR/passwords/$1"; }

java_kafka() { java -Xmx512m -Xms128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dlog4j2.configurationFile="$DIR/log4j2.properties" -cp "$LIBS/libs/*" "$@"; }

# listeners prints the properties of Kafka's listeners: plain text on one port.
listeners() {
  local port=$1 control=$2
  cat <<CONF
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$control
advertised.listeners=PLAINTEXT://127.0.0.1:$port
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
CONF
}

# secure_listeners prints the properties of Kafka's listeners with TLS. The broker itself comes with its certificate.
secure_listeners() {
  local port=$1 control=$2 mtls=$3 reauth=$4 name plain user
  plain="org.apache.kafka.common.security.plain.PlainLoginModule required"
  for user in admin $USERS; do plain+=" user_$user=\"$(password "$user")\""; done
  cat <<CONF
listeners=CLIENTS://127.0.0.1:$port,MTLS://127.0.0.1:$mtls,REAUTH://127.0.0.1:$reauth,CONTROLLER://127.0.0.1:$control
advertised.listeners=CLIENTS://127.0.0.1:$port,MTLS://127.0.0.1:$mtls,REAUTH://127.0.0.1:$reauth
inter.broker.listener.name=MTLS
listener.security.protocol.map=CLIENTS:SASL_SSL,MTLS:SSL,REAUTH:SASL_SSL,CONTROLLER:SSL
listener.name.mtls.ssl.client.auth=required
listener.name.controller.ssl.client.auth=required
listener.name.reauth.connections.max.reauth.ms=3000
ssl.keystore.type=PEM
ssl.keystore.location=$DIR/tls/server-with-key.pem
ssl.truststore.type=PEM
ssl.truststore.location=$DIR/tls/ca.pem
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=false
super.users=User:admin;User:CN=server
CONF
  for name in clients reauth; do
    echo "listener.name.$name.plain.sasl.jaas.config=$plain;"
    echo "listener.name.$name.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;"
    echo "listener.name.$name.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;"
  done
}

# kafka_programs writes bin/kafka-acls.sh and others, which act as the administrator.
kafka_programs() {
  mkdir -p "$DIR/bin"
  cat >"$DIR/admin.properties" <<CONF
security.protocol=SASL_SSL
ssl.truststore.type=PEM
ssl.truststore.location=$DIR/tls/ca.pem
sasl.mechanism=SCRAM-SHA-512
sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username="admin" password="$(password admin)";
CONF
  local program
  for program in acls:org.apache.kafka.tools.AclCommand topics:org.apache.kafka.tools.TopicCommand configs:kafka.admin.ConfigCommand; do
    cat >"$DIR/bin/kafka-${program%%:*}.sh" <<PROGRAM
#!/bin/sh
cd "$DIR"
exec java -Xmx256m -XX:TieredStopAtLevel=1 -Dlog4j2.configurationFile="$DIR/log4j2.properties" -cp "$LIBS/libs/*" ${program#*:} "\$@"
PROGRAM
    chmod 700 "$DIR/bin/kafka-${program%%:*}.sh"
  done
}

# format_arguments prints what StorageTool is called with, one a line: passwords do not belong in the list of processes.
format_arguments() {
  printf '%s\n' kafka.tools.StorageTool format -t "$1" -c "$DIR/kafka.properties" --standalone
  secure || return 0
  local user mechanism
  for user in admin $USERS; do
    for mechanism in SCRAM-SHA-256 SCRAM-SHA-512; do printf '%s\n' --add-scram "$mechanism=[name=$user,password=$(password "$user")]"; done
  done
}

prepare_kafka() {
  [ -f "$DIR/kafka.properties" ] && return
  local port control
  port=$(free_port) control=$(free_port)
  echo "$port" >"$DIR/kafka.port"
  cat >"$DIR/log4j2.properties" <<LOG
status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d %p %c{1}: %m%n
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
LOG
  cat >"$DIR/kafka.properties" <<CONF
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:$control
controller.listener.names=CONTROLLER
log.dirs=$DIR/kafka-data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
CONF
  if secure; then
    local mtls reauth
    mtls=$(free_port) reauth=$(free_port)
    echo "$mtls" >"$DIR/kafka.mtls.port"
    echo "$reauth" >"$DIR/kafka.reauth.port"
    secure_listeners "$port" "$control" "$mtls" "$reauth" >>"$DIR/kafka.properties"
    kafka_programs
  else
    listeners "$port" "$control" >>"$DIR/kafka.properties"
  fi
  local id
  id=$(java_kafka kafka.tools.StorageTool random-uuid 2>/dev/null | tail -n 1)
  format_arguments "$id" >"$DIR/format.arguments"
  java_kafka "@$DIR/format.arguments" >"$DIR/format.log" 2>&1 || die "Kafka's storage could not be formatted: $(tail -n 3 "$DIR/format.log")"
}

start_kafka() {
  alive kafka && return
  # it lives for minutes: the second compiler and concurrent collector would cost more than they save
  java -Xmx512m -Xms128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dlog4j2.configurationFile="$DIR/log4j2.properties" -cp "$LIBS/libs/*" kafka.Kafka "$DIR/kafka.properties" >>"$DIR/kafka.log" 2>&1 </dev/null &
  echo $! >"$DIR/kafka.pid"
  disown
}

# ask_versions prints the first bytes of a broker's answer to an ApiVersions request.
ask_versions() {
  local request='\0\0\0\x0e\0\x12\0\0\0\0\0\x01\0\x04test'
  if secure; then
    { printf "$request"; sleep 0.3; } | timeout 3 openssl s_client -quiet -no_ign_eof -connect "127.0.0.1:$1" -CAfile "$DIR/tls/ca.pem" | head -c 8
  else
    exec 3<>"/dev/tcp/127.0.0.1/$1"
    printf "$request" >&3
    timeout 2 head -c 8 <&3
  fi
}

# await_kafka waits until the broker answers an ApiVersions request, not only until its port is open.
await_kafka() {
  local port head
  port=$(cat "$DIR/kafka.port")
  for _ in $(seq 300); do
    alive kafka || return 1
    head=$(ask_versions "$port" 2>/dev/null | od -An -tx1 | tr -d ' \n' || true)
    case $head in *00000001) return ;; esac
    sleep 0.1
  done
  return 1
}

# first_kafka starts a broker that never ran here; when another program takes its ports in the moment between, it tries others.
first_kafka() {
  for _ in 1 2 3; do
    prepare_kafka
    start_kafka
    await_kafka && { touch "$DIR/kafka.ran"; return; }
    say "Kafka did not start, trying other ports"
    signal kafka KILL gone
    rm -rf "$DIR/kafka.properties" "$DIR/kafka-data"
  done
  die "Kafka does not start: $(grep -v '^[[:space:]]*at ' "$DIR/kafka.log" | tail -n 5)"
}

again_kafka() {
  start_kafka
  await_kafka || die "Kafka does not answer: $(grep -v '^[[:space:]]*at ' "$DIR/kafka.log" | tail -n 5)"
}

start_redis() {
  alive redis && return
  [ -f "$DIR/redis.port" ] || free_port >"$DIR/redis.port"
  mkdir -p "$DIR/redis-data"
  local conf=() port
  port=$(cat "$DIR/redis.port")
  if secure; then secure_redis "$port"; conf=("$DIR/redis.conf"); else conf=(--port "$port"); fi
  redis-server "${conf[@]}" --bind 127.0.0.1 --dir "$DIR/redis-data" --save '' --appendonly yes --appendfsync everysec \
    --maxmemory-policy noeviction >>"$DIR/redis.log" 2>&1 </dev/null &
  echo $! >"$DIR/redis.pid"
  disown
}

# secure_redis writes Redis' settings of TLS and users. The administrator may do anything; the user without a name is off.
secure_redis() {
  [ -f "$DIR/redis.conf" ] && return
  printf 'user default off\nuser admin on #%s ~* &* +@all\n' "$(tr -d '\n' <"$DIR/passwords/admin" | sha256sum | cut -d ' ' -f 1)" >"$DIR/redis-users.acl"
  cat >"$DIR/redis.conf" <<CONF
port 0
tls-port $1
tls-cert-file $DIR/tls/server.pem
tls-key-file $DIR/tls/server.key
tls-ca-cert-file $DIR/tls/ca.pem
tls-auth-clients optional
aclfile $DIR/redis-users.acl
CONF
}

redis_cli() {
  local conf=()
  if secure; then conf=(--tls --cacert "$DIR/tls/ca.pem" --user admin); export REDISCLI_AUTH; REDISCLI_AUTH=$(password admin); fi
  redis-cli -p "$(cat "$DIR/redis.port")" "${conf[@]}" "$@"
}

await_redis() {
  for _ in $(seq 200); do
    alive redis || die "Redis ended: $(tail -n 5 "$DIR/redis.log")"
    [ "$(redis_cli ping 2>/dev/null || true)" = PONG ] && return
    sleep 0.05
  done
  die "Redis does not answer after 10 s: $(tail -n 5 "$DIR/redis.log")"
}

start() {
  mkdir -p "$DIR"
  DIR=$(cd "$DIR" && pwd)
  if [ -n "$SECURE" ] && ! secure; then
    [ ! -e "$DIR/kafka.port" ] && [ ! -e "$DIR/redis.port" ] || die "$DIR was started without --secure: give another folder"
    touch "$DIR/secure"
  fi
  if secure; then prepare_secure; fi
  if wants redis; then need_redis; start_redis; fi
  if wants kafka; then
    need_java
    fetch_kafka
    if [ -e "$DIR/kafka.ran" ]; then again_kafka; else first_kafka; fi
    echo "KAFKA=127.0.0.1:$(cat "$DIR/kafka.port")"
    if secure; then echo "KAFKA_MTLS=127.0.0.1:$(cat "$DIR/kafka.mtls.port")"; echo "KAFKA_REAUTH=127.0.0.1:$(cat "$DIR/kafka.reauth.port")"; fi
  fi
  if wants redis; then await_redis; echo "REDIS=127.0.0.1:$(cat "$DIR/redis.port")"; fi
  if secure; then configuration >"$DIR/config.yaml"; echo "CONFIG=$DIR/config.yaml"; fi
}

# configuration prints clickloop's settings for what has been started, as the administrator.
configuration() {
  if [ -f "$DIR/kafka.port" ]; then
    cat <<YAML
kafka:
  brokers: ["127.0.0.1:$(cat "$DIR/kafka.port")"]
  tls: {enabled: true, ca_file: "$DIR/tls/ca.pem"}
  sasl: {mechanism: SCRAM-SHA-512, username: admin, password_file: "$DIR/passwords/admin"}
YAML
  fi
  if [ -f "$DIR/redis.port" ]; then
    cat <<YAML
redis:
  address: "127.0.0.1:$(cat "$DIR/redis.port")"
  tls: {enabled: true, ca_file: "$DIR/tls/ca.pem"}
  username: admin
  password_file: "$DIR/passwords/admin"
YAML
  fi
}

# signal sends a signal to what runs; with "gone" it waits until it has ended.
signal() {
  local name=$1 sig=$2 gone=${3:-} pid
  alive "$name" || { [ -n "$gone" ] && rm -f "$DIR/$name.pid"; return 0; }
  pid=$(cat "$DIR/$name.pid")
  kill "-$sig" "$pid" 2>/dev/null || true
  [ -n "$gone" ] || return 0
  for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || { rm -f "$DIR/$name.pid"; return 0; }; sleep 0.1; done
  kill -KILL "$pid" 2>/dev/null || true
  rm -f "$DIR/$name.pid"
}

each() { if wants kafka; then signal kafka "$@"; fi; if wants redis; then signal redis "$@"; fi; }

case $COMMAND in
  start|restart) start ;;
  stop) [ -d "$DIR" ] || exit 0; each CONT; each TERM gone ;;
  kill) each CONT; each KILL gone ;;
  pause) each STOP ;;
  resume) each CONT ;;
  *) die "there is no command \"$COMMAND\"" ;;
esac
