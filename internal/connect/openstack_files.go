package connect

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"strata/internal/fleet"
)

// folders are the places of clouds.yaml, secure.yaml and clouds-public.yaml in the SDK's order.
func (s Search) folders() []string {
	user := s.Getenv("XDG_CONFIG_HOME")
	if user == "" && s.Home != "" {
		user = filepath.Join(s.Home, ".config")
	}
	var all []string
	for _, f := range []string{s.Dir, under(user), under(s.System)} {
		if f != "" {
			all = append(all, f)
		}
	}
	return all
}

func under(folder string) string {
	if folder == "" {
		return ""
	}
	return filepath.Join(folder, "openstack")
}

// file reads the first clouds.yaml there is; nil when there is none.
func (s Search) file(looked *Looked) *cloudsFile {
	var paths []string
	if p := s.Getenv("OS_CLIENT_CONFIG_FILE"); p != "" {
		paths = []string{p}
	} else {
		for _, folder := range s.folders() {
			paths = append(paths, filepath.Join(folder, "clouds.yaml"), filepath.Join(folder, "clouds.yml"))
		}
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			looked.Places = append(looked.Places, Place{Where: path})
			continue
		}
		f := readCloudsFile(path, text, err)
		p := Place{Where: path, Err: f.err}
		if f.err == nil {
			p.Found = fmt.Sprintf("%d clouds", len(f.entries))
			f.secure, f.auths, f.secureErr = readSecure(s, path)
			p.Err = f.secureErr
		}
		looked.Places = append(looked.Places, p)
		return f
	}
	return nil
}

// readSecure reads the secure.yaml that belongs to a clouds.yaml, and the names of the clouds whose auth it holds.
// Nothing is returned when there is none.
func readSecure(s Search, cloudsPath string) (text []byte, auths []string, err error) {
	defer gaveUp(cloudsPath+" or its secure.yaml", &err)
	path := s.Getenv("OS_CLIENT_SECURE_FILE")
	if path == "" {
		path = filepath.Join(filepath.Dir(cloudsPath), "secure.yaml")
	}
	text, err = os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("reading %s: %w", path, err)
	}
	var all struct {
		Clouds map[string]struct {
			Auth map[string]any `yaml:"auth"`
		} `yaml:"clouds"`
	}
	if err := yaml.Unmarshal(text, &all); err != nil {
		return nil, nil, fmt.Errorf("reading %s: %w", path, plainYAMLError(err))
	}
	for name, cloud := range all.Clouds {
		if cloud.Auth != nil {
			auths = append(auths, name)
		}
	}
	return text, auths, nil
}

// cloudsFile is a clouds.yaml cut into its clouds.
type cloudsFile struct {
	path    string
	text    []byte
	entries []cloudEntry
	err     error

	secure    []byte
	auths     []string // clouds with an auth section in secure.yaml
	secureErr error
}

type cloudEntry struct {
	name   string
	line   int
	fields map[string]any
}

func readCloudsFile(path string, text []byte, err error) *cloudsFile {
	f := &cloudsFile{path: path, text: text}
	fail := func(err error) *cloudsFile {
		f.err = &fleet.Trouble{Doing: "reading " + path, Cause: err, Fix: "correct " + path}
		return f
	}
	if err != nil {
		return fail(err)
	}
	if f.entries, err = readEntries(path, text); err != nil {
		return fail(err)
	}
	if len(f.entries) == 0 {
		return fail(errors.New("it has no clouds: section, or an empty one"))
	}
	slices.SortFunc(f.entries, func(a, b cloudEntry) int { return strings.Compare(a.name, b.name) })
	return f
}

func readEntries(path string, text []byte) (entries []cloudEntry, err error) {
	defer gaveUp(path, &err)
	tree, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, plainYAMLError(err)
	}
	var all struct {
		Clouds map[string]any `yaml:"clouds"`
	}
	if err := yaml.Unmarshal(text, &all); err != nil {
		return nil, plainYAMLError(err)
	}
	lines := cloudLines(tree)
	for name, value := range all.Clouds {
		fields, _ := value.(map[string]any)
		entries = append(entries, cloudEntry{name, lines[name], fields})
	}
	return entries, nil
}

// gaveUp turns a panic of the YAML library, which some malformed tags bring about, into an error.
func gaveUp(path string, err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("the YAML reader gave up on %s: %v", path, p)
	}
}

// plainYAMLError makes one line of an error: "line 4: ..." without the colours and the source that go with it.
func plainYAMLError(err error) error {
	var e yaml.Error
	if errors.As(err, &e) && e.GetToken() != nil {
		return fmt.Errorf("line %d: %s", e.GetToken().Position.Line, e.GetMessage())
	}
	return err
}

func cloudLines(tree *ast.File) map[string]int {
	lines := map[string]int{}
	for _, doc := range tree.Docs {
		for _, section := range pairs(doc.Body) {
			if section.Key.String() != "clouds" {
				continue
			}
			for _, cloud := range pairs(section.Value) {
				token := cloud.Key.GetToken()
				lines[token.Value] = token.Position.Line
			}
		}
	}
	return lines
}

func pairs(node ast.Node) []*ast.MappingValueNode {
	switch n := node.(type) {
	case *ast.MappingNode:
		return n.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}
	}
	return nil
}

func (f *cloudsFile) names() []string {
	var all []string
	for _, e := range f.entries {
		all = append(all, e.name)
	}
	return all
}

func (f *cloudsFile) has(name string) bool { return slices.Contains(f.names(), name) }
