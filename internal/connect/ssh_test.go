package connect

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"strata/internal/sh"
)

// TestTheProgramIsCopiedInTurns: to one machine after the other, and once to those that share a home.
func TestTheProgramIsCopiedInTurns(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	binary := filepath.Join(dir, "program")
	if err := os.WriteFile(binary, []byte("#!/bin/sh\necho hello\ncat\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	var copies, at, most atomic.Int32
	remote := func(name, home string, copying chan struct{}) Remote {
		return Remote{Name: name, Destination: name, Binary: binary, Copying: copying, Program: func(ctx context.Context, c sh.Cmd) (*sh.Talk, error) {
			script := c.Argv[len(c.Argv)-1]
			if strings.Contains(script, "sha256sum") {
				copies.Add(1)
				most.Store(max(most.Load(), at.Add(1)))
				script += "; sleep 0.05"
				defer at.Add(-1)
			}
			return sh.Start(ctx, sh.Cmd{Argv: []string{"sh", "-c", script}, Env: []string{"XDG_CACHE_HOME=" + filepath.Join(dir, home)}})
		}}
	}
	copying := make(chan struct{}, 1)
	var all sync.WaitGroup
	for _, name := range []string{"a", "b", "c", "d"} {
		home := name
		if name != "a" {
			home = "shared"
		}
		all.Go(func() {
			talk, err := remote(name, home, copying).Agent(t.Context())
			if err != nil {
				t.Errorf("%s: %v", name, err)
				return
			}
			_ = talk.End()
		})
	}
	all.Wait()
	if copies.Load() != 2 || most.Load() != 1 {
		t.Errorf("%d copies, %d at once; want 2, one by one", copies.Load(), most.Load())
	}
}
