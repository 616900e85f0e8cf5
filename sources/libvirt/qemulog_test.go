package libvirt

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"strata/internal/fleet"
	"strata/sources/tree"
)

func qemuTold(l *fleet.QemuLog) string {
	var b strings.Builder
	for _, x := range l.Lines {
		fmt.Fprintf(&b, "%s %s x%d %s\n", x.At.Format("15:04:05"), x.Class, x.Count, x.Text)
	}
	return b.String()
}

// The lines of qemu are QEMU's own: of a killed writer with lazy_refcounts, of an image whose table points into its header.
func TestHowARunEnded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		file, started, stopped, reason string
		unclean                        bool
		lines                          string
	}{
		{"destroyed.log", "06:38:10", "07:18:02", "destroyed", false, `06:38:10 repair x11 ERROR cluster 5 refcount=0 reference=1
07:18:02 signal x1 qemu-system-x86_64: terminating on signal 15 from pid 1211 (/usr/sbin/libvirtd)
07:18:02 stop x1 shutting down, reason=destroyed
`},
		{"unclean.log", "07:31:44", "00:00:00", "", true, "07:31:44 repair x11 ERROR cluster 261192 refcount=0 reference=1\n"},
		{"corrupt.log", "09:05:00", "09:06:00", "failed", false, `09:00:01 kvm x1 KVM: entry failed, hardware error 0x80000021
09:00:01 kvm x1 KVM internal error. Suberror: 3
09:00:01 corrupt x1 qcow2: Marking image as corrupt: Cluster allocation offset 0x200 unaligned (L2 offset: 0x40000, L2 index: 0); further corruption events will be suppressed
09:00:03 stop x1 shutting down, reason=crashed
09:05:00 corrupt x1 qemu-kvm: -drive file=c.qcow2,if=virtio,format=qcow2: qcow2: Image is corrupt; cannot be opened read/write
09:06:00 memory x1 qemu-kvm: cannot set up guest memory 'pc.ram': Cannot allocate memory
09:06:00 stop x1 shutting down, reason=failed
`},
	} {
		l := parseQemuLog(capture(t, "qemu/"+c.file), qemuRules())
		if got := qemuTold(&l); got != c.lines {
			t.Errorf("%s:\n got %s\nwant %s", c.file, got, c.lines)
		}
		if l.Started.Format("15:04:05") != c.started || l.Stopped.Format("15:04:05") != c.stopped || l.Reason != c.reason || l.Unclean != c.unclean {
			t.Errorf("%s: %+v", c.file, l)
		}
	}
}

func TestLinesOfAQemuThatMeanNothing(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"-watchdog-action reset", "char device redirected to /dev/pts/0 (label charserial0)", "-msg timestamp=on",
		"2025-06-27T09:00:00.000001Z qemu-kvm: warning: CPU model qemu64-v1 is deprecated",
		"2025-06-27 09:00:00.000+0000: Domain id=1 is tainted: high-privileges", "2025-06-27 09:00:00.000+0000: initiating migration",
		"main_channel_link: add main channel client", "info: qcow2 images are fine", "ERROR: no cluster", "shutting down, reason=", "shutting down the guest",
	} {
		if l := parseQemuLog(line+"\n", qemuRules()); len(l.Lines) != 0 || !l.Started.IsZero() || !l.Stopped.IsZero() {
			t.Errorf("%s: %+v", line, l)
		}
	}
}

