package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"strata/internal/connect"
	"strata/internal/fleet"
	"strata/internal/sh"
	"strata/sources"
)

// attendant does what the reader wishes: it reads one log and one manifest, and makes sure that the server is there.
type attendant struct {
	source  *source
	client  *connect.KubeReading
	shelves []*shelf
	tell    func(fleet.Observation)

	stop func() // ends the log being read, and waits for that; nil when none is
	log  sources.LogWish
	page fleet.Ref // whose manifest was told last
}

const (
	// manifestEvery is how often a manifest that is looked at is read again.
	manifestEvery = 5 * time.Second
	// confirmEvery is the least time between two times that the server is asked whether it is there: a reader who moves
	// through a table wakes the source with each row.
	confirmEvery = time.Second
)

func (a *attendant) run(ctx context.Context) {
	defer func() {
		if a.stop != nil {
			a.stop()
		}
	}()
	wishes := a.source.options.Wishes
	ticker := time.NewTicker(manifestEvery)
	defer ticker.Stop()
	confirm := time.NewTimer(confirmEvery)
	defer confirm.Stop()
	confirmed, owed := time.Time{}, false
	for {
		select {
		case <-ctx.Done():
			return
		case <-wishes.Wake(a.source.name):
			a.follow(ctx)
			a.read(ctx)
			owed = true
			confirm.Reset(max(0, confirmEvery-time.Since(confirmed)))
		case <-confirm.C:
			if owed {
				a.confirm(ctx)
				confirmed, owed = time.Now(), false
			}
		case <-ticker.C:
			a.read(ctx)
		}
	}
}

// follow reads the log that is wished for, if that is another one than before.
func (a *attendant) follow(ctx context.Context) {
	want, ok := a.source.options.Wishes.Following(a.source.name)
	if !ok {
		want = sources.LogWish{}
	}
	if want == a.log {
		return
	}
	if a.stop != nil {
		a.stop()
		a.stop = nil
	}
	a.log = want
	if !ok {
		a.show(fleet.KindLog, nil)
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	t := &tail{attendant: a, wish: want}
	go func() {
		defer close(ended)
		t.run(ctx)
	}()
	a.stop = func() { cancel(); <-ended }
}

// read reads the manifest that is wished for.
func (a *attendant) read(ctx context.Context) {
	want, ok := a.source.options.Wishes.Reading(a.source.name)
	if !ok {
		if a.page != (fleet.Ref{}) {
			a.page = fleet.Ref{}
			a.show(fleet.KindManifest, nil)
		}
		return
	}
	a.page = want
	m := &fleet.Manifest{Source: a.source.name, About: want}
	text, err := a.manifest(ctx, want)
	if ctx.Err() != nil {
		return
	}
	m.Text = text
	if err != nil {
		m.Error = err.Error()
	}
	a.show(fleet.KindManifest, m)
}

// show tells the one object of a scope, or with nil that there is none.
func (a *attendant) show(kind fleet.Kind, o fleet.Object) {
	facts := fleet.Facts{}
	if o != nil {
		facts = append(facts, o)
	}
	a.tell(fleet.Observation{Scope: kind.Scope(), At: a.source.options.Now(), Facts: facts})
}

// confirm asks the server for a word, and has all that is known of it told again as of now: what is watched is current
// as long as the server is there.
func (a *attendant) confirm(ctx context.Context) {
	// Its word may be that this user may not ask. It is there all the same.
	answer, life, err := a.get(ctx, "version", nil)
	if err != nil && apierrors.ReasonForError(err) == "" {
		return
	}
	if err == nil {
		_ = answer.Body.Close()
		life.end()
	}
	for _, s := range a.shelves {
		s.confirm()
	}
}

// manifestMost bounds a manifest, in bytes.
const manifestMost = 1 << 20

// manifest reads an object as the server has it. Secrets are of no kind that strata knows.
func (a *attendant) manifest(ctx context.Context, r fleet.Ref) (string, error) {
	path, err := pathOf(r)
	if err != nil {
		return "", err
	}
	body, err := a.fetch(ctx, path, nil, manifestMost)
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", r, err)
	}
	return strip(body)
}

