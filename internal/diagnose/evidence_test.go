package diagnose_test

import (
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"strata/internal/diagnose"
	"strata/internal/fleet"
)

// Evidence decides which layer an operator looks at, so it says what a finding alone does not.
func TestEvidenceNamesTheLayer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		file        string
		steps       int // sections of the file that are played
		rule, about string
		says        []string
		never       string
	}{
		{"layers", 1, "KRN-HUNG", "limited", []string{"tells of no disk error"}, ""},
		{"layers", 3, "KRN-HUNG", "limited", nil, "tells of no disk error"},
		{"layers", 1, "X-03", "compute", []string{"kvm_async_pf_task_wait_schedule", "swap 4.4 GiB of 7.8 GiB used", "2.0 GiB of 8.0 GiB in swap", "tells of no disk error"}, "at fault"},
		{"disk", 1, "SMT-02", "sdb", []string{"3, was 1 at 15:00:00Z; seen to grow last at 15:40:00Z", "9, was 8 at 15:10:00Z"}, ""},
		{"smartlog", 1, "SMT-04", "nvme0n1", []string{"status 0x4004 in the queue of admin commands, invalid field in command", "harmless"}, ""},
		{"smartlog", 1, "SMT-04", "nvme3n1", []string{"LBA out of range"}, "harmless"},
		{"smartlog", 1, "SMT-05", "nvme1n1", []string{"status 0xc502 in queue 3, unrecovered read error"}, ""},
		{"diskio", 1, "IO-01", "sda", []string{"compute loads it with 8.6 MiB/s written, nearly all that it does", "mysqld.service loads it with 1.9 MiB/s"}, "idle.service"},
		{"diskio", 1, "IO-03", "h", []string{"compute loads sda with 8.6 MiB/s written"}, "idle.service"},
		{"restart", 1, "X-02", "killed", []string{"Out of memory: Killed process 2325 (qemu-kvm)", "reason=crashed"}, ""},
		{"panic", 3, "X-07", "compute", []string{"async #PF", "unknown-block(0,0)"}, ""},
	} {
		text, err := os.ReadFile("testdata/" + c.file + ".txtar")
		if err != nil {
			t.Fatal(err)
		}
		archive := txtar.Parse(text)
		archive.Files = archive.Files[:c.steps]
		w := newWorld(diagnose.Derive(diagnose.Rules()))
		playInto(t, w, archive, map[string][4]int{})
		var told []string
		for i := range w.last.Findings {
			f := &w.last.Findings[i]
			if f.Rule == c.rule && f.About.Name == c.about {
				told = append(told, evidenceOf(f)...)
			}
		}
		all := strings.Join(told, "\n")
		for _, want := range c.says {
			if !strings.Contains(all, want) {
				t.Errorf("%s %s: nothing says %q:\n%s", c.rule, c.about, want, all)
			}
		}
		if all == "" || c.never != "" && strings.Contains(all, c.never) {
			t.Errorf("%s %s: no evidence, or %q:\n%s", c.rule, c.about, c.never, all)
		}
	}
}

func evidenceOf(f *fleet.Finding) (says []string) {
	for _, e := range f.Because {
		says = append(says, e.Says)
	}
	return says
}

// Where systemd counts the I/O of no unit, nothing is said of who loads a disk but how to learn it; a unit that does most of it
// leaves no question.
func TestWhoLoadsADisk(t *testing.T) {
	t.Parallel()
	const disk = `disk host/h {"name":"sda","host":"h","rotational":true,"io":{"readBytesPerSec":1000000.0,"writeBytesPerSec":60000000.0,"readsPerSec":30,"writesPerSec":60,"awaitNs":130000000,"util":0.95,"queue":14}}`
	unit := func(name, domain, rest string) string {
		return `unit host/h {"host":"h","name":"` + name + `","cgroup":"x","domain":"` + domain + `","cpu":null,"memoryBytes":1,"swappedBytes":null,"swapMaxBytes":null,` + rest + `}`
	}
	const uncounted = `"missing":["disks: its io controller is off, as it is until a limit is set"]`
	does := func(written string) string {
		return `"io":[{"disk":"sda","number":"8:0","readBytesPerSec":2000000.0,"writeBytesPerSec":` + written + `,"readsPerSec":1,"writesPerSec":1,"limit":{},"libvirtLimit":{}}]`
	}
	for name, c := range map[string]struct {
		units         []string
		says, missing string
	}{
		"nobody is counted": {
			units:   []string{unit("a.service", "", uncounted), unit("machine-qemu-1.scope", "instance-0000001c", uncounted)},
			missing: "not counted: instance-0000001c and a.service",
		},
		"one does most":      {units: []string{unit("a.service", "", uncounted), unit("machine-qemu-1.scope", "instance-0000001c", does("46000000.0"))}, says: "instance-0000001c loads it with 43.9 MiB/s written and 1.9 MiB/s read, most of what it does"},
		"one does a little":  {units: []string{unit("a.service", "", uncounted), unit("b.service", "", does("9000000.0"))}, says: "b.service loads it with 8.6 MiB/s written and 1.9 MiB/s read", missing: "not counted: a.service"},
		"no units are known": {missing: "who loads it: iotop -o on h"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := worldOf(t, append(c.units, disk)...)
			for i := range w.last.Findings {
				f := &w.last.Findings[i]
				says, missing := strings.Join(evidenceOf(f), "\n"), strings.Join(f.Missing, "\n")
				if !strings.Contains(says, c.says) || c.says == "" && strings.Contains(says, "loads it") || !strings.Contains(missing, c.missing) || c.missing == "" && missing != "" {
					t.Errorf("%s says %q, and lacks %q", f.Rule, says, missing)
				}
			}
			if len(w.last.Findings) != 2 {
				t.Errorf("%d findings, not IO-01 and IO-02", len(w.last.Findings))
			}
		})
	}
}
