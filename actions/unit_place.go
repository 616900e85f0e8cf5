package actions

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"strata/internal/connect"
	"strata/internal/fleet"
	"strata/internal/sh"
)

// place is where a limit goes, as the newest snapshot has it.
type place struct {
	CGroup string `json:"cgroup,omitempty"` // below /sys/fs/cgroup
	Disk   string `json:"disk,omitempty"`   // the whole disk, as in /sys/block
}

func placed(u *fleet.Unit, disk string) place { return place{u.CGroup, disk} }

// check looks on the machine itself whether the disk is there.
func (p place) check(m connect.Machine) error {
	if _, err := os.Stat(m.Path("/sys/block/" + p.Disk)); err != nil {
		return fmt.Errorf("machine %s has no disk %s: systemd would accept the limit and limit nothing: %w", m.Name, p.Disk, err)
	}
	return nil
}

// number is the disk's major:minor on the machine.
func (p place) number(m connect.Machine) (string, error) {
	b, err := os.ReadFile(m.Path("/sys/block/" + p.Disk + "/dev"))
	if err != nil {
		return "", fmt.Errorf("reading the number of disk %s: %w", p.Disk, err)
	}
	return strings.TrimSpace(string(b)), nil
}

// ioMax reads the limits of the unit's group. Before one is ever set most groups have no such file.
func (p place) ioMax(m connect.Machine) (map[string]fleet.IOLimit, error) {
	b, err := os.ReadFile(m.Path(path.Join("/sys/fs/cgroup", p.CGroup, "io.max")))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading io.max back: %w", err)
	}
	return fleet.ParseIOMax(string(b)), nil
}

// setLimits sets values for a disk and reads io.max back: systemd's word alone proves nothing.
func setLimits(ctx context.Context, m connect.Machine, systemd *connect.Systemd, unit string, keep bool, at place, set fleet.IOLimit) error {
	number, err := at.number(m)
	if err != nil {
		return err
	}
	var properties []connect.Property
	for _, v := range limitValues() {
		if x := *v.of(&set); x.OK {
			properties = append(properties, connect.Property{Name: v.property, Value: []connect.DeviceValue{{Device: "/dev/" + at.Disk, Value: x.V}}})
		}
	}
	since := time.Now()
	if err := systemd.Set(ctx, unit, keep, properties...); err != nil {
		return err
	}
	var is fleet.IOLimit
	ok, err := readBack(ctx, func() (bool, error) {
		limits, err := at.ioMax(m)
		is = limits[number]
		for _, v := range limitValues() {
			if want := *v.of(&set); want.OK && v.of(&is).Or(connect.Infinity) != want.V {
				return false, err
			}
		}
		return true, err
	})
	if err == nil && !ok {
		err = fmt.Errorf("systemd accepted it, but io.max of %s has %s for %s (%s)%s", unit, limitText(is), at.Disk, number, journal(ctx, m, unit, since))
	}
	return err
}

