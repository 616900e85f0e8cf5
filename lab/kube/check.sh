#!/bin/bash
# strata against a real Kubernetes control plane (kubelab: etcd, kube-apiserver, controller-manager, scheduler, and
# kwok for the kubelets) with 3 nodes and 6 pods. It prints a PASS or FAIL line for each thing a user relies on, with
# what was measured, and then acts on it (acts.sh). It takes about 6 minutes, 10 or more the first time; it ends what it started, and its exit code
# is 0 when all passed.
#
# Usage: check.sh
#
# Environment: STRATA_BIN=file tests that program instead of building one. STRATA_LAB_BIN=folder has the programs of
# the lab, or gets them.
set -uo pipefail
HERE=$(dirname "$(readlink -f "$0")")
# shellcheck disable=SC2034 # for lib.sh
ROOT=$(readlink -f "$HERE/../..")
if [ -z "${CHECK_BOUNDED:-}" ]; then
	CHECK_BOUNDED=yes exec timeout --kill-after=60 2700 "$0" "$@"
fi
[ $# = 0 ] || { sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$0" && exit 2; }

WORK=$(mktemp -d)
# shellcheck source=../lib.sh
. "$HERE/../lib.sh"
# shellcheck source=cluster.sh
. "$HERE/cluster.sh"
# shellcheck source=acts.sh
. "$HERE/acts.sh"

cleanup() {
	trap '' INT TERM
	[ ! -e "$WORK/tmux.sock" ] || in_tmux kill-server 2>/dev/null
	cluster_down
	rm -rf "$WORK"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

PODS=/api/v1/namespaces/default/pods
NODE=k8s-worker-1.novalocal

deployment() {
	kube POST /apis/apps/v1/namespaces/default/deployments '{"apiVersion": "apps/v1", "kind": "Deployment",
		"metadata": {"name": "web"}, "spec": {"replicas": 6, "selector": {"matchLabels": {"app": "web"}}, "template": {
			"metadata": {"labels": {"app": "web"}},
			"spec": {"containers": [{"name": "main", "image": "registry.local/web:1"}]}}}}' >/dev/null
}

running_pods() { kube GET $PODS | jq '[.items[] | select(.status.phase == "Running")] | length'; }
six_run() { [ "$(running_pods)" = 6 ]; }
ready_of() { kube GET "/api/v1/nodes/$1" | jq -r '.status.conditions[] | select(.type == "Ready").status'; }
ready_is() { [ "$(ready_of "$1")" = "$2" ]; }
annotate() { kube PATCH "/api/v1/nodes/$NODE" '{"metadata": {"annotations": {"lab/notready": '"$1"'}}}' >/dev/null; }
pod_gone() { [ "$(kube GET "$PODS/$1" | jq -r .kind)" = Status ]; }
any_pod() { kube GET $PODS | jq -r '.items[0].metadata.name'; }

as() { # USER VERB...: strata as this user of the lab
	local user=$1
	shift
	KUBECONFIG=$CLUSTER/kubeconfig-$user "$STRATA" "$@" --no-host
}

# why_of OBJECT: the causes that strata names, as a line for each.
why_of() { as admin why -o json "$1" 2>/dev/null | jq -r '.causes[] | "\(.rule) \(.about.kind) \(.about.name)"'; }
why_is() { [ "$(why_of "$1")" = "$2" ]; }

# ---- the parts -----------------------------------------------------------------------------------------------------

looks() {
	expect "snapshot shows the six pods" "6 Running" "$(as admin snapshot -o json --only pods |
		jq -r '[.parts[].objects[] | .run.phase // "none"] | group_by(.) | map("\(length) \(.[0])") | join(", ")')"
	at_most "snapshot of the pods takes half a second (median of 5)" 500 "$(median 5 as admin snapshot -o json --only pods)"
	as admin doctor >/dev/null
	expect "doctor of admin: exit code" 0 $?
}

JOBS=/apis/batch/v1/namespaces/default/jobs

