package config

import (
	"errors"
	"strings"
	"testing"
)

func TestOnePrometheusOrSeveral(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]Prometheus{
		"prometheus:\n  url: http://10.0.0.9:9090/prom\n": {{Name: "10.0.0.9", URL: "http://10.0.0.9:9090/prom"}},
		"prometheus: []\n": nil,
		"prometheus:\n":    nil,
		"prometheus:\n  - url: https://a\n    user: u\n    passwordFile: /p\n  - {name: b, url: https://a, tokenEnv: T, caFile: /ca, alertmanager: 'http://am:9093'}\n": {
			{Name: "a", URL: "https://a", User: "u", PasswordFile: "/p"},
			{Name: "b", URL: "https://a", TokenEnv: "T", CAFile: "/ca", Alertmanager: "http://am:9093"},
		},
	} {
		got, err := Parse("f", []byte(text), Default(home))
		if err != nil || len(got.Prometheus) != len(want) {
			t.Errorf("%q gives %+v, %v", text, got.Prometheus, err)
			continue
		}
		for i := range want {
			if got.Prometheus[i] != want[i] {
				t.Errorf("%q gives %+v, want %+v", text, got.Prometheus[i], want[i])
			}
		}
	}
}

func TestFaultsOfAPrometheusPointAtTheirPlace(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"prometheus:\n  url: prometheus:9090\n":                                       "f:2:8: ",
		"prometheus:\n  url: https://u:secret@a\n":                                    "f:2:8: there is no room for a password",
		"prometheus:\n  name: x\n":                                                    "it has no url",
		"prometheus:\n  - url: https://a\n    name: a/b\n":                            "f:3:11: ",
		"prometheus:\n  - url: https://a\n    caFile: ca.pem\n":                       "f:3:13: \"ca.pem\" is no absolute path",
		"prometheus:\n  url: https://a\n  user: u\n":                                  "f:3:9: its password is missing",
		"prometheus:\n  url: https://a\n  passwordEnv: P\n":                           "there is a password and no user",
		"prometheus:\n  url: https://a\n  user: u\n  passwordEnv: P\n  tokenEnv: T\n": "f:3:9: it has a user and a token",
		"prometheus:\n  - url: https://a\n  - url: https://a\n":                       "two called \"a\"",
		"prometheus:\n  url: https://a\n  insecure: true\n":                           "insecure",
		"prometheus:\n  - url: https://a\n    pasword: x\n":                           "f:3:5: there is no key \"pasword\" here",
		"prometheus: yes\n":         "f:1:",
		"poll:\n  prometheus: 1s\n": "f:2:15: 1s is too often",
	} {
		_, err := Parse("f", []byte(text), Default(home))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
		var f *Fault
		if !errors.As(err, &f) {
			t.Errorf("%q: the fault does not know its place: %v", text, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("a password is told: %v", err)
		}
	}
}
