package libvirt

import (
	"encoding/xml"
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"strata/internal/fleet"
)

// definition is what is read of a domain's XML.
type definition struct {
	id     fleet.Opt[int]
	vcpus  int
	memory uint64
	nova   string
	macs   []string
	disks  []fleet.DomainDisk // with the limits in Tune
	panics fleet.Opt[bool]    // a panic of the guest ends in something
}

type domainXML struct {
	XMLName  xml.Name `xml:"domain"`
	ID       string   `xml:"id,attr"`
	Name     string   `xml:"name"`
	Metadata struct {
		Any []struct {
			XMLName xml.Name
			Name    string `xml:"name"`
		} `xml:",any"`
	} `xml:"metadata"`
	Memory struct {
		Unit  string `xml:"unit,attr"`
		Value string `xml:",chardata"`
	} `xml:"memory"`
	VCPU struct {
		Current string `xml:"current,attr"`
		Value   string `xml:",chardata"`
	} `xml:"vcpu"`
	System []struct {
		Name  string `xml:"name,attr"`
		Value string `xml:",chardata"`
	} `xml:"sysinfo>system>entry"`
	Disks  []diskXML `xml:"devices>disk"`
	Panics []struct {
		Model string `xml:"model,attr"`
	} `xml:"devices>panic"`
	Watchdogs []struct {
		Action string `xml:"action,attr"`
	} `xml:"devices>watchdog"`
	MACs []struct {
		Address string `xml:"address,attr"`
	} `xml:"devices>interface>mac"`
}

type diskXML struct {
	Device string `xml:"device,attr"`
	Driver struct {
		Type  string `xml:"type,attr"`
		Cache string `xml:"cache,attr"`
	} `xml:"driver"`
	Source  sourceXML   `xml:"source"`
	Backing *backingXML `xml:"backingStore"`
	Target  struct {
		Dev string `xml:"dev,attr"`
	} `xml:"target"`
	Tune struct {
		TotalBytes string `xml:"total_bytes_sec"`
		ReadBytes  string `xml:"read_bytes_sec"`
		WriteBytes string `xml:"write_bytes_sec"`
		Total      string `xml:"total_iops_sec"`
		Reads      string `xml:"read_iops_sec"`
		Writes     string `xml:"write_iops_sec"`
	} `xml:"iotune"`
}

type sourceXML struct {
	File     string `xml:"file,attr"`
	Dev      string `xml:"dev,attr"`
	Pool     string `xml:"pool,attr"`
	Volume   string `xml:"volume,attr"`
	Protocol string `xml:"protocol,attr"`
	Name     string `xml:"name,attr"`
}

type backingXML struct {
	Source sourceXML   `xml:"source"`
	Next   *backingXML `xml:"backingStore"`
}

const (
	deepest   = 200 // backing files; libvirt itself takes as many
	novaSpace = "http://openstack.org/xmlns/libvirt/nova/"
)

// parseDefinition reads a domain's XML.
func parseDefinition(text string) (definition, error) {
	var x domainXML
	if err := xml.Unmarshal([]byte(text), &x); err != nil {
		return definition{}, fmt.Errorf("reading its definition: %w", err)
	}
	if x.Name == "" {
		return definition{}, errors.New("reading its definition: it has no name")
	}
	d := definition{memory: bytesOf(x.Memory.Value, x.Memory.Unit), nova: x.server()}
	if id, err := strconv.Atoi(x.ID); err == nil && id >= 0 {
		d.id = fleet.Some(id)
	}
	d.vcpus, _ = strconv.Atoi(strings.TrimSpace(x.VCPU.Value))
	if now, err := strconv.Atoi(x.VCPU.Current); err == nil {
		d.vcpus = now
	}
	for _, m := range x.MACs {
		if m.Address != "" {
			d.macs = append(d.macs, strings.ToLower(m.Address))
		}
	}
	d.panics = fleet.Some(len(x.Panics) > 0)
	for _, w := range x.Watchdogs {
		d.panics.V = d.panics.V || w.Action != "none"
	}
	for i := range x.Disks {
		if disk := &x.Disks[i]; disk.Target.Dev != "" && (disk.Device == "" || disk.Device == "disk" || disk.Device == "lun") {
			d.disks = append(d.disks, disk.read())
		}
	}
	return d, nil
}

// server is the name of the Nova server that the domain is. Nova writes it into the metadata; versions that did not told
// at least who made the domain.
func (x *domainXML) server() string {
	for _, m := range x.Metadata.Any {
		if strings.HasPrefix(m.XMLName.Space, novaSpace) && m.XMLName.Local == "instance" {
			if name := strings.TrimSpace(m.Name); name != "" {
				return name
			}
			return x.Name
		}
	}
	for _, e := range x.System {
		if e.Name == "product" && strings.HasPrefix(strings.TrimSpace(e.Value), "OpenStack") {
			return x.Name
		}
	}
	return ""
}

func (x *diskXML) read() fleet.DomainDisk {
	d := fleet.DomainDisk{Target: x.Target.Dev, File: x.Source.path(), Format: x.Driver.Type, Cache: x.Driver.Cache}
	for b := x.Backing; b != nil && b.Source != (sourceXML{}) && len(d.Backing) < deepest; b = b.Next {
		d.Backing = append(d.Backing, b.Source.path())
	}
	limit := func(text string) fleet.Opt[uint64] {
		n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 64)
		return fleet.Opt[uint64]{V: n, OK: err == nil && n > 0}
	}
	t := x.Tune
	d.Tune.ReadBytesSec, d.Tune.WriteBytesSec, d.Tune.TotalBytesSec = limit(t.ReadBytes), limit(t.WriteBytes), limit(t.TotalBytes)
	d.Tune.ReadsSec, d.Tune.WritesSec, d.Tune.TotalSec = limit(t.Reads), limit(t.Writes), limit(t.Total)
	for _, o := range []*fleet.Opt[uint64]{
		&d.Tune.ReadBytesSec, &d.Tune.WriteBytesSec, &d.Tune.TotalBytesSec, &d.Tune.ReadsSec, &d.Tune.WritesSec, &d.Tune.TotalSec,
	} {
		if !o.OK {
			*o = fleet.Opt[uint64]{}
		}
	}
	return d
}

// path is a source's file or device, else what names it elsewhere.
func (s sourceXML) path() string {
	switch {
	case s.File != "":
		return s.File
	case s.Dev != "":
		return s.Dev
	case s.Pool != "":
		return "pool " + s.Pool + ": " + s.Volume
	case s.Protocol != "":
		return s.Protocol + ":" + s.Name
	}
	return ""
}

// bytesOf reads a size with libvirt's units; without one it is KiB.
func bytesOf(value, unit string) uint64 {
	n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 64)
	if err != nil {
		return 0
	}
	factor := map[string]uint64{
		"": 1 << 10, "b": 1, "bytes": 1, "kb": 1000, "k": 1 << 10, "kib": 1 << 10, "mb": 1e6, "m": 1 << 20, "mib": 1 << 20,
		"gb": 1e9, "g": 1 << 30, "gib": 1 << 30, "tb": 1e12, "t": 1 << 40, "tib": 1 << 40,
	}[strings.ToLower(unit)]
	over, size := bits.Mul64(n, factor)
	if over > 0 {
		return 0
	}
	return size
}
