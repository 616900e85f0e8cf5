package wire

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	old "sigs.k8s.io/yaml"

	"strata/internal/fleet"
)

// hostile are texts that a terminal would obey, or that a reader of YAML may take for something else.
func hostile() []string {
	return []string{
		"\x1b]0;owned\x07", "\x1b[2J", "\u009b2J", "\x7f", "\u202egnp.exe", "\u200b", "\ufeff", "\U000e0041", "\u2028", "\u0085",
		"a\nb", "a\r\nb", "\tx", " x", "x ", "", "-", "- x", "a: b", "a #b", "#", "yes", "NO", "null", "~", "1", "0x1f", "1e3", "12:30:45",
		".inf", "2025-07-08", "2025-07-08T03:00:00Z", "'", `"`, `\`, `\u001b`, "{}", "[a]", "|", ">-", "!x", "&x", "*x", "%", "@", "`", "?", "<<",
		"größe", "日本", "😀", "k8s-worker-1", "kube/home", "\xff", "\uffff", "\x00", "---", "...", "=",
	}
}

// shown fails the test when a terminal would obey something in what is printed.
func shown(t *testing.T, text []byte) {
	t.Helper()
	if !utf8.Valid(text) {
		t.Errorf("%q is no UTF-8", text)
	}
	for _, r := range string(text) {
		if r != '\n' && unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
			t.Errorf("%q holds %U as it is", text, r)
		}
	}
}

// same fails the test unless JSON, its printable form and its YAML hold the same values.
func same(t *testing.T, text []byte) {
	t.Helper()
	var want, printed, read, readByOld any
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	printable := Printable(text)
	shown(t, printable)
	if err := json.Unmarshal(printable, &printed); err != nil {
		t.Errorf("%s is no JSON: %v", printable, err)
	}
	if d := cmp.Diff(want, printed); d != "" {
		t.Errorf("%s holds other values (-want +got):\n%s", printable, d)
	}
	asYAML, err := YAML(text)
	if err != nil {
		t.Fatal(err)
	}
	shown(t, asYAML)
	if err := yaml.Unmarshal(asYAML, &read); err != nil {
		t.Errorf("%s\nis no YAML: %v", asYAML, err)
	}
	if err := old.Unmarshal(asYAML, &readByOld); err != nil {
		t.Errorf("%s\nis no YAML 1.1: %v", asYAML, err)
	}
	for reader, got := range map[string]any{"YAML 1.2": read, "YAML 1.1": readByOld} {
		again, err := json.Marshal(got) // readers differ in the types of numbers
		if err != nil {
			t.Fatal(err)
		}
		var values any
		if err := json.Unmarshal(again, &values); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, values); d != "" {
			t.Errorf("%s\nholds other values for a reader of %s (-want +got):\n%s", asYAML, reader, d)
		}
	}
}

func TestWhatIsPrintedIsShownAndReadsBack(t *testing.T) {
	t.Parallel()
	for _, s := range hostile() {
		text, err := json.MarshalIndent(map[string]any{
			"text": s, "list": []any{s, []any{s, 1}, map[string]any{"in": s, s + "x": nil}, []any{}}, s + "key": true, "none": map[string]any{},
			"n": 1.5e300, "big": int64(1) << 53, "neg": -1,
		}, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		same(t, text)
	}
	for _, text := range []string{`1`, `"\u001b"`, `[]`, `{}`, `null`, `[[[]]]`, `[{"a":[{"b":[1]}]}]`} {
		same(t, []byte(text))
	}
}

func TestASnapshotIsShownAndReadsBack(t *testing.T) {
	t.Parallel()
	var pods fleet.Facts
	for i, s := range hostile() {
		s = strings.ToValidUTF8(s, "?")
		pods = append(pods, &fleet.Pod{Source: "kube/a", Namespace: "x", Name: string(rune('A' + i)), Run: fleet.PodRun{Message: s}})
	}
	parts := []fleet.Part{{Source: "kube/a", Scope: "pods/x", Kind: fleet.KindPod, At: time.Unix(1751943600, 0).UTC(), Err: "\x1b[2J\u009b\u202e", Facts: pods}}
	want := fleet.NewSnapshot(1, time.Unix(1751943600, 0).UTC(), parts, nil, nil)
	b, err := EncodeSnapshot(want)
	if err != nil {
		t.Fatal(err)
	}
	shown(t, b)
	same(t, b)
	got, err := DecodeSnapshot(b)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, got, want)
}

func TestYAMLIsReadByPeople(t *testing.T) {
	t.Parallel()
	got, err := YAML([]byte(`{"schema":"strata/v1","parts":[{"source":"kube/home","error":"it fails: \u001b[2J","objects":[],"at":"2025-07-08T03:00:00Z"},{"m":[1,"2"]}]}`))
	want := `schema: strata/v1
parts:
  - source: kube/home
    error: "it fails: \u001b[2J"
    objects: []
    at: "2025-07-08T03:00:00Z"
  - m:
      - 1
      - "2"
`
	if err != nil || string(got) != want {
		t.Errorf("got (%v)\n%s", err, got)
	}
	for _, bad := range []string{``, `{`, `[1`, `{"a":}`, `1 2`, `{"a":1}]`} {
		if text, err := YAML([]byte(bad)); err == nil {
			t.Errorf("%q became %q", bad, text)
		}
	}
}

func FuzzPrintable(f *testing.F) {
	for _, s := range hostile() {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, name, s string) {
		if len(name) > 500 {
			return // names so long need another form in YAML, and no system gives them
		}
		text, err := json.Marshal(map[string]any{"k" + name: []any{s, map[string]any{name: s}}})
		if err != nil {
			t.Fatal(err)
		}
		same(t, text)
	})
}
