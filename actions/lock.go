package actions

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"strata/internal/fleet"
)

// lock takes a target for this process among all that use the same folder; who is told to the others. The kernel gives
// it back when the process ends, however it ends.
func lock(folder string, target fleet.Ref, who string) (unlock func(), err error) {
	if folder == "" {
		return func() {}, nil
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("making the folder of the locks: %w", err)
	}
	sum := sha256.Sum256([]byte(string(target.Kind) + "\x00" + target.Source + "\x00" + target.Name))
	f, err := os.OpenFile(filepath.Join(folder, hex.EncodeToString(sum[:8])+".lock"), os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking %s: %w", target, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("locking %s: %w", target, err)
		}
		held := make([]byte, 200)
		n, _ := f.Read(held) // without it the other one is just not named
		return nil, fmt.Errorf("another strata is acting on %s: %s", target, strings.TrimSpace(string(held[:n])))
	}
	_ = f.Truncate(0)
	_, _ = f.WriteAt(fmt.Appendf(nil, "%s, pid %d\n", who, os.Getpid()), 0) // a word for others; the lock holds without it
	return func() { _ = f.Close() }, nil
}
