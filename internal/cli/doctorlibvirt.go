package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"

	"strata/internal/connect"
)

// libvirtRights tells whether the read-write socket of this machine's libvirt, which actions need, lets us in. It
// connects to nothing: that would start a daemon that idled out.
func libvirtRights(subject *of) {
	for _, path := range (connect.LibvirtAt{}).Paths() {
		path = strings.TrimSuffix(path, "-ro")
		switch err := unix.Access(path, unix.W_OK); {
		case err == nil:
			subject.add(fine, "may act", path+" lets us in; polkit may still ask", "")
			return
		case errors.Is(err, fs.ErrNotExist):
		default:
			subject.add(note, "may act", fmt.Sprintf("no: %s: %v", path, err), "usermod -aG libvirt USER, or a polkit rule that grants org.libvirt.unix.manage")
			return
		}
	}
}
