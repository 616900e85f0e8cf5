package kube

// meta is what strata reads of ObjectMeta. Field numbers here and below are those of generated.proto in
// k8s.io/apimachinery/pkg/apis/meta/v1, k8s.io/api/core/v1 and k8s.io/api/coordination/v1; they never change.
type meta struct {
	Name      text `json:"name"`
	Namespace text `json:"namespace"`
	UID       text `json:"uid"`
	Version   text `json:"resourceVersion"`
	// Generation counts the changes of the spec.
	Generation int64   `json:"generation"`
	Created    stamp   `json:"creationTimestamp"`
	Deleted    stamp   `json:"deletionTimestamp"`
	Owners     []owner `json:"ownerReferences"`
	Marks      marks   `json:"annotations"`
}

// owner is an OwnerReference.
type owner struct {
	Kind       text `json:"kind"`
	Name       text `json:"name"`
	Controller bool `json:"controller"`
}

// unmarshal reads a message ObjectMeta; labels may be nil.
func (m *meta) unmarshal(b []byte, labels *pairs) error {
	r := read(b)
	for r.next() {
		switch r.num {
		case 1:
			m.Name = r.data
		case 3:
			m.Namespace = r.data
		case 5:
			m.UID = r.data
		case 6:
			m.Version = r.data
		case 7:
			m.Generation = int64(r.bits) //nolint:gosec // as protobuf defines int64 on the wire
		case 8:
			m.Created = r.time()
		case 9:
			m.Deleted = r.time()
		case 11:
			if labels != nil {
				*labels = append(*labels, r.pair())
			}
		case 12:
			m.Marks.note(r.pair())
		case 13:
			r.fail(more(&m.Owners).unmarshal(r.data))
		}
	}
	return r.err
}

func (o *owner) unmarshal(b []byte) error {
	r := read(b)
	for r.next() {
		switch r.num {
		case 1:
			o.Kind = r.data
		case 3:
			o.Name = r.data
		case 6:
			o.Controller = r.bits != 0
		}
	}
	return r.err
}

// controller is the owner that keeps the object alive, as Kind/name, "" when it has none.
func (m *meta) controller(in *interner) string {
	for _, o := range m.Owners {
		if o.Controller {
			var room [128]byte
			return in.of(append(append(append(room[:0], o.Kind...), '/'), o.Name...))
		}
	}
	return ""
}
