package sh

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// orphan makes this test binary the strata that is killed: it talks with a process that says nothing by itself.
const orphan = "STRATA_TEST_ORPHAN"

// A follower of a log (journalctl -f) ends with the strata that started it, even when that is killed and has no time to
// end anything.
func TestWhoIsTalkedWithEndsWithUs(t *testing.T) {
	if os.Getenv(orphan) != "" {
		talk, err := Start(context.Background(), Cmd{Argv: []string{"sleep", "300"}})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println("pid", talk.cmd.Process.Pid)
		select {}
	}
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestWhoIsTalkedWithEndsWithUs$")
	cmd.Env = append(os.Environ(), orphan+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	pid, bad := strconv.Atoi(strings.TrimPrefix(strings.TrimSpace(line), "pid "))
	if err != nil || bad != nil {
		t.Fatalf("it said %q: %v", line, err)
	}
	if !lives(pid) {
		t.Fatal("the child did not start")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	for deadline := time.Now().Add(10 * time.Second); lives(pid); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
			t.Fatal("the child lives on")
		}
	}
}

// lives reports whether a process is there and no zombie.
func lives(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	return !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}
