package diagnose

import (
	"container/heap"
	"time"

	"strata/internal/fleet"
)

// id names one judgement: a rule, by its place in the list, on an object.
type id struct {
	rule int
	ref  fleet.Ref
}

// agenda is what to judge again when. Each id is on it at most once: who asks for later than that is asked again then.
type agenda struct {
	queue  dueHeap
	queued map[id]time.Time
}

type dueItem struct {
	at time.Time
	id id
}

// add asks for a judgement at a time; zero is never.
func (a *agenda) add(i id, at time.Time) {
	if at.IsZero() {
		return
	}
	if q, ok := a.queued[i]; ok && !at.Before(q) {
		return
	}
	a.queued[i] = at
	a.queue = append(a.queue, dueItem{at, i})
	heap.Fix(&a.queue, len(a.queue)-1) // Push would put each item on the heap of the language, too
}

// take calls judge for all that is due. What judge adds must be later than now.
func (a *agenda) take(now time.Time, judge func(id)) {
	for len(a.queue) > 0 && !a.queue[0].at.After(now) {
		item := heap.Pop(&a.queue).(dueItem)
		if q, ok := a.queued[item.id]; !ok || !q.Equal(item.at) {
			continue
		}
		delete(a.queued, item.id)
		judge(item.id)
	}
}

type dueHeap []dueItem

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h dueHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *dueHeap) Push(x any)        { *h = append(*h, x.(dueItem)) }

func (h *dueHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}
