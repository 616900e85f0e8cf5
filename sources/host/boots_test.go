package host

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"strata/internal/fake/machine"
	"strata/internal/fleet"
	"strata/internal/sh"
	"strata/sources/tree"
)

const (
	bootA = "39d66eb1925f4d01b8464d502650a714"
	bootB = "c8ebd52915b642c39eda4bf00f864f79"
)

func TestBootsOfAllAgesOfJournalctl(t *testing.T) {
	t.Parallel()
	want := []fleet.Boot{
		{ID: bootA, First: time.Date(2022, 3, 5, 14, 20, 33, 0, time.UTC), Last: time.Date(2022, 3, 5, 15, 19, 21, 0, time.UTC)},
		{ID: bootB, First: time.Date(2022, 3, 11, 16, 38, 41, 0, time.UTC), Last: time.Date(2022, 3, 11, 19, 3, 46, 0, time.UTC)},
	}
	for name, text := range map[string]string{
		"a table as JSON": `[{"index":-1,"boot_id":"` + bootA + `","first_entry":1646490033000000,"last_entry":1646493561000000},{"index":0,"boot_id":"` + bootB + `","first_entry":1647016721000000,"last_entry":1647025426000000}]`,
		"lines":           " -1 " + bootA + " Sat 2022-03-05 14:20:33 UTC—Sat 2022-03-05 15:19:21 UTC\n  0 " + bootB + " Fri 2022-03-11 16:38:41 UTC—Fri 2022-03-11 19:03:46 UTC\n",
		"a table": "IDX BOOT ID                          FIRST ENTRY                 LAST ENTRY\n -1 " + bootA + " Sat 2022-03-05 14:20:33 UTC Sat 2022-03-05 15:19:21 UTC\n" +
			"  0 " + bootB + " Fri 2022-03-11 16:38:41 UTC Fri 2022-03-11 19:03:46 UTC\n",
	} {
		got := parseBoots([]byte(text))
		if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
			t.Errorf("%s: %+v", name, got)
		}
	}
	for _, nothing := range []string{"", "[]", "No journal files were found.\n-- No entries --\n", `[{"boot_id":"x"}]`, "{}", `[{"boot_id":"` + bootA + `","first_entry":9,"last_entry":1}]`} {
		if got := parseBoots([]byte(nothing)); len(got) != 0 {
			t.Errorf("%q: %+v", nothing, got)
		}
	}
}

func journalOf(lines ...string) []byte {
	var b strings.Builder
	for _, l := range lines {
		who, rest, _ := strings.Cut(l, "|")
		pid, text, _ := strings.Cut(rest, "|")
		id := ""
		if strings.HasSuffix(text, "!") {
			text, id = strings.TrimSuffix(text, "!"), `,"MESSAGE_ID":"`+journalStopped+`"`
		}
		b.WriteString(`{"SYSLOG_IDENTIFIER":"` + who + `","_PID":"` + pid + `","MESSAGE":"` + text + `"` + id + "}\n")
	}
	return []byte(b.String())
}

// A shutdown is told by PID 1, by systemd-shutdown or by journald itself; anything else at the end is the middle of a boot.
func TestHowABootEnded(t *testing.T) {
	t.Parallel()
	noise := []string{"sshd|900|Accepted publickey for root", "cron|77|(root) CMD (x)", "kernel|0|eno1: Link is Up", "cron|77|(root) CMD (y)"}
	for _, c := range []struct {
		want  string
		lines []string
	}{
		{fleet.BootShutDown, []string{"systemd|1|Reached target System Reboot."}},
		{fleet.BootShutDown, []string{"systemd|1|Reached target reboot.target - System Reboot."}},
		{fleet.BootShutDown, []string{"systemd|1|Reached target poweroff.target - System Power Off."}},
		{fleet.BootShutDown, []string{"systemd|1|Shutting down.", "systemd-shutdown|1|Syncing filesystems and block devices."}},
		{fleet.BootShutDown, []string{"systemd-journald|702|Journal stopped!"}},
		{fleet.BootShutDown, []string{"systemd|1|Stopping systemd-journal-flush.service - Flush Journal to Persistent Storage..."}},
		{fleet.BootCut, []string{"systemd|1|Starting dnf makecache..."}},
		{fleet.BootCut, append([]string{"systemd-journald|210|Journal stopped!"}, noise...)}, // of the initramfs
		{fleet.BootCut, []string{"sudo|44|Reached target System Reboot.", "app|45|Shutting down."}},
		{fleet.BootCut, []string{"systemd|1|Reached target multi-user.target - Multi-User System."}},
		{"", nil},
	} {
		if got := endOfBoot(journalOf(append(noise[:len(noise):len(noise)], c.lines...)...)); c.lines != nil && (got.ended != c.want || got.last == "") {
			t.Errorf("%q: %+v, want %q", c.lines, got, c.want)
		}
	}
	if got := endOfBoot([]byte("-- No entries --\n")); got != (bootEnd{}) {
		t.Errorf("of nothing: %+v", got)
	}
}

