#!/usr/bin/env bash
# Real Apache Kafka (one KRaft node, fetched by Maven) and Redis for tests, without Docker.
#
#   scripts/services.sh start|stop|kill|restart|pause|resume DIR [kafka|redis]
#
# start prints KAFKA=host:port and REDIS=host:port. kill is SIGKILL; restart starts what stopped or was killed again, with the same data and ports; pause and resume
# are SIGSTOP and SIGCONT. No name means both. Everything is in DIR but the fetched jars, which are kept in the user's cache. Only processes whose pid files are in DIR are touched.
set -euo pipefail

KAFKA_VERSION=${KAFKA_VERSION:-4.4.0}
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/clickloop
LIBS=$CACHE/kafka-$KAFKA_VERSION

say() { echo "services: $*" >&2; }
die() { say "$*"; exit 1; }

[ $# -ge 2 ] || die "usage: $0 start|stop|kill|restart|pause|resume DIR [kafka|redis]"
COMMAND=$1 DIR=$2 WHICH=${3:-both}
case $WHICH in kafka|redis|both) ;; *) die "\"$WHICH\" is neither kafka nor redis" ;; esac
wants() { [ "$WHICH" = both ] || [ "$WHICH" = "$1" ]; }

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
  [ -f "$LIBS/complete" ] && return
  say "fetching Apache Kafka $KAFKA_VERSION"
  mkdir -p "$LIBS"
  cat >"$LIBS/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>local</groupId><artifactId>kafka-libs</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$KAFKA_VERSION</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.24.3</version></dependency>
  </dependencies>
</project>
POM
  (cd "$LIBS" && mvn -q -B dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory=libs >&2) || die "Maven could not fetch Kafka $KAFKA_VERSION"
  touch "$LIBS/complete"
}

java_kafka() { java -Xmx512m -Xms128m -Dlog4j2.configurationFile="$DIR/log4j2.properties" -cp "$LIBS/libs/*" "$@"; }

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
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$control
advertised.listeners=PLAINTEXT://127.0.0.1:$port
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
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
  local id
  id=$(java_kafka kafka.tools.StorageTool random-uuid 2>/dev/null | tail -n 1)
  java_kafka kafka.tools.StorageTool format -t "$id" -c "$DIR/kafka.properties" --standalone >"$DIR/format.log" 2>&1 || die "Kafka's storage could not be formatted: $(tail -n 3 "$DIR/format.log")"
}

start_kafka() {
  alive kafka && return
  java -Xmx512m -Xms128m -Dlog4j2.configurationFile="$DIR/log4j2.properties" -cp "$LIBS/libs/*" kafka.Kafka "$DIR/kafka.properties" >>"$DIR/kafka.log" 2>&1 </dev/null &
  echo $! >"$DIR/kafka.pid"
  disown
}

# await_kafka waits until the broker answers an ApiVersions request, not only until its port is open.
await_kafka() {
  local port head
  port=$(cat "$DIR/kafka.port")
  for _ in $(seq 300); do
    alive kafka || return 1
    head=$( (exec 3<>"/dev/tcp/127.0.0.1/$port" && printf '\0\0\0\x0e\0\x12\0\0\0\0\0\x01\0\x04test' >&3 && timeout 2 head -c 8 <&3 | od -An -tx1 | tr -d ' \n') 2>/dev/null || true)
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
  redis-server --port "$(cat "$DIR/redis.port")" --bind 127.0.0.1 --dir "$DIR/redis-data" --save '' --appendonly yes --appendfsync everysec \
    --maxmemory-policy noeviction >>"$DIR/redis.log" 2>&1 </dev/null &
  echo $! >"$DIR/redis.pid"
  disown
}

await_redis() {
  for _ in $(seq 200); do
    alive redis || die "Redis ended: $(tail -n 5 "$DIR/redis.log")"
    [ "$(redis-cli -p "$(cat "$DIR/redis.port")" ping 2>/dev/null || true)" = PONG ] && return
    sleep 0.05
  done
  die "Redis does not answer after 10 s: $(tail -n 5 "$DIR/redis.log")"
}

start() {
  mkdir -p "$DIR"
  DIR=$(cd "$DIR" && pwd)
  if wants redis; then need_redis; start_redis; fi
  if wants kafka; then
    need_java
    fetch_kafka
    if [ -e "$DIR/kafka.ran" ]; then again_kafka; else first_kafka; fi
    echo "KAFKA=127.0.0.1:$(cat "$DIR/kafka.port")"
  fi
  if wants redis; then await_redis; echo "REDIS=127.0.0.1:$(cat "$DIR/redis.port")"; fi
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
