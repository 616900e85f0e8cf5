package kube

import (
	"context"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/cache"

	"strata/internal/connect"
	"strata/sources"
)

// watcher keeps the shelf of one kind filled: from all namespaces, or while those are denied from the context's own.
type watcher struct {
	cluster connect.Cluster
	kind    *kind
	shelf   *shelf
	client  *connect.KubeReading
	decoder func() *decoder
	silence time.Duration

	mu     sync.Mutex
	wide   bool // all namespaces were listed once: from then on a denial leaves what was seen
	narrow *narrow
	start  chan *narrow // has room for one
}

// narrow is a watch of one namespace.
type narrow struct {
	ctx  context.Context
	stop context.CancelFunc
	done chan struct{}
}

func (s *source) watcher(k *kind, client *connect.KubeReading, in *interner) *watcher {
	return &watcher{
		cluster: s.cluster, kind: k, shelf: newShelf(k), client: client, silence: s.silence, start: make(chan *narrow, 1),
		decoder: func() *decoder { return k.decoder(s.name, in) },
	}
}

// door opens onto one namespace, "" for all.
func (w *watcher) door(namespace string, failed func(error)) *door {
	return &door{
		client: w.client, kind: w.kind, namespace: namespace, decoder: w.decoder, silence: w.silence,
		failed: failed, opened: w.shelf.seen,
	}
}

// run watches until ctx ends.
func (w *watcher) run(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	if w.kind.mayNarrow() {
		all.Go(func() { w.narrowly(ctx) })
	}
	wide := w.door(w.kind.only, func(err error) { w.wideFailed(ctx, err) })
	follow(ctx, wide, wideStore{w.shelf, w, ctx})
}

// narrowly watches one namespace from when all were denied until they are not any more.
func (w *watcher) narrowly(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case n := <-w.start:
			namespace := w.cluster.Namespace
			failed := func(err error) { w.shelf.fail(trouble(w.cluster, w.kind, namespace, err)) }
			follow(n.ctx, w.door(namespace, failed), w.shelf)
			n.stop()
			close(n.done)
		}
	}
}

// wideFailed hears why all namespaces cannot be seen.
func (w *watcher) wideFailed(ctx context.Context, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := trouble(w.cluster, w.kind, w.kind.only, err)
	if w.kind.mayNarrow() && !w.wide && apierrors.IsForbidden(err) {
		t.Fix = "only namespace " + w.cluster.Namespace + " is shown; for all of them " + t.Fix
		w.shelf.narrowed(t)
		if w.narrow == nil {
			w.narrow = &narrow{done: make(chan struct{})}
			w.narrow.ctx, w.narrow.stop = context.WithCancel(ctx)
			w.start <- w.narrow
		}
		return
	}
	if w.narrow == nil {
		w.shelf.fail(t)
	}
}

// wideListed ends the narrow watch, if there is one.
func (w *watcher) wideListed(ctx context.Context) {
	w.mu.Lock()
	n := w.narrow
	w.narrow, w.wide = nil, true
	w.mu.Unlock()
	if n == nil {
		return
	}
	n.stop()
	select {
	case <-n.done:
	case <-ctx.Done(): // and then nobody may be there to close it
	}
	w.shelf.narrowed(nil)
}

// wideStore is the shelf as all namespaces fill it.
type wideStore struct {
	*shelf
	w   *watcher
	ctx context.Context
}

// Replace takes all objects.
func (s wideStore) Replace(all []any, version string) error {
	s.w.wideListed(s.ctx)
	return s.shelf.Replace(all, version)
}

// follow keeps a store up to date until ctx ends. A server that is back is noticed within 10 s.
//
// A version that the server has forgotten ends the reflector, and the next one reads anew: the same one would first wait
// as long as it did for the server, up to 10 s, with nobody watching.
func follow(ctx context.Context, d *door, store cache.ReflectorStore) {
	pause := leastPause
	for ctx.Err() == nil {
		began := time.Now()
		one, stop := context.WithCancel(ctx)
		this := *d
		absent := false
		this.outdated, this.absent = stop, func() { absent = true; stop() }
		followOnce(one, &this, store)
		stop()
		if absent {
			if !sources.Sleep(ctx, sources.Jitter(absentPause)) {
				return
			}
			continue
		}
		if time.Since(began) > 2*mostPause {
			pause = leastPause
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, mostPause) // the server might forget every time
	}
}

const (
	leastPause = 250 * time.Millisecond
	mostPause  = 8 * time.Second
	// absentPause is how long a resource that the cluster does not know is not asked for again.
	absentPause = time.Minute
)

func followOnce(ctx context.Context, d *door, store cache.ReflectorStore) {
	r := cache.NewReflectorWithOptions(d.listWatch(), &item{}, store, cache.ReflectorOptions{
		Name:    d.kind.resource,
		Backoff: &wait.Backoff{Duration: 500 * time.Millisecond, Factor: 2, Jitter: 0.2, Steps: 8, Cap: mostPause},
	})
	r.RunWithContext(ctx)
}
