package host

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"strata/internal/fleet"
	"strata/sources/tree"
)

func TestResumeIsReadAsOsloConfigReadsIt(t *testing.T) {
	t.Parallel()
	shipped, err := os.ReadFile("testdata/nova/nova.conf")
	if err != nil {
		t.Fatal(err)
	}
	const flag = fleet.ResumeFlag
	for text, want := range map[string]string{
		string(shipped):                               "",
		"[DEFAULT]\n" + flag + "=True":                "True",
		"[DEFAULT]\r\n" + flag + " : yes \r\n":        "yes",
		"[DEFAULT]\n" + flag + " = 'on'\n":            "on",
		"[DEFAULT]\n" + flag + "=1\n" + flag + "=0\n": "0",
		"[DEFAULT]\nx = 1\n  " + flag + " = True\n":   "", // goes on with x
		"[DEFAULT]\n" + flag + " = tr\n ue\n":         "tr\nue",
		"[DEFAULT]\n" + flag + " = true\n\n  ue\n":    "true", // an empty line ends a value
		"[DEFAULT]\n#" + flag + " = True\n":           "",
		flag + " = True\n":                            "", // no section
		"[libvirt]\n" + flag + " = True\n":            "",
		"[default]\n" + flag + " = True\n":            "",
		"[DEFAULT]\n" + flag + "\n":                   "",
		"[DEFAULT]\n" + flag + "_x = True\n":          "",
	} {
		if got, set := parseResume([]byte(text)); got != want || set != (want != "") {
			t.Errorf("%q: %q %t, want %q", text, got, set, want)
		}
	}
}

func TestNovaConfOfAMachine(t *testing.T) {
	t.Parallel()
	const main, compute, folder = "etc/nova/nova.conf", "etc/nova/nova-compute.conf", "etc/nova/nova.conf.d/90-guests.conf"
	on, off, not := "[DEFAULT]\n"+fleet.ResumeFlag+"=true\n", "[DEFAULT]\n"+fleet.ResumeFlag+"=false\n", "[DEFAULT]\n"
	for name, c := range map[string]struct {
		files  map[string]string
		file   string
		resume fleet.Opt[bool]
		err    string
	}{
		"not set":               {files: map[string]string{"usr/share/nova/nova-dist.conf": not, main: not, compute: not}, file: main},
		"set":                   {files: map[string]string{main: on}, file: main, resume: fleet.Some(true)},
		"set by what is packed": {files: map[string]string{"usr/share/nova/nova-dist.conf": on, main: not}, file: "usr/share/nova/nova-dist.conf", resume: fleet.Some(true)},
		"overridden":            {files: map[string]string{main: on, compute: off}, file: compute, resume: fleet.Some(false)},
		"overridden in folder":  {files: map[string]string{main: off, folder: on, folder + ".rpmsave": off}, file: folder, resume: fleet.Some(true)},
		"no boolean":            {files: map[string]string{main: "[DEFAULT]\n" + fleet.ResumeFlag + "=perhaps\n"}, file: main, err: "neither true nor false"},
		"a folder":              {files: map[string]string{main + "/x": ""}, file: main, err: "is a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root, n := t.TempDir(), newNotes()
			for file, text := range c.files {
				path := filepath.Join(root, file)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got := novaConf(tree.Tree(root), n)
			if got == nil || got.File != "/"+c.file || got.Resume != c.resume || !strings.Contains(got.Err, c.err) || (got.Err == "") != (c.err == "") {
				t.Fatalf("%+v", got)
			}
			if c.err == "" && got.Changed.IsZero() {
				t.Error("when it was changed is not told")
			}
		})
	}
	n := newNotes()
	if got := novaConf(tree.Tree(t.TempDir()), n); got != nil || len(n.all()) != 0 {
		t.Errorf("without Nova: %+v %q", got, n.all())
	}
}

// What cannot be read may hold the flag: then nothing is known, whatever the other files say, and it is noted.
func TestNovaConfThatCannotBeReadIsNoted(t *testing.T) {
	t.Parallel()
	root, n := t.TempDir(), newNotes()
	if err := os.MkdirAll(filepath.Join(root, "etc/nova/nova-compute.conf"), 0o755); err != nil { // a folder reads for nobody, root included
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "etc/nova/nova.conf"), []byte("[DEFAULT]\n"+fleet.ResumeFlag+"=true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := novaConf(tree.Tree(root), n)
	if got.Resume.OK || got.Err == "" {
		t.Errorf("%+v", got)
	}
	if all := n.all(); len(all) != 1 || !strings.HasPrefix(all[0], "nova: /etc/nova/nova-compute.conf: ") {
		t.Errorf("notes %q", all)
	}
}

func FuzzNovaConf(f *testing.F) {
	seedFiles(f, "nova/*.conf")
	f.Add([]byte("[DEFAULT]\n" + fleet.ResumeFlag + " = tr\n ue\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		value, set := parseResume(b)
		if !set && value != "" || set && !strings.Contains(string(b), fleet.ResumeFlag) {
			t.Errorf("%q %t", value, set)
		}
	})
}
