package klog

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"strata/internal/fleet"
)

func fixture(t testing.TB, name string) (lines []string) {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSuffix(line, "\n"); line != "" && line[0] != '#' {
			lines = append(lines, line)
		}
	}
	return lines
}

func TestLinesThatMeanSomething(t *testing.T) {
	t.Parallel()
	c := NewClassifier()
	classes := map[string]bool{}
	for _, line := range fixture(t, "match.txt") {
		f := strings.SplitN(line, " | ", 5)
		if len(f) < 5 { // an empty column between two others
			f = strings.SplitN(strings.ReplaceAll(line, "| |", "|  |"), " | ", 5)
		}
		for i := range f {
			f[i] = strings.TrimSpace(f[i])
		}
		m, ok := c.Classify(f[4])
		got := []string{m.Class, m.Severity.String(), m.Subject, m.Cause}
		if !ok || strings.Join(got, "|") != strings.Join(f[:4], "|") {
			t.Errorf("%s\n got %q\nwant %q", f[4], got, f[:4])
		}
		classes[f[0]] = true
	}
	for _, r := range c.rules {
		if !classes[r.class] {
			t.Errorf("no sample of class %s", r.class)
		}
	}
}

func TestLinesThatMeanNothing(t *testing.T) {
	t.Parallel()
	c := NewClassifier()
	twins := map[string]int{}
	for _, line := range fixture(t, "nomatch.txt") {
		class, text, ok := strings.Cut(line, " | ")
		if !ok {
			t.Fatalf("no class: %s", line)
		}
		twins[class]++
		if m, ok := c.Classify(text); ok {
			t.Errorf("%s: taken for %+v", text, m)
		}
	}
	for _, r := range c.rules {
		if twins[r.class] == 0 {
			t.Errorf("no line that only looks like class %s", r.class)
		}
	}
}

// Each pattern has a sample of its own, so that none is dead.
func TestEachPatternHasASample(t *testing.T) {
	t.Parallel()
	c := NewClassifier()
	hit := make([]bool, len(c.rules))
	for _, line := range fixture(t, "match.txt") {
		for i := range c.rules {
			one := Classifier{rules: c.rules[i : i+1]}
			if _, ok := one.Classify(line[strings.LastIndex(line, " | ")+3:]); ok {
				hit[i] = true
			}
		}
	}
	for i, r := range c.rules {
		if !hit[i] {
			t.Errorf("%s: no sample of %s", r.class, r.pattern)
		}
	}
}

