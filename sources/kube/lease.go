package kube

import (
	"time"

	"strata/internal/fleet"
)

// lease is what strata reads of a Lease in kube-node-lease, which has its node's name.
type lease struct {
	Meta meta `json:"metadata"`
	Spec struct {
		Seconds int32 `json:"leaseDurationSeconds"`
		Renewed stamp `json:"renewTime"`
	} `json:"spec"`
}

func (l *lease) head() *meta { return &l.Meta }

func (l *lease) reset() { *l = lease{} }

// fact makes the lease as strata knows it.
func (l *lease) fact(source string, in *interner) fleet.Object {
	return &fleet.Lease{
		Source: source, Node: in.of(l.Meta.Name), Renewed: l.Spec.Renewed.Time,
		Duration: time.Duration(l.Spec.Seconds) * time.Second,
	}
}

// renewal notes on a lease that it was just seen, and whether the one before was; old is nil when there was none.
func renewal(old, next fleet.Object) {
	l := next.(*fleet.Lease)
	l.Seen = time.Now()
	if before, ok := old.(*fleet.Lease); ok {
		l.Watched = !before.Renewed.IsZero()
	}
}

// unmarshal reads a message Lease.
func (l *lease) unmarshal(b []byte) error {
	r := read(b)
	for r.next() {
		switch r.num {
		case 1:
			r.fail(l.Meta.unmarshal(r.data, nil))
		case 2:
			in := read(r.data)
			for in.next() {
				switch in.num {
				case 2:
					l.Spec.Seconds = in.number()
				case 4:
					l.Spec.Renewed = in.time()
				}
			}
			r.fail(in.err)
		}
	}
	return r.err
}
