package kube

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"strata/internal/connect"
)

// TestEveryTroubleSaysWhatToDo holds what an operator reads beside each failure.
func TestEveryTroubleSaysWhatToDo(t *testing.T) {
	t.Parallel()
	c := connect.Cluster{Name: "prod", Server: "https://api:6443", User: "kim", From: "/root/.kube/config"}
	forbidden := func(resource, who string) error {
		return apierrors.NewForbidden(schema.GroupResource{Resource: resource}, "", errors.New(`User "`+who+`" cannot list resource`))
	}
	for _, want := range []struct {
		kind string
		err  error
		fix  string
	}{
		{"pods", forbidden("pods", "kim"), "create clusterrolebinding strata-view --clusterrole=view --user=kim"},
		{
			"nodes", forbidden("nodes", "system:serviceaccount:ops:strata"),
			"create clusterrolebinding strata-nodes --clusterrole=strata-nodes --serviceaccount=ops:strata",
		},
		{"pods", forbidden("pods", "kim; $(reboot)"), "strata-view --clusterrole=view '--user=kim; $(reboot)'"},
		{"nodes", forbidden("nodes", "system:serviceaccount:ops:a b"), "'--serviceaccount=ops:a b'"},
		{"leases", forbidden("leases", "kim"), "--resource=nodes,persistentvolumes,leases.coordination.k8s.io"},
		{"pods", errors.New("forbidden"), "kubectl --context prod get --raw '/readyz?verbose'"},
		{"pods", apierrors.NewUnauthorized("Unauthorized"), "renew the credentials of user kim in /root/.kube/config"},
		{"pods", apierrors.NewTooManyRequests("slow down", 1), "patience"},
		{"pods", &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}, "start the API server at https://api:6443"},
		{"pods", &net.DNSError{Err: "no such host", Name: "api", IsNotFound: true}, "mend the name api"},
		{"pods", &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, "certificate"},
		{"pods", errSilent, "curl -k https://api:6443/livez"},
		{"pods", &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}, "curl -k https://api:6443/livez"},
		{"pods", errors.New("getting credentials: exec: executable kubelogin failed with exit code 1"), "log in in a shell: kubectl --context prod"},
	} {
		got := trouble(c, kindOf(t, want.kind), "", want.err)
		if !strings.Contains(got.Fix, want.fix) {
			t.Errorf("the fix of %v is %q, want one with %q", want.err, got.Fix, want.fix)
		}
		if !errors.Is(got, want.err) || !strings.Contains(got.Error(), "watching "+want.kind+" of cluster prod") {
			t.Errorf("the error is %q", got)
		}
	}
}

// TestCommandsCanBePasted: the names of contexts and servers are whatever somebody wrote into the kubeconfig.
func TestCommandsCanBePasted(t *testing.T) {
	t.Parallel()
	c := connect.Cluster{Name: "admin@it's prod", Server: "https://api/a b"}
	for want, err := range map[string]error{
		`kubectl --context 'admin@it'\''s prod' get nodes`:                   apierrors.NewUnauthorized("Unauthorized"),
		`kubectl --context 'admin@it'\''s prod' get --raw '/readyz?verbose'`: errors.New("odd"),
		`curl -k 'https://api/a b/livez'`:                                    errSilent,
	} {
		if got := trouble(c, kindOf(t, "pods"), "", err).Fix; !strings.Contains(got, want) {
			t.Errorf("the fix of %v is %s, want one with %s", err, got, want)
		}
	}
	if got := trouble(connect.Cluster{Name: connect.InCluster}, kindOf(t, "pods"), "", errors.New("odd")).Fix; !strings.HasPrefix(got, "kubectl get") {
		t.Errorf("inside of a cluster the fix is %s", got)
	}
}

func TestAFailedWatchGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	cause := errors.New("TLS handshake timeout")
	var errno syscall.Errno
	if err := error(again{cause}); !errors.As(err, &errno) || errno != syscall.ECONNREFUSED || err.Error() != cause.Error() {
		t.Errorf("a reflector sees %v (%v)", err, errno)
	}
}
