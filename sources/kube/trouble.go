package kube

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"
	"syscall"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"strata/internal/connect"
	"strata/internal/fleet"
)

// grant is the right that looking at a kind needs, beyond being known to the server.
type grant int

const (
	grantView  grant = iota // the ClusterRole view, which every cluster has
	grantNodes              // nodes, volumes and leases are in no ready-made role for people
)

// commands are what an administrator runs to give the right to somebody.
func (g grant) commands(who string) string {
	if g == grantView {
		return "kubectl create clusterrolebinding strata-view --clusterrole=view " + who
	}
	return "kubectl create clusterrole strata-nodes --verb=get,list,watch " +
		"--resource=nodes,persistentvolumes,leases.coordination.k8s.io; " +
		"kubectl create clusterrolebinding strata-nodes --clusterrole=strata-nodes " + who
}

// subject is the option that names the user of a refusal to kubectl create clusterrolebinding.
func subject(message string) string {
	m := regexp.MustCompile(`User "([^"]+)"`).FindStringSubmatch(message)
	if m == nil {
		return "--user=NAME"
	}
	if account, ok := strings.CutPrefix(m[1], "system:serviceaccount:"); ok {
		return "--serviceaccount=" + account
	}
	return "--user=" + m[1]
}

// trouble says what the operator can do about an error of watching one kind.
func trouble(c connect.Cluster, k *kind, namespace string, err error) *fleet.Trouble {
	what := k.resource
	if namespace != "" {
		what += " of namespace " + namespace
	}
	t := &fleet.Trouble{Doing: fmt.Sprintf("watching %s of cluster %s", what, c.Name), Cause: err}
	kubectl := "kubectl"
	if c.Name != connect.InCluster {
		kubectl += " --context " + c.Name
	}
	var resolve *net.DNSError
	var dial *net.OpError
	switch {
	case apierrors.IsForbidden(err):
		t.Fix = "let an administrator run: " + k.grant.commands(subject(err.Error()))
	case apierrors.IsUnauthorized(err):
		t.Fix = "renew the credentials of user " + c.User + " in " + c.From + "; " + kubectl + " get nodes tells when they are good"
	case apierrors.IsTooManyRequests(err):
		t.Fix = "the API server is overloaded and asks for patience; nothing to do"
	case errors.Is(err, syscall.ECONNREFUSED):
		t.Fix = "start the API server at " + c.Server + ": on its machine, crictl ps -a --name kube-apiserver"
	case errors.As(err, &resolve):
		t.Fix = "mend the name " + resolve.Name + " in DNS, or the server of " + c.From
	case errors.Is(err, errSilent), errors.Is(err, context.DeadlineExceeded), errors.As(err, &dial):
		t.Fix = "see whether " + c.Server + " can be reached from here: curl -k " + c.Server + "/livez"
	default:
		t.Fix = kubectl + " get --raw /readyz?verbose tells more"
	}
	return t
}
