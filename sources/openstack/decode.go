package openstack

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// page is one answer of a list, decoded row by row: rows that do not fit are noted and do not hide the others.
type page struct {
	next string // href of the next page, "" on the last
	bad  []badRow
}

type badRow struct {
	index int
	err   error
}

// readPage reads {"NAME": [rows], "NAME_links": [...]} and calls row for each. A row may be partly filled: then its
// error is in bad. An error of readPage itself means that the answer is no list or was cut off.
func readPage[T any](body io.Reader, name string, row func(i int, r *T)) (page, error) {
	var p page
	seen := false
	d := json.NewDecoder(body)
	if err := expect(d, '{'); err != nil {
		return p, err
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return p, err
		}
		switch key {
		case name:
			seen = true
			err = readRows(d, &p, row)
		case name + "_links":
			var links []struct{ Rel, Href string }
			err = d.Decode(&links)
			for _, l := range links {
				if l.Rel == "next" {
					p.next = l.Href
				}
			}
		default:
			var skip json.RawMessage
			err = d.Decode(&skip)
		}
		if err != nil {
			return p, err
		}
	}
	if err := expect(d, '}'); err != nil {
		return p, err
	}
	if !seen {
		return p, fmt.Errorf("the answer has no list of %s", name)
	}
	return p, nil
}

func readRows[T any](d *json.Decoder, p *page, row func(int, *T)) error {
	if err := expect(d, '['); err != nil {
		return err
	}
	for i := 0; d.More(); i++ {
		var r T
		// Decode fills all fields that fit, and then says which one did not.
		err := d.Decode(&r)
		var unfit *json.UnmarshalTypeError
		if errors.As(err, &unfit) {
			p.bad = append(p.bad, badRow{i, unfit})
		} else if err != nil {
			return err
		}
		row(i, &r)
	}
	return expect(d, ']')
}

func expect(d *json.Decoder, want json.Delim) error {
	got, err := d.Token()
	if err != nil {
		return unexpected(err)
	}
	if got != want {
		return fmt.Errorf("the answer is of an unknown form: %v instead of %v", got, want)
	}
	return nil
}

// unexpected says that an answer ended too early, which the decoder calls just EOF between two tokens.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
