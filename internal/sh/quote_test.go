package sh

import (
	"strings"
	"testing"
)

func TestACommandToPaste(t *testing.T) {
	t.Parallel()
	for want, argv := range map[string][]string{
		"kubectl --context prod get nodes":          {"kubectl", "--context", "prod", "get", "nodes"},
		"openstack --os-cloud 'my cloud'":           {"openstack", "--os-cloud", "my cloud"},
		"kubectl '--user=kim; reboot'":              {"kubectl", "--user=kim; reboot"},
		"rm ''":                                     {"rm", ""},
		`echo 'it'\''s' '$(id)'`:                    {"echo", "it's", "$(id)"},
		"kubectl --user=kim@example.org -n a:b/c":   {"kubectl", "--user=kim@example.org", "-n", "a:b/c"},
		"'A=b' A=b":                                 {"A=b", "A=b"},
		"ls '~root' '!!' '*' 'größe' '\x1b' 'a\nb'": {"ls", "~root", "!!", "*", "größe", "\x1b", "a\nb"},
		"": {},
	} {
		if got := Quote(argv...); got != want {
			t.Errorf("%q is written %s, want %s", argv, got, want)
		}
	}
}

// What a shell makes of a quoted command are the words that were quoted.
func FuzzQuote(f *testing.F) {
	for _, word := range []string{"prod", "", "it's", "a b", "$(id)", "`id`", "; reboot", "\\", "'\\''", "-x", "a\nb", "ü", "\xff", "~", "#", "!"} {
		f.Add(word, "b")
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		if strings.Contains(first+second, "\x00") {
			return // no argument can hold a NUL
		}
		quoted := Quote("printf", `%s\0`, first, second)
		r, err := Run(t.Context(), Cmd{Argv: []string{"sh", "-c", quoted}})
		if want := first + "\x00" + second + "\x00"; err != nil || string(r.Stdout) != want {
			t.Errorf("%s printed %q (%s), %v; want %q", quoted, r.Stdout, r.Stderr, err, want)
		}
	})
}
