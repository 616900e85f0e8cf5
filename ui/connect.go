package ui

import (
	"strings"

	tea "charm.land/bubbletea/v2"

	"strata/internal/fleet"
)

// needKnown: only a machine that is known of and not connected can be connected.
func needKnown(m *Model) string {
	if why := needRow(m); why != "" {
		return why
	}
	a, ok := m.table().at.(*fleet.Agent)
	switch {
	case !ok:
		return "this row is no machine that is not connected (:agents)"
	case a.State != fleet.AgentKnown:
		return a.Name + " has its agent"
	}
	return ""
}

// connect has the machine of the row watched too.
func (m *Model) connect() tea.Cmd {
	if a, ok := m.table().at.(*fleet.Agent); ok {
		m.join(a.Name, a.Destination)
	}
	return nil
}

// connectTo has a machine watched too that is named as NAME=DESTINATION, or by its destination alone.
func (m *Model) connectTo(line string) {
	name, to, named := strings.Cut(line, "=")
	if !named {
		to = line
		name = line[strings.LastIndex(line, "@")+1:]
	}
	if to == "" {
		m.say(warnInk, "say which machine: :connect [NAME=]user@machine")
		return
	}
	m.join(name, to)
}

func (m *Model) join(name, to string) {
	if m.o.Connect == nil {
		m.say(warnInk, "no machine can be connected from here")
		return
	}
	says, err := m.o.Connect(name, to)
	if err != nil {
		m.say(warnInk, "connecting "+name+": "+err.Error())
		return
	}
	m.say(okInk, says)
}
