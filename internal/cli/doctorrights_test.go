package cli

import (
	"io/fs"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"strata/internal/fleet"
)

func TestDoctorTellsWhatIsNotYours(t *testing.T) {
	disks := []*fleet.Disk{{Name: "nvme0n1", Bus: "nvme"}, {Name: "sda", Bus: "ata"}}
	names := func(me self) (all []string) {
		subject := &of{subject: "host alpha"}
		examineRights(subject, me, disks)
		for _, c := range subject.checks {
			all = append(all, c.Name)
			if c.Fix == "" || strings.Contains(c.Fix, "USER") || strings.Contains(c.Fix, "\n") {
				t.Errorf("%s has the fix %q", c.Name, c.Fix)
			}
		}
		return all
	}
	user := self{rights: &fleet.Rights{UID: 1000}, name: "ann", libvirt: unix.EACCES}
	if got, want := names(user), []string{"smart", "smart", "I/O limits", "swap", "libvirt", "kernel log"}; !slices.Equal(got, want) {
		t.Errorf("a user lacks %q, want %q", got, want)
	}
	given := self{
		rights: &fleet.Rights{UID: 1000, Capabilities: 1<<fleet.CapSysAdmin | 1<<fleet.CapSysRawIO}, name: "ann",
		groups: []string{"disk", "adm"}, libvirt: nil,
	}
	if got, want := names(given), []string{"I/O limits"}; !slices.Equal(got, want) {
		t.Errorf("one who was given rights lacks %q, want %q", got, want)
	}
	if got := names(self{rights: &fleet.Rights{Capabilities: ^uint64(0)}, libvirt: fs.ErrNotExist}); got != nil {
		t.Errorf("root lacks %q", got)
	}
	if got, want := names(self{rights: &fleet.Rights{}, libvirt: fs.ErrNotExist}), []string{"swap"}; !slices.Equal(got, want) {
		t.Errorf("root in a container lacks %q, want %q", got, want)
	}
}
