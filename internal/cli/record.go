package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"strata/internal/diagnose"
	"strata/internal/fleet"
	"strata/internal/wire"
	"strata/sources/host"
)

type recordOptions struct {
	options
	last time.Duration
}

func (p *program) recordVerb() *cobra.Command {
	var o recordOptions
	verb := &cobra.Command{
		Use:   "record FILE",
		Short: "Write down what is seen, for a bug report or a look back",
		Long: `record watches as the cockpit does and writes every change into FILE, lines of JSON, until it is interrupted or --for is
over. It changes nothing. strata why --from FILE and strata snapshot --from FILE judge it later, as of its end or of --at. The file
names machines, pods and addresses, and holds kernel lines; no password or token is in it. A file that is there is not overwritten.`,
		Example: `  strata record --for 10m trouble.jsonl
  strata why --from trouble.jsonl k8s-worker-1`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return failed(p.record(c.Context(), o, args[0])) },
	}
	o.looking(verb)
	verb.Flags().DurationVar(&o.last, "for", 0, "end after that time")
	return verb
}

func (p *program) record(ctx context.Context, o recordOptions, path string) (err error) {
	c, err := p.settings(o.options)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("recording: %w", err)
	}
	defer func() {
		if e := file.Close(); err == nil && e != nil {
			err = fmt.Errorf("recording: %w", e)
		}
	}()
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	if o.last > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.last)
		defer cancel()
	}
	to, err := wire.NewRecorder(file, wire.Hello{Build: versionOf().Version, Host: host.Name(""), Now: time.Now()})
	if err != nil {
		return err
	}
	a := assemble(here(c, o.noHost), c, everything)
	var wrote error
	s, err := a.during(ctx, func(ctx context.Context) *fleet.Snapshot {
		s := a.store.Snapshot()
		for {
			next, err := a.store.Next(ctx, s.Seq)
			if err != nil {
				return s
			}
			s = next
			if wrote = to.Take(s); wrote != nil {
				return s
			}
		}
	})
	if err = errors.Join(wrote, err); err == nil {
		fmt.Fprintf(p.stderr, "strata: recorded up to %s; strata why --from %s judges it\n", s.At.UTC().Format(time.RFC3339), path)
	}
	return err
}

// recorded is the snapshot of a recording at its end, or at a time.
func recorded(path string, at time.Time) (*fleet.Snapshot, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading a recording: %w", err)
	}
	defer file.Close()
	return replayed(bufio.NewReader(file), at)
}

func replayed(from io.Reader, at time.Time) (*fleet.Snapshot, error) {
	store := fleet.NewStore(diagnose.Derive(diagnose.Rules()))
	began := false
	err := wire.Play(from, func(now time.Time, seen []fleet.Observation) bool {
		if !at.IsZero() && now.After(at) {
			return false
		}
		began = true
		store.Replay(now, seen)
		return true
	})
	if err == nil && !began {
		err = errors.New("the recording has nothing of that time")
	}
	return store.Snapshot(), err
}
