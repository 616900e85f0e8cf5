# shellcheck shell=bash
# A kubelab control plane for the checks and benchmarks beside this file. To be sourced after lib.sh; WORK must be a
# folder. The programs are kept in STRATA_LAB_BIN (default: strata-lab in the user's cache) and built when missing.

LAB_BIN=${STRATA_LAB_BIN:-${XDG_CACHE_HOME:-$HOME/.cache}/strata-lab}
CLUSTER=$WORK/cluster

build_lab() {
	[ -x "$LAB_BIN/kubelab-bin" ] && [ -x "$LAB_BIN/kwok" ] && return
	echo "building the control plane into $LAB_BIN; the first time takes 10 minutes or more"
	"$ROOT/lab/kube/build.sh" "$LAB_BIN"
}

kubelab() { "$LAB_BIN/kubelab-bin" "$@"; }

# cluster_up FLAGS...: starts the control plane and waits until it is ready.
cluster_up() {
	mkdir -p "$CLUSTER"
	kubelab up -dir "$CLUSTER" "$@" >"$WORK/up.out" 2>&1 &
	CLUSTER_PID=$!
	until_true 120 grep -q READY "$WORK/up.out" || {
		cat "$WORK/up.out"
		return 1
	}
	SERVER=$(sed -n 's/.*server=\([^ ]*\).*/\1/p' "$WORK/up.out")
	TOKEN=$(sed -n 's/,admin,.*//p' "$CLUSTER/tokens.csv")
	note "control plane ready after $WAITED ms"
}

cluster_down() {
	[ -n "${CLUSTER_PID:-}" ] || return 0
	kill -TERM "$CLUSTER_PID" 2>/dev/null
	wait "$CLUSTER_PID" 2>/dev/null
}

# pid_of NAME: the process of a component now.
pid_of() { sed -n "s/^$1 //p" "$CLUSTER/pids"; }

# kube METHOD PATH [BODY]: a request by admin, answered with what the server says.
kube() {
	local type=application/json
	[ "$1" != PATCH ] || type=application/merge-patch+json
	curl -s --max-time 10 --cacert "$CLUSTER/certs/apiserver.crt" -H "Authorization: Bearer $TOKEN" \
		-H "Content-Type: $type" -X "$1" "$SERVER$2" ${3:+-d "$3"}
}
