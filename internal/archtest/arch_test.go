package archtest

import (
	"go/ast"
	"go/token"
	"os"
	"slices"
	"strings"
	"testing"
)

const top = "../.."

func read(t *testing.T) (*token.FileSet, []source) {
	t.Helper()
	set, all, err := tree(top)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 50 {
		t.Fatalf("found only %d Go files", len(all))
	}
	return set, all
}

// rule says what the files of a folder may import of the project, and what they may never import at all.
type rule struct {
	folder string
	ours   []string // below strata/
	never  []string // prefixes of import paths
	others []string // prefixes of the only modules beside std; nil allows any
	why    string
}

func rules() []rule {
	none := []string{"-"}
	io := []string{"net", "net/http", "os", "os/exec", "os/signal", "syscall", "time/tzdata"}
	return []rule{
		{"internal/fleet", none, io, none, "fleet is what all speak: nouns and the store, no I/O"},
		{"internal/diagnose", []string{"internal/fleet"}, io, none, "a diagnosis must replay from a file, so it can neither look nor act"},
		{"internal/klog", []string{"internal/fleet"}, io, none, "klog understands lines and reads none"},
		{"internal/plain", none, io, none, "plain looks at text and at nothing else"},
		{"internal/wire", []string{"internal/fleet", "internal/plain"}, []string{"net", "os"}, none, "wire turns values into text and back, nothing else"},
		{"internal/notes", []string{"internal/fleet"}, []string{"net", "os/exec"}, none, "notes are strata's own files, and know nothing of the world"},
		{"internal/sh", none, []string{"net/http"}, []string{"golang.org/x/sys/"}, "sh starts processes and knows nothing of the project"},
		{"internal/connect", []string{"internal/fleet", "internal/sh", "internal/config", "internal/notes", "internal/plain", "internal/wire"}, []string{"strata/ui"}, nil, "connect makes API clients and nothing else"},
		{"sources", []string{"sources", "internal/fleet", "internal/notes", "internal/klog", "internal/connect", "internal/sh", "internal/wire"}, []string{"strata/actions", "strata/ui"}, nil, "looking never acts and never draws"},
		{"actions", []string{"internal/fleet", "internal/notes", "internal/connect", "internal/sh", "internal/wire"}, []string{"strata/ui", "strata/sources"}, nil, "effects come back through the store, not through the actor"},
		{
			"ui",
			[]string{"internal/fleet", "internal/diagnose", "internal/plain", "actions"},
			[]string{"net", "os", "os/exec", "syscall", "github.com/shirou", "k8s.io", "github.com/gophercloud", "strata/sources", "strata/internal/connect"},
			[]string{"charm.land/", "github.com/charmbracelet/", "github.com/goccy/go-yaml"},
			"drawing can do no I/O because it imports nothing that does",
		},
		{"internal/fake", []string{"internal/fake", "internal/fleet"}, []string{"strata/sources", "strata/ui", "strata/actions"}, nil, "fakes stand for the world: they know nothing of who looks at them"},
	}
}

func TestImports(t *testing.T) {
	_, all := read(t)
	for _, r := range rules() {
		for _, s := range all {
			if s.test() || s.folder() != r.folder && !strings.HasPrefix(s.folder(), r.folder+"/") || strings.HasSuffix(s.folder(), "test") {
				continue
			}
			for _, i := range s.imports {
				if bad := r.bad(i); bad != "" {
					t.Errorf("%s imports %s: %s (%s)", s.path, i, bad, r.why)
				}
			}
		}
	}
}

func (r rule) bad(path string) string {
	for _, n := range r.never {
		if path == n || strings.HasPrefix(path, n+"/") && strings.ContainsAny(n, "./") {
			return "never here"
		}
	}
	if ours, ok := strings.CutPrefix(path, "strata/"); ok {
		for _, o := range r.ours {
			if ours == o || strings.HasPrefix(ours, o+"/") {
				return ""
			}
		}
		return "not among what it may import of the project"
	}
	if !strings.Contains(strings.SplitN(path, "/", 2)[0], ".") || r.others == nil {
		return ""
	}
	for _, o := range r.others {
		if strings.HasPrefix(path, o) {
			return ""
		}
	}
	return "no such module is needed here"
}

func TestSiblingSourcesAreStrangers(t *testing.T) {
	_, all := read(t)
	for _, s := range all {
		sub, ok := strings.CutPrefix(s.folder(), "sources/")
		if !ok || s.test() {
			continue
		}
		for _, i := range s.imports {
			// tree is no source: it reads a machine's files for those that are.
			if other, ok := strings.CutPrefix(i, "strata/sources/"); ok && other != "tree" && !strings.HasPrefix(other, strings.SplitN(sub, "/", 2)[0]) {
				t.Errorf("%s imports %s: a source must work without its siblings", s.path, i)
			}
		}
	}
}

// users finds the files that use a name of a package.
func users(all []source, pkg, name string) (paths []string) {
	for _, s := range all {
		if s.test() {
			continue
		}
		ast.Inspect(s.ast, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := sel.X.(*ast.Ident); ok && x.Name == pkg && sel.Sel.Name == name && !slices.Contains(paths, s.path) {
					paths = append(paths, s.path)
				}
			}
			return true
		})
	}
	return paths
}

func TestOnlyOnePlaceMakesWritingClients(t *testing.T) {
	_, all := read(t)
	for _, path := range users(all, "connect", "ForWriting") {
		if !strings.HasPrefix(path, "internal/cli/") {
			t.Errorf("%s calls connect.ForWriting: only internal/cli may, and only when strata is not read-only", path)
		}
	}
	for _, path := range users(all, "actions", "NewRunner") {
		if !strings.HasPrefix(path, "internal/cli/") {
			t.Errorf("%s calls actions.NewRunner: without a Runner nothing can be done, so only internal/cli makes one", path)
		}
	}
}

