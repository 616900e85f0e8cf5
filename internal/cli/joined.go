package cli

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"strata/internal/config"
	"strata/internal/connect"
	"strata/internal/fleet"
	"strata/internal/sh"
	"strata/sources"
	"strata/sources/agent"
)

// joined is what the reader of a cockpit adds to it: machines that are watched until it is left.
type joined struct {
	ctx     context.Context
	a       *assembly
	writing *connect.Writing // nil in a read-only cockpit
	running sync.WaitGroup

	mu      sync.Mutex
	remotes []connect.Remote
}

// connect starts an agent that only reads on a machine. It returns what to tell the reader.
func (s *joined) connect(name, destination string) (says string, err error) {
	h := config.Host{Name: name, SSH: destination}
	if err := h.Fault(); err != nil {
		return "", err
	}
	r := connect.Remote{Name: h.Name, Destination: h.SSH}
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.ContainsFunc(append(s.a.remotes[:len(s.a.remotes):len(s.a.remotes)], s.remotes...), func(o connect.Remote) bool { return o.Name == r.Name }) {
		return "", fmt.Errorf("%s is watched already", r.Name)
	}
	if _, ok := s.a.store.Snapshot().Get(fleet.Ref{Kind: fleet.KindHost, Source: "host/" + r.Name, Name: r.Name}); ok {
		return "", fmt.Errorf("%s is watched already", r.Name)
	}
	s.remotes = append(s.remotes, r)
	s.writing.Add(r)
	source := agent.New(r, agent.Options{Wishes: s.a.wishes, Expect: hostScopes()})
	s.running.Go(func() { _ = sources.Run(s.ctx, s.a.put, source) }) // ends with the context only
	return "connecting to " + r.Destination + " for this session; " + sh.Quote("strata", "hosts", "add", r.Name+"="+r.Destination) + " keeps it", nil
}

// all are the machines over ssh.
func (s *joined) all() []connect.Remote {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append(s.a.remotes[:len(s.a.remotes):len(s.a.remotes)], s.remotes...)
}
