package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"strata/internal/fleet"
	"strata/internal/notes"
)

// AddHost puts a host into the text of a configuration. Comments and everything else stay as they are. The new text is
// read back: it says what the old one did and the host, or nothing is returned.
func AddHost(name string, text []byte, h Host) ([]byte, error) {
	if err := h.Fault(); err != nil {
		return nil, err
	}
	before, err := Parse(name, text, Config{})
	if err != nil {
		return nil, err
	}
	if err := before.Taken(h); err != nil {
		return nil, err
	}
	added, err := insert(text, h)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	want := before
	want.Hosts = append(slices.Clip(before.Hosts), h)
	if after, err := Parse(name, added, Config{}); err != nil || !reflect.DeepEqual(after.said(), want.said()) {
		return nil, &fleet.Trouble{
			Doing: name + " is written in a way in which no host can be added without changing more",
			Fix:   "add it by hand, below hosts: - {" + h.String() + "}",
		}
	}
	return added, nil
}

// said is a configuration to compare: an empty list says what a missing one does.
func (c Config) said() Config {
	c.Hosts, c.Clouds, c.Contexts = append([]Host{}, c.Hosts...), append([]string{}, c.Clouds...), append([]string{}, c.Contexts...)
	return c
}

// Taken says whether a host is in the configuration already, by its name or its destination.
func (c Config) Taken(h Host) error {
	for _, o := range c.Hosts {
		switch {
		case o.Name == h.Name:
			return fmt.Errorf("there is a host %s already (%s)", o.Name, o.SSH)
		case o.SSH == h.SSH:
			return fmt.Errorf("%s is there already, as %s", o.SSH, o.Name)
		}
	}
	return nil
}

// lines are a host as an entry of a block, the dash of which is that far in.
func (h Host) lines(indent int) string {
	pad := strings.Repeat(" ", indent)
	out := pad + "- name: " + quoted(h.Name) + "\n" + pad + "  ssh: " + quoted(h.SSH) + "\n"
	if h.Sudo {
		out += pad + "  sudo: true\n"
	}
	return out
}

// String is a host as the configuration could have it, on one line.
func (h Host) String() string {
	out := "name: " + quoted(h.Name) + ", ssh: " + quoted(h.SSH)
	if h.Sudo {
		out += ", sudo: true"
	}
	return out
}

// quoted writes a word so that YAML takes it for nothing but that text.
func quoted(word string) string {
	letters := "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	plain := strings.ContainsAny(word[:1], letters) && strings.Trim(word, letters+"0123456789.-_@") == ""
	if plain && !slices.Contains([]string{"y", "n", "yes", "no", "on", "off", "true", "false", "null"}, strings.ToLower(word)) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", "''") + "'"
}

// insert puts the host where the list of hosts ends, or a list of them at the end of the text.
func insert(text []byte, h Host) (out []byte, err error) {
	defer func() {
		if p := recover(); p != nil { // as Parse says
			err = fmt.Errorf("the YAML reader gave up on it: %v", p)
		}
	}()
	tree, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, err
	}
	s := string(text)
	if s != "" && !strings.HasSuffix(s, "\n") {
		s += "\n"
	}
	list := hostsOf(tree)
	if list == nil {
		gap := ""
		if strings.TrimSpace(s) != "" {
			gap = "\n"
		}
		return []byte(s + gap + "hosts:\n" + h.lines(2)), nil
	}
	lines := strings.SplitAfter(s, "\n")
	key := list.Key.GetToken().Position.Line - 1
	switch v := list.Value.(type) {
	case *ast.NullNode:
		return []byte(strings.Join(slices.Insert(lines, key+1, h.lines(2)), "")), nil
	case *ast.SequenceNode:
		if v.IsFlowStyle {
			return intoFlow(lines, key, v, h)
		}
		first := v.Start.Position
		last := lastLine(v)
		return []byte(strings.Join(slices.Insert(lines, last, h.lines(first.Column-1)), "")), nil
	}
	return nil, errors.New("hosts is no list")
}

// hostsOf is the key hosts with its value, nil when there is none.
func hostsOf(tree *ast.File) *ast.MappingValueNode {
	for _, doc := range tree.Docs {
		m, ok := doc.Body.(*ast.MappingNode)
		if !ok {
			if one, ok := doc.Body.(*ast.MappingValueNode); ok {
				m = &ast.MappingNode{Values: []*ast.MappingValueNode{one}}
			} else {
				continue
			}
		}
		for _, v := range m.Values {
			if v.Key.String() == "hosts" {
				return v
			}
		}
	}
	return nil
}

// intoFlow adds to a list in brackets: an empty one becomes a block, so that it can be read.
func intoFlow(lines []string, key int, v *ast.SequenceNode, h Host) ([]byte, error) {
	end := v.End.Position
	at := end.Line - 1
	if at >= len(lines) || end.Column < 1 || end.Column > len(lines[at]) || lines[at][end.Column-1] != ']' {
		return nil, errors.New("the end of hosts cannot be found")
	}
	if len(v.Values) > 0 {
		lines[at] = lines[at][:end.Column-1] + ", {" + h.String() + "}" + lines[at][end.Column-1:]
		return []byte(strings.Join(lines, "")), nil
	}
	open := strings.IndexByte(lines[key], '[')
	if at != key || open < 0 {
		return nil, errors.New("the list of hosts cannot be found")
	}
	lines[key] = strings.TrimRight(lines[key][:open], " ") + strings.TrimRight(lines[key][end.Column:], "\n") + "\n"
	return []byte(strings.Join(slices.Insert(lines, key+1, h.lines(2)), "")), nil
}

// lastLine is the number of the last line that a node is on, from 1.
func lastLine(n ast.Node) int {
	last := 0
	ast.Walk(visit(func(n ast.Node) {
		if t := n.GetToken(); t != nil {
			last = max(last, t.Position.Line+strings.Count(strings.TrimSpace(t.Value), "\n"))
		}
		if s, ok := n.(*ast.SequenceNode); ok && s.End != nil {
			last = max(last, s.End.Position.Line)
		}
		if m, ok := n.(*ast.MappingNode); ok && m.End != nil {
			last = max(last, m.End.Position.Line)
		}
	}), n)
	return last
}

type visit func(ast.Node)

func (v visit) Visit(n ast.Node) ast.Visitor {
	v(n)
	return v
}

// SaveHost adds a host to the file at path, which is made when it is not there. Whoever reads it meanwhile sees the old
// file or the new one.
func SaveHost(path string, h Host) error {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real // the link stays a link
	}
	mode := fs.FileMode(0o600)
	text, err := os.ReadFile(path)
	switch info, statErr := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return fmt.Errorf("making the folder of the configuration: %w", err)
		}
	case err != nil:
		return fmt.Errorf("reading the configuration: %w", err)
	case statErr == nil:
		mode = info.Mode().Perm()
	}
	added, err := AddHost(path, text, h)
	if err != nil {
		return err
	}
	if err := notes.Replace(path, added, mode); err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	return nil
}