# job makes a Job whose pods no node takes, so that they end as the lab says: kwok would have all of them end well.
job() { # NAME BACKOFF-LIMIT
	kube POST $JOBS '{"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "'"$1"'"}, "spec": {"backoffLimit": '"$2"', "template": {
		"spec": {"restartPolicy": "Never", "nodeSelector": {"lab": "nowhere"},
			"containers": [{"name": "main", "image": "registry.local/dump:1"}]}}}}' >/dev/null
}
attempts() { kube GET "$PODS?labelSelector=batch.kubernetes.io/job-name=$1" | jq -r '.items[] | select(.status.phase == "Pending").metadata.name'; }
has_attempt() { [ -n "$(attempts "$1")" ]; }
ends() { # JOB PHASE: its pod that waits ends so
	until_true 30 has_attempt "$1" || fail "the Job $1 has a pod"
	kube PATCH "$PODS/$(attempts "$1" | head -1)/status" '{"status": {"phase": "'"$2"'", "reason": "Lab", "message": "the lab says so"}}' >/dev/null
}
job_is() { [ "$(kube GET "$JOBS/$1" | jq -r ".status.conditions[]? | select(.type == \"$2\").status")" = True ]; }
# found RULE: what strata finds by it
found() { as admin snapshot -o json | jq -r --arg rule "$1" '.findings[]? | select(.rule == $rule) | "\(.severity) \(.about.name | sub("-[a-z0-9]{5}$"; ""))\(if .under then " under " + (.under | split("|") | .[3]) else "" end)"'; }
no_attempts() { [ "$(kube GET "$PODS?labelSelector=batch.kubernetes.io/job-name" | jq '.items | length')" = 0 ]; }

batch() {
	job retried 3
	job lost 0
	ends retried Failed
	ends lost Failed
	until_true 30 job_is lost Failed || fail "the API has the Job failed"
	expect "a Job that failed is a finding" "warn default/job/lost" "$(found K8S-27)"
	expect "strata why names the Job" "K8S-27 workload default/job/lost" "$(why_of workload/default/job/lost)"
	contains "its pod hangs under it, that of the Job that goes on is only noted" '^info default/lost under default/job/lost info default/retried $' "$(found K8S-25 | sort | tr '\n' ' ')"
	ends retried Succeeded
	until_true 30 job_is retried Complete || fail "the API has the Job complete"
	expect "the Jobs are seen as the API has them" "lost 0/1 Failed BackoffLimitExceeded, retried 1/1 Complete CompletionsReached" "$(as admin snapshot -o json --only workloads |
		jq -r '[.parts[].objects[]? | select(.type == "Job") | "\(.name) \(.replicas.ready)/\(.replicas.want) \(.job.condition) \(.job.reason)"] | join(", ")')"
	contains "its first pod is only noted then" '^info default/retried-.{5} failed: .*; its Job is done all the same$' "$(as admin snapshot -o json |
		jq -r '.findings[] | select(.rule == "K8S-25" and (.about.name | startswith("default/retried"))) | "\(.severity) \(.says)"')"
	act 3 workload-restart default/job/lost
	contains "a Job is not restarted" 'a Job runs to its end' "$SAID"
	kube DELETE "$JOBS/lost" '{"propagationPolicy": "Background"}' >/dev/null
	kube DELETE "$JOBS/retried" '{"propagationPolicy": "Background"}' >/dev/null
	until_true 30 no_attempts || fail "the Jobs' pods go with them"
}

deleted_pod() {
	local pod from gone_after
	pod=$(any_pod)
	press k :pods
	see "the pane shows a pod that is there" k 5 "$pod"
	from=$(now_ms)
	kube DELETE "$PODS/$pod" '{"gracePeriodSeconds": 0}' >/dev/null
	until_true 10 pod_gone "$pod"
	gone_after=$(($(now_ms) - from))
	see_not "a deleted pod leaves the screen within a second" k 1 "$pod" && note "the API took $gone_after ms"
	until_true 10 six_run
	see "the one that replaces it is there" k 2 '6 pods'
}

