package prometheus

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The forms that are understood: max by (a, b) (irate(metric{a="b",c=~"d"}[5m])) > 0.
var (
	outer   = regexp.MustCompile(`^(max|sum|count) by \(([^)]*)\) \((.*)\)( > 0)?$`)
	inner   = regexp.MustCompile(`^(?:(irate|last_over_time)\()?([a-zA-Z_:][\w:]*)(?:\{(.*)\})?(?:\[\w+\])?\)?$`)
	matcher = regexp.MustCompile(`(\w+)(=~|!~|!=|=)"([^"]*)"`)
)

// expression is a query that was understood.
type expression struct {
	gather   string
	labels   []string
	function string
	metric   string
	matches  []match
	positive bool
}

type match struct {
	label string
	want  bool
	is    *regexp.Regexp
}

func parse(text string) (e expression, ok bool) {
	out := outer.FindStringSubmatch(text)
	if out == nil {
		return e, false
	}
	in := inner.FindStringSubmatch(out[3])
	if in == nil {
		return e, false
	}
	e = expression{gather: out[1], labels: strings.Split(out[2], ", "), function: in[1], metric: in[2], positive: out[4] != ""}
	for _, m := range matcher.FindAllStringSubmatch(in[3], -1) {
		pattern := m[3]
		if !strings.Contains(m[2], "~") {
			pattern = regexp.QuoteMeta(pattern)
		}
		is, err := regexp.Compile("^(?:" + pattern + ")$")
		if err != nil {
			return e, false
		}
		e.matches = append(e.matches, match{m[1], !strings.HasPrefix(m[2], "!"), is})
	}
	return e, true
}

// sample is one series of a metric: its labels in pairs and its value.
type sample struct {
	labels []string
	value  float64
	text   string // the value as it stands in the answer, where it is odd
}

func (s *sample) label(name string) string {
	for i := 0; i+1 < len(s.labels); i += 2 {
		if s.labels[i] == name {
			return s.labels[i+1]
		}
	}
	return ""
}

func (s *Server) query(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "application/json")
	e, ok := parse(text)
	if !ok {
		w.WriteHeader(http.StatusBadRequest)
		reply(w, map[string]string{"status": "error", "errorType": "bad_data", "error": "parse error: unexpected " + text})
		return
	}
	if s.answers == nil {
		s.answers = map[string][]byte{}
	}
	answer, known := s.answers[text]
	if !known {
		answer = s.answer(e)
		s.answers[text] = answer
	}
	_, _ = w.Write(answer) // a caller that went away is no matter
}

// answer is the whole answer to a query. It stays the same until the machines change.
func (s *Server) answer(e expression) []byte {
	out := []byte(`{"status":"success","data":{"resultType":"vector","result":[`)
	at := strconv.FormatFloat(float64(time.Now().UnixMilli())/1000, 'f', 3, 64)
	for i, one := range s.eval(e) {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, `{"metric":{`...)
		for n, label := range e.labels {
			if n > 0 {
				out = append(out, ',')
			}
			out = append(append(quote(out, label), ':'), quoted(one.labels[n])...)
		}
		out = append(append(append(out, `},"value":[`...), at...), `,"`...)
		if one.text != "" {
			out = append(out, one.text...)
		} else {
			out = strconv.AppendFloat(out, one.value, 'g', -1, 64)
		}
		out = append(out, `"]}`...)
	}
	return append(out, `]}}`...)
}

func quote(out []byte, text string) []byte { return append(out, quoted(text)...) }

func quoted(text string) []byte {
	b, _ := json.Marshal(text) // a string can be written
	return b
}

// eval gathers the series of a metric. Their labels come back as values, in the order of the expression's.
func (s *Server) eval(e expression) []*sample {
	groups := map[string]*sample{}
	var all []*sample
	for _, m := range s.machines {
		for _, one := range m.metric(e.metric, e.function) {
			if !slices.ContainsFunc(e.matches, func(x match) bool { return x.is.MatchString(one.label(x.label)) != x.want }) {
				values := make([]string, len(e.labels))
				for i, label := range e.labels {
					values[i] = one.label(label)
				}
				id := strings.Join(values, "\x00")
				g := groups[id]
				if g == nil {
					g = &sample{labels: values, text: m.Odd[e.metric]}
					groups[id] = g
					all = append(all, g)
					if e.gather == "max" {
						g.value = one.value
					}
				}
				switch e.gather {
				case "max":
					g.value = max(g.value, one.value)
				case "sum":
					g.value += one.value
				case "count":
					g.value++
				}
			}
		}
	}
	if e.positive {
		all = slices.DeleteFunc(all, func(g *sample) bool { return g.value <= 0 && g.text == "" })
	}
	return all
}
