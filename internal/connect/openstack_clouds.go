package connect

import (
	"bytes"
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
	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/config/clouds"

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
	tree, err := parser.ParseBytes(text, 0)
	if err != nil {
		return fail(plainYAMLError(err))
	}
	var all struct {
		Clouds map[string]any `yaml:"clouds"`
	}
	if err := yaml.Unmarshal(text, &all); err != nil {
		return fail(plainYAMLError(err))
	}
	lines := cloudLines(tree)
	for name, value := range all.Clouds {
		fields, _ := value.(map[string]any)
		f.entries = append(f.entries, cloudEntry{name, lines[name], fields})
	}
	if len(f.entries) == 0 {
		return fail(errors.New("it has no clouds: section, or an empty one"))
	}
	slices.SortFunc(f.entries, func(a, b cloudEntry) int { return strings.Compare(a.name, b.name) })
	return f
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

// named reads one cloud of the file. alone is set when it is the only one asked for: then OS_REGION_NAME and
// OS_INTERFACE mean it.
func (s Search) named(f *cloudsFile, name string, alone bool) Cloud {
	if f == nil {
		return Cloud{Name: name, err: &fleet.Trouble{
			Doing: "looking for cloud " + name, Cause: errors.New("there is no clouds.yaml"),
			Fix: "put a clouds.yaml into ~/.config/openstack, or leave --cloud and OS_CLOUD out",
		}}
	}
	c := Cloud{Name: name, From: f.path}
	if f.err != nil {
		c.err = f.err
		return c
	}
	i := slices.IndexFunc(f.entries, func(e cloudEntry) bool { return e.name == name })
	if i < 0 {
		c.err = &fleet.Trouble{
			Doing: "looking for cloud " + name, Cause: fmt.Errorf("%s does not have it", f.path),
			Fix: "choose one of: " + strings.Join(f.names(), ", "),
		}
		return c
	}
	e := f.entries[i]
	c.From = fmt.Sprintf("%s:%d", f.path, e.line)
	if err := s.parse(f, e, alone, &c); err != nil {
		if f.secureErr != nil {
			err = fmt.Errorf("%w (%w)", err, f.secureErr)
		}
		c.err = &fleet.Trouble{Doing: "reading cloud " + name + " in " + c.From, Cause: err, Fix: "correct " + c.From}
	}
	return c
}

func (s Search) parse(f *cloudsFile, e cloudEntry, alone bool, c *Cloud) error {
	if kind, _ := e.fields["auth_type"].(string); !knownAuth(kind) {
		return fmt.Errorf("auth_type %s is not supported, use a password or an application credential", kind)
	}
	if e.fields["auth"] == nil && !slices.Contains(f.auths, e.name) {
		return errors.New("it has no auth: section") // clouds.Parse would not survive it
	}
	var public []string
	for _, folder := range s.folders() {
		public = append(public, filepath.Join(folder, "clouds-public.yaml"))
	}
	region, face := firstRegion(e.fields), ""
	if alone {
		region, face = first(s.Getenv("OS_REGION_NAME"), region), s.Getenv("OS_INTERFACE")
	}
	read := func(text []byte) (err error) {
		options := []clouds.ParseOption{
			clouds.WithCloudName(e.name), clouds.WithCloudsYAML(bytes.NewReader(text)),
			clouds.WithPublicLocations(public...), clouds.WithRegion(region), clouds.WithEndpointType(face),
		}
		if f.secure != nil {
			options = append(options, clouds.WithSecureYAML(bytes.NewReader(f.secure)))
		}
		c.auth, c.endpoint, c.tls, err = clouds.Parse(options...)
		return err
	}
	if err := read(f.text); err != nil {
		// A fault in another cloud of the file must not take this one down: read it alone.
		alone, merr := yaml.Marshal(map[string]any{"clouds": map[string]any{e.name: e.fields}})
		if merr != nil {
			return err
		}
		if err := read(alone); err != nil {
			return err
		}
	}
	defaultDomain, _ := authField(e.fields, "default_domain").(string)
	return c.complete(defaultDomain)
}

func knownAuth(kind string) bool {
	switch clouds.AuthType(kind) {
	case "", clouds.AuthPassword, clouds.AuthToken, clouds.AuthV3Password, clouds.AuthV3Token,
		clouds.AuthV3ApplicationCredential, "v3multifactor":
		return true
	}
	return false
}

func authField(fields map[string]any, name string) any {
	auth, _ := fields["auth"].(map[string]any)
	return auth[name]
}

// firstRegion is the region of a cloud that lists several: the SDK takes the first one too.
func firstRegion(fields map[string]any) string {
	if name, _ := fields["region_name"].(string); name != "" {
		return ""
	}
	list, _ := fields["regions"].([]any)
	if len(list) == 0 {
		return ""
	}
	if region, ok := list[0].(map[string]any); ok {
		name, _ := region["name"].(string)
		return name
	}
	name, _ := list[0].(string)
	return name
}

// complete fills in what the openstack command line takes for granted and checks that a login is possible.
func (c *Cloud) complete(defaultDomain string) error {
	a := &c.auth
	domain := first(defaultDomain, "default")
	// The secret decides the method: what belongs to another method only makes the library refuse.
	application := a.ApplicationCredentialID != "" || a.ApplicationCredentialName != ""
	token := a.TokenID != "" && a.Password == "" && !application
	a.AllowReauth = !token
	switch {
	case a.IdentityEndpoint == "":
		return errors.New("auth_url is missing")
	case application && a.ApplicationCredentialSecret == "":
		return errors.New("the secret of the application credential is missing")
	case token:
		a.Username, a.UserID, a.DomainID, a.DomainName = "", "", "", ""
	case !application && a.Password == "" && a.Passcode == "":
		return errors.New("the password is missing")
	case a.ApplicationCredentialID != "":
	case a.UserID != "":
		a.Username, a.DomainID, a.DomainName = "", "", ""
	case a.Username == "":
		return errors.New("the user name is missing")
	case a.DomainID != "":
		a.DomainName = "" // both at once are refused
	case a.DomainName == "":
		a.DomainID = domain
	}
	if a.Scope != nil && a.Scope.ProjectName != "" && a.Scope.DomainID == "" && a.Scope.DomainName == "" {
		scope := *a.Scope
		scope.DomainID = domain
		a.Scope = &scope
	}
	if c.endpoint.Availability == "" {
		c.endpoint.Availability = gophercloud.AvailabilityPublic
	}
	a.IdentityEndpoint = identityV3(a.IdentityEndpoint)
	return nil
}

// identityV3 names version 3 of Keystone at an auth_url that may name none or the removed v2.0. To know it without
// asking lets the read-only transport know the one address of a login.
func identityV3(url string) string {
	url = strings.TrimRight(url, "/")
	url = strings.TrimSuffix(url, "/v2.0")
	if !strings.HasSuffix(url, "/v3") {
		url += "/v3"
	}
	return url + "/"
}

func first(all ...string) string {
	for _, s := range all {
		if s != "" {
			return s
		}
	}
	return ""
}
