package ui

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"strata/internal/fleet"
)

// world is a cluster whose pods change at random.
type world struct {
	r      *rand.Rand
	spaces []fleet.Facts
	seq    uint64
	store  *fleet.Store
}

func (w *world) pod(ns, i int) *fleet.Pod {
	phases := []string{"Running", "Running", "Running", "Pending", "Failed", "Succeeded"}
	return &fleet.Pod{
		Source: "kube/a", Namespace: fmt.Sprintf("ns-%d", ns), Name: fmt.Sprintf("p-%03d", i), Node: fmt.Sprintf("n%d", w.r.IntN(4)),
		Run: fleet.PodRun{Phase: phases[w.r.IntN(len(phases))], Ready: 1, Total: 1, Restarts: int32(w.r.IntN(3))},
	}
}

// step changes, adds and drops some pods of some namespaces and returns the next snapshot.
func (w *world) step(t testing.TB) *fleet.Snapshot {
	var all []fleet.Observation
	for ns := range w.spaces {
		if w.r.IntN(2) == 0 {
			continue
		}
		have := map[string]fleet.Object{}
		for _, o := range w.spaces[ns] {
			have[o.Ref().Name] = o
		}
		for range 1 + w.r.IntN(4) {
			p := w.pod(ns, w.r.IntN(40))
			if w.r.IntN(3) == 0 {
				delete(have, p.Ref().Name)
			} else {
				have[p.Ref().Name] = p
			}
		}
		facts := fleet.Facts{}
		for _, o := range have {
			facts = append(facts, o)
		}
		slices.SortFunc(facts, fleet.Compare)
		w.spaces[ns] = facts
		all = append(all, obs("kube/a", fmt.Sprintf("pods/ns-%d", ns), facts...))
	}
	w.seq++
	tick := obs("kube/a", "tick")
	tick.At = at.Add(timeOf(w.seq))
	return put(t, w.store, append(all, tick)...)
}

func TestFollowingEqualsStartingOver(t *testing.T) {
	orders := map[string]func(*table){
		"worst":    func(*table) {},
		"reversed": func(t *table) { t.sortBy(-1) },
		"name":     func(t *table) { t.sort = 1; t.reorder() },
		"restarts": func(t *table) { t.sort = 5; t.reorder() },
		"filtered": func(t *table) { t.setFilter(parseFilter("n1")) },
		"both":     func(t *table) { t.sort = 2; t.reorder(); t.setFilter(parseFilter("!running")) },
	}
	for name, set := range orders {
		synctest.Test(t, func(t *testing.T) {
			w := &world{r: rand.New(rand.NewPCG(7, uint64(len(name)))), spaces: make([]fleet.Facts, 4), store: fleet.NewStore(nil)}
			theme := NewTheme(false, false)
			c := &scene{s: w.step(t), t: &theme}
			followed := newTable(podsView(), new([]row))
			followed.follow(c)
			set(followed)
			for step := range 40 {
				c = &scene{s: w.step(t), t: &theme}
				followed.follow(c)
				fresh := newTable(podsView(), new([]row))
				fresh.follow(c)
				set(fresh)
				fresh.follow(c)
				if got, want := names(followed), names(fresh); !slices.Equal(got, want) {
					t.Fatalf(name+", step %d: following has\n%v\nstarting over has\n%v", step, got, want)
				}
				for i := range followed.ord.size() {
					if at, ok := followed.ord.find(followed.ord.get(i).obj); !ok || at != i {
						t.Fatalf(name+", step %d: row %d is found at %d, %v", step, i, at, ok)
					}
				}
			}
		})
	}
}

func names(t *table) (all []string) {
	for i := range t.ord.size() {
		p := t.ord.get(i).obj.(*fleet.Pod)
		all = append(all, p.Namespace+"/"+p.Name+" "+p.Run.Phase)
	}
	return all
}

func TestAnIndexedTableFiltersAlike(t *testing.T) {
	synctest.Test(t, indexedFiltersAlike)
}