// logsBelow is a machine with a folder of logs, and a watcher of it.
func logsBelow(t *testing.T) (string, *watcher) {
	root := t.TempDir()
	folder := filepath.Join(root, qemuFolder)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	return folder, &watcher{at: tree.Tree(root), rules: qemuRules()}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

const stopped = "2025-06-30 07:18:0%d.000+0000: shutting down, reason=%s\n"

// A log that grows is read again, one that did not is not; after a rotation what was before is still known.
func TestALogIsFollowedOverRotation(t *testing.T) {
	t.Parallel()
	for _, suffix := range []string{".0", ".1"} {
		folder, w := logsBelow(t)
		var seen qemuSeen
		path := filepath.Join(folder, "a.log")
		if w.qemuLog("a", &seen) != nil {
			t.Fatal("a log that is not there was read")
		}
		write(t, path, fmt.Sprintf(stopped, 1, "destroyed"))
		first := w.qemuLog("a", &seen)
		if first == nil || first.Reason != "destroyed" || w.qemuLog("a", &seen) != first {
			t.Fatalf("read %+v", first)
		}
		write(t, path, fmt.Sprintf(stopped, 1, "destroyed")+fmt.Sprintf(stopped, 2, "crashed"))
		if l := w.qemuLog("a", &seen); l.Reason != "crashed" || len(l.Lines) != 2 {
			t.Errorf("after it grew: %+v", l)
		}
		if err := os.Rename(path, path+suffix); err != nil {
			t.Fatal(err)
		}
		if w.qemuLog("a", &seen) != nil {
			t.Error("between the two files there is none")
		}
		write(t, path, "2025-07-01 00:00:00.000+0000: starting up libvirt version: 9\n")
		if l := w.qemuLog("a", &seen); l.Reason != "crashed" || l.Started.Day() != 1 || l.Unclean {
			t.Errorf("after the rotation: %+v", l)
		}
	}
}

// Only the end of a long log is read, from the start of a line.
func TestOnlyTheEndOfALogIsRead(t *testing.T) {
	t.Parallel()
	folder, w := logsBelow(t)
	long := fmt.Sprintf(stopped, 1, "crashed") + strings.Repeat("ERROR cluster 261192 refcount=0 reference=1\n", 40_000) + fmt.Sprintf(stopped, 2, "shutdown")
	write(t, filepath.Join(folder, "a.log"), long)
	l := w.qemuLog("a", &qemuSeen{})
	if l.Reason != "shutdown" || len(l.Lines) != 2 || l.Lines[0].Count > qemuTail/40 || l.Lines[0].Count < 1000 {
		t.Errorf("read %+v", l)
	}
}

// Names of domains are the world's, and so are links in the folder: nothing outside of it is opened, and nothing that waits.
func TestNoNameLeadsOutOfTheFolder(t *testing.T) {
	t.Parallel()
	folder, w := logsBelow(t)
	outside := filepath.Join(folder, "..", "secret.log")
	write(t, outside, fmt.Sprintf(stopped, 1, "crashed"))
	if err := os.Symlink("../secret.log", filepath.Join(folder, "link.log")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(folder, "far.log")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(folder, "pipe.log"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"../secret", "link", "far", "pipe", "", ".", "..", "a\x00b", "/etc/passwd", strings.Repeat("x", 5000)} {
		if l := w.qemuLog(name, &qemuSeen{}); l != nil && (l.NoData == "" || len(l.Lines) > 0) {
			t.Errorf("%q: %+v", name, l)
		}
	}
	write(t, filepath.Join(folder, "a 'b' <c>.log"), fmt.Sprintf(stopped, 1, "crashed"))
	if l := w.qemuLog("a 'b' <c>", &qemuSeen{}); l == nil || l.Reason != "crashed" {
		t.Errorf("an odd name: %+v", l)
	}
}

func FuzzQemuLog(f *testing.F) {
	files, err := filepath.Glob("testdata/qemu/*.log")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b))
	}
	rules := qemuRules()
	f.Fuzz(func(t *testing.T, text string) {
		l := parseQemuLog(text, rules)
		if len(l.Lines) > maxQemuLines {
			t.Errorf("%d lines", len(l.Lines))
		}
		for _, x := range l.Lines {
			if x.Class == "" || x.Count < 1 || len(x.Text) > maxQemuText || strings.Contains(x.Text, "\n") {
				t.Errorf("%+v", x)
			}
		}
		if at, rest, ok := qemuTime(text); ok && (len(rest) >= len(text) || at.Location() != time.UTC) {
			t.Errorf("%q: %v, rest %q", text, at, rest)
		}
	})
}
