package host

import (
	"math"
	"strconv"
	"strings"
	"time"

	"strata/internal/fleet"
)

// ioCounts is what /proc/diskstats counts of a disk since boot; times are in milliseconds and 32 bits wide.
type ioCounts struct {
	reads, readSectors, readMS    uint64
	writes, writeSectors, writeMS uint64
	busyMS, queueMS               uint64 // queueMS counts each operation for itself
}

// parseDiskstats reads /proc/diskstats by device name. Lines it does not understand are left out.
func parseDiskstats(b []byte) map[string]ioCounts {
	all := map[string]ioCounts{}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 14 {
			continue
		}
		var n [11]uint64
		ok := true
		for i := range n {
			v, err := strconv.ParseUint(f[3+i], 10, 64)
			n[i], ok = v, ok && err == nil
		}
		if ok {
			all[f[2]] = ioCounts{
				reads: n[0], readSectors: n[2], readMS: n[3],
				writes: n[4], writeSectors: n[6], writeMS: n[7], busyMS: n[9], queueMS: n[10],
			}
		}
	}
	return all
}

// sector is the unit of /proc/diskstats and of /sys/block/*/size, whatever the disk's own sector size.
const sector = 512

// since returns rates. What a counter that wrapped or was reset would tell is missing.
func (c ioCounts) since(b ioCounts, passed time.Duration) fleet.DiskIO {
	io := fleet.DiskIO{
		ReadBytesSec:  rate(c.readSectors, b.readSectors, sector, passed),
		WriteBytesSec: rate(c.writeSectors, b.writeSectors, sector, passed),
		ReadsSec:      rate(c.reads, b.reads, 1, passed),
		WritesSec:     rate(c.writes, b.writes, 1, passed),
	}
	if c.reads >= b.reads && c.writes >= b.writes && c.readMS >= b.readMS && c.writeMS >= b.writeMS {
		if ops := c.reads - b.reads + c.writes - b.writes; ops > 0 {
			waited := time.Duration(c.readMS-b.readMS+c.writeMS-b.writeMS) * time.Millisecond
			io.Await = fleet.Some(waited / time.Duration(ops))
		}
	}
	if busy := rate(c.busyMS, b.busyMS, 0.001, passed); busy.OK {
		io.Util = fleet.Some(min(busy.V, 1))
	}
	if queue := rate(c.queueMS, b.queueMS, 0.001, passed); queue.OK {
		io.Queue = fleet.Some(math.Round(queue.V*10) / 10)
	}
	return io
}
