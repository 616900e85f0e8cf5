package kube

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"strata/internal/connect"
	"strata/internal/fleet"
	"strata/internal/sh"
)

// grant is the right that looking at a kind needs, beyond being known to the server.
type grant int

const (
	grantView  grant = iota // the ClusterRole view, which every cluster has
	grantNodes              // nodes, volumes and leases are in no ready-made role for people
	grantApps               // nor are Argo CD's applications
)

// commands are what an administrator runs to give the right to somebody.
func (g grant) commands(who string) string {
	if g == grantView {
		return sh.Quote("kubectl", "create", "clusterrolebinding", "strata-view", "--clusterrole=view", who)
	}
	if g == grantApps {
		return "kubectl create clusterrole strata-apps --verb=get,list,watch --resource=applications.argoproj.io; " +
			sh.Quote("kubectl", "create", "clusterrolebinding", "strata-apps", "--clusterrole=strata-apps", who)
	}
	return "kubectl create clusterrole strata-nodes --verb=get,list,watch " +
		"--resource=nodes,persistentvolumes,leases.coordination.k8s.io; " +
		sh.Quote("kubectl", "create", "clusterrolebinding", "strata-nodes", "--clusterrole=strata-nodes", who)
}

// trouble says what the operator can do about an error of watching one kind.
func trouble(c connect.Cluster, k *kind, namespace string, err error) *fleet.Trouble {
	what := k.resource
	if namespace != "" {
		what += " of namespace " + namespace
	}
	t := &fleet.Trouble{Doing: fmt.Sprintf("watching %s of cluster %s", what, c.Name), Cause: err}
	if errors.Is(err, errAbsent) {
		t.Doing, t.Unconfigured = "looking for Argo CD in cluster "+c.Name, true
		t.Fix = "it is looked for again each minute"
		return t
	}
	t.Fix = fix(c, k, err)
	return t
}

// fix is what to do about an error.
func fix(c connect.Cluster, k *kind, err error) string {
	resolve, unresolved := errors.AsType[*net.DNSError](err)
	_, uncertain := errors.AsType[*tls.CertificateVerificationError](err)
	network, isNetwork := errors.AsType[net.Error](err)
	switch {
	case apierrors.IsForbidden(err):
		return "let an administrator run: " + k.grant.commands(connect.KubeSubject(err.Error()))
	case apierrors.IsUnauthorized(err):
		return "renew the credentials of user " + c.User + " in " + c.From + "; " + c.Command("get", "nodes") + " tells when they are good"
	case strings.Contains(err.Error(), "getting credentials"):
		return "log in in a shell: " + c.Command("get", "nodes")
	case apierrors.IsTooManyRequests(err):
		return "the API server is overloaded and asks for patience; nothing to do"
	case uncertain:
		return "the server's certificate does not fit " + c.From + "; on a control plane: kubeadm certs check-expiration"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "start the API server at " + c.Server + ": on its machine, crictl ps -a --name kube-apiserver"
	case unresolved:
		return "mend the name " + resolve.Name + " in DNS, or the server in " + c.From
	case errors.Is(err, errSilent), errors.Is(err, errBroke), isNetwork && network.Timeout():
		return "see whether " + c.Server + " answers from here: " + sh.Quote("curl", "-k", c.Server+"/livez")
	}
	return c.Command("get", "--raw", "/readyz?verbose") + " tells more"
}