// strip takes out of an object what nobody reads.
func strip(body []byte) (string, error) {
	var all map[string]json.RawMessage
	var meta map[string]json.RawMessage
	if err := json.Unmarshal(body, &all); err != nil {
		return "", fmt.Errorf("reading a manifest: %w", err)
	}
	if err := json.Unmarshal(all["metadata"], &meta); err != nil {
		return "", fmt.Errorf("reading the metadata of a manifest: %w", err)
	}
	delete(meta, "managedFields")
	rest, err := json.Marshal(meta)
	if err == nil {
		all["metadata"] = rest
		body, err = json.Marshal(all)
	}
	return string(body), err
}

// pathOf is where the server has an object.
func pathOf(r fleet.Ref) (string, error) {
	parts := strings.Split(r.Name, "/")
	for _, p := range parts {
		if p == "" || p == "." || p == ".." {
			return "", fmt.Errorf("%s is no name in Kubernetes", r)
		}
	}
	join := func(group, resource string) (string, error) {
		switch len(parts) {
		case 1:
			return group + "/" + resource + "/" + url.PathEscape(parts[0]), nil
		case 2:
			return group + "/namespaces/" + url.PathEscape(parts[0]) + "/" + resource + "/" + url.PathEscape(parts[1]), nil
		}
		return "", fmt.Errorf("%s is no name in Kubernetes", r)
	}
	switch {
	case r.Kind == fleet.KindNode:
		return join("api/v1", "nodes")
	case r.Kind == fleet.KindPod:
		return join("api/v1", "pods")
	case r.Kind == fleet.KindEvent:
		return join("api/v1", "events")
	case r.Kind == fleet.KindVolume:
		return join("api/v1", "persistentvolumes")
	case r.Kind == fleet.KindClaim:
		return join("api/v1", "persistentvolumeclaims")
	case r.Kind == fleet.KindLease:
		return "apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/" + url.PathEscape(r.Name), nil
	case r.Kind == fleet.KindApp:
		return join("apis/argoproj.io/v1alpha1", "applications")
	case r.Kind == fleet.KindWorkload && len(parts) == 3:
		group, resource := "apis/apps/v1", parts[1]+"s"
		if parts[1] == "job" {
			group = "apis/batch/v1"
		}
		parts = []string{parts[0], parts[2]}
		return join(group, resource)
	}
	return "", fmt.Errorf("%s has no manifest", r)
}

// fetch reads an answer of at most so many bytes.
func (a *attendant) fetch(ctx context.Context, path string, query url.Values, most int64) ([]byte, error) {
	answer, life, err := a.get(ctx, path, query)
	if err != nil {
		return nil, err
	}
	defer life.end()
	life.expect()
	body, err := io.ReadAll(io.LimitReader(life.reader(answer.Body), most+1))
	switch {
	case err != nil:
		return nil, life.why(err)
	case int64(len(body)) > most:
		return nil, fmt.Errorf("it is larger than %d bytes", most)
	}
	return body, nil
}

// get sends a request for JSON or text and returns the answer if its status is 200. The caller must end the life.
func (a *attendant) get(ctx context.Context, path string, query url.Values) (*http.Response, *life, error) {
	where := *a.client.Server
	where.Path, where.RawPath = strings.TrimSuffix(where.Path, "/")+"/"+unescaped(path), strings.TrimSuffix(where.EscapedPath(), "/")+"/"+path
	where.RawQuery = query.Encode()
	answer, life, err := get(ctx, a.client.HTTP, a.source.silence, where.String(), "application/json, */*", path)
	return answer, life, a.explain(err)
}

// explain adds what to do about a refusal of a single object.
func (a *attendant) explain(err error) error {
	if !apierrors.IsForbidden(err) {
		return err
	}
	who := connect.KubeSubject(err.Error())
	return fmt.Errorf("%w; let an administrator run: %s", err, sh.Quote("kubectl", "create", "clusterrolebinding", "strata-view", "--clusterrole=view", who))
}

func unescaped(path string) string {
	plain, err := url.PathUnescape(path)
	if err != nil {
		return path
	}
	return plain
}