node_not_ready() {
	press k :nodes
	see "the pane shows the nodes" k 5 "$NODE +Ready"
	annotate '"1"'
	until_true 15 ready_is $NODE False || fail "the API has the node not ready"
	see "a node that is not ready turns bad within a second" k 1 "✖ $NODE +NotReady"
	see "the screen says why" k 2 'container runtime is down'
	note "the line of the cause: $(screen k | sed -n 2p)"
	until_true 10 why_is "node/$NODE" "K8S-01 node $NODE" # a kubelet that was started anew is not ready for some seconds
	expect "strata why names the node within 10 s" "K8S-01 node $NODE" "$(why_of "node/$NODE")"
	annotate null
	until_true 15 ready_is $NODE True
	see "it is well again within a second" k 1 "● $NODE +Ready"
}

fleet_without_leases() {
	local node kwok
	kwok=$(pid_of kwok)
	kill -STOP "$kwok"
	for node in master $NODE k8s-worker-2.novalocal; do
		until_true 60 ready_is "$node" Unknown || fail "the API has $node Unknown"
	done
	for node in master $NODE k8s-worker-2.novalocal; do
		see "without leases $node turns bad within a second" k 1 "✖ $node +NotReady"
	done
	see "the screen says that no heartbeat comes" k 5 'kubelet is silent|no heartbeat'
	note "the line of the cause: $(screen k | sed -n 2p)"
	contains "strata why names the lost heartbeat" "^K8S-0[12] (node|lease) $NODE$" "$(why_of "node/$NODE")"
	kill -CONT "$kwok"
	until_true 60 ready_is master True
	for node in master $NODE k8s-worker-2.novalocal; do
		see "with leases again $node is well" k 30 "● $node +Ready"
	done
	kube DELETE $PODS >/dev/null # the controller-manager marked them not ready, and kwok never looks again
	until_true 60 six_run
}

rights() {
	local said
	said=$(as nobody doctor)
	expect "doctor of nobody: exit code" 2 $?
	for kind in nodes leases pods events volumes claims workloads/deployments workloads/jobs; do
		contains "doctor of nobody says that $kind are missing" "missing +reads $kind .*forbidden" "$said"
	done
	kube POST /apis/rbac.authorization.k8s.io/v1/clusterrolebindings '{"apiVersion": "rbac.authorization.k8s.io/v1",
		"kind": "ClusterRoleBinding", "metadata": {"name": "lab-viewers"},
		"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
		"subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "lab:viewers"}]}' >/dev/null
	until_true 10 viewer_sees_pods
	said=$(as viewer doctor)
	expect "doctor of viewer: exit code" 1 $?
	contains "doctor of viewer says that pods are read" 'ok +reads pods +6 seen' "$said"
	contains "doctor of viewer says that nodes are missing" 'missing +reads nodes .*forbidden' "$said"
	advice_works "$said"
}

viewer_sees_pods() { [ "$(as viewer snapshot -o json --only pods 2>/dev/null | jq '[.parts[].objects[]?] | length')" = 6 ]; }

# advice_works runs the command that the doctor tells an administrator to run.
advice_works() { # WHAT-THE-DOCTOR-SAID
	local advice
	if ! command -v kubectl >/dev/null; then
		note "there is no kubectl: what the doctor advises is not tried"
		return
	fi
	screen_open viewer env KUBECONFIG="$CLUSTER/kubeconfig-viewer" "$STRATA" --no-host
	see "viewer sees the pods live" viewer 10 ' 6 pods'
	press viewer :nodes
	see "viewer is told in the pane that nodes are forbidden" viewer 5 'forbidden'
	advice=$(grep -Po 'kubectl create clusterrole strata-(nodes|apps) .*' <<<"$1" | sort -u)
	KUBECONFIG=$CLUSTER/kubeconfig-admin bash -c "$advice" >/dev/null
	as viewer doctor >/dev/null
	expect "after the doctor's advice nothing is missing" 0 $?
	press viewer C-r
	see "viewer sees the nodes without a new start" viewer 75 "$NODE +Ready"
	screen_close viewer
}

