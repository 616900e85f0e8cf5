#!/bin/bash
# Measures strata with many pods against a real kube-apiserver and etcd (nothing else runs, so that nothing else
# uses the machine), and k9s in the same way when it is on PATH. It prints a line of JSON for each run; lab/tuibench.py
# says what is in it. Run it on a machine that does nothing else.
#
# Usage: bench.sh [PODS...]      default: 10000 50000
#
# Environment: RUNS=3 for each program, in turn; WINDOW=30 seconds; RATE=50 changes per second in the second window;
# STRATA_BIN, STRATA_LAB_BIN: see check.sh.
set -uo pipefail
HERE=$(dirname "$(readlink -f "$0")")
# shellcheck disable=SC2034 # for lib.sh
ROOT=$(readlink -f "$HERE/../..")
case ${1:-} in -*) sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$0" && exit 2 ;; esac
[ $# -gt 0 ] || set -- 10000 50000
RUNS=${RUNS:-3} WINDOW=${WINDOW:-30} RATE=${RATE:-50}

WORK=$(mktemp -d)
# shellcheck source=../lib.sh
. "$HERE/../lib.sh"
# shellcheck source=cluster.sh
. "$HERE/cluster.sh"

cleanup() {
	trap '' INT TERM
	cluster_down
	rm -rf "$WORK"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# bench LABEL READY KEYS COMMAND...
bench() {
	local label=$1 ready=$2 keys=$3 seconds=$((WINDOW + 15))
	shift 3
	env -u COLORTERM "$HERE/../tuibench.py" --label "$label" --ready "$ready" --keys "$keys" --window "$WINDOW" \
		--settle 10 --churn "$LAB_BIN/kubelab-bin churn -kubeconfig $KUBECONFIG -rate $RATE -for ${seconds}s" -- "$@"
}

# Its pane of pods, as large as the screen: all pods are counted in its title, and rows are drawn.
bench_strata() { bench "strata $1" "Pods ─[^\\n]*[ /]$1 pods.*Running" ':pods' "$STRATA" --no-host; }

bench_k9s() { bench "k9s $1" "all\\)\\[$1" '' env K9S_CONFIG_DIR="$WORK/k9s" k9s -A -c pods --splashless; }

build_lab && build_strata || exit 1
private_environment
mkdir -p "$WORK/k9s"
printf 'k9s:\n  skipLatestRevCheck: true\n' >"$WORK/k9s/config.yaml" # or it asks the network for its newest version
for pods in "$@"; do
	rm -rf "$CLUSTER"
	cluster_up -kcm=false -scheduler=false || exit 1
	export KUBECONFIG=$CLUSTER/kubeconfig-admin
	note "$(kubelab seed -kubeconfig "$KUBECONFIG" -nodes $((pods / 10 > 3 ? pods / 10 : 3)) -pods "$pods" -status)"
	for _ in $(seq "$RUNS"); do
		bench_strata "$pods"
		! command -v k9s >/dev/null || bench_k9s "$pods"
	done
	cluster_down
done
