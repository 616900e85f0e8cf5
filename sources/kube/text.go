package kube

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sync"
	"time"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// text is a string as it lies in the answer of the API server, whose buffer is used again for the next object: it
// must become a string of its own, through intern or string(), to be kept.
type text []byte

// UnmarshalText takes the content of a JSON string.
func (t *text) UnmarshalText(b []byte) error {
	*t = append((*t)[:0], b...)
	return nil
}

func (t text) is(s string) bool { return string(t) == s }

// stamp is a time of the API, in UTC.
type stamp struct{ time.Time }

// UnmarshalText reads RFC 3339, with or without fractions: metav1.Time and MicroTime.
func (s *stamp) UnmarshalText(b []byte) (err error) {
	s.Time, err = time.Parse(time.RFC3339Nano, string(b))
	s.Time = s.UTC()
	return err
}

// pair is an entry of a map.
type pair struct{ key, value text }

// pairs is a map of strings or quantities.
type pairs []pair

// UnmarshalJSON reads an object whose values are strings; quantities may be numbers.
func (p *pairs) UnmarshalJSON(b []byte) error {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(b, &all); err != nil {
		return err
	}
	*p = (*p)[:0]
	for key, value := range all {
		*p = append(*p, pair{text(key), bytes.Trim(value, `"`)})
	}
	return nil
}

// of returns the amount of a quantity, rounded up, 0 when it is not there or not to be understood.
func (p pairs) of(key string) int64 {
	q, _ := p.quantity(key)
	return q.Value()
}

// milliOf is of in thousandths.
func (p pairs) milliOf(key string) int64 {
	q, _ := p.quantity(key)
	return q.MilliValue()
}

func (p pairs) quantity(key string) (resource.Quantity, error) {
	for _, e := range p {
		if e.key.is(key) {
			return resource.ParseQuantity(string(e.value))
		}
	}
	return resource.Quantity{}, fmt.Errorf("no %s", key)
}

// marks are annotations, of which only these are of interest.
type marks struct {
	initialEnd  bool // it ends the initial events of a watch
	provisioner text // of a claim
}

// provisionerNote is the annotation of a claim with who is to make its volume; before v1.23 it began with volume.beta.
const provisionerNote = "kubernetes.io/storage-provisioner"

func (m *marks) note(p pair) {
	switch {
	case p.key.is(metav1.InitialEventsAnnotationKey):
		m.initialEnd = true
	case bytes.HasSuffix(p.key, []byte(provisionerNote)):
		m.provisioner = p.value
	}
}

// UnmarshalJSON notes those of an object.
func (m *marks) UnmarshalJSON(b []byte) error {
	*m = marks{}
	if !bytes.Contains(b, []byte(metav1.InitialEventsAnnotationKey)) && !bytes.Contains(b, []byte(provisionerNote)) {
		return nil
	}
	var all map[string]string
	if err := json.Unmarshal(b, &all); err != nil {
		return err
	}
	for key, value := range all {
		m.note(pair{text(key), text(value)})
	}
	return nil
}

// internMost bounds the memory of an interner. A cluster of 50,000 pods has about 5,000 nodes and 10,000 owners.
const internMost = 1 << 15

// messageMost bounds the messages kept of each object, in bytes.
const messageMost = 1024

// interner gives equal texts the same string: namespaces, nodes, owners, reasons and messages repeat by the thousand.
// It is safe for concurrent use.
type interner struct {
	mu  sync.Mutex
	has map[string]string
}

func newInterner() *interner { return &interner{has: map[string]string{}} }

func (in *interner) of(t text) string {
	if len(t) == 0 {
		return ""
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if s, ok := in.has[string(t)]; ok {
		return s
	}
	if len(in.has) >= internMost {
		clear(in.has) // strings in use live on; later ones are shared anew
	}
	s := string(t)
	in.has[s] = s
	return s
}

// message is of for messages, cut to a sensible length.
func (in *interner) message(t text) string {
	if len(t) <= messageMost {
		return in.of(t)
	}
	end := messageMost
	for end > 0 && !utf8.RuneStart(t[end]) {
		end--
	}
	return in.of(append(t[:end:end], "…"...))
}

// maybe is an optional message.
type maybe[T any] struct {
	is bool
	v  T
}

// UnmarshalJSON reads the message, or null.
func (m *maybe[T]) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	m.is = true
	return json.Unmarshal(b, &m.v)
}
