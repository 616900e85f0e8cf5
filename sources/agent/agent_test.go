package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"strata/internal/connect"
	"strata/internal/fleet"
	"strata/internal/sh"
	"strata/sources"
)

func TestMain(m *testing.M) {
	if root := os.Getenv(farRoot); root != "" {
		if err := far(root); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// machine is a far machine: a shell script that plays its agent, or ssh's failure to reach it.
func machine(t *testing.T, script string) connect.Remote {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "strata")
	if err := os.WriteFile(binary, []byte("x"), 0o700); err != nil {
		t.Fatal(err)
	}
	return connect.Remote{Name: "alpha", Destination: "root@alpha", Binary: binary, Program: func(ctx context.Context, _ sh.Cmd) (*sh.Talk, error) {
		return sh.Start(ctx, sh.Cmd{Argv: []string{"sh", "-c", script}})
	}}
}

// watchOnce watches until the conversation ends, and returns what was seen.
func watchOnce(t *testing.T, r connect.Remote, o Options) (seen []fleet.Observation, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var one sync.Mutex
	err = New(r, o).Watch(ctx, func(o fleet.Observation) {
		one.Lock()
		defer one.Unlock()
		seen = append(seen, o)
	})
	if ctx.Err() != nil {
		t.Fatal("the conversation did not end")
	}
	return seen, err
}

const hello = `echo '{"hello":{"protocol":1,"build":"v1","host":"x","now":"2026-01-02T03:04:05Z"}}'; `

func last(seen []fleet.Observation, scope string) (o fleet.Observation) {
	for _, s := range seen {
		if s.Scope == scope {
			o = s
		}
	}
	return o
}

func TestWhatTheAgentSeesIsSeenAndFailsWhenItIsLost(t *testing.T) {
	now := time.Now().UTC().Format(time.RFC3339)
	seen, err := watchOnce(t, machine(t, strings.ReplaceAll(hello, "2026-01-02T03:04:05Z", now)+
		`echo 'Welcome to alpha!'; echo '{"future":{"a":1}}'
		echo '{"scope":{"source":"host/alpha","scope":"sensors","kind":"sensor","at":"`+now+`","whole":true,"objects":[{"source":"host/alpha","host":"alpha","name":"t1","celsius":40}]}}'
		echo '{"scope":{"source":"openstack/home","scope":"servers","kind":"server","whole":true,"objects":[]}}'
		echo 'ssh: Connection to alpha closed by remote host' >&2`), Options{})
	if err == nil || !strings.Contains(err.Error(), "closed by remote host") || !strings.Contains(fleet.FixOf(err), "ssh -o BatchMode=yes root@alpha") {
		t.Errorf("it ended with %v (%s)", err, fleet.FixOf(err))
	}
	var facts fleet.Facts
	for _, o := range seen {
		if o.Scope == "sensors" && o.Err == nil {
			facts = o.Facts
		}
		if o.Source == "openstack/home" {
			t.Error("a machine spoke for something that is not its own")
		}
	}
	if len(facts) != 1 || facts[0].(*fleet.Sensor).Celsius.V != 40 {
		t.Errorf("seen %v", facts)
	}
	if o := last(seen, "sensors"); o.Err == nil || o.Facts != nil {
		t.Errorf("after it was lost: %+v", o)
	}
	if a := last(seen, Scope).Facts[0].(*fleet.Agent); a.State != "failing" || a.Build != "v1" || !strings.Contains(a.Says, "closed by remote host") {
		t.Errorf("the agent is %+v", a)
	}
}

func TestHostileAgentsEndTheirConversationOnly(t *testing.T) {
	for name, c := range map[string]struct{ script, why string }{
		"unreachable":        {`echo 'ssh: connect to host alpha port 22: Connection refused' >&2; exit 255`, "Connection refused"},
		"an endless line":    {hello + `yes | tr -d '\n' | head -c 20000000`, "a line that has no end"},
		"no agent at all":    {`yes 'rm -rf /' | head -n 200`, "does not speak as an agent"},
		"another protocol":   {`echo '{"hello":{"protocol":99}}'; cat >/dev/null`, "protocol 99"},
		"half a line":        {hello + `printf '{"scope":{"sou'`, "ended by itself"},
		"endless stderr":     {hello + `yes oh | head -c 3000000 >&2; echo 'the end' >&2`, "the end"},
		"a panic over there": {hello + `echo 'panic: ouch' >&2; exit 2`, "panic: ouch"},
		"silence":            {hello + `exec 1>&1; sleep 60`, "no sign of life"},
		"escape codes":       {hello + `printf '{"scope":{"source":"host/alpha","scope":"disks","kind":"disk","error":"\\u001b[2J\\u0007"}}\n'`, "ended by itself"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			beat := time.Minute // a busy machine is not silence
			if name == "silence" {
				beat = 200 * time.Millisecond
			}
			_, err := watchOnce(t, machine(t, c.script), Options{Beat: beat})
			if err == nil || !strings.Contains(err.Error(), c.why) {
				t.Errorf("it ended with %v, want %q", err, c.why)
			}
		})
	}
}

func TestAClockThatIsAYearOffIsPutRight(t *testing.T) {
	then := time.Now().Add(-365 * 24 * time.Hour)
	stamp := then.UTC().Format(time.RFC3339Nano)
	seen, _ := watchOnce(t, machine(t, fmt.Sprintf(`echo '{"hello":{"protocol":1,"now":"%s"}}'; read a; read b
		echo '{"scope":{"source":"host/alpha","scope":"host","kind":"host","at":"%s","whole":true,"objects":[{"source":"host/alpha","name":"alpha","boot":"%s"}]}}'`, stamp, stamp, stamp)), Options{})
	var host *fleet.Host
	for _, o := range seen {
		if o.Scope == "host" && len(o.Facts) > 0 {
			if host = o.Facts[0].(*fleet.Host); time.Since(o.At).Abs() > time.Minute {
				t.Errorf("observed at %v", o.At)
			}
		}
	}
	if host == nil || time.Since(host.Boot).Abs() > time.Minute {
		t.Errorf("the host: %+v", host)
	}
}

func TestTheClockTakesTheFastestAnswer(t *testing.T) {
	at := time.Now()
	c := &clock{}
	c.hear(at.Add(time.Hour+300*time.Millisecond), at, at.Add(time.Second)) // slow: half of a second is guessed
	c.hear(at.Add(time.Hour+5*time.Millisecond), at, at.Add(10*time.Millisecond))
	c.hear(at.Add(time.Hour+500*time.Millisecond), at, at.Add(2*time.Second))
	if got := c.skew(); !got.OK || got.V != 3600 {
		t.Errorf("the skew is %+v s, want 3600", got)
	}
	if c.shift() != -time.Hour {
		t.Errorf("the shift is %v", c.shift())
	}
	level := &clock{}
	level.hear(at.Add(80*time.Millisecond), at, at.Add(60*time.Millisecond))
	if level.shift() != 0 {
		t.Errorf("what the way takes was taken for skew: %v", level.shift())
	}
}

func TestWatchingEndsWhenItIsTold(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	wishes := sources.NewWishes()
	go func() {
		done <- New(machine(t, hello+`cat >/dev/null`), Options{Wishes: wishes}).Watch(ctx, func(o fleet.Observation) {
			if a, ok := o.Facts[0].(*fleet.Agent); ok && a.State == "connected" {
				cancel()
			}
		})
	}()
	select {
	case err := <-done:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(15 * time.Second):
		t.Fatal("it goes on")
	}
}
