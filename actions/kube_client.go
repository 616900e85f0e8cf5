package actions

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"strata/internal/connect"
	"strata/internal/sh"
)

// kubeAPI speaks to one API server, in JSON. A request whose answer was lost fails with a connect.Lost.
type kubeAPI struct{ *connect.KubeWriting }

// kubeAPI returns the writing client of a source.
func (h Hands) kube(source string) (kubeAPI, error) {
	client, err := h.writing.Kube(source)
	return kubeAPI{client}, err
}

// kubePath is where an API server has something, and what the right to it is called.
type kubePath struct {
	group     string // "api/v1", "apis/apps/v1"
	namespace string
	resource  string
	name      string
	sub       string // subresource
}

func (p kubePath) url(server *url.URL) string {
	parts := []string{p.group}
	if p.namespace != "" {
		parts = append(parts, "namespaces", url.PathEscape(p.namespace))
	}
	for _, part := range []string{p.resource, p.name, p.sub} {
		if part != "" {
			parts = append(parts, url.PathEscape(part))
		}
	}
	return server.JoinPath(strings.Join(parts, "/")).String()
}

// right is the resource as kubectl create role names it: deployments.apps/scale.
func (p kubePath) right() string {
	r := p.resource
	if group, ok := strings.CutPrefix(p.group, "apis/"); ok {
		name, _, _ := strings.Cut(group, "/")
		r += "." + name
	}
	if p.sub != "" {
		r += "/" + p.sub
	}
	return r
}

// called is the thing in words: "node k8s-worker-1", "pod shop/web-1".
func (p kubePath) called() string {
	name := p.name
	if p.namespace != "" {
		name = p.namespace + "/" + name
	}
	return strings.TrimSuffix(p.resource, "s") + " " + name
}

// kubeError is what an API server refused, in its words.
type kubeError struct {
	Code    int
	Reason  string
	Message string
	Causes  []kubeCause
	fix     string
}

type kubeCause struct {
	Reason  string `json:"reason"`
	Message string `json:"message"`
	Field   string `json:"field"`
}

func (e *kubeError) Error() string {
	says := e.Message
	if e.fix != "" {
		says += "; " + e.fix
	}
	return says
}

// isKube reports whether an error is an API server's answer with that status.
func isKube(err error, code int) bool {
	var e *kubeError
	return errors.As(err, &e) && e.Code == code
}

// kubeCall is a request. Body nil is none.
type kubeCall struct {
	verb  string // of RBAC: get, list, patch, create, delete
	path  kubePath
	query url.Values
	body  any
}

const (
	// kubeAnswerMost bounds an answer, in bytes: 10,000 pods of one node are no real node.
	kubeAnswerMost = 64 << 20
	kubeTimeout    = 30 * time.Second
)

