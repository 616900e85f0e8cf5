package prometheus

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"
)

// row is a sample as encoding/json reads it.
type row struct {
	labels string
	v      float64
}

func scanned(text []byte, labels ...string) (rows []row, err error) {
	err = vector(text, labels, func(values [][]byte, v float64) {
		rows = append(rows, row{string(bytes.Join(values, []byte("|"))), v})
	})
	return rows, err
}

func TestAnAnswerOfPrometheus(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/filesystems.json") // of Prometheus 2.42
	if err != nil {
		t.Fatal(err)
	}
	rows, err := scanned(text, "instance", "mountpoint", "nothing")
	if err != nil || len(rows) != 2 || rows[0].labels != "127.0.0.1:19391|/|" || rows[0].v != 270553174016 {
		t.Errorf("read %v, %v", rows, err)
	}
}

func TestOddAnswers(t *testing.T) {
	t.Parallel()
	whole := func(result string) string {
		return `{"status":"success","data":{"resultType":"vector","result":[` + result + `]}}`
	}
	for text, want := range map[string][]row{
		whole(``): nil,
		whole(`{"metric":{"a":"x","b":"y"},"value":[1.5,"2"]}`):                                                    {{"x", 2}},
		whole(`{"value":[1.5,"-2e3"],"metric":{}}`):                                                                {{"", -2000}},
		whole(`{"metric":{"a":"NaN"},"value":[1,"NaN"]}`):                                                          nil,
		whole(`{"metric":{"a":"inf"},"value":[1,"+Inf"]}`):                                                         nil,
		whole(`{"metric":{"a":"no"},"value":[1,"twelve"]}`):                                                        nil,
		whole(`{"metric":{"a":"\u001b[31m\"\\\n"},"value":[1,"1"],"new":{"a":[]}}`):                                {{"\x1b[31m\"\\\n", 1}},
		` { "warnings" : [ "slow" , {} ] , "data" : { "result" : [ ] , "stats" : null } , "status" : "success" } `: nil,
	} {
		got, err := scanned([]byte(text), "a")
		if err != nil || len(got) != len(want) || len(got) > 0 && got[0] != want[0] {
			t.Errorf("%s is read as %v, %v; want %v", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		``:                     "ends before it is whole",
		`<html>`:               "not that of Prometheus",
		`[]`:                   "not that of Prometheus",
		`{}`:                   "it has no result",
		`{"status":"success"}`: "it has no result",
		`{"status":"error","errorType":"timeout","error":"query timed out"}`: "it says: query timed out",
		`{"status":"success","data":{"resultType":"matrix","result":[]}}`:    "a matrix",
		whole(`{"metric":{"a":"x"},"value":[1,"2"]}`)[:60]:                   "ends before it is whole",
		whole(`{"metric":{"a":1},"value":[1,"2"]}`):                          "not that of Prometheus",
		`{"x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`:  "nested too deep",
	} {
		if _, err := scanned([]byte(text), "a"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	long := strings.Repeat("ä", 10_000)
	if got, err := scanned([]byte(whole(`{"metric":{"a":"`+long+`"},"value":[1,"2"]}`)), "a"); err != nil || len(got) != 1 || len(got[0].labels) > longestLabel || !strings.HasPrefix(long, got[0].labels) {
		t.Errorf("a label of 20 kB is read as %v, %v", got, err)
	}
}

// FuzzVector compares with encoding/json wherever that takes the answer.
func FuzzVector(f *testing.F) {
	text, err := os.ReadFile("testdata/filesystems.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"instance":"a\"\u0000"},"value":[1.5,"NaN"]}]}}`))
	f.Add([]byte(`{"status":"error","error":"no"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := scanned(text, "instance")
		for _, r := range got {
			if math.IsNaN(r.v) || math.IsInf(r.v, 0) || len(r.labels) > longestLabel {
				t.Errorf("a sample %+v", r)
			}
		}
		var want struct {
			Status string
			Data   struct {
				ResultType string
				Result     []struct {
					Metric map[string]string
				}
			}
		}
		if err != nil || bytes.Count(text, []byte(`"result"`)) != 1 || bytes.Contains(text, []byte(`\`)) || json.Unmarshal(text, &want) != nil {
			return
		}
		if len(got) > len(want.Data.Result) {
			t.Errorf("%d samples are read of %d", len(got), len(want.Data.Result))
		}
	})
}

func FuzzAlerts(f *testing.F) {
	f.Add([]byte(`[{"fingerprint":"1","labels":{"alertname":"Down","severity":"critical"},"annotations":{"summary":"x"},"startsAt":"2025-06-30T07:00:00Z","status":{"state":"active","silencedBy":[],"inhibitedBy":null}}]`))
	f.Add([]byte(`{"status":"success"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		facts, err := readAlerts(bytes.NewReader(text), "prometheus/x")
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, o := range facts {
			if name := o.Ref().Name; seen[name] || name == "" {
				t.Errorf("alert %q came twice, or has no name", name)
			} else {
				seen[name] = true
			}
			o.Health()
		}
	})
}
