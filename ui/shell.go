package ui

import (
	tea "charm.land/bubbletea/v2"

	"strata/internal/fleet"
)

// shellMsg says how a shell ended.
type shellMsg struct{ err error }

// shell opens a shell on the machine of the row, in place of the screen until it ends.
func (m *Model) shell() tea.Cmd {
	name := fleet.MachineOf(m.table().at)
	if name == "" {
		m.say(warnInk, "s: it is not known which machine this is on")
		return nil
	}
	cmd, err := m.o.Shell(name)
	if err != nil {
		m.say(warnInk, "s: "+err.Error())
		return nil
	}
	return tea.Exec(cmd, func(err error) tea.Msg { return shellMsg{err} })
}

// needShell: a shell can change anything, so a cockpit that may not has none.
func needShell(m *Model) string {
	if why := m.mode().Closed; why != "" {
		return "read-only: " + why
	}
	if m.o.Shell == nil {
		return "there is no machine to open a shell on"
	}
	return needRow(m)
}
