package nova

import (
	"encoding/json"
	"net/http"
	"time"
)

type project struct{ id, name string }

type user struct{ id, name, role, project string }

type token struct {
	user    *user
	project project
	issued  time.Time
	expires time.Time
}

// valid returns the token of an id, nil when there is none or it expired.
func (f *Cloud) valid(id string) *token {
	t := f.tokens[id]
	if t == nil || !f.config.Now().Before(t.expires) {
		return nil
	}
	return t
}

// loginRequest is the part of Keystone's login that the fake minds.
type loginRequest struct {
	Auth struct {
		Identity struct {
			Methods  []string
			Password struct {
				User struct{ ID, Name, Password string }
			}
			Token struct{ ID string }
		}
		Scope struct {
			Project struct{ ID, Name string }
		}
	}
}

func (f *Cloud) login(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var asked loginRequest
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		keystoneFails(w, 400, "Bad Request", "Expecting to find valid JSON in request body.")
		return
	}
	u := f.whoLogsIn(asked)
	if u == nil {
		unauthorized(w)
		return
	}
	p := project{f.ProjectID(u.project), u.project}
	want := asked.Auth.Scope.Project
	if (want.ID != "" && want.ID != p.id) || (want.Name != "" && want.Name != p.name) {
		unauthorized(w) // no role there
		return
	}
	now := f.config.Now()
	t := &token{user: u, project: p, issued: now, expires: now.Add(f.config.TokenLife)}
	id := "gAAAA" + f.id()
	f.tokens[id] = t
	w.Header().Set("X-Subject-Token", id)
	answer(w, 201, f.describe(t))
}

func (f *Cloud) whoLogsIn(asked loginRequest) *user {
	for _, method := range asked.Auth.Identity.Methods {
		switch method {
		case "password":
			who := asked.Auth.Identity.Password.User
			for _, u := range f.users {
				if (u.name == who.Name || u.id == who.ID) && who.Password == Password {
					return u
				}
			}
		case "token":
			if t := f.valid(asked.Auth.Identity.Token.ID); t != nil {
				return t.user
			}
		}
	}
	return nil
}

func (f *Cloud) describe(t *token) object {
	domain := object{"id": "default", "name": "Default"}
	endpoint := func(name, kind, url string) object {
		var all []object
		for _, face := range []string{"public", "internal", "admin"} {
			all = append(all, object{
				"id": name + face, "interface": face, "region": f.config.Region, "region_id": f.config.Region, "url": url,
			})
		}
		return object{"id": name, "name": name, "type": kind, "endpoints": all}
	}
	return object{"token": object{
		"methods": []string{"password"}, "audit_ids": []string{"fake"}, "is_domain": false,
		"user":       object{"id": t.user.id, "name": t.user.name, "domain": domain, "password_expires_at": nil},
		"project":    object{"id": t.project.id, "name": t.project.name, "domain": domain},
		"roles":      []object{{"id": t.user.role, "name": t.user.role}},
		"issued_at":  naive(t.issued).(string) + "Z",
		"expires_at": naive(t.expires).(string) + "Z",
		"catalog": []object{
			endpoint("keystone", "identity", f.AuthURL()),
			endpoint("nova", "compute", f.url+"/compute/v2.1"),
		},
	}}
}

func (f *Cloud) validate(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.valid(r.Header.Get("X-Auth-Token")) == nil {
		unauthorized(w)
		return
	}
	subject := f.valid(r.Header.Get("X-Subject-Token"))
	if subject == nil {
		keystoneFails(w, 404, "Not Found", "Failed to validate token")
		return
	}
	w.Header().Set("X-Subject-Token", r.Header.Get("X-Subject-Token"))
	answer(w, 200, f.describe(subject))
}

func (f *Cloud) showUser(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := f.valid(r.Header.Get("X-Auth-Token"))
	if t == nil {
		unauthorized(w)
		return
	}
	id := r.PathValue("id")
	if t.user.role != "admin" && t.user.id != id {
		keystoneFails(w, 403, "Forbidden", "You are not authorized to perform the requested action: identity:get_user.")
		return
	}
	for _, u := range f.users {
		if u.id == id {
			answer(w, 200, object{"user": object{"id": u.id, "name": u.name, "domain_id": "default", "enabled": true}})
			return
		}
	}
	keystoneFails(w, 404, "Not Found", "Could not find user: "+id+".")
}

func keystoneFails(w http.ResponseWriter, status int, title, message string) {
	answer(w, status, object{"error": object{"code": status, "title": title, "message": message}})
}
