package kube

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
)

func isProtobuf(h http.Header) bool {
	return strings.HasPrefix(h.Get("Content-Type"), "application/vnd.kubernetes.protobuf")
}

// unwrap takes an object out of the envelope that all protobuf of the API comes in: four bytes and a message
// runtime.Unknown with the object in field 2.
func unwrap(b []byte) ([]byte, error) {
	b, ok := bytes.CutPrefix(b, []byte("k8s\x00"))
	if !ok {
		return nil, errors.New("protobuf without the envelope of Kubernetes")
	}
	var raw []byte
	r := read(b)
	for r.next() {
		if r.num == 2 {
			raw = r.data
		}
	}
	return raw, r.err
}

// watchEvent reads a message metav1.WatchEvent: type 1, object 2, a RawExtension with its bytes in field 1.
func watchEvent(b []byte) (kind watch.EventType, object []byte, err error) {
	r := read(b)
	for r.next() {
		switch r.num {
		case 1:
			kind = watch.EventType(r.data)
		case 2:
			object = r.pair().key
		}
	}
	return kind, object, r.err
}

// protobufPage reads a message PodList, NodeList and so on: metadata 1, items 2.
func (d *decoder) protobufPage(b []byte) (*items, error) {
	b, err := unwrap(b)
	if err != nil {
		return nil, err
	}
	page := &items{}
	r := read(b)
	for r.next() {
		switch r.num {
		case 1:
			m := read(r.data)
			for m.next() {
				switch m.num {
				case 2:
					page.ResourceVersion = string(m.data)
				case 3:
					page.Continue = string(m.data)
				}
			}
			r.fail(m.err)
		case 2:
			page.Items = append(page.Items, d.protobuf(r.data))
		}
	}
	if r.err != nil {
		return nil, fmt.Errorf("reading a list of %s: %w", d.kind.resource, r.err)
	}
	return page, nil
}

func (d *decoder) jsonPage(b []byte) (*items, error) {
	var list struct {
		Metadata metav1.ListMeta   `json:"metadata"`
		Items    []json.RawMessage `json:"items"`
	}
	if err := json.Unmarshal(b, &list); err != nil {
		return nil, fmt.Errorf("reading a list of %s: %w", d.kind.resource, err)
	}
	page := &items{ListMeta: list.Metadata, Items: make([]runtime.Object, 0, len(list.Items))}
	for _, raw := range list.Items {
		page.Items = append(page.Items, d.json(raw))
	}
	return page, nil
}

// refusal makes an error of an answer that is not 200: what the server says if it says it as the API does, else what
// its status says.
func refusal(answer *http.Response, body io.Reader, resource string) error {
	said, err := io.ReadAll(io.LimitReader(body, 64<<10))
	if err != nil {
		said = nil // the status line came whole
	}
	status := &metav1.Status{}
	if isProtobuf(answer.Header) {
		raw, err := unwrap(said)
		if err == nil {
			err = status.Unmarshal(raw)
		}
		if err != nil {
			status = &metav1.Status{}
		}
	} else if json.Unmarshal(said, status) != nil {
		status = &metav1.Status{}
	}
	if status.Status == metav1.StatusFailure && status.Message != "" {
		return &apierrors.StatusError{ErrStatus: *status}
	}
	return apierrors.NewGenericServerResponse(answer.StatusCode, "get", schema.GroupResource{Resource: resource}, "",
		strings.TrimSpace(string(said[:min(len(said), 512)])), 0, true)
}
