package connect

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"strata/internal/fleet"
	"strata/internal/sh"
)

// Remote is a machine reached over ssh, with the system's own ssh: its configuration, keys, certificates and jumps hold
// as they are.
type Remote struct {
	Name        string // as it shall be called
	Destination string // what ssh takes: user@machine, or a Host of ~/.ssh/config
	Sudo        bool   // the agent is started with sudo -n
	Allow       string // actions that may be done there, with blanks between; "" is all
	// Program starts ssh; nil is sh.Start. Tests have their own.
	Program func(context.Context, sh.Cmd) (*sh.Talk, error)
	// Binary is the program to run over there; "" is this very one.
	Binary string
	// Copying has room for as many machines as the program may be copied to at once: fifty copies over one slow link would
	// all come too late. It is shared by all of them; nil is no limit.
	Copying chan struct{}
}

// sshArgv is the call of ssh for one command over there. The command is a text of ours: nothing from the world is in it,
// as ssh hands it to a shell.
func (r Remote) sshArgv(command string) []string {
	return []string{
		"ssh", "-T", "-C", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=2",
		"--", r.Destination, command,
	}
}

// The scripts that are run over there: "$1" and so on are not used, as everything in them is known here. HASH is 64
// hexadecimal digits.
const (
	runScript = `p="${XDG_CACHE_HOME:-$HOME/.cache}/strata/HASH/strata"; [ -x "$p" ] || exit 127; exec SUDO"$p" agentFLAGS`
	putScript = `set -e; umask 077; d="${XDG_CACHE_HOME:-$HOME/.cache}/strata"; mkdir -p "$d/HASH"; t="$d/.new.$$"; trap 'rm -f "$t"' EXIT
cat >"$t"; [ "$(sha256sum "$t" | cut -d' ' -f1)" = HASH ] || { echo "strata arrived damaged" >&2; exit 1; }
chmod 700 "$t"; mv "$t" "$d/HASH/strata"; find "$d" -mindepth 2 -maxdepth 2 -name strata ! -path "$d/HASH/*" -mtime +30 -delete 2>/dev/null || true`
)

// putDeadline is how long the program may take to be copied over a slow link.
const putDeadline = 3 * time.Minute

// Agent starts strata's agent over there and returns the conversation with it. A machine that does not have this very
// program gets it first, into its user's cache folder.
func (r Remote) Agent(ctx context.Context) (*sh.Talk, error) { return r.agent(ctx, "") }

// hands starts an agent that may act, once. Only Writing hands out machines that are asked for one.
func (r Remote) hands(ctx context.Context) (*sh.Talk, error) { return r.agent(ctx, " --hands") }

func (r Remote) agent(ctx context.Context, flags string) (*sh.Talk, error) {
	hash, err := r.hash()
	if err != nil {
		return nil, err
	}
	run := strings.ReplaceAll(r.script(runScript, hash), "FLAGS", flags)
	talk, err := r.start(ctx, run)
	if err != nil {
		return nil, err
	}
	if !missing(talk) {
		return talk, nil
	}
	if r.Copying != nil {
		select {
		case r.Copying <- struct{}{}:
			defer func() { <-r.Copying }()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		// Machines may share a home, and then the turn before was enough.
		if talk, err = r.start(ctx, run); err != nil || !missing(talk) {
			return talk, err
		}
	}
	if err := r.put(ctx, hash); err != nil {
		return nil, err
	}
	talk, err = r.start(ctx, run)
	if err == nil && missing(talk) {
		return nil, fmt.Errorf("starting the agent on %s: it was copied there and is not there", r.Name)
	}
	return talk, err
}

func (r Remote) script(text, hash string) string {
	sudo := ""
	if r.Sudo {
		sudo = "sudo -n "
	}
	return strings.NewReplacer("HASH", hash, "SUDO", sudo).Replace(text)
}

func (r Remote) start(ctx context.Context, script string) (*sh.Talk, error) {
	program := r.Program
	if program == nil {
		program = sh.Start
	}
	return program(ctx, sh.Cmd{Argv: r.sshArgv(script)})
}

// exitMissing is what the run script ends with when the program is not there.
const exitMissing = 127

// missing waits for the first byte of an agent. One that ends without a word because it is not there is missing; any
// other failure is told by whoever reads on.
func missing(t *sh.Talk) bool {
	first := bufio.NewReaderSize(t.Out, 64<<10)
	if _, err := first.Peek(1); err == nil {
		t.Out = first
		return false
	}
	t.Out = first
	return sh.Code(t.Finish()) == exitMissing
}

// put copies the program over, if the machine is of a kind that can run it.
func (r Remote) put(ctx context.Context, hash string) error {
	ctx, cancel := context.WithTimeout(ctx, putDeadline)
	defer cancel()
	if err := r.fits(ctx); err != nil {
		return err
	}
	file, err := os.Open(r.binary())
	if err != nil {
		return fmt.Errorf("copying strata to %s: %w", r.Name, err)
	}
	defer file.Close()
	talk, err := r.start(ctx, r.script(putScript, hash))
	if err != nil {
		return fmt.Errorf("copying strata to %s: %w", r.Name, err)
	}
	_, sent := io.Copy(talk.In, file)
	if err := talk.Finish(); err != nil || sent != nil {
		return fmt.Errorf("copying strata to %s: %w", r.Name, Why(talk, errors.Join(err, sent)))
	}
	return nil
}

// fits asks what machine it is.
func (r Remote) fits(ctx context.Context) error {
	talk, err := r.start(ctx, "uname -sm")
	if err != nil {
		return fmt.Errorf("asking %s what it is: %w", r.Name, err)
	}
	says, _ := io.ReadAll(io.LimitReader(talk.Out, 1<<10)) // an empty answer is told by how it ended
	if err := talk.Finish(); err != nil {
		return fmt.Errorf("asking %s what it is: %w", r.Name, Why(talk, err))
	}
	if got := strings.TrimSpace(string(says)); got != thisKind() {
		return &fleet.Trouble{
			Doing: fmt.Sprintf("starting the agent on %s: it is %q, this strata is for %q", r.Name, got, thisKind()),
			Fix:   "build strata for it and start the agent there by hand, or run the cockpit from a machine of its kind",
		}
	}
	return nil
}

func (r Remote) binary() string {
	if r.Binary != "" {
		return r.Binary
	}
	return "/proc/self/exe"
}

func (r Remote) hash() (string, error) {
	f, err := os.Open(r.binary())
	if err != nil {
		return "", fmt.Errorf("reading strata's own program: %w", err)
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", fmt.Errorf("reading strata's own program: %w", err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
