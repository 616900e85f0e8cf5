package prometheus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"strata/internal/connect"
)

// largestAnswer is how much of an answer is read, largestKept how much room is kept for the next.
const (
	largestAnswer = 128 << 20
	largestKept   = 32 << 20
)

// errLarge is an answer that has no end.
var errLarge = fmt.Errorf("the answer is larger than %d MB", largestAnswer>>20)

// desk is what all askers share: the client, and room for as many answers as there may be at a time. Prometheus has other
// readers, and each answer takes megabytes.
type desk struct {
	client   *connect.PrometheusReading
	patience time.Duration // for one question
	rooms    chan *bytes.Buffer
}

// atOnce is how many questions there are at a time.
const atOnce = 2

func newDesk(c *connect.PrometheusReading, patience time.Duration) *desk {
	d := &desk{client: c, patience: patience, rooms: make(chan *bytes.Buffer, atOnce)}
	for range atOnce {
		d.rooms <- &bytes.Buffer{}
	}
	return d
}

// asker asks one question after the other, and keeps the label values, of which most come again in each answer.
type asker struct {
	*desk
	now, old map[string]string
}

func newAsker(d *desk) *asker {
	return &asker{desk: d, now: map[string]string{}, old: map[string]string{}}
}

// next forgets the values that did not come again since the last time.
func (a *asker) next() {
	a.old, a.now = a.now, a.old
	clear(a.now)
}

// intern is the one string for a value.
func (a *asker) intern(b []byte) string {
	if s, ok := a.now[string(b)]; ok {
		return s
	}
	s, ok := a.old[string(b)]
	if !ok {
		s = string(b)
	}
	a.now[s] = s
	return s
}

// query is an instant query over all machines. Its answer has one sample for each combination of labels.
type query struct {
	expr   string
	labels []string // instance first
}

// of is the newest value of a metric with matchers ({a="b"} without braces), by instance and more labels. Several samples
// of one combination, as of two jobs that scrape the same exporter, are one.
func of(metric, matchers string, labels ...string) query {
	return by("max", "", metric, matchers, labels)
}

// rate is how fast a counter grows, by its last two samples: whatever the scrape interval is, nothing is averaged away.
func rate(metric, matchers string, labels ...string) query {
	return by("max", "irate", metric, matchers, labels)
}

// total is the rate of all that a metric has of a machine.
func total(metric, matchers string, labels ...string) query {
	return by("sum", "irate", metric, matchers, labels)
}

// window is how far back irate looks for two samples: Prometheus itself takes a sample for no longer than this.
const window = "[5m]"

func by(gather, function, metric, matchers string, labels []string) query {
	inner := metric
	if matchers != "" {
		inner += "{" + matchers + "}"
	}
	if function != "" {
		inner = function + "(" + inner + window + ")"
	}
	labels = append([]string{"instance"}, labels...)
	return query{fmt.Sprintf("%s by (%s) (%s)", gather, strings.Join(labels, ", "), inner), labels}
}

// ask gives each sample of the answer, with the values of the query's labels.
func (a *asker) ask(ctx context.Context, q query, each func(labels []string, v float64)) error {
	var room *bytes.Buffer
	select {
	case room = <-a.rooms:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() {
		if room.Cap() > largestKept {
			room = &bytes.Buffer{} // an odd answer must not be held for ever
		}
		a.rooms <- room
	}()
	ctx, done := context.WithTimeout(ctx, a.patience)
	defer done()
	values := make([]string, len(q.labels))
	return a.client.Ask(ctx, false, "api/v1/query", url.Values{"query": {q.expr}}, func(body io.Reader) error {
		room.Reset()
		n, err := room.ReadFrom(io.LimitReader(body, largestAnswer+1))
		switch {
		case errors.Is(err, io.ErrUnexpectedEOF):
			return errCut
		case err != nil:
			return err
		case n > largestAnswer:
			return errLarge
		}
		return vector(room.Bytes(), q.labels, func(labels [][]byte, v float64) {
			for i, l := range labels {
				values[i] = a.intern(l)
			}
			each(values, v)
		})
	})
}
