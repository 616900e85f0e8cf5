package cli

import (
	"testing"
	"time"
)

// Pings that come all at once, as after a silence of the network, do not make the agent look busy.
func TestTheCostOfAnAgentIsOverSomeTime(t *testing.T) {
	t.Parallel()
	at := time.Unix(1700000000, 0)
	s := spent{cost: cost{at: at}}
	if started := s.till(cost{at.Add(time.Millisecond), 200 * time.Millisecond, 1000}, at); started.CPU != 0.2 {
		t.Errorf("what its start took: %+v", started)
	}
	s = spent{cost: cost{at: at}}
	first := s.till(cost{at.Add(10 * time.Second), 100 * time.Millisecond, 20000}, at)
	if first.CPU != 0.01 || first.BytesSec != 2000 {
		t.Errorf("first %+v", first)
	}
	burst := s.till(cost{at.Add(10*time.Second + time.Millisecond), 105 * time.Millisecond, 20100}, at)
	if burst.CPU != first.CPU || burst.BytesSec != first.BytesSec {
		t.Errorf("a millisecond later %+v", burst)
	}
	next := s.till(cost{at.Add(20 * time.Second), 300 * time.Millisecond, 40000}, at)
	if next.CPU != 0.02 || next.BytesSec != 2000 {
		t.Errorf("ten seconds later %+v", next)
	}
}
