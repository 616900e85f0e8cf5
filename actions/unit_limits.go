package actions

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"strata/internal/connect"
	"strata/internal/fleet"
)

// limitValue is one of the four things that can be limited.
type limitValue struct {
	param    string // of an offer
	says     string
	property string // of systemd
	key      string // in io.max
	unit     string
	of       func(*fleet.IOLimit) *fleet.Opt[uint64]
	rate     func(*fleet.UnitIO) *fleet.Opt[float64]
}

func limitValues() []limitValue {
	return []limitValue{
		{"read", "reading", "IOReadBandwidthMax", "rbps", "B/s", func(l *fleet.IOLimit) *fleet.Opt[uint64] { return &l.ReadBytesSec }, func(u *fleet.UnitIO) *fleet.Opt[float64] { return &u.ReadBytesSec }},
		{"write", "writing", "IOWriteBandwidthMax", "wbps", "B/s", func(l *fleet.IOLimit) *fleet.Opt[uint64] { return &l.WriteBytesSec }, func(u *fleet.UnitIO) *fleet.Opt[float64] { return &u.WriteBytesSec }},
		{"riops", "reads", "IOReadIOPSMax", "riops", "/s", func(l *fleet.IOLimit) *fleet.Opt[uint64] { return &l.ReadsSec }, func(u *fleet.UnitIO) *fleet.Opt[float64] { return &u.ReadsSec }},
		{"wiops", "writes", "IOWriteIOPSMax", "wiops", "/s", func(l *fleet.IOLimit) *fleet.Opt[uint64] { return &l.WritesSec }, func(u *fleet.UnitIO) *fleet.Opt[float64] { return &u.WritesSec }},
	}
}

func (v limitValue) text(n uint64) string { return decimal(float64(n)) + v.unit }

func (v limitValue) effect(disk string, want uint64, rate fleet.Opt[float64]) string {
	now := "what it is now is not known"
	if rate.OK {
		now = "now " + decimal(rate.V) + v.unit
	}
	if want == connect.Infinity {
		return fmt.Sprintf("%s on %s is no longer limited; %s", v.says, disk, now)
	}
	return fmt.Sprintf("%s on %s is held to %s; %s", v.says, disk, v.text(want), now)
}

// decimal writes a number with systemd's decimal suffixes: 2M is 2,000,000.
func decimal(n float64) string {
	for _, s := range []struct {
		size float64
		name string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "K"}} {
		if n >= s.size {
			return strconv.FormatFloat(math.Round(n/s.size*10)/10, 'f', -1, 64) + s.name
		}
	}
	return strconv.FormatFloat(math.Round(n), 'f', -1, 64)
}

// parseLimit reads 2M, 500K, 0, none; "" leaves the value as it is.
func parseLimit(param, text string) (fleet.Opt[uint64], error) {
	switch text {
	case "":
		return fleet.Opt[uint64]{}, nil
	case "none":
		return fleet.Some(connect.Infinity), nil
	}
	number, size := text, 1.0
	switch text[len(text)-1] {
	case 'K', 'k':
		number, size = text[:len(text)-1], 1e3
	case 'M':
		number, size = text[:len(text)-1], 1e6
	case 'G':
		number, size = text[:len(text)-1], 1e9
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || !(n >= 0) || n*size > 1e15 || strings.ContainsAny(number, "xXpP_") || n > 0 && n*size < 1 {
		return fleet.Opt[uint64]{}, fmt.Errorf("%s=%q is no limit: give a number such as 2M or 500K (K is 1000), none to take it away, or nothing to leave it", param, text)
	}
	return fleet.Some(uint64(math.Round(n * size))), nil
}

// limitText is a limit in words: "writing 2MB/s".
func limitText(l fleet.IOLimit) string {
	var parts []string
	for _, v := range limitValues() {
		if x := *v.of(&l); x.OK {
			parts = append(parts, v.says+" "+v.text(x.V))
		}
	}
	if parts == nil {
		return "no limit"
	}
	return strings.Join(parts, ", ")
}

// limitNow is what a unit does to a disk, and its limit.
func limitNow(io fleet.UnitIO, disk string) string {
	var parts []string
	for _, v := range limitValues() {
		if r := *v.rate(&io); r.OK {
			parts = append(parts, v.says+" "+decimal(r.V)+v.unit)
		}
	}
	now := "no I/O measured"
	if parts != nil {
		now = strings.Join(parts, ", ")
	}
	return disk + ": " + now + "; limit: " + limitText(io.Limit)
}

// propertyArgv is the command that sets properties of a unit, without them.
func propertyArgv(unit string, keep bool) []string {
	if keep {
		return []string{"systemctl", "set-property", unit}
	}
	return []string{"systemctl", "set-property", "--runtime", unit}
}

// limitArgv is the command that sets values for a disk.
func limitArgv(unit string, keep bool, disk string, set fleet.IOLimit) []string {
	return append(propertyArgv(unit, keep), assignments(disk, set)...)
}

// assignments are the properties with their values, as systemctl reads them.
func assignments(disk string, set fleet.IOLimit) (list []string) {
	for _, v := range limitValues() {
		if x := *v.of(&set); x.OK {
			value := "infinity"
			if x.V != connect.Infinity {
				value = strconv.FormatUint(x.V, 10)
			}
			list = append(list, v.property+"=/dev/"+disk+" "+value)
		}
	}
	return list
}

// inverse is what brings back a limit after set was set.
func inverse(before, set fleet.IOLimit) (back fleet.IOLimit) {
	for _, v := range limitValues() {
		if v.of(&set).OK {
			*v.of(&back) = fleet.Some(v.of(&before).Or(connect.Infinity))
		}
	}
	return back
}

// everyLimit is the limit with what is missing as "no limit": all four values of a disk.
func everyLimit(l fleet.IOLimit) fleet.IOLimit {
	for _, v := range limitValues() {
		x := v.of(&l)
		*x = fleet.Some(x.Or(connect.Infinity))
	}
	return l
}
