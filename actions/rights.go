package actions

import (
	"fmt"

	"strata/internal/fleet"
)

// right is something that only root may do, or who was given it.
type right int

const (
	rightToSwap  right = iota
	rightToFiles       // below /etc and /proc/sys
)

// LimitRule is a polkit rule that lets one user set properties of virtual machines' scopes, limits among them, and neither
// stop nor start them; polkit is not told which property. It goes into /etc/polkit-1/rules.d.
const LimitRule = `polkit.addRule(function(action, subject) {
  if (action.id == "org.freedesktop.systemd1.manage-units" && action.lookup("verb") == "set-property" &&
      /^machine-qemu/.test(action.lookup("unit")) && subject.user == "USER") return polkit.Result.YES;
});`

// mayNot says which right strata lacks on a host, nothing when it has it or that is not known.
func mayNot(h *fleet.Host, what right) []string {
	if h == nil {
		return nil
	}
	who := ""
	if h.Rights != nil {
		who = fmt.Sprintf("strata is uid %d, not root", h.Rights.UID)
	}
	switch {
	case what == rightToSwap && !h.Rights.Has(fleet.CapSysAdmin):
		return []string{"turning swap on and off needs CAP_SYS_ADMIN, which programs that strata starts do not have: be root (sudo strata)"}
	case what == rightToFiles && !h.Rights.Root():
		return []string{who + ": it cannot write below /etc and /proc/sys: be root (sudo strata)"}
	}
	return nil
}

// mayPerhapsNot says what a user who is not root needs where only the machine itself knows who has it.
func mayPerhapsNot(s *fleet.Snapshot, source, host string) []string {
	h, ok := fleet.Find[*fleet.Host](s, fleet.Ref{Kind: fleet.KindHost, Source: source, Name: host})
	if !ok || h.Rights.Root() {
		return nil
	}
	return []string{fmt.Sprintf("strata is uid %d, not root: systemd refuses unless a polkit rule allows manage-units with the verb set-property (strata doctor shows one)", h.Rights.UID)}
}
