package incident

import "time"

// How long things take at speed 1. Real ones are slower, but nobody watches a demo for an hour.
const (
	healthyFor = 6 * time.Second
	quietFor   = 2 * time.Minute

	heatFor   = 12 * time.Second // openstack-host gets hot, then it begins to swap
	swapFor   = 37 * time.Second // until compute fails
	againFor  = 4 * time.Minute  // until it fails again once servers run on it
	hotIn     = 30 * time.Second // from cool to hot
	fullIn    = 35 * time.Second // from little swap used to much
	flowIn    = 15 * time.Second // from no swap traffic to much
	bootFor   = 6 * time.Second  // compute's kernel is up again
	backFor   = 15 * time.Second // nova-compute is up again
	checkFor  = 8 * time.Second  // nova-compute finds its guests off, at the earliest
	checkMore = 5000             // and up to so many ms later
	rereadFor = 10 * time.Second // a sensor's noise changes

	startTakes   = 4 * time.Second  // an action of Nova
	kubeletTakes = 6 * time.Second  // from power to a kubelet that reports
	leaseEvery   = 10 * time.Second // as a real kubelet does
	graceFor     = 10 * time.Second // a silent node is Unknown; really 50 s
	evictFor     = 8 * time.Second  // its pods are deleted; really 5 min
	goneFor      = 2 * time.Second  // a deleted pod's containers end
	upFor        = 3 * time.Second  // a container starts, at the earliest
	upMore       = 2500             // and up to so many ms later
	deleteGrace  = 30 * time.Second // terminationGracePeriodSeconds

	machineEvery = 2 * time.Second // a machine's files are brought up to date
)

// Limits by the wall clock, whatever the speed: the world must cost next to nothing.
const (
	tickEvery    = 250 * time.Millisecond // at speed 1
	tickLeast    = 25 * time.Millisecond
	machineLeast = 250 * time.Millisecond
)

// pace turns the wall clock into the time of the play, in which everything is scheduled.
type pace struct {
	speed float64
	began time.Time
}

// at is how long the play has been going on.
func (p pace) at(now time.Time) time.Duration {
	return time.Duration(float64(now.Sub(p.began)) * p.speed)
}

// real is how long a span of the play takes by the wall clock.
func (p pace) real(d time.Duration) time.Duration { return time.Duration(float64(d) / p.speed) }
