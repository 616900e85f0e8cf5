package connect

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gophercloud/gophercloud/v2"

	"strata/internal/fleet"
)

const twoClouds = `clouds:
  home:
    auth:
      auth_url: https://keystone:5000
      username: op
      password: 0123
      project_name: infra
  lab:
    region_name: north
    interface: internal
    auth:
      auth_url: https://lab:5000/v3/
      application_credential_id: abc
      application_credential_secret: def
`

func names(all []Cloud) (names []string) {
	for _, c := range all {
		n := c.Name
		if c.Err() != nil {
			n += "!"
		}
		names = append(names, n)
	}
	return names
}

func TestAllCloudsOfTheFileAtOnce(t *testing.T) {
	t.Parallel()
	s := search(t, nil)
	path := filepath.Join(s.Home, ".config", "openstack", "clouds.yaml")
	write(t, path, twoClouds)
	found, looked := Clouds(s)
	if got := names(found); strings.Join(got, " ") != "home lab" {
		t.Fatalf("found %v, looked at %s", got, looked)
	}
	home, lab := found[0], found[1]
	want := gophercloud.AuthOptions{
		IdentityEndpoint: "https://keystone:5000/v3/", Username: "op", Password: "0123", TenantName: "infra",
		DomainID: "default", AllowReauth: true,
		Scope: &gophercloud.AuthScope{ProjectName: "infra", DomainID: "default"},
	}
	if diff := cmp.Diff(want, home.auth); diff != "" {
		t.Errorf("home logs in with (-want +got):\n%s", diff)
	}
	if home.From != path+":2" || lab.From != path+":8" {
		t.Errorf("from %s and %s", home.From, lab.From)
	}
	if lab.endpoint.Region != "north" || lab.endpoint.Availability != gophercloud.AvailabilityInternal ||
		lab.AuthURL() != "https://lab:5000/v3/" || lab.auth.ApplicationCredentialSecret != "def" {
		t.Errorf("lab: %+v %s", lab.endpoint, lab.AuthURL())
	}
	for _, place := range []string{filepath.Join(s.Dir, "clouds.yaml") + ": not there", path + ": 2 clouds"} {
		if !strings.Contains(looked.String(), place) {
			t.Errorf("looked at %s, want %s in it", looked, place)
		}
	}
}

func TestPlacesGoInTheSDKsOrder(t *testing.T) {
	t.Parallel()
	one := func(name string) string {
		return strings.ReplaceAll(twoClouds[:strings.Index(twoClouds, "  lab:")], "home", name)
	}
	env := map[string]string{}
	s := search(t, env)
	check := func(want string) {
		t.Helper()
		if found, _ := Clouds(s); len(found) != 1 || found[0].Name != want {
			t.Errorf("found %v, want %s", names(found), want)
		}
	}
	write(t, filepath.Join(s.System, "openstack", "clouds.yaml"), one("system"))
	check("system")
	write(t, filepath.Join(s.Home, ".config", "openstack", "clouds.yaml"), one("user"))
	check("user")
	env["XDG_CONFIG_HOME"] = filepath.Join(s.Home, "xdg")
	write(t, filepath.Join(s.Home, "xdg", "openstack", "clouds.yaml"), one("xdg"))
	check("xdg")
	write(t, filepath.Join(s.Dir, "clouds.yaml"), one("here"))
	check("here")
	env["OS_CLIENT_CONFIG_FILE"] = filepath.Join(s.Home, "elsewhere.yaml")
	write(t, env["OS_CLIENT_CONFIG_FILE"], one("elsewhere"))
	check("elsewhere")
}

func TestNamesChoose(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		env   map[string]string
		names []string
		want  string
	}{
		{nil, []string{"lab"}, "lab"},
		{nil, []string{"lab", "home", "lab"}, "lab home"},
		{map[string]string{"OS_CLOUD": "home"}, nil, "home"},
		{map[string]string{"OS_CLOUD": "home"}, []string{"lab"}, "lab"},
		{map[string]string{"OS_CLOUD": "nope"}, nil, "nope!"},
		{nil, []string{"nope", "lab"}, "nope! lab"},
		{map[string]string{"OS_AUTH_URL": "http://k", "OS_USERNAME": "u", "OS_PASSWORD": "p"}, nil, "envvars"},
		{map[string]string{"OS_AUTH_URL": "http://k", "OS_USERNAME": "u", "OS_PASSWORD": "p"}, []string{"lab", "envvars"}, "lab envvars"},
	} {
		s := search(t, c.env, c.names...)
		write(t, filepath.Join(s.Dir, "clouds.yaml"), twoClouds)
		found, looked := Clouds(s)
		if got := strings.Join(names(found), " "); got != c.want {
			t.Errorf("env %v, names %v: %s, want %s (%s)", c.env, c.names, got, c.want, looked)
		}
		for _, cloud := range found {
			if cloud.Err() != nil && fleet.FixOf(cloud.Err()) != "choose one of: home, lab" {
				t.Errorf("%v, fix %q", cloud.Err(), fleet.FixOf(cloud.Err()))
			}
		}
	}
}

