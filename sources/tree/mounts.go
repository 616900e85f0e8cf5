package tree

import (
	"slices"
	"strconv"
	"strings"
)

// Mount is one line of mountinfo.
type Mount struct {
	Number   string // major:minor
	Root     string // the folder of the filesystem that is mounted; "/" unless it is a bind mount or a subvolume
	Point    string
	Type     string
	Device   string
	ReadOnly bool
}

// ParseMounts reads /proc/PID/mountinfo (proc(5)). Lines it does not understand are left out.
//
// gopsutil reads the same file, but gives up on all of it for one odd line, drops the device number that leads to the
// error counters, and replaces /dev/mapper/rl-root by /dev/dm-0, which no operator calls it.
func ParseMounts(b []byte) (all []Mount) {
	for line := range strings.Lines(string(b)) {
		left, right, ok := strings.Cut(line, " - ")
		f, g := strings.Fields(left), strings.Fields(right)
		if !ok || len(f) < 6 || len(g) < 2 {
			continue
		}
		m := Mount{Number: f[2], Root: Unescape(f[3]), Point: Unescape(f[4]), Type: g[0], Device: Unescape(g[1])}
		options := f[5]
		if len(g) > 2 {
			options += "," + g[2]
		}
		m.ReadOnly = slices.Contains(strings.Split(options, ","), "ro")
		all = append(all, m)
	}
	return all
}

// Unescape turns \040 and its like back into characters.
func Unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(c))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