func TestOnlyShStartsProcesses(t *testing.T) {
	_, all := read(t)
	for _, s := range all {
		if !s.test() && slices.Contains(s.imports, "os/exec") && s.folder() != "internal/sh" {
			t.Errorf("%s imports os/exec: processes are started by internal/sh only, with argv, a deadline and an output limit", s.path)
		}
	}
}

// What an action starts, it starts on the machine it was given, which a test and the demo simulate.
func TestActionsStartNothingByThemselves(t *testing.T) {
	_, all := read(t)
	for _, path := range users(all, "sh", "Run") {
		if strings.HasPrefix(path, "actions/") {
			t.Errorf("%s uses sh.Run: an action runs programs through its Hands' Machine", path)
		}
	}
}

func TestPureCodeReadsNoClock(t *testing.T) {
	_, all := read(t)
	for _, name := range []string{"Now", "Since", "Until"} {
		for _, path := range users(all, "time", name) {
			for _, folder := range []string{"internal/fleet/", "internal/diagnose/", "ui/"} {
				if strings.HasPrefix(path, folder) {
					t.Errorf("%s uses time.%s: a snapshot's At is the only now", path, name)
				}
			}
		}
	}
}

func TestLayoutOfTheTop(t *testing.T) {
	entries, err := os.ReadDir(top)
	if err != nil {
		t.Fatal(err)
	}
	allowed := []string{
		"main.go", "ui", "sources", "actions", "go.mod", "go.sum", "README.md", "internal", "docs", "lab", ".ci", ".git",
		"LICENSE", "CHANGELOG.md", "Makefile", ".golangci.yml", ".gitignore", "strata",
	}
	for _, e := range entries {
		if !slices.Contains(allowed, e.Name()) {
			t.Errorf("%s does not belong at the top of the repository", e.Name())
		}
	}
	_, all := read(t)
	for _, s := range all {
		for _, part := range strings.Split(s.folder(), "/") {
			if slices.Contains([]string{"cmd", "pkg", "util", "utils", "common", "types", "models", "helpers"}, part) {
				t.Errorf("%s: %q says nothing about what is in it", s.path, part)
			}
		}
	}
}

func TestSizes(t *testing.T) {
	set, all := read(t)
	for _, s := range all {
		if s.lines > 500 {
			t.Errorf("%s has %d lines; 500 is the most a reader should be asked to hold", s.path, s.lines)
		}
		if s.test() {
			continue
		}
		ast.Inspect(s.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if lines := set.Position(n.End()).Line - set.Position(n.Pos()).Line; lines > 100 {
					t.Errorf("%s: %s has %d lines", s.path, n.Name.Name, lines)
				}
				if n.Name.Name == "init" && n.Recv == nil {
					t.Errorf("%s: init makes the order of imports matter", s.path)
				}
			case *ast.TypeSpec:
				switch typ := n.Type.(type) {
				case *ast.StructType:
					if fields := count(typ.Fields); fields > 15 {
						t.Errorf("%s: struct %s has %d fields", s.path, n.Name.Name, fields)
					}
				case *ast.InterfaceType:
					if methods := count(typ.Methods); methods > 5 {
						t.Errorf("%s: interface %s has %d methods", s.path, n.Name.Name, methods)
					}
				}
			}
			return true
		})
	}
}

func count(l *ast.FieldList) (n int) {
	for _, f := range l.List {
		n += max(1, len(f.Names))
	}
	return n
}

// TestPackageVariablesStay finds assignments to package-level variables.
func TestPackageVariablesStay(t *testing.T) {
	_, all := read(t)
	vars := map[string]map[string]bool{} // by folder
	for _, s := range all {
		for _, d := range s.ast.Decls {
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.VAR && !s.test() {
				for _, spec := range g.Specs {
					for _, name := range spec.(*ast.ValueSpec).Names {
						if vars[s.folder()] == nil {
							vars[s.folder()] = map[string]bool{}
						}
						vars[s.folder()][name.Name] = true
					}
				}
			}
		}
	}
	for _, s := range all {
		if s.test() {
			continue
		}
		ast.Inspect(s.ast, func(n ast.Node) bool {
			a, ok := n.(*ast.AssignStmt)
			if !ok || a.Tok == token.DEFINE {
				return true
			}
			for _, l := range a.Lhs {
				if x, ok := l.(*ast.IndexExpr); ok {
					l = x.X
				}
				if id, ok := l.(*ast.Ident); ok && vars[s.folder()][id.Name] && id.Obj != nil && id.Obj.Kind == ast.Var && packageLevel(s.ast, id) {
					t.Errorf("%s assigns to the package variable %s: state belongs into values", s.path, id.Name)
				}
			}
			return true
		})
	}
}

// packageLevel reports whether an identifier is declared by a var of the file itself, not inside a function.
func packageLevel(f *ast.File, id *ast.Ident) bool {
	return f.Scope != nil && f.Scope.Lookup(id.Name) == id.Obj
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	_, all := read(t)
	said, seen := map[string]bool{}, map[string]bool{}
	for _, s := range all {
		if s.test() {
			continue
		}
		seen[s.folder()] = true
		if s.ast.Doc != nil {
			said[s.folder()] = true
		}
	}
	for folder := range seen {
		if !said[folder] {
			t.Errorf("%s has no package comment that says what it is for", folder)
		}
	}
}
