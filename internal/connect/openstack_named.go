package connect

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/config/clouds"

	"strata/internal/fleet"
)

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
