package incident

import "time"

// act is how far the play is.
type act int

const (
	healthy   act = iota
	heating       // openstack-host gets hot
	swapping      // and short of memory
	down          // compute failed and comes back
	settled       // its servers are off
	straining     // some run again, and the cause is still there
)

// load is how hard openstack-host is worked, each from 0 to 1.
type load struct {
	hot  float64 // its CPUs
	full float64 // its swap
	flow float64 // what goes in and out of swap, and to its disk
}

// plot decides what happens to openstack-host, and when compute fails for it.
type plot struct {
	act     act
	since   time.Duration
	healthy time.Duration // how long all is well at first
}

// step goes on with the play. fails is true at the moment compute fails. back tells that compute is up again and its
// servers have been dealt with, busy that some of them run.
func (p *plot) step(at time.Duration, r Relief, back, busy bool) (want load, fails bool) {
	before, held := p.act, at-p.since
	switch {
	case p.act == healthy && at >= p.healthy:
		p.act = heating
	case p.act == heating && held >= heatFor:
		p.act = swapping
	case p.act == down && back, p.act == straining && !busy:
		p.act = settled
	case p.act == settled && busy:
		p.act = straining
	case (p.act == swapping || p.act == straining) && r.NoSwap:
		p.since = at // what has not begun cannot end badly
	case p.act == swapping && held >= swapFor, p.act == straining && held >= againFor:
		p.act, fails = down, true
	}
	if p.act != before {
		p.since = at
	}
	return p.want(r), fails
}

func (p *plot) want(r Relief) load {
	want := [...]load{
		healthy: {}, heating: {hot: 1, flow: 0.1}, swapping: {hot: 1, full: 1, flow: 1},
		down: {hot: 1, full: 1, flow: 0.5}, settled: {hot: 0.85, full: 1, flow: 0.3}, straining: {hot: 1, full: 1, flow: 0.7},
	}[p.act]
	if r.NoSwap {
		want = load{hot: 0.4 * want.hot, flow: 0.1 * want.flow}
	}
	if r.LessIO {
		want.hot = max(0, want.hot-0.25)
		want.flow *= 0.35
	}
	return want
}

// follow moves towards what is wanted, as fast as a machine can in that time.
func (l *load) follow(want load, d time.Duration) {
	toward(&l.hot, want.hot, d, hotIn)
	toward(&l.full, want.full, d, fullIn)
	toward(&l.flow, want.flow, d, flowIn)
}

func toward(level *float64, want float64, d, whole time.Duration) {
	most := float64(d) / float64(whole)
	*level += max(-most, min(most, want-*level))
}