func TestRegionOfTheEnvironmentMeansTheOneCloudChosen(t *testing.T) {
	t.Parallel()
	env := map[string]string{"OS_REGION_NAME": "south", "OS_INTERFACE": "admin"}
	s := search(t, env, "lab")
	write(t, filepath.Join(s.Dir, "clouds.yaml"), twoClouds)
	found, _ := Clouds(s)
	if e := found[0].endpoint; e.Region != "south" || e.Availability != gophercloud.AvailabilityAdmin {
		t.Errorf("chosen: %+v", e)
	}
	s.Names = nil
	found, _ = Clouds(s)
	if e := found[1].endpoint; e.Region != "north" || e.Availability != gophercloud.AvailabilityInternal {
		t.Errorf("one of all: %+v", e)
	}
}

func TestNothingConfiguredSaysWhereItLooked(t *testing.T) {
	t.Parallel()
	s := search(t, nil)
	found, looked := Clouds(s)
	trouble := looked.Trouble()
	if len(found) != 0 || !trouble.Unconfigured || trouble.Fix == "" {
		t.Errorf("found %v, %+v", names(found), trouble)
	}
	for _, place := range []string{"OS_CLOUD", "OS_AUTH_URL", s.Dir, ".config", s.System} {
		if !strings.Contains(trouble.Error(), place) {
			t.Errorf("%v does not name %s", trouble, place)
		}
	}
}

func TestABrokenCloudDoesNotHideTheOthers(t *testing.T) {
	t.Parallel()
	for name, entry := range map[string]string{
		"no auth":           "  bad:\n    region_name: x\n",
		"auth is a word":    "  bad:\n    auth: secret\n",
		"nothing":           "  bad:\n",
		"no password":       "  bad:\n    auth:\n      auth_url: http://k\n      username: u\n",
		"no auth_url":       "  bad:\n    auth:\n      username: u\n      password: p\n",
		"regions of a kind": "  bad:\n    regions: 7\n    auth: {auth_url: http://k}\n",
		"other login":       "  bad:\n    auth_type: v3oidcpassword\n    auth: {auth_url: http://k, username: u, password: p}\n",
		"ca file missing":   "  bad:\n    cacert: /nowhere/ca.pem\n    auth: {auth_url: http://k, username: u, password: p}\n",
	} {
		s := search(t, nil)
		path := filepath.Join(s.Dir, "clouds.yaml")
		write(t, path, strings.Replace(twoClouds, "  lab:", entry+"  lab:", 1))
		found, _ := Clouds(s)
		if got := strings.Join(names(found), " "); got != "bad! home lab" {
			t.Errorf("%s: found %s", name, got)
			continue
		}
		if err := found[0].Err(); !strings.Contains(err.Error(), path+":8") || fleet.FixOf(err) == "" {
			t.Errorf("%s: %v, want the file and the line", name, err)
		}
		if _, err := found[0].ForReading("x").Compute(t.Context(), 1); err == nil {
			t.Errorf("%s: gave a client", name)
		}
	}
}

func TestABrokenFileSaysTheLine(t *testing.T) {
	t.Parallel()
	s := search(t, nil)
	path := filepath.Join(s.Dir, "clouds.yaml")
	write(t, path, "clouds:\n  home:\n    auth: [\n  lab: }\n")
	found, looked := Clouds(s)
	if len(found) != 1 || found[0].Err() == nil || !strings.Contains(found[0].Err().Error(), "reading "+path+": line ") {
		t.Fatalf("found %v, looked at %s", names(found), looked)
	}
	if strings.Contains(found[0].Err().Error(), "\n") {
		t.Errorf("more than a line: %q", found[0].Err())
	}
}

func TestSecureFileAddsThePassword(t *testing.T) {
	t.Parallel()
	s := search(t, nil)
	write(t, filepath.Join(s.Dir, "clouds.yaml"), "clouds:\n  home:\n    auth: {auth_url: http://k/v3, username: u}\n")
	write(t, filepath.Join(s.Dir, "secure.yaml"), "clouds:\n  home:\n    auth: {password: s3cret}\n")
	found, _ := Clouds(s)
	if found[0].Err() != nil || found[0].auth.Password != "s3cret" {
		t.Errorf("%v, password %q", found[0].Err(), found[0].auth.Password)
	}
	write(t, filepath.Join(s.Dir, "secure.yaml"), "clouds: [\n")
	found, _ = Clouds(s)
	if err := found[0].Err(); err == nil || !strings.Contains(err.Error(), "secure.yaml") {
		t.Errorf("a broken secure.yaml: %v", err)
	}
}

