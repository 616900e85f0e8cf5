package fleet

import "time"

// How a boot ended.
const (
	BootShutDown = "shut down" // its journal ends with the shutdown
	BootCut      = "cut off"   // its journal ends in the middle: power, reset, panic
)

// BootRecord is a boot of a machine that its journal knows, or the one it is in.
type BootRecord struct {
	Source  string    `json:"source"`
	Host    string    `json:"host"`
	ID      string    `json:"bootId"`         // 32 hex digits
	Begin   time.Time `json:"begin,omitzero"` // btime of /proc/stat of the one it is in, else its first line
	End     time.Time `json:"end,omitzero"`   // its last line; zero of the one it is in
	Current bool      `json:"current,omitempty"`
	Ended   string    `json:"ended,omitempty"` // shut down, cut off; empty when not known, and of the one it is in
	Last    string    `json:"last,omitempty"`  // the last line of its journal, cut at 200 bytes
}

// Ref of a boot is its id.
func (b *BootRecord) Ref() Ref { return Ref{KindBoot, b.Source, b.ID} }

// Health is how it ended.
func (b *BootRecord) Health() Health {
	switch {
	case b.Current:
		return Health{StateOK, "running"}
	case b.Ended == BootCut:
		return Health{StateWarn, b.Ended}
	case b.Ended == BootShutDown:
		return Health{StateOK, b.Ended}
	}
	return Health{StateUnknown, "end not known"}
}

// KernelImage is the newest kernel that is installed: what most boot loaders take next.
type KernelImage struct {
	Release   string      `json:"release"`
	Image     string      `json:"image"`               // its file in /boot
	Initramfs string      `json:"initramfs,omitempty"` // the file that belongs to it; empty when there is none
	Bytes     Opt[uint64] `json:"initramfsBytes"`
	Modules   bool        `json:"modules"` // /lib/modules has a folder of that release
	// Others tells that another kernel here has an initramfs: without one here, none may be needed.
	Others bool `json:"othersHaveInitramfs"`
}

// Whole reports whether the initramfs is there.
func (k *KernelImage) Whole() bool { return k.Initramfs != "" && k.Bytes.Or(1) > 0 }
