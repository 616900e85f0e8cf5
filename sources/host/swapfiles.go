package host

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"strata/sources/tree"
)

// swapLine is a line of /proc/swaps.
type swapLine struct {
	name, kind  string
	bytes, used uint64
	priority    int
}

// parseSwaps reads /proc/swaps. The head line and lines that make no sense are left out.
func parseSwaps(b []byte) (all []swapLine) {
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 5 {
			continue
		}
		// Counted from the end: old kernels leave spaces in a file's name as they are.
		tail := f[len(f)-4:]
		size, err1 := strconv.ParseUint(tail[1], 10, 54)
		used, err2 := strconv.ParseUint(tail[2], 10, 54)
		priority, err3 := strconv.Atoi(tail[3])
		if err1 != nil || err2 != nil || err3 != nil {
			continue
		}
		name := tree.Unescape(strings.Join(f[:len(f)-4], " "))
		all = append(all, swapLine{name, tail[0], size * 1024, used * 1024, priority})
	}
	return all
}

// fstabSwap is a line of /etc/fstab that turns on a swap area at boot.
type fstabSwap struct{ device, line string }

// parseFstab finds the lines of fstab(5) for swap. One with the option noauto turns on nothing.
func parseFstab(b []byte) (all []fstabSwap) {
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		f := strings.Fields(line)
		if len(f) < 3 || strings.HasPrefix(f[0], "#") || f[2] != "swap" {
			continue
		}
		if len(f) > 3 && slices.Contains(strings.Split(f[3], ","), "noauto") {
			continue
		}
		all = append(all, fstabSwap{tree.Unescape(f[0]), line})
	}
	return all
}

// swapPath is the path of what a line of fstab or a unit names: UUID=, LABEL=, PARTUUID=, PARTLABEL= or ID= as udev
// links them, a device or a file. Links are followed below the tree; what is not there keeps its name.
func swapPath(at tree.Tree, device string) string {
	if key, value, ok := strings.Cut(device, "="); ok && !strings.HasPrefix(device, "/") {
		value = strings.Trim(value, `"`)
		switch folder := "by-" + strings.ToLower(key); folder {
		case "by-uuid", "by-label", "by-partuuid", "by-partlabel", "by-id":
			if !strings.HasPrefix(folder, "by-uuid") && !strings.HasPrefix(folder, "by-partuuid") {
				value = udevName(value)
			}
			if real := at.Resolve("/dev/disk/" + folder + "/" + path.Base(value)); real != "" {
				return real
			}
		}
		return device
	}
	if real := at.Resolve(device); real != "" {
		return real
	}
	return device
}

// udevName is a name as udev links it: characters that a file's name had better not have become \xNN.
func udevName(name string) string {
	const hex = "0123456789abcdef"
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		plain := c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || strings.IndexByte("#+-.:=@_", c) >= 0 || c >= 0x80
		if plain {
			b.WriteByte(c)
		} else {
			b.WriteString(`\x` + string(hex[c>>4]) + string(hex[c&15]))
		}
	}
	return b.String()
}

// whatOf is the setting What= of a .swap unit, "" when there is none.
func whatOf(unit []byte) (what string) {
	for line := range strings.Lines(string(unit)) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "What="); ok {
			what = strings.TrimSpace(v)
		}
	}
	return what
}