func indexedFiltersAlike(t *testing.T) {
	w := &world{r: rand.New(rand.NewPCG(1, 2)), spaces: make([]fleet.Facts, 4), store: fleet.NewStore(nil)}
	theme := NewTheme(false, false)
	for range 30 {
		w.step(t)
	}
	c := &scene{s: w.step(t), t: &theme}
	plain, quick := newTable(podsView(), new([]row)), newTable(podsView(), new([]row))
	plain.follow(c)
	quick.follow(c)
	made := quick.index()()
	c = &scene{s: w.step(t), t: &theme} // the rows changed while the index was made
	plain.follow(c)
	quick.follow(c)
	made.take()
	hay := 0
	for i := range quick.ord.all {
		if quick.ord.all[i].hay != "" {
			hay++
		}
	}
	if hay < len(quick.ord.all)/2 {
		t.Errorf("only %d of %d rows have hay", hay, len(quick.ord.all))
	}
	for _, f := range []string{"p-01", "!p-01", "N1", "pending", "ns-2 running", "status:failed p", "^p-0.1$"} {
		plain.setFilter(parseFilter(f))
		quick.setFilter(parseFilter(f))
		if got, want := names(quick), names(plain); !slices.Equal(got, want) {
			t.Errorf("/%s keeps %d rows with an index, %d without", f, len(got), len(want))
		}
	}
}

// Many rows are sorted in another way than few are compared: it must come out the same.
func TestManyRowsSortAsTheyCompare(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	nums := []float64{0, math.Copysign(0, -1), 1, -1, 1e9, -1e-9, math.NaN(), math.Inf(1), math.Inf(-1), 1754000000, 1754000001}
	texts := []string{"", "k8s-", "k8s-worker-1", "k8s-worker-10", "k8s-worker-2.novalocal", "k8s-worker-2.novalocal.example.org", "k8s-worker-2.novalocal.example.com", "k8s-worker-2.noval", "k8s-wörker", "k8s-worker-\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"}
	for _, some := range [][]string{{""}, texts[1:], texts} {
		keys := map[string]sortKey{}
		pods := make(fleet.Facts, 3*few/2)
		for i := range pods {
			p := &fleet.Pod{Source: "kube/a", Namespace: "n", Name: fmt.Sprintf("p-%05d", i)}
			keys[p.Name] = sortKey{nums[r.IntN(len(nums))], some[r.IntN(len(some))]}
			pods[i] = p
		}
		store := fleet.NewStore(nil)
		key := func(o fleet.Object, _ fleet.State) sortKey { return keys[o.(*fleet.Pod).Name] }
		o := &order{kinds: []fleet.Kind{fleet.KindPod}, key: key, scratch: new([]row)}
		o.rebuild(put(t, store, obs("kube/a", "pods/n", pods[100:]...)))
		check := func(what string) {
			t.Helper()
			want := slices.Clone(o.all)
			slices.SortFunc(want, func(a, b row) int {
				c := cmp.Or(cmp.Compare(key(a.obj, 0).num, key(b.obj, 0).num), strings.Compare(key(a.obj, 0).str, key(b.obj, 0).str), fleet.Compare(a.obj, b.obj))
				if o.reverse {
					return -c
				}
				return c
			})
			for i := range want {
				if want[i].obj != o.all[i].obj {
					t.Fatalf("%s: %v stands at %d in place of %v", what, o.all[i].obj.Ref(), i, want[i].obj.Ref())
				}
			}
		}
		check("at first")
		o.follow(put(t, store, obs("kube/a", "pods/n", pods[:len(pods)-50]...)), func(fleet.Object, fleet.Object) {})
		check("after some came and went")
		for name := range keys {
			keys[name] = sortKey{nums[r.IntN(len(nums))], some[r.IntN(len(some))]}
		}
		o.resort()
		check("by other keys")
		o.turn()
		check("the other way round")
		o.resort()
		check("sorted the other way round")
	}
}