// The captures are of a Debian 12 machine that was made to fail: a bad sector on NVMe and SATA, a device mapper table that
// errs, two OOM kills, tasks that hang, an NVMe target that loses its disk.
func TestLogsOfARealMachine(t *testing.T) {
	t.Parallel()
	kmsg := NewLog("host/alpha", "alpha")
	text, err := os.ReadFile("testdata/lab.kmsg")
	if err != nil {
		t.Fatal(err)
	}
	for _, record := range strings.Split(strings.ReplaceAll(string(text), "\n ", "\x00 "), "\n") {
		l, err := ParseKmsg(strings.ReplaceAll(record, "\x00", "\n"))
		if record == "" {
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", record, err)
		}
		l.Boot, l.At = "b1", time.Unix(1000, 0).Add(l.Mono)
		kmsg.Add(l)
	}
	same(
		t, told(kmsg),
		"boot info 6.1.0-50-amd64 x1", "io-error serious nvme0n1 x1 critical medium error", "ata serious ata1.00 x12 exception Emask 0x1",
		"io-error serious sda x1 I/O error", "io-error serious dm-0 x9 buffer I/O error", "remount-ro critical dm-0 x2 its journal was aborted",
		"ext4 serious dm-0 x2 ext4_journal_check_start", "oom warn python3[432] x1 limit of its control group /system.slice/laboom.service",
		"hung-task serious jbd2/dm-0-8[497] x1 jbd2_journal_wait_updates", "hung-task serious dd[503] x1 ext4_sync_file",
		"hung-task serious jbd2/dm-0-8[497] x1 jbd2_journal_wait_updates", "hung-task serious dd[503] x1 ext4_sync_file",
	)
	journal := NewLog("host/alpha", "alpha")
	for _, line := range fixture(t, "lab.jsonl") {
		l, err := ParseJournal([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		journal.Add(l)
	}
	same(
		t, told(journal),
		"oom serious python3[2415] x1", "io-error serious dm-0 x1 buffer I/O error", "io-error serious nvme1c1n1 x5 I/O error", "io-error serious nvme1n1 x1 buffer I/O error",
		"hung-task serious dd[2681] x1", "hung-task serious jbd2/dm-0-8[2674] x1", "hung-task serious dd[2681] x1", "hung-task serious jbd2/dm-0-8[2674] x1", "hung-task serious dd[2681] x1",
	)
	if tail := journal.Tail("journalctl"); len(tail.Boots) != 1 || !tail.Covers(tail.Lines[0].At) || tail.Covers(tail.Lines[0].At.Add(-time.Second)) || tail.Dropped != 0 {
		t.Errorf("the span is %v, boots %+v", tail.From, tail.Boots)
	}
}

// That there is no line says nothing of a time in which lines were lost.
func TestTheSpanBeginsAnewAfterLostLines(t *testing.T) {
	t.Parallel()
	l := read("one", "two")
	if tail := l.Tail("journalctl"); !tail.Covers(time.Unix(1001, 0)) || tail.Covers(time.Unix(1000, 0)) {
		t.Errorf("the span begins at %v", tail.From)
	}
	l.Lost(0)
	if tail := l.Tail("journalctl"); !tail.Covers(time.Unix(1001, 0)) {
		t.Error("nothing was lost")
	}
	l.Lost(3)
	l.Add(Line{Boot: "b1", At: time.Unix(1060, 0), Text: "three"})
	l.Add(Line{Boot: "b1", At: time.Unix(1061, 0), Text: "four"})
	if tail := l.Tail("journalctl"); tail.Covers(time.Unix(1059, 0)) || !tail.Covers(time.Unix(1060, 0)) || tail.Dropped != 3 || len(tail.Lines) != 4 {
		t.Errorf("after lines were lost the span begins at %v", tail.From)
	}
	if tail := NewLog("host/alpha", "alpha").Tail("journalctl"); tail.Covers(time.Unix(2000, 0)) {
		t.Error("a log without a line covers nothing")
	}
}

// log reads lines a second apart, "+N text" N seconds after the one before.
func read(lines ...string) *Log {
	l, at := NewLog("host/alpha", "alpha"), 0
	for _, text := range lines {
		step := 1
		if rest, ok := strings.CutPrefix(text, "+"); ok {
			_, _ = fmt.Sscanf(rest, "%d", &step)
			_, text, _ = strings.Cut(rest, " ")
		}
		at += step
		l.Add(Line{Boot: "b1", At: time.Unix(int64(1000+at), 0), Mono: time.Duration(at) * time.Second, Text: text})
	}
	return l
}

func told(l *Log) (all []string) {
	for _, o := range l.Events() {
		e := o.(*fleet.KernelEvent)
		all = append(all, fmt.Sprintf("%s %s %s x%d %s %s", e.Class, e.Severity, e.Subject, e.Count, e.Cause, e.CGroup))
	}
	return all
}

func same(t *testing.T, got []string, want ...string) {
	t.Helper()
	for i := range got {
		got[i] = strings.Join(strings.Fields(got[i]), " ")
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// The stack of the incident: the frame that names the layer below counts, not those that are in every stack.
func TestAHungTaskNamesWhatItWaitsFor(t *testing.T) {
	t.Parallel()
	l := read(
		"INFO: task nova-compute:1069 blocked for more than 122 seconds.",
		"+0       Not tainted 5.14.0-503.26.1.el9_5.x86_64 #1",
		`+0 "echo 0 > /proc/sys/kernel/hung_task_timeout_secs" disables this message.`,
		"+0 task:nova-compute    state:D stack:0     pid:1069  tgid:1069  ppid:1      flags:0x00000002",
		"+0 Call Trace:", "+0  <TASK>",
		"+0  __schedule+0x229/0x550", "+0  ? ext4_guess+0x1/0x2", "+0  schedule+0x2e/0xd0", "+0  io_schedule+0x42/0x70",
		"+0  kvm_async_pf_task_wait_schedule+0xf3/0x180", "+0  xfs_file_read_iter+0x1/0x2",
		"+100 INFO: task jbd2/vda1-8:301 blocked for more than 122 seconds.",
		"+0  __schedule+0x229/0x550", "+0  io_schedule+0x42/0x70", "+0  jbd2_journal_commit_transaction+0xf3/0x180",
		"+100 INFO: task tar:9 blocked for more than 122 seconds.", "+0  schedule+0x2e/0xd0", "+0  io_schedule+0x42/0x70", "+0  folio_wait_bit_common+0x1/0x2",
		"+60  jbd2_late+0x1/0x2",
	)
	same(t, told(l), "hung-task serious nova-compute[1069] x1 kvm_async_pf_task_wait_schedule",
		"hung-task serious jbd2/vda1-8[301] x1 jbd2_journal_commit_transaction", "hung-task serious tar[9] x1 io_schedule")
}

// Who ran when it panicked tells an update that was cut off.
func TestAPanicNamesTheTaskThatRan(t *testing.T) {
	t.Parallel()
	l := read(
		"Kernel panic - not syncing: Host injected async #PF in kernel mode",
		"+0 CPU: 0 PID: 3053 Comm: dnf Kdump: loaded Not tainted 5.14.0-503.23.1.el9_5.x86_64 #1",
		"+0 CPU: 1 PID: 1 Comm: systemd Not tainted 5.14.0", "+0  panic+0x107/0x2bb",
		"+1 ---[ end Kernel panic - not syncing: Host injected async #PF in kernel mode ]---",
	)
	same(t, told(l), "panic critical dnf[3053] x2 Host injected async #PF in kernel mode")
}

func TestTheLinesOfOneKillAreOneEvent(t *testing.T) {
	t.Parallel()
	l := read(
		"mysqld invoked oom-killer: gfp_mask=0x140dca(GFP_HIGHUSER_MOVABLE), order=0, oom_score_adj=0",
		"+0 Mem-Info:",
		"+0 oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=emulator,mems_allowed=0,global_oom,task_memcg=/machine.slice/x.scope,task=qemu-kvm,pid=2325,uid=107",
		"+0 Out of memory: Killed process 2325 (qemu-kvm) total-vm:9876kB, anon-rss:543kB, file-rss:0kB",
	)
	same(t, told(l), "oom serious qemu-kvm[2325] x1 /machine.slice/x.scope")
	if e := l.Events()[0].(*fleet.KernelEvent); !strings.HasPrefix(e.Line, "Out of memory: Killed process 2325") {
		t.Errorf("its line: %s", e.Line)
	}
}

func TestRepeatsAreFolded(t *testing.T) {
	t.Parallel()
	const failed = "I/O error, dev vda, sector 2048 op 0x1:(WRITE)"
	l := read(failed, failed, "I/O error, dev vdb, sector 1 op 0x0:(READ)", failed)
	before := l.Events()
	l2 := before[0].(*fleet.KernelEvent)
	same(t, told(l), "io-error serious vda x3 I/O error", "io-error serious vdb x1 I/O error")
	l.Add(Line{Boot: "b1", At: time.Unix(1012, 0), Mono: 12 * time.Second, Text: failed})
	after := l.Events()
	if after[0] == before[0] || after[1] != before[1] || l2.Count != 3 {
		t.Error("what was handed out must not change, and what did not change keeps its pointer")
	}
	l.Add(Line{Boot: "b1", At: time.Unix(1040, 0), Mono: 40 * time.Second, Text: failed})
	l.Add(Line{Boot: "b2", At: time.Unix(1041, 0), Mono: time.Second, Text: failed})
	if got := len(l.Events()); got != 4 {
		t.Errorf("%d events; a later one and one of another boot are new", got)
	}
	if tail := l.Tail("journalctl"); len(tail.Boots) != 2 || tail.Boots[0].ID != "b1" || !tail.From.Equal(time.Unix(1001, 0)) || len(tail.Lines) != 7 {
		t.Errorf("the span: %+v", tail)
	}
}

func TestWhatIsKeptIsBounded(t *testing.T) {
	t.Parallel()
	l := NewLog("host/alpha", "alpha")
	for i := range 3 * MaxEvents {
		l.Add(Line{Boot: "b1", At: time.Unix(int64(i), 0), Mono: time.Duration(i) * time.Second, Text: fmt.Sprintf("I/O error, dev sd%c%c, sector 1", 'a'+i%26, 'a'+i/26%26)})
	}
	tail := l.Tail("x")
	if n := len(l.Events()); n != MaxEvents || len(tail.Lines) != MaxLines || len(l.latest) > MaxEvents {
		t.Errorf("%d events, %d lines, %d keys", n, len(tail.Lines), len(l.latest))
	}
	if !tail.Lines[MaxLines-1].At.Equal(time.Unix(3*MaxEvents-1, 0)) || !tail.Lines[0].At.Equal(time.Unix(3*MaxEvents-MaxLines, 0)) {
		t.Errorf("lines from %v to %v", tail.Lines[0].At, tail.Lines[MaxLines-1].At)
	}
}

// What a program writes into the kernel's log is shown and believed nothing.
func TestProgramsAreNotTheKernel(t *testing.T) {
	t.Parallel()
	l := NewLog("host/alpha", "alpha")
	l.Add(Line{Boot: "b1", At: time.Unix(1, 0), Text: "I/O error, dev vda, sector 2048", User: true})
	if len(l.Events()) != 0 || len(l.Tail("x").Lines) != 1 {
		t.Errorf("got %v", told(l))
	}
}

func TestJournalLine(t *testing.T) {
	t.Parallel()
	const line = `{"__CURSOR":"s=1;i=2","__REALTIME_TIMESTAMP":"1764111600500000","__MONOTONIC_TIMESTAMP":"9500000","_SOURCE_MONOTONIC_TIMESTAMP":"1000000",` +
		`"_BOOT_ID":"0123456789abcdef0123456789abcdef","PRIORITY":"3","SYSLOG_FACILITY":"0","MESSAGE":%s}`
	for message, want := range map[string]string{
		`"I/O error"`: "I/O error", `[73,47,79,27]`: "I/O\x1b", `null`: "", `["one","two"]`: "one", `[[65,66],"x"]`: "AB", `[200]`: "\uFFFD",
	} {
		l, err := ParseJournal([]byte(fmt.Sprintf(line, message)))
		if err != nil || l.Text != want || l.Priority != 3 || l.User || l.Mono != time.Second || !l.At.Equal(time.UnixMicro(1764111592000000)) || l.Cursor != "s=1;i=2" {
			t.Errorf("%s: got %+v, %v", message, l, err)
		}
	}
	for _, bad := range []string{``, `{}`, `[]`, `{"__REALTIME_TIMESTAMP":"x"}`, `{"__REALTIME_TIMESTAMP":"1","MESSAGE":[256]}`, `{"__REALTIME_TIMESTAMP":"-1"}`} {
		if l, err := ParseJournal([]byte(bad)); err == nil {
			t.Errorf("%s: got %+v", bad, l)
		}
	}
}

func TestKmsgRecord(t *testing.T) {
	t.Parallel()
	l, err := ParseKmsg("3,659,95098125,-;I/O error, dev \\x1b[1mvda; sector\n SUBSYSTEM=block\n DEVICE=b8:0\n")
	if err != nil || l.Priority != 3 || l.Seq != 659 || l.Mono != 95098125*time.Microsecond || l.User || l.Text != "I/O error, dev \x1b[1mvda; sector" {
		t.Errorf("got %+v, %v", l, err)
	}
	if l, err = ParseKmsg("30,660,95098126,c,caller=T1;systemd[1]: hello"); err != nil || !l.User || l.Priority != 6 {
		t.Errorf("of a program: %+v, %v", l, err)
	}
	for _, bad := range []string{"", "x", "1,2,3;x", "a,2,3,-;x", "1,2,-3,-;x", "1,2,99999999999999999999,-;x"} {
		if l, err := ParseKmsg(bad); err == nil {
			t.Errorf("%q: got %+v", bad, l)
		}
	}
}

func FuzzJournal(f *testing.F) {
	f.Add([]byte(`{"__REALTIME_TIMESTAMP":"1764111600500000","__MONOTONIC_TIMESTAMP":"9500000","MESSAGE":[1,2],"_BOOT_ID":["a","b"]}`))
	f.Add([]byte(`{"__REALTIME_TIMESTAMP":"1","MESSAGE":null}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if l, err := ParseJournal(b); err == nil {
			whole(t, l)
		}
	})
}

func FuzzKmsg(f *testing.F) {
	f.Add("3,659,95098125,-;I/O error\n A=b")
	f.Add(`4,1,1,-;\x1b\x`)
	f.Fuzz(func(t *testing.T, s string) {
		if l, err := ParseKmsg(s); err == nil {
			whole(t, l)
		}
	})
}

// whole checks a line that came from anywhere, and takes it in.
func whole(t *testing.T, l Line) {
	t.Helper()
	if len(l.Text) > 3*MaxText || !utf8.ValidString(l.Text) || strings.HasSuffix(l.Text, "\n") || l.Priority < 0 || l.Priority > 7 || l.Mono < 0 {
		t.Errorf("got %+v", l)
	}
	log := NewLog("host/a", "a")
	log.Add(l)
	if _, err := json.Marshal(log.Tail("x")); err != nil && l.At.Year() < 9999 {
		t.Error(err)
	}
	if n := len(log.Events()); n > 1 {
		t.Errorf("%d events of one line", n)
	}
}

// Lines of a real boot are nearly all of no class.
func BenchmarkLines(b *testing.B) {
	var lines []string
	for range 20 {
		lines = append(lines, fixture(b, "nomatch.txt")...)
	}
	for _, l := range fixture(b, "match.txt") {
		lines = append(lines, l[strings.LastIndex(l, " | ")+3:])
	}
	l := NewLog("host/alpha", "alpha")
	i := 0
	for b.Loop() {
		l.Add(Line{Boot: "b1", At: time.Unix(int64(i/1000), 0), Mono: time.Duration(i) * time.Millisecond, Text: lines[i%len(lines)]})
		i++
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}
