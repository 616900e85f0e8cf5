package kube

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"syscall"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"

	"strata/internal/connect"
)

const (
	// accept asks for protobuf, which is read with a tenth of the work of JSON; aggregated and fake servers have only JSON.
	accept = "application/vnd.kubernetes.protobuf,application/json"
	// usualSilence is how long a server may take to begin to answer, and to go on with an answer.
	usualSilence = 30 * time.Second
	// pageSize bounds what is held of a list in its encoded form: 1,000 pods are about 6 MB.
	pageSize = 1000
	// answerMost bounds one answer or one event, in bytes.
	answerMost = 256 << 20
)

var (
	errSilent = errors.New("the server does not answer")
	errBroke  = errors.New("the connection broke")
	errAbsent = errors.New("it is not installed")
)

// door lists and watches one resource for a reflector. It hears every failure, also those that a reflector keeps to
// itself while it tries again.
type door struct {
	client    *connect.KubeReading
	kind      *kind
	namespace string // "" for all
	decoder   func() *decoder
	silence   time.Duration
	failed    func(error)
	opened    func() // a watch goes on where the last one ended
	outdated  func() // a watch cannot go on: the server has forgotten its version
	absent    func() // the cluster does not know the resource
}

// fail tells why a request failed.
func (d *door) fail(ctx context.Context, err error) {
	if d.kind.optional && d.isAbsent(ctx, err) {
		err = errAbsent
		d.absent()
	}
	d.failed(err)
}

// isAbsent reports whether a request failed because the cluster does not know the resource. Who may not read it is told
// that first, but everybody may ask for the resources of a group.
func (d *door) isAbsent(ctx context.Context, err error) bool {
	if !apierrors.IsForbidden(err) {
		return apierrors.IsNotFound(err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, d.client.Server.JoinPath(d.kind.path).String(), nil)
	if err != nil {
		return false
	}
	answer, err := d.client.HTTP.Do(request)
	if err != nil {
		return false
	}
	_ = answer.Body.Close() // its status says it all
	return answer.StatusCode == http.StatusNotFound
}

// listWatch is the door as client-go wants it.
func (d *door) listWatch() *cache.ListWatch {
	return &cache.ListWatch{ListWithContextFunc: d.list, WatchFuncWithContext: d.watch}
}

// list gets a page of the newest objects. What the reflector asks for beyond that is left out: with a version but no
// limit the server would send everything in one piece, with version 0 it would also ignore the limit.
func (d *door) list(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
	o.ResourceVersion, o.ResourceVersionMatch, o.Limit = "", "", pageSize
	page, err := d.page(ctx, o)
	if err != nil {
		if ctx.Err() == nil && !apierrors.IsResourceExpired(err) {
			d.fail(ctx, err)
		}
		return nil, err
	}
	return page, nil
}

func (d *door) page(ctx context.Context, o metav1.ListOptions) (*items, error) {
	answer, life, err := d.get(ctx, o)
	if err != nil {
		return nil, err
	}
	defer life.end()
	life.expect()
	body, err := io.ReadAll(io.LimitReader(life.reader(answer.Body), answerMost))
	if err != nil {
		return nil, life.why(err)
	}
	if isProtobuf(answer.Header) {
		return d.decoder().protobufPage(body)
	}
	return d.decoder().jsonPage(body)
}

// watch opens a stream of changes, with all objects first if the reflector asks for them.
func (d *door) watch(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
	o.Watch = true
	initial := o.SendInitialEvents != nil && *o.SendInitialEvents
	answer, life, err := d.get(ctx, o)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return nil, err
	case initial && !versionGone(err):
		// The reflector lists instead, at once: an old server has no initial events. If that fails too it is heard there.
		// Other error values would make it wait where it cannot be interrupted.
		return nil, errors.New(err.Error())
	case initial || versionGone(err):
		if !initial {
			d.outdated()
		}
		return nil, err
	default:
		d.fail(ctx, err)
		return nil, again{err}
	}
	return watch.NewStreamWatcher(newStream(d, answer, life, initial), unused{}), nil
}

// versionGone says that the server no longer has, or does not yet have, the version that was asked for, or does not
// understand the request.
func versionGone(err error) bool {
	switch apierrors.ReasonForError(err) {
	case metav1.StatusReasonExpired, metav1.StatusReasonGone, metav1.StatusReasonBadRequest, metav1.StatusReasonInvalid:
		return true
	case metav1.StatusReasonTimeout:
		return apierrors.HasStatusCause(err, metav1.CauseTypeResourceVersionTooLarge)
	}
	return false
}

// again is a failure after which a watch goes on where it ended, once the server is back. To a reflector only a refused
// connection is that; after any other failure it would read all objects anew.
type again struct{ error }

// As lets the failure pass for a refused connection.
func (a again) As(target any) bool {
	errno, ok := target.(*syscall.Errno)
	if ok {
		*errno = syscall.ECONNREFUSED
	}
	return ok
}

// get sends a request and returns the answer if its status is 200. The caller must end the life.
func (d *door) get(ctx context.Context, o metav1.ListOptions) (*http.Response, *life, error) {
	where := *d.client.Server
	where.Path = where.JoinPath(d.kind.path).Path
	if d.namespace != "" {
		where.Path += "/namespaces/" + url.PathEscape(d.namespace)
	}
	where.Path += "/" + d.kind.resource
	where.RawQuery = query(o, d.kind.selector)

	return get(ctx, d.client.HTTP, d.silence, where.String(), accept, d.kind.resource)
}

// get sends a GET and returns the answer if its status is 200. The caller must end the life.
func get(ctx context.Context, client *http.Client, silence time.Duration, where, accept, called string) (*http.Response, *life, error) {
	life, ctx := live(ctx, silence)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, where, nil)
	if err != nil {
		life.end()
		return nil, nil, fmt.Errorf("asking for %s: %w", called, err)
	}
	request.Header.Set("Accept", accept)
	life.expect()
	answer, err := client.Do(request)
	if err != nil {
		err = life.why(err)
		life.end()
		if wordy, ok := errors.AsType[*url.Error](err); ok {
			err = wordy.Err // without the long URL
		}
		return nil, nil, err
	}
	life.body = answer.Body
	if answer.StatusCode != http.StatusOK {
		defer life.end()
		return nil, nil, refusal(answer, life.reader(answer.Body), called)
	}
	life.rest()
	return answer, life, nil
}

func query(o metav1.ListOptions, selector string) string {
	q := url.Values{}
	set := func(name, value string) {
		if value != "" && value != "0" && value != "false" {
			q.Set(name, value)
		}
	}
	set("watch", strconv.FormatBool(o.Watch))
	set("allowWatchBookmarks", strconv.FormatBool(o.AllowWatchBookmarks))
	set("resourceVersionMatch", string(o.ResourceVersionMatch))
	set("continue", o.Continue)
	set("limit", strconv.FormatInt(o.Limit, 10))
	set("fieldSelector", selector)
	if o.ResourceVersion != "" {
		q.Set("resourceVersion", o.ResourceVersion)
	}
	if o.TimeoutSeconds != nil {
		set("timeoutSeconds", strconv.FormatInt(*o.TimeoutSeconds, 10))
	}
	if o.SendInitialEvents != nil {
		set("sendInitialEvents", strconv.FormatBool(*o.SendInitialEvents))
	}
	return q.Encode()
}
