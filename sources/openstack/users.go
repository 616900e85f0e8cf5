package openstack

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"strata/internal/connect"
)

// mostNames is how many users Keystone is asked for in one poll.
const mostNames = 5

// users knows the names of the users who acted. They are a courtesy: without them the ids show.
type users struct {
	*watch
	names map[string]string    // by id; "" is not known
	again map[string]time.Time // when an unknown name may be asked for again
	deny  time.Time            // Keystone does not tell this token; not asked before
}

func newUsers(w *watch) *users {
	return &users{watch: w, names: map[string]string{}, again: map[string]time.Time{}}
}

// name fills in the user names of some histories, as far as they are known or Keystone tells.
func (u *users) name(ctx context.Context, all []history) {
	if me, err := u.clients.Whoami(ctx); err == nil && me.UserID != "" {
		u.names[me.UserID] = me.User
	}
	asked := 0
	for _, h := range all {
		for i := range h.actions {
			one := &h.actions[i]
			if one.User == "" || one.UserName != "" {
				continue
			}
			if u.names[one.User] == "" && asked < mostNames && u.mayAsk(one.User) {
				asked++
				u.ask(ctx, one.User)
			}
			one.UserName = u.names[one.User]
		}
	}
}

func (u *users) mayAsk(id string) bool {
	now := time.Now()
	return now.After(u.deny) && now.After(u.again[id])
}

func (u *users) ask(ctx context.Context, id string) {
	u.again[id] = time.Now().Add(u.options.Rarely)
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	keystone, err := u.clients.Keystone(ctx)
	if err != nil {
		return
	}
	var found struct {
		User struct{ Name string }
	}
	_, err = fetch(ctx, keystone, "users/"+id, func(body io.Reader) error { return json.NewDecoder(body).Decode(&found) })
	if a, ok := connect.AnswerOf(err); !ok || a.Status != http.StatusNotFound {
		if err != nil {
			u.deny = time.Now().Add(u.options.Rarely)
		}
	}
	u.names[id] = found.User.Name
}
