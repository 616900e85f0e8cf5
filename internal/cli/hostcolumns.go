package cli

import (
	"fmt"
	"strconv"
	"time"

	"strata/internal/fleet"
)

func percent(share float64) string { return fmt.Sprintf("%.0f%%", share*100) }

func degrees(c float64) string { return strconv.FormatFloat(c, 'f', 0, 64) }

func perSecond(bytes float64) string { return size(bytes) + "/s" }

// sizeIf is a size, "" where there is none to tell.
func sizeIf(bytes uint64, ok bool) string {
	if !ok {
		return ""
	}
	return size(bytes)
}

// hostBoot is when a host booted, where it is known to be up.
func hostBoot(h *fleet.Host) time.Time {
	if h.Identity.Lost != "" {
		return time.Time{}
	}
	return h.Boot
}

func hostLoad(h *fleet.Host) string {
	if !h.LoadKnown() {
		return ""
	}
	return fmt.Sprintf("%.2f %.2f %.2f", h.Load[0], h.Load[1], h.Load[2])
}

func hostColumns(kind fleet.Kind) []column {
	switch kind {
	case fleet.KindHost:
		return []column{
			{"NAME", false, on(func(h *fleet.Host) string { return h.Name })},
			{"STATUS", false, on(func(h *fleet.Host) string { return h.Health().Word })},
			{"CPUS", true, on(func(h *fleet.Host) string {
				if h.CPUs == 0 {
					return ""
				}
				return strconv.Itoa(h.CPUs)
			})},
			{"BUSY", true, on(func(h *fleet.Host) string { return maybe(h.Busy, percent) })},
			{"LOAD", true, on(hostLoad)},
			{"MEMORY", true, on(func(h *fleet.Host) string { return sizeIf(h.Memory.Total, h.Memory.Total > 0) })},
			{"AVAILABLE", true, on(func(h *fleet.Host) string { return maybe(h.Memory.Available, size[uint64]) })},
			{"SWAP", true, on(func(h *fleet.Host) string { return sizeIf(h.Swap.Total, h.SwapKnown()) })},
			{"SWAPPED", true, on(func(h *fleet.Host) string { return sizeIf(h.Swap.Used, h.SwapKnown()) })},
			{"UP", true, aged(hostBoot)},
			{"MODEL", false, on(func(h *fleet.Host) string { return h.Identity.Model })},
		}
	case fleet.KindSensor:
		return []column{
			{"CHIP", false, on(func(s *fleet.Sensor) string { return s.Chip })},
			{"LABEL", false, on(func(s *fleet.Sensor) string { return s.Label })},
			{"STATUS", false, on(func(s *fleet.Sensor) string { return s.Health().Word })},
			{"CELSIUS", true, on(func(s *fleet.Sensor) string { return maybe(s.Celsius, degrees) })},
			{"MAX", true, on(func(s *fleet.Sensor) string { return maybe(s.Max, degrees) })},
			{"CRIT", true, on(func(s *fleet.Sensor) string { return maybe(s.Crit, degrees) })},
			{"DISK", false, on(func(s *fleet.Sensor) string { return s.Disk })},
			{"NAME", false, on(func(s *fleet.Sensor) string { return s.Name })},
		}
	case fleet.KindDisk:
		return diskColumns()
	case fleet.KindCheck:
		return []column{
			{"NAME", false, on(func(c *fleet.Check) string { return c.Endpoint.Name })},
			{"STATUS", false, on(func(c *fleet.Check) string { return c.Health().Word })},
			{"SINCE", true, aged(func(c *fleet.Check) time.Time { return c.Since })},
			{"TOOK", true, on(func(c *fleet.Check) string {
				return maybe(c.Latency, func(d time.Duration) string { return fmt.Sprintf("%.1fms", d.Seconds()*1000) })
			})},
			{"FROM", false, on(func(c *fleet.Check) string { return c.Host })},
			{"ADDRESS", false, on(func(c *fleet.Check) string { return c.Endpoint.Address })},
			{"SAYS", false, on(func(c *fleet.Check) string { return c.Says + c.Server })},
		}
	case fleet.KindAgent:
		return []column{
			{"NAME", false, on(func(a *fleet.Agent) string { return a.Name })},
			{"STATUS", false, on(func(a *fleet.Agent) string { return a.Health().Word })},
			{"DESTINATION", false, on(func(a *fleet.Agent) string { return a.Destination })},
			{"SKEW", true, on(func(a *fleet.Agent) string {
				return maybe(a.Skew, func(s float64) string { return fmt.Sprintf("%+.1fs", s) })
			})},
			{"CPU", true, on(func(a *fleet.Agent) string { return maybe(a.CPU, percent) })},
			{"RSS", true, on(func(a *fleet.Agent) string { return maybe(a.RSS, size[uint64]) })},
			{"SENT/S", true, on(func(a *fleet.Agent) string {
				return maybe(a.BytesSec, func(b float64) string { return size(uint64(b)) })
			})},
			{"BUILD", false, on(func(a *fleet.Agent) string { return a.Build })},
			{"SAYS", false, on(func(a *fleet.Agent) string { return a.Says })},
		}
	case fleet.KindFilesystem:
		return []column{
			{"MOUNT", false, on(func(f *fleet.Filesystem) string { return f.Mount })},
			{"USED", true, on(func(f *fleet.Filesystem) string { return f.Health().Word })},
			{"SIZE", true, on(func(f *fleet.Filesystem) string { return sizeIf(f.Total, f.Total > 0) })},
			{"AVAILABLE", true, on(func(f *fleet.Filesystem) string { return sizeIf(f.Available, f.Total > 0) })},
			{"TYPE", false, on(func(f *fleet.Filesystem) string { return f.Type })},
			{"DEVICE", false, on(func(f *fleet.Filesystem) string { return f.Device })},
		}
	}
	return []column{
		{"AT", false, on(func(d *fleet.Deed) string {
			if d.At.IsZero() {
				return ""
			}
			return d.At.UTC().Format(time.RFC3339)
		})},
		{"PHASE", false, on(func(d *fleet.Deed) string { return d.Phase })},
		{"WHO", false, on(func(d *fleet.Deed) string { return d.Who })},
		{"DEED", false, on(func(d *fleet.Deed) string { return d.Title })},
		{"ERROR", false, on(func(d *fleet.Deed) string { return d.Error })},
	}
}

