package nova

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// split cuts a path into the API it is for and the rest below that API's version.
func split(path string) (API, string) {
	for api, root := range map[API]string{Keystone: "/identity/v3", Nova: "/compute/v2.1"} {
		if rest, ok := strings.CutPrefix(path, root); ok && (rest == "" || rest[0] == '/') {
			return api, rest
		}
	}
	if strings.HasPrefix(path, "/identity") {
		return Keystone, path
	}
	return Nova, path
}

func (f *Cloud) routes() http.Handler {
	compute := http.NewServeMux()
	for pattern, serve := range map[string]func(*call){
		"GET /servers":                                   f.listServers,
		"GET /servers/detail":                            f.listServers,
		"GET /servers/{id}":                              f.showServer,
		"POST /servers/{id}/action":                      f.act,
		"GET /servers/{id}/os-instance-actions":          f.listActions,
		"GET /servers/{id}/os-instance-actions/{action}": f.showAction,
		"GET /os-services":                               f.listServices,
		"PUT /os-services/{id}":                          f.changeService,
		"GET /os-hypervisors":                            f.listHypervisors,
		"GET /os-hypervisors/detail":                     f.listHypervisors,
		"GET /flavors/detail":                            f.listFlavors,
		"GET /flavors/{id}":                              f.showFlavor,
		"GET /flavors/{id}/os-extra_specs":               f.showExtraSpecs,
		"POST /flavors/{id}/os-extra_specs":              f.setExtraSpecs,
		"DELETE /flavors/{id}/os-extra_specs/{key}":      f.dropExtraSpec,
	} {
		compute.HandleFunc(pattern, f.authenticated(serve))
	}
	compute.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fail(w, 404, "The resource could not be found.") })

	identity := http.NewServeMux()
	identity.HandleFunc("POST /auth/tokens", f.login)
	identity.HandleFunc("GET /auth/tokens", f.validate)
	identity.HandleFunc("GET /users/{id}", f.showUser)

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		api, path := split(r.URL.Path)
		whole := func(w http.ResponseWriter, r *http.Request) {
			f.serveVersioned(w, r, api, path, map[API]*http.ServeMux{Keystone: identity, Nova: compute}[api])
		}
		f.mu.Lock()
		fault := f.faults[api]
		f.note(r, api, path)
		// The clock of the fake may be fast, and changes-since is measured by this header.
		w.Header().Set("Date", f.config.Now().UTC().Format(http.TimeFormat))
		f.mu.Unlock()
		select {
		case <-f.closed:
			return
		default:
		}
		if fault != nil {
			fault(w, r, whole)
			return
		}
		whole(w, r)
	})
}

// note remembers a request. Without it a demo of many hours would grow: the oldest are forgotten.
func (f *Cloud) note(r *http.Request, api API, path string) {
	const most = 10_000
	if len(f.requests) >= most {
		f.requests = append(f.requests[:0], f.requests[most/2:]...)
	}
	if r.URL.RawQuery != "" {
		path += "?" + r.URL.RawQuery
	}
	request := Request{At: f.config.Now(), API: api, Method: r.Method, Path: path}
	request.Microversion = r.Header.Get("X-OpenStack-Nova-API-Version")
	if t := f.tokens[r.Header.Get("X-Auth-Token")]; t != nil {
		request.User = t.user.name
	}
	f.requests = append(f.requests, request)
}

func (f *Cloud) serveVersioned(w http.ResponseWriter, r *http.Request, api API, path string, mux *http.ServeMux) {
	if path == "" || path == "/" {
		f.versions(w, api)
		return
	}
	clone := r.Clone(r.Context())
	clone.URL.Path, clone.URL.RawPath = path, ""
	mux.ServeHTTP(w, clone)
}

func (f *Cloud) versions(w http.ResponseWriter, api API) {
	if api == Keystone {
		answer(w, 200, object{"version": object{
			"id": "v3.14", "status": "stable", "links": []object{{"rel": "self", "href": f.AuthURL() + "/"}},
		}})
		return
	}
	answer(w, 200, object{"version": object{
		"id": "v2.1", "status": "CURRENT", "version": fmt.Sprintf("2.%d", f.config.MaxMinor), "min_version": "2.1",
		"links": []object{{"rel": "self", "href": f.url + "/compute/v2.1/"}},
	}})
}

// call is one request to Nova with a valid token and microversion.
type call struct {
	w     http.ResponseWriter
	r     *http.Request
	token *token
	minor int
}

func (c *call) admin() bool { return c.token.user.role == "admin" }

func (f *Cloud) authenticated(serve func(*call)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		t := f.valid(r.Header.Get("X-Auth-Token"))
		if t == nil {
			unauthorized(w)
			return
		}
		minor := 1
		if v := r.Header.Get("X-OpenStack-Nova-API-Version"); v == "latest" {
			minor = f.config.MaxMinor
		} else if v != "" {
			if n, _ := fmt.Sscanf(v, "2.%d", &minor); n != 1 || minor < 1 || minor > f.config.MaxMinor {
				fail(w, 406, fmt.Sprintf("Version %s is not supported by the API. Minimum is 2.1 and maximum is 2.%d.",
					v, f.config.MaxMinor))
				return
			}
		}
		f.settle()
		w.Header().Set("X-OpenStack-Nova-API-Version", fmt.Sprintf("2.%d", minor))
		serve(&call{w, r, t, minor})
	}
}

type object map[string]any

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a caller that went away is no matter
}

// fail answers in Nova's shape of an error.
func fail(w http.ResponseWriter, status int, message string) {
	kind := map[int]string{
		400: "badRequest", 403: "forbidden", 404: "itemNotFound", 409: "conflictingRequest", 429: "overLimit",
	}[status]
	answer(w, status, object{cmp.Or(kind, "computeFault"): object{"code": status, "message": message}})
}

func forbidden(w http.ResponseWriter, policy string) {
	fail(w, 403, "Policy doesn't allow "+policy+" to be performed.")
}

func unauthorized(w http.ResponseWriter) {
	answer(w, 401, object{"error": object{
		"code": 401, "title": "Unauthorized", "message": "The request you have made requires authentication.",
	}})
}

// Nova's times are UTC: with a Z for created and updated, naive with microseconds elsewhere.
func zulu(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format("2006-01-02T15:04:05Z")
}

func naive(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Truncate(time.Second).Format("2006-01-02T15:04:05.000000")
}
