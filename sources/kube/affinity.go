package kube

import "encoding/json"

// affinity is what strata reads of a VolumeNodeAffinity.
type affinity struct {
	is    bool
	terms []nodeTerm
}

// nodeTerm is a NodeSelectorTerm: all its demands together.
type nodeTerm struct {
	Labels []nodeDemand `json:"matchExpressions"`
	Fields []nodeDemand `json:"matchFields"`
}

type nodeDemand struct {
	Key      text   `json:"key"`
	Operator text   `json:"operator"`
	Values   []text `json:"values"`
}

// node is the one node that it leaves, empty when there may be several.
func (a *affinity) node() text {
	if len(a.terms) != 1 {
		return nil
	}
	for _, d := range a.terms[0].Labels {
		if d.Key.is("kubernetes.io/hostname") && d.Operator.is("In") && len(d.Values) == 1 {
			return d.Values[0]
		}
	}
	for _, d := range a.terms[0].Fields {
		if d.Key.is("metadata.name") && d.Operator.is("In") && len(d.Values) == 1 {
			return d.Values[0]
		}
	}
	return nil
}

// UnmarshalJSON reads the message, or null.
func (a *affinity) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	var v struct {
		Required struct {
			Terms []nodeTerm `json:"nodeSelectorTerms"`
		} `json:"required"`
	}
	err := json.Unmarshal(b, &v)
	a.is, a.terms = true, v.Required.Terms
	return err
}

// unmarshal reads a message VolumeNodeAffinity: required 1, and in that nodeSelectorTerms 1.
func (a *affinity) unmarshal(b []byte) error {
	a.is = true
	r := read(b)
	for r.next() {
		if r.num != 1 {
			continue
		}
		in := read(r.data)
		for in.next() {
			if in.num == 1 {
				var t nodeTerm
				in.fail(t.unmarshal(in.data))
				a.terms = append(a.terms, t)
			}
		}
		r.fail(in.err)
	}
	return r.err
}

func (t *nodeTerm) unmarshal(b []byte) error {
	r := read(b)
	for r.next() {
		var d nodeDemand
		switch r.num {
		case 1:
			r.fail(d.unmarshal(r.data))
			t.Labels = append(t.Labels, d)
		case 2:
			r.fail(d.unmarshal(r.data))
			t.Fields = append(t.Fields, d)
		}
	}
	return r.err
}

func (d *nodeDemand) unmarshal(b []byte) error {
	r := read(b)
	for r.next() {
		switch r.num {
		case 1:
			d.Key = r.data
		case 2:
			d.Operator = r.data
		case 3:
			d.Values = append(d.Values, r.data)
		}
	}
	return r.err
}
