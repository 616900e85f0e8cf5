package libvirt

import (
	"context"
	"errors"
	"io/fs"
	"testing"
	"time"

	"strata/internal/connect"
	"strata/internal/fleet"
	"strata/sources/tree"
)

// stub is a daemon whose domains are what a test says.
type stub struct {
	domains []connect.LibvirtDomain
	err     error
	xml     map[string]error // by UUID
	reads   int              // definitions that were read
	closed  bool
}

func (s *stub) Domains(context.Context) ([]connect.LibvirtDomain, error) { return s.domains, s.err }

func (s *stub) XML(_ context.Context, uuid string, _ bool) (string, error) {
	s.reads++
	return "<domain><name>a</name></domain>", s.xml[uuid]
}

func (s *stub) Kept(context.Context) (persistent, autostart map[string]bool, err error) {
	return map[string]bool{}, map[string]bool{}, nil
}

func (s *stub) BlockErrors(context.Context, string) (map[string]string, error) { return nil, nil }

func (s *stub) Close() { s.closed = true }

func stubbed(t *testing.T, s *stub) *watcher {
	t.Helper()
	at := connect.LibvirtAt{Name: "h", Root: t.TempDir()}
	return &watcher{source: &source{Config{LibvirtAt: at, Every: time.Second}, "libvirt/h"}, at: tree.Tree(at.Root), daemon: s, known: map[string]*known{}}
}

func counted(uuid string, stats map[string]string) connect.LibvirtDomain {
	return connect.LibvirtDomain{Name: "n" + uuid, UUID: uuid, Stats: stats}
}

func TestADomainThatVanishesBetweenTwoCallsIsAbsent(t *testing.T) {
	t.Parallel()
	s := &stub{
		domains: []connect.LibvirtDomain{counted("1", map[string]string{"state.state": "5"}), counted("2", map[string]string{"state.state": "5"})},
		xml:     map[string]error{"1": fs.ErrNotExist},
	}
	facts, err := stubbed(t, s).look(t.Context(), time.Now(), true)
	if err != nil || len(facts) != 1 || facts[0].Ref().Name != "2" {
		t.Errorf("seen %v, %v", facts, err)
	}
}

func TestDefinitionsAreReadWhenSomethingChangedAndEachMinute(t *testing.T) {
	t.Parallel()
	s := &stub{domains: []connect.LibvirtDomain{counted("1", map[string]string{"state.state": "5", "state.reason": "1"})}}
	w := stubbed(t, s)
	now := time.Now()
	for _, c := range []struct {
		after  time.Duration
		reason string
		reads  int
	}{{0, "1", 1}, {5 * time.Second, "1", 1}, {10 * time.Second, "2", 2}, {15 * time.Second, "2", 2}, {61 * time.Second, "2", 3}} {
		s.domains[0].Stats["state.reason"] = c.reason
		if _, err := w.look(t.Context(), now.Add(c.after), false); err != nil {
			t.Fatal(err)
		}
		if s.reads != c.reads {
			t.Errorf("after %v %d definitions were read, want %d", c.after, s.reads, c.reads)
		}
	}
}

func TestRatesNeedTwoLooksAtTheSameProcess(t *testing.T) {
	t.Parallel()
	k, now := &known{}, time.Now()
	look := func(after time.Duration, bytes, cpu string) (write, share fleet.Opt[float64]) {
		k.count(now.Add(after), map[string]string{"block.count": "1", "block.0.name": "vda", "block.0.rd.bytes": "0", "block.0.wr.bytes": bytes, "cpu.time": cpu}, true)
		return k.rates["vda"][1], k.share
	}
	if write, share := look(0, "1000", "0"); write.OK || share.OK {
		t.Error("a rate after one look")
	}
	if write, share := look(2*time.Second, "5000", "1000000000"); write != fleet.Some(2000.0) || share != fleet.Some(0.5) {
		t.Errorf("%v bytes per second, %v of a core", write, share)
	}
	if write, share := look(4*time.Second, "10", "1"); write.OK || share.OK {
		t.Error("a rate out of counters that began again")
	}
}

func TestAConnectionThatFailsIsGivenUp(t *testing.T) {
	t.Parallel()
	s := &stub{err: errors.New("connection reset")}
	w := stubbed(t, s)
	if _, err := w.look(t.Context(), time.Now(), false); err == nil || !s.closed || w.daemon != nil {
		t.Errorf("looked with %v; closed: %v", err, s.closed)
	}
}
