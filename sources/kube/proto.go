package kube

import (
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// reader walks the fields of one protobuf message without copying any of it. What it yields is valid as long as the
// message is. Fields that nobody asks for cost a skip.
type reader struct {
	rest []byte
	num  protowire.Number // of the field just read
	bits uint64           // its value, if it is a number
	data []byte           // its content, if it is a string, bytes or a message
	err  error
}

func read(message []byte) reader { return reader{rest: message} }

// next reads one more field. It reports false at the end of the message and at the first error.
func (r *reader) next() bool {
	if r.err != nil || len(r.rest) == 0 {
		return false
	}
	num, typ, n := protowire.ConsumeTag(r.rest)
	if n < 0 {
		r.err = protowire.ParseError(n)
		return false
	}
	r.rest = r.rest[n:]
	r.num, r.bits, r.data = num, 0, nil
	switch typ {
	case protowire.VarintType:
		r.bits, n = protowire.ConsumeVarint(r.rest)
	case protowire.BytesType:
		r.data, n = protowire.ConsumeBytes(r.rest)
	default:
		n = protowire.ConsumeFieldValue(num, typ, r.rest)
	}
	if n < 0 {
		r.err = protowire.ParseError(n)
		return false
	}
	r.rest = r.rest[n:]
	return true
}

// fail keeps the error of a message inside this one.
func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

// number is the field as a signed 32 bit number.
func (r *reader) number() int32 { return int32(r.bits) } //nolint:gosec // as protobuf defines int32 on the wire

// time is the field as a metav1.Time or MicroTime: seconds 1, nanos 2. An empty message is the zero time.
func (r *reader) time() stamp {
	if len(r.data) == 0 {
		return stamp{}
	}
	var seconds int64
	var nanos int32
	in := read(r.data)
	for in.next() {
		switch in.num {
		case 1:
			seconds = int64(in.bits) //nolint:gosec // as protobuf defines int64 on the wire
		case 2:
			nanos = in.number()
		}
	}
	r.fail(in.err)
	return stamp{time.Unix(seconds, int64(nanos)).UTC()}
}

// pair is the field as an entry of map<string, string>: key 1, value 2.
func (r *reader) pair() (p pair) {
	in := read(r.data)
	for in.next() {
		switch in.num {
		case 1:
			p.key = in.data
		case 2:
			p.value = in.data
		}
	}
	r.fail(in.err)
	return p
}

// quantity is the field as an entry of map<string, resource.Quantity>: key 1, value 2 with its text in field 1.
func (r *reader) quantity() pair {
	p := r.pair()
	in := read(p.value)
	p.value = nil
	for in.next() {
		if in.num == 1 {
			p.value = in.data
		}
	}
	r.fail(in.err)
	return p
}

// more appends a zero element and returns it.
func more[T any](s *[]T) *T {
	var zero T
	*s = append(*s, zero)
	return &(*s)[len(*s)-1]
}
