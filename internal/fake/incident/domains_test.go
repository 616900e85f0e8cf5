package incident

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"
)

// virsh runs virsh on a machine and returns what it printed.
func (r *reader) virsh(machine string, args ...string) string {
	r.Helper()
	for _, m := range r.world.Machines {
		if m.Name != machine {
			continue
		}
		out, errs, code, err := m.Simulated.Program(context.Background(), append([]string{"virsh", "-c", "qemu:///system"}, args...)...)
		if err != nil || code != 0 {
			r.Fatalf("virsh %v on %s: %s, code %d, %v", args, machine, errs, code, err)
		}
		return string(out)
	}
	r.Fatalf("there is no machine %s", machine)
	return ""
}

// runs reports whether libvirt has a process for a domain.
func (r *reader) runs(machine, domain string) bool {
	return strings.Contains(r.virsh(machine, "dumpxml", domain), "<domain type='kvm' id='")
}

func TestDomainsAreThoseOfTheCloud(t *testing.T) {
	t.Parallel()
	r := start(t, Options{Speed: 1})
	if got := r.virsh("openstack-host", "list", "--all", "--uuid", "--name"); !strings.Contains(got, " compute\n") || !strings.Contains(got, " controller\n") {
		t.Errorf("openstack-host has %q", got)
	}
	if uuid := strings.TrimSpace(r.file("compute", "sys/class/dmi/id/product_uuid")); !strings.Contains(r.virsh("openstack-host", "dumpxml", "compute"), uuid) {
		t.Error("the domain of compute is not that machine")
	}
	if xml := r.virsh("compute", "dumpxml", workerOneID); !strings.Contains(xml, "<nova:name>k8s-worker-1<") || !strings.Contains(xml, "<total_bytes_sec>209715200<") {
		t.Errorf("the domain of k8s-worker-1 is %s", xml)
	}
}

func TestWhatIsDoneToAGuestBehindNovasBack(t *testing.T) {
	t.Parallel()
	r := start(t, Options{Speed: steady, Quiet: true})
	r.virsh("compute", "destroy", workerOneDomain)
	if r.status(workerOneID) != "ACTIVE" {
		t.Error("nova knows at once")
	}
	r.until("nova makes it SHUTOFF by itself", func() bool { return r.status(workerOneID) == "SHUTOFF" })
	if stop := r.actions(workerOneID)[0]; stop.Action != "stop" || stop.User != nil {
		t.Errorf("the last action is %+v", stop)
	}
	r.virsh("compute", "start", workerOneDomain)
	r.until("nova stops what it did not start", func() bool { return !r.runs("compute", workerOneDomain) })
	if r.status(workerOneID) != "SHUTOFF" {
		t.Errorf("nova has it %s", r.status(workerOneID))
	}
	r.world.Nova.PowerOn(workerOneID)
	r.until("a domain follows nova", func() bool { return r.runs("compute", workerOneDomain) })
}

func TestOpenStackDoesNotAnswerWhileItsControllerIsOff(t *testing.T) {
	t.Parallel()
	r := start(t, Options{Speed: steady, Quiet: true})
	answers := func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.world.Nova.AuthURL(), nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := r.http.Do(request)
		if err != nil {
			return false
		}
		_ = answer.Body.Close()
		return true
	}
	r.virsh("openstack-host", "destroy", controllerDomain)
	r.until("nothing answers", func() bool { return !answers() })
	r.virsh("openstack-host", "start", controllerDomain)
	r.until("it answers again", answers)
	if r.status(workerOneID) != "ACTIVE" {
		t.Error("its servers ran on, and are not ACTIVE")
	}
}

func TestComputesDomainIsWhatComputeRunsIn(t *testing.T) {
	t.Parallel()
	r := start(t, Options{Speed: steady, Quiet: true})
	r.virsh("openstack-host", "destroy", "compute")
	r.until("nova-compute is down", func() bool { state, _ := r.computeState(); return state == "down" })
	r.until("its guests are gone", func() bool { return !r.runs("compute", workerOneDomain) && !r.runs("compute", workerTwoDomain) })
	r.virsh("openstack-host", "start", "compute")
	r.until("nova-compute is back", func() bool { state, _ := r.computeState(); return state == "up" })
	r.until("nova finds the guests off", func() bool { return r.status(workerOneID) == "SHUTOFF" && r.status(workerTwoID) == "SHUTOFF" })
}
