package nova

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a clock that stands until it is pushed.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) push(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

type client struct {
	t     *testing.T
	f     *Cloud
	http  http.Client
	token string
	minor string
}

func start(t *testing.T, c Config) (*Cloud, *clock) {
	t.Helper()
	now := &clock{now: time.Date(2026, 11, 23, 7, 0, 0, 0, time.UTC)}
	c.Now = now.Now
	f := Start(c)
	t.Cleanup(f.Close)
	return f, now
}

func (f *Cloud) as(t *testing.T, user string) *client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	c := &client{t: t, f: f, http: http.Client{Transport: transport}, minor: "2.93"}
	body := fmt.Sprintf(`{"auth": {"identity": {"methods": ["password"], "password": {"user":
		{"name": %q, "domain": {"name": "Default"}, "password": %q}}}}}`, user, Password)
	answer, err := c.http.Post(f.AuthURL()+"/auth/tokens", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	c.token = answer.Header.Get("X-Subject-Token")
	if answer.StatusCode != 201 || c.token == "" {
		t.Fatalf("login of %s: %s", user, answer.Status)
	}
	return c
}

// do sends a request to Nova and returns status and body.
func (c *client) do(method, path, body string) (int, string) {
	c.t.Helper()
	req, err := http.NewRequest(method, c.f.url+"/compute/v2.1"+path, bytes.NewBufferString(body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("X-Auth-Token", c.token)
	req.Header.Set("X-OpenStack-Nova-API-Version", c.minor)
	answer, err := c.http.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

func (c *client) status(id string) string {
	c.t.Helper()
	code, text := c.do("GET", "/servers/"+id, "")
	var body struct {
		Server struct {
			Status string
			Task   string `json:"OS-EXT-STS:task_state"`
		}
	}
	if err := json.Unmarshal([]byte(text), &body); err != nil || code != 200 {
		c.t.Fatalf("%d %s: %v", code, text, err)
	}
	return strings.TrimSpace(body.Server.Status + " " + body.Server.Task)
}

func TestStartTakesItsTime(t *testing.T) {
	t.Parallel()
	f, now := start(t, Config{Delay: 10 * time.Second})
	alice := f.as(t, "alice")
	id := f.AddServer(Server{Name: "worker-1", State: "stopped"})

	if code, text := alice.do("POST", "/servers/"+id+"/action", `{"os-start": null}`); code != 202 {
		t.Fatalf("start: %d %s", code, text)
	}
	if got := alice.status(id); got != "SHUTOFF powering-on" {
		t.Errorf("right after: %s", got)
	}
	if code, text := alice.do("POST", "/servers/"+id+"/action", `{"os-start": null}`); code != 409 ||
		!strings.Contains(text, "Cannot 'start' instance "+id+" while it is in task_state powering-on") {
		t.Errorf("a second start: %d %s", code, text)
	}
	now.push(11 * time.Second)
	if got := alice.status(id); got != "ACTIVE" {
		t.Errorf("when it is due: %s", got)
	}
}

func TestGuardsAnswerAsNovaDoes(t *testing.T) {
	t.Parallel()
	f, _ := start(t, Config{})
	alice, viewer := f.as(t, "alice"), f.as(t, "viewer")
	off := f.AddServer(Server{Name: "off", State: "stopped"})
	locked := f.AddServer(Server{Name: "locked"})
	foreign := f.AddServer(Server{Name: "foreign", Project: "admin", User: "admin"})
	f.Lock(locked, true)
	for _, c := range []struct {
		who      *client
		id, body string
		code     int
		says     string
	}{
		{alice, off, `{"os-stop": null}`, 409, `{"conflictingRequest":{"code":409,"message":"Cannot 'stop' instance ` + off + ` while it is in vm_state stopped"}}`},
		{alice, off, `{"reboot": {"type": "SOFT"}}`, 409, "Cannot 'reboot' instance " + off + " while it is in vm_state stopped"},
		{alice, off, `{"reboot": {"type": "WARM"}}`, 400, "badRequest"},
		{alice, off, `{"dance": null}`, 400, "badRequest"},
		{alice, locked, `{"os-stop": null}`, 409, "Instance " + locked + " is locked"},
		{alice, off, `{"os-resetState": {"state": "active"}}`, 403, "os_compute_api:os-admin-actions:reset_state"},
		{alice, foreign, `{"os-stop": null}`, 404, `"itemNotFound"`},
		{viewer, off, `{"os-start": null}`, 403, "Policy doesn't allow os_compute_api:servers:start to be performed."},
	} {
		code, text := c.who.do("POST", "/servers/"+c.id+"/action", c.body)
		if code != c.code || !strings.Contains(text, c.says) {
			t.Errorf("%s: %d %s, want %d with %q", c.body, code, text, c.code, c.says)
		}
	}
	if n := len(f.Writes()); n != 8 {
		t.Errorf("%d writing requests noted, want 8", n)
	}
}

func TestGuestPoweringOffIsAStopByNobody(t *testing.T) {
	t.Parallel()
	f, _ := start(t, Config{})
	admin, alice := f.as(t, "admin"), f.as(t, "alice")
	id := f.AddServer(Server{Name: "worker-1", Host: "cmp-1"})
	f.PowerOff(id)
	_, text := alice.do("GET", "/servers/"+id+"/os-instance-actions", "")
	var list struct {
		InstanceActions []struct {
			Action  string
			Request string  `json:"request_id"`
			User    *string `json:"user_id"`
		}
	}
	if err := json.Unmarshal([]byte(text), &list); err != nil || len(list.InstanceActions) != 2 {
		t.Fatalf("%s: %v", text, err)
	}
	stop := list.InstanceActions[0]
	if stop.Action != "stop" || stop.User != nil {
		t.Errorf("newest action %+v", stop)
	}
	path := "/servers/" + id + "/os-instance-actions/" + stop.Request
	if _, text := admin.do("GET", path, ""); !strings.Contains(text, `"host":"cmp-1"`) {
		t.Errorf("an admin sees no host: %s", text)
	}
	if _, text := alice.do("GET", path, ""); strings.Contains(text, `"host":`) || !strings.Contains(text, `"hostId"`) {
		t.Errorf("a member sees: %s", text)
	}
	alice.minor = "2.1"
	if _, text := alice.do("GET", path, ""); strings.Contains(text, "events") {
		t.Errorf("a member at 2.1 sees events: %s", text)
	}
}

func TestTasksWaitForTheirHost(t *testing.T) {
	t.Parallel()
	f, now := start(t, Config{Delay: time.Second, TokenLife: 24 * time.Hour})
	admin := f.as(t, "admin")
	id := f.AddServer(Server{Name: "worker-1", Host: "cmp-1", State: "stopped"})
	f.SetHostDown("cmp-1", true)
	admin.do("POST", "/servers/"+id+"/action", `{"os-start": null}`)
	now.push(time.Hour)
	if got := admin.status(id); got != "SHUTOFF powering-on" {
		t.Errorf("while the host is down: %s", got)
	}
	f.SetHostDown("cmp-1", false)
	if got := admin.status(id); got != "ACTIVE" {
		t.Errorf("when the host is back: %s", got)
	}
}

func TestTokensExpire(t *testing.T) {
	t.Parallel()
	f, now := start(t, Config{TokenLife: time.Minute})
	alice := f.as(t, "alice")
	if code, _ := alice.do("GET", "/servers", ""); code != 200 {
		t.Fatalf("fresh token: %d", code)
	}
	now.push(2 * time.Minute)
	if code, text := alice.do("GET", "/servers", ""); code != 401 {
		t.Errorf("old token: %d %s", code, text)
	}
}

func TestListsChangesPagesAndProjects(t *testing.T) {
	t.Parallel()
	f, now := start(t, Config{PageLimit: 2})
	admin, alice := f.as(t, "admin"), f.as(t, "alice")
	for i := range 3 {
		f.AddServer(Server{Name: fmt.Sprint("demo-", i)})
	}
	f.AddServer(Server{Name: "other", Project: "admin", User: "admin"})
	now.push(time.Minute)
	gone := f.AddServer(Server{Name: "gone"})
	f.RemoveServer(gone)

	names := func(c *client, path string) (names []string, next bool) {
		_, text := c.do("GET", path, "")
		var body struct {
			Servers []struct{ ID, Name, Status string }
			Links   []any `json:"servers_links"`
		}
		if err := json.Unmarshal([]byte(text), &body); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		for _, s := range body.Servers {
			names = append(names, strings.TrimSpace(s.Name+" "+s.Status))
		}
		return names, body.Links != nil
	}
	if got, next := names(alice, "/servers/detail"); fmt.Sprint(got) != "[demo-2 ACTIVE demo-1 ACTIVE]" || !next {
		t.Errorf("first page %v, next %v", got, next)
	}
	if got, next := names(alice, "/servers/detail?limit=1"); len(got) != 1 || !next {
		t.Errorf("a page of one: %v, next %v", got, next)
	}
	if code, text := alice.do("GET", "/servers/detail?all_tenants=1", ""); code != 403 {
		t.Errorf("all projects as a member: %d %s", code, text)
	}
	if got, _ := names(admin, "/servers/detail?all_tenants=1&changes-since=2026-11-23T07:01:00Z"); fmt.Sprint(got) != "[gone DELETED]" {
		t.Errorf("changes: %v", got)
	}
}

func TestOlderMicroversionsSayLess(t *testing.T) {
	t.Parallel()
	f, _ := start(t, Config{MaxMinor: 60})
	admin := f.as(t, "admin")
	id := f.AddServer(Server{Name: "a"})
	admin.minor = "2.93"
	if code, text := admin.do("GET", "/servers", ""); code != 406 || !strings.Contains(text, "maximum is 2.60") {
		t.Errorf("too new: %d %s", code, text)
	}
	for minor, want := range map[string]map[string]bool{
		"2.1":  {`"locked"`: false, "original_name": false, "host_status": false},
		"2.60": {`"locked"`: true, "original_name": true, "host_status": true},
	} {
		admin.minor = minor
		_, text := admin.do("GET", "/servers/"+id, "")
		for field, there := range want {
			if strings.Contains(text, field) != there {
				t.Errorf("%s at %s: there is %v", field, minor, !there)
			}
		}
	}
}

func TestServiceIsDisabledAndHookRuns(t *testing.T) {
	t.Parallel()
	told := make(chan string, 1)
	var f *Cloud
	f, _ = start(t, Config{OnAction: func(id, action string) {
		f.Servers() // a hook may call back
		told <- action
	}})
	admin := f.as(t, "admin")
	id := f.AddServer(Server{Name: "a", Host: "cmp-1", State: "stopped"})
	admin.do("POST", "/servers/"+id+"/action", `{"os-start": null}`)
	if got := <-told; got != "os-start" {
		t.Errorf("hook was told %s", got)
	}
	service := f.hosts[len(f.hosts)-1].id
	code, text := admin.do("PUT", "/os-services/"+service, `{"status": "disabled", "disabled_reason": "disk"}`)
	if code != 200 || !strings.Contains(text, `"disabled_reason":"disk"`) {
		t.Errorf("disable: %d %s", code, text)
	}
}
