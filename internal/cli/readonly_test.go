package cli

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"strata/internal/fake/kube"
)

// Whatever could write is made in one function, which a read-only cockpit does not call.
func TestHandsAreMadeInOnePlaceOnly(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	writing := []string{"ForWriting", "NewRunner", "NewHands", "OpenAudit"}
	found, calls := map[string]bool{}, 0
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			function, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			ast.Inspect(function, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok && slices.Contains(writing, s.Sel.Name) {
					found[s.Sel.Name] = true
					if function.Name.Name != "hands" {
						t.Errorf("%s: %s uses %s; only hands may, so that watch cannot", path, function.Name.Name, s.Sel.Name)
					}
				}
				if branch, ok := n.(*ast.IfStmt); ok && unlessReadOnly(branch.Cond) {
					calls -= callsOfHands(branch.Body)
				}
				return true
			})
			calls += callsOfHands(function)
		}
	}
	if calls != 0 {
		t.Errorf("hands is called %d times outside of `if !c.ReadOnly`", calls)
	}
	for _, name := range writing {
		if !found[name] {
			t.Errorf("%s is not used at all: does this test still look for the right thing?", name)
		}
	}
}

func unlessReadOnly(e ast.Expr) bool {
	not, ok := e.(*ast.UnaryExpr)
	if !ok || not.Op != token.NOT {
		return false
	}
	s, ok := not.X.(*ast.SelectorExpr)
	return ok && s.Sel.Name == "ReadOnly"
}

func callsOfHands(n ast.Node) (calls int) {
	ast.Inspect(n, func(n ast.Node) bool {
		if c, ok := n.(*ast.CallExpr); ok {
			if s, ok := c.Fun.(*ast.SelectorExpr); ok && s.Sel.Name == "hands" {
				calls++
			}
		}
		return true
	})
	return calls
}

// configured gives a session a cloud and a cluster of its own.
func configured(t *testing.T, home string) *world {
	t.Helper()
	w, err := newWorld()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.close)
	for path, text := range map[string][]byte{
		".config/openstack/clouds.yaml": []byte(w.nova.CloudsYAML("home=admin")), ".kube/config": w.kube.Kubeconfig(),
	} {
		path = filepath.Join(home, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func TestAReadOnlyCockpitWritesNothingWhateverIsPressed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		why  string
	}{
		"watch":       {[]string{"watch", "--no-host"}, "started with `strata watch`"},
		"--read-only": {[]string{"--read-only", "--no-host"}, "started with --read-only"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			home := t.TempDir()
			w := configured(t, home)
			s := open(t, sessionOptions{home: home}, c.args...)
			s.await("the server that is off", func(screen string) bool { return strings.Contains(screen, "db-1") })
			s.press("1gms")
			s.await("the reason", func(screen string) bool { return strings.Contains(screen, c.why) })
			s.press("s\r\ry")
			s.await("the last key's page", func(screen string) bool { return strings.Contains(screen, "JSON of") })
			s.signal(syscall.SIGTERM)
			s.ends()
			if writes := w.nova.Writes(); len(writes) > 0 {
				t.Errorf("the cloud was written to: %v", writes)
			}
			if _, err := os.Stat(filepath.Join(home, ".local/state/strata/audit.jsonl")); err == nil {
				t.Error("a read-only cockpit made an audit log")
			}
		})
	}
}

func TestAReadOnlyCockpitReadsLogsAndManifestsWithGetAlone(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	w := configured(t, home)
	all := w.kube.Pods()
	pod := all[slices.IndexFunc(all, func(p kube.Pod) bool { return strings.HasPrefix(p.Name, "web") })]
	w.kube.Log(pod.Namespace, pod.Name, "main", "a line of the log")
	s := open(t, sessionOptions{home: home}, "watch", "--no-host")
	s.await("the pod", func(screen string) bool { return strings.Contains(screen, pod.Name) })
	s.press(":pods\r")
	s.await("the pane of pods", func(screen string) bool { return strings.Contains(screen, "NAMESPACE") })
	s.press("/" + pod.Name + "\r")
	s.await("no other pod", func(screen string) bool { return strings.Contains(screen, "(1)") })
	s.press("l")
	s.await("its log", func(screen string) bool { return strings.Contains(screen, "a line of the log") })
	s.press("\x1b")
	s.await("the table", func(screen string) bool { return !strings.Contains(screen, "a line of the log") })
	s.press("y")
	s.await("its manifest", func(screen string) bool { return strings.Contains(screen, "kind: Pod") })
	for _, keys := range []string{"\x1b", "m", "d", "F", "\ry", ":nodes\r", "mc", "md", "mt", "\ry", ":workloads\r", "mr", "ms", "\ry"} {
		s.press(keys)
	}
	s.await("the reason", func(screen string) bool {
		return strings.Contains(screen, "started with `strata watch`") || strings.Contains(screen, "YAML of")
	})
	s.signal(syscall.SIGTERM)
	s.ends()
	logs := 0
	for _, r := range w.kube.Requests() {
		if r.Method != "GET" {
			t.Errorf("it sent %s %s", r.Method, r.Path)
		}
		if strings.HasSuffix(r.Path, "/log") {
			logs++
		}
	}
	if logs == 0 {
		t.Error("no log was asked for: does this test still look at the right thing?")
	}
}

func TestWithoutAnAuditLogTheCockpitIsReadOnlyAndSaysWhy(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	configured(t, home)
	if err := os.MkdirAll(filepath.Join(home, ".local/state/strata/audit.jsonl"), 0o700); err != nil {
		t.Fatal(err)
	}
	s := open(t, sessionOptions{home: home}, "--no-host")
	s.await("the server that is off", func(screen string) bool { return strings.Contains(screen, "db-1") })
	s.press("1gms")
	s.await("the reason", func(screen string) bool { return strings.Contains(screen, "nothing can be done without the audit log") })
	s.signal(syscall.SIGTERM)
	s.ends()
}