// do sends a request and reads its answer into a value, unless that is nil.
func (k kubeAPI) do(ctx context.Context, call kubeCall, into any) error {
	ctx, cancel := context.WithTimeout(ctx, kubeTimeout)
	defer cancel()
	method, kind := map[string]string{"patch": http.MethodPatch, "create": http.MethodPost, "delete": http.MethodDelete}[call.verb], "application/json"
	if method == "" {
		method = http.MethodGet
	}
	if method == http.MethodPatch {
		kind = "application/merge-patch+json"
	}
	var body io.Reader
	if call.body != nil {
		b, err := json.Marshal(call.body)
		if err != nil {
			return fmt.Errorf("writing a request: %w", err)
		}
		body = bytes.NewReader(b)
	}
	where := call.path.url(k.Server)
	if len(call.query) > 0 {
		where += "?" + call.query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, method, where, body)
	if err != nil {
		return fmt.Errorf("writing a request: %w", err)
	}
	request.Header.Set("Accept", "application/json")
	if body != nil {
		request.Header.Set("Content-Type", kind)
	}
	answer, err := k.HTTP.Do(request)
	if err != nil {
		if wordy, ok := errors.AsType[*url.Error](err); ok {
			err = wordy.Err // without the long URL
		}
		return err
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(io.LimitReader(answer.Body, kubeAnswerMost))
	if answer.StatusCode >= 300 {
		return refused(call, answer, said)
	}
	if err == nil && into != nil {
		err = json.Unmarshal(said, into)
	}
	if err != nil && method == http.MethodGet {
		return fmt.Errorf("reading the answer: %w", err)
	}
	return nil // what was changed is changed, whatever became of the rest of the answer
}

// refused makes an error of an answer that is not 2xx.
func refused(call kubeCall, answer *http.Response, said []byte) error {
	var status struct {
		Message string `json:"message"`
		Reason  string `json:"reason"`
		Details struct {
			Causes []kubeCause `json:"causes"`
		} `json:"details"`
	}
	e := &kubeError{Code: answer.StatusCode, Message: answer.Status}
	if json.Unmarshal(said, &status) == nil && status.Message != "" {
		e.Message, e.Reason, e.Causes = status.Message, status.Reason, status.Details.Causes
	}
	if answer.StatusCode == http.StatusForbidden {
		e.fix = "let an administrator run: " + grantOf(call, e.Message)
	}
	return e
}

// grantOf is the commands that give a right to whom it was refused.
func grantOf(call kubeCall, message string) string {
	name := "strata-" + call.verb + "-" + strings.NewReplacer(".", "-", "/", "-").Replace(call.path.right())
	role, binding, where := "clusterrole", "clusterrolebinding", []string(nil)
	if call.path.namespace != "" {
		role, binding, where = "role", "rolebinding", []string{"--namespace", call.path.namespace}
	}
	make := append([]string{"kubectl", "create", role, name}, where...)
	make = append(make, "--verb="+call.verb, "--resource="+call.path.right())
	bind := append([]string{"kubectl", "create", binding, name}, where...)
	bind = append(bind, "--"+role+"="+name, connect.KubeSubject(message))
	return sh.Quote(make...) + "; " + sh.Quote(bind...)
}

// kubeMeta is what an action needs of an object's metadata.
type kubeMeta struct {
	Name        string            `json:"name"`
	Namespace   string            `json:"namespace"`
	UID         string            `json:"uid"`
	Version     string            `json:"resourceVersion"`
	Deleted     *time.Time        `json:"deletionTimestamp"`
	Annotations map[string]string `json:"annotations"`
	Managers    []struct {
		Manager string    `json:"manager"`
		Sub     string    `json:"subresource"`
		Time    time.Time `json:"time"`
	} `json:"managedFields"`
}

// byWhom tells who changed an object last, as far as its managed fields do. A status is not somebody's doing.
func (m kubeMeta) byWhom() string {
	who, at := "", time.Time{}
	for _, f := range m.Managers {
		if f.Sub != "status" && f.Time.After(at) {
			who, at = f.Manager, f.Time
		}
	}
	if who == "" {
		return ""
	}
	return fmt.Sprintf(" (changed last by %s at %s)", who, at.UTC().Format("15:04:05Z"))
}

// conflictsMost is how often a change is tried again after the object changed in between: a status that its
// controllers write is no reason to give up.
const conflictsMost = 5

// patch reads an object, has the patch for it made or an error that says how the world moved, and sends it on the
// condition that nobody changes the object in between.
func (k kubeAPI) patch(ctx context.Context, at kubePath, into any, meta *kubeMeta, make func() (map[string]any, error)) error {
	var conflict error
	for range conflictsMost {
		if err := k.do(ctx, kubeCall{verb: "get", path: at}, into); err != nil {
			return fmt.Errorf("reading %s: %w", at.called(), err)
		}
		change, err := make()
		if err != nil {
			return fmt.Errorf("%s: %w%s", at.called(), err, meta.byWhom())
		}
		fields, _ := change["metadata"].(map[string]any)
		if fields == nil {
			fields = map[string]any{}
		}
		fields["resourceVersion"] = meta.Version
		change["metadata"] = fields
		err = k.do(ctx, kubeCall{verb: "patch", path: at, query: url.Values{"fieldManager": {"strata"}}, body: change}, nil)
		if !isKube(err, http.StatusConflict) {
			if err != nil {
				err = fmt.Errorf("changing %s: %w", at.called(), err)
			}
			return err
		}
		conflict = err
	}
	return fmt.Errorf("changing %s: somebody else changes it all the time%s: %w", at.called(), meta.byWhom(), conflict)
}

// kubectlArgv returns the argv of kubectl for a source.
func kubectlArgv(source string, args ...string) []string {
	argv := []string{"kubectl"}
	if name := strings.TrimPrefix(source, "kube/"); name != connect.InCluster {
		argv = append(argv, "--context", name)
	}
	return append(argv, args...)
}

// split takes a name in a namespace apart.
func split(name string) (namespace, rest string) {
	namespace, rest, _ = strings.Cut(name, "/")
	return namespace, rest
}
