package diagnose

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"strata/internal/fleet"
)

func linkRules() []Rule {
	return []Rule{{
		ID: "LNK-10", Title: "node claims to be two servers", Kind: fleet.KindNode, Severity: fleet.Warn,
		Source: "providerID, systemUUID, machineID, address and name should name one server", Reads: Reads{Kinds: []fleet.Kind{fleet.KindServer}}, Judge: on(nodeConflict),
	}, {
		ID: "LNK-11", Title: "two nodes claim one server", Kind: fleet.KindServer, Severity: fleet.Warn,
		Source: "a server is one node of a cluster at most", Judge: on(serverShared),
	}}
}

func linkEvidence(o fleet.Object, l fleet.Link, other string) fleet.Evidence {
	return because(o, time.Time{}, "link by "+l.How, "%s -> %s (%s)", l.From.Name, other, l.Sure)
}

func nodeConflict(s *fleet.Snapshot, n *fleet.Node) Verdict {
	var servers []fleet.Link
	for l := range s.Up(n.Ref()) {
		if l.To.Kind == fleet.KindServer {
			servers = append(servers, l)
		}
	}
	if len(servers) < 2 {
		return Verdict{State: OK}
	}
	verdict := Verdict{State: Bad}
	var claims []string
	for _, l := range servers {
		verdict.Because = append(verdict.Because, linkEvidence(n, l, l.To.Name))
		claims = append(claims, l.How+" says "+serverCalled(s, l.To))
		verdict.Confidence = l.Sure // the weakest comes last
	}
	verdict.Says = fmt.Sprintf("which server is %s? %s; the first is taken", n.Name, strings.Join(claims, ", "))
	return verdict
}

// serverCalled is a server's name with its id: names alone are not unique.
func serverCalled(s *fleet.Snapshot, r fleet.Ref) string {
	if v, ok := fleet.Find[*fleet.Server](s, r); ok {
		return v.Name + " (" + v.ID + ")"
	}
	return r.Name
}

func serverShared(s *fleet.Snapshot, v *fleet.Server) Verdict {
	var nodes []fleet.Link
	shared := false
	for l := range s.Down(v.Ref()) {
		if l.From.Kind != fleet.KindNode {
			continue
		}
		// One cluster seen twice under two names is no conflict.
		shared = shared || slices.ContainsFunc(nodes, func(o fleet.Link) bool { return o.From.Source == l.From.Source })
		nodes = append(nodes, l)
	}
	if !shared {
		return Verdict{State: OK}
	}
	verdict := Verdict{State: Bad, Confidence: fleet.High}
	var claim []string
	for _, l := range nodes {
		verdict.Because = append(verdict.Because, linkEvidence(v, l, v.Name))
		verdict.Confidence = min(verdict.Confidence, l.Sure)
		claim = append(claim, l.From.Name)
	}
	verdict.Says = fmt.Sprintf("%s is claimed by %s: a machine that was cloned with its identity?", v.Name, names(claim))
	return verdict
}
