package openstack

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"strata/internal/fleet"
)

// decodeAs reads an answer of Nova by the name of its file.
func decodeAs(name string, body []byte) (any, page, error) {
	r := bytes.NewReader(body)
	switch {
	case strings.HasPrefix(name, "servers-"):
		var all []*fleet.Server
		p, err := readPage(r, "servers", func(_ int, row *wireServer) { all = append(all, row.server("openstack/lab")) })
		return all, p, err
	case strings.HasPrefix(name, "os-instance-actions-"):
		var all []fleet.ServerAction
		p, err := readPage(r, "instanceActions", func(_ int, row *wireAction) { all = append(all, row.action()) })
		return all, p, err
	case strings.HasPrefix(name, "os-instance-action-"):
		var whole struct{ InstanceAction wireAction }
		err := json.Unmarshal(body, &whole)
		return whole.InstanceAction.action(), page{}, err
	case strings.HasPrefix(name, "os-services-"):
		var all []*fleet.ComputeService
		p, err := readPage(r, "services", func(_ int, row *wireService) { all = append(all, row.service("openstack/lab")) })
		return all, p, err
	case strings.HasPrefix(name, "os-hypervisors-"):
		var all []*fleet.Hypervisor
		p, err := readPage(r, "hypervisors", func(_ int, row *wireHypervisor) { all = append(all, row.hypervisor("openstack/lab")) })
		return all, p, err
	}
	var all []fleet.Flavor
	p, err := readPage(r, "flavors", func(_ int, row *wireFlavor) { all = append(all, row.flavor()) })
	return all, p, err
}

// TestRealAnswersDecode compares what becomes of answers of a real Nova, to an admin, a member and a reader, with
// testdata/golden. UPDATE_GOLDEN=1 writes the golden files anew.
func TestRealAnswersDecode(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/nova/*.json")
	if err != nil || len(files) < 20 {
		t.Fatalf("fixtures %v, %v", files, err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		if strings.Contains(name, "-403") || strings.Contains(name, "-409") {
			continue
		}
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		seen, p, err := decodeAs(name, body)
		if err != nil || len(p.bad) > 0 {
			t.Errorf("%s: %v, rows %v", name, err, p.bad)
			continue
		}
		got, err := json.MarshalIndent(seen, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden := filepath.Join("testdata", "golden", name)
		if os.Getenv("UPDATE_GOLDEN") != "" {
			if err := os.WriteFile(golden, append(got, '\n'), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.TrimSpace(string(want)), string(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func rowsOf(t *testing.T, body string) ([]*fleet.Server, page) {
	t.Helper()
	seen, p, err := decodeAs("servers-", []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return seen.([]*fleet.Server), p
}

func TestAnOddRowDoesNotHideTheOthers(t *testing.T) {
	t.Parallel()
	all, p := rowsOf(t, `{"servers": [
		{"id": "a", "name": "first", "status": "ACTIVE"},
		{"id": "b", "name": {"odd": 1}, "status": "SHUTOFF", "OS-EXT-STS:power_state": "four", "updated": 17, "locked": true},
		null, 7, "text", [],
		{"id": "c", "status": "ERROR", "addresses": {"net": "none"}, "flavor": null, "fault": "x", "tags": {}},
		{"id": "d", "name": "last", "status": "ACTIVE"}], "more": {"deep": [1, 2]}}`)
	var words []string
	for _, s := range all {
		words = append(words, strings.TrimSpace(s.ID+" "+s.Name+" "+s.Run.Status))
	}
	want := "[a first ACTIVE b  SHUTOFF     c  ERROR d last ACTIVE]"
	if fmt.Sprint(words) != want || len(p.bad) != 5 {
		t.Errorf("rows %v, bad %v, want %s", words, p.bad, want)
	}
	if !all[1].Run.Locked.V {
		t.Error("what fits after what does not fit is lost")
	}
}

func TestMissingIsNotZero(t *testing.T) {
	t.Parallel()
	all, _ := rowsOf(t, `{"servers": [{"id": "a"}, {"id": "b", "OS-EXT-STS:power_state": 0, "locked": false}]}`)
	if all[0].Run.Power.OK || all[0].Run.Locked.OK {
		t.Errorf("missing became %+v", all[0].Run)
	}
	if !all[1].Run.Power.OK || !all[1].Run.Locked.OK {
		t.Errorf("zero became %+v", all[1].Run)
	}
}

func TestNoListIsAnError(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		"", "{", "[]", "null", "<html>", `{"servers": 7}`, `{"servers": [{"id": "a"}`, `{"servers": [{"id": "a"}]`,
		`{"forbidden": {"code": 403}}`, `{"servers": [{"id": "a"}, `, `{"servers": null}`,
	} {
		if _, _, err := decodeAs("servers-", []byte(body)); err == nil {
			t.Errorf("%q is taken for a list", body)
		}
	}
}

func TestTimesAreUTCWithAndWithoutAZone(t *testing.T) {
	t.Parallel()
	want := time.Date(2026, 11, 23, 7, 14, 41, 0, time.UTC)
	for _, text := range []string{"2026-11-23T07:14:41Z", "2026-11-23T07:14:41.000000", "2026-11-23T07:14:41"} {
		if got := when(text); !got.Equal(want) {
			t.Errorf("%s is %v", text, got)
		}
	}
	for _, text := range []string{"", "yesterday", "2026-11-23", "2026-13-23T07:14:41Z"} {
		if got := when(text); !got.IsZero() {
			t.Errorf("%q is %v", text, got)
		}
	}
}

func FuzzAnswers(f *testing.F) {
	files, err := filepath.Glob("testdata/nova/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(filepath.Base(file), body)
	}
	f.Fuzz(func(t *testing.T, name string, body []byte) {
		seen, p, err := decodeAs(name, body)
		if all, ok := seen.([]*fleet.Server); ok && err == nil {
			for _, b := range p.bad {
				if b.index >= len(all) {
					t.Errorf("row %d of %d is bad", b.index, len(all))
				}
			}
		}
	})
}

// manyServers is an answer with n servers like those of a real Nova.
func manyServers(tb testing.TB, n int) []byte {
	tb.Helper()
	body, err := os.ReadFile("testdata/nova/servers-detail-admin-2.93.json")
	if err != nil {
		tb.Fatal(err)
	}
	var one struct{ Servers []json.RawMessage }
	if err := json.Unmarshal(body, &one); err != nil {
		tb.Fatal(err)
	}
	row := string(one.Servers[0])
	rows := make([]string, n)
	for i := range rows {
		rows[i] = strings.ReplaceAll(row, "97a76eda-3b4f-4a16-ab14-c6b4d21f867a", fmt.Sprintf("%08x-3b4f-4a16-ab14-c6b4d21f867a", i))
	}
	var small bytes.Buffer
	if err := json.Compact(&small, []byte(`{"servers": [`+strings.Join(rows, ",")+`]}`)); err != nil {
		tb.Fatal(err)
	}
	return small.Bytes()
}

func BenchmarkDecode2000Servers(b *testing.B) {
	body := manyServers(b, 2000)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		_, err := readPage(bytes.NewReader(body), "servers", func(_ int, r *wireServer) {
			if r.server("openstack/home").ID != "" {
				n++
			}
		})
		if err != nil || n != 2000 {
			b.Fatal(n, err)
		}
	}
}
