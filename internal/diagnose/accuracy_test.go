package diagnose_test

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"strata/internal/diagnose"
	"strata/internal/fleet"
	"strata/internal/wire"
)

// TestAccuracy plays whole situations, each with its truth written down beside it, and counts how often the finding to look
// at first is about the true cause, how often all true causes are among the first three, and what else alarms. Below what
// is reached now it fails. Each situation is also recorded and judged again from its recording, as `strata why --from` does.
func TestAccuracy(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/scenarios/*.txtar")
	if err != nil || len(files) < 100 {
		t.Fatalf("only %d scenarios: %v", len(files), err)
	}
	played := make([]*telling, len(files))
	t.Run("scenario", func(t *testing.T) {
		for i, file := range files {
			played[i] = &telling{name: strings.TrimSuffix(filepath.Base(file), ".txtar")}
			t.Run(played[i].name, func(t *testing.T) {
				t.Parallel()
				archive, err := txtar.ParseFile(file)
				if err != nil {
					t.Fatal(err)
				}
				played[i].story = newStory(t)
				played[i].run(t, archive)
			})
		}
	})
	var all score
	var table strings.Builder
	for _, p := range played {
		fmt.Fprintf(&table, "%-34s %s\n", p.name, &p.score)
		all.add(p.score)
	}
	t.Logf("\n%s%-34s %s", &table, "all", &all)
	if all.asked == 0 {
		return
	}
	const top1, top3, alarms = 1.0, 1.0, 0 // of checkpoints that name a cause; of all
	if share(all.first, all.asked) < top1 || share(all.three, all.asked) < top3 || all.alarms > alarms {
		t.Errorf("top-1 %.1f %%, top-3 %.1f %%, %d false alarms: worse than %.1f %%, %.1f %%, %d",
			100*share(all.first, all.asked), 100*share(all.three, all.asked), all.alarms, 100*top1, 100*top3, alarms)
	}
}

func share(part, of int) float64 { return float64(part) / float64(max(1, of)) }

// score counts checkpoints: with a cause that was asked for, those that named it first and among three, and quiet ones.
type score struct{ asked, first, three, quiet, alarms, skipped int }

func (s *score) add(o score) {
	s.asked, s.first, s.three = s.asked+o.asked, s.first+o.first, s.three+o.three
	s.quiet, s.alarms, s.skipped = s.quiet+o.quiet, s.alarms+o.alarms, s.skipped+o.skipped
}

func (s *score) String() string {
	out := fmt.Sprintf("top-1 %2d of %2d, top-3 %2d of %2d, quiet %2d, false alarms %d", s.first, s.asked, s.three, s.asked, s.quiet, s.alarms)
	if s.skipped > 0 {
		out += fmt.Sprintf(", %d wait for rules", s.skipped)
	}
	return out
}

// telling is one scenario at play.
type telling struct {
	*story
	name   string
	score  score
	needs  []string // rules that are not there yet
	left   map[string]time.Time
	before map[string]bool
}

func (p *telling) run(t *testing.T, archive *txtar.Archive) {
	t.Helper()
	for line := range strings.Lines(string(archive.Comment)) {
		if rules, ok := strings.CutPrefix(line, "needs: "); ok {
			p.needs = absent(strings.Fields(rules))
		}
	}
	if len(p.needs) > 0 { // what they read may not be there either
		p.score.skipped = strings.Count(string(txtar.Format(archive)), "\n-- truth --")
		return
	}
	p.left, p.before = map[string]time.Time{}, map[string]bool{}
	restarted := false
	for _, f := range archive.Files {
		restarted = restarted || bytes.Contains(f.Data, []byte("\nrestart\n")) || bytes.HasPrefix(f.Data, []byte("restart\n"))
	}
	p.tell(t, archive, func() { p.flicker(t) }, func(text string) { p.check(t, text) })
	p.replay(t, restarted)
}

// absent are the rules of some that do not exist.
func absent(ids []string) (none []string) {
	for _, id := range ids {
		if !slices.ContainsFunc(diagnose.Rules(), func(r diagnose.Rule) bool { return r.ID == id }) {
			none = append(none, id)
		}
	}
	return none
}

// flicker fails when a finding comes back within half a minute after it went from the screen.
func (p *telling) flicker(t *testing.T) {
	t.Helper()
	now := map[string]bool{}
	for i := range p.last.Findings {
		if f := &p.last.Findings[i]; f.Shown {
			key := f.Key()
			now[key] = true
			if at, gone := p.left[key]; gone && !p.before[key] && p.now.Sub(at) < 30*time.Second && f.Severity >= fleet.Warn {
				t.Errorf("%s: %s flickers: it was away for %s", p.now.Format(time.RFC3339), key, p.now.Sub(at))
			}
		}
	}
	for key := range p.before {
		if !now[key] {
			p.left[key] = p.now
		}
	}
	p.before = now
}

// roots are the findings that an operator is shown as causes, by rank.
func roots(s *fleet.Snapshot) (all []*fleet.Finding) {
	for i := range s.Findings {
		if f := &s.Findings[i]; f.Shown && f.Under == "" && f.Cleared.IsZero() {
			all = append(all, f)
		}
	}
	return all
}

// claim is KIND NAME RULE,RULE: a finding by one of those rules on such an object.
type claim struct{ kind, name, rules string }

func claimed(text string) claim {
	f := strings.Fields(text)
	if len(f) < 3 {
		return claim{}
	}
	return claim{f[0], strings.Join(f[1:len(f)-1], " "), f[len(f)-1]}
}

func (c claim) of(s *fleet.Snapshot, f *fleet.Finding) bool {
	names := []string{f.About.Name, f.About.Source + ":" + f.About.Name}
	if o, ok := s.Get(f.About); ok {
		names = append(names, fleet.NameOf(o))
	}
	like := slices.ContainsFunc(names, func(name string) bool {
		ok, _ := path.Match(c.name, name)
		return ok || c.name == "*" || c.name == name
	})
	return like && string(f.About.Kind) == c.kind && (c.rules == "*" || slices.Contains(strings.Split(c.rules, ","), f.Rule))
}

// truth is what is so at a moment, whatever the engine says.
type truth struct {
	causes        [][]claim // each with other names of the same
	also          []claim   // true too, and no cause
	under, not    []claim
	says, missing []string
	doubt         fleet.Confidence
	since         time.Time
	needs         []string
}

func truths(t *testing.T, text string) (is truth) {
	t.Helper()
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		word, rest, _ := strings.Cut(line, ": ")
		var claims []claim
		for _, one := range strings.Split(rest, " | ") {
			claims = append(claims, claimed(one))
		}
		switch word {
		case "cause":
			is.causes = append(is.causes, claims)
		case "also":
			is.also = append(is.also, claims...)
		case "under":
			is.under = append(is.under, claims...)
		case "not":
			is.not = append(is.not, claims...)
		case "says":
			is.says = append(is.says, rest)
		case "missing":
			is.missing = append(is.missing, rest)
		case "doubt":
			if err := is.doubt.UnmarshalText([]byte(rest)); err != nil || is.doubt == 0 {
				t.Fatalf("doubt %q", rest)
			}
		case "since":
			is.since, _ = time.Parse(time.RFC3339, rest)
		case "needs":
			is.needs = strings.Fields(rest)
		case "nothing":
		default:
			t.Fatalf("truth %q", line)
		}
	}
	return is
}

func (p *telling) check(t *testing.T, text string) {
	t.Helper()
	is := truths(t, text)
	if len(absent(is.needs)) > 0 {
		p.score.skipped++
		return
	}
	found := roots(p.last)
	// where is the place of the first root that names a cause, len(found) when none does.
	where := func(of []claim) int {
		for i, f := range found {
			if slices.ContainsFunc(of, func(c claim) bool { return c.of(p.last, f) }) {
				return i
			}
		}
		return len(found)
	}
	told := false
	wrong := func(format string, args ...any) {
		t.Errorf("at %s: %s", p.now.Format(time.RFC3339), fmt.Sprintf(format, args...))
		if !told {
			t.Log("\n" + listed(p.last))
		}
		told = true
	}
	best, worst := len(found), 0
	for _, c := range is.causes {
		best, worst = min(best, where(c)), max(worst, where(c))
	}
	if len(is.causes) == 0 {
		p.score.quiet++
	} else {
		p.score.asked++
		if best == 0 && len(found) > 0 {
			p.score.first++
		} else {
			wrong("the cause is not named first: %v", is.causes)
		}
		if worst < min(len(found), max(3, len(is.causes))) {
			p.score.three++
		} else {
			wrong("not every cause is among the first: %v", is.causes)
		}
	}
	for i, f := range found {
		true := slices.ContainsFunc(is.also, func(c claim) bool { return c.of(p.last, f) })
		for _, c := range is.causes {
			true = true || slices.ContainsFunc(c, func(c claim) bool { return c.of(p.last, f) })
		}
		if f.Severity >= fleet.Warn && !true {
			p.score.alarms++
			wrong("a false alarm at place %d: %s", i+1, f.Key())
		}
	}
	p.details(is, found, where, wrong)
}

// details checks what the finding about the first cause says, and what hangs under it.
func (p *telling) details(is truth, found []*fleet.Finding, where func([]claim) int, wrong func(string, ...any)) {
	for i := range p.last.Findings {
		f := &p.last.Findings[i]
		if f.Shown && f.Severity >= fleet.Warn && slices.ContainsFunc(is.not, func(c claim) bool { return c.of(p.last, f) }) {
			wrong("%s is not so", f.Key())
		}
	}
	if len(is.causes) == 0 || where(is.causes[0]) == len(found) {
		return
	}
	root := found[where(is.causes[0])]
	for _, says := range is.says {
		if !strings.Contains(root.Says, says) && !slices.ContainsFunc(root.Because, func(e fleet.Evidence) bool { return strings.Contains(e.Says, says) }) {
			wrong("it does not say %q: %s", says, root.Says)
		}
	}
	for _, m := range is.missing {
		if !strings.Contains(strings.Join(root.Missing, "\n"), m) {
			wrong("it does not say that it lacks %q: %q", m, root.Missing)
		}
	}
	if is.doubt != 0 && root.Confidence > is.doubt {
		wrong("it is too sure: %s", root.Confidence)
	}
	if !is.since.IsZero() && !root.Since.Equal(is.since) {
		wrong("it is since %s, not %s", root.Since, is.since)
	}
	for _, c := range is.under {
		if !slices.ContainsFunc(p.last.Findings, func(f fleet.Finding) bool { return c.of(p.last, &f) && topOf(p.last, &f) == root.Key() }) {
			wrong("%v does not hang under %s", c, root.Key())
		}
	}
}

// topOf is the key of the finding that a finding hangs under, in the end.
func topOf(s *fleet.Snapshot, f *fleet.Finding) string {
	for range s.Findings {
		i := slices.IndexFunc(s.Findings, func(o fleet.Finding) bool { return o.Key() == f.Under })
		if i < 0 {
			break
		}
		f = &s.Findings[i]
	}
	return f.Key()
}

func listed(s *fleet.Snapshot) string {
	return strings.ReplaceAll("  "+told(s), "\n", "\n  ")
}

// replay judges the recording of a scenario through a store, as `strata why --from` does: it must end with the same
// findings, and where strata was started anew in the middle, with the same cause.
func (p *telling) replay(t *testing.T, restarted bool) {
	t.Helper()
	if dir := os.Getenv("STRATA_RECORDINGS"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, p.name+".jsonl"), p.tape.Bytes(), 0o600); err != nil {
			t.Error(err)
		}
	}
	store := fleet.NewStore(diagnose.Derive(diagnose.Rules()))
	err := wire.Play(bytes.NewReader(p.tape.Bytes()), func(now time.Time, seen []fleet.Observation) bool {
		store.Replay(now, seen)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	again := store.Snapshot()
	if !restarted {
		if got, want := told(again), told(p.last); got != want {
			t.Errorf("judged from its recording:\n%s\nnot\n%s", got, want)
		}
		return
	}
	got, want := roots(again), roots(p.last)
	if len(got) != len(want) || len(got) > 0 && got[0].Key() != want[0].Key() {
		t.Errorf("judged from its recording:\n%s\nnot\n%s", told(again), told(p.last))
	}
}
