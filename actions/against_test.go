package actions

import (
	"slices"
	"testing"
	"time"

	"strata/internal/fleet"
)

func TestWhatSpeaksAgainstIsToldOnceAndNotOfWhatIsRemedied(t *testing.T) {
	host := fleet.Ref{Kind: fleet.KindHost, Source: "host/alpha", Name: "alpha"}
	found := func(about fleet.Ref, says string, remedies ...string) fleet.Finding {
		return fleet.Finding{Rule: says, About: about, Says: says, Severity: fleet.Warn, Shown: true, Remedies: remedies}
	}
	other := fleet.Ref{Kind: fleet.KindHost, Source: "host/beta", Name: "beta"}
	disk := fleet.Ref{Kind: fleet.KindDisk, Source: "host/alpha", Name: "sda"}
	s := fleet.NewSnapshot(1, time.Now(), nil, nil, []fleet.Finding{
		found(host, "alpha is hot"), found(host, "alpha swaps", "host-swap-off"),
		found(disk, "sda is slow"), found(disk, "sda is swapped to", "host-swap-off"), found(other, "beta is hot"),
	})
	a := HostSwapOff{turn{Source: host.Source, Target: host.Name}}
	want := []string{"alpha is hot", "sda is slow", "elsewhere: beta is hot"}
	if got := against(s, a); !slices.Equal(got, want) {
		t.Errorf("against %q, want %q", got, want)
	}
}
