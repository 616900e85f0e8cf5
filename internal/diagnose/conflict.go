package diagnose

import (
	"fmt"
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
	verdict := Verdict{State: OK}
	var claims []string
	for l := range s.Up(n.Ref()) {
		if l.To.Kind != fleet.KindServer {
			continue
		}
		verdict.Because = append(verdict.Because, linkEvidence(n, l, l.To.Name))
		claims = append(claims, l.How+" says "+serverCalled(s, l.To))
		verdict.Confidence = l.Sure // the weakest comes last
	}
	if len(claims) < 2 {
		return Verdict{State: OK}
	}
	verdict.State = Bad
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
	verdict := Verdict{State: OK, Confidence: fleet.High}
	var nodes []string
	clusters := map[string]int{}
	for l := range s.Down(v.Ref()) {
		if l.From.Kind != fleet.KindNode {
			continue
		}
		clusters[l.From.Source]++
		nodes = append(nodes, l.From.Name)
		verdict.Because = append(verdict.Because, linkEvidence(v, l, v.Name))
		verdict.Confidence = min(verdict.Confidence, l.Sure)
	}
	for _, n := range clusters { // one cluster seen twice under two names is no conflict
		if n > 1 {
			verdict.State = Bad
		}
	}
	if verdict.State == OK {
		return Verdict{State: OK}
	}
	verdict.Says = fmt.Sprintf("%s is claimed by %s: a machine that was cloned with its identity?", v.Name, names(nodes))
	return verdict
}
