package diagnose_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"strata/internal/diagnose"
)

func TestMachinesThatAreKnownAndNotWatched(t *testing.T) {
	t.Parallel()
	w := worldOf(t, strings.Split(`host host/big {"name":"big"}
host host/inner {"name":"inner","identity":{"systemUUID":"b51f8c0a-6c52-4d9e-8a3e-91c4d2f7a001"}}
hypervisor openstack/a {"hostname":"c1.lan","hostIp":"10.0.0.5","state":"up","status":"enabled"}
hypervisor openstack/a {"hostname":"big","state":"up","status":"enabled"}
hypervisor openstack/a {"hostname":"c3","hostIp":"10.0.0.7","state":"up","status":"enabled"}
node kube/p {"name":"w1.novalocal","addresses":[{"kind":"Hostname","ip":"w1"},{"kind":"InternalIP","ip":"10.0.0.28"}]}
node kube/p {"name":"within","identity":{"systemUUID":"b51f8c0a-6c52-4d9e-8a3e-91c4d2f7a001"}}
hypervisor openstack/a {"hostname":"odd","hostIp":"-oProxyCommand=evil","state":"up","status":"enabled"}
server openstack/a {"id":"6c59b812-2d8d-4da5-92d6-6bbe527926d6","name":"db","run":{"status":"ACTIVE"},"addresses":[{"kind":"fixed","ip":"10.1.0.4"},{"kind":"floating","ip":"192.168.1.4"}]}
domain libvirt/big {"host":"big","name":"c1","uuid":"00000000-0000-0000-0000-000000000001","state":"running"}
domain libvirt/big {"host":"big","name":"vm","uuid":"b51f8c0a-6c52-4d9e-8a3e-91c4d2f7a001","state":"running"}
domain libvirt/big {"host":"big","name":"instance-1","nova":"db","uuid":"6c59b812-2d8d-4da5-92d6-6bbe527926d6","state":"running"}
domain libvirt/big {"host":"big","name":"lone","uuid":"00000000-0000-0000-0000-000000000002","state":"running"}
domain libvirt/big {"host":"big","name":"off","uuid":"00000000-0000-0000-0000-000000000003","state":"shut off"}
agent agent/x {"name":"x","destination":"root@10.0.0.7","state":"failing"}`, "\n")...)
	want := []diagnose.Machine{
		{Name: "c1", Address: "10.0.0.5", How: []string{"hypervisor of openstack/a", "domain on big"}},
		{Name: "db", Address: "192.168.1.4", How: []string{"domain on big"}},
		{Name: "lone", How: []string{"domain on big"}},
		{Name: "odd", How: []string{"hypervisor of openstack/a"}},
		{Name: "w1", Address: "10.0.0.28", How: []string{"node of kube/p"}},
	}
	if diff := cmp.Diff(want, diagnose.Unwatched(w.last)); diff != "" {
		t.Error(diff)
	}
}
