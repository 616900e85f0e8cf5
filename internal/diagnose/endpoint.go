package diagnose

import (
	"cmp"
	"fmt"
	"strings"

	"strata/internal/fleet"
)

func endpointRules() []Rule {
	return []Rule{{
		ID: "NET-01", Title: "endpoint down", Kind: fleet.KindCheck, Severity: fleet.Serious,
		Source: "two dials in a row that failed (heuristic): one may be the network's", Judge: on(endpointDown),
	}}
}

func endpointDown(_ *fleet.Snapshot, c *fleet.Check) Verdict {
	switch {
	case c.State == fleet.CheckUp:
		return Verdict{State: OK}
	case c.State != fleet.CheckDown:
		return Verdict{State: CannotTell, Missing: []string{"whether it answers: " + c.Host + " has not dialled it yet"}}
	case c.Fails < 2:
		return Verdict{State: Lingering}
	}
	e := c.Endpoint
	v := Verdict{
		State: Bad, Since: c.Since,
		Says:    fmt.Sprintf("%s does not answer as it should: %s", e.Name, sentence(cmp.Or(c.Says, c.Wrong))),
		Because: []fleet.Evidence{because(c, c.Since, fmt.Sprintf("%s dialled from %s every %s", e.Type, c.Host, e.Every), "%s: %s: %s", e.Address, c.Wrong, sentence(c.Says))},
	}
	if c.Flaps > 1 {
		v.Because = append(v.Because, because(c, c.Since, "dials of the last hour", "it went up or down %d times", c.Flaps))
	}
	return v
}

// checkClaims ties a check to the machine that its endpoint is on: as the configuration says, else as its address does.
func checkClaims(c *claims, o *fleet.Check) {
	on := strings.ToLower(o.Endpoint.Machine())
	how, sure := "address", fleet.Medium
	if o.Endpoint.On != "" {
		how, sure = "the configuration", fleet.High
	}
	c.want(fleet.KindNode, 0, key{nodeName, on}, how, sure)
	c.want(fleet.KindNode, 0, key{nodeAddr, on}, how, sure)
	c.want(fleet.KindServer, 0, key{serverName, on}, how, sure)
	c.want(fleet.KindServer, 0, key{serverAddr, on}, how, sure)
	c.want(fleet.KindHost, 0, key{hostName, on}, how, sure)
}
