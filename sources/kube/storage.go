package kube

import (
	"encoding/json"

	"strata/internal/fleet"
)

// volume is what strata reads of a PersistentVolume.
type volume struct {
	Meta   meta         `json:"metadata"`
	Spec   volumeSpec   `json:"spec"`
	Status volumeStatus `json:"status"`
}

type volumeSpec struct {
	Capacity pairs     `json:"capacity"`
	Claim    reference `json:"claimRef"`
	Reclaim  text      `json:"persistentVolumeReclaimPolicy"`
	Class    text      `json:"storageClassName"`
	Affinity affinity  `json:"nodeAffinity"`
	Backing  backing   `json:"-"`
}

type volumeStatus struct {
	Phase   text `json:"phase"`
	Message text `json:"message"`
	Reason  text `json:"reason"`
}

// backing is which of the fields of PersistentVolumeSource is set, and its path if that is on a node.
type backing struct {
	Kind string
	Path text
}

// backings are the fields of the message PersistentVolumeSource by their number. In JSON they are fields of the spec.
func backings() []string {
	return []string{
		1: "gcePersistentDisk", 2: "awsElasticBlockStore", 3: "hostPath", 4: "glusterfs", 5: "nfs", 6: "rbd", 7: "iscsi",
		8: "cinder", 9: "cephfs", 10: "fc", 11: "flocker", 12: "flexVolume", 13: "azureFile", 14: "vsphereVolume",
		15: "quobyte", 16: "azureDisk", 17: "photonPersistentDisk", 18: "portworxVolume", 19: "scaleIO", 20: "local",
		21: "storageos", 22: "csi",
	}
}

func (v *volume) head() *meta { return &v.Meta }

func (v *volume) reset() { *v = volume{} }

// fact makes the volume as strata knows it.
func (v *volume) fact(source string, in *interner) fleet.Object {
	f := &fleet.Volume{
		Source:   source,
		Name:     string(v.Meta.Name),
		Phase:    in.of(v.Status.Phase),
		Class:    in.of(v.Spec.Class),
		Reclaim:  in.of(v.Spec.Reclaim),
		Backing:  v.Spec.Backing.Kind,
		HostPath: string(v.Spec.Backing.Path),
		Pinned:   v.Spec.Affinity.is,
		Node:     in.of(v.Spec.Affinity.node()),
		Bytes:    v.Spec.Capacity.of("storage"),
		Message:  in.message(v.Status.Message),
		Created:  v.Meta.Created.Time,
	}
	if len(v.Spec.Claim.Name) > 0 {
		f.Claim = v.Spec.Claim.ref()
	}
	if f.Message == "" {
		f.Message = in.of(v.Status.Reason)
	}
	return f
}

// unmarshal reads a message PersistentVolume.
func (v *volume) unmarshal(b []byte) error {
	r := read(b)
	for r.next() {
		switch r.num {
		case 1:
			r.fail(v.Meta.unmarshal(r.data, nil))
		case 2:
			r.fail(v.Spec.unmarshal(r.data))
		case 3:
			r.fail(v.Status.unmarshal(r.data))
		}
	}
	return r.err
}

func (s *volumeSpec) unmarshal(b []byte) error {
	r := read(b)
	for r.next() {
		switch r.num {
		case 1:
			s.Capacity = append(s.Capacity, r.quantity())
		case 2:
			r.fail(s.Backing.unmarshal(r.data))
		case 4:
			r.fail(s.Claim.unmarshal(r.data))
		case 5:
			s.Reclaim = r.data
		case 6:
			s.Class = r.data
		case 9:
			r.fail(s.Affinity.unmarshal(r.data))
		}
	}
	return r.err
}

// unmarshal reads a message PersistentVolumeSource.
func (k *backing) unmarshal(b []byte) error {
	names := backings()
	r := read(b)
	for r.next() {
		if int(r.num) < len(names) {
			k.Kind = names[r.num]
		}
		if k.Kind == "hostPath" || k.Kind == "local" {
			k.Path = r.pair().key // path 1
		}
	}
	return r.err
}

// UnmarshalJSON finds the backing among the fields of the spec.
func (s *volumeSpec) UnmarshalJSON(b []byte) error {
	type plain volumeSpec
	if err := json.Unmarshal(b, (*plain)(s)); err != nil {
		return err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(b, &all); err != nil {
		return err
	}
	for _, name := range backings() {
		source, ok := all[name]
		if !ok {
			continue
		}
		s.Backing.Kind = name
		if name == "hostPath" || name == "local" {
			return json.Unmarshal(source, &struct {
				Path *text `json:"path"`
			}{&s.Backing.Path})
		}
	}
	return nil
}

func (s *volumeStatus) unmarshal(b []byte) error {
	r := read(b)
	for r.next() {
		switch r.num {
		case 1:
			s.Phase = r.data
		case 2:
			s.Message = r.data
		case 3:
			s.Reason = r.data
		}
	}
	return r.err
}

// claim is what strata reads of a PersistentVolumeClaim.
type claim struct {
	Meta meta `json:"metadata"`
	Spec struct {
		Volume    text `json:"volumeName"`
		Class     text `json:"storageClassName"`
		Resources struct {
			Requests pairs `json:"requests"`
		} `json:"resources"`
	} `json:"spec"`
	Status struct {
		Phase    text  `json:"phase"`
		Capacity pairs `json:"capacity"`
	} `json:"status"`
}

func (c *claim) head() *meta { return &c.Meta }

func (c *claim) reset() { *c = claim{} }

// fact makes the claim as strata knows it. Its size is what it got, else what it asks for.
func (c *claim) fact(source string, in *interner) fleet.Object {
	f := &fleet.Claim{
		Source:      source,
		Namespace:   in.of(c.Meta.Namespace),
		Name:        string(c.Meta.Name),
		Phase:       in.of(c.Status.Phase),
		Volume:      string(c.Spec.Volume),
		Class:       in.of(c.Spec.Class),
		Provisioner: in.of(c.Meta.Marks.provisioner),
		Bytes:       c.Status.Capacity.of("storage"),
		Created:     c.Meta.Created.Time,
	}
	if f.Bytes == 0 {
		f.Bytes = c.Spec.Resources.Requests.of("storage")
	}
	return f
}

// unmarshal reads a message PersistentVolumeClaim.
func (c *claim) unmarshal(b []byte) error {
	r := read(b)
	for r.next() {
		in := read(r.data)
		switch r.num {
		case 1:
			r.fail(c.Meta.unmarshal(r.data, nil))
		case 2:
			for in.next() {
				switch in.num {
				case 2:
					c.Spec.Resources.Requests = requests(&in)
				case 3:
					c.Spec.Volume = in.data
				case 5:
					c.Spec.Class = in.data
				}
			}
		case 3:
			for in.next() {
				switch in.num {
				case 1:
					c.Status.Phase = in.data
				case 3:
					c.Status.Capacity = append(c.Status.Capacity, in.quantity())
				}
			}
		}
		r.fail(in.err)
	}
	return r.err
}

// requests is the field as a message VolumeResourceRequirements: limits 1, requests 2.
func requests(r *reader) (all pairs) {
	in := read(r.data)
	for in.next() {
		if in.num == 2 {
			all = append(all, in.quantity())
		}
	}
	r.fail(in.err)
	return all
}