api_server_dies() {
	local pod
	press k :pods
	see "the screen shows the pods" k 5 ' 6 pods'
	kill -KILL "$(pid_of apiserver)"
	see "the API server is killed: the screen says so" k 10 'kubelab.* (failing for|old)'
	note "the pane says: $(screen k | grep -Po '[^─]*(failing|old)[^─]*(?= ─)' | tail -1 | xargs)"
	see "the last known pods stay" k 1 'web-.* Running'
	until_true 60 six_run || fail "the API server came back"
	see_not "the API server is back: the screen recovers" k 40 'failing for'
	until_true 10 six_run
	pod=$(any_pod)
	see "a pod of the API is on the screen" k 5 "$pod"
	kube DELETE "$PODS/$pod" '{"gracePeriodSeconds": 0}' >/dev/null
	until_true 20 pod_gone "$pod"
	see_not "the watch goes on: a deleted pod leaves within a second" k 1 "$pod"
}

# claims_made makes claims that wait, each for something else: the controller-manager says for what.
claims_made() {
	local class
	for class in later:WaitForFirstConsumer now:Immediate; do
		kube POST /apis/storage.k8s.io/v1/storageclasses '{"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
			"metadata": {"name": "'"${class%:*}"'"}, "provisioner": "none.example", "volumeBindingMode": "'"${class#*:}"'"}' >/dev/null
	done
	for class in later now typo; do
		kube POST /api/v1/namespaces/default/persistentvolumeclaims '{"apiVersion": "v1", "kind": "PersistentVolumeClaim",
			"metadata": {"name": "of-'$class'"}, "spec": {"storageClassName": "'$class'", "accessModes": ["ReadWriteOnce"],
			"resources": {"requests": {"storage": "1Gi"}}}}' >/dev/null
	done
}

# claim_says CLAIM: how bad strata finds it, and why.
claim_says() {
	as admin why -o json "pvc/default/$1" 2>/dev/null | jq -r '.causes[] | select(.rule == "K8S-09") | "\(.severity): \(.says)"'
}

claim_told() { [ -n "$(claim_says "$1")" ]; }

claims_wait() {
	until_true 150 claim_told of-typo || fail "a claim that waits is told of after two minutes"
	contains "a claim of a class that is not there says so" '^serious: .*"typo" not found' "$(claim_says of-typo)"
	contains "a claim whose provisioner does not come says who was asked" '^serious: .*none.example was asked' "$(claim_says of-now)"
	contains "a claim that waits for its first pod is no alarm" '^info: .*waits for its first pod' "$(claim_says of-later)"
}

# ---- all of it -----------------------------------------------------------------------------------------------------

for program in curl jq tmux; do
	command -v $program >/dev/null || { echo "check.sh needs $program" && exit 1; }
done
build_lab && build_strata || exit 1
private_environment
kwok_logs
cluster_up -respawn 8s -kwok "$LAB_BIN/kwok" -apiserver-args "--kubelet-preferred-address-types=InternalIP" \
	-kwok-args "--config=$HERE/stages.yaml --node-lease-duration-seconds=40 $KWOK_LOGS" || exit 1
export KUBECONFIG=$CLUSTER/kubeconfig-admin
kubelab seed -kubeconfig "$KUBECONFIG" -nodes 3 >/dev/null
deployment
claims_made
until_true 60 six_run || { echo "the six pods do not run" && exit 1; }

looks
batch
# Wide enough for whole names.
export COLUMNS_WANTED=200 LINES_WANTED=50
screen_open k "$STRATA" --no-host
see "the cockpit shows nodes and pods" k 8 '3 nodes, 6 pods'
cordons
drains
aborts
workloads
applications
logs
deleted_pod
node_not_ready
fleet_without_leases
rights
denied
claims_wait
api_server_dies
verdict
