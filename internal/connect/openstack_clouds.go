package connect

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"strata/internal/fleet"
)

// EnvCloud is the name of the cloud that the OS_* variables of an openrc file describe, as the SDK has it.
const EnvCloud = "envvars"

// Search says where to look for OpenStack clouds. Environment and folders are values so that a test has its own.
type Search struct {
	Names  []string            // --cloud; none means OS_CLOUD, then the OS_* variables, then every cloud of the file
	Getenv func(string) string // os.Getenv
	Dir    string              // the working directory
	Home   string              // the home of the user
	System string              // "/etc"
}

// SearchHere looks where the OpenStack clients look, with the environment of this process.
func SearchHere(names ...string) Search {
	s := Search{Names: names, Getenv: os.Getenv, System: "/etc"}
	// Without a working directory or a home the other places still count.
	s.Dir, _ = os.Getwd()
	s.Home, _ = os.UserHomeDir()
	return s
}

// Looked says which places were looked at, for "not configured" and for doctor.
type Looked struct{ Places []Place }

// Place is a file or a variable where a cloud may be described, and what was there.
type Place struct {
	Where string
	Found string // "3 clouds", "set"; "" when nothing is there
	Err   error  // it is there and cannot be read
}

func (l Looked) String() string {
	var said []string
	for _, p := range l.Places {
		switch {
		case p.Err != nil:
			said = append(said, p.Err.Error())
		case p.Found != "":
			said = append(said, p.Where+": "+p.Found)
		default:
			said = append(said, p.Where+": not there")
		}
	}
	return strings.Join(said, "; ")
}

// Trouble says that no cloud is configured and where one may be.
func (l Looked) Trouble() *fleet.Trouble {
	return &fleet.Trouble{
		Doing: "looking for OpenStack clouds", Cause: errors.New(l.String()), Unconfigured: true,
		Fix: "put a clouds.yaml into ~/.config/openstack, or source an openrc file before starting",
	}
}

// Clouds finds the OpenStack clouds to watch, without any network. A cloud whose description is broken is among them:
// its clients return the error, so that it shows among the others instead of hiding them.
func Clouds(s Search) ([]Cloud, Looked) {
	var looked Looked
	names := slices.Clone(s.Names)
	if one := s.Getenv("OS_CLOUD"); len(names) == 0 && one != "" {
		names = []string{one}
	}
	looked.add("OS_CLOUD", s.Getenv("OS_CLOUD"))
	looked.add("OS_AUTH_URL", s.Getenv("OS_AUTH_URL"))

	// A sourced openrc file is a choice made in this shell: it goes before the clouds of a file, as in the SDK.
	if len(names) == 0 && s.Getenv("OS_AUTH_URL") != "" {
		return []Cloud{s.fromEnv()}, looked
	}
	file := s.file(&looked)
	if len(names) == 0 {
		if file == nil {
			return nil, looked
		}
		if file.err != nil {
			return []Cloud{{Name: filepath.Base(file.path), From: file.path, err: file.err}}, looked
		}
		names = file.names()
	}
	var found []Cloud
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			continue
		}
		if name == EnvCloud && (file == nil || !file.has(name)) {
			found = append(found, s.fromEnv())
			continue
		}
		found = append(found, s.named(file, name, len(names) == 1))
	}
	return found, looked
}

func (l *Looked) add(variable, value string) {
	p := Place{Where: variable}
	if value != "" {
		p.Found = "set"
	}
	l.Places = append(l.Places, p)
}
