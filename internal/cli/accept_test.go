package cli

import (
	"testing"
	"time"

	"strata/internal/config"
	"strata/internal/fake/incident"
	"strata/internal/fleet"
	"strata/internal/notes"
)

// What a disk's counter grew while nobody looked is found at the start, ends when it is accepted, and comes back when that
// is taken back.
func TestGrownCountersAreAcceptedAndTakenBack(t *testing.T) {
	t.Parallel()
	d := play(t, incident.Options{Speed: 1, Quiet: true}, config.Config{Poll: config.Poll{Host: 300 * time.Millisecond, OpenStack: time.Second, Smart: time.Minute}})

	ref := fleet.Ref{Kind: fleet.KindDisk, Source: "host/openstack-host", Name: "nvme0n1"}
	const counter = "unsafe_shutdowns"
	of := func(s *fleet.Snapshot) fleet.Counter {
		d, ok := fleet.Find[*fleet.Disk](s, ref)
		if !ok {
			return fleet.Counter{}
		}
		c, _ := d.Counter(counter)
		return c
	}
	found := func(s *fleet.Snapshot) bool {
		for f := range s.FindingsOn(ref) {
			if f.Rule == "SMT-06" && f.Shown && f.Cleared.IsZero() {
				return true
			}
		}
		return false
	}
	s := d.until("the counter is read", func(s *fleet.Snapshot) bool { return of(s).Value > 2 })
	disk, _ := fleet.Find[*fleet.Disk](s, ref)
	value := of(s).Value
	earlier := map[string]notes.Mark{counter: {Value: value - 2, Since: time.Now().Add(-72 * time.Hour)}}
	if err := notes.Open(d.at.marks).Set(map[string]map[string]notes.Mark{notes.Owner(disk): earlier}); err != nil {
		t.Fatal(err)
	}
	d.until("growth since three days ago is found", found)

	undo := d.actOn("disk-accept", ref, nil)
	if c := of(d.now()); c.Grew() != 0 || c.First != value || time.Since(c.Since) > time.Minute {
		t.Errorf("accepted: %+v", c)
	}
	d.until("the finding ends", func(s *fleet.Snapshot) bool { return !found(s) })
	d.run(undo)
	if c := of(d.now()); c.Grew() != 2 || time.Since(c.Since) < 71*time.Hour {
		t.Errorf("taken back: %+v", c)
	}
	d.until("the finding comes back", found)
}
