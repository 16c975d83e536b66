#!/usr/bin/env bash
# Ours and the peers', alternating, five times in one run: on a file of a million rows against Vowpal Wabbit, on bank-marketing against River. Prints tables of
# medians and ratios. Peers (Vowpal Wabbit 9.11.9, River 0.26.1) go into a virtual environment in the user's cache.
set -euo pipefail
cd "$(dirname "$0")/.."
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/clickloop
ROWS=${ROWS:-1000000} RUNS=${RUNS:-5}
VENV=$CACHE/peers DATA=$CACHE/pairs-$ROWS
[ -x "$VENV/bin/python" ] || { python3 -m venv "$VENV" && "$VENV/bin/pip" install -q vowpalwabbit==9.11.9 river==0.26.1; }
[ -f "$DATA/train.vw" ] || go run ./bench/pairs -rows "$ROWS" -seed 7 "$DATA"
F=$DATA/train.vw BANK=examples/bank-marketing/bank-additional-full.csv.gz
declare -A T L
run() { "$@" 2>"$CACHE/peers.log" || { echo "failed: $*" >&2; tail -n 5 "$CACHE/peers.log" >&2; exit 1; }; }
seconds() { # NAME COMMAND...: of the whole process
  local s=$EPOCHREALTIME
  run "${@:2}" >/dev/null
  T[$1]="${T[$1]:-} $(echo "$EPOCHREALTIME - $s" | bc)"
}
ours() { # NAME FLAGS...: rows/s that fit tells of bank-marketing, reading included
  local out
  out=$(run bin/clickloop fit "$BANK" --label y --positive yes --drop duration "${@:2}" --json)
  T[$1]="${T[$1]:-} $(sed 's/.*"examples_per_second":\([0-9.]*\).*/\1/' <<<"$out")"
  L[$1]=$(sed 's/.*"log_loss":\([0-9.]*\).*/\1/' <<<"$out")
}
river() {
  local out
  out=$(run "$VENV/bin/python" bench/river_peer.py "$BANK")
  T[river]="${T[river]:-} ${out#* }" L[river]=${out% *}
}
median() { tr ' ' '\n' <<<"$1" | grep . | sort -g | awk '{a[NR]=$1} END {print a[int((NR+1)/2)]}'; }
for i in $(seq "$RUNS"); do
  echo "run $i of $RUNS" >&2
  seconds "Vowpal Wabbit, linear, one interaction" "$VENV/bin/python" -m vowpalwabbit --quiet -d "$F" --loss_function logistic --link logistic -b 20 --interactions AB
  seconds "--network linear --cross A,B" bin/clickloop fit "$F" --network linear --cross A,B --json
  seconds "--network ffm" bin/clickloop fit "$F" --network ffm --json
  seconds "default" bin/clickloop fit "$F" --json
  river
  ours "default, bank-marketing"
  ours "--network linear, bank-marketing" --network linear
done
v=$(median "${T[Vowpal Wabbit, linear, one interaction]}") r=$(median "${T[river]}")
echo "| pairs, $ROWS rows of text, median of $RUNS | seconds | rows/s | of Vowpal Wabbit's speed |"
echo "|---|---|---|---|"
for n in "Vowpal Wabbit, linear, one interaction" "--network linear --cross A,B" "--network ffm" "default"; do
  m=$(median "${T[$n]}")
  awk -v n="$n" -v m="$m" -v v="$v" -v r="$ROWS" 'BEGIN {printf "| %s | %.2f | %.0f | %.2f |\n", n, m, r/m, v/m}'
done
echo
echo "| bank-marketing, 41,188 rows, median of $RUNS | log loss | rows/s | of River's speed |"
echo "|---|---|---|---|"
awk -v l="${L[river]}" -v r="$r" 'BEGIN {printf "| River, logistic regression | %.5f | %.0f | 1 |\n", l, r}'
for n in "default" "--network linear"; do
  m=$(median "${T[$n, bank-marketing]}")
  awk -v n="$n" -v l="${L[$n, bank-marketing]}" -v m="$m" -v r="$r" 'BEGIN {printf "| %s | %.5f | %.0f | %.1f |\n", n, l, m, m/r}'
done
