package host

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"strata/internal/fleet"
	"strata/sources"
	"strata/sources/tree"
)

const sysBlock = "/sys/block"

// disks reads the scope "disks": whole disks and md arrays.
type disks struct {
	source, host string
	at           tree.Tree
	ledger       *sources.Ledger
	smart        *smartBook
	notes        *notes

	names   []string
	known   []block
	foundAt time.Time
	before  map[string]ioCounts
	at0     time.Time // when before was read
}

// block is what hardly changes about a disk.
type block struct {
	name, model, serial, bus, controller string
	bytes                                uint64
	rotational                           fleet.Opt[bool]
}

// owner keys a disk's counters: another disk under the same name starts over.
func (b *block) owner() string { return b.name + " " + b.serial }

func newDisks(s *source, book *smartBook, n *notes) *disks {
	return &disks{source: s.name, host: s.conf.Name, at: s.at, ledger: s.ledger, smart: book, notes: n}
}

func (d *disks) look(_ context.Context, now time.Time) (fleet.Facts, error) {
	names, err := d.at.List(sysBlock)
	if err != nil {
		return nil, fmt.Errorf("listing the disks of host %s: %w", d.host, err)
	}
	if d.foundAt.IsZero() || !slices.Equal(names, d.names) || now.Sub(d.foundAt) >= findEvery {
		d.names, d.known, d.foundAt = names, findDisks(d.at, names), now
		d.smart.follow(d.known)
	}
	var stats map[string]ioCounts
	b, err := d.at.Bytes("/proc/diskstats")
	if err == nil {
		stats = parseDiskstats(b)
	}
	facts := make(fleet.Facts, 0, len(d.known))
	for i := range d.known {
		known := &d.known[i]
		disk := &fleet.Disk{
			Source: d.source, Host: d.host, Name: known.name, Model: known.model, Serial: known.serial, Bus: known.bus, Controller: known.controller,
			Bytes: known.bytes, Rotational: known.rotational,
		}
		if err != nil {
			disk.Missing = append(disk.Missing, "I/O rates: /proc/diskstats: "+reason(err))
		}
		c, have := stats[known.name]
		if before, had := d.before[known.name]; have && had {
			disk.IO = c.since(before, now.Sub(d.at0))
		}
		if io, ok := d.errorsOf(known, now); ok {
			disk.Counters = append(disk.Counters, io...)
		}
		d.smart.addTo(disk, now)
		facts = append(facts, disk)
	}
	d.before, d.at0 = stats, now
	return facts, nil
}

// errorsOf reads the error counters that the kernel itself keeps of a disk.
func (d *disks) errorsOf(b *block, now time.Time) (found []fleet.Counter, ok bool) {
	count := func(name string, v uint64) { found = append(found, d.ledger.Count(b.owner(), name, v, now)) }
	folder := sysBlock + "/" + b.name
	switch b.bus {
	case "md":
		for _, name := range []string{"degraded", "mismatch_cnt"} {
			if v, ok := d.at.Number(folder + "/md/" + name); ok {
				count(name, v)
			}
		}
		members, _ := d.at.List(folder + "/md")
		for _, m := range members {
			if member, ok := strings.CutPrefix(m, "dev-"); ok {
				if v, ok := d.at.Number(folder + "/md/" + m + "/errors"); ok {
					count("errors_"+member, v)
				}
			}
		}
	case "ata", "scsi", "usb":
		if v, ok := ioErrors(d.at, b.name); ok {
			count("ioerr_cnt", d.smart.notOurs(b, v))
		}
	}
	return found, len(found) > 0
}

// ioErrors is a SCSI or ATA disk's ioerr_cnt. It is hexadecimal, and not zero on a healthy disk: probing it at boot makes
// some.
func ioErrors(at tree.Tree, disk string) (uint64, bool) {
	text, hex := strings.CutPrefix(at.Word(sysBlock+"/"+disk+"/device/ioerr_cnt"), "0x")
	v, err := strconv.ParseUint(text, 16, 64)
	return v, hex && err == nil
}

// findDisks reads what the kernel says of each block device that is a disk of its own.
func findDisks(at tree.Tree, names []string) (found []block) {
	for _, name := range names {
		folder := sysBlock + "/" + name
		size, _ := at.Number(folder + "/size")
		if !isDisk(name, size) || at.Word(folder+"/hidden") == "1" {
			continue
		}
		b := block{name: name, bytes: size * sector, bus: busOf(at, name), controller: at.Controller(name)}
		b.model = at.Word(folder + "/device/model")
		if vendor := at.Word(folder + "/device/vendor"); b.bus != "ata" && b.bus != "virtio" && b.bus != "nvme" && vendor != "" {
			b.model = strings.TrimSpace(vendor + " " + b.model)
		}
		b.serial = serialOf(at, folder)
		// A paravirtual disk claims to rotate, whatever is below it.
		if spins := at.Word(folder + "/queue/rotational"); b.bus != "virtio" && b.bus != "xen" && spins != "" {
			b.rotational = fleet.Some(spins == "1")
		}
		found = append(found, b)
	}
	return found
}

// isDisk leaves out what is not hardware, and empty drives: card readers, unconnected network block devices.
func isDisk(name string, sectors uint64) bool {
	for _, p := range []string{"loop", "ram", "zram", "dm-", "sr", "fd", "mtdblock"} {
		if strings.HasPrefix(name, p) {
			return false
		}
	}
	return sectors > 0 && (!strings.HasPrefix(name, "mmcblk") || !strings.Contains(name, "boot"))
}

func busOf(at tree.Tree, name string) string {
	for _, p := range []struct{ prefix, bus string }{
		{"nvme", "nvme"}, {"vd", "virtio"}, {"md", "md"}, {"mmcblk", "mmc"}, {"xvd", "xen"}, {"rbd", "ceph"}, {"nbd", "nbd"}, {"drbd", "drbd"},
	} {
		if strings.HasPrefix(name, p.prefix) {
			return p.bus
		}
	}
	device := at.Resolve(sysBlock + "/" + name)
	switch {
	case strings.Contains(device, "/ata"):
		return "ata"
	case strings.Contains(device, "/usb"):
		return "usb"
	}
	return "scsi"
}

// serialOf looks where NVMe, virtio and SCSI keep serial numbers.
func serialOf(at tree.Tree, folder string) string {
	for _, f := range []string{"/device/serial", "/serial"} {
		if s := at.Word(folder + f); s != "" {
			return s
		}
	}
	// The SCSI unit serial number page: four bytes of header, then text.
	if page, err := at.Bytes(folder + "/device/vpd_pg80"); err == nil && len(page) > 4 {
		return strings.TrimSpace(strings.Trim(string(page[4:]), "\x00"))
	}
	return ""
}
