package connect

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzCloudsFile reads any clouds.yaml: a bad one is an error that names the file, never a panic, and says no password.
func FuzzCloudsFile(f *testing.F) {
	f.Add("clouds:\n  home:\n    auth:\n      auth_url: http://127.0.0.1:5000/v3\n      username: u\n      password: topsecret\n      project_name: p\n")
	f.Add("clouds: {a: {auth: {password: topsecret}}, b: 7, c: }")
	f.Add("clouds:\n  - !!map x\n")
	f.Add("!!")
	f.Add("clouds:\n  a:\n   auth: !<x\n")
	f.Fuzz(func(t *testing.T, text string) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "clouds.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		clouds, looked := Clouds(Search{Getenv: func(string) string { return "" }, Dir: dir, Home: dir, System: dir})
		for _, c := range clouds {
			if c.Err() == nil && c.AuthURL() == "" {
				t.Errorf("cloud %q can be used and has no address", c.Name)
			}
		}
		if strings.Contains(text, "password: topsecret") && strings.Contains(looked.String(), "topsecret") {
			t.Errorf("a password is shown: %s", looked)
		}
	})
}

// FuzzEnvironment reads any openrc: whatever the OS_* variables hold, there is a cloud or an error.
func FuzzEnvironment(f *testing.F) {
	f.Add("http://127.0.0.1:5000/v3", "alice", "secret", "demo", "Default", "lab")
	f.Add("::", "", "", "", "", "")
	f.Add("http://h/v2.0/", "a\x00", "b", "c", "\n", "x y")
	f.Fuzz(func(t *testing.T, url, user, password, project, domain, region string) {
		env := map[string]string{
			"OS_AUTH_URL": url, "OS_USERNAME": user, "OS_PASSWORD": password, "OS_PROJECT_NAME": project,
			"OS_USER_DOMAIN_NAME": domain, "OS_PROJECT_DOMAIN_NAME": domain, "OS_REGION_NAME": region,
		}
		dir := t.TempDir()
		clouds, _ := Clouds(Search{Getenv: func(k string) string { return env[k] }, Dir: dir, Home: dir, System: dir})
		if url != "" && len(clouds) != 1 {
			t.Errorf("OS_AUTH_URL=%q gives %d clouds", url, len(clouds))
		}
	})
}