// The captures are of systemd 252: a reboot with systemctl, and one with sysrq-b while sshd wrote.
func TestTheJournalOfARealMachine(t *testing.T) {
	t.Parallel()
	read := func(name string) []byte {
		b, err := os.ReadFile("testdata/boots/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	all := parseBoots(read("list.json"))
	if len(all) < 2 || !all[0].Last.Before(all[1].First) {
		t.Errorf("boots: %+v", all)
	}
	if e := endOfBoot(read("clean.jsonl")); e != (bootEnd{fleet.BootShutDown, "systemd-journald: Journal stopped"}) {
		t.Errorf("shut down: %+v", e)
	}
	if e := endOfBoot(read("cut.jsonl")); e.ended != fleet.BootCut || !strings.HasPrefix(e.last, "sshd: pam_env") {
		t.Errorf("cut off: %+v", e)
	}
}

// simulatedRun runs the programs of a simulated machine.
func simulatedRun(m *machine.Machine) func(context.Context, sh.Cmd) (sh.Result, error) {
	return func(ctx context.Context, c sh.Cmd) (sh.Result, error) {
		out, _, code, err := m.Program(ctx, c.Argv...)
		return sh.Result{Stdout: out, Code: code}, err
	}
}

func TestBootsOfAMachine(t *testing.T) {
	t.Parallel()
	s := simulate(t, machine.Compute(), nil)
	s.s.conf.Run = simulatedRun(s.Machine)
	b := newBoots(s.s, s.notes)
	told := func() (says []string) {
		facts, err := b.look(t.Context(), s.now)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range facts {
			r := o.(*fleet.BootRecord)
			if r.Begin.IsZero() || r.Current == !r.End.IsZero() || r.End.Before(r.Begin) && !r.Current {
				t.Errorf("%+v", r)
			}
			says = append(says, r.Health().Word)
		}
		return says
	}
	const before = "running, cut off, cut off, cut off"
	if got := strings.Join(told(), ", "); got != before {
		t.Errorf("boots: %s", got)
	}
	if err := s.Reboot(); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(told(), ", "); got != before+", cut off" {
		t.Errorf("after a reboot: %s", got)
	}
	if notes := s.notes.all(); len(notes) > 0 {
		t.Errorf("missing: %q", notes)
	}
}

// Without a journal, or without rights, the machine is in a boot all the same, and what is missing is said.
func TestBootsWithoutAJournal(t *testing.T) {
	t.Parallel()
	for want, run := range map[string]func(context.Context, sh.Cmd) (sh.Result, error){
		"there is no journalctl": func(context.Context, sh.Cmd) (sh.Result, error) { return sh.Result{}, sh.ErrMissing },
		"systemd-journal or adm": func(context.Context, sh.Cmd) (sh.Result, error) {
			return sh.Result{Code: 1, Stderr: "No journal files were opened due to insufficient permissions."}, nil
		},
		"keeps no earlier one": func(context.Context, sh.Cmd) (sh.Result, error) {
			return sh.Result{Code: 1, Stderr: "No journal files were found."}, nil
		},
		"did not end": func(context.Context, sh.Cmd) (sh.Result, error) { return sh.Result{}, errors.New("did not end") },
	} {
		s := simulate(t, machine.Compute(), nil)
		s.s.conf.Run = run
		facts, err := newBoots(s.s, s.notes).look(t.Context(), s.now)
		if err != nil || len(facts) != 1 || !facts[0].(*fleet.BootRecord).Current {
			t.Errorf("%s: %v, %v", want, facts, err)
		}
		if got := strings.Join(s.notes.all(), "\n"); !strings.HasPrefix(got, "boots: ") || !strings.Contains(got, want) {
			t.Errorf("missing: %q, want %q", got, want)
		}
	}
}

// A journal that does not answer is asked ever less often; once it did, not for hours.
func TestTheJournalIsAskedSeldom(t *testing.T) {
	t.Parallel()
	s := simulate(t, machine.Compute(), nil)
	asked, works := 0, false
	s.s.conf.Run = func(ctx context.Context, c sh.Cmd) (sh.Result, error) {
		if asked++; !works {
			return sh.Result{}, sh.ErrDeadline
		}
		return simulatedRun(s.Machine)(ctx, c)
	}
	b := newBoots(s.s, s.notes)
	hours := func(n int) int {
		before := asked
		for range n * 360 {
			s.now = s.now.Add(10 * time.Second)
			if _, err := b.look(t.Context(), s.now); err != nil {
				t.Fatal(err)
			}
		}
		return asked - before
	}
	if n := hours(3); n < 4 || n > 7 {
		t.Errorf("asked %d times in three hours that it did not answer", n)
	}
	works = true
	hours(8)
	if n := hours(5); n > 1 {
		t.Errorf("asked %d times in five hours although it answers", n)
	}
}

func TestTheNewestKernel(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files []string
		want  string
	}{
		"interrupted update": {[]string{"vmlinuz-5.14.0-503.23.1.el9_5.x86_64", "initramfs-5.14.0-503.23.1.el9_5.x86_64.img", "vmlinuz-5.14.0-570.23.1.el9_6.x86_64", "vmlinuz-0-rescue-4ffb", "initramfs-0-rescue-4ffb.img"}, "5.14.0-570.23.1.el9_6.x86_64  true"},
		"whole":              {[]string{"vmlinuz-6.1.0-9-amd64", "initrd.img-6.1.0-9-amd64", "vmlinuz-6.1.0-50-amd64", "initrd.img-6.1.0-50-amd64"}, "6.1.0-50-amd64 /boot/initrd.img-6.1.0-50-amd64 true"},
		"none needed":        {[]string{"vmlinuz-6.9", "System.map-6.9"}, "6.9  false"},
		"only one":           {[]string{"vmlinuz-6.9", "initramfs-6.9.img"}, "6.9 /boot/initramfs-6.9.img false"},
		"a container":        {nil, "none"},
	} {
		root := t.TempDir()
		if c.files != nil {
			if err := os.MkdirAll(filepath.Join(root, "boot"), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		for _, f := range c.files {
			if err := os.WriteFile(filepath.Join(root, "boot", f), []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		got := "none"
		if k := newestKernel(tree.Tree(root), newNotes()); k != nil {
			got = k.Release + " " + k.Initramfs + " " + map[bool]string{true: "true", false: "false"}[k.Others]
			if k.Whole() != (k.Initramfs != "") {
				t.Errorf("%s: %+v", name, k)
			}
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func FuzzBoots(f *testing.F) {
	f.Add([]byte(`[{"index":0,"boot_id":"` + bootA + `","first_entry":1646490033438495,"last_entry":1646493561047353}]`))
	f.Add([]byte(" -1 " + bootA + " Sat 2022-03-05 14:20:33 UTC—Sat 2022-03-05 15:19:21 UTC\n"))
	f.Add(journalOf("systemd|1|Reached target System Reboot.", "systemd-journald|702|Journal stopped!"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, boot := range parseBoots(b) {
			if !isBootID(boot.ID) || boot.Last.Before(boot.First) {
				t.Errorf("%+v", boot)
			}
		}
		if e := endOfBoot(b); len(e.last) > 200 || (e.ended == "") != (e.last == "") {
			t.Errorf("%+v", e)
		}
	})
}

func FuzzVersions(f *testing.F) {
	f.Add("5.14.0-503.26.1.el9_5", "5.14.0-570.23.1.el9_6")
	f.Add("6.1.0-9-amd64", "6.1.0-50-amd64")
	f.Fuzz(func(t *testing.T, a, b string) {
		if compareVersions(a, b) != -compareVersions(b, a) || compareVersions(a, a) != 0 {
			t.Errorf("%q and %q", a, b)
		}
	})
}
