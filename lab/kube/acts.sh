# shellcheck shell=bash
# What strata does to the cluster, for check.sh, which this is sourced by. Every act is a strata of its own that plans, acts
# and waits until it is seen; its times are those of the audit log.

act() { # EXIT-CODE ACTION TARGET [NAME=VALUE...] [FLAG...]: acts as admin; SAID is what it said
	local want=$1 got
	shift
	SAID=$(as admin act "$@" --yes 2>&1)
	got=$?
	[ "$want" = "$got" ] && return
	note "$* ended with $got: $(tail -3 <<<"$SAID")"
	return 1
}

# acted NAME EXIT-CODE ACTION...: passes when it ends so, and says how long it took from begin to end and to seen.
acted() {
	local name=$1
	shift
	if act "$@"; then pass "$name" "$(took)"; else fail "$name" "$(tail -1 <<<"$SAID")"; fi
}

# took tells the times between the phases of the last deed.
took() {
	jq -rs '(map(select(.phase == "begin")) | last | .id) as $id | map(select(.id == $id)) | (.[0].at | sub("\\..*Z"; "Z") | fromdate) as $t0 |
		def ms: (sub("\\..*Z"; "Z") | fromdate) * 1000 + ((capture("\\.(?<f>[0-9]{1,3})").f // "0") | tonumber);
		(.[0].at | ms) as $b | .[1:] | map("\(.phase) after \((.at | ms) - $b) ms") | join(", ")' "$AUDIT"
}

last_deed() { jq -r 'select(.phase == "begin").id' "$AUDIT" | tail -1; }
undo() { act 0 undo "$(last_deed)"; }

node_is() { [ "$(kube GET "/api/v1/nodes/$NODE" | jq -r ".spec.unschedulable // false")" = "$1" ]; }
replicas() { kube GET /apis/apps/v1/namespaces/default/deployments/web | jq -r .spec.replicas; }
on_node() { kube GET "$PODS?fieldSelector=spec.nodeName=$NODE" | jq '[.items[] | select(.metadata.deletionTimestamp == null)] | length'; }
some_on_node() { [ "$(on_node)" -gt 0 ]; }

budget() { # MIN-AVAILABLE
	local pdb=/apis/policy/v1/namespaces/default/poddisruptionbudgets
	kube DELETE $pdb/web-pdb >/dev/null
	kube POST $pdb '{"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web-pdb"},
		"spec": {"minAvailable": '"$1"', "selector": {"matchLabels": {"app": "web"}}}}' >/dev/null
	until_true 20 budget_known "$1"
}
budget_known() { # MIN-AVAILABLE
	[ "$(kube GET /apis/policy/v1/namespaces/default/poddisruptionbudgets/web-pdb | jq -r '"\(.status.desiredHealthy) \(.status.currentHealthy)"')" = "$1 6" ]
}

# spread has pods on the node again.
spread() {
	until_true 20 six_run
	some_on_node && return
	kube DELETE $PODS >/dev/null
	until_true 30 six_run
	some_on_node
}

draining() { # starts a drain that a budget holds; DRAIN is its process
	KUBECONFIG=$CLUSTER/kubeconfig-admin "$STRATA" act node-drain $NODE timeout=2m --yes --no-host >"$WORK/drain.out" 2>&1 &
	DRAIN=$!
	until_true 30 grep -q 'disruption budget default/web-pdb allows 0' "$WORK/drain.out"
}

# ---- the parts -----------------------------------------------------------------------------------------------------

cordons() {
	acted "cordon is seen" 0 node-cordon $NODE
	expect "the API has the node cordoned" true "$(kube GET "/api/v1/nodes/$NODE" | jq -r .spec.unschedulable)"
	act 3 node-cordon $NODE
	contains "a second cordon is refused" 'cordoned already' "$SAID"
	undo && pass "the cordon is undone from the audit log" "$(took)"
	until_true 5 node_is false || fail "the API has the node uncordoned"
	acted "a taint is seen" 0 node-taint $NODE taint=maintenance=disk:NoSchedule
	expect "the API has the taint" disk "$(kube GET "/api/v1/nodes/$NODE" | jq -r '.spec.taints[] | select(.key == "maintenance").value')"
	acted "the taint is taken off" 0 node-untaint $NODE taint=maintenance:NoSchedule
	undo && expect "untaint undone: the value is back" disk "$(kube GET "/api/v1/nodes/$NODE" | jq -r '.spec.taints[] | select(.key == "maintenance").value')"
	acted "and off again" 0 node-untaint $NODE taint=maintenance:NoSchedule
}

drains() {
	spread || fail "there are pods on $NODE"
	budget 6
	local before
	before=$(on_node)
	draining && pass "a drain that a budget holds says which and its allowance" "after $WAITED ms"
	note "it says: $(grep -Po 'default/web-\S+ waits: .*' "$WORK/drain.out" | tail -1)"
	expect "nothing left the node meanwhile" "$before" "$(on_node)"
	budget 1
	wait $DRAIN
	expect "the budget is freed: the drain ends well" 0 $?
	note "$(took)"
	expect "no pod of the Deployment is on the node" 0 "$(on_node)"
	expect "the node is cordoned" true "$(kube GET "/api/v1/nodes/$NODE" | jq -r .spec.unschedulable)"
	undo && pass "the drain's undo uncordons it" "$(took)"
	until_true 30 six_run
}

aborts() {
	spread || fail "there are pods on $NODE"
	budget 6
	draining || fail "the drain is held"
	kill -INT $DRAIN
	wait $DRAIN
	expect "an aborted drain: exit code" 5 $?
	contains "it says what is left" 'it is cordoned; \d+ pods evicted and gone, \d+ on their way, \d+ left: default/web-' "$(cat "$WORK/drain.out")"
	note "$(tail -1 "$WORK/drain.out" | cut -c1-400)"
	expect "the audit log has it" "aborted" "$(jq -r .phase "$AUDIT" | tail -1)"
	undo || fail "the aborted drain's undo uncordons the node"
	kube DELETE /apis/policy/v1/namespaces/default/poddisruptionbudgets/web-pdb >/dev/null
}

workloads() {
	acted "rollout restart is seen when it is rolled out" 0 workload-restart default/deployment/web
	acted "scaled to 8" 0 workload-scale default/deployment/web replicas=8
	expect "the API wants 8" 8 "$(replicas)"
	undo && expect "the undo restores 6" 6 "$(replicas)"
	until_true 30 six_run
	acted "a pod is deleted" 0 pod-delete "default/$(any_pod)" grace=1
	act 3 pod-delete-force "default/$(any_pod)"
	contains "force delete is refused: the machine is not proven off" 'may still run and write: no cloud' "$SAID"
	until_true 30 six_run
}

denied() {
	SAID=$(as viewer act pod-delete "default/$(any_pod)" --yes 2>&1)
	expect "viewer may not delete: exit code" 1 $?
	contains "the words name the right and its grant" 'cannot delete resource "pods".*--verb=delete --resource=pods' "$SAID"
}

APPS=/apis/argoproj.io/v1alpha1/namespaces/default/applications

# controller plays Argo CD's once: it takes up what was asked for.
controller() { # PHASE
	local now
	until_true 30 asked || return
	now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
	kube PATCH $APPS/shop '{"metadata": {"annotations": {"argocd.argoproj.io/refresh": null}}, "operation": null, "status": {
		"reconciledAt": "'"$now"'", "sync": {"status": "Synced"}, "health": {"status": "Healthy"},
		"operationState": {"phase": "'"$1"'", "startedAt": "'"$now"'", "finishedAt": "'"$now"'", "message": "successfully synced"}}}' >/dev/null
}
asked() {
	[ "$(kube GET $APPS/shop | jq '.operation != null or .metadata.annotations["argocd.argoproj.io/refresh"] != null')" = true ]
}
crd_served() { [ "$(kube GET $APPS | jq -r .kind)" = ApplicationList ]; }

applications() {
	SAID=$(as admin snapshot -o json --only apps 2>&1)
	expect "without Argo CD the snapshot is whole: exit code" 0 $?
	contains "the scope says that it is not installed" 'it is not installed' "$SAID"
	kube POST /apis/apiextensions.k8s.io/v1/customresourcedefinitions "$(cat "$HERE/app-crd.json")" >/dev/null
	until_true 20 crd_served || fail "the API serves applications"
	kube POST $APPS '{"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "shop"}, "spec": {"project": "default",
		"source": {"repoURL": "https://git.example/shop", "path": "deploy", "targetRevision": "main"}, "destination": {"namespace": "default"}},
		"status": {"sync": {"status": "OutOfSync"}, "health": {"status": "Degraded", "message": "the lab says so"}}}' >/dev/null
	expect "the application is seen" "shop OutOfSync Degraded" "$(as admin snapshot -o json --only apps |
		jq -r '.parts[].objects[] | "\(.name) \(.sync.status) \(.health.status)"')"
	controller Succeeded &
	acted "refresh is seen once the controller compared" 0 app-refresh shop mode=hard
	wait $!
	controller Succeeded &
	acted "sync is seen once the controller is done" 0 app-sync shop
	wait $!
	kube PATCH $APPS/shop '{"status": {"operationState": {"phase": "Running"}}}' >/dev/null
	act 3 app-sync shop
	contains "a sync is refused while one runs" 'an operation runs on it already' "$SAID"
}

