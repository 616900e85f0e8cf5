package kube

import (
	"encoding/json"
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"strata/internal/fleet"
)

// object is one of the API's kinds as strata reads it. Its texts lie in the buffer it was read from.
type object interface {
	unmarshal(protobuf []byte) error
	reset()
	head() *meta
	fact(source string, in *interner) fleet.Object
}

// item is what the reflector passes on: a finished fact and what the reflector itself asks of an object. It never
// changes. fact is nil for a bookmark, and for an object that could not be read, which then has err.
type item struct {
	namespace, name, version string

	initialEnd bool // the bookmark after the initial events of a watch
	fact       fleet.Object
	err        error
}

// GetObjectKind is part of runtime.Object; items say no kind.
func (i *item) GetObjectKind() schema.ObjectKind { return schema.EmptyObjectKind }

// DeepCopyObject returns the item itself, as it never changes.
func (i *item) DeepCopyObject() runtime.Object { return i }

// GetObjectMeta is how the reflector learns names and versions.
func (i *item) GetObjectMeta() metav1.Object {
	m := &metav1.ObjectMeta{Namespace: i.namespace, Name: i.name, ResourceVersion: i.version}
	if i.initialEnd {
		m.Annotations = map[string]string{metav1.InitialEventsAnnotationKey: "true"}
	}
	return m
}

var _ metav1.ObjectMetaAccessor = (*item)(nil)

// items is one page of a list.
type items struct {
	metav1.TypeMeta
	metav1.ListMeta
	Items []runtime.Object
}

// DeepCopyObject returns the page itself: nobody changes it.
func (l *items) DeepCopyObject() runtime.Object { return l }

// decoder turns objects of one kind into items. It is used by one goroutine at a time.
type decoder struct {
	source string
	kind   *kind
	in     *interner
	room   object
}

func (k *kind) decoder(source string, in *interner) *decoder {
	return &decoder{source: source, kind: k, in: in, room: k.fresh()}
}

// protobuf reads an object in protobuf. It keeps nothing of b.
func (d *decoder) protobuf(b []byte) (i *item) {
	defer d.survive(&i)
	d.room.reset()
	err := d.room.unmarshal(b)
	return d.item(d.room, err)
}

// json reads an object in JSON.
func (d *decoder) json(b []byte) (i *item) {
	defer d.survive(&i)
	o := d.kind.fresh() // encoding/json would mix elements of a used slice with those of the object before
	err := json.Unmarshal(b, o)
	return d.item(o, err)
}

// survive turns a panic over one object into an object that could not be read: it must not hide the others.
func (d *decoder) survive(i **item) {
	if p := recover(); p != nil {
		*i = &item{err: fmt.Errorf("reading one of the %s: panic: %v", d.kind.resource, p)}
	}
}

func (d *decoder) item(o object, err error) *item {
	m := o.head()
	i := &item{namespace: d.in.of(m.Namespace), version: string(m.Version)}
	switch {
	case m.Marks.initialEnd:
		i.initialEnd = true
	case err == nil && len(m.Name) == 0:
		// A bookmark has a version and nothing else.
		if len(m.Version) == 0 {
			i.err = errors.New("an object has neither name nor version")
		}
	case err != nil:
		i.name = string(m.Name)
		i.err = fmt.Errorf("reading %s %s: %w", d.kind.resource, types.NamespacedName{Namespace: i.namespace, Name: i.name}, err)
	default:
		i.fact = o.fact(d.source, d.in)
		i.name = d.kind.name(i.fact)
	}
	return i
}
