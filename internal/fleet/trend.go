package fleet

// trendLength is how many samples a trend keeps: two minutes of a sensor read every two seconds.
const trendLength = 60

// sampler is an object with a number worth drawing over time.
type sampler interface {
	Sample() (value float64, ok bool)
}

type trend struct{ samples []float64 }

// with returns a trend with one more sample. It never writes to what an older snapshot can see.
func (t *trend) with(v float64) *trend {
	if t == nil {
		return &trend{samples: []float64{v}}
	}
	old := t.samples
	if len(old) >= trendLength {
		old = old[len(old)-trendLength+1:]
	}
	next := make([]float64, len(old)+1)
	copy(next, old)
	next[len(old)] = v
	return &trend{samples: next}
}
