package config

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
)

// Prometheus is a Prometheus that watches machines, and the Alertmanager beside it. Its secrets lie in files or variables.
type Prometheus struct {
	Name         string // what it is called; without it the host of its URL
	URL          string // http or https, perhaps with the path of a proxy
	Alertmanager string // its URL; "" has none
	User         string // for basic auth
	PasswordFile string
	PasswordEnv  string // the variable that holds the password
	TokenFile    string // holds a bearer token
	TokenEnv     string
	CAFile       string // who signed its certificate; "" is whom the system trusts
}

// prometheusKeys is the YAML form.
type prometheusKeys struct {
	Name         string `yaml:"name"`
	URL          string `yaml:"url"`
	Alertmanager string `yaml:"alertmanager"`
	User         string `yaml:"user"`
	PasswordFile string `yaml:"passwordFile"`
	PasswordEnv  string `yaml:"passwordEnv"`
	TokenFile    string `yaml:"tokenFile"`
	TokenEnv     string `yaml:"tokenEnv"`
	CAFile       string `yaml:"caFile"`
}

// oneOrMany is a list that may have been written as its only element.
type oneOrMany []prometheusKeys

// UnmarshalYAML takes both forms.
func (l *oneOrMany) UnmarshalYAML(read func(any) error) error {
	var list []prometheusKeys
	err := read(&list)
	var single map[string]any
	if err != nil && read(&single) == nil {
		list = make([]prometheusKeys, 1)
		err = read(&list[0])
	}
	*l = list
	return err
}

// take checks them and completes their names.
func (l oneOrMany) take(name string, text []byte) (all []Prometheus, err error) {
	for i, k := range l {
		p := Prometheus(k)
		key, err := p.check()
		if err == nil && slices.ContainsFunc(all, func(o Prometheus) bool { return o.Name == p.Name }) {
			err = fmt.Errorf("there are two called %q: give each a name", p.Name)
		}
		if err != nil {
			fault := faultAt(name, text, fmt.Sprintf("$.prometheus[%d]%s", i, key), err.Error())
			if at := new(Fault); !errors.As(fault, &at) {
				fault = faultAt(name, text, "$.prometheus"+key, err.Error()) // it is the only one
			}
			return nil, fault
		}
		all = append(all, p)
	}
	return all, nil
}

// check completes it and says which key is wrong, as ".key"; "" is one that is not there.
func (p *Prometheus) check() (key string, err error) {
	if p.URL == "" {
		return "", errors.New("it has no url")
	}
	at, err := webAddress(p.URL)
	if err != nil {
		return ".url", err
	}
	if p.Name == "" {
		p.Name = at.Hostname()
	} else if !isName(p.Name) {
		return ".name", fmt.Errorf("%q is no name: letters, digits, dots, dashes and underscores", p.Name)
	}
	if p.Alertmanager != "" {
		if _, err := webAddress(p.Alertmanager); err != nil {
			return ".alertmanager", err
		}
	}
	for _, f := range []struct{ key, path string }{{".passwordFile", p.PasswordFile}, {".tokenFile", p.TokenFile}, {".caFile", p.CAFile}} {
		if f.path != "" && !filepath.IsAbs(f.path) {
			return f.key, fmt.Errorf("%q is no absolute path", f.path)
		}
	}
	password, token := p.PasswordFile != "" || p.PasswordEnv != "", p.TokenFile != "" || p.TokenEnv != ""
	switch {
	case p.User != "" && !password:
		return ".user", errors.New("its password is missing: name passwordFile or passwordEnv")
	case p.User == "" && password:
		return "", errors.New("there is a password and no user")
	case p.User != "" && token:
		return ".user", errors.New("it has a user and a token; it can log in with one only")
	case p.PasswordFile != "" && p.PasswordEnv != "":
		return ".passwordEnv", errors.New("the password is in a file already")
	case p.TokenFile != "" && p.TokenEnv != "":
		return ".tokenEnv", errors.New("the token is in a file already")
	}
	return "", nil
}

func webAddress(text string) (*url.URL, error) {
	at, err := url.Parse(text)
	switch {
	case err != nil || at.Hostname() == "" || at.Scheme != "http" && at.Scheme != "https":
		return nil, fmt.Errorf("%q is no address; write it as https://HOST:9090", redacted(at, text))
	case at.User != nil:
		return nil, errors.New("there is no room for a password in an address: name user and passwordFile")
	case at.RawQuery != "" || at.Fragment != "":
		return nil, fmt.Errorf("%q has more than an address", text)
	}
	return at, nil
}

func redacted(at *url.URL, text string) string {
	if at == nil || at.User == nil {
		return text
	}
	return at.Redacted()
}

func isName(s string) bool {
	return s != "" && s[0] != '-' && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") == ""
}