func diskColumns() []column {
	smart := func(text func(*fleet.Smart) string) func(fleet.Object, time.Time) string {
		return on(func(d *fleet.Disk) string {
			if d.Smart == nil {
				return ""
			}
			return text(d.Smart)
		})
	}
	return []column{
		{"NAME", false, on(func(d *fleet.Disk) string { return d.Name })},
		{"STATUS", false, on(func(d *fleet.Disk) string { return d.Health().Word })},
		{"BUS", false, on(func(d *fleet.Disk) string { return d.Bus })},
		{"SIZE", true, on(func(d *fleet.Disk) string { return sizeIf(d.Bytes, d.Bytes > 0) })},
		{"CELSIUS", true, smart(func(s *fleet.Smart) string { return maybe(s.Celsius, degrees) })},
		{"WEAR", true, smart(func(s *fleet.Smart) string {
			return maybe(s.UsedPct, func(n int) string { return strconv.Itoa(n) + "%" })
		})},
		{"READ", true, on(func(d *fleet.Disk) string { return maybe(d.IO.ReadBytesSec, perSecond) })},
		{"WRITE", true, on(func(d *fleet.Disk) string { return maybe(d.IO.WriteBytesSec, perSecond) })},
		{"BUSY", true, on(func(d *fleet.Disk) string { return maybe(d.IO.Util, percent) })},
		{"SERIAL", false, on(func(d *fleet.Disk) string { return d.Serial })},
		{"MODEL", false, on(func(d *fleet.Disk) string { return d.Model })},
	}
}