# kwok_logs has kwok serve a file as the log of every container, over TLS, as the API server asks a kubelet for it.
kwok_logs() {
	local port
	KWOK_LOGS=""
	command -v openssl >/dev/null || return
	openssl req -x509 -newkey rsa:2048 -nodes -keyout "$WORK/kwok.key" -out "$WORK/kwok.crt" -days 2 -subj /CN=kwok 2>/dev/null || return
	port=$((20000 + RANDOM % 10000))
	kwok_says "hello from kwok"
	cat >"$WORK/logs.yaml" <<-END
		apiVersion: kwok.x-k8s.io/v1alpha1
		kind: ClusterLogs
		metadata: {name: all}
		spec: {logs: [{logsFile: $WORK/kwok.log, follow: true}]}
	END
	KWOK_LOGS="--config=$WORK/logs.yaml --server-address=127.0.0.1:$port --node-ip=127.0.0.1 --node-port=$port"
	KWOK_LOGS+=" --tls-cert-file=$WORK/kwok.crt --tls-private-key-file=$WORK/kwok.key"
}

kwok_says() { echo "$(date -u +%Y-%m-%dT%H:%M:%S.%N)Z stdout F $1" >>"$WORK/kwok.log"; } # as CRI has it

# logs of kwok's containers, if kwok serves them: it has no containers, but a file for all of them.
logs() {
	local pod
	pod=$(any_pod)
	if ! kube GET "$PODS/$pod/log?tailLines=1" | grep -q 'hello from kwok'; then
		note "kwok serves no logs here: $(kube GET "$PODS/$pod/log?tailLines=1" | head -c 160)"
		return
	fi
	press k :pods
	press k / "$pod" Enter
	see "the pod is on the screen" k 5 "$pod"
	press k l
	see "l shows its log" k 5 'hello from kwok'
	kwok_says "one more line"
	see "what is written next follows" k 3 'one more line'
	expect "no line comes twice" 1 "$(screen k | grep -c 'hello from kwok')"
	press k Escape
	press k d
	see "d tells of its containers and conditions, from the manifest" k 5 'ContainersReady +True'
	press k Escape
	press k y
	see "y shows the manifest as YAML" k 5 'kind: Pod'
	expect "without managedFields" 0 "$(screen k | grep -c managedFields)"
	press k Escape Escape
}
