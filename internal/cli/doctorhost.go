package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/term"
	"golang.org/x/sys/unix"

	"strata/internal/config"
	"strata/internal/fleet"
	"strata/internal/sh"
)

// examineHost tells what of a machine can be seen, and what would show the rest.
func (p *program) examineHost(ctx context.Context, s *fleet.Snapshot, h *fleet.Host) *of {
	subject := &of{subject: "host " + h.Name}
	if os.Geteuid() == 0 {
		subject.add(fine, "rights", "root", "")
	} else {
		subject.add(missing, "rights", fmt.Sprintf("uid %d: SMART and the system UUID are for root", os.Geteuid()), "sudo strata")
	}
	smart := 0
	var disks []*fleet.Disk
	for d := range fleet.All[*fleet.Disk](s, fleet.KindDisk) {
		if d.Source == h.Source {
			disks = append(disks, d)
		}
		if d.Source == h.Source && mayHaveSmart(d) {
			smart++
		}
	}
	examineRights(subject, whoRuns(h), disks)
	smartctl(ctx, subject, smart)
	if h.Pressure != nil {
		subject.add(fine, "pressure", "the kernel tells PSI", "")
	}
	for _, line := range h.Missing {
		g := missing
		if h.Identity.Virtual != "" && strings.HasPrefix(line, "temperatures:") {
			g = note // a virtual machine has none
		}
		subject.add(g, "cannot see", line, "")
	}
	for o := range s.Each(fleet.KindDisk) {
		d, ok := o.(*fleet.Disk)
		if !ok || d.Source != h.Source {
			continue
		}
		examineDisk(subject, d)
	}
	return subject
}

// examineDisk tells what of a disk is read.
func examineDisk(subject *of, d *fleet.Disk) {
	if d.Smart != nil && len(d.Missing) == 0 {
		subject.add(fine, "disk "+d.Name, fmt.Sprintf("SMART %s, %d counters", d.Health().Word, len(d.Counters)), "")
	}
	for _, line := range d.Missing {
		g := note
		if mayHaveSmart(d) && d.Smart == nil {
			g = missing
		}
		subject.add(g, "disk "+d.Name, line, "")
	}
}

func mayHaveSmart(d *fleet.Disk) bool {
	return slices.Contains([]string{"nvme", "ata", "scsi", "usb"}, d.Bus)
}

// smartctl tells whether the program is there. Without disks that have SMART it does not matter.
func smartctl(ctx context.Context, subject *of, disks int) {
	r, err := sh.Run(ctx, sh.Cmd{Argv: []string{"smartctl", "--version"}, Deadline: 5 * time.Second})
	switch {
	case err == nil && r.Code == 0:
		subject.add(fine, "smartctl", firstLine(string(r.Stdout)), "")
	case disks == 0:
		subject.add(note, "smartctl", "not there, and no disk here has SMART", "")
	case errors.Is(err, sh.ErrMissing):
		subject.add(missing, "smartctl", fmt.Sprintf("not installed; %d disks have SMART", disks), "apt install smartmontools")
	default:
		subject.add(broken, "smartctl", fmt.Sprintf("it does not run: code %d %v", r.Code, err), "smartctl --version")
	}
}

// examineSelf looks at what strata itself needs: its configuration, its audit log and its terminal.
func (p *program) examineSelf(o options, c config.Config) []check {
	subject := &of{subject: "strata " + versionOf().Version}
	path := o.config
	if path == "" {
		path = config.Path(p.getenv)
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		subject.add(note, "configuration", path+" is not there: the defaults count", "")
	} else {
		subject.add(fine, "configuration", path, "")
	}
	if err := writable(c.Audit.Path); err != nil {
		subject.add(missing, "audit log", fmt.Sprintf("%s cannot be written (%v): the cockpit will be read-only", c.Audit.Path, err), "set audit.path in "+path)
	} else {
		subject.add(fine, "audit log", c.Audit.Path+" can be written", "")
	}
	p.examineTerminal(subject)
	return subject.checks
}

// writable reports whether a file can be written, or made when it is not there, without touching it.
func writable(path string) error {
	err := unix.Access(path, unix.W_OK)
	for errors.Is(err, unix.ENOENT) && path != filepath.Dir(path) {
		path = filepath.Dir(path)
		err = unix.Access(path, unix.W_OK|unix.X_OK)
	}
	return err
}

func (p *program) examineTerminal(subject *of) {
	name := p.getenv("TERM")
	stdout, _ := p.stdout.(*os.File)
	if !isTerminal(p.stdout) || !isTerminal(p.stdin) {
		subject.add(note, "terminal", fmt.Sprintf("this is none; TERM is %q", name), "")
		return
	}
	if _, err := p.terminal(); err != nil {
		subject.add(missing, "terminal", err.Error(), "")
		return
	}
	characters := "UTF-8"
	if p.onlyASCII() {
		characters = "ASCII only (LANG names no UTF-8 locale, or this is the console)"
	}
	size := ""
	if w, h, err := term.GetSize(stdout.Fd()); err == nil {
		size = fmt.Sprintf(", %dx%d", w, h)
	}
	subject.add(fine, "terminal", fmt.Sprintf("%s%s, %s, colours: %s", name, size, characters, p.profile()), "")
}
