package diagnose

import "testing"

// The kernel names a machine as systemd's scope does, in which libvirt leaves characters of its name out.
func TestScopesNameTheirMachines(t *testing.T) {
	t.Parallel()
	for cgroup, want := range map[string]string{
		`/machine.slice/machine-qemu\x2d31\x2dinstance\x2d00000031.scope/libvirt/emulator`: "instance-00000031",
		`/machine.slice/machine-qemu\x2d3\x2dk8s.worker\x2d1.scope`:                        "k8s_.worker-1",
		"/machine.slice/machine-qemu-7-db.scope":                                           "db",
		"/machine.slice/x.scope":                                                           "",
		"/system.slice/libvirtd.service":                                                   "",
		`/machine.slice/machine-qemu\x2d3.scope`:                                           "",
		"":                                                                                 "",
	} {
		if got := scoped(cgroup); got != machineName(want) {
			t.Errorf("%s: %q, want %q", cgroup, got, machineName(want))
		}
	}
	if a, b := machineName("web"), machineName("web-2"); a == b {
		t.Errorf("%q is taken for %q", a, b)
	}
}
