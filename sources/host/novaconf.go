package host

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"strata/internal/fleet"
	"strata/sources/tree"
)

// novaFiles are the settings files that nova-compute reads, in the order in which a later one overrides an earlier one:
// the files that oslo.config looks for under the names nova and nova-compute, then what is in their folders.
func novaFiles(at tree.Tree) (files []string, err error) {
	files = []string{"/usr/share/nova/nova-dist.conf", "/etc/nova/nova.conf", "/etc/nova/nova-compute.conf"}
	for _, dir := range []string{"/etc/nova/nova.conf.d", "/etc/nova/nova-compute.conf.d"} {
		names, e := at.List(dir)
		if e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, errors.New(dir+": "+reason(e)))
		}
		for _, name := range names {
			if strings.HasSuffix(name, ".conf") {
				files = append(files, dir+"/"+name)
			}
		}
	}
	return files, err
}

// novaConf reads whether nova-compute starts its guests again after a boot; nil where there is no Nova. What else the files
// say is dropped at once: they hold passwords.
func novaConf(at tree.Tree, n *notes) *fleet.NovaConf {
	files, err := novaFiles(at)
	var c *fleet.NovaConf
	for _, file := range files {
		b, e := at.Bytes(file)
		switch {
		case errors.Is(e, fs.ErrNotExist):
			continue
		case e != nil:
			err = errors.Join(err, errors.New(file+": "+reason(e)))
			continue
		}
		value, set := parseResume(b)
		told := c != nil && (c.Resume.OK || c.Err != "")
		if !set && (told || c != nil && file != files[1]) {
			continue // who does not find it set looks for it in nova.conf
		}
		c = &fleet.NovaConf{File: file}
		if info, e := os.Stat(at.Path(file)); e == nil {
			c.Changed = info.ModTime().UTC()
		}
		if on, known := osloBool(value); known {
			c.Resume = fleet.Some(on)
		} else if set {
			c.Err = file + " sets " + fleet.ResumeFlag + " to what is neither true nor false"
		}
	}
	n.set("nova", "")
	if err != nil {
		says := strings.ReplaceAll(err.Error(), "\n", ", ")
		if c == nil {
			c = &fleet.NovaConf{File: files[1]}
		}
		c.Err, c.Resume = says, fleet.Opt[bool]{} // what cannot be read may say otherwise
		n.set("nova", "nova: "+says+": run as root to see whether guests are started again after a boot")
	}
	return c
}

// parseResume finds ResumeFlag in section DEFAULT as oslo.config does; the last one counts. A line that begins with a blank
// goes on with the value before it.
func parseResume(b []byte) (value string, set bool) {
	section, ours := "", false
	for line := range strings.Lines(string(b)) {
		line = strings.TrimRight(line, " \t\r\n\v\f")
		switch {
		case line == "":
			ours = false
		case line[0] == ' ' || line[0] == '\t':
			if ours {
				value += "\n" + strings.TrimLeft(line, " \t")
			}
		case line[0] == '[':
			section, ours = strings.TrimSuffix(line[1:], "]"), false
		case line[0] == '#' || line[0] == ';':
			ours = false
		default:
			at := strings.IndexAny(line, "=:")
			ours = at > 0 && section == "DEFAULT" && strings.TrimSpace(line[:at]) == fleet.ResumeFlag
			if ours {
				value, set = unquoted(strings.TrimSpace(line[at+1:])), true
			}
		}
	}
	return value, set
}

// unquoted takes off quotes that are alike at both ends.
func unquoted(s string) string {
	if len(s) > 1 && (s[0] == '"' || s[0] == '\'') && s[0] == s[len(s)-1] {
		return s[1 : len(s)-1]
	}
	return s
}

// osloBool reads the words that oslo.config has for true and false.
func osloBool(word string) (on, known bool) {
	word = strings.ToLower(word)
	on = slices.Contains([]string{"true", "1", "on", "yes"}, word)
	return on, on || slices.Contains([]string{"false", "0", "off", "no"}, word)
}
