package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"strata/internal/config"
	"strata/internal/connect"
	"strata/internal/fleet"
)

// In a cockpit that cannot write, a machine that only Kubernetes tells of is watched over ssh after one key; ssh gets its
// address as one word, and nothing is written anywhere but the agent's own program there.
func TestAKnownMachineIsWatchedWithOneKey(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	w := configured(t, home)
	bin := filepath.Join(home, "bin")
	if err := os.MkdirAll(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	const ssh = "#!/bin/sh\nprintf '%s\\n' \"$*\" >>\"$HOME/ssh.log\"\nfor last; do :; done\nexec sh -c \"$last\"\n"
	if err := os.WriteFile(filepath.Join(bin, "ssh"), []byte(ssh), 0o700); err != nil {
		t.Fatal(err)
	}
	s := open(t, sessionOptions{home: home, env: []string{"PATH=" + bin + ":" + os.Getenv("PATH")}}, "watch", "--no-host")
	s.await("the first data", func(screen string) bool { return strings.Contains(screen, "worker-1") })
	s.press(":agents worker-1\r")
	s.await("the machine that is known", func(screen string) bool { return regexp.MustCompile(`worker-1 +not connected`).MatchString(screen) })
	s.press("a")
	s.await("its agent", func(screen string) bool { return regexp.MustCompile(`worker-1 +connected`).MatchString(screen) })
	s.press(":hosts\r")
	s.await("the host", func(screen string) bool { return strings.Contains(screen, "worker-1") })
	s.signal(syscall.SIGTERM)
	s.ends()
	text, err := os.ReadFile(filepath.Join(home, "ssh.log"))
	if err != nil || !strings.Contains(string(text), "BatchMode=yes") || !strings.Contains(string(text), " -- 10.0.0.11 ") {
		t.Errorf("ssh was called as %s, %v", text, err)
	}
	if _, err := os.Stat(config.Path(func(k string) string { return map[string]string{"HOME": home}[k] })); err == nil {
		t.Error("the configuration was written")
	}
	if writes := w.nova.Writes(); len(writes) > 0 {
		t.Errorf("the cloud was written to: %v", writes)
	}
}

func TestWhatIsNoMachineIsNotConnected(t *testing.T) {
	t.Parallel()
	a := assemble(places{}, config.Config{}, func(...fleet.Kind) bool { return false })
	a.remotes = []connect.Remote{{Name: "far", Destination: "root@far"}}
	j := &joined{ctx: t.Context(), a: a}
	for _, bad := range [][2]string{{"x", "-oProxyCommand=evil"}, {"x", "a b"}, {"-x", "a"}, {"x;y", "a"}, {"x", ""}, {"far", "root@far"}} {
		if says, err := j.connect(bad[0], bad[1]); err == nil {
			t.Errorf("%q was taken: %s", bad, says)
		}
	}
	if _, err := (places{simulated: true}).connecting(j)("a", "10.0.0.28"); err == nil {
		t.Error("the demo would speak with somebody's 10.0.0.28")
	}
}
