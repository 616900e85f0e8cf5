package fleet

import (
	"strings"
	"time"
)

// Turn is a change of a temperature by much, as whoever reads the sensor saw it.
type Turn struct {
	At    time.Time `json:"at"`    // when it was first that far from where it had been
	Until time.Time `json:"until"` // when it was at To
	From  float64   `json:"fromCelsius"`
	To    float64   `json:"toCelsius"` // the furthest that it went
}

// Warmer reports whether it got warmer.
func (t Turn) Warmer() bool { return t.To > t.From }

// Spot reports whether a sensor measures one spot of what another of its chip tells as a whole: a core or a die of a CPU, one of
// the further sensors of an NVMe disk.
func (s *Sensor) Spot() bool {
	switch s.Chip {
	case "coretemp", "k10temp", "zenpower":
		return strings.HasPrefix(s.Label, "Core ") || strings.HasPrefix(s.Label, "Tccd")
	case "nvme":
		return s.Label != "" && s.Label != "Composite" && s.Label != "temp1"
	}
	return false
}
