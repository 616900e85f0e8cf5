package wire

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// docs/snapshot.md describes every field that can come, each in the section of its type, and none that cannot.
func TestEveryFieldIsDescribed(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/snapshot.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "`"+Schema+"`") {
		t.Errorf("docs/snapshot.md does not say that the schema is %s", Schema)
	}
	described := sections(string(text))
	files, err := filepath.Glob("../fleet/*.go")
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, path := range append(files, "wire.go") {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			structure, ok := spec.Type.(*ast.StructType)
			if !ok {
				return true
			}
			section := spec.Name.Name
			switch section {
			case "snapshot":
				section = "The whole"
			case "part":
				section = "Part"
			}
			checked += compare(t, section, described[section], structure)
			return false
		})
	}
	if checked < 250 {
		t.Errorf("only %d fields were found in the code", checked)
	}
}

// compare checks the rows of a section against a struct and returns how many fields it has.
func compare(t *testing.T, section string, rows map[string]row, structure *ast.StructType) int {
	seen := map[string]bool{}
	for _, f := range structure.Fields.List {
		if f.Tag == nil {
			continue
		}
		name, options, _ := strings.Cut(reflect.StructTag(strings.Trim(f.Tag.Value, "`")).Get("json"), ",")
		if name == "" {
			continue
		}
		seen[name] = true
		got, ok := rows[name]
		if !ok {
			t.Errorf("docs/snapshot.md, section %s, does not describe %s", section, name)
			continue
		}
		if mayLack := options != ""; got.optional != mayLack {
			t.Errorf("docs/snapshot.md, section %s: %s is marked optional: %v; in the code: %v", section, name, got.optional, mayLack)
		}
		if null := maybeNull(f.Type); strings.HasSuffix(got.kind, " or null") != null {
			t.Errorf("docs/snapshot.md, section %s: %s is described as %q; it may be null: %v", section, name, got.kind, null)
		}
		if got.meaning == "" {
			t.Errorf("docs/snapshot.md, section %s: %s has no meaning", section, name)
		}
	}
	for name := range rows {
		if len(seen) > 0 && !seen[name] {
			t.Errorf("docs/snapshot.md, section %s, describes %s, which never comes", section, name)
		}
	}
	return len(seen)
}

// maybeNull reports whether a type is a fleet.Opt.
func maybeNull(e ast.Expr) bool {
	generic, ok := e.(*ast.IndexExpr)
	if !ok {
		return false
	}
	name, ok := generic.X.(*ast.Ident)
	return ok && name.Name == "Opt"
}

type row struct {
	optional      bool
	kind, meaning string
}

// sections cuts the page into its sections and their table rows.
func sections(text string) map[string]map[string]row {
	line := regexp.MustCompile("^\\| `([^`]+)`(\\??) \\| ([^|]+) \\| (.*) \\|$")
	all := map[string]map[string]row{}
	section := ""
	for _, l := range strings.Split(text, "\n") {
		if strings.HasPrefix(l, "## ") || strings.HasPrefix(l, "### ") {
			section = strings.TrimLeft(l, "# ")
			all[section] = map[string]row{}
		}
		if m := line.FindStringSubmatch(l); m != nil && all[section] != nil {
			all[section][m[1]] = row{m[2] == "?", m[3], strings.TrimSpace(m[4])}
		}
	}
	return all
}
