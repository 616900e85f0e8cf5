package kube

// why is the word of kubectl's STATUS column (printPod in kubernetes/pkg/printers/internalversion/printers.go) with
// the message that goes with it. It differs from kubectl in three points, where the truer word is known: a pod that
// cannot be scheduled says Unschedulable and not Pending, one lost with its node says NodeLost and not Unknown, and
// one whose containers are not ready says Running, as readiness is told apart from it.
func (p *pod) why() reason {
	s := &p.Status
	if !p.Meta.Deleted.IsZero() {
		switch {
		case s.Reason.is("NodeLost"):
			return reason{text: s.Reason, message: s.Message}
		case !s.Phase.is("Succeeded") && !s.Phase.is("Failed"):
			return reason{text: text("Terminating"), message: s.Message}
		}
	}
	w := reason{text: s.Phase}
	if len(s.Reason) > 0 {
		w = reason{text: s.Reason, message: s.Message}
	}
	if c := p.condition("PodScheduled"); c != nil && !c.Status.is("True") && len(c.Reason) > 0 {
		w = reason{text: c.Reason, message: c.Message} // Unschedulable, SchedulingGated
	}
	initializing := false
	for i := range s.Init {
		if at, stuck := p.initWhy(i); stuck {
			w, initializing = at, true
			break
		}
	}
	if c := p.condition("Initialized"); !initializing || c != nil && c.Status.is("True") {
		w = p.containersWhy(w)
	}
	return w
}

// initWhy says why the init container keeps the pod from starting; it does not when it is done or a sidecar that runs.
func (p *pod) initWhy(i int) (w reason, stuck bool) {
	c := &p.Status.Init[i]
	state := &c.State
	switch {
	case state.Terminated.is && state.Terminated.v.Code == 0, c.Started && p.isSidecar(c.Name):
		return reason{}, false
	case state.Terminated.is:
		return ended("Init:", &state.Terminated.v), true
	case state.Waiting.is && len(state.Waiting.v.Reason) > 0 && !state.Waiting.v.Reason.is("PodInitializing"):
		return reason{"Init:", state.Waiting.v.Reason, state.Waiting.v.Message}, true
	}
	return progress(i, len(p.Spec.Init)), true
}

// containersWhy is the reason of the first container that has one, else the pod's.
func (p *pod) containersWhy(w reason) reason {
	var failed reason
	running := false
	for i := len(p.Status.Containers) - 1; i >= 0; i-- {
		c := &p.Status.Containers[i]
		switch {
		case c.State.Waiting.is && len(c.State.Waiting.v.Reason) > 0:
			w = reason{text: c.State.Waiting.v.Reason, message: c.State.Waiting.v.Message}
		case c.State.Terminated.is:
			w = ended("", &c.State.Terminated.v)
			if c.State.Terminated.v.Code != 0 {
				failed = w
			}
		case c.Ready && c.State.Running.is:
			running = true
		}
	}
	if !w.is("Completed") || !running && failed.text == nil {
		return w
	}
	// One container is done and another is not: the pod is not completed.
	if ready := p.condition("Ready"); running && ready != nil && ready.Status.is("True") || failed.text == nil {
		return reason{text: p.Status.Phase}
	}
	return failed
}