func TestOpenrcIsReadWhole(t *testing.T) {
	t.Parallel()
	base := map[string]string{
		"OS_AUTH_URL": "https://k:5000/v3", "OS_USERNAME": "op", "OS_PASSWORD": "pw", "OS_REGION_NAME": "north",
	}
	for _, c := range []struct {
		name string
		env  map[string]string
		want gophercloud.AuthOptions
	}{
		{
			"horizon's openrc",
			map[string]string{
				"OS_PROJECT_ID": "p1", "OS_PROJECT_NAME": "infra", "OS_USER_DOMAIN_NAME": "Corp", "OS_PROJECT_DOMAIN_ID": "d2",
				"OS_INTERFACE": "public", "OS_IDENTITY_API_VERSION": "3",
			},
			gophercloud.AuthOptions{
				Username: "op", Password: "pw", DomainName: "Corp", AllowReauth: true,
				Scope: &gophercloud.AuthScope{ProjectID: "p1"},
			},
		},
		{
			"project by name in another domain",
			map[string]string{"OS_PROJECT_NAME": "infra", "OS_USER_DOMAIN_ID": "d1", "OS_PROJECT_DOMAIN_NAME": "Other"},
			gophercloud.AuthOptions{
				Username: "op", Password: "pw", DomainID: "d1", AllowReauth: true,
				Scope: &gophercloud.AuthScope{ProjectName: "infra", DomainName: "Other"},
			},
		},
		{
			"one domain for all",
			map[string]string{"OS_TENANT_NAME": "infra", "OS_DOMAIN_NAME": "Corp"},
			gophercloud.AuthOptions{
				Username: "op", Password: "pw", DomainName: "Corp", AllowReauth: true,
				Scope: &gophercloud.AuthScope{ProjectName: "infra", DomainName: "Corp"},
			},
		},
		{
			"system scope",
			map[string]string{"OS_SYSTEM_SCOPE": "all", "OS_USER_DOMAIN_NAME": "Corp"},
			gophercloud.AuthOptions{
				Username: "op", Password: "pw", DomainName: "Corp", AllowReauth: true,
				Scope: &gophercloud.AuthScope{System: true},
			},
		},
		{
			"application credential",
			map[string]string{
				"OS_USERNAME": "", "OS_PASSWORD": "", "OS_AUTH_TYPE": "v3applicationcredential",
				"OS_APPLICATION_CREDENTIAL_ID": "a", "OS_APPLICATION_CREDENTIAL_SECRET": "s",
			},
			gophercloud.AuthOptions{ApplicationCredentialID: "a", ApplicationCredentialSecret: "s", AllowReauth: true},
		},
		{
			"token",
			map[string]string{"OS_USERNAME": "", "OS_PASSWORD": "", "OS_TOKEN": "t", "OS_PROJECT_ID": "p1", "OS_USER_DOMAIN_NAME": "Corp"},
			gophercloud.AuthOptions{TokenID: "t", Scope: &gophercloud.AuthScope{ProjectID: "p1"}},
		},
	} {
		env := map[string]string{}
		for _, m := range []map[string]string{base, c.env} {
			for k, v := range m {
				env[k] = v
			}
		}
		found, _ := Clouds(search(t, env))
		if len(found) != 1 || found[0].Err() != nil {
			t.Errorf("%s: %v %v", c.name, names(found), found[0].Err())
			continue
		}
		c.want.IdentityEndpoint = "https://k:5000/v3/"
		if diff := cmp.Diff(c.want, found[0].auth); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
		if found[0].endpoint.Region != "north" {
			t.Errorf("%s: region %q", c.name, found[0].endpoint.Region)
		}
	}
}

func TestOpenrcThatIsNotWholeSaysSo(t *testing.T) {
	t.Parallel()
	for name, env := range map[string]map[string]string{
		"the password is missing":  {"OS_USERNAME": "op"},
		"the user name is missing": {"OS_PASSWORD": "pw"},
		"OS_CACERT":                {"OS_USERNAME": "op", "OS_PASSWORD": "pw", "OS_CACERT": "/nowhere.pem"},
		"OS_INSECURE":              {"OS_USERNAME": "op", "OS_PASSWORD": "pw", "OS_INSECURE": "maybe"},
	} {
		env["OS_AUTH_URL"] = "http://k/v3"
		found, _ := Clouds(search(t, env))
		if len(found) != 1 || found[0].Err() == nil || !strings.Contains(found[0].Err().Error(), name) {
			t.Errorf("%s: %v", name, found)
		}
	}
}
