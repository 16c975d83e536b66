#!/usr/bin/env bash
# Ours and the peers', alternating, five times, on one file of a million rows: medians of whole processes and their ratios to Vowpal Wabbit, as a table.
# Peers (Vowpal Wabbit 9.11.9, River 0.26.1) go into a virtual environment in the user's cache.
set -euo pipefail
cd "$(dirname "$0")/.."
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/clickloop
ROWS=${ROWS:-1000000} RUNS=${RUNS:-5}
VENV=$CACHE/peers DATA=$CACHE/pairs-$ROWS
[ -x "$VENV/bin/python" ] || { python3 -m venv "$VENV" && "$VENV/bin/pip" install -q vowpalwabbit==9.11.9 river==0.26.1; }
[ -f "$DATA/train.vw" ] || go run ./bench/pairs -rows "$ROWS" -seed 7 "$DATA"
F=$DATA/train.vw
declare -A T
seconds() {
  local s=$EPOCHREALTIME
  "${@:2}" >/dev/null 2>"$CACHE/peers.log" || { echo "failed: ${*:2}" >&2; tail -n 5 "$CACHE/peers.log" >&2; exit 1; }
  T[$1]="${T[$1]:-} $(echo "$EPOCHREALTIME - $s" | bc)"
}
median() { tr ' ' '\n' <<<"$1" | grep . | sort -n | awk '{a[NR]=$1} END {print a[int((NR+1)/2)]}'; }
for _ in $(seq "$RUNS"); do
  seconds vw "$VENV/bin/python" -m vowpalwabbit --quiet -d "$F" --loss_function logistic --link logistic -b 20 --interactions AB
  seconds linear bin/clickloop fit "$F" --network linear --cross A,B --json
  seconds ffm bin/clickloop fit "$F" --network ffm --json
  seconds default bin/clickloop fit "$F" --json
done
v=$(median "${T[vw]}")
echo "| $ROWS rows, median of $RUNS | seconds | rows/s | of VW's speed |"
echo "|---|---|---|---|"
for n in vw linear ffm default; do
  m=$(median "${T[$n]}")
  awk -v n="$n" -v m="$m" -v v="$v" -v r="$ROWS" 'BEGIN {printf "| %s | %.2f | %.0f | %.2f |\n", n, m, r/m, v/m}'
done
"$VENV/bin/python" bench/river.py examples/bank-marketing/bank-additional-full.csv.gz
for network in default linear; do
  flags=""; [ $network = default ] || flags="--network linear"
  # shellcheck disable=SC2086
  bin/clickloop fit examples/bank-marketing/bank-additional-full.csv.gz --label y --positive yes --drop duration $flags --json |
    python3 -c 'import json,sys; o=json.load(sys.stdin); print("| ours, %s, bank-marketing | log loss %.5f | %.0f examples/s |" % (sys.argv[1], o["log_loss"], o["examples_per_second"]))' $network
done
