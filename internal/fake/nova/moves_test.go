package nova

import (
	"strings"
	"testing"
	"time"
)

// moving is a cloud of two hosts with a server on the first.
func moving(t *testing.T) (f *Cloud, now *clock, id, action string) {
	t.Helper()
	f, now = start(t, Config{Delay: 5 * time.Second})
	f.AddHost("one", now.Now())
	f.AddHost("two", now.Now())
	id = f.AddServer(Server{Name: "w", Host: "one", Project: "demo"})
	return f, now, id, "/servers/" + id + "/action"
}

func TestALiveMigrationTakesTimeAndEndsElsewhere(t *testing.T) {
	f, now, id, action := moving(t)
	admin := f.as(t, "admin")
	if code, said := f.as(t, "alice").do("POST", action, `{"os-migrateLive": {"host": null, "block_migration": "auto"}}`); code != 403 || !strings.Contains(said, "os-migrate-server:migrate_live") {
		t.Errorf("a member: %d %s", code, said)
	}
	if code, said := admin.do("POST", action, `{"os-migrateLive": {"host": "three", "block_migration": "auto"}}`); code != 400 || !strings.Contains(said, "could not be found") {
		t.Errorf("to nowhere: %d %s", code, said)
	}
	if code, said := admin.do("POST", action, `{"os-migrateLive": {"host": "two", "block_migration": "auto"}}`); code != 202 {
		t.Fatalf("%d %s", code, said)
	}
	if code, said := admin.do("POST", action, `{"os-stop": null}`); code != 409 || !strings.Contains(said, "task_state migrating") {
		t.Errorf("a stop meanwhile: %d %s", code, said)
	}
	if run, _ := f.Run(id); run.Task != "migrating" || run.Host != "one" {
		t.Errorf("on its way it is %+v", run)
	}
	now.push(6 * time.Second)
	if run, _ := f.Run(id); run.Task != "" || run.Host != "two" || run.State != "active" {
		t.Errorf("at the end it is %+v", run)
	}
}

func TestAnEvacuationWantsTheHostDown(t *testing.T) {
	f, now, id, action := moving(t)
	admin := f.as(t, "admin")
	if code, said := admin.do("POST", action, `{"evacuate": {}}`); code != 400 || !strings.Contains(said, "Compute service of one is still in use.") {
		t.Errorf("from a host that is up: %d %s", code, said)
	}
	f.SetHostDown("one", true)
	for body, want := range map[string]string{`{"evacuate": {"host": "one"}}`: "The target host can't be the same one.", `{"evacuate": {"host": "three"}}`: "Compute host three not found."} {
		if code, said := admin.do("POST", action, body); code < 400 || !strings.Contains(said, want) {
			t.Errorf("%s: %d %s", body, code, said)
		}
	}
	if code, said := admin.do("POST", action, `{"evacuate": {}}`); code != 202 {
		t.Fatalf("%d %s", code, said)
	}
	now.push(6 * time.Second)
	if run, _ := f.Run(id); run.Host != "two" || run.State != "active" || run.Task != "" {
		t.Errorf("it is %+v", run)
	}
}

func TestLocksKnowTheirOwner(t *testing.T) {
	f, _, id, action := moving(t)
	admin, alice := f.as(t, "admin"), f.as(t, "alice")
	if code, _ := admin.do("POST", action, `{"lock": {"locked_reason": "mine"}}`); code != 202 {
		t.Fatalf("lock: %d", code)
	}
	if _, said := alice.do("GET", "/servers/"+id, ""); !strings.Contains(said, `"locked_reason":"mine"`) {
		t.Errorf("the server is %s", said)
	}
	if code, said := alice.do("POST", action, `{"os-stop": null}`); code != 409 || !strings.Contains(said, "is locked") {
		t.Errorf("a member's stop: %d %s", code, said)
	}
	if code, said := alice.do("POST", action, `{"unlock": null}`); code != 403 || !strings.Contains(said, "unlock_override") {
		t.Errorf("a member's unlock: %d %s", code, said)
	}
	if code, _ := admin.do("POST", action, `{"unlock": null}`); code != 202 {
		t.Errorf("unlock: %d", code)
	}
}

func TestServersKeepTheFlavorTheyWereMadeWith(t *testing.T) {
	f, _, id, _ := moving(t)
	admin := f.as(t, "admin")
	specs := "/flavors/" + f.flavor("m1.medium").ID + "/os-extra_specs"
	if code, _ := admin.do("POST", specs, `{"extra_specs": {"quota:disk_read_iops_sec": "5"}}`); code != 200 {
		t.Fatalf("set: %d", code)
	}
	if code, said := admin.do("POST", specs, `{"extra_specs": {"quota:disk_read_iops_sec": "five"}}`); code != 400 || !strings.Contains(said, "Validation failed") {
		t.Errorf("a word: %d %s", code, said)
	}
	if code, said := f.as(t, "alice").do("DELETE", specs+"/quota:disk_read_iops_sec", ""); code != 403 || !strings.Contains(said, "os-flavor-extra-specs:delete") {
		t.Errorf("a member: %d %s", code, said)
	}
	_, flavors := admin.do("GET", "/flavors/detail", "")
	_, one := admin.do("GET", "/servers/"+id, "")
	if !strings.Contains(flavors, "quota:disk_read_iops_sec") || strings.Contains(one, "quota:disk_read_iops_sec") {
		t.Errorf("flavors %s, server %s", flavors, one)
	}
	if code, _ := admin.do("DELETE", specs+"/quota:disk_read_iops_sec", ""); code != 200 {
		t.Errorf("delete: %d", code)
	}
	if code, said := admin.do("DELETE", specs+"/quota:disk_read_iops_sec", ""); code != 404 || !strings.Contains(said, "has no extra specs with key") {
		t.Errorf("delete again: %d %s", code, said)
	}
}
