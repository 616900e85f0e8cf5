// Package archtest holds the rules of docs/design.md as ordinary tests. It must not be imported.
package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// source is one Go file of the project; labs, which are never imported, are left out.
type source struct {
	path    string // from the top of the repository, with slashes
	lines   int
	ast     *ast.File
	imports []string
}

func (s source) test() bool { return strings.HasSuffix(s.path, "_test.go") }

// folder is where the file lies, "." for the top.
func (s source) folder() string { return filepath.ToSlash(filepath.Dir(s.path)) }

// tree reads all Go files below top.
func tree(top string) (*token.FileSet, []source, error) {
	set := token.NewFileSet()
	var all []source
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(top, path) // path is below top
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			if rel == "lab" || strings.HasPrefix(d.Name(), ".") && rel != "." || d.Name() == "testdata" {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(set, path, text, parser.ParseComments)
		if err != nil {
			return err
		}
		s := source{path: rel, lines: strings.Count(string(text), "\n"), ast: file}
		for _, i := range file.Imports {
			p, _ := strconv.Unquote(i.Path.Value) // the parser took it
			s.imports = append(s.imports, p)
		}
		all = append(all, s)
		return nil
	})
	return set, all, err
}
