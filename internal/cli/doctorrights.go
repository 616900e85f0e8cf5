package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"strata/actions"
	"strata/internal/fleet"
)

// self is who strata runs as on this machine.
type self struct {
	rights *fleet.Rights
	name   string
	groups []string
	// libvirt is whether the socket of libvirt can be written to; fs.ErrNotExist where there is none.
	libvirt error
}

func whoRuns(h *fleet.Host) self {
	me := self{rights: h.Rights, name: fmt.Sprint(os.Geteuid()), libvirt: unix.Access("/run/libvirt/libvirt-sock", unix.W_OK)}
	if u, err := user.Current(); err == nil {
		me.name = u.Username
		ids, _ := u.GroupIds() // without them no group is told
		for _, id := range ids {
			if g, err := user.LookupGroupId(id); err == nil {
				me.groups = append(me.groups, g.Name)
			}
		}
	}
	if errors.Is(me.libvirt, unix.ENOENT) || errors.Is(me.libvirt, unix.ENOTDIR) {
		me.libvirt = fs.ErrNotExist
	}
	return me
}

func (me self) in(groups ...string) bool {
	return slices.ContainsFunc(groups, func(g string) bool { return slices.Contains(me.groups, g) })
}

// examineRights tells, in a line each, what is not for whoever runs strata, with the narrowest thing that grants it.
func examineRights(subject *of, me self, disks []*fleet.Disk) {
	r := me.rights
	for _, bus := range []struct {
		name       string
		capability int
		word       string
	}{{"nvme", fleet.CapSysAdmin, "CAP_SYS_ADMIN"}, {"ata", fleet.CapSysRawIO, "CAP_SYS_RAWIO"}} {
		there := slices.ContainsFunc(disks, func(d *fleet.Disk) bool { return d.Bus == bus.name })
		if there && !r.Root() && !(r.Has(bus.capability) && me.in("disk")) {
			subject.add(missing, "smart", bus.name+" disks answer only root, or "+bus.word+" with group disk",
				privileged(me.name, bus.word))
		}
	}
	if !r.Root() {
		rule := strings.ReplaceAll(strings.Join(strings.Fields(actions.LimitRule), " "), "USER", me.name)
		subject.add(missing, "I/O limits", "systemd asks polkit before it changes a unit for "+me.name,
			"in /etc/polkit-1/rules.d/50-strata.rules: "+rule)
	}
	if !r.Has(fleet.CapSysAdmin) {
		subject.add(missing, "swap", "swapon and swapoff need CAP_SYS_ADMIN, which programs started by strata do not have; fstab needs root", "sudo strata")
	}
	if me.libvirt != nil && !errors.Is(me.libvirt, fs.ErrNotExist) {
		subject.add(missing, "libvirt", fmt.Sprintf("its socket is not for %s: %v", me.name, me.libvirt), "usermod -aG libvirt "+me.name)
	}
	if !r.Root() && !r.Has(fleet.CapSyslog) && !me.in("adm", "systemd-journal") {
		subject.add(missing, "kernel log", "the journal of the kernel is for root and the groups adm and systemd-journal", "usermod -aG systemd-journal "+me.name)
	}
}

// privileged is strata run by a user with one capability that it may pass on, and group disk.
func privileged(name, capability string) string {
	word := "+" + strings.ToLower(strings.TrimPrefix(capability, "CAP_"))
	return "sudo strata, or sudo setpriv --reuid=" + name + " --groups=disk --inh-caps=" + word + " --ambient-caps=" + word + " strata"
}