// readBack looks until the kernel has what systemd was told, for a while: it may have put it off.
func readBack(ctx context.Context, has func() (bool, error)) (bool, error) {
	const looks, pause = 10, 100 * time.Millisecond
	for range looks {
		if ok, err := has(); ok || err != nil {
			return ok, err
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
	return has()
}

// journal is what the journal said of a unit since a moment, for an error; "" when it says nothing or cannot be read.
func journal(ctx context.Context, m connect.Machine, unit string, since time.Time) string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var lines []string
	for _, about := range [][]string{{"-u", unit}, {"_PID=1"}} {
		argv := append([]string{"journalctl", "--no-pager", "-q", "-o", "cat", "-n", "3", fmt.Sprintf("--since=@%d", since.Unix())}, about...)
		r, err := m.Run(ctx, sh.Cmd{Argv: argv, Deadline: 5 * time.Second, MaxOut: 8 << 10})
		if err != nil || r.Code != 0 {
			continue
		}
		for line := range strings.Lines(string(r.Stdout)) {
			if line = strings.TrimSpace(line); line != "" && !slices.Contains(lines, line) {
				lines = append(lines, line)
			}
		}
	}
	if lines == nil {
		return ""
	}
	return "; the journal says: " + strings.Join(lines, "; ")
}

// deviceNumber is how the kernel numbers devices, differently on each machine.
var deviceNumber = regexp.MustCompile(`^\d+:\d+$`)

// wholeDisk finds the disk that a person means on the unit's machine. said tells when it is not the very device that was
// named, why the reasons that there is none.
func wholeDisk(s *fleet.Snapshot, u *fleet.Unit, device string) (disk, said string, why []string) {
	var there []string
	for d := range fleet.All[*fleet.Disk](s, fleet.KindDisk) {
		if d.Source == u.Source && d.Host == u.Host {
			there = append(there, d.Name)
		}
	}
	for _, io := range u.IO {
		if !slices.Contains(there, io.Disk) {
			there = append(there, io.Disk)
		}
	}
	name := strings.TrimPrefix(device, "/dev/")
	if slices.Contains(there, name) {
		return name, "", nil
	}
	have := strings.Join(there, ", ")
	switch {
	case device == "":
		return "", "", []string{"which disk? this machine has " + have}
	case deviceNumber.MatchString(name):
		return name, "", []string{name + " is a number that means another device on each machine and after each start; systemd would accept it and limit nothing: name a disk of this machine: " + have}
	}
	if disk := partitionOf(name, there); disk != "" {
		return disk, fmt.Sprintf("%s is a partition of %s; the kernel limits whole disks only", name, disk), nil
	}
	if disk := diskBelow(s, u, device); disk != "" {
		return disk, fmt.Sprintf("%s is on %s; the kernel limits whole disks only", device, disk), nil
	}
	return name, "", []string{fmt.Sprintf("this machine has no disk %s; systemd would accept it and limit nothing: it has %s", name, have)}
}

// partitionOf returns the disk that a partition's name tells: nvme0n1p2, sda1.
func partitionOf(name string, disks []string) string {
	for _, d := range disks {
		rest, ok := strings.CutPrefix(name, d)
		if !ok {
			continue
		}
		if last := d[len(d)-1]; last >= '0' && last <= '9' {
			if rest, ok = strings.CutPrefix(rest, "p"); !ok {
				continue
			}
		}
		if rest != "" && strings.Trim(rest, "0123456789") == "" {
			return d
		}
	}
	return ""
}

// diskBelow returns the disk below a filesystem's device or mount point, or below a mapped device, a partition or a file
// that domains or swap lie on.
func diskBelow(s *fleet.Snapshot, u *fleet.Unit, device string) string {
	for a := range fleet.All[*fleet.SwapArea](s, fleet.KindSwap) {
		if a.Source == u.Source && a.Name == device && a.Disk != "" {
			return a.Disk
		}
	}
	for f := range fleet.All[*fleet.Filesystem](s, fleet.KindFilesystem) {
		if f.Source == u.Source && (f.Device == device || f.Mount == device) && len(f.Disks) == 1 {
			return f.Disks[0]
		}
	}
	name := path.Base(device)
	for d := range fleet.All[*fleet.Domain](s, fleet.KindDomain) {
		if d.Host != u.Host {
			continue
		}
		for _, disk := range d.Disks {
			mapped := slices.ContainsFunc(disk.Path.Mapped, func(m string) bool { return slices.Contains(strings.Fields(m), name) })
			if len(disk.Path.Disks) == 1 && (mapped || disk.File == device) {
				return disk.Path.Disks[0]
			}
		}
	}
	return ""
}

// ioOf is what a unit does to a disk; nothing when it never touched it.
func ioOf(u *fleet.Unit, disk string) fleet.UnitIO {
	for _, io := range u.IO {
		if io.Disk == disk {
			return io
		}
	}
	return fleet.UnitIO{Disk: disk}
}

// unitTitle names a unit as people do: by the domain that lives in it.
func unitTitle(u *fleet.Unit) string {
	if u.Domain != "" {
		return u.Domain
	}
	return u.Name
}

// timerOf is the name of the timer that clears a unit's limit on a disk.
func timerOf(unit, disk string) string {
	sum := sha256.Sum256([]byte(unit + "\x00" + disk))
	return "strata-clear-" + hex.EncodeToString(sum[:6])
}

// diskOfNumber names the disk that has a number on the machine; "" when there is none.
func diskOfNumber(m connect.Machine, number string) string {
	folder, err := filepath.EvalSymlinks(m.Path("/sys/dev/block/" + number))
	if err != nil {
		return ""
	}
	return filepath.Base(folder)
}
