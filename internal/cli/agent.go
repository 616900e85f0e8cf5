package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"strata/internal/config"
	"strata/internal/connect"
	"strata/internal/fleet"
	"strata/internal/sh"
	"strata/internal/wire"
	"strata/sources/host"
)

func (p *program) agentVerb() *cobra.Command {
	hands := false
	verb := &cobra.Command{
		Use:   "agent",
		Short: "Tell another strata of this machine, over standard input and output",
		Long: `agent is what the cockpit starts on other machines over ssh. It opens no port and writes no file: it looks at this
machine, writes a line of JSON to its output for each thing that changed, and ends when its input is closed. It cannot
act. With --hands it looks, does the one thing it is then told to do, writes that into this machine's audit log, and ends.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if hands {
				return failed(p.agentHands(c.Context()))
			}
			return failed(p.agent(c.Context()))
		},
	}
	verb.Flags().BoolVar(&hands, "hands", false, "do one thing")
	return verb
}

// startWithin is how long the agent waits to be told its name.
const startWithin = 30 * time.Second

// met is an agent that was told what it is called.
type met struct {
	out *speaker
	in  <-chan wire.Line
	a   *assembly
	c   config.Config

	began time.Time
}

// meet says hello and waits to be told what this machine is called. cancel is called when the input ends. It returns nil
// when nobody wants anything any more.
func (p *program) meet(ctx context.Context, cancel context.CancelFunc) (*met, error) {
	began := time.Now()
	in := make(chan wire.Line)
	go func() {
		defer cancel() // who closed our input wants us to end
		_ = listen(ctx, p.stdin, in)
	}()
	out := &speaker{to: bufio.NewWriter(p.stdout)}
	if err := out.say(wire.Line{Hello: &wire.Hello{Protocol: wire.Protocol, Build: versionOf().Version, Host: host.Name(""), Now: time.Now()}}); err != nil {
		return nil, err
	}
	start, err := awaitStart(ctx, in)
	if err != nil || ctx.Err() != nil {
		return nil, err
	}
	runtime.GOMAXPROCS(1) // a guest on a machine that may be in trouble keeps small
	c := config.Default(p.getenv)
	return &met{out, in, assemble(placesNamed(start.Name, start.Checks), c, agentKinds), c, began}, nil
}

// placesNamed is this machine under another name, with what it shall dial.
func placesNamed(name string, dial []fleet.Endpoint) places {
	return places{
		name: name, checks: map[string][]fleet.Endpoint{name: dial},
		hosts: []host.Config{{Name: name}}, machines: []connect.Machine{connect.ThisMachine(name)},
		libvirts: []connect.LibvirtAt{{Name: name, Run: sh.Run}},
	}
}

func (p *program) agent(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	m, err := p.meet(ctx, cancel)
	if m == nil {
		return err
	}
	var all sync.WaitGroup
	all.Go(func() { _ = m.a.run(ctx) }) // ends with the context only
	all.Go(func() {
		defer cancel()
		m.out.answer(ctx, m)
	})
	err = m.out.tell(ctx, m.a.store)
	cancel()
	ended := make(chan struct{})
	go func() { all.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(settleFor): // a look that hangs in the kernel must not keep it
	}
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// agentKinds are those of the machine itself.
func agentKinds(kinds ...fleet.Kind) bool {
	return slices.ContainsFunc(kinds, func(k fleet.Kind) bool { return slices.Contains(machineKinds(), k) })
}

func awaitStart(ctx context.Context, in <-chan wire.Line) (wire.Start, error) {
	timer := time.NewTimer(startWithin)
	defer timer.Stop()
	for {
		select {
		case l := <-in:
			if l.Start != nil && l.Start.Name != "" {
				return *l.Start, nil
			}
		case <-timer.C:
			return wire.Start{}, &fleet.Trouble{Doing: "nobody said what this machine is called", Fix: "the cockpit starts agents by itself: see hosts in the configuration"}
		case <-ctx.Done():
			return wire.Start{}, nil
		}
	}
}

// listen reads lines until the input ends. What cannot be read is ignored: a newer cockpit may say more.
func listen(ctx context.Context, from io.Reader, to chan<- wire.Line) error {
	scan := bufio.NewScanner(from)
	scan.Buffer(nil, wire.MaxLine)
	for scan.Scan() {
		l, err := wire.DecodeLine(scan.Bytes())
		if err != nil {
			continue
		}
		select {
		case to <- l:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return scan.Err()
}

// speaker writes lines, from several goroutines.
type speaker struct {
	mu   sync.Mutex
	to   *bufio.Writer
	sent uint64
}

func (s *speaker) say(lines ...wire.Line) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range lines {
		b, err := wire.EncodeLine(l)
		if err != nil {
			return err
		}
		s.sent += uint64(len(b))
		if _, err := s.to.Write(b); err != nil {
			return fmt.Errorf("telling the cockpit: %w", err)
		}
	}
	return s.to.Flush()
}

func (s *speaker) bytes() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent
}

// tell says what changes. While the other end is slow, what came in the meantime is told at once.
func (s *speaker) tell(ctx context.Context, store *fleet.Store) error {
	var sender wire.Sender
	for seq := uint64(0); ; {
		now, err := store.Next(ctx, seq)
		if err != nil {
			return err
		}
		seq = now.Seq
		lines, err := sender.Next(now)
		if err != nil {
			return err
		}
		if err := s.say(lines...); err != nil {
			return err
		}
	}
}

// answer does what the cockpit asks for, until ctx ends. The first beat tells what it cost from the start on.
func (s *speaker) answer(ctx context.Context, m *met) {
	last := spent{cost: cost{at: m.began}}
	for {
		select {
		case <-ctx.Done():
			return
		case l := <-m.in:
			switch {
			case l.Wish != nil && l.Wish.Refresh != "":
				m.a.wishes.Refresh(l.Wish.Refresh)
			case l.Wish != nil:
				m.a.wishes.Look(l.Wish.Look)
			case l.Ping != nil:
				if s.say(wire.Line{Beat: last.till(costNow(s), l.Ping.Now)}) != nil {
					return
				}
			}
		}
	}
}

// cost is what the agent took so far.
type cost struct {
	at    time.Time
	cpu   time.Duration
	bytes uint64
}

func costNow(s *speaker) cost {
	var used syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used) // zero where it cannot be told
	return cost{time.Now(), time.Duration(used.Utime.Nano() + used.Stime.Nano()), s.bytes()}
}

// spent is what it cost up to the beat before, and at which rates.
type spent struct {
	cost
	told             bool
	share, bytesASec float64
}

// least is the shortest time over which rates mean something: after a silence of the network pings come all at once.
const least = 200 * time.Millisecond

// till makes a beat of what it cost since the one before.
func (s *spent) till(now cost, ping time.Time) *wire.Beat {
	if passed := now.at.Sub(s.at); passed >= least || !s.told {
		if !s.told {
			passed = max(passed, time.Second) // its start took time before anybody looked at a clock
		}
		s.share, s.bytesASec = (now.cpu-s.cpu).Seconds()/passed.Seconds(), float64(now.bytes-s.bytes)/passed.Seconds()
		s.cost, s.told = now, true
	}
	return &wire.Beat{Now: now.at, Ping: ping, CPU: s.share, RSSBytes: rss(), BytesSec: s.bytesASec}
}

// rss is the memory that this process has, in bytes; zero when it cannot be told.
func rss() uint64 {
	b, err := os.ReadFile("/proc/self/statm")
	fields := strings.Fields(string(b))
	if err != nil || len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseUint(fields[1], 10, 64)
	return pages * uint64(os.Getpagesize())
}

// copiesAtOnce is how many machines the program is copied to at a time.
const copiesAtOnce = 4

// remotes are the machines that are watched over ssh.
func remotes(c config.Config) (all []connect.Remote) {
	copying := make(chan struct{}, copiesAtOnce)
	for _, h := range c.Hosts {
		all = append(all, connect.Remote{Name: h.Name, Destination: h.SSH, Sudo: h.Sudo, Allow: h.Allow, Copying: copying})
	}
	return all
}
