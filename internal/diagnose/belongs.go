package diagnose

import (
	"slices"
	"strings"

	"strata/internal/fleet"
)

// suspects are the findings of a source that may explain its applications.
type suspects struct {
	of      map[string]*entry    // the best on what belongs to a thing, by its fleet.ObjectKey
	in      map[string][]suspect // by namespace, those that need no name
	claimed map[string]bool      // the things that applications name
}

type suspect struct {
	e    *entry
	keys []string
}

// causeOfApp returns the best cause among the pods, Jobs and claims of an application: of the objects that are not well where Argo CD
// tells that, else of any of them. Where its objects are not told, or an operator makes pods of them, what is in its namespace
// and no other application's is taken.
func (d *folder) causeOfApp(s *fleet.Snapshot, e *entry) (best *entry) {
	a, ok := fleet.Find[*fleet.App](s, e.id.ref)
	if !ok || elsewhere(a) {
		return nil
	}
	all := d.suspects(s, e)
	keys, others := accused(a.Objects)
	for _, k := range keys {
		if c := all.of[k]; c != nil && (best == nil || nearer(d, c, best) < 0) {
			best = c
		}
	}
	if best != nil || !others {
		return best
	}
	for _, c := range all.in[a.Target.Namespace] {
		if (best == nil || nearer(d, c.e, best) < 0) && !slices.ContainsFunc(c.keys, func(k string) bool { return all.claimed[k] }) {
			best = c.e
		}
	}
	return best
}

// elsewhere reports whether an application is deployed to another cluster.
func elsewhere(a *fleet.App) bool {
	return a.Target.Server != "" && a.Target.Server != "in-cluster" && a.Target.Server != "https://kubernetes.default.svc"
}

// accused are the objects of an application to look for its cause at, and whether that may be on something it does not name.
func accused(o *fleet.AppObjects) (keys []string, others bool) {
	if o == nil {
		return nil, true
	}
	if !o.HealthUntold && o.More == 0 {
		for _, x := range o.Off {
			if x.Ill() {
				others = others || x.Custom()
				keys = append(keys, x.Key())
			}
		}
	}
	if len(keys) == 0 {
		return o.Owners, o.Custom
	}
	return keys, others
}

// suspects collects what may explain applications as one does, and remembers it for as long as causes do not change.
func (d *folder) suspects(s *fleet.Snapshot, e *entry) *suspects {
	key := aroundKey{e.id.rule, e.id.ref.Source}
	if all := d.apps[key]; all != nil {
		return all
	}
	all := &suspects{of: map[string]*entry{}, in: map[string][]suspect{}, claimed: map[string]bool{}}
	for _, c := range d.order {
		if c.gone || c.id.ref.Source != key.source || !d.mayExplain(c, e) {
			continue
		}
		keys := belongsTo(s, c.id.ref)
		for _, k := range keys {
			if best := all.of[k]; best == nil || nearer(d, c, best) < 0 {
				all.of[k] = c
			}
		}
		if len(keys) > 0 && !d.rules[c.id.rule].Fold.Named {
			namespace, _, _ := strings.Cut(c.id.ref.Name, "/")
			all.in[namespace] = append(all.in[namespace], suspect{c, keys})
		}
	}
	if p, ok := s.Part(key.source, fleet.KindApp.Scope()); ok {
		for _, o := range p.Facts {
			if a, ok := o.(*fleet.App); ok && a.Objects != nil && !elsewhere(a) {
				for _, k := range a.Objects.Owners {
					all.claimed[k] = true
				}
			}
		}
	}
	d.apps[key] = all
	return all
}

// belongsTo names a pod, claim or workload itself, and what it may have been made for; nothing of what is none of these.
func belongsTo(s *fleet.Snapshot, r fleet.Ref) []string {
	namespace, name, _ := strings.Cut(r.Name, "/")
	switch r.Kind {
	case fleet.KindPod:
		keys := []string{fleet.ObjectKey("Pod", namespace, name)}
		p, ok := fleet.Find[*fleet.Pod](s, r)
		if !ok || p.Owner == "" {
			return keys
		}
		kind, owner, _ := strings.Cut(p.Owner, "/")
		keys = append(keys, fleet.ObjectKey(kind, namespace, owner))
		maker := owner[:max(0, strings.LastIndexByte(owner, '-'))]
		switch {
		case maker == "":
		case kind == "ReplicaSet":
			keys = append(keys, fleet.ObjectKey("Deployment", namespace, maker), fleet.ObjectKey("Rollout", namespace, maker))
		case kind == "Job":
			keys = append(keys, fleet.ObjectKey("CronJob", namespace, maker))
		}
		return keys
	case fleet.KindWorkload:
		w, ok := fleet.Find[*fleet.Workload](s, r)
		if !ok {
			return nil
		}
		keys := []string{fleet.ObjectKey(w.Type, w.Namespace, w.Name)}
		if i := strings.LastIndexByte(w.Name, '-'); w.IsJob() && i > 0 {
			keys = append(keys, fleet.ObjectKey("CronJob", w.Namespace, w.Name[:i]))
		}
		return keys
	case fleet.KindClaim:
		keys := []string{fleet.ObjectKey("PersistentVolumeClaim", namespace, name)}
		// A StatefulSet's are named TEMPLATE-SET-NUMBER, and each may have hyphens.
		i := strings.LastIndexByte(name, '-')
		if i < 0 || strings.Trim(name[i+1:], "0123456789") != "" {
			return keys
		}
		for _, set, ok := strings.Cut(name[:i], "-"); ok; _, set, ok = strings.Cut(set, "-") {
			keys = append(keys, fleet.ObjectKey("StatefulSet", namespace, set))
		}
		return keys
	}
	return nil
}

// regroups reports whether a change may make something belong to another application.
func regroups(old, next fleet.Object) bool {
	if p, ok := next.(*fleet.Pod); ok {
		was, ok := old.(*fleet.Pod)
		return ok && was.Owner != p.Owner
	}
	return !slices.Equal(ownersOf(old), ownersOf(next))
}

// ownersOf are what an application names, nothing of other objects.
func ownersOf(o fleet.Object) []string {
	if a, ok := o.(*fleet.App); ok && a.Objects != nil && !elsewhere(a) {
		return a.Objects.Owners
	}
	return nil
}
