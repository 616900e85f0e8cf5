package kube

import "strata/internal/fleet"

// unmarshal reads a message Pod.
func (p *pod) unmarshal(b []byte) error {
	r := read(b)
	for r.next() {
		switch r.num {
		case 1:
			r.fail(p.Meta.unmarshal(r.data, nil))
		case 2:
			r.fail(p.Spec.unmarshal(r.data))
		case 3:
			r.fail(p.Status.unmarshal(r.data))
		}
	}
	return r.err
}

func (s *podSpec) unmarshal(b []byte) error {
	r := read(b)
	for r.next() {
		switch r.num {
		case 1:
			r.fail(s.Volumes.unmarshal(r.data))
		case 2:
			more(&s.Containers) // only their number counts
		case 10:
			s.Node = r.data
		case 20:
			r.fail(more(&s.Init).unmarshal(r.data))
		}
	}
	return r.err
}

// unmarshal reads a message Volume: the VolumeSource is 2, in there hostPath 1 and emptyDir 2. Only one of its fields is
// set.
func (v *podVolumes) unmarshal(b []byte) error {
	r := read(b)
	for r.next() {
		if r.num != 2 {
			continue
		}
		in := read(r.data)
		if in.next() {
			switch in.num {
			case 1:
				v.local |= fleet.HostPath
			case 2:
				v.local |= fleet.EmptyDir
			}
		}
		r.fail(in.err)
	}
	return r.err
}

func (c *container) unmarshal(b []byte) error {
	r := read(b)
	for r.next() {
		switch r.num {
		case 1:
			c.Name = r.data
		case 24:
			c.Restart = r.data
		}
	}
	return r.err
}

func (s *podStatus) unmarshal(b []byte) error {
	r := read(b)
	for r.next() {
		switch r.num {
		case 1:
			s.Phase = r.data
		case 2:
			r.fail(more(&s.Conditions).unmarshal(r.data))
		case 3:
			s.Message = r.data
		case 4:
			s.Reason = r.data
		case 6:
			s.IP = r.data
		case 8:
			r.fail(more(&s.Containers).unmarshal(r.data))
		case 10:
			r.fail(more(&s.Init).unmarshal(r.data))
		}
	}
	return r.err
}

func (c *podCondition) unmarshal(b []byte) error {
	r := read(b)
	for r.next() {
		switch r.num {
		case 1:
			c.Type = r.data
		case 2:
			c.Status = r.data
		case 5:
			c.Reason = r.data
		case 6:
			c.Message = r.data
		}
	}
	return r.err
}

func (c *containerStatus) unmarshal(b []byte) error {
	r := read(b)
	for r.next() {
		switch r.num {
		case 1:
			c.Name = r.data
		case 2:
			r.fail(c.State.unmarshal(r.data))
		case 3:
			r.fail(c.Last.unmarshal(r.data))
		case 4:
			c.Ready = r.bits != 0
		case 5:
			c.Restarts = r.number()
		case 9:
			c.Started = r.bits != 0
		}
	}
	return r.err
}

func (s *containerState) unmarshal(b []byte) error {
	r := read(b)
	for r.next() {
		switch r.num {
		case 1:
			s.Waiting.is = true
			r.fail(s.Waiting.v.unmarshal(r.data))
		case 2:
			s.Running.is = true
		case 3:
			s.Terminated.is = true
			r.fail(s.Terminated.v.unmarshal(r.data))
		}
	}
	return r.err
}

func (w *waiting) unmarshal(b []byte) error {
	r := read(b)
	for r.next() {
		switch r.num {
		case 1:
			w.Reason = r.data
		case 2:
			w.Message = r.data
		}
	}
	return r.err
}

func (t *terminated) unmarshal(b []byte) error {
	r := read(b)
	for r.next() {
		switch r.num {
		case 1:
			t.Code = r.number()
		case 2:
			t.Signal = r.number()
		case 3:
			t.Reason = r.data
		case 4:
			t.Message = r.data
		case 6:
			t.Finished = r.time()
		}
	}
	return r.err
}
