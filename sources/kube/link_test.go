package kube

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"strata/internal/diagnose"
	"strata/internal/fleet"
)

// A node without any id of its machine, as read from the API, is tied to the server that has its address.
func TestANodeIsLinkedToItsServerByAddress(t *testing.T) {
	t.Parallel()
	node := both(t, "nodes", &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: "worker-1", ResourceVersion: "77"},
		Status: corev1.NodeStatus{Addresses: []corev1.NodeAddress{
			{Type: "Hostname", Address: "worker-1"}, {Type: "InternalIP", Address: "10.0.0.28"},
		}},
	})
	server := &fleet.Server{
		Source: "openstack/home", ID: "6c59b812-2d8d-4da5-92d6-6bbe527926d6", Name: "another-name",
		Addresses: []fleet.Address{{Net: "private-net", IP: "10.0.0.28", Kind: "fixed"}},
	}
	s := fleet.NewSnapshot(1, time.Unix(0, 0), []fleet.Part{
		{Source: testSource, Scope: "nodes", Facts: fleet.Facts{node}},
		{Source: "openstack/home", Scope: "servers", Facts: fleet.Facts{server}},
	}, nil, nil)
	want := fleet.Link{From: node.Ref(), To: server.Ref(), How: "address", Sure: fleet.Medium}
	if links := diagnose.Links(s); len(links) != 1 || links[0] != want {
		t.Errorf("links %v, want %v", links, want)
	}
}
