package kube

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
)

const protobufType = "application/vnd.kubernetes.protobuf;stream=watch"

// replay opens a stream over bytes, as if a server had sent just those. heard collects what the door hears.
func replay(t testing.TB, resource, contentType string, body []byte, initial bool, heard *[]error) *stream {
	t.Helper()
	k := kindOf(t, resource)
	life, _ := live(t.Context(), time.Minute)
	answer := &http.Response{Header: http.Header{"Content-Type": {contentType}}, Body: io.NopCloser(bytes.NewReader(body))}
	life.body = answer.Body
	d := &door{
		kind: k, silence: time.Minute, decoder: func() *decoder { return k.decoder(testSource, newInterner()) },
		failed: func(err error) { *heard = append(*heard, err) }, opened: func() {}, outdated: func() {},
	}
	s := newStream(d, answer, life, initial)
	t.Cleanup(s.Close)
	return s
}

// frame is a watch event in protobuf, framed as the API server does.
func frame(t testing.TB, kind watch.EventType, apiVersion, object string, o marshaler) []byte {
	t.Helper()
	raw, err := o.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	wrapped, err := (&runtime.Unknown{TypeMeta: runtime.TypeMeta{APIVersion: apiVersion, Kind: object}, Raw: raw}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	event, err := (&metav1.WatchEvent{Type: string(kind), Object: runtime.RawExtension{Raw: append([]byte("k8s\x00"), wrapped...)}}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(event))), event...) //nolint:gosec // small
}

// TestARealWatch reads what a kube-apiserver 1.37 streamed: a pod and the end of the initial events.
func TestARealWatch(t *testing.T) {
	t.Parallel()
	var heard []error
	s := replay(t, "pods", protobufType, captured(t, "pods.watch.pb"), true, &heard)
	kind, o, err := s.Decode()
	if i, ok := o.(*item); err != nil || kind != watch.Added || !ok || i.fact == nil || i.namespace != "lab-00" || i.name == "" {
		t.Fatalf("first came %v %+v, %v", kind, o, err)
	}
	kind, o, err = s.Decode()
	if i, ok := o.(*item); err != nil || kind != watch.Bookmark || !ok || !i.initialEnd || i.version == "" || i.err != nil {
		t.Fatalf("then came %v %+v, %v", kind, o, err)
	}
	if _, _, err = s.Decode(); !errors.Is(err, io.EOF) || len(heard) > 0 {
		t.Errorf("at the end came %v, and heard was %v", err, heard)
	}
}

func TestAnObjectThatCannotBeReadDoesNotEndTheWatch(t *testing.T) {
	t.Parallel()
	good := frame(t, watch.Modified, "v1", "Pod", &corev1.Pod{ObjectMeta: podMeta()})
	bad := frame(t, watch.Added, "v1", "Pod", broken{})
	var heard []error
	s := replay(t, "pods", protobufType, append(bad, good...), false, &heard)
	if _, o, err := s.Decode(); err != nil || o.(*item).err == nil {
		t.Errorf("the bad one came as %+v, %v", o, err)
	}
	if kind, o, err := s.Decode(); err != nil || kind != watch.Modified || o.(*item).name != "web-5d9f-x1" {
		t.Errorf("the good one came as %v %+v, %v", kind, o, err)
	}
}

type broken struct{}

func (broken) Marshal() ([]byte, error) { return []byte{0x0a, 0x7f, 0x01}, nil }

func TestAnExpiredVersionIsNoFailure(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status *metav1.Status
		heard  int
	}{
		"expired": {&metav1.Status{Status: "Failure", Reason: metav1.StatusReasonExpired, Code: 410, Message: "too old"}, 0},
		"broken":  {&metav1.Status{Status: "Failure", Reason: metav1.StatusReasonInternalError, Code: 500, Message: "etcd"}, 1},
	} {
		var heard []error
		s := replay(t, "pods", protobufType, frame(t, watch.Error, "v1", "Status", c.status), false, &heard)
		kind, o, err := s.Decode()
		if err != nil || kind != watch.Error || apierrors.ReasonForError(apierrors.FromObject(o)) != c.status.Reason {
			t.Errorf("%s: came %v %+v, %v", name, kind, o, err)
		}
		if len(heard) != c.heard {
			t.Errorf("%s: heard %v", name, heard)
		}
	}
}

func TestAStreamThatBreaksIsHeard(t *testing.T) {
	t.Parallel()
	whole := frame(t, watch.Added, "v1", "Pod", &corev1.Pod{ObjectMeta: podMeta()})
	huge := []byte{0xff, 0xff, 0xff, 0xff}
	for name, c := range map[string]struct {
		contentType string
		body        []byte
		initial     bool
		want        watch.EventType // of what comes after the first event
	}{
		"cut while watching":         {protobufType, append(bytes.Clone(whole), whole[:40]...), false, ""},
		"cut in the initial events":  {protobufType, append(bytes.Clone(whole), whole[:40]...), true, watch.Error},
		"over in the initial events": {protobufType, whole, true, watch.Error},
		"nonsense":                   {protobufType, append(bytes.Clone(whole), huge...), false, ""},
		"nonsense in JSON":           {"application/json", []byte(`{"type":"ADDED","object":{"metadata":{"name":"x"}}}<html>`), false, ""},
		"an unknown type":            {"application/json", []byte(`{"type":"ADDED","object":{}}{"type":"WHAT","object":{}}`), false, ""},
	} {
		var heard []error
		s := replay(t, "pods", c.contentType, c.body, c.initial, &heard)
		if kind, _, err := s.Decode(); err != nil || kind != watch.Added {
			t.Errorf("%s: first came %v, %v", name, kind, err)
		}
		kind, _, err := s.Decode()
		if c.want == "" && !errors.Is(err, io.EOF) || c.want != "" && (err != nil || kind != c.want) {
			t.Errorf("%s: then came %v, %v; want %v", name, kind, err, c.want)
		}
		if len(heard) != 1 || !errors.Is(heard[0], errBroke) {
			t.Errorf("%s: heard %v", name, heard)
		}
		if _, _, err := s.Decode(); !errors.Is(err, io.EOF) {
			t.Errorf("%s: at the end came %v", name, err)
		}
	}
}

func TestAStreamThatWasClosedIsSilent(t *testing.T) {
	t.Parallel()
	var heard []error
	s := replay(t, "pods", protobufType, nil, true, &heard)
	s.Close()
	if _, _, err := s.Decode(); !errors.Is(err, io.EOF) || len(heard) > 0 {
		t.Errorf("came %v, and heard was %v", err, heard)
	}
}

// FuzzStream reads damaged streams: they end, and nothing panics.
func FuzzStream(f *testing.F) {
	f.Add(captured(f, "pods.watch.pb"), true)
	f.Add([]byte(`{"type":"BOOKMARK","object":{"kind":"Pod","metadata":{"resourceVersion":"7"}}}`), false)
	f.Add([]byte(`{"type":"ERROR","object":{"kind":"Status","code":410}}`), false)
	f.Fuzz(func(t *testing.T, body []byte, protobuf bool) {
		contentType := "application/json"
		if protobuf {
			contentType = protobufType
		}
		var heard []error
		s := replay(t, "pods", contentType, body, false, &heard)
		for range len(body) + 1 {
			if _, _, err := s.Decode(); err != nil {
				return
			}
		}
		t.Error("a stream without end")
	})
}
