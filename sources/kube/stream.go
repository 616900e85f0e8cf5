package kube

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
)

// stream decodes the events of one watch. It is a watch.Decoder.
//
// It tells the reflector nothing of how a stream ends but io.EOF, so that it goes on where it was; the door hears why.
// Only a stream that ends before all initial events came says so, and the reflector lists instead.
type stream struct {
	door    *door
	decoder *decoder
	life    *life
	body    *bufio.Reader
	json    *json.Decoder // nil for protobuf
	frame   []byte        // of the event just read; used again for the next
	initial bool          // initial events are expected
	sound   *time.Timer   // of a watch that goes on: when it counts as one
	closed  atomic.Bool
}

// soundAfter is how long a watch that goes on must last, or bring an event, until what is on the shelf counts as current.
// A server that no longer has the version answers 200 all the same, and says so in the first event.
const soundAfter = time.Second

func newStream(d *door, answer *http.Response, l *life, initial bool) *stream {
	s := &stream{door: d, decoder: d.decoder(), life: l, initial: initial}
	s.body = bufio.NewReaderSize(l.reader(answer.Body), 64<<10)
	if !isProtobuf(answer.Header) {
		s.json = json.NewDecoder(s.body)
	}
	if initial {
		l.expect()
	} else {
		s.sound = time.AfterFunc(soundAfter, d.opened)
	}
	return s
}

// Close ends the stream; Decode returns.
func (s *stream) Close() {
	if !s.closed.Swap(true) {
		s.doubt()
		s.life.end()
	}
}

// doubt says that the stream has not shown to be sound, and reports whether it was open to doubt until now.
func (s *stream) doubt() bool { return s.sound != nil && s.sound.Stop() }

// Decode waits for the next event. It is part of watch.Decoder.
func (s *stream) Decode() (watch.EventType, runtime.Object, error) {
	kind, raw, err := s.next()
	if err != nil {
		return s.over(err)
	}
	switch kind {
	case watch.Added, watch.Modified, watch.Deleted, watch.Bookmark:
		if s.doubt() {
			s.door.opened()
		}
		o := s.item(raw)
		if s.initial && o.initialEnd {
			s.initial = false
			s.life.rest()
		}
		return kind, o, nil
	case watch.Error:
		s.doubt()
		status := s.status(raw)
		if err := apierrors.FromObject(status); versionGone(err) {
			s.door.outdated()
		} else {
			s.door.failed(err)
		}
		return watch.Error, status, nil
	}
	return s.over(fmt.Errorf("an event of unknown type %q", kind))
}

// over ends the stream because of err.
func (s *stream) over(err error) (watch.EventType, runtime.Object, error) {
	s.doubt()
	err = s.life.why(err)
	if s.closed.Load() || s.life.ctx.Err() != nil && !errors.Is(err, errSilent) {
		return "", nil, io.EOF
	}
	if !errors.Is(err, io.EOF) || s.initial {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		s.door.failed(fmt.Errorf("%w: %w", errBroke, err))
	}
	if s.initial {
		s.initial = false // the next call finds the stream at its end
		return watch.Error, &metav1.Status{
			Status: metav1.StatusFailure, Code: http.StatusInternalServerError, Reason: metav1.StatusReasonUnknown,
			Message: "the initial events broke off",
		}, nil
	}
	return "", nil, io.EOF
}

// next reads the type of an event and its object, still encoded and valid until the next call.
func (s *stream) next() (watch.EventType, []byte, error) {
	if s.json != nil {
		var event struct {
			Type   watch.EventType `json:"type"`
			Object json.RawMessage `json:"object"`
		}
		event.Object = s.frame[:0]
		err := s.json.Decode(&event)
		s.frame = event.Object
		return event.Type, event.Object, err
	}
	var size [4]byte
	if _, err := io.ReadFull(s.body, size[:]); err != nil {
		return "", nil, err
	}
	n := binary.BigEndian.Uint32(size[:])
	if n > answerMost {
		return "", nil, fmt.Errorf("an event of %d bytes", n)
	}
	if uint32(cap(s.frame)) < n { //nolint:gosec // bounded by answerMost
		s.frame = make([]byte, n+n/4)
	}
	s.frame = s.frame[:n]
	if _, err := io.ReadFull(s.body, s.frame); err != nil {
		return "", nil, err
	}
	return watchEvent(s.frame)
}

func (s *stream) item(raw []byte) *item {
	if s.json != nil {
		return s.decoder.json(raw)
	}
	body, err := unwrap(raw)
	if err != nil {
		return &item{err: err}
	}
	return s.decoder.protobuf(body)
}

func (s *stream) status(raw []byte) *metav1.Status {
	status := &metav1.Status{}
	var err error
	if s.json != nil {
		err = json.Unmarshal(raw, status)
	} else if raw, err = unwrap(raw); err == nil {
		err = status.Unmarshal(raw)
	}
	if err != nil {
		status.Message, status.Code = "an error that cannot be read: "+err.Error(), http.StatusInternalServerError
	}
	return status
}

// unused stands where the error of a decoder would be turned into an object: stream.Decode returns none but io.EOF.
type unused struct{}

// AsObject is part of watch.Reporter.
func (unused) AsObject(err error) runtime.Object { return &metav1.Status{Message: err.Error()} }
